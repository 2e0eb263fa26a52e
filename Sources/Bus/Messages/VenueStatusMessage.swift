public import Market

/// Whether a venue takes orders, as one of its ingestors knows it: the body of `venue/VENUE/PUBLISHER`.
///
/// `[venue, publisher, state, reason, since, time]`. It is said every second, so that silence is a sign, too; at once when
/// it changes; and as the last value to whoever joins. Of several ingestors of a venue each says what it sees itself.
public struct VenueStatusMessage: Hashable, Sendable {
  /// The venue.
  public var venue: Venue
  /// The ingestor that says so.
  public var publisher: String
  /// Whether it takes orders.
  public var state: VenueState
  /// Why it does not, for people; empty where it is open.
  public var reason: String
  /// Since when it is in this state.
  public var since: Timestamp
  /// When this was said.
  public var time: Timestamp

  /// A status by its parts.
  public init(
    venue: Venue, publisher: String, state: VenueState, reason: String, since: Timestamp, time: Timestamp
  ) {
    self.venue = venue
    self.publisher = publisher
    self.state = state
    self.reason = reason
    self.since = since
    self.time = time
  }

  /// Writes it as one array.
  public func encode(_ writer: MessagePackWriter) {
    writer.array(6)
    writer.unsigned(UInt64(venue.code))
    writer.text(publisher)
    writer.unsigned(UInt64(state.rawValue))
    writer.text(reason)
    writer.integer(since.nanoseconds)
    writer.integer(time.nanoseconds)
  }

  /// Reads one; a state that is not known here is not one that takes orders.
  ///
  /// - Throws: `MessageError` where the bytes are no status.
  public init(_ reader: inout MessagePackReader) throws(MessageError) {
    let fields = try reader.array(atLeast: 6)
    guard let venue = Venue(code: UInt8(try reader.integer(in: 0...255, "venue"))) else {
      throw .outOfRange(field: "venue")
    }
    self.venue = venue
    publisher = try reader.text()
    state = VenueState(rawValue: UInt8(try reader.integer(in: 0...255, "state"))) ?? .unreachable
    reason = try reader.text()
    since = try reader.time()
    time = try reader.time()
    try reader.skip(fields - 6)
  }
}
