import Foundation
import Market
import Settling
import Store
import TestSupport
import Testing

/// The settler is killed while it books and settles; no fill is booked twice or forgotten.
@Suite struct SettlerCrashTests {
  static let fillCount: Int64 = 900

  private static func market(_ number: Int64) throws -> PredictionMarket {
    var market = try sampleMarket("m\(number)")
    market.payouts = [.one, .zero]
    return market
  }

  static func fills() throws -> [Fill] {
    try (1...fillCount).map { number in
      let market = number % 60
      let outcome = number % 3 == 0 ? "no" : "yes"
      return try fill(
        number, .buy, InstrumentID(venue: .polymarket, symbol: "m\(market)-\(outcome)"), "10", at: "0.4", fee: "0.01",
        market: "m\(market)")
    }
  }

  /// Books a few fills at a time and settles all that can be settled, until it is done or killed.
  static func work(_ directory: String, killAfterMicroseconds delay: UInt32?) throws {
    if let delay {
      Thread.detachNewThread {
        usleep(delay)
        kill(getpid(), SIGKILL)
      }
    }
    let all = try Journal(path: directory + "/journal.db")
    let ledger = try LedgerStore(path: directory + "/ledger.db")
    let settler = try Settler(ledger: ledger, planner: SettlementPlanner())
    let fills = try fills()
    try settler.openAccount(Money(dollars: 100_000), at: noon)
    while try all.lastSequence() < fillCount || settler.cursor < fillCount || !settler.pending.isEmpty {
      let next = Int(try all.lastSequence())
      var created: [Order] = []
      var changes: [OrderChange] = []
      for fill in fills[next..<min(next + 40, fills.count)] {
        var order = Order(
          id: fill.orderID, opportunityID: 1, strategy: fill.strategy, instrument: fill.instrument,
          marketID: fill.marketID, side: fill.side, limit: fill.price, quantity: fill.quantity, timeInForce: .fak,
          isUnwind: false, createdAt: fill.time)
        if try all.order(id: order.id) == nil { created.append(order) }
        order.state = .filled
        order.filled = fill.quantity
        changes.append(OrderChange(order: order, fills: [fill]))
      }
      try all.record(orders: created)
      try all.update(changes)
      _ = try settler.bookNewFills(from: all)
      for number in 0..<60 as Range<Int64> { try settler.learn(try market(number)) }
      for task in settler.takeDue(now: noon) {
        _ = try settler.finish(SettlementAnswer(task: task, result: .market(nil)), now: noon)
      }
    }
  }

  @Test func `a settler that is killed again and again ends with the same ledger as one that never was`() async throws {
    let directory = ScratchDirectory()
    let path = directory.path
    for delay in [15_000, 30_000, 45_000, 60_000, 75_000, 90_000] as [UInt32] {
      await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, delay = delay as UInt32] in
        try SettlerCrashTests.work(path, killAfterMicroseconds: delay)
        // Done before it was killed: wait for that.
        while true { pause() }
      }
      if FileManager.default.fileExists(atPath: path + "/ledger.db") {
        #expect(try LedgerStore(path: path + "/ledger.db").verify().problems == [])
      }
    }
    try SettlerCrashTests.work(path, killAfterMicroseconds: nil)
    let ledger = try LedgerStore(path: path + "/ledger.db")
    #expect(try ledger.verify().problems == [])
    #expect(try ledger.cursor() == Self.fillCount)
    #expect(try ledger.positions().isEmpty)
    // 900 × (4 + 0.01) paid, 600 × 10 received for YES.
    #expect(try ledger.balance(of: .cash) == (try money("102391")).raw)
    #expect(try ledger.balance(of: .fees(.binary, .polymarket)) == (try money("9")).raw)
    #expect(try ledger.balance(of: .realised(.binary, .polymarket)) == (try money("-2400")).raw)
  }
}
