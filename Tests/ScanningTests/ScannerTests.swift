import Bus
import Market
import Scanning
import TestSupport
import Testing

struct ScannerTests {
  private func binary(_ stage: Stage) throws -> Int {
    let market = try stage.add()
    try stage.set(market, 0, asks: [("0.40", "100")])
    try stage.set(market, 1, asks: [("0.50", "100")])
    return market
  }

  private func event(_ stage: Stage, _ configure: (Int, inout PredictionMarket) -> Void = { _, _ in }) throws -> [Int] {
    try (0..<3).map { index in
      let market = try stage.add(event: "e") { configure(index, &$0) }
      try stage.set(market, 0, asks: [("0.30", "50")])
      return market
    }
  }

  @Test func `a stale book gives nothing, and the reason is counted`() throws {
    let stage = try Stage()
    let market = try binary(stage)
    let markets = try event(stage)
    for book in [stage.book(market, 1), stage.book(markets[1], 0)] {
      stage.feed.cache.markStale(book)
      stage.scanner.bookChanged(book)
    }
    #expect(stage.scan().isEmpty)
    #expect(stage.scanner.skips[.bookNotLive] == 2)
  }

  @Test func `empty and closed books give nothing`() throws {
    let stage = try Stage()
    let market = try stage.add()
    try stage.set(market, 0, asks: [("0.40", "100")])
    let markets = try event(stage)
    let book = stage.book(markets[2], 0)
    stage.feed.cache.close(book)
    stage.scanner.bookChanged(book)
    #expect(stage.scan().isEmpty)
    stage.scanner.scanAll(now: stage.now)
    #expect(stage.scanner.board.openCount == 0)
  }

  @Test func `a binary find needs both books to have changed lately`() throws {
    let stage = try Stage(bookAgeSeconds: 10)
    let market = try stage.add()
    try stage.set(market, 0, asks: [("0.40", "100")], receivedAt: stage.now.advanced(bySeconds: -11))
    try stage.set(market, 1, asks: [("0.50", "100")])
    #expect(stage.scan().isEmpty)
    #expect(stage.scanner.skips[.bookTooOld] == 1)
    try stage.set(market, 0, asks: [("0.40", "100")], receivedAt: stage.now.advanced(bySeconds: -10))
    #expect(stage.only() != nil)
  }

  @Test func `an opportunity bears the venue's time of its newest book, not that of the scan`() throws {
    let stage = try Stage()
    let market = try stage.add()
    try stage.set(market, 0, asks: [("0.40", "100")])
    stage.now = stage.now.advanced(bySeconds: 1)
    let newest = stage.now
    try stage.set(market, 1, asks: [("0.50", "100")])
    stage.now = stage.now.advanced(bySeconds: 1)
    let found = try #require(stage.only())
    #expect(found.venueTime == newest && found.updatedAt == stage.now)
  }

  @Test func `an event whose set of outcomes is open is left out and counted`() throws {
    let augmented = try Stage()
    _ = try event(augmented) { _, market in market.isAugmented = true }
    #expect(augmented.scan().isEmpty)
    #expect(augmented.scanner.skips[.openOutcomeSet] > 0)

    let placeholder = try Stage()
    _ = try event(placeholder) { index, market in market.isPlaceholder = index == 1 }
    #expect(placeholder.scan().isEmpty)
    #expect(placeholder.scanner.skips[.openOutcomeSet] > 0)
  }

  @Test func `an event with an outcome that has no books is not whole`() throws {
    let stage = try Stage()
    _ = try event(stage)
    var market = PredictionMarket(
      venue: .polymarket, id: "bare", eventID: "e", question: "", outcomes: [], tick: try Price("0.001"))
    market.isNegRisk = true
    stage.scanner.marketChanged(stage.feed.adopt(MarketMessage(market: market, books: [])))
    #expect(stage.scan().isEmpty)
    #expect(stage.scanner.skips[.incompleteEvent] > 0)
  }

  @Test func `a market that is closed or takes no orders is not scanned, and the reason is counted`() throws {
    let stage = try Stage()
    let market = try binary(stage)
    stage.change(market) { $0.isAcceptingOrders = false }
    let markets = try event(stage)
    stage.change(markets[0]) { $0.isAcceptingOrders = false }
    #expect(stage.scan().isEmpty)
    #expect(stage.scanner.skips[.notTradable] == 2)
    stage.change(market) { $0.isAcceptingOrders = true }
    #expect(stage.only()?.strategy == .binary)
    stage.change(market) { $0.isClosed = true }
    #expect(stage.scan().map(\.state) == [.closed])
  }

  @Test func `an outcome that is lost is no leg, and a winner ends the event`() throws {
    let stage = try Stage()
    let markets = try event(stage)
    // Two are left, for 0.60.
    stage.change(markets[0]) {
      $0.isClosed = true
      $0.winner = 1
    }
    #expect(stage.only()?.legs.count == 2)
    try stage.set(markets[1], 0, bids: [("0.9", "10")])
    try stage.set(markets[2], 0, bids: [("0.9", "10")])
    stage.scan()
    stage.change(markets[1]) {
      $0.isAcceptingOrders = false
      $0.winner = 0
    }
    #expect(stage.scan().map(\.state) == [.closed])
    #expect(stage.scanner.skips[.resolvedEvent] == 1)
  }

  @Test func `a market past its end is not scanned`() throws {
    let stage = try Stage()
    let market = try binary(stage)
    let end = stage.now.advanced(bySeconds: 60)
    stage.change(market) { $0.endsAt = end }
    #expect(stage.only() != nil)
    stage.now = end
    // No book changes at the end of a market: the full scan closes it.
    stage.scanner.scanAll(now: stage.now)
    #expect(stage.scanner.board.openCount == 0)
    #expect(stage.scanner.skips[.notTradable] == 1)
  }

  @Test func `a suspicious return needs a recent trade of each leg`() throws {
    let stage = try Stage(tradeAgeSeconds: 100)
    let market = try stage.add()
    // 100 for 7: a return of 1,329 %.
    try stage.set(market, 0, asks: [("0.03", "100")])
    try stage.set(market, 1, asks: [("0.04", "100")])
    #expect(stage.scan().isEmpty)
    #expect(stage.scanner.skips[.deadLiquidity] == 1)
    stage.trade(market, 0, at: stage.now)
    stage.trade(market, 1, at: stage.now.advanced(bySeconds: -101))
    #expect(stage.scan().isEmpty)
    stage.trade(market, 1, at: stage.now.advanced(bySeconds: -100))
    #expect(stage.only() != nil)
    // 100 for 10 is 900 %: that needs none.
    let other = try stage.add()
    try stage.set(other, 0, asks: [("0.05", "100")])
    try stage.set(other, 1, asks: [("0.05", "100")])
    stage.scan()
    #expect(stage.scanner.board.openCount == 2)
  }

  @Test func `the least profit and the most sets are kept`() throws {
    let stage = try Stage(minimumProfit: "10", quantityMax: "60")
    let market = try binary(stage)
    // 60 sets at 0.10: 6
    #expect(stage.scan().isEmpty)
    #expect(stage.scanner.skips[.belowMinimum] == 1)
    try stage.set(market, 0, asks: [("0.30", "100")])
    #expect(try stage.only()?.legs.first?.quantity == Quantity("60"))
  }

  @Test func `an opportunity opens, changes and closes under one id`() throws {
    let stage = try Stage(closedMax: 2)
    let market = try binary(stage)
    let opened = stage.scan()
    #expect(opened.map(\.state) == [.opened])
    let start = stage.now
    #expect(stage.scan().isEmpty)
    stage.now = start.advanced(bySeconds: 1)
    try stage.set(market, 0, asks: [("0.40", "100")])
    #expect(stage.scan().isEmpty, "the same figures are no news")
    try stage.set(market, 0, asks: [("0.41", "80")])
    let changed = stage.scan()
    #expect(changed.map(\.state) == [.changed])
    #expect(changed[0].id == opened[0].id && changed[0].foundAt == start && changed[0].updatedAt == stage.now)
    #expect(try changed[0].cost == Money("72.8"))
    stage.now = start.advanced(bySeconds: 2)
    try stage.set(market, 0, asks: [("0.50", "80")])
    let closed = stage.scan()
    #expect(closed.map(\.state) == [.closed])
    #expect(closed[0].id == opened[0].id && closed[0].updatedAt == stage.now)
    #expect(stage.scanner.board.openCount == 0 && stage.scanner.board.closed == closed)
    try stage.set(market, 0, asks: [("0.40", "80")])
    let again = stage.scan()
    #expect(again.map(\.state) == [.opened])
    #expect(again[0].id == opened[0].id + 1)
    #expect(opened[0].id >> 32 == 7)
    // Selling instead of buying is another one.
    try stage.set(market, 0, bids: [("0.60", "80")])
    try stage.set(market, 1, bids: [("0.60", "80")])
    #expect(stage.scan().map(\.state) == [.closed, .opened])
    for _ in 0..<10 {
      try stage.set(market, 0)
      stage.scan()
      try stage.set(market, 0, bids: [("0.60", "80")])
      stage.scan()
    }
    #expect((2...4).contains(stage.scanner.board.closed.count))
  }

  @Test func `scanning what is dirty finds what a full scan finds`() throws {
    var random = SeededRandom(seed: 13)
    for round in 0..<20 {
      let stage = try Stage(suspiciousReturn: 0.5)
      for event in 0..<5 {
        for _ in 0..<Int.random(in: 2...5, using: &random) {
          try stage.add(event: "e\(event)", rate: Bool.random(using: &random) ? "0" : "0.02")
        }
        try stage.add(rate: "0.01")
      }
      var seen = 0
      for step in 0..<300 {
        for _ in 0..<Int.random(in: 1...3, using: &random) { try change(stage, &random) }
        stage.scan()
        let full = Scanner(feed: stage.feed, options: stage.scanner.options, board: OpportunityBoard(epoch: 7))
        for place in stage.feed.markets.indices { full.marketChanged(place) }
        for trade in trades { full.traded(trade, of: stage.feed.bookPlace(trade.instrument)!, now: stage.now) }
        full.scanAll(now: stage.now)
        let expected = full.board.openOpportunities.map(figures).sorted()
        #expect(stage.scanner.board.openOpportunities.map(figures).sorted() == expected, "\(round), \(step)")
        seen += expected.count
      }
      trades = []
      #expect(seen > 50)
    }
  }

  /// What was told of trades, for the scanner that begins anew.
  private final class Trades { var all: [Trade] = [] }
  private let told = Trades()
  private var trades: [Trade] {
    get { told.all }
    nonmutating set { told.all = newValue }
  }

  private func figures(_ opportunity: Opportunity) -> String {
    "\(opportunity.eventID) \(opportunity.legs) \(opportunity.payout) \(opportunity.cost)"
  }

  private func change(_ stage: Stage, _ random: inout SeededRandom) throws {
    let market = Int.random(in: 0..<stage.feed.markets.count, using: &random)
    let outcome = Int.random(in: 0...1, using: &random)
    let book = stage.book(market, outcome)
    switch Int.random(in: 0..<20, using: &random) {
    case 0:
      stage.feed.cache.markStale(book)
      stage.scanner.bookChanged(book)
    case 1:
      stage.change(market) { $0.isAcceptingOrders.toggle() }
    case 2:
      trades.append(stage.trade(market, outcome, at: stage.now))
    default:
      let mid = Int.random(in: 5...95, using: &random)
      func row(_ price: Int) -> (String, String) { ("0.\(price < 10 ? "0" : "")\(price)", "\(10 + price)") }
      try stage.set(
        market, outcome, bids: mid > 6 ? [row(mid - 2), row(mid - 3)] : [], asks: [row(mid), row(min(mid + 2, 99))])
    }
  }
}
