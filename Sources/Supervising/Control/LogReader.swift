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
    guard let path, let file = File(path) else { throw ControlFault(.noFile, path ?? "None") }
    let start: Int
    var count: Int
    if offset < 0 {
      guard length == 0 else { throw ControlFault(.badArguments) }
      let magnitude = Int(clamping: offset.magnitude)
      start = max(0, file.size - magnitude)
      count = magnitude
    } else {
      guard length >= 0 else { throw ControlFault(.badArguments) }
      start = offset
      count = length == 0 ? Int.max : length
    }
    count = min(count, max(0, file.size - start), lengthMax)
    return try file.read(start, count)
  }

  /// The end of a file: text, the offset to go on from, and whether more was written than `length` since `offset`.
  static func tail(_ path: String?, offset: Int, length: Int) throws(ControlFault) -> XMLRPCValue {
    guard let path, let file = File(path) else { return .array([.string(""), .integer(0), .boolean(false)]) }
    var start = max(0, offset)
    var count = min(max(0, length), lengthMax)
    let overflow = file.size > start.addingReportingOverflow(count).partialValue
    if overflow {
      start = file.size - count
    } else if start >= file.size {
      count = 0
    } else {
      // As much as there is, ending at the end.
      start = max(0, file.size - count)
      count = file.size - start
    }
    return .array([.string(try file.read(start, count)), .integer(Int64(file.size)), .boolean(overflow)])
  }

  private final class File {
    let descriptor: Int32
    let size: Int

    init?(_ path: String) {
      let opened = bh_open(path, O_RDONLY | O_CLOEXEC, 0)
      guard opened >= 0 else { return nil }
      descriptor = opened
      var status = stat()
      size = fstat(opened, &status) == 0 ? Int(status.st_size) : 0
    }

    deinit { close(descriptor) }

    func read(_ start: Int, _ count: Int) throws(ControlFault) -> String {
      guard count > 0 else { return "" }
      var bytes = [UInt8](repeating: 0, count: count)
      let got = pread(descriptor, &bytes, count, start)
      guard got >= 0 else { throw ControlFault(.failed) }
      return String(decoding: bytes[..<got], as: UTF8.self)
    }
  }
}
