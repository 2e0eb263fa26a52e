public import Market

/// Something that needs a person: the body of `alert/NAME`, said once.
public struct AlertMessage: Hashable, Sendable {
  /// When.
  public var time: Timestamp
  /// What it is about, such as a process.
  public var subject: String
  /// What has happened, in one line.
  public var text: String

  /// An alert by its parts.
  public init(time: Timestamp, subject: String, text: String) {
    self.time = time
    self.subject = subject
    self.text = text
  }

  /// Writes it as one array.
  public func encode(_ writer: MessagePackWriter) {
    writer.array(3)
    writer.integer(time.nanoseconds)
    writer.text(subject)
    writer.text(text)
  }

  /// Reads one.
  ///
  /// - Throws: `MessageError` where the bytes are no alert.
  public init(_ reader: inout MessagePackReader) throws(MessageError) {
    let fields = try reader.array(atLeast: 3)
    time = try reader.time()
    subject = try reader.text()
    text = try reader.text()
    try reader.skip(fields - 3)
  }
}
