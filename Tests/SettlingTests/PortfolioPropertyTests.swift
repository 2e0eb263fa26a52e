import Foundation
import Market
import Settling
import Store
import TestSupport
import Testing

/// A life of the settler, at random: fills, prices, settlements, restarts.
@Suite struct PortfolioPropertyTests {
  @Test(arguments: 1...6)
  func `the ledger always balances, and equity is what was paid in and what was gained`(seed: Int) throws {
    let directory = ScratchDirectory()
    var random = SeededGenerator(seed: UInt64(seed))
    let journal = try Journal(path: directory.file("journal.db"))
    let ledger = try LedgerStore(path: directory.file("ledger.db"))
    var settler = try Settler(ledger: ledger, planner: SettlementPlanner())
    try settler.openAccount(Money(dollars: 10_000), at: noon)
    var quotes: [InstrumentID: Quote] = [:]
    var sequence: Int64 = 0
    var now = noon
    let markets = try (0..<6).map { try sampleMarket("m\($0)") }
    for _ in 0..<60 {
      now = now.advanced(bySeconds: 30)
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<6:
        var fills: [Fill] = []
        for _ in 0..<Int.random(in: 1...12, using: &random) {
          sequence += 1
          let market = markets[Int.random(in: 0..<6, using: &random)]
          let instrument = InstrumentID(
            venue: .polymarket, symbol: market.outcomes[Int.random(in: 0...1, using: &random)].token)
          var trade = try fill(
            sequence, Int.random(in: 0..<3, using: &random) == 0 ? .sell : .buy, instrument, "1", at: "0.5",
            market: market.id, strategy: Strategy.allCases[Int.random(in: 0..<3, using: &random)])
          trade.price = Price(raw: Int64.random(in: 1..<100_000_000, using: &random))
          trade.quantity = Quantity(raw: Int64.random(in: 1...20_000_000_000, using: &random))
          trade.fee = Money(raw: Int64.random(in: 0...5_000_000, using: &random))
          fills.append(trade)
        }
        try journal.execute(fills)
        _ = try settler.bookNewFills(from: journal)
      case 6, 7:
        for market in markets {
          for outcome in market.outcomes where Bool.random(using: &random) {
            let bid = Int64.random(in: 1..<90_000_000, using: &random)
            quotes[InstrumentID(venue: .polymarket, symbol: outcome.token)] = Quote(
              bid: Price(raw: bid), ask: Price(raw: bid + 1_000_000))
          }
        }
      case 8:
        guard let pending = settler.pending.keys.randomElement(using: &random) else { continue }
        var market = markets.first { $0.id == pending.id }!
        let share = Int64([0, 100_000_000, 50_000_000, 33_333_333].randomElement(using: &random)!)
        market.payouts = [Price(raw: share), Price(raw: 100_000_000 - share)]
        let task = SettlementTask.metadata(pending)
        _ = try settler.finish(SettlementAnswer(task: task, result: .market(market)), now: now)
        _ = try settler.finish(
          SettlementAnswer(task: .resolved(pending, payouts: market.payouts!), result: .market(nil)), now: now)
      default:
        settler = try Settler(
          ledger: try LedgerStore(path: directory.file("ledger.db")), planner: SettlementPlanner())
      }
      let sets = markets.map { CompleteSet(of: $0) }
      let (summary, positions) = settler.value(sets: sets) { quotes[$0] ?? Quote(bid: nil, ask: nil) }
      let gained = summary.realised + summary.unrealised - summary.fees - summary.rounding
      #expect(summary.equity == summary.deposits + gained)
      #expect(summary.deposits == Money(dollars: 10_000))
      #expect(positions.map(\.position).sorted { "\($0.key)" < "\($1.key)" } == settler.positions)
      for position in positions where position.inSets.raw != 0 {
        #expect((position.inSets.raw > 0) == (position.position.quantity.raw > 0))
        #expect(position.inSets.raw.magnitude <= position.position.quantity.raw.magnitude)
      }
    }
    #expect(settler.cursor == sequence)
    let report = try ledger.verify()
    #expect(report.problems == [])
    #expect(report.transactions > sequence)
  }

  @Test func `complete sets are worth 1 each, the rest its best bid, or its cost where there is none`() throws {
    let bid = Quote(bid: try price("0.3"), ask: try price("0.35"))
    func position(_ instrument: InstrumentID, _ size: String, _ cost: String) throws -> Position {
      Position(
        key: PositionKey(.binary, instrument), marketID: "m", quantity: try quantity(size), cost: try money(cost))
    }
    let sets = [CompleteSet(of: try sampleMarket())]
    let held = [try position(yes, "100", "48"), try position(no, "80", "36")]
    // 80 sets are worth 80, the other 20 YES 0.30 each: 40 + 6 and 40.
    let valued = Valuation.value(held, sets: sets) { _ in bid }
    #expect(valued.map(\.value) == [try money("46"), try money("40")])
    #expect(valued.map(\.inSets) == [try quantity("80"), try quantity("80")])
    #expect(valued.map(\.unrealised) == [try money("-2"), try money("4")])
    // Without a bid the 20 are worth 20 ÷ 100 of what all cost.
    let blind = Valuation.value(held, sets: sets) { _ in Quote(bid: nil, ask: nil) }
    #expect(blind.map(\.value) == [try money("49.6"), try money("40")])
    // Sold sets are owed at 1; a short rest costs the best ask.
    let short = [try position(yes, "-100", "-52"), try position(no, "-80", "-44")]
    let owed = Valuation.value(short, sets: sets) { _ in bid }
    #expect(owed.map(\.value) == [try money("-47"), try money("-40")])
  }

  @Test func `the outcomes of a neg-risk event form sets across its markets`() throws {
    var markets = try ["a", "b", "c"].map { try sampleMarket($0) }
    #expect(CompleteSet.ofNegRiskEvent(markets).isEmpty)
    for index in markets.indices { markets[index].isNegRisk = true }
    let sets = CompleteSet.ofNegRiskEvent(markets)
    #expect(sets.map(\.worth) == [Money(dollars: 1), Money(dollars: 2)])
    let positions = try markets.map {
      Position(
        key: PositionKey(.negRisk, InstrumentID(venue: .polymarket, symbol: $0.outcomes[1].token)), marketID: $0.id,
        quantity: try quantity("10"), cost: try money("6"))
    }
    let valued = Valuation.value(positions, sets: sets) { _ in Quote(bid: nil, ask: nil) }
    // 10 NO of each of three: 20 for certain, divided evenly; what does not divide goes to the first.
    #expect(valued.reduce(Money.zero) { $0 + $1.value } == Money(dollars: 20))
    #expect(valued.map(\.value.raw) == [666_666_668, 666_666_666, 666_666_666])
    markets[1].isAugmented = true
    #expect(CompleteSet.ofNegRiskEvent(markets).isEmpty)
  }
}
