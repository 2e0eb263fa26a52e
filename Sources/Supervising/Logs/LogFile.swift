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
/// Before each write it goes to the end of a regular file, so that one that was emptied does not become sparse. Where
/// somebody else turns out to write to it, the system does that from then on (`O_APPEND`).
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
  /// How many streams and other sources write to it through this object.
  var sources = 0
  /// Which file it is.
  private(set) var identity = FileIdentity()
  private var waiting: [UInt8] = []
  private var kind = Kind.regular
  /// Where its end was when it was written to last, in bytes.
  private var size = 0
  /// What it may be larger by, because it could not be rotated; in bytes.
  private var excused = 0
  /// Whether its last byte ends a line; nil: one must look.
  private var endsLine: Bool? = true
  private var hasOthers = false
  /// Whether it takes pages of pipes.
  private var isSpliceable = true
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

  /// What became of bytes that were to be written.
  struct Outcome {
    /// How many went nowhere.
    var lost = 0
    /// How many, the last of them, it did not take and does not keep.
    var left = 0
  }

  /// Writes bytes.
  /// - Parameters:
  ///   - bytes: what to write.
  ///   - mark: where to note what is written where.
  ///   - done: how much of the same chunk was written before, in bytes.
  ///   - mayLeave: whether whoever writes keeps what a pipe or a terminal does not take, but for the rest of a line.
  /// - Returns: what was not written.
  func write(
    _ bytes: UnsafeRawBufferPointer, mark: PumpMark? = nil, done: Int = 0, mayLeave: Bool = false
  ) -> Outcome {
    if isBlocked { return wait(bytes, mayLeave) }
    var rest = bytes
    while !rest.isEmpty {
      do throws(SystemError) {
        try open()
        if kind == .regular { findEnd() }
        let count = kind == .regular && sizeMax > 0 ? fitting(rest) : rest.count
        if count == 0 {
          try rotate()
          continue
        }
        if kind == .regular { mark?.aim(identity, offset: size, done: done + bytes.count - rest.count) }
        let written = writeOnce(UnsafeRawBufferPointer(rebasing: rest[..<count]))
        if written < 0 {
          if errno == EINTR { continue }
          if errno == EAGAIN, kind != .regular {
            blockedAt = SystemClock.monotonicNanoseconds
            return wait(rest, mayLeave)
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
        return Outcome(lost: rest.count)
      }
    }
    return Outcome()
  }

  /// Says where bytes go that nobody need look at.
  /// - Parameter count: how many.
  /// - Returns: the size of the file, in bytes; nil where they must pass through `write`: the file is no regular one, or
  ///   is shared, or would become too large, or fails.
  func end(with count: Int) -> Int? {
    guard sources == 1, isSpliceable, !isFailing, !isBlocked, (try? open()) != nil, kind == .regular else { return nil }
    findEnd()
    guard !hasOthers, sizeMax == 0 || size - excused + count <= sizeMax else { return nil }
    return size
  }

  /// Writes what a mirror shows, after `end` has said where.
  /// - Returns: how many bytes; where that is too few, the rest is for `write`.
  func write(_ count: Int, from mirror: Mirror) -> Int {
    var written = 0
    endsLine = nil
    while written < count {
      let moved = bh_splice(mirror.descriptor, descriptor, count - written)
      if moved < 0, errno == EINTR { continue }
      guard moved > 0 else {
        if moved == 0 || errno == EINVAL { isSpliceable = false }
        break
      }
      written += moved
      size += moved
    }
    return written
  }

  /// Whether the next byte begins a line; so it does where there is no file to be read.
  var endsWithLine: Bool {
    if let endsLine, descriptor >= 0 { return endsLine }
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else { return true }
    let reading = bh_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0)
    guard reading >= 0 else { return true }
    defer { close(reading) }
    var last: UInt8 = 0
    return pread(reading, &last, 1, status.st_size - 1) != 1 || last == 0x0A
  }

  /// Reads what a supervisor that was killed has written of what it had begun.
  /// - Returns: the bytes; nil where the file is not to be found.
  func written(after entry: PumpMark.Entry) -> [UInt8]? {
    for candidate in [path, path + ".1"] {
      let reading = bh_open(candidate, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0)
      guard reading >= 0 else { continue }
      defer { close(reading) }
      guard FileIdentity(of: reading) == entry.file else { continue }
      var bytes = [UInt8](repeating: 0, count: max(0, entry.outputCount - entry.done))
      let count = pread(reading, &bytes, bytes.count, off_t(entry.offset))
      return Array(bytes.prefix(max(0, count)))
    }
    return nil
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

  /// Goes to the end, and finds out whether somebody else has moved it.
  private func findEnd() {
    let end = max(0, Int(lseek(descriptor, 0, SEEK_END)))
    if end > size, !hasOthers {
      hasOthers = true
      _ = bh_fcntl(descriptor, F_SETFL, O_APPEND | O_NONBLOCK)
    }
    if end != size { endsLine = nil }
    size = end
    excused = min(excused, size)
  }

  /// How much of the output goes into this file: all, or up to the end of a line, or nothing.
  private func fitting(_ bytes: UnsafeRawBufferPointer) -> Int {
    let room = sizeMax - (size - excused)
    if bytes.count <= room { return bytes.count }
    if room > 0, let end = bytes[..<room].lastIndex(of: 0x0A) { return end + 1 }
    if endsWithLine {
      // A line that is longer than a whole file is cut.
      return size > excused ? 0 : room
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
    hasOthers = false
    excused = 0
    var status = stat()
    guard fstat(opened, &status) == 0 else { return }
    identity = FileIdentity(status)
    switch status.st_mode & S_IFMT {
    case S_IFREG: kind = .regular
    case S_IFSOCK: kind = .socket
    default: kind = .other
    }
    size = kind == .regular ? Int(status.st_size) : 0
    if size > 0 { endsLine = nil }
    // No pages of a pipe are taken with `O_APPEND`.
    if kind == .regular { _ = bh_fcntl(opened, F_SETFL, O_NONBLOCK) }
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
    excused = 0
    endsLine = true
  }

  private func rotate() throws(SystemError) {
    var present = stat()
    let isThere = stat(path, &present) == 0
    guard isThere, FileIdentity(present) == identity else {
      // Somebody else has taken it away or rotated it.
      closeFile()
      return try open()
    }
    guard backups > 0 else { return try empty() }
    for number in stride(from: backups - 1, to: 0, by: -1) { rename("\(path).\(number)", "\(path).\(number + 1)") }
    guard rename(path, path + ".1") == 0 || errno == ENOENT else {
      Log.error("a log cannot be rotated and grows on", ["error": "\(SystemError.last("rename \(path)"))"])
      // Better too long than lost; it is tried again when as much has been written once more.
      excused = size
      return
    }
    closeFile()
    try open()
  }

  private func wait(_ bytes: UnsafeRawBufferPointer, _ mayLeave: Bool) -> Outcome {
    var kept = bytes[...]
    if mayLeave {
      // Nobody else's output may come into a line that was begun.
      let begun = waiting.last.map { $0 != 0x0A } ?? !(endsLine ?? true)
      if !begun { kept = bytes[..<0] } else if let end = bytes.firstIndex(of: 0x0A) { kept = bytes[...end] }
    }
    let left = bytes.count - kept.count
    let taken = kept.prefix(max(0, Self.waitingMax - waiting.count))
    waiting += taken
    let lost = kept.count - taken.count
    if lost > 0 { lose(lost, "it takes nothing") }
    return Outcome(lost: lost, left: left)
  }

  private func recover() {
    isFailing = false
    Log.warning("process output is written again", ["file": path, "lost_bytes": "\(lostBytes)"])
    lostBytes = 0
  }
}
