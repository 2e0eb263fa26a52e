internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// A file that output goes to, rotated where it is a regular one.
///
/// Beside `x.log` there are `x.log.1`, the one before, and so on. A file is cut between lines, and grows beyond its
/// limit only to end a line that was begun in it. When the disk is full or the directory gone, output is dropped and
/// counted, and the file is opened again with the next output. A pipe or a terminal is never waited for: what it does
/// not take waits here, and whoever writes asks `isBlocked` first.
///
/// It belongs to the pump's thread.
final class LogFile {
  /// The most that waits for a pipe or a terminal, in bytes.
  static let waitingMax = 512 << 10
  /// How far a file grows beyond its limit to end a line, in bytes.
  private static let overshootMax = 64 << 10

  let path: String
  /// What is in a file at most, in bytes; 0: there is no limit.
  let sizeMax: Int
  let backups: Int
  /// −1 while it is not open.
  private(set) var descriptor: Int32 = -1
  /// When it took nothing any more; nil while it takes what comes.
  ///
  /// Nanoseconds of the monotonic clock.
  private(set) var blockedAt: Int64?
  /// Whether it has taken nothing for so long that its streams are read and dropped.
  var isGivenUp = false
  private var waiting: [UInt8] = []
  private var kind = Kind.regular
  private var size = 0
  private var endsLine = true
  private var lostBytes = 0
  private var isFailing = false

  private enum Kind {
    case regular, socket, other
  }

  init(path: String, sizeMax: Int, backups: Int) {
    self.path = path
    self.sizeMax = sizeMax
    self.backups = backups
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Whether something waits for it to take more.
  var isBlocked: Bool { blockedAt != nil }

  /// Makes the file, so that it is there before the first output.
  func prepare() {
    do throws(SystemError) { try open() } catch { lose(0, "\(error)") }
  }

  /// Writes bytes.
  /// - Returns: how many were lost.
  func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    if isBlocked { return wait(bytes) }
    var rest = bytes
    while !rest.isEmpty {
      do throws(SystemError) {
        try open()
        let count = kind == .regular && sizeMax > 0 ? fitting(rest) : rest.count
        if count == 0 {
          try rotate()
          continue
        }
        let written = writeOnce(UnsafeRawBufferPointer(rebasing: rest[..<count]))
        if written < 0 {
          if errno == EINTR { continue }
          if errno == EAGAIN, kind != .regular {
            blockedAt = SystemClock.monotonicNanoseconds
            return wait(rest)
          }
          throw SystemError.last("write \(path)")
        }
        size += written
        if written > 0 { endsLine = rest[written - 1] == 0x0A }
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
        if isFailing { recover() }
      } catch {
        closeFile()
        lose(rest.count, "\(error)")
        return rest.count
      }
    }
    return 0
  }

  /// Writes what waits, as far as it is taken.
  func flush() {
    let bytes = waiting
    waiting = []
    blockedAt = nil
    isGivenUp = false
    _ = bytes.withUnsafeBytes { write($0) }
  }

  /// Counts output that went nowhere; tells of the first.
  func lose(_ count: Int, _ reason: String) {
    lostBytes += count
    if !isFailing { Log.error("process output is lost", ["file": path, "reason": reason]) }
    isFailing = true
  }

  /// Closes the file; the next output opens what stands under its name then.
  func reopen() {
    guard !isBlocked else { return }
    closeFile()
    prepare()
  }

  /// Empties the file; does nothing where it is no regular one.
  /// - Throws: `SystemError`.
  func clear() throws(SystemError) {
    guard !isBlocked else { return }
    closeFile()
    try open()
    guard kind == .regular else { return }
    try empty()
  }

  /// How much of the output goes into this file: all, or up to the end of a line, or nothing.
  private func fitting(_ bytes: UnsafeRawBufferPointer) -> Int {
    let room = sizeMax - size
    if bytes.count <= room { return bytes.count }
    if room > 0, let end = bytes[..<room].lastIndex(of: 0x0A) { return end + 1 }
    if endsLine {
      // A line that is longer than a whole file is cut.
      return size > 0 ? 0 : room
    }
    let more = room + Self.overshootMax
    guard more > 0 else { return 0 }
    return bytes.prefix(more).firstIndex(of: 0x0A).map { $0 + 1 } ?? min(bytes.count, more)
  }

  private func writeOnce(_ bytes: UnsafeRawBufferPointer) -> Int {
    kind == .socket
      ? send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
      : Glibc.write(descriptor, bytes.baseAddress, bytes.count)
  }

  private func open() throws(SystemError) {
    guard descriptor < 0 else { return }
    // Not blocking means nothing to a regular file, and keeps a pipe or a terminal from holding the thread.
    let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
    var opened = bh_open(path, flags, 0o644)
    if opened < 0, errno == ENXIO, let number = ownDescriptor {
      // A socket cannot be opened by a name.
      opened = bh_fcntl(number, F_DUPFD_CLOEXEC, 3)
    }
    guard opened >= 0 else { throw SystemError.last("open \(path)") }
    descriptor = opened
    endsLine = true
    var status = stat()
    guard fstat(opened, &status) == 0 else { return }
    switch status.st_mode & S_IFMT {
    case S_IFREG: kind = .regular
    case S_IFSOCK: kind = .socket
    default: kind = .other
    }
    size = kind == .regular ? Int(status.st_size) : 0
  }

  /// The descriptor of this process that the path names.
  private var ownDescriptor: Int32? {
    switch path {
    case "/dev/stdout": 1
    case "/dev/stderr": 2
    default:
      ["/dev/fd/", "/proc/self/fd/"].first { path.hasPrefix($0) }.flatMap { Int32(path.dropFirst($0.count)) }
    }
  }

  private func closeFile() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }

  private func empty() throws(SystemError) {
    try systemCall("truncate \(path)") { ftruncate(descriptor, 0) }
    size = 0
    endsLine = true
  }

  private func rotate() throws(SystemError) {
    var mine = stat()
    var present = stat()
    let isThere = stat(path, &present) == 0
    guard fstat(descriptor, &mine) == 0, isThere, mine.st_ino == present.st_ino, mine.st_dev == present.st_dev else {
      // Somebody else has taken it away or rotated it.
      closeFile()
      return try open()
    }
    guard mine.st_size >= size else {
      // Somebody else has emptied it.
      size = Int(mine.st_size)
      return
    }
    guard backups > 0 else { return try empty() }
    for number in stride(from: backups - 1, to: 0, by: -1) { rename("\(path).\(number)", "\(path).\(number + 1)") }
    guard rename(path, path + ".1") == 0 || errno == ENOENT else {
      Log.error("a log cannot be rotated and grows on", ["error": "\(SystemError.last("rename \(path)"))"])
      // Better too long than lost; it is tried again when as much has been written once more.
      size = 0
      return
    }
    closeFile()
    try open()
  }

  private func wait(_ bytes: UnsafeRawBufferPointer) -> Int {
    let room = max(0, Self.waitingMax - waiting.count)
    waiting += bytes.prefix(room)
    let lost = max(0, bytes.count - room)
    if lost > 0 { lose(lost, "it takes nothing") }
    return lost
  }

  private func recover() {
    isFailing = false
    Log.warning("process output is written again", ["file": path, "lost_bytes": "\(lostBytes)"])
    lostBytes = 0
  }
}
