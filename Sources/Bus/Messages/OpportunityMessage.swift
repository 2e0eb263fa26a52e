public import Market

extension Opportunity {
  /// Writes it as one array; the body of `opportunity/…`.
  public func encode(_ writer: MessagePackWriter) {
    writer.array(10)
    writer.unsigned(id)
    writer.unsigned(UInt64(state.rawValue))
    writer.unsigned(UInt64(strategy.code))
    writer.text(eventID)
    writer.array(legs.count)
    for leg in legs { leg.encode(writer) }
    writer.integer(payout.raw)
    writer.integer(cost.raw)
    writer.integer(foundAt.nanoseconds)
    writer.integer(updatedAt.nanoseconds)
    writer.integer(venueTime.nanoseconds)
  }

  /// Reads one.
  ///
  /// - Throws: `MessageError` where the bytes are no opportunity.
  public init(_ reader: inout MessagePackReader) throws(MessageError) {
    let fields = try reader.array(atLeast: 10)
    let id = try reader.unsigned()
    guard let state = OpportunityState(rawValue: UInt8(try reader.integer(in: 0...255, "state"))) else {
      throw .outOfRange(field: "state")
    }
    guard let strategy = Strategy(code: UInt8(try reader.integer(in: 0...255, "strategy"))) else {
      throw .outOfRange(field: "strategy")
    }
    let eventID = try reader.text()
    var legs: [Leg] = []
    for _ in 0..<(try reader.array()) { legs.append(try Leg(&reader)) }
    self.init(
      id: id, state: state, strategy: strategy, eventID: eventID, legs: legs,
      payout: Money(raw: try reader.integer()), cost: Money(raw: try reader.integer()),
      foundAt: try reader.time(), updatedAt: try reader.time(),
      venueTime: try reader.time())
    try reader.skip(fields - 10)
  }
}

extension Leg {
  func encode(_ writer: MessagePackWriter) {
    writer.array(8)
    writer.unsigned(UInt64(instrument.venue.code))
    writer.text(instrument.symbol)
    writer.text(marketID)
    writer.unsigned(UInt64(side.rawValue))
    writer.integer(limit.raw)
    writer.integer(quantity.raw)
    writer.integer(notional.raw)
    writer.integer(fee.raw)
  }

  init(_ reader: inout MessagePackReader) throws(MessageError) {
    let fields = try reader.array(atLeast: 8)
    self.init(
      instrument: try readInstrument(&reader), marketID: try reader.text(), side: try readSide(&reader),
      limit: Price(raw: try reader.integer()), quantity: Quantity(raw: try reader.integer()),
      notional: Money(raw: try reader.integer()), fee: Money(raw: try reader.integer()))
    try reader.skip(fields - 8)
  }
}

func readInstrument(_ reader: inout MessagePackReader) throws(MessageError) -> InstrumentID {
  guard let venue = Venue(code: UInt8(try reader.integer(in: 0...255, "venue"))) else {
    throw .outOfRange(field: "venue")
  }
  return InstrumentID(venue: venue, symbol: try reader.text())
}

func readSide(_ reader: inout MessagePackReader) throws(MessageError) -> Side {
  try reader.integer(in: 0...1, "side") == 0 ? .buy : .sell
}
