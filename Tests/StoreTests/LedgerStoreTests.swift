import Foundation
import Market
import Store
import TestSupport
import Testing

@Suite struct LedgerStoreTests {
  private let directory: ScratchDirectory
  private var path: String { directory.file("ledger.db") }
  private let key = PositionKey(.binary, yes)

  init() throws { directory = ScratchDirectory() }

  private func deposit(_ dollars: Int, _ reference: String = "deposit/1") -> LedgerTransaction {
    let amount = Money(dollars: dollars).raw
    return LedgerTransaction(
      kind: .deposit, reference: reference, time: noon,
      entries: [LedgerEntry(.cash, amount), LedgerEntry(.deposits, -amount)])
  }

  /// 100 shares bought at 0.48, with a fee of 0.50.
  private func purchase(_ reference: String = "fill/1") throws -> LedgerTransaction {
    LedgerTransaction(
      kind: .fill, reference: reference, time: noon,
      entries: [
        LedgerEntry(.cash, try money("-48.5").raw), LedgerEntry(.cost(key), try money("48").raw),
        LedgerEntry(.fees(.binary, .polymarket), try money("0.5").raw),
        LedgerEntry(.shares(key), try quantity("100").raw), LedgerEntry(.market(yes), try quantity("-100").raw),
      ])
  }

  private func position(_ size: String, _ cost: String) throws -> Position {
    Position(key: key, marketID: "0xabc", quantity: try quantity(size), cost: try money(cost))
  }

  @Test func `a batch is booked as a whole and is there after a restart`() throws {
    var batch = LedgerBatch()
    batch.transactions = [deposit(1000), try purchase()]
    batch.positions = [try position("100", "48")]
    batch.pendingMarkets = [MarketKey(venue: .polymarket, id: "0xabc")]
    batch.cursor = LedgerBatch.CursorMove(from: 0, to: 1)
    do { try LedgerStore(path: path).commit(batch) }
    let ledger = try LedgerStore(path: path)
    #expect(try ledger.cursor() == 1)
    #expect(try ledger.positions() == batch.positions)
    #expect(try ledger.balance(of: .cash) == money("951.5").raw)
    #expect(try ledger.balance(of: .deposits) == money("-1000").raw)
    #expect(try ledger.balances()[.fees(.binary, .polymarket)] == money("0.5").raw)
    #expect(try ledger.transactions(limit: 10) == batch.transactions.reversed())
    #expect(try ledger.isBooked("fill/1"))
    #expect(try !ledger.isBooked("fill/2"))
    #expect(try ledger.pendingMarkets().map(\.key) == Array(batch.pendingMarkets))
    let report = try ledger.verify()
    #expect(report.isSound)
    #expect(report.transactions == 2)
    #expect(report.entries == 7)
  }

  @Test(arguments: ["unbalanced", "commodity", "twice", "cursor", "position", "overflow", "settlement"])
  func `a batch with one fault is discarded as a whole`(_ fault: String) throws {
    let ledger = try LedgerStore(path: path)
    var first = LedgerBatch()
    first.transactions = [deposit(1000)]
    try ledger.commit(first)
    var batch = LedgerBatch()
    batch.transactions = [deposit(5, "deposit/2"), try purchase()]
    batch.positions = [try position("100", "48")]
    batch.pendingMarkets = [MarketKey(venue: .polymarket, id: "0xabc")]
    batch.cursor = LedgerBatch.CursorMove(from: 0, to: 1)
    let expected: StoreError.Code
    switch fault {
    case "unbalanced":
      batch.transactions[1].entries[0].amount += 1
      expected = .unbalanced
    case "commodity":
      // Balanced as a number, but shares are no dollars.
      batch.transactions[1].entries.removeLast()
      batch.transactions[1].entries.append(LedgerEntry(.deposits, try quantity("-100").raw))
      expected = .unbalanced
    case "twice":
      batch.transactions.append(deposit(7, "deposit/1"))
      expected = .duplicate
    case "cursor":
      batch.cursor = LedgerBatch.CursorMove(from: 1, to: 2)
      expected = .conflict
    case "position":
      batch.positions[0].cost = try money("48.00000001")
      expected = .conflict
    case "overflow":
      let entries = [LedgerEntry(.cash, Int64.max), LedgerEntry(.deposits, -Int64.max)]
      batch.transactions.append(
        LedgerTransaction(kind: .deposit, reference: "deposit/3", time: noon, entries: entries))
      expected = .tooLarge
    default:
      batch.settlements = [try settlement(payouts: [.one])]
      expected = .invalid
    }
    let error = #expect(throws: StoreError.self) { try ledger.commit(batch) }
    #expect(error?.code == expected)
    #expect(try ledger.cursor() == 0)
    #expect(try ledger.transactionCount() == 1)
    #expect(try ledger.positions().isEmpty)
    #expect(try ledger.pendingMarkets().isEmpty)
    #expect(try ledger.balance(of: .cash) == money("1000").raw)
    #expect(try ledger.balance(of: .cost(key)) == 0)
    #expect(try ledger.verify().isSound)
  }

  @Test func `a position that is closed leaves no row`() throws {
    let ledger = try LedgerStore(path: path)
    var batch = LedgerBatch()
    batch.transactions = [try purchase()]
    batch.positions = [try position("100", "48")]
    batch.cursor = LedgerBatch.CursorMove(from: 0, to: 1)
    try ledger.commit(batch)
    var sale = try purchase("fill/2")
    for index in sale.entries.indices { sale.entries[index].amount.negate() }
    batch.transactions = [sale]
    batch.positions = [try position("0", "0")]
    batch.cursor = LedgerBatch.CursorMove(from: 1, to: 2)
    try ledger.commit(batch)
    #expect(try ledger.positions().isEmpty)
    #expect(try ledger.verify().isSound)
  }

  @Test(
    arguments: [
      "UPDATE entries SET amount = amount + 1 WHERE transaction_id = 2 AND number = 1",
      "UPDATE accounts SET balance = balance - 1 WHERE name = 'assets/cash'",
      "UPDATE positions SET quantity = quantity + 1", "DELETE FROM positions",
      "DELETE FROM entries WHERE transaction_id = 2", "UPDATE cursors SET value = 5",
    ])
  func `the ledger sees that it was tampered with`(_ sql: String) throws {
    let ledger = try LedgerStore(path: path)
    var batch = LedgerBatch()
    batch.transactions = [deposit(1000), try purchase()]
    batch.positions = [try position("100", "48")]
    batch.cursor = LedgerBatch.CursorMove(from: 0, to: 1)
    try ledger.commit(batch)
    #expect(try ledger.verify().isSound)
    let intruder = try Database(path: path, access: .readWrite(.normal))
    #expect(try intruder.execute(sql) > 0)
    #expect(try !ledger.verify().isSound)
  }

  private func settlement(payouts: [Price] = [.one, .zero]) throws -> Settlement {
    Settlement(
      key: MarketKey(venue: .polymarket, id: "0xabc"), round: 1, question: "Up or down?", method: .consensus,
      payouts: payouts, received: try money("100"), realised: try money("52"), startPrice: try price("61000"),
      endPrice: try price("61000.5"), spreadMillionths: 120, sources: 2, settledAt: noon)
  }

  private func market() throws -> PredictionMarket {
    var market = PredictionMarket(
      venue: .polymarket, id: "0xabc", eventID: "e7", question: "Up or down?",
      outcomes: [Outcome(token: "111", name: "Up"), Outcome(token: "222", name: "Down")], tick: try price("0.01"))
    market.endsAt = noon
    market.upDown = UpDownTerms(coin: "BTC", opensAt: noon.advanced(bySeconds: -900), closesAt: noon)
    return market
  }

  @Test func `a pending market keeps what is known of it until it is settled`() throws {
    let key = MarketKey(venue: .polymarket, id: "0xabc")
    var market = try market()
    do {
      let ledger = try LedgerStore(path: path)
      try ledger.store(market)
      #expect(try ledger.pendingMarkets().isEmpty)
      var batch = LedgerBatch()
      batch.pendingMarkets = [key]
      try ledger.commit(batch)
      try ledger.commit(batch)
      #expect(try ledger.pendingMarkets() == [PendingMarket(key: key)])
      try ledger.store(market)
      try ledger.notePending(key, problem: "no price", at: noon)
    }
    let ledger = try LedgerStore(path: path)
    #expect(
      try ledger.pendingMarkets() == [
        PendingMarket(key: key, market: market, attempts: 1, checkedAt: noon, problem: "no price")
      ])
    market.upDown = nil
    market.isClosed = true
    market.payouts = [.zero, .one]
    try ledger.store(market)
    #expect(try ledger.pendingMarkets().first?.market == market)

    var batch = LedgerBatch()
    batch.settlements = [try settlement()]
    try ledger.commit(batch)
    #expect(try ledger.pendingMarkets().isEmpty)
    var expected = try settlement()
    expected.sequence = 1
    #expect(try ledger.settlement(of: key) == expected)
    #expect(try ledger.settlements(limit: 5) == [expected])
    let again = #expect(throws: StoreError.self) { try ledger.commit(batch) }
    #expect(again?.code == .duplicate)
    batch.settlements[0].round = 2
    try ledger.commit(batch)
    #expect(try ledger.settlement(of: key)?.round == 2)
    #expect(try ledger.settlements(limit: 5).map(\.sequence) == [2, 1])
  }

  @Test func `profits are told by day, strategy and venue`() throws {
    let ledger = try LedgerStore(path: path)
    var batch = LedgerBatch()
    for (number, days) in [0, 0, 1].enumerated() {
      let gain = try money("2").raw
      let fee = try money("0.25").raw
      batch.transactions.append(
        LedgerTransaction(
          kind: .fill, reference: "fill/\(number + 1)", time: noon.advanced(bySeconds: Int64(days) * 86_400),
          entries: [
            LedgerEntry(.cash, gain - fee), LedgerEntry(.fees(.spike, .kalshi), fee),
            LedgerEntry(.realised(.spike, .kalshi), -gain),
          ]))
    }
    try ledger.commit(batch)
    let profits = try ledger.dailyProfits(since: noon)
    #expect(profits.map(\.realised) == [try money("4"), try money("2")])
    #expect(profits.map(\.fees) == [try money("0.5"), try money("0.25")])
    #expect(
      profits.map(\.day) == [
        noon.floored(toSeconds: 86_400), noon.advanced(bySeconds: 86_400).floored(toSeconds: 86_400),
      ])
    #expect(try ledger.dailyProfits(since: noon.advanced(bySeconds: 86_400)).count == 1)
  }

  @Test func `random transactions agree with a plain sum, and 100,000 entries prove right`() throws {
    let ledger = try LedgerStore(path: path)
    var random = SeededGenerator(seed: 11)
    let accounts = (0..<40).map { LedgerAccount(name: "test/\($0)", commodity: "C\($0 % 3)") }
    var oracle: [LedgerAccount: Int64] = [:]
    var number = 0
    var entryCount = 0
    while entryCount < 100_000 {
      var batch = LedgerBatch()
      for _ in 0..<500 {
        number += 1
        var entries: [LedgerEntry] = []
        for commodity in 0..<3 where Bool.random(using: &random) || commodity == 0 {
          let own = accounts.filter { $0.commodity == "C\(commodity)" }
          var rest: Int64 = 0
          for _ in 0..<Int.random(in: 1...4, using: &random) {
            let amount = Int64.random(in: -1_000_000...1_000_000, using: &random)
            entries.append(LedgerEntry(own.randomElement(using: &random)!, amount))
            rest -= amount
          }
          entries.append(LedgerEntry(own.randomElement(using: &random)!, rest))
        }
        let transaction = LedgerTransaction(kind: .deposit, reference: "t\(number)", time: noon, entries: entries)
        batch.transactions.append(transaction)
        entryCount += transaction.entries.count
      }
      let isRefused = Int.random(in: 0..<10, using: &random) == 0
      if isRefused { batch.transactions[250].entries.append(LedgerEntry(accounts[0], 1)) }
      do {
        try ledger.commit(batch)
        for entry in batch.transactions.flatMap(\.entries) { oracle[entry.account, default: 0] += entry.amount }
        #expect(!isRefused)
      } catch {
        #expect(isRefused)
        entryCount -= batch.transactions.reduce(-1) { $0 + $1.entries.count }
      }
    }
    #expect(try ledger.balances().filter { $0.value != 0 } == oracle.filter { $0.value != 0 })
    let report = try ledger.verify()
    #expect(report.isSound)
    #expect(report.entries == Int64(entryCount))
  }
}
