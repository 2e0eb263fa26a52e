public import Market

/// An arbitrage that the simulator planted: the body of `planted/STRATEGY`, once at its begin and once at its end.
public struct PlantedArbitrage: Hashable, Sendable {
  /// Unique while the simulator runs.
  public var id: UInt64
  /// What ought to be found.
  public var kind: OpportunityKind
  /// The event that it is in.
  public var eventID: String
  /// The markets that make it: one, or both of a pair, Polymarket's first; none where it spans an event.
  public var marketIDs: [String]
  /// The token that is to be bought; empty where sets are traded.
  public var token: String
  /// Whether it only looks like one, and must not be reported.
  public var isDecoy: Bool
  /// When its last enabling frame was handed to the socket.
  public var startedAt: Timestamp
  /// When it was taken away; nil at its begin.
  public var endedAt: Timestamp?
  /// What one complete set, or one share, earns after fees, or is expected to; zero for a decoy.
  public var profitPerSet: Money

  /// A planted arbitrage by its parts.
  public init(
    id: UInt64, kind: OpportunityKind, eventID: String, marketIDs: [String], token: String = "", isDecoy: Bool = false,
    startedAt: Timestamp, endedAt: Timestamp?, profitPerSet: Money
  ) {
    self.id = id
    self.kind = kind
    self.eventID = eventID
    self.marketIDs = marketIDs
    self.token = token
    self.isDecoy = isDecoy
    self.startedAt = startedAt
    self.endedAt = endedAt
    self.profitPerSet = profitPerSet
  }

  /// Writes it as one array.
  public func encode(_ writer: MessagePackWriter) {
    writer.array(9)
    writer.unsigned(id)
    writer.unsigned(UInt64(kind.rawValue))
    writer.text(eventID)
    writer.array(marketIDs.count)
    for market in marketIDs { writer.text(market) }
    writer.text(token)
    writer.boolean(isDecoy)
    writer.integer(startedAt.nanoseconds)
    writeOptional(endedAt?.nanoseconds, writer)
    writer.integer(profitPerSet.raw)
  }

  /// Reads one.
  ///
  /// - Throws: `MessageError` where the bytes are no planted arbitrage.
  public init(_ reader: inout MessagePackReader) throws(MessageError) {
    let fields = try reader.array(atLeast: 9)
    id = try reader.unsigned()
    guard let kind = OpportunityKind(rawValue: UInt8(try reader.integer(in: 0...255, "kind"))) else {
      throw .outOfRange(field: "kind")
    }
    self.kind = kind
    eventID = try reader.text()
    marketIDs = []
    for _ in 0..<(try reader.array()) { marketIDs.append(try reader.text()) }
    token = try reader.text()
    isDecoy = try reader.boolean()
    startedAt = try reader.time()
    endedAt = try readOptionalTime(&reader)
    profitPerSet = Money(raw: try reader.integer())
    try reader.skip(fields - 9)
  }
}
