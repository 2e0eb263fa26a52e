import Market
import Settling
import Store
import Testing

@Suite struct SettlementPlannerTests {
  private let planner = SettlementPlanner()
  private let key = MarketKey(venue: .polymarket, id: "m")
  private let terms = UpDownTerms(coin: "BTC", opensAt: noon.advanced(bySeconds: -900), closesAt: noon)

  private func observe(_ prices: [String], at time: Timestamp) throws -> [PriceObservation] {
    try prices.enumerated().map { PriceObservation(source: "s\($0)", price: try price($1), time: time) }
  }

  private func decide(_ start: [String], _ end: [String]) throws -> SettlementDecision {
    planner.decide(
      terms, start: try observe(start, at: terms.opensAt), end: try observe(end, at: terms.closesAt))
  }

  private func due(_ pending: PendingMarket, seconds: Int64) -> [SettlementTask] {
    planner.due([pending], inFlight: [], now: noon.advanced(bySeconds: seconds))
  }

  @Test func `a higher price is Up, a lower one is Down, and the same is Up`() throws {
    func payouts(_ decision: SettlementDecision) -> [Price]? {
      if case .settle(let terms) = decision { terms.payouts } else { nil }
    }
    #expect(payouts(try decide(["61000", "61002"], ["61010", "61012"])) == [.one, .zero])
    #expect(payouts(try decide(["61010", "61012"], ["61000", "61002"])) == [.zero, .one])
    #expect(payouts(try decide(["61000", "61002"], ["61002", "61000"])) == [.one, .zero])
    #expect(payouts(try decide(["61000", "61002"], ["61001", "61000.99999998"])) == [.zero, .one])
    guard case .settle(let terms) = try decide(["61000", "61002"], ["61010", "61012"]) else {
      Issue.record("expected a settlement")
      return
    }
    #expect(terms.method == .consensus)
    #expect(terms.start?.price == (try price("61001")))
    #expect(terms.end?.price == (try price("61011")))
  }

  @Test func `without a price at either end the market stays pending, and says at which`() throws {
    guard case .pending(let start) = try decide(["61000"], ["61010", "61012"]) else {
      Issue.record("expected to stay pending")
      return
    }
    #expect(start.contains("at the start") && start.contains("1 of 2 sources"))
    guard case .pending(let end) = try decide(["61000", "61002"], ["61010", "63000"]) else {
      Issue.record("expected to stay pending")
      return
    }
    #expect(end.contains("at the end") && end.contains("do not agree"))
  }

  @Test(arguments: [["1", "0"], ["0", "1"], ["0.5", "0.5"]])
  func `the venue's resolution settles all other markets`(payouts: [String]) throws {
    var market = try sampleMarket()
    market.isClosed = true
    #expect(planner.decide(market) == .pending("closed, not resolved yet"))
    market.payouts = try payouts.map { try price($0) }
    #expect(
      planner.decide(market) == .settle(SettlementTerms(method: .venue, payouts: market.payouts!, start: nil, end: nil))
    )
    market.payouts = [.one, .one]
    guard case .pending(let problem) = planner.decide(market) else {
      Issue.record("expected to stay pending")
      return
    }
    #expect(problem.contains("no resolution"))
  }

  @Test func `an up/down market is due when its last candle can be had`() throws {
    let market = PendingMarket(key: key, market: try sampleMarket(upDown: terms))
    #expect(due(market, seconds: -1).isEmpty)
    #expect(due(market, seconds: 1).isEmpty)
    #expect(due(market, seconds: 2) == [.prices(key, terms)])
    #expect(due(market, seconds: 86_400) == [.prices(key, terms)])
  }

  @Test func `the venue's resolution never settles an up/down market`() throws {
    var market = try sampleMarket(upDown: terms)
    market.isClosed = true
    market.payouts = [.one, .zero]
    #expect(due(PendingMarket(key: key, market: market), seconds: 5) == [.prices(key, terms)])
  }

  @Test func `another market is due when it is closed or past its end, and rarely before`() throws {
    var market = try sampleMarket()
    #expect(due(PendingMarket(key: key), seconds: 0) == [.metadata(key)])
    #expect(due(PendingMarket(key: key, market: market), seconds: 0) == [.resolution(key)])
    let checked = PendingMarket(key: key, market: market, attempts: 3, checkedAt: noon, problem: "still open")
    #expect(due(checked, seconds: 599).isEmpty)
    #expect(due(checked, seconds: 600) == [.resolution(key)])
    market.endsAt = noon
    let ended = PendingMarket(key: key, market: market, attempts: 1, checkedAt: noon.advanced(bySeconds: -10))
    #expect(due(ended, seconds: -1).isEmpty)
    #expect(due(ended, seconds: 0) == [.resolution(key)])
    market.payouts = [.one, .zero]
    #expect(due(PendingMarket(key: key, market: market), seconds: 0) == [.resolved(key, payouts: [.one, .zero])])
  }

  @Test func `the pauses between attempts double up to a limit`() throws {
    func pause(_ attempts: Int) throws -> Int64? {
      let market = PendingMarket(
        key: key, market: try sampleMarket(upDown: terms), attempts: attempts,
        checkedAt: noon.advanced(bySeconds: 100), problem: "no price")
      return (0...1000).first { !due(market, seconds: 100 + $0).isEmpty }
    }
    #expect(try (1...9).map { try pause($0) } == [2, 4, 8, 16, 32, 64, 128, 256, 300])
    #expect(try pause(1_000_000) == 300)
  }

  @Test func `at most so many are asked about at once, the longest untried first`() throws {
    let markets = (0..<100).map { number in
      PendingMarket(
        key: MarketKey(venue: .polymarket, id: "m\(number)"), attempts: 1,
        checkedAt: noon.advanced(bySeconds: Int64((number * 37) % 100)))
    }
    let now = noon.advanced(bySeconds: 1000)
    let first = planner.due(markets, inFlight: [], now: now)
    #expect(first.count == planner.tasksMax)
    #expect(first.first?.key == markets[0].key)
    let inFlight = Set(first.map(\.key))
    #expect(planner.due(markets, inFlight: inFlight, now: now).isEmpty)
    let rest = planner.due(markets, inFlight: Set(first.prefix(30).map(\.key)), now: now)
    #expect(rest.count == 2)
    #expect(inFlight.intersection(rest.map(\.key)).count == 2)
  }
}
