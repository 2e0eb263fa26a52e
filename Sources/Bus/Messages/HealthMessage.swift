/// Counters of one process: the body of `health/NAME`, once a second.
public struct HealthMessage: Hashable, Sendable {
  /// The process.
  public var name: String
  /// Counters and gauges by name.
  public var counters: [String: Int64]

  /// Health by name and counters.
  public init(name: String, counters: [String: Int64]) {
    self.name = name
    self.counters = counters
  }

  /// Writes it as one array.
  public func encode(_ writer: MessagePackWriter) {
    writer.array(2)
    writer.text(name)
    writer.array(counters.count)
    for (key, value) in counters.sorted(by: { $0.key < $1.key }) {
      writer.array(2)
      writer.text(key)
      writer.integer(value)
    }
  }

  /// Reads one.
  ///
  /// - Throws: `MessageError` where the bytes are no health message.
  public init(_ reader: inout MessagePackReader) throws(MessageError) {
    let fields = try reader.array(atLeast: 2)
    name = try reader.text()
    counters = [:]
    for _ in 0..<(try reader.array()) {
      let parts = try reader.array(atLeast: 2)
      counters[try reader.text()] = try reader.integer()
      try reader.skip(parts - 2)
    }
    try reader.skip(fields - 2)
  }
}
