public import Market

/// What one strategy holds of one instrument; bodies of `position/VENUE` are arrays of these.
public struct PositionMessage: Hashable, Sendable {
  /// Whose.
  public var strategy: Strategy
  /// Of what.
  public var instrument: InstrumentID
  /// The market that the instrument is an outcome of.
  public var marketID: String
  /// The market's question; empty where it is not known.
  public var question: String
  /// The outcome's name; empty where it is not known.
  public var outcome: String
  /// How many shares; negative for a short position, zero where nothing is held any more.
  public var quantity: Quantity
  /// What they cost together; negative for a short position.
  public var cost: Money
  /// How many of them are part of complete sets.
  public var inSets: Quantity
  /// What the position is worth now.
  public var value: Money

  /// A position by its parts.
  public init(
    strategy: Strategy, instrument: InstrumentID, marketID: String, question: String, outcome: String,
    quantity: Quantity, cost: Money, inSets: Quantity, value: Money
  ) {
    self.strategy = strategy
    self.instrument = instrument
    self.marketID = marketID
    self.question = question
    self.outcome = outcome
    self.quantity = quantity
    self.cost = cost
    self.inSets = inSets
    self.value = value
  }

  /// Writes it as one array.
  public func encode(_ writer: MessagePackWriter) {
    writer.array(10)
    writer.unsigned(UInt64(strategy.code))
    writer.unsigned(UInt64(instrument.venue.code))
    writer.text(instrument.symbol)
    writer.text(marketID)
    writer.text(question)
    writer.text(outcome)
    writer.integer(quantity.raw)
    writer.integer(cost.raw)
    writer.integer(inSets.raw)
    writer.integer(value.raw)
  }

  /// Reads one.
  ///
  /// - Throws: `MessageError` where the bytes are no position.
  public init(_ reader: inout MessagePackReader) throws(MessageError) {
    let fields = try reader.array(atLeast: 10)
    strategy = try readStrategy(&reader)
    instrument = try readInstrument(&reader)
    marketID = try reader.text()
    question = try reader.text()
    outcome = try reader.text()
    quantity = Quantity(raw: try reader.integer())
    cost = Money(raw: try reader.integer())
    inSets = Quantity(raw: try reader.integer())
    value = Money(raw: try reader.integer())
    try reader.skip(fields - 10)
  }
}

/// How one market was settled: the body of `settlement/VENUE`, once it is durable.
public struct SettlementMessage: Hashable, Sendable {
  /// The ledger's number of it: rising, without gaps.
  public var sequence: Int64
  /// Where the market was traded.
  public var venue: Venue
  /// The venue's id of it.
  public var marketID: String
  /// 1; more where fills became known after the market was settled.
  public var round: Int
  /// The question that it asked.
  public var question: String
  /// `consensus` for an up/down market, `venue` for all others.
  public var method: String
  /// What each outcome paid.
  public var payouts: [Price]
  /// What came in for all shares.
  public var received: Money
  /// That, less what the shares had cost.
  public var realised: Money
  /// The agreed price at the start; nil for the venue's resolution.
  public var startPrice: Price?
  /// The agreed price at the end; nil for the venue's resolution.
  public var endPrice: Price?
  /// How far the sources were apart, in millionths of the mean; nil for the venue's resolution.
  public var spreadMillionths: Int64?
  /// How many sources agreed.
  public var sources: Int
  /// When it was settled.
  public var settledAt: Timestamp

  /// A settlement by its parts; set the prices where there are any.
  public init(
    sequence: Int64, venue: Venue, marketID: String, round: Int, question: String, method: String, payouts: [Price],
    received: Money, realised: Money, sources: Int, settledAt: Timestamp
  ) {
    self.sequence = sequence
    self.venue = venue
    self.marketID = marketID
    self.round = round
    self.question = question
    self.method = method
    self.payouts = payouts
    self.received = received
    self.realised = realised
    self.sources = sources
    self.settledAt = settledAt
  }

  /// Writes it as one array.
  public func encode(_ writer: MessagePackWriter) {
    writer.array(14)
    writer.integer(sequence)
    writer.unsigned(UInt64(venue.code))
    writer.text(marketID)
    writer.integer(Int64(round))
    writer.text(question)
    writer.text(method)
    writer.array(payouts.count)
    for payout in payouts { writer.integer(payout.raw) }
    writer.integer(received.raw)
    writer.integer(realised.raw)
    writeOptional(startPrice?.raw, writer)
    writeOptional(endPrice?.raw, writer)
    writeOptional(spreadMillionths, writer)
    writer.integer(Int64(sources))
    writer.integer(settledAt.nanoseconds)
  }

  /// Reads one.
  ///
  /// - Throws: `MessageError` where the bytes are no settlement.
  public init(_ reader: inout MessagePackReader) throws(MessageError) {
    let fields = try reader.array(atLeast: 14)
    sequence = try reader.integer()
    guard let venue = Venue(code: UInt8(try reader.integer(in: 0...255, "venue"))) else {
      throw .outOfRange(field: "venue")
    }
    self.venue = venue
    marketID = try reader.text()
    round = Int(try reader.integer())
    question = try reader.text()
    method = try reader.text()
    payouts = []
    for _ in 0..<(try reader.array()) { payouts.append(Price(raw: try reader.integer())) }
    received = Money(raw: try reader.integer())
    realised = Money(raw: try reader.integer())
    startPrice = try readOptional(&reader).map { Price(raw: $0) }
    endPrice = try readOptional(&reader).map { Price(raw: $0) }
    spreadMillionths = try readOptional(&reader)
    sources = Int(try reader.integer())
    settledAt = Timestamp(nanoseconds: try reader.integer())
    try reader.skip(fields - 14)
  }
}

/// Profit and loss: the body of `pnl/total`, whenever it changes and once a second.
///
/// `equity = deposits + realised + unrealised − fees − rounding`, to the last unit.
public struct ProfitMessage: Hashable, Sendable {
  /// Profit and loss of one strategy.
  public struct Part: Hashable, Sendable {
    /// Which strategy.
    public var strategy: Strategy
    /// What was realised by sales and settlements, before fees.
    public var realised: Money
    /// What the open positions are worth beyond their cost.
    public var unrealised: Money
    /// The fees.
    public var fees: Money

    /// A part by its figures.
    public init(strategy: Strategy, realised: Money, unrealised: Money, fees: Money) {
      self.strategy = strategy
      self.realised = realised
      self.unrealised = unrealised
      self.fees = fees
    }
  }

  /// When it was computed.
  public var time: Timestamp
  /// The money that we have.
  public var cash: Money
  /// What was paid in.
  public var deposits: Money
  /// Cash and the value of all positions.
  public var equity: Money
  /// What was realised, before fees.
  public var realised: Money
  /// What the open positions are worth beyond their cost.
  public var unrealised: Money
  /// The fees.
  public var fees: Money
  /// What rounding against us has cost.
  public var rounding: Money
  /// The sequence of the last fill that is booked.
  public var fillsBooked: Int64
  /// How many markets wait for their settlement.
  public var pendingMarkets: Int
  /// The strategies that ever traded.
  public var parts: [Part]

  /// Profit and loss by its figures.
  public init(
    time: Timestamp, cash: Money, deposits: Money, equity: Money, realised: Money, unrealised: Money, fees: Money,
    rounding: Money, fillsBooked: Int64, pendingMarkets: Int, parts: [Part]
  ) {
    self.time = time
    self.cash = cash
    self.deposits = deposits
    self.equity = equity
    self.realised = realised
    self.unrealised = unrealised
    self.fees = fees
    self.rounding = rounding
    self.fillsBooked = fillsBooked
    self.pendingMarkets = pendingMarkets
    self.parts = parts
  }

  /// Writes it as one array.
  public func encode(_ writer: MessagePackWriter) {
    writer.array(11)
    writer.integer(time.nanoseconds)
    writer.integer(cash.raw)
    writer.integer(deposits.raw)
    writer.integer(equity.raw)
    writer.integer(realised.raw)
    writer.integer(unrealised.raw)
    writer.integer(fees.raw)
    writer.integer(rounding.raw)
    writer.integer(fillsBooked)
    writer.integer(Int64(pendingMarkets))
    writer.array(parts.count)
    for part in parts {
      writer.array(4)
      writer.unsigned(UInt64(part.strategy.code))
      writer.integer(part.realised.raw)
      writer.integer(part.unrealised.raw)
      writer.integer(part.fees.raw)
    }
  }

  /// Reads one.
  ///
  /// - Throws: `MessageError` where the bytes are no profit and loss.
  public init(_ reader: inout MessagePackReader) throws(MessageError) {
    let fields = try reader.array(atLeast: 11)
    time = Timestamp(nanoseconds: try reader.integer())
    cash = Money(raw: try reader.integer())
    deposits = Money(raw: try reader.integer())
    equity = Money(raw: try reader.integer())
    realised = Money(raw: try reader.integer())
    unrealised = Money(raw: try reader.integer())
    fees = Money(raw: try reader.integer())
    rounding = Money(raw: try reader.integer())
    fillsBooked = try reader.integer()
    pendingMarkets = Int(try reader.integer())
    parts = []
    for _ in 0..<(try reader.array()) {
      let partFields = try reader.array(atLeast: 4)
      parts.append(
        Part(
          strategy: try readStrategy(&reader), realised: Money(raw: try reader.integer()),
          unrealised: Money(raw: try reader.integer()), fees: Money(raw: try reader.integer())))
      try reader.skip(partFields - 4)
    }
    try reader.skip(fields - 11)
  }
}

func readStrategy(_ reader: inout MessagePackReader) throws(MessageError) -> Strategy {
  guard let strategy = Strategy(code: UInt8(try reader.integer(in: 0...255, "strategy"))) else {
    throw .outOfRange(field: "strategy")
  }
  return strategy
}
