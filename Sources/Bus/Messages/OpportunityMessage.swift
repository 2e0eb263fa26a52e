public import Market

/// What of an opportunity's message stays as long as it is open: its texts, which are most of the message, written once and
/// lying together.
///
/// Each part has its length before it: first what names the event, then what names each leg.
public struct OpportunityNames: ~Copyable {
  /// Where they lie, for whoever begins to bring them from memory.
  package let memory: UnsafeRawPointer

  /// Those of an opportunity.
  public init(_ opportunity: Opportunity) {
    let writer = MessagePackWriter(capacity: 512)
    var bytes: [UInt8] = []
    writer.text(opportunity.eventID)
    writer.array(opportunity.legs.count)
    OpportunityNames.move(writer, to: &bytes)
    for leg in opportunity.legs {
      leg.encodeName(writer)
      OpportunityNames.move(writer, to: &bytes)
    }
    let copy = UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: 64)
    copy.copyMemory(from: bytes, byteCount: bytes.count)
    memory = UnsafeRawPointer(copy)
  }

  deinit { memory.deallocate() }

  private static func move(_ part: MessagePackWriter, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: UInt32(part.count)) { bytes.append(contentsOf: $0) }
    bytes.append(contentsOf: part.written)
    part.truncate(to: 0)
  }

  /// Calls `body` with a function that writes the next part.
  fileprivate borrowing func write(to writer: MessagePackWriter, _ body: (() -> Void) -> Void) {
    var next = memory
    body {
      let count = Int(next.loadUnaligned(as: UInt32.self))
      writer.raw(UnsafeRawBufferPointer(start: next + 4, count: count))
      next += 4 + count
    }
  }
}

extension Opportunity {
  /// Writes it as one array; the body of `opportunity/…`.
  public func encode(_ writer: MessagePackWriter) {
    var copy = self
    copy.encode(writer, OpportunityNames(self))
  }

  /// Writes it as one array, with names that were written before.
  ///
  /// It changes nothing; it is `mutating` so that none of its parts is counted up and down for it.
  public mutating func encode(_ writer: MessagePackWriter, _ names: borrowing OpportunityNames) {
    writer.array(18)
    writer.unsigned(id)
    writer.unsigned(UInt64(state.rawValue))
    writer.unsigned(UInt64(kind.rawValue))
    names.write(to: writer) { writeNext in
      writeNext()
      for number in legs.indices {
        writeNext()
        legs[number].encodeFigures(writer)
      }
    }
    writer.integer(payout.raw)
    writer.integer(cost.raw)
    writer.integer(foundAt.nanoseconds)
    writer.integer(updatedAt.nanoseconds)
    writer.integer(venueTime.nanoseconds)
    score.encode(writer)
    writer.float(probability)
    writeOptional(endsAt?.nanoseconds, writer)
    writeOptional(hold.map { Int64($0.rawValue) }, writer)
    writer.text(markSource)
    writer.text(staleReason)
    writeOptional(triggerPrice?.raw, writer)
    writer.text(strategy.rawValue)
  }

  /// Reads one.
  ///
  /// - Throws: `MessageError` where the bytes are no opportunity.
  public init(_ reader: inout MessagePackReader) throws(MessageError) {
    let fields = try reader.array(atLeast: 18)
    let id = try reader.unsigned()
    guard let state = OpportunityState(rawValue: UInt8(try reader.integer(in: 0...255, "state"))) else {
      throw .outOfRange(field: "state")
    }
    guard let kind = OpportunityKind(rawValue: UInt8(try reader.integer(in: 0...255, "kind"))) else {
      throw .outOfRange(field: "kind")
    }
    let eventID = try reader.text()
    var legs: [Leg] = []
    for _ in 0..<(try reader.array()) { legs.append(try Leg(&reader)) }
    self.init(
      id: id, state: state, kind: kind, eventID: eventID, legs: legs,
      payout: Money(raw: try reader.integer()), cost: Money(raw: try reader.integer()),
      foundAt: try reader.time(), updatedAt: try reader.time(),
      venueTime: try reader.time())
    score = try OpportunityScore(&reader)
    probability = try reader.float()
    endsAt = try readOptionalTime(&reader)
    if let code = try readOptional(&reader) {
      guard let reason = UInt8(exactly: code).flatMap(HoldReason.init(rawValue:)) else {
        throw .outOfRange(field: "hold")
      }
      hold = reason
    }
    markSource = try reader.text()
    staleReason = try reader.text()
    triggerPrice = try readOptional(&reader).map { Price(raw: $0) }
    try reader.skip(fields - 17)
  }
}

extension OpportunityScore {
  func encode(_ writer: MessagePackWriter) {
    writer.array(13)
    writer.float(depthRatio)
    writer.integer(dayVolume.raw)
    writer.integer(Int64(recentTradeCount))
    writeOptional(lockedSeconds, writer)
    writer.float(annualisedReturn)
    for factor in [profit, fill, volume, activity, time, legs, total, kelly] { writer.float(factor) }
  }

  init(_ reader: inout MessagePackReader) throws(MessageError) {
    self.init()
    let fields = try reader.array(atLeast: 13)
    depthRatio = try reader.float()
    dayVolume = Money(raw: try reader.integer())
    recentTradeCount = Int(try reader.integer())
    lockedSeconds = try readOptional(&reader)
    annualisedReturn = try reader.float()
    profit = try reader.float()
    fill = try reader.float()
    volume = try reader.float()
    activity = try reader.float()
    time = try reader.float()
    legs = try reader.float()
    total = try reader.float()
    kelly = try reader.float()
    try reader.skip(fields - 13)
  }
}

extension Leg {
  fileprivate func encodeName(_ writer: MessagePackWriter) {
    writer.array(8)
    writer.unsigned(UInt64(instrument.venue.code))
    writer.text(instrument.symbol)
    writer.text(marketID)
    writer.unsigned(UInt64(side.rawValue))
  }

  fileprivate func encodeFigures(_ writer: MessagePackWriter) {
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
