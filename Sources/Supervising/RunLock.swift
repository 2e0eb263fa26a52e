internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// Why a supervisor does not start although its configuration is right.
struct AlreadyRunning: ExitStatusError, CustomStringConvertible {
  let path: String
  let pid: String

  var exitStatus: ExitStatus { .failed }
  var description: String { "another supervisor runs here: \(path) is locked, its pid is \(pid)" }
}

/// The pid file of a run directory, locked for as long as the supervisor lives.
///
/// A child that is just being spawned holds the lock too, until it executes its program: whoever gets the lock of a dead
/// supervisor finds all of its children.
final class RunLock {
  private static let patienceNanoseconds: Int64 = 10_000_000_000

  let descriptor: Int32
  private let path: String

  /// Takes the lock and writes the pid.
  ///
  /// A supervisor that only stands in for a dead one is asked to step aside for one that is started regularly.
  /// - Throws: `AlreadyRunning`, or `SystemError`.
  init(path: String, launch: Launch) throws {
    self.path = path
    let limit = SystemClock.monotonicNanoseconds + Self.patienceNanoseconds
    var inherited = launch.lockDescriptor
    while true {
      let opened = try inherited ?? systemCall("open \(path)") { bh_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644) }
      if inherited != nil { _ = bh_fcntl(opened, F_SETFD, FD_CLOEXEC) }
      inherited = nil
      guard bh_lock(opened) == 0 else {
        close(opened)
        try Self.wait(for: path, launch, until: limit)
        continue
      }
      // Whoever held the lock may have removed the file between our two calls.
      var mine = stat()
      var present = stat()
      if fstat(opened, &mine) == 0, stat(path, &present) == 0, mine.st_ino == present.st_ino {
        descriptor = opened
        break
      }
      close(opened)
    }
    let text = "\(getpid())\n"
    ftruncate(descriptor, 0)
    let count = text.utf8.count
    guard pwrite(descriptor, text, count, 0) == count else { throw SystemError.last("write \(path)") }
  }

  deinit {
    unlink(path)
    close(descriptor)
  }

  /// Waits a little where whoever holds the lock is on its way out.
  /// - Throws: `AlreadyRunning` where it is not, or the limit has come.
  private static func wait(for path: String, _ launch: Launch, until limit: Int64) throws {
    let bytes = (try? readFile(path, sizeMax: 64)) ?? []
    let text = String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self)
    guard SystemClock.monotonicNanoseconds < limit else { throw AlreadyRunning(path: path, pid: text) }
    let pid = Int32(text) ?? 0
    let holder = pid > 0 ? bh_pidfd_open(pid) : -1
    defer { if holder >= 0 { close(holder) } }
    guard holder >= 0, ProcessFacts(pid: pid)?.isZombie == false else {
      // The holder is dead, and a child of it under way; or it has not written its pid yet.
      pause(milliseconds: 2)
      return
    }
    guard launch.standIn == nil, ProcessFacts.arguments(of: pid).contains("--stand-in") else {
      throw AlreadyRunning(path: path, pid: text)
    }
    _ = bh_pidfd_send_signal(holder, SIGUSR1)
    var item = pollfd(fd: holder, events: Int16(POLLIN), revents: 0)
    poll(&item, 1, 200)
  }

  private static func pause(milliseconds: Int) {
    var pause = timespec(tv_sec: 0, tv_nsec: milliseconds * 1_000_000)
    nanosleep(&pause, nil)
  }
}
