import Bus
import Market
import TestSupport
import Testing

struct MessagePackTests {
  private func bytes(_ body: (MessagePackWriter) -> Void) -> [UInt8] {
    let writer = MessagePackWriter(capacity: 1)
    body(writer)
    return Array(writer.written)
  }

  private func read<Value>(_ bytes: [UInt8], _ body: (inout MessagePackReader) throws -> Value) rethrows -> Value {
    try bytes.withUnsafeBytes { raw in
      var reader = MessagePackReader(raw)
      return try body(&reader)
    }
  }

  /// Written by hand from the specification.
  @Test(
    arguments: [
      (0, [0x00]), (127, [0x7F]), (128, [0xCC, 0x80]), (255, [0xCC, 0xFF]), (256, [0xCD, 0x01, 0x00]),
      (65535, [0xCD, 0xFF, 0xFF]), (65536, [0xCE, 0x00, 0x01, 0x00, 0x00]),
      (4_294_967_295, [0xCE, 0xFF, 0xFF, 0xFF, 0xFF]),
      (4_294_967_296, [0xCF, 0, 0, 0, 1, 0, 0, 0, 0]), (Int64.max, [0xCF, 0x7F, 255, 255, 255, 255, 255, 255, 255]),
      (-1, [0xFF]), (-32, [0xE0]), (-33, [0xD0, 0xDF]), (-128, [0xD0, 0x80]), (-129, [0xD1, 0xFF, 0x7F]),
      (-32768, [0xD1, 0x80, 0x00]), (-32769, [0xD2, 0xFF, 0xFF, 0x7F, 0xFF]),
      (-2_147_483_648, [0xD2, 0x80, 0, 0, 0]), (-2_147_483_649, [0xD3, 255, 255, 255, 255, 0x7F, 255, 255, 255]),
      (Int64.min, [0xD3, 0x80, 0, 0, 0, 0, 0, 0, 0]),
    ] as [(Int64, [UInt8])])
  func `an integer has the specification's shortest form`(value: Int64, form: [UInt8]) throws {
    #expect(bytes { $0.integer(value) } == form)
    #expect(try read(form) { try $0.integer() } == value)
  }

  @Test func `longer forms of the same integer are read as well`() throws {
    #expect(try read([0xD3, 0, 0, 0, 0, 0, 0, 0, 5]) { try $0.integer() } == 5)
    #expect(try read([0xCF, 0, 0, 0, 0, 0, 0, 0, 5]) { try $0.unsigned() } == 5)
    #expect(try read([0xD2, 0xFF, 0xFF, 0xFF, 0xFB]) { try $0.integer() } == -5)
    #expect(throws: MessageError.self) {
      try read([0xCF, 255, 255, 255, 255, 255, 255, 255, 255]) { try $0.integer() }
    }
    #expect(throws: MessageError.self) { try read([0xFF]) { try $0.unsigned() } }
  }

  @Test func `texts, booleans, nil and arrays have the specification's forms`() throws {
    #expect(bytes { $0.text("aé") } == [0xA3, 0x61, 0xC3, 0xA9])
    #expect(bytes { $0.text("") } == [0xA0])
    #expect(bytes { $0.boolean(true) } == [0xC3])
    #expect(bytes { $0.boolean(false) } == [0xC2])
    #expect(bytes { $0.null() } == [0xC0])
    #expect(bytes { $0.array(15) } == [0x9F])
    #expect(bytes { $0.array(16) } == [0xDC, 0x00, 0x10])
    #expect(bytes { $0.array(65536) } == [0xDD, 0x00, 0x01, 0x00, 0x00])
    for (length, head) in [(31, [0xBF]), (32, [0xD9, 32]), (256, [0xDA, 1, 0]), (65536, [0xDB, 0, 1, 0, 0])] {
      let text = String(repeating: "x", count: length)
      let form = bytes { $0.text(text) }
      #expect(Array(form.prefix(head.count)) == head.map { UInt8($0) })
      #expect(form.count == head.count + length)
      #expect(try read(form) { try $0.text() } == text)
    }
    let patched = bytes { writer in
      let start = writer.openArray()
      writer.unsigned(1)
      writer.patchArray(1, at: start)
      writer.fixed(7)
    }
    #expect(patched == [0xDD, 0, 0, 0, 1, 1, 0xCF, 0, 0, 0, 0, 0, 0, 0, 7])
  }

  @Test func `what is not known is skipped whole`() throws {
    // [1, [nil, true, "ab", 3.5 (double), 2.5 (single)], -300], then 42
    let form: [UInt8] =
      [0x93, 1, 0x95, 0xC0, 0xC3, 0xA2, 0x61, 0x62, 0xCB, 0x40, 0x0C, 0, 0, 0, 0, 0, 0, 0xCA, 0x40, 0x20, 0, 0]
      + [0xD1, 0xFE, 0xD4, 42]
    try read(form) { (reader: inout MessagePackReader) throws in
      try reader.skip(1)
      #expect(try reader.integer() == 42)
      #expect(reader.isAtEnd)
    }
  }

  @Test func `a count beyond the message is refused at once`() {
    #expect(throws: MessageError.truncated) { try read([0xDD, 0xFF, 0xFF, 0xFF, 0xFF]) { try $0.array() } }
    #expect(throws: MessageError.truncated) { try read([0xDB, 0xFF, 0xFF, 0xFF, 0xFF]) { try $0.text() } }
    #expect(throws: MessageError.truncated) {
      try read([0xDD, 0xFF, 0xFF, 0xFF, 0xFF, 0xDD, 0xFF, 0xFF, 0xFF, 0xFF]) { try $0.skip(1) }
    }
  }

  // MARK: - Messages

  static let time = Timestamp(nanoseconds: 1_784_852_721_123_456_789)

  static var market: MarketMessage {
    var market = PredictionMarket(
      venue: .polymarket, id: "0xabc", eventID: "77", question: "Will it? — ü",
      outcomes: [Outcome(token: "111", name: "Yes"), Outcome(token: "222", name: "No")], tick: Price(raw: 1_000_000))
    market.minimumQuantity = Quantity(units: 5)
    market.fees = FeeSchedule(rate: Price(raw: 7_000_000), exponent: 2, takerOnly: false)
    market.endsAt = time
    market.isNegRisk = true
    market.isAugmented = true
    market.isPlaceholder = true
    market.isAcceptingOrders = false
    market.isClosed = true
    market.winner = 1
    market.payouts = [.zero, .one]
    market.upDown = UpDownTerms(coin: "BTC", opensAt: time, closesAt: time.advanced(bySeconds: 900))
    market.termsDigest = UInt64.max
    market.dayVolume = Money(raw: 12)
    market.grid = PriceGrid([
      PriceGrid.Range(start: .zero, end: Price(raw: 10_000_000), step: Price(raw: 100_000)),
      PriceGrid.Range(start: Price(raw: 10_000_000), end: .one, step: Price(raw: 1_000_000)),
    ])
    return MarketMessage(market: market, books: [3, 400_000], term: 5, program: "ingestor")
  }

  static var bareMarket: MarketMessage {
    let outcomes = [Outcome(token: "1", name: "Up"), Outcome(token: "2", name: "Down")]
    var market = PredictionMarket(
      venue: .kalshi, id: "a", eventID: "b", question: "", outcomes: outcomes, tick: Price(raw: 10_000))
    // Rounding is not told: it is the venue's, as of now.
    market.fees.rounding = .of(.kalshi, at: Timestamp(nanoseconds: 1_900_000_000_000_000_000))
    return MarketMessage(market: market, books: [])
  }

  static let instrument = InstrumentID(venue: .binance, symbol: "BTCUSDT")

  static var opportunity: Opportunity {
    let leg = Leg(
      instrument: instrument, marketID: "m", side: .sell, limit: Price(raw: 3), quantity: Quantity(raw: 4),
      notional: Money(raw: 5), fee: Money(raw: 6))
    var opportunity = Opportunity(
      id: UInt64.max, state: .changed, kind: .spike, eventID: "e", legs: [leg, leg], payout: Money(raw: -7),
      cost: Money(raw: Int64.max), foundAt: time, updatedAt: time.advanced(bySeconds: 1),
      venueTime: time.advanced(bySeconds: 2))
    opportunity.score = score
    opportunity.probability = 0.625
    opportunity.endsAt = time
    opportunity.hold = .stalePrice
    opportunity.markSource = "binance"
    opportunity.staleReason = "timeout"
    opportunity.triggerPrice = Price(raw: 95)
    return opportunity
  }

  static var score: OpportunityScore {
    var score = OpportunityScore()
    score.depthRatio = 1.5
    score.dayVolume = Money(raw: 7)
    score.recentTradeCount = 8
    score.lockedSeconds = 9
    score.annualisedReturn = -0.25
    (score.profit, score.fill, score.volume) = (0.1, 0.2, 0.3)
    (score.activity, score.time, score.legs) = (0.4, 0.5, 0.6)
    (score.total, score.kelly) = (0.7, 0.8)
    return score
  }

  static var order: Order {
    var order = Order(
      id: "o", opportunityID: 9, strategy: .latency, instrument: instrument, marketID: "m", side: .sell,
      limit: Price(raw: 1), quantity: Quantity(raw: 2), timeInForce: .fok, isUnwind: true, createdAt: time)
    order.state = .partlyFilled
    order.filled = Quantity(raw: 1)
    order.updatedAt = time.advanced(bySeconds: 3)
    order.reason = "why"
    return order
  }

  static var fill: Fill {
    var fill = Fill(
      orderID: "o", strategy: .negRisk, instrument: instrument, marketID: "m", side: .buy, price: Price(raw: 1),
      quantity: Quantity(raw: 2), fee: Money(raw: 3), time: time)
    fill.sequence = 12
    return fill
  }

  static let process = ProcessMessage(
    name: "scanner", group: "g", state: "RUNNING", pid: 4711, startedAt: time, restarts: 3, isReady: true,
    exitStatus: -9, description: "pid 4711", program: "p", endedAt: time, exitSignal: 9, failures: 2, status: "busy",
    waitsFor: ["a", "g:b"])
  static let alert = AlertMessage(time: time, subject: "scanner", text: "watchdog")
  static let planted = PlantedArbitrage(
    id: 5, kind: .crossSecond, eventID: "e", marketIDs: ["0xa", "KXB-1"], token: "77", isDecoy: true, startedAt: time,
    endedAt: nil, profitPerSet: Money(raw: 4))
  static let health = HealthMessage(name: "x", counters: ["a": 1, "b": Int64.min])
  static let ticker = Ticker(
    instrument: instrument, bid: Level(price: Price(raw: 1), quantity: Quantity(raw: 2)),
    ask: Level(price: Price(raw: 3), quantity: Quantity(raw: 4)), time: time)
  static let trades = [
    Trade(instrument: instrument, price: Price(raw: 1), quantity: nil, takerSide: .sell, time: time),
    Trade(instrument: instrument, price: Price(raw: 1), quantity: Quantity(raw: 2), takerSide: .buy, time: time),
  ]

  /// Each kind of message: how it is written, and how it is read and compared.
  static let kinds:
    [(encode: @Sendable (MessagePackWriter) -> Void, check: @Sendable (inout MessagePackReader) throws -> Bool)] = [
      ({ market.encode($0) }, { try MarketMessage(&$0) == market }),
      ({ bareMarket.encode($0) }, { try MarketMessage(&$0) == bareMarket }),
      ({ opportunity.encode($0) }, { try Opportunity(&$0) == opportunity }),
      ({ order.encode($0) }, { try Order(&$0) == order }),
      ({ fill.encode($0) }, { try Fill(&$0) == fill }),
      ({ process.encode($0) }, { try ProcessMessage(&$0) == process }),
      ({ alert.encode($0) }, { try AlertMessage(&$0) == alert }),
      ({ planted.encode($0) }, { try PlantedArbitrage(&$0) == planted }),
      ({ health.encode($0) }, { try HealthMessage(&$0) == health }),
      ({ ticker.encode($0) }, { try Ticker(&$0) == ticker }),
      ({ TradeMessage.encode(trades, $0) }, { try TradeMessage.readList(&$0) == trades }),
    ]

  @Test(arguments: 0..<10) func `every kind of message is read as it was written`(kind: Int) throws {
    let form = bytes(Self.kinds[kind].encode)
    try read(form) { (reader: inout MessagePackReader) throws in
      #expect(try Self.kinds[kind].check(&reader))
      #expect(reader.isAtEnd)
    }
    // A newer publisher may write more fields; the reader finds what follows.
    guard form[0] & 0xF0 == 0x90, form[0] & 0x0F < 15, kind != 9 else { return }
    var longer = form
    longer[0] += 1
    longer += [0xA2, 0x61, 0x62, 0x2A]
    try read(longer) { (reader: inout MessagePackReader) throws in
      #expect(try Self.kinds[kind].check(&reader))
      #expect(try reader.integer() == 42)
    }
  }

  @Test(arguments: 0..<10) func `a message that breaks off anywhere is refused`(kind: Int) {
    let form = bytes(Self.kinds[kind].encode)
    for length in 0..<form.count {
      #expect(throws: MessageError.self, "\(length) of \(form.count)") {
        try read(Array(form.prefix(length))) { try Self.kinds[kind].check(&$0) }
      }
    }
  }

  @Test func `a hundred thousand mutated messages never crash a reader`() {
    var random = SeededRandom(seed: 8)
    let forms = Self.kinds.map { bytes($0.encode) }
    var refused = 0
    for _ in 0..<100_000 {
      let kind = Int.random(in: 0..<forms.count, using: &random)
      var form = forms[kind]
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        form[Int.random(in: 0..<form.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      if (try? read(form) { try Self.kinds[kind].check(&$0) }) == nil { refused += 1 }
    }
    #expect(refused > 10_000)
  }
}
