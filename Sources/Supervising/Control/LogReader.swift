internal import CLinux
internal import Daemon
internal import Web

#if canImport(Glibc)
  internal import Glibc
#endif

/// Parts of log files, by supervisord's rules of offset and length.
enum LogReader {
  /// The most that one call answers, in bytes.
  static let lengthMax = 4 << 20

  /// A part of a file: from `offset`, `length` bytes, 0 for all the rest; a negative offset counts from the end.
  static func part(_ path: String?, offset: Int, length: Int) throws(ControlFault) -> String {
    guard let path, access(path, F_OK) == 0 else { throw ControlFault(.noFile, path) }
    guard offset < 0 ? length == 0 : length >= 0 else { throw ControlFault(.badArguments) }
    guard let file = LogFileReader(path) else { throw ControlFault(.failed) }
    if offset < 0 {
      let count = min(Int(clamping: offset.magnitude), file.size, lengthMax)
      return try text(file, file.size - count, count)
    }
    let rest = max(0, file.size - offset)
    return try text(file, offset, min(length == 0 ? rest : length, rest, lengthMax))
  }

  /// The end of a file: text, the offset to go on from, and whether more was written than `length` since `offset`.
  static func tail(_ path: String?, offset: Int, length: Int) throws(ControlFault) -> XMLRPCValue {
    guard let path, access(path, F_OK) == 0 else { return [.string(""), .integer(0), .boolean(false)] }
    guard let file = LogFileReader(path) else { return [.string(""), .integer(Int64(offset)), .boolean(false)] }
    let bound = 1 << 40
    var start = min(max(offset, -bound), bound)
    var count = min(max(length, -bound), bound)
    let overflow = file.size > start + count
    if overflow { start = file.size - 1 }
    if start + count > file.size {
      if start > file.size - 1 { count = 0 }
      start = file.size - count
    }
    start = max(0, start)
    count = min(max(0, count), max(0, file.size - start))
    if count > lengthMax {
      start += count - lengthMax
      count = lengthMax
    }
    return [.string(try text(file, start, count)), .integer(Int64(file.size)), .boolean(overflow)]
  }

  private static func text(_ file: LogFileReader, _ start: Int, _ count: Int) throws(ControlFault) -> String {
    guard count > 0 else { return "" }
    var isFailed = false
    let text = String(unsafeUninitializedCapacity: count) { buffer in
      let got = file.read(UnsafeMutableRawBufferPointer(buffer), at: start)
      isFailed = got < 0
      return max(0, got)
    }
    if isFailed { throw ControlFault(.failed) }
    return text
  }
}

/// An open log; only regular files are read: a pipe would make the reader wait.
final class LogFileReader {
  /// Which file it is, whatever its name is by now.
  struct Identity: Hashable {
    let device: UInt64
    let number: UInt64

    /// Of the file that bears a name; nil where none does.
    init?(path: String) {
      var status = stat()
      guard stat(path, &status) == 0 else { return nil }
      self.init(status)
    }

    fileprivate init(_ status: stat) {
      device = UInt64(status.st_dev)
      number = UInt64(status.st_ino)
    }
  }

  let identity: Identity
  /// When it was last written to, in seconds since 1970.
  let modifiedAt: Int
  private let descriptor: Int32

  init?(_ path: String) {
    let opened = bh_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0)
    guard opened >= 0 else { return nil }
    var status = stat()
    guard fstat(opened, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(opened)
      return nil
    }
    descriptor = opened
    identity = Identity(status)
    modifiedAt = status.st_mtim.tv_sec
  }

  deinit { close(descriptor) }

  /// How long it is now, in bytes.
  var size: Int {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
  }

  /// Reads what is there.
  /// - Returns: how many bytes; 0 at the end, −1 on failure.
  func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
    var got = 0
    while got < buffer.count {
      let count = pread(descriptor, buffer.baseAddress.map { $0 + got }, buffer.count - got, off_t(offset + got))
      if count < 0 {
        if errno == EINTR { continue }
        return got > 0 ? got : -1
      }
      if count == 0 { break }
      got += count
    }
    return got
  }
}
