import Daemon
import Market
import Presenting
import Store
import TestSupport
import Testing
import Web

@Suite struct StoreCommandTests {
  private let directory: ScratchDirectory
  private let file: String
  private let yes = InstrumentID(venue: .polymarket, symbol: "111")
  private let no = InstrumentID(venue: .polymarket, symbol: "222")

  init() throws {
    directory = ScratchDirectory()
    file = try directory.configure()
  }

  private func order(_ id: String, _ instrument: InstrumentID, _ opportunity: UInt64, at time: Timestamp) throws
    -> Order
  {
    Order(
      id: id, opportunityID: opportunity, strategy: .binary, instrument: instrument, marketID: "0xabc", side: .buy,
      limit: try Price("0.48"), quantity: Quantity(units: 100), timeInForce: .fak, isUnwind: false, createdAt: time)
  }

  private func fill(_ order: Order, _ price: String, _ quantity: Int) throws -> Fill {
    Fill(
      orderID: order.id, strategy: order.strategy, instrument: order.instrument, marketID: order.marketID,
      side: order.side, price: try Price(price), quantity: Quantity(units: quantity), fee: try Money("0.25"), time: noon
    )
  }

  /// Two executions: one complete, one of which nothing was filled.
  private func fillJournal() throws {
    let journal = try Journal(path: directory.path + "/data/journal.db")
    var orders = [
      try order("o1", yes, 1, at: noon), try order("o2", no, 1, at: noon),
      try order("o3", yes, 2, at: noon(plus: 1000)),
    ]
    try journal.record(orders: orders)
    for place in 0..<2 {
      orders[place].state = .filled
      orders[place].filled = Quantity(units: 100)
      let fills =
        place == 0
        ? [try fill(orders[0], "0.48", 100)] : [try fill(orders[1], "0.49", 60), try fill(orders[1], "0.5", 40)]
      try journal.update(order: orders[place], fills: fills)
    }
    orders[2].state = .unfilled
    orders[2].reason = "book moved"
    try journal.update(order: orders[2])
  }

  @Test func `orders come from the journal, newest first`() throws {
    try fillJournal()
    let answer = try bulkhead(["orders", "--json", "-c", file])
    #expect(answer.status == 0, "\(answer.errors)")
    let rows = Array(try JSONDocument(answer.output).root.elements)
    #expect(rows.map { $0["id"]?.string } == ["o3", "o2", "o1"])
    #expect(rows[0]["state"]?.string == "unfilled")
    #expect(rows[0]["reason"]?.string == "book moved")
    #expect(rows[1]["filled"]?.numberText == "100")
    #expect(rows[2]["limit"]?.numberText == "0.48")
    let table = try bulkhead(["orders", "--limit", "1", "-c", file]).output.split(separator: "\n")
    #expect(table.count == 2)
    #expect(table[1].contains("o3"))
  }

  @Test func `fills come from the journal with their notional`() throws {
    try fillJournal()
    let rows = Array(try JSONDocument(try bulkhead(["fills", "--json", "-c", file]).output).root.elements)
    #expect(rows.map { $0["sequence"]?.integer } == [3, 2, 1])
    #expect(rows[1]["notional"]?.numberText == "29.4")
    #expect(rows[1]["fee"]?.numberText == "0.25")
    #expect(try bulkhead(["fills", "-n", "2", "-c", file]).output.split(separator: "\n").count == 3)
  }

  @Test func `trades bring the orders of an opportunity together`() throws {
    try fillJournal()
    let answer = try bulkhead(["trades", "--json", "-c", file])
    let rows = Array(try JSONDocument(answer.output).root.elements)
    #expect(rows.count == 2)
    #expect(rows[0]["result"]?.string == "nothing filled")
    #expect(rows[1]["result"]?.string == "complete")
    #expect(rows[1]["orders"]?.integer == 2)
    #expect(rows[1]["paid"]?.numberText == "97.4")
    #expect(rows[1]["fees"]?.numberText == "0.75")
  }

  private func fillLedger() throws {
    let key = PositionKey(.binary, yes)
    let ledger = try LedgerStore(path: directory.path + "/data/ledger.db")
    var batch = LedgerBatch()
    let deposit = Money(dollars: 1000).raw
    func transaction(_ kind: LedgerTransactionKind, _ reference: String, _ entries: [LedgerEntry]) -> LedgerTransaction
    {
      LedgerTransaction(kind: kind, reference: reference, time: noon, entries: entries)
    }
    batch.transactions = [
      transaction(.deposit, "deposit/1", [LedgerEntry(.cash, deposit), LedgerEntry(.deposits, -deposit)]),
      transaction(
        .fill, "fill/1",
        [
          LedgerEntry(.cash, try Money("-48.5").raw), LedgerEntry(.cost(key), Money(dollars: 48).raw),
          LedgerEntry(.fees(.binary, .polymarket), try Money("0.5").raw),
          LedgerEntry(.shares(key), Quantity(units: 100).raw), LedgerEntry(.market(yes), -Quantity(units: 100).raw),
        ]),
      transaction(
        .fill, "fill/2",
        [
          LedgerEntry(.cash, Money(dollars: 52).raw),
          LedgerEntry(.realised(.negRisk, .kalshi), -Money(dollars: 52).raw),
        ]),
    ]
    batch.positions = [
      Position(key: key, marketID: "0xabc", quantity: Quantity(units: 100), cost: Money(dollars: 48))
    ]
    batch.pendingMarkets = [MarketKey(venue: .polymarket, id: "0xabc")]
    batch.cursor = LedgerBatch.CursorMove(from: 0, to: 2)
    try ledger.commit(batch)
    try ledger.store(
      PredictionMarket(
        venue: .polymarket, id: "0xabc", eventID: "e", question: "Will it rain?",
        outcomes: [Outcome(token: "111", name: "Yes"), Outcome(token: "222", name: "No")], tick: try Price("0.01")))
  }

  @Test func `positions come from the ledger with their question`() throws {
    try fillLedger()
    let answer = try bulkhead(["positions", "--json", "-c", file])
    #expect(answer.status == 0, "\(answer.errors)")
    let row = try #require(try JSONDocument(answer.output).root[0])
    #expect(row["question"]?.string == "Will it rain?")
    #expect(row["outcome"]?.string == "Yes")
    #expect(row["quantity"]?.numberText == "100")
    #expect(row["cost"]?.numberText == "48")
    #expect(try bulkhead(["positions", "-c", file]).output.contains("Will it rain?"))
  }

  @Test(arguments: [
    ("strategy", ["negRisk", "binary"]), ("venue", ["kalshi", "polymarket"]), ("day", ["2025-06-15"]),
  ])
  func `profit is summed by strategy, venue or day`(_ by: String, _ names: [String]) throws {
    try fillLedger()
    let answer = try bulkhead(["pnl", "--by", by, "--json", "-c", file])
    #expect(answer.status == 0, "\(answer.errors)")
    let root = try JSONDocument(answer.output).root
    let rows = Array(try #require(root["rows"]).elements)
    #expect(Set(rows.compactMap { $0[by]?.string }) == Set(names))
    #expect(root["realised"]?.numberText == "52")
    #expect(root["fees"]?.numberText == "0.5")
    #expect(root["net"]?.numberText == "51.5")
    #expect(root["cash"]?.numberText == "1003.5")
    #expect(root["positions_at_cost"]?.numberText == "48")
    #expect(root["deposits"]?.numberText == "1000")
    let sum = try rows.reduce(Money.zero) { $0 + (try Money($1["net"]?.numberText ?? "")) }
    #expect(sum == (try Money("51.5")))
    #expect(try bulkhead(["pnl", "--by", by, "-c", file]).output.contains("positions at cost"))
  }

  @Test func `a run counts only what is its own`() throws {
    try fillJournal()
    try fillLedger()
    let data = directory.path + "/data"
    let early = RunBooks.Mark(time: noon)
    let all = try RunBooks.since(early, dataDirectory: data)
    #expect(all.orders == 3)
    #expect(all.fills == 3)
    #expect(all.fees == (try Money("0.75")))
    #expect(all.realised == Money(dollars: 52))
    let late = RunBooks.mark(dataDirectory: data, now: noon(plus: 500))
    let rest = try RunBooks.since(late, dataDirectory: data)
    #expect(rest.orders == 1)
    #expect(rest.fills == 0)
    #expect(rest.realised == .zero)
    #expect(rest.totals.cash == (try Money("1003.5")))
    let nowhere = try RunBooks.since(early, dataDirectory: directory.path + "/nowhere")
    #expect(nowhere.orders == 0)
  }

  @Test(arguments: ["orders", "fills", "trades", "positions", "pnl"])
  func `without its file a command says what is missing`(_ command: String) throws {
    let answer = try bulkhead([command, "-c", file])
    #expect(answer.status == 111)
    #expect(answer.output.isEmpty)
    #expect(answer.errors.contains("yet at \(directory.path)/data/"), "\(answer.errors)")
  }
}
