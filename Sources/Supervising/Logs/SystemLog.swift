internal import CLinux

#if canImport(Glibc)
  internal import Glibc
#endif

/// Gives whole lines of a stream to the system's log, each with the name of its process.
///
/// The corresponding C function is `syslog`.
struct SystemLog {
  /// A longer line goes in several messages, in bytes.
  private static let lineMax = 8 << 10

  private let name: String
  private var unfinished: [UInt8] = []

  init(name: String) { self.name = name }

  mutating func write(_ bytes: UnsafeRawBufferPointer) {
    var rest = bytes[...]
    while let end = rest.firstIndex(of: 0x0A) {
      unfinished += rest[rest.startIndex..<end]
      send()
      rest = rest[(end + 1)...]
    }
    unfinished += rest
  }

  private mutating func send() {
    for start in stride(from: 0, to: max(1, unfinished.count), by: Self.lineMax) {
      let part = unfinished[start..<min(start + Self.lineMax, unfinished.count)]
      // A zero byte would end the message.
      bh_syslog("\(name) " + String(decoding: part.map { $0 == 0 ? 0x20 : $0 }, as: UTF8.self))
    }
    unfinished = []
  }
}
