public import Market

/// What one pass over all markets has found (S14): what a scanner that was started for one pass writes to its standard
/// output, and the tool reads.
///
/// `[version, [opportunity, …], [[name, count], …], [[name, count], …], [note, …]]`.
public struct ScanReport: Sendable {
  /// The version of this form.
  public static let version: Int64 = 1

  /// What was found, the best score first.
  public var opportunities: [Opportunity] = []
  /// What was left out, by reason, only what was.
  public var skips: [(name: String, count: Int64)] = []
  /// What was looked at: markets, books and requests, by venue.
  public var figures: [(name: String, count: Int64)] = []
  /// What a person should know: a venue that did not answer, a scanner that needs a stream.
  public var notes: [String] = []

  /// Nothing found.
  public init() {}

  /// Writes it as one array.
  public func encode(_ writer: MessagePackWriter) {
    writer.array(5)
    writer.integer(Self.version)
    writer.array(opportunities.count)
    for opportunity in opportunities { opportunity.encode(writer) }
    for list in [skips, figures] {
      writer.array(list.count)
      for (name, count) in list {
        writer.array(2)
        writer.text(name)
        writer.integer(count)
      }
    }
    writer.array(notes.count)
    for note in notes { writer.text(note) }
  }

  /// Reads one.
  ///
  /// - Throws: `MessageError` where the bytes are no report of this version.
  public init(_ reader: inout MessagePackReader) throws(MessageError) {
    let fields = try reader.array(atLeast: 5)
    guard try reader.integer() == Self.version else { throw .outOfRange(field: "version") }
    for _ in 0..<(try reader.array()) { opportunities.append(try Opportunity(&reader)) }
    skips = try Self.counts(&reader)
    figures = try Self.counts(&reader)
    for _ in 0..<(try reader.array()) { notes.append(try reader.text()) }
    try reader.skip(fields - 5)
  }

  private static func counts(_ reader: inout MessagePackReader) throws(MessageError) -> [(name: String, count: Int64)] {
    var list: [(name: String, count: Int64)] = []
    for _ in 0..<(try reader.array()) {
      let parts = try reader.array(atLeast: 2)
      list.append((try reader.text(), try reader.integer()))
      try reader.skip(parts - 2)
    }
    return list
  }
}
