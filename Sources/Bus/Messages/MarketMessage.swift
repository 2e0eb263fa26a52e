internal import Daemon
public import Market

/// A market as an ingestor announces it, with its handles for the books of its outcomes.
///
/// Bodies of `market/…` are arrays of these. Books are named by handle from there on: a small number that is valid for
/// one publisher and one epoch, so that a change of a book is a few bytes and an array index.
public struct MarketMessage: Hashable, Sendable {
  /// The market.
  public var market: PredictionMarket
  /// The handle of each outcome's book, in the order of the outcomes.
  public var books: [UInt32]

  /// Under which term the publisher owns the books: of two publishers of one book the higher term owns it.
  public var term: UInt64

  /// The program whose process the publisher is; those of two programs tell of the same books beside each other.
  public var program: String

  /// A market with its handles.
  public init(market: PredictionMarket, books: [UInt32], term: UInt64 = 0, program: String = "") {
    self.program = program
    self.market = market
    self.books = books
    self.term = term
  }

  /// Writes it as one array.
  public func encode(_ writer: MessagePackWriter) {
    writer.array(23)
    writer.unsigned(UInt64(market.venue.code))
    writer.text(market.id)
    writer.text(market.eventID)
    writer.text(market.question)
    writer.array(market.outcomes.count)
    for outcome in market.outcomes {
      writer.array(2)
      writer.text(outcome.token)
      writer.text(outcome.name)
    }
    writer.array(books.count)
    for book in books { writer.unsigned(UInt64(book)) }
    writer.integer(market.tick.raw)
    writer.integer(market.minimumQuantity.raw)
    writer.array(3)
    writer.integer(market.fees.rate.raw)
    writer.integer(Int64(market.fees.exponent))
    writer.boolean(market.fees.takerOnly)
    writeOptional(market.endsAt?.nanoseconds, writer)
    writer.boolean(market.isNegRisk)
    writer.boolean(market.isAugmented)
    writer.boolean(market.isPlaceholder)
    writer.boolean(market.isAcceptingOrders)
    writer.boolean(market.isClosed)
    writeOptional(market.winner.map(Int64.init), writer)
    if let payouts = market.payouts {
      writer.array(payouts.count)
      for payout in payouts { writer.integer(payout.raw) }
    } else {
      writer.null()
    }
    if let terms = market.upDown {
      writer.array(3)
      writer.text(terms.coin)
      writer.integer(terms.opensAt.nanoseconds)
      writer.integer(terms.closesAt.nanoseconds)
    } else {
      writer.null()
    }
    writer.unsigned(term)
    writer.unsigned(market.termsDigest)
    writer.integer(market.dayVolume.raw)
    if let grid = market.grid {
      writer.array(grid.ranges.count)
      for range in grid.ranges {
        writer.array(3)
        writer.integer(range.start.raw)
        writer.integer(range.end.raw)
        writer.integer(range.step.raw)
      }
    } else {
      writer.null()
    }
    writer.text(program)
  }

  /// Reads one; what an older publisher does not tell is as if it were not known.
  ///
  /// - Throws: `MessageError` where the bytes are no market.
  public init(_ reader: inout MessagePackReader) throws(MessageError) {
    let fields = try reader.array(atLeast: 18)
    guard let venue = Venue(code: UInt8(try reader.integer(in: 0...255, "venue"))) else {
      throw .outOfRange(field: "venue")
    }
    let id = try reader.text()
    let eventID = try reader.text()
    let question = try reader.text()
    var outcomes: [Outcome] = []
    for _ in 0..<(try reader.array()) {
      let parts = try reader.array(atLeast: 2)
      outcomes.append(Outcome(token: try reader.text(), name: try reader.text()))
      try reader.skip(parts - 2)
    }
    books = []
    term = 0
    program = ""
    for _ in 0..<(try reader.array()) {
      books.append(UInt32(try reader.integer(in: 0...Int64(UInt32.max), "book")))
    }
    market = PredictionMarket(
      venue: venue, id: id, eventID: eventID, question: question, outcomes: outcomes,
      tick: Price(raw: try reader.integer()))
    market.minimumQuantity = Quantity(raw: try reader.integer())
    let feeFields = try reader.array(atLeast: 3)
    market.fees = FeeSchedule(
      rate: Price(raw: try reader.integer(in: 0...10 * fixedPointScale, "rate")),
      exponent: Int(try reader.integer(in: 0...16, "exponent")),
      takerOnly: try reader.boolean(), rounding: .of(venue, at: SystemClock.now))
    try reader.skip(feeFields - 3)
    market.endsAt = try readOptionalTime(&reader)
    market.isNegRisk = try reader.boolean()
    market.isAugmented = try reader.boolean()
    market.isPlaceholder = try reader.boolean()
    market.isAcceptingOrders = try reader.boolean()
    market.isClosed = try reader.boolean()
    market.winner = try readOptional(&reader).map { Int($0) }
    if !(try reader.null()) {
      var payouts: [Price] = []
      for _ in 0..<(try reader.array()) { payouts.append(Price(raw: try reader.integer())) }
      market.payouts = payouts
    }
    if !(try reader.null()) {
      let parts = try reader.array(atLeast: 3)
      market.upDown = UpDownTerms(
        coin: try reader.text(), opensAt: try reader.time(),
        closesAt: try reader.time())
      try reader.skip(parts - 3)
    }
    if fields > 18 { term = try reader.unsigned() }
    if fields > 21 {
      market.termsDigest = try reader.unsigned()
      market.dayVolume = Money(raw: try reader.integer())
      market.grid = try readGrid(&reader)
    }
    if fields > 22 { program = try reader.text() }
    try reader.skip(max(0, fields - (fields > 22 ? 23 : fields > 21 ? 22 : 19)))
  }
}

private func readGrid(_ reader: inout MessagePackReader) throws(MessageError) -> PriceGrid? {
  guard !(try reader.null()) else { return nil }
  var ranges: [PriceGrid.Range] = []
  for _ in 0..<(try reader.array()) {
    let parts = try reader.array(atLeast: 3)
    ranges.append(
      PriceGrid.Range(
        start: Price(raw: try reader.integer()), end: Price(raw: try reader.integer()),
        step: Price(raw: try reader.integer())))
    try reader.skip(parts - 3)
  }
  guard let grid = PriceGrid(ranges) else { throw .outOfRange(field: "grid") }
  return grid
}

func writeOptional(_ value: Int64?, _ writer: MessagePackWriter) {
  if let value { writer.integer(value) } else { writer.null() }
}

func readOptional(_ reader: inout MessagePackReader) throws(MessageError) -> Int64? {
  try reader.null() ? nil : try reader.integer()
}

func readOptionalTime(_ reader: inout MessagePackReader) throws(MessageError) -> Timestamp? {
  try reader.null() ? nil : try reader.time()
}

/// Writes a list of messages as one array.
public func encodeList<Element>(
  _ list: [Element], _ writer: MessagePackWriter, _ encode: (Element) -> (MessagePackWriter) -> Void
) {
  writer.array(list.count)
  for element in list { encode(element)(writer) }
}
