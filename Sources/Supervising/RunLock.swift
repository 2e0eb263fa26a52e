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
final class RunLock {
  private let path: String
  private let descriptor: Int32

  /// Takes the lock and writes the pid.
  /// - Throws: `AlreadyRunning`, or `SystemError`.
  init(path: String) throws {
    self.path = path
    while true {
      let opened = try systemCall("open \(path)") { bh_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644) }
      guard bh_lock(opened) == 0 else {
        close(opened)
        let text = (try? readFile(path, sizeMax: 64)) ?? []
        throw AlreadyRunning(path: path, pid: String(decoding: text.prefix { $0 != 0x0A }, as: UTF8.self))
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
}
