import Bus
import Ingesting
import Market
import TestSupport
import Testing
import Venues

/// Kalshi's markets A and B, and the messages that a stream would bring.
private final class Desk {
  let markets = KalshiMarkets(tradeAge: TradeAgeFilter(ageMaxSeconds: 300))
  let batch = BookBatch()
  var fold = KalshiBooks()
  let now = Timestamp(nanoseconds: 1_784_852_721_000_000_000)
  private var sequence = 0

  static func market(_ ticker: String, ranges: [(String, String, String)] = [("0", "1", "0.01")]) throws -> KalshiMarket
  {
    let outcomes = KalshiOutcome.allCases.map { Outcome(token: $0.token(ofMarket: ticker), name: $0.rawValue) }
    let grid = try #require(
      PriceGrid(try ranges.map { .init(start: try Price($0.0), end: try Price($0.1), step: try Price($0.2)) }))
    let market = PredictionMarket(
      venue: .kalshi, id: ticker, eventID: "e", question: "q", outcomes: outcomes, tick: grid.finestStep)
    return KalshiMarket(market: market, grid: grid)
  }

  init() throws {
    for ticker in ["A", "B"] { _ = markets.adopt(try Desk.market(ticker), batch) }
  }

  /// Takes a message with the next number, or with some left out before it.
  func take(_ kind: String, _ body: String, skipping: Int = 0) throws {
    sequence += 1 + skipping
    let text = #"{"type":"\#(kind)","sid":1,"seq":\#(sequence),"msg":{\#(body)}}"#
    let message: KalshiStreamMessage = try Array(text.utf8).withUnsafeBytes { bytes in
      Result { () throws(VenueError) in try KalshiStreamParser.parse(bytes) }
    }.get()
    markets.take(message, &fold, receivedAt: now, batch)
  }

  func snapshot(_ ticker: String, yes: String = "0.4000", no: String = "0.5500", skipping: Int = 0) throws {
    try take(
      "orderbook_snapshot",
      #""market_ticker":"\#(ticker)","yes_dollars_fp":[["\#(yes)","100.00"]],"no_dollars_fp":[["\#(no)","20.00"]]"#,
      skipping: skipping)
  }

  func delta(_ ticker: String, _ side: String, _ price: String, _ change: String, skipping: Int = 0) throws {
    try take(
      "orderbook_delta",
      #""market_ticker":"\#(ticker)","price_dollars":"\#(price)","delta_fp":"\#(change)","side":"\#(side)","#
        + #""ts_ms":\#(now.milliseconds)"#, skipping: skipping)
  }

  func trade(_ ticker: String, secondsAgo: Int64 = 0, more: String = "") throws {
    try take(
      "trade",
      #""trade_id":"t","market_ticker":"\#(ticker)","yes_price_dollars":"0.4000","no_price_dollars":"0.6000","#
        + #""count_fp":"2.50","taker_outcome_side":"yes","ts_ms":\#(now.milliseconds - secondsAgo * 1000)\#(more)"#)
  }

  /// Best bid, best ask and state of an outcome's book, in cents.
  func book(_ ticker: String, _ outcome: KalshiOutcome) throws -> (bid: Int64, ask: Int64, state: BookState) {
    let place = try #require(markets.ownedPlace(of: ticker))
    let book = markets.entries[place].books[outcome == .yes ? 0 : 1]
    let touch = markets.cache.touch(book)
    return (touch.bid / 1_000_000, touch.ask / 1_000_000, markets.cache.header(book).state)
  }
}

@Suite struct KalshiMarketsTests {
  @Test func `both outcomes' books are each other's mirror, also after changes of either side`() throws {
    let desk = try Desk()
    try desk.snapshot("A")
    #expect(try desk.book("A", .yes) == (40, 45, .live))
    #expect(try desk.book("A", .no) == (55, 60, .live))
    try desk.delta("A", "yes", "0.4200", "7.00")
    try desk.delta("A", "no", "0.5600", "3.00")
    #expect(try desk.book("A", .yes) == (42, 44, .live))
    #expect(try desk.book("A", .no) == (56, 58, .live))
    // The rest of a level goes from both.
    try desk.delta("A", "yes", "0.4200", "-7.00")
    #expect(try desk.book("A", .yes).bid == 40 && desk.book("A", .no).ask == 60)
    #expect(desk.markets.counters.changes == 3)
  }

  @Test func `a gap makes all books of its subscription stale until each has its snapshot`() throws {
    let desk = try Desk()
    try desk.snapshot("A")
    try desk.snapshot("B")
    try desk.delta("A", "yes", "0.4100", "1.00", skipping: 1)
    for ticker in ["A", "B"] {
      for outcome in KalshiOutcome.allCases { #expect(try desk.book(ticker, outcome).state == .stale) }
    }
    #expect(desk.markets.counters.gaps == 1 && desk.fold.wanted == ["A", "B"])
    // What came with the gap is not believed either.
    #expect(try desk.book("A", .yes).bid == 40 && desk.markets.counters.droppedChanges == 1)
    try desk.delta("A", "yes", "0.4300", "1.00")
    #expect(try desk.book("A", .yes).state == .stale)
    try desk.snapshot("A", yes: "0.4400")
    #expect(try desk.book("A", .yes) == (44, 45, .live))
    #expect(try desk.book("B", .no).state == .stale && desk.fold.wanted == ["B"])
  }

  @Test func `a message that comes again changes nothing`() throws {
    let desk = try Desk()
    try desk.snapshot("A")
    try desk.delta("A", "yes", "0.4100", "5.00")
    try desk.delta("A", "yes", "0.4100", "-5.00", skipping: -1)
    #expect(try desk.book("A", .yes) == (41, 45, .live))
    #expect(desk.markets.counters.repetitions == 1)
  }

  @Test func `prices off the market's grid make its books stale, and the catalogue wanted`() throws {
    let desk = try Desk()
    try desk.snapshot("A")
    try desk.snapshot("B")
    try desk.delta("A", "yes", "0.4150", "1.00")
    #expect(try desk.book("A", .yes).state == .stale && desk.book("A", .no).state == .stale)
    #expect(try desk.book("B", .yes).state == .live)
    #expect(desk.markets.counters.offGrid == 1 && desk.markets.metadataChanged)
    try desk.snapshot("B", no: "0.5555")
    #expect(try desk.book("B", .yes).state == .stale)
    // A tapered grid: a tenth of a cent near the ends alone, for NO as for YES.
    _ = desk.markets.adopt(
      try Desk.market("C", ranges: [("0", "0.1", "0.001"), ("0.1", "0.9", "0.01"), ("0.9", "1", "0.001")]), desk.batch)
    try desk.snapshot("C", yes: "0.0550", no: "0.9050")
    #expect(try desk.book("C", .yes).state == .live && desk.book("C", .no).state == .live)
    try desk.delta("C", "no", "0.8950", "1.00")
    #expect(try desk.book("C", .no).state == .stale)
  }

  @Test func `trades count by their own time, once, and not those outside of the book`() throws {
    let desk = try Desk()
    try desk.trade("A")
    try desk.trade("A", secondsAgo: 299)
    try desk.trade("A", secondsAgo: 60 * 86_400)
    try desk.trade("A", more: #","is_block_trade":true"#)
    try desk.trade("Z")
    #expect(desk.markets.takeTrades().map(\.instrument.symbol) == ["A:yes", "A:yes"])
    let counters = desk.markets.counters
    #expect(counters.trades == 2 && counters.oldTrades == 1 && counters.blockTrades == 1)
    #expect(counters.unknownMarkets == 1)
  }

  @Test func `what REST says of YES replaces both books, but not those of a market that has closed`() throws {
    let desk = try Desk()
    let levels = KalshiLevels(
      yes: [Level(price: try Price("0.39"), quantity: try Quantity("1"))],
      no: [Level(price: try Price("0.52"), quantity: try Quantity("2"))])
    let snapshot = levels.book(of: "A", .yes, venueTime: desk.now)
    desk.markets.correct(snapshot, receivedAt: desk.now, desk.batch)
    #expect(try desk.book("A", .yes) == (39, 48, .live))
    #expect(try desk.book("A", .no) == (52, 61, .live))
    #expect(desk.markets.place(of: levels.book(of: "Z", .yes, venueTime: desk.now)) == nil)
    var closed = try Desk.market("A")
    closed.market.isClosed = true
    #expect(desk.markets.adopt(closed, desk.batch).change == .closed)
    desk.markets.correct(snapshot, receivedAt: desk.now, desk.batch)
    #expect(try desk.book("A", .yes).state == .closed)
  }

  @Test func `a market is closed when two listings running lack it, and open again when one has it`() throws {
    let desk = try Desk()
    try desk.snapshot("A")
    #expect(desk.markets.sweepMissing(listed: ["B"], desk.batch) == [])
    #expect(desk.markets.sweepMissing(listed: ["B"], desk.batch) == [0])
    #expect(try desk.book("A", .yes).state == .closed)
    #expect(desk.markets.adopt(try Desk.market("A"), desk.batch).change == .added)
    #expect(try desk.book("A", .yes).state == .empty)
    // One that another shard has tells nothing here.
    desk.markets.drop(1, desk.batch)
    #expect(desk.markets.ownedPlace(of: "B") == nil && desk.markets.ownedCount == 1)
    try desk.snapshot("B")
    #expect(desk.markets.counters.unknownMarkets == 1)
  }
}
