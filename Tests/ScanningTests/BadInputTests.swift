import Bus
import Market
import Scanning
import TestSupport
import Testing

/// Books and metadata that are wrong, late or contradictory: nothing is found that is not there, nothing crashes.
struct BadInputTests {
  private func event(_ stage: Stage, _ asks: [String] = ["0.30", "0.30", "0.30"]) throws -> [Int] {
    try asks.map { ask in
      let market = try stage.add(event: "e")
      try stage.set(market, 0, asks: [(ask, "50")])
      return market
    }
  }

  @Test func `empty and one-sided books give nothing`() throws {
    let stage = try Stage()
    let market = try stage.add()
    try stage.set(market, 0)
    try stage.set(market, 1)
    #expect(stage.scan().isEmpty)
    try stage.set(market, 0, bids: [("0.99", "1")])
    #expect(stage.scan().isEmpty)
    try stage.set(market, 0, asks: [("0.01", "1")])
    #expect(stage.scan().isEmpty)
    let markets = try event(stage)
    try stage.set(markets[1], 0, bids: [("0.40", "1")])
    #expect(stage.scan().count <= 1)
    #expect(stage.scanner.board.openCount == 0)
  }

  @Test func `a crossed book earns nothing against itself`() throws {
    let stage = try Stage()
    let market = try stage.add()
    // Bid above ask within one book: no set of ours trades one book against itself.
    try stage.set(market, 0, bids: [("0.60", "10")], asks: [("0.40", "10")])
    try stage.set(market, 1, bids: [("0.30", "10")], asks: [("0.70", "10")])
    #expect(stage.scan().isEmpty)
  }

  @Test func `a tick that changes in mid-scan makes the book stale, and closes what rests on it`() throws {
    let stage = try Stage()
    let market = try stage.add()
    try stage.set(market, 0, asks: [("0.40", "100")])
    try stage.set(market, 1, asks: [("0.50", "100")])
    #expect(stage.only() != nil)
    stage.change(market) { $0.tick = Price(raw: 1_000_000) }
    #expect(stage.scan().map(\.state) == [.closed])
    #expect(stage.scanner.skips[.bookNotLive] > 0)
    try stage.set(market, 0, asks: [("0.40", "100")])
    try stage.set(market, 1, asks: [("0.50", "100")])
    #expect(stage.only() != nil)
  }

  @Test func `an event that gains an outcome is no longer bought without it`() throws {
    let stage = try Stage()
    _ = try event(stage)
    #expect(stage.only()?.legs.count == 3)
    let new = try stage.add(event: "e")
    #expect(stage.scan().map(\.state) == [.closed], "its price is not known")
    try stage.set(new, 0, asks: [("0.05", "50")])
    #expect(stage.only()?.legs.count == 4)
  }

  @Test func `an outcome that the venue moves to another event leaves the old one`() throws {
    let stage = try Stage()
    let markets = try event(stage)
    #expect(stage.only()?.legs.count == 3)
    stage.change(markets[2]) { $0.eventID = "f" }
    #expect(stage.scan().last?.legs.count == 2)
    // What happens to it now is none of the old event's business.
    try stage.set(markets[2], 0, asks: [("0.90", "50")])
    stage.scan()
    stage.scanner.scanAll(now: stage.now)
    #expect(stage.scanner.board.openOpportunities.map(\.legs.count) == [2])
    #expect(stage.scanner.driftedSumCount == 0)
  }

  @Test func `a market that closes between snapshot and scan is not scanned`() throws {
    let stage = try Stage()
    let market = try stage.add()
    try stage.set(market, 0, asks: [("0.40", "100")])
    try stage.set(market, 1, asks: [("0.50", "100")])
    stage.change(market) { $0.isClosed = true }
    #expect(stage.scan().isEmpty)
    let markets = try event(stage)
    stage.change(markets[0]) { $0.isClosed = true }
    #expect(stage.scan().isEmpty)
  }

  @Test func `a clock that jumps makes no old book fresh and no fresh one old for ever`() throws {
    let stage = try Stage(bookAgeSeconds: 10)
    let market = try stage.add()
    func renew() throws {
      try stage.set(market, 0, asks: [("0.40", "100")])
      try stage.set(market, 1, asks: [("0.50", "100")])
    }
    try renew()
    let start = stage.now
    #expect(stage.only() != nil)
    for jump in [3600, -3600] as [Int64] {
      stage.now = start.advanced(bySeconds: jump)
      stage.scanner.scanAll(now: stage.now)
      #expect(stage.scanner.board.openCount == 0, "books of before the jump are not of now")
      try renew()
      #expect(stage.only() != nil)
      stage.now = start
      stage.scanner.scanAll(now: stage.now)
      #expect(stage.scanner.board.openCount == 0)
      try renew()
      stage.scan()
    }
  }

  @Test func `a book of a market that was never announced is passed over`() throws {
    let stage = try Stage()
    stage.scanner.bookChanged(0)
    stage.scanner.bookChanged(1_000_000)
    #expect(stage.scan().isEmpty)
  }

  @Test func `the sums of an event follow every change`() throws {
    var random = SeededRandom(seed: 31)
    let stage = try Stage(bookAgeSeconds: 100_000)
    let markets = try (0..<30).map { _ in try stage.add(event: "e") }
    for step in 0..<5000 {
      let market = markets[Int.random(in: 0..<30, using: &random)]
      let outcome = Int.random(in: 0...1, using: &random)
      switch Int.random(in: 0..<40, using: &random) {
      case 0:
        stage.change(market) {
          $0.isClosed.toggle()
          $0.winner = $0.isClosed ? 1 : nil
        }
      case 1: stage.change(market) { $0.isAcceptingOrders.toggle() }
      case 2: stage.feed.cache.markStale(stage.book(market, outcome))
      case 3: try stage.set(market, outcome)
      default:
        let mid = Int.random(in: 10...60, using: &random)
        try stage.set(market, outcome, bids: [("0.0\(mid)", "5")], asks: [("0.0\(mid + 1)", "5")])
      }
      stage.scan()
      if step % 50 == 0 { stage.scanner.scanAll(now: stage.now) }
    }
    #expect(stage.scanner.driftedSumCount == 0)
  }
}
