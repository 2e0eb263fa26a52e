import Foundation
import Market
import Settling
import Store
import TestSupport
import Testing

@Suite struct SettlerTests {
  private let directory: ScratchDirectory
  private let terms = UpDownTerms(coin: "BTC", opensAt: noon.advanced(bySeconds: -900), closesAt: noon)
  private let key = MarketKey(venue: .polymarket, id: "m")

  init() throws { directory = ScratchDirectory() }

  private func open() throws -> (LedgerStore, Settler) {
    let ledger = try LedgerStore(path: directory.file("ledger.db"))
    return (ledger, try Settler(ledger: ledger, planner: SettlementPlanner()))
  }

  private func journal() throws -> Journal { try Journal(path: directory.file("journal.db")) }

  private func prices(_ start: [String], _ end: [String]) throws -> SettlementAnswer.Result {
    func observe(_ prices: [String], _ time: Timestamp) throws -> [PriceObservation] {
      try prices.enumerated().map { PriceObservation(source: "s\($0)", price: try price($1), time: time) }
    }
    return .prices(start: try observe(start, terms.opensAt), end: try observe(end, terms.closesAt), problems: [])
  }

  private func equity(_ settler: Settler) -> ProfitSummary {
    settler.value(sets: [], quote: { _ in Quote(bid: nil, ask: nil) }).summary
  }

  @Test func `fills are booked once, also when the settler starts anew`() throws {
    let journal = try journal()
    try journal.execute([
      try fill(1, .buy, yes, "100", at: "0.48", fee: "0.5"), try fill(2, .buy, no, "100", at: "0.49"),
    ])
    do {
      let (_, settler) = try open()
      try settler.openAccount(Money(dollars: 1000), at: noon)
      #expect(try settler.bookNewFills(from: journal).count == 2)
      #expect(try settler.bookNewFills(from: journal).isEmpty)
    }
    try journal.execute([try fill(3, .sell, yes, "40", at: "0.5")])
    let (ledger, settler) = try open()
    #expect(settler.cursor == 2)
    #expect(try settler.openAccount(Money(dollars: 5000), at: noon) == Money(dollars: 1000))
    #expect(try settler.bookNewFills(from: journal) == [PositionKey(.binary, yes)])
    #expect(settler.cursor == 3)
    // 1000 − 48.50 − 49 + 20 = 922.50; 60 YES at 28.80 and 100 NO at 49 are held; 20 − 19.20 = 0.80 is realised.
    let summary = equity(settler)
    #expect(summary.cash == (try money("922.5")))
    #expect(summary.positionValue == (try money("77.8")))
    #expect(summary.realised == (try money("0.8")))
    #expect(summary.fees == (try money("0.5")))
    #expect(summary.equity == (try money("1000.3")))
    #expect(Array(settler.pending.keys) == [key])
    #expect(try ledger.verify().isSound)
  }

  @Test func `complete sets of a market that ends late are money again, those of one that ends soon wait`() throws {
    let journal = try journal()
    try journal.execute([try fill(1, .buy, yes, "100", at: "0.48"), try fill(2, .buy, no, "60", at: "0.49")])
    let (ledger, settler) = try open()
    try settler.openAccount(Money(dollars: 1000), at: noon)
    _ = try settler.bookNewFills(from: journal)
    var market = try sampleMarket(upDown: nil)
    market.endsAt = noon.advanced(bySeconds: 601)
    try settler.learn(market)
    #expect(try settler.mergeSets(aheadSeconds: 601, now: noon).isEmpty)
    #expect(try settler.mergeSets(aheadSeconds: 600, now: noon).count == 2)
    #expect(try settler.mergeSets(aheadSeconds: 600, now: noon).isEmpty)
    // 1000 − 48 − 29.40 + 60 = 982.60; 60 sets cost 28.80 + 29.40 = 58.20: 1.80 is realised; 40 YES are left.
    let summary = equity(settler)
    #expect(summary.cash == (try money("982.6")))
    #expect(summary.realised == (try money("1.8")))
    #expect(settler.positions.map(\.quantity) == [try quantity("40")])
    #expect(settler.pending.count == 1)
    #expect(try ledger.verify().isSound)
    let standing = try ledger.standing()
    #expect(standing.cash == summary.cash && standing.cursor == 2)
  }

  @Test func `a merge is booked with what the chain takes, and one that brings no more than that waits`() throws {
    let journal = try journal()
    try journal.execute([try fill(1, .buy, yes, "60", at: "0.48"), try fill(2, .buy, no, "60", at: "0.49")])
    let (ledger, _) = try open()
    func settler(_ cost: String) throws -> Settler {
      let costs = ChainCosts([.init(from: Timestamp(nanoseconds: 0), cost: try money(cost))])
      return try Settler(ledger: ledger, planner: SettlementPlanner(), chainCosts: costs)
    }
    let dear = try settler("60")
    try dear.openAccount(Money(dollars: 1000), at: noon)
    _ = try dear.bookNewFills(from: journal)
    try dear.learn(try sampleMarket(upDown: nil))
    #expect(try dear.mergeSets(aheadSeconds: 600, now: noon).isEmpty)
    let cheap = try settler("0.02")
    try cheap.learn(try sampleMarket(upDown: nil))
    #expect(try cheap.mergeSets(aheadSeconds: 600, now: noon).count == 2)
    // 1000 − 28.80 − 29.40 + 60 − 0.02
    let summary = equity(cheap)
    #expect(summary.cash == (try money("1001.78")))
    #expect(summary.fees == (try money("0.02")))
    #expect(summary.realised == (try money("1.8")))
    #expect(try ledger.verify().isSound)
  }

  @Test func `an up/down market waits for its price, and settles when it comes`() throws {
    let journal = try journal()
    try journal.execute([try fill(1, .buy, yes, "100", at: "0.48")])
    let (ledger, settler) = try open()
    _ = try settler.bookNewFills(from: journal)
    try settler.learn(try sampleMarket(upDown: terms))
    #expect(settler.takeDue(now: noon).isEmpty)
    var now = noon.advanced(bySeconds: 2)
    let task = SettlementTask.prices(key, terms)
    #expect(settler.takeDue(now: now) == [task])
    #expect(settler.takeDue(now: now).isEmpty)
    // One source alone, then two that disagree, then none at all.
    let absent = try prices(["61000", "61001"], ["61010"])
    #expect(try settler.finish(SettlementAnswer(task: task, result: absent), now: now) == nil)
    #expect(settler.pending[key]?.problem.contains("1 of 2 sources") == true)
    for result in [try prices(["61000", "61001"], ["61010", "62000"]), .failed("no answer")] {
      now = now.advanced(bySeconds: 60)
      #expect(settler.takeDue(now: now) == [task])
      #expect(try settler.finish(SettlementAnswer(task: task, result: result), now: now) == nil)
    }
    #expect(settler.counters.leftPending == 3)
    #expect(settler.counters.withoutPrice == 3)
    #expect(try ledger.pendingMarkets().first?.attempts == 3)
    #expect(settler.positions.count == 1)

    now = now.advanced(bySeconds: 60)
    #expect(settler.takeDue(now: now) == [task])
    let answer = SettlementAnswer(task: task, result: try prices(["61000", "61002"], ["61010", "61012"]))
    let settlement = try settler.finish(answer, now: now)
    #expect(settlement?.method == .consensus)
    #expect(settlement?.payouts == [.one, .zero])
    #expect(settlement?.received == Money(dollars: 100))
    #expect(settlement?.realised == Money(dollars: 52))
    #expect(settlement?.startPrice == (try price("61001")))
    #expect(settlement?.endPrice == (try price("61011")))
    // 2 ÷ 61,001 in millionths, rounded up.
    #expect(settlement?.spreadMillionths == 33)
    #expect(settlement?.sequence == 1)
    #expect(settler.pending.isEmpty)
    #expect(settler.positions.isEmpty)
    #expect(try ledger.settlement(of: key) == settlement)
    #expect(try ledger.verify().isSound)
  }

  @Test func `a settled market is not settled again after a restart`() throws {
    let journal = try journal()
    try journal.execute([try fill(1, .buy, yes, "100", at: "0.48")])
    let task = SettlementTask.prices(key, terms)
    let answer = SettlementAnswer(task: task, result: try prices(["61000", "61002"], ["61010", "61012"]))
    let now = noon.advanced(bySeconds: 5)
    do {
      let (_, settler) = try open()
      _ = try settler.bookNewFills(from: journal)
      try settler.learn(try sampleMarket(upDown: terms))
      _ = settler.takeDue(now: now)
      #expect(try settler.finish(answer, now: now) != nil)
      #expect(try settler.finish(answer, now: now) == nil)
    }
    let (ledger, settler) = try open()
    #expect(try settler.bookNewFills(from: journal).isEmpty)
    try settler.learn(try sampleMarket(upDown: terms))
    #expect(settler.takeDue(now: now).isEmpty)
    #expect(try settler.finish(answer, now: now) == nil)
    #expect(try ledger.settlements(limit: 10).count == 1)
    #expect(try ledger.balance(of: .cash) == Money(dollars: 52).raw)
  }

  @Test func `a fill that comes after the settlement is paid by the same resolution`() throws {
    let journal = try journal()
    try journal.execute([try fill(1, .buy, yes, "100", at: "0.48")])
    let (ledger, settler) = try open()
    let now = noon.advanced(bySeconds: 5)
    var market = try sampleMarket()
    market.isClosed = true
    market.payouts = [.zero, .one]
    _ = try settler.bookNewFills(from: journal)
    try settler.learn(market)
    let first = try settler.finish(SettlementAnswer(task: settler.takeDue(now: now)[0], result: .market(nil)), now: now)
    #expect(first?.received == .zero)
    try journal.execute([try fill(2, .buy, no, "10", at: "0.5")])
    _ = try settler.bookNewFills(from: journal)
    // Another answer now does not undo what was paid.
    market.payouts = [.one, .zero]
    try settler.learn(market)
    let second = try settler.finish(
      SettlementAnswer(task: settler.takeDue(now: now)[0], result: .market(nil)), now: now)
    #expect(second?.round == 2)
    #expect(second?.payouts == [.zero, .one])
    #expect(second?.received == Money(dollars: 10))
    #expect(try ledger.verify().isSound)
  }

  @Test(arguments: [(["1", "0"], "100"), (["0", "1"], "60"), (["0.5", "0.5"], "80")])
  func `the venue's resolution settles a market that is closed`(payouts: [String], received: String) throws {
    let journal = try journal()
    try journal.execute([
      try fill(1, .buy, yes, "100", at: "0.48"), try fill(2, .buy, no, "60", at: "0.5", fee: "0.1", strategy: .negRisk),
    ])
    let (_, settler) = try open()
    let now = noon.advanced(bySeconds: 5)
    _ = try settler.bookNewFills(from: journal)
    // First it must be known what the market is.
    #expect(settler.takeDue(now: now) == [.metadata(key)])
    var market = try sampleMarket()
    market.isClosed = true
    #expect(
      try settler.finish(SettlementAnswer(task: .metadata(key), result: .market(market)), now: now) == nil)
    #expect(settler.counters.leftPending == 0)
    #expect(settler.takeDue(now: now) == [.resolution(key)])
    #expect(
      try settler.finish(SettlementAnswer(task: .resolution(key), result: .market(market)), now: now) == nil)
    #expect(settler.pending[key]?.problem == "closed, not resolved yet")
    market.payouts = try payouts.map { try price($0) }
    let later = now.advanced(bySeconds: 60)
    #expect(settler.takeDue(now: later) == [.resolution(key)])
    let settlement = try settler.finish(
      SettlementAnswer(task: .resolution(key), result: .market(market)), now: later)
    #expect(settlement?.method == .venue)
    #expect(settlement?.received == (try money(received)))
    #expect(settlement?.realised == (try money(received)) - (try money("78")))
    #expect(equity(settler).strategies.map(\.strategy) == [.binary, .negRisk])
  }

  @Test func `one market that cannot be settled does not hinder another`() throws {
    let journal = try journal()
    let other = InstrumentID(venue: .polymarket, symbol: "b-yes")
    try journal.execute([
      try fill(1, .buy, InstrumentID(venue: .polymarket, symbol: "stranger"), "5", at: "0.5"),
      try fill(2, .buy, other, "10", at: "0.5", market: "b"),
    ])
    let (ledger, settler) = try open()
    let now = noon.advanced(bySeconds: 5)
    _ = try settler.bookNewFills(from: journal)
    for id in ["m", "b"] {
      var market = try sampleMarket(id)
      market.payouts = [.one, .zero]
      try settler.learn(market)
    }
    let tasks = settler.takeDue(now: now)
    #expect(tasks.count == 2)
    var settled: [Settlement] = []
    for task in tasks {
      if let settlement = try settler.finish(SettlementAnswer(task: task, result: .market(nil)), now: now) {
        settled.append(settlement)
      }
    }
    #expect(settled.map(\.key.id) == ["b"])
    #expect(settler.pending[key]?.problem.contains("stranger is no outcome") == true)
    #expect(try ledger.verify().isSound)
  }

  @Test func `a fill whose match failed leaves neither cash nor shares behind`() throws {
    let journal = try journal()
    let (ledger, settler) = try open()
    try settler.openAccount(Money(dollars: 1000), at: noon)
    try journal.execute([
      try fill(1, .buy, yes, "100", at: "0.4", fee: "0.5"), try fill(2, .buy, yes, "50", at: "0.5", fee: "0.25"),
    ])
    _ = try settler.bookNewFills(from: journal)
    try journal.reverse(fill: 2, reason: "FAILED", at: noon)
    _ = try settler.bookNewFills(from: journal)
    // 1000 − 40.50; the 50 leave at their average cost of 65 ÷ 150, and the difference to 25 is realised.
    let summary = equity(settler)
    #expect(summary.cash == (try money("959.5")))
    #expect(summary.fees == (try money("0.5")))
    #expect(settler.positions.map(\.quantity) == [try quantity("100")])
    #expect(summary.equity == (try money("999.5")) + summary.realised + summary.unrealised)
    #expect(summary.equity == summary.cash + summary.positionValue)
    #expect(try ledger.verify().isSound)
  }

  @Test func `a market of which nothing is held any more is not waited for`() throws {
    let journal = try journal()
    let (ledger, settler) = try open()
    try journal.execute([try fill(1, .buy, yes, "10", at: "0.4")])
    _ = try settler.bookNewFills(from: journal)
    #expect(settler.pending.count == 1)
    try journal.execute([try fill(2, .sell, yes, "10", at: "0.5"), try fill(3, .buy, no, "1", at: "0.5", market: "b")])
    _ = try settler.bookNewFills(from: journal)
    #expect(settler.pending.keys.map(\.id) == ["b"])
    #expect(try ledger.pendingMarkets().map(\.key.id) == ["b"])
  }

  @Test func `a fill that cannot be booked stops those behind it, and loses none before it`() throws {
    let journal = try journal()
    var monster = try fill(2, .buy, yes, "1", at: "1")
    monster.price = Price(raw: .max)
    monster.quantity = Quantity(raw: .max)
    try journal.execute([try fill(1, .buy, yes, "10", at: "0.4"), monster, try fill(3, .buy, yes, "10", at: "0.4")])
    let (ledger, settler) = try open()
    #expect(throws: BookingError.tooLarge(reference: "fill/2")) { _ = try settler.bookNewFills(from: journal) }
    #expect(settler.cursor == 1)
    #expect(settler.positions.map(\.quantity) == [try quantity("10")])
    #expect(throws: BookingError.self) { _ = try settler.bookNewFills(from: journal) }
    #expect(try ledger.verify().isSound)
  }

  @Test func `a full disk leaves ledger and settler where they were, until there is room`() throws {
    let journal = try journal()
    let path = directory.file("small.db")
    let fills = try (1...400 as ClosedRange<Int64>).map {
      try fill($0, .buy, InstrumentID(venue: .polymarket, symbol: "t\($0)"), "10", at: "0.4", market: "m\($0)")
    }
    try journal.execute(fills)
    do {
      let ledger = try LedgerStore(path: path, pagesMax: 40)
      let settler = try Settler(ledger: ledger, planner: SettlementPlanner())
      let error = #expect(throws: StoreError.self) { _ = try settler.bookNewFills(from: journal) }
      #expect(error?.code == .full)
      #expect(settler.cursor == 0)
      #expect(settler.positions.isEmpty)
      #expect(settler.pending.isEmpty)
      #expect(settler.balances.isEmpty)
      #expect(try ledger.cursor() == 0)
    }
    let ledger = try LedgerStore(path: path)
    let settler = try Settler(ledger: ledger, planner: SettlementPlanner())
    #expect(try settler.bookNewFills(from: journal).count == 400)
    #expect(try ledger.verify().isSound)
  }
}
