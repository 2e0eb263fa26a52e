internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// A file that output goes to, rotated where it is a regular one.
///
/// Beside `x.log` there are `x.log.1`, the one before, and so on. A file never grows beyond its limit, and is cut
/// between lines where a line ends within the limit. When the disk is full or the directory gone, output is dropped and
/// counted, and the file is opened again with the next output. A pipe or a terminal is never waited for: what it does
/// not take waits here, and whoever writes asks `isBlocked` first.
///
/// It belongs to the pump's thread.
final class LogFile {
  /// The most that waits for a pipe or a terminal, in bytes.
  static let waitingMax = 1 << 20

  let path: String
  let sizeMax: Int
  let backups: Int
  /// −1 while it is not open.
  private(set) var descriptor: Int32 = -1
  /// What a pipe or a terminal has not taken yet.
  private(set) var waiting: [UInt8] = []
  private var isRegular = true
  private var size = 0
  private var lostBytes = 0
  private var isFailing = false

  init(path: String, sizeMax: Int, backups: Int) {
    self.path = path
    self.sizeMax = sizeMax
    self.backups = backups
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Whether something waits for it to take more.
  var isBlocked: Bool { !waiting.isEmpty }

  /// Makes the file, so that it is there before the first output.
  func prepare() {
    do throws(SystemError) { try open() } catch { _ = drop(0, error) }
  }

  /// Writes bytes.
  /// - Returns: how many were lost.
  func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    if isBlocked { return wait(bytes) }
    var rest = bytes
    while !rest.isEmpty {
      do throws(SystemError) {
        try open()
        let count = isRegular && sizeMax > 0 ? fitting(rest, room: sizeMax - size) : rest.count
        if count == 0 {
          try rotate()
          continue
        }
        let written = Glibc.write(descriptor, rest.baseAddress, count)
        if written < 0 {
          if errno == EINTR { continue }
          if errno == EAGAIN, !isRegular { return wait(rest) }
          throw SystemError.last("write \(path)")
        }
        size += written
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
        if isFailing { recover() }
      } catch {
        return drop(rest.count, error)
      }
    }
    return 0
  }

  /// Writes what waits, as far as it is taken.
  func flush() {
    let bytes = waiting
    waiting = []
    _ = bytes.withUnsafeBytes { write($0) }
  }

  /// Closes the file; the next output opens what stands under its name then.
  func reopen() {
    closeFile()
    prepare()
  }

  /// Empties the file.
  /// - Throws: `SystemError`; nothing where it is no regular file.
  func clear() throws(SystemError) {
    closeFile()
    try open()
    guard isRegular else { return }
    try systemCall("truncate \(path)") { ftruncate(descriptor, 0) }
    size = 0
  }

  /// How much of the output goes into this file: all, or up to the end of a line, or nothing.
  private func fitting(_ bytes: UnsafeRawBufferPointer, room: Int) -> Int {
    if bytes.count <= room { return bytes.count }
    guard room > 0 else { return 0 }
    let lineEnd = bytes[..<room].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    // A line that is longer than a whole file is cut.
    return lineEnd > 0 || size > 0 ? lineEnd : room
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
    var status = stat()
    guard fstat(opened, &status) == 0 else { return }
    isRegular = status.st_mode & S_IFMT == S_IFREG
    size = isRegular ? Int(status.st_size) : 0
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
    if backups > 0 {
      for number in stride(from: backups - 1, to: 0, by: -1) { rename("\(path).\(number)", "\(path).\(number + 1)") }
      guard rename(path, path + ".1") == 0 || errno == ENOENT else { throw SystemError.last("rename \(path)") }
      closeFile()
      try open()
    } else {
      try systemCall("truncate \(path)") { ftruncate(descriptor, 0) }
      size = 0
    }
  }

  private func wait(_ bytes: UnsafeRawBufferPointer) -> Int {
    let room = max(0, Self.waitingMax - waiting.count)
    waiting += bytes.prefix(room)
    lostBytes += max(0, bytes.count - room)
    return max(0, bytes.count - room)
  }

  private func drop(_ count: Int, _ error: SystemError) -> Int {
    lostBytes += count
    closeFile()
    if !isFailing { Log.error("process output is lost", ["error": "\(error)"]) }
    isFailing = true
    return count
  }

  private func recover() {
    isFailing = false
    Log.warning("process output is written again", ["file": path, "lost_bytes": "\(lostBytes)"])
    lostBytes = 0
  }
}
