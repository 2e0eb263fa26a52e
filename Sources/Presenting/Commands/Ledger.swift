package import Market
package import Store
internal import Web

extension Command {
  static let positions = Command(
    "positions", options: [.json], "Shows what is held and what it cost, also when nothing runs"
  ) { context in
    let ledger = try openLedger(context)
    var markets: [MarketKey: PredictionMarket] = [:]
    for pending in try ledger.pendingMarkets() { markets[pending.key] = pending.market }
    var report = Report([
      .init("strategy", "STRATEGY"), .init("venue", "VENUE"), .init("symbol", "SYMBOL"), .init("market", nil),
      .init("question", context.wantsJSON ? nil : "QUESTION"), .init("outcome", "OUTCOME"),
      .init("quantity", "QUANTITY", isNumber: true), .init("cost", "COST", isNumber: true),
      .init("average", "AVERAGE", isNumber: true),
    ])
    for position in try ledger.positions() {
      let market = markets[position.market]
      let symbol = position.key.instrument.symbol
      let question = market?.question ?? ""
      let average = position.quantity.raw == 0 ? Double.nan : position.cost.approximate / position.quantity.approximate
      report.add([
        .text(position.key.strategy.rawValue), .text(position.key.instrument.venue.rawValue), .id(symbol),
        .text(position.marketID), .text(context.wantsJSON ? question : Figures.cut(question, 48)),
        .text(market?.outcomes.first { $0.token == symbol }?.name ?? ""), .decimal(position.quantity.raw, shown: 2),
        .decimal(position.cost.raw, shown: 2), .number(average, shown: 4),
      ])
    }
    return context.print(report, empty: "nothing is held")
  }

  static let profit = Command(
    "pnl", options: [Option(["--by"], value: "strategy|venue|day", "what a row is for; strategy otherwise"), .json],
    "Shows what was realised and what it cost in fees, also when nothing runs"
  ) { context in
    let by = context.invocation.value("--by") ?? "strategy"
    guard let grouping = ProfitTable.Grouping(rawValue: by) else {
      throw ToolError.usage("expected strategy, venue or day after --by, found \(by)")
    }
    let ledger = try openLedger(context)
    let table = ProfitTable(try ledger.dailyProfits(since: Timestamp(nanoseconds: 0)), by: grouping)
    let totals = try LedgerTotals(ledger)
    return context.wantsJSON ? table.json(totals) : table.text(totals)
  }

  private static func openLedger(_ context: ToolContext) throws -> LedgerStore {
    let path = context.dataDirectory + "/ledger.db"
    return try openStore(path, "ledger") { try LedgerStore(readingFrom: path) }
  }
}

/// What the ledger comes to as a whole.
package struct LedgerTotals: Hashable, Sendable {
  /// The money that we have.
  package var cash: Money
  /// What was paid in.
  package var deposits: Money
  /// What the open positions have cost.
  package var positionsCost: Money
  /// What was realised, before fees.
  package var realised: Money
  /// The fees.
  package var fees: Money
  /// What rounding against us has cost.
  package var rounding: Money

  /// Reads the balances.
  /// - Throws: `StoreError`.
  package init(_ ledger: LedgerStore) throws(StoreError) {
    self.init()
    for (account, balance) in try ledger.balances() {
      if account == .cash { cash = Money(raw: balance) }
      if account == .deposits { deposits = Money(raw: -balance) }
      if account == .rounding { rounding = Money(raw: balance) }
      if account.name.hasPrefix("assets/cost/") { positionsCost += Money(raw: balance) }
      if account.name.hasPrefix("income/realised/") { realised -= Money(raw: balance) }
      if account.name.hasPrefix("expenses/fees/") { fees += Money(raw: balance) }
    }
  }

  /// A ledger in which nothing is booked.
  package init() {
    cash = .zero
    deposits = .zero
    positionsCost = .zero
    realised = .zero
    fees = .zero
    rounding = .zero
  }
}

/// Profit by strategy, venue or day.
package struct ProfitTable: Sendable {
  /// What a row is for.
  package enum Grouping: String, Sendable {
    case strategy, venue, day
  }

  private let grouping: Grouping
  private let report: Report

  /// Sums the daily figures up.
  package init(_ days: [DailyProfit], by grouping: Grouping) {
    self.grouping = grouping
    var order: [String] = []
    var sums: [String: (realised: Money, fees: Money)] = [:]
    for day in days {
      let name =
        switch grouping {
        case .strategy: day.strategy.rawValue
        case .venue: day.venue.rawValue
        case .day: String(day.day.description.prefix(10))
        }
      if sums[name] == nil { order.append(name) }
      let sum = sums[name] ?? (.zero, .zero)
      sums[name] = (sum.realised + day.realised, sum.fees + day.fees)
    }
    var report = Report([
      .init(grouping.rawValue, grouping.rawValue.uppercased()), .init("realised", "REALISED", isNumber: true),
      .init("fees", "FEES", isNumber: true), .init("net", "NET", isNumber: true),
    ])
    for name in order {
      guard let sum = sums[name] else { continue }
      report.add([
        .text(name), .decimal(sum.realised.raw, shown: 4), .decimal(sum.fees.raw, shown: 4),
        .decimal((sum.realised - sum.fees).raw, shown: 4),
      ])
    }
    self.report = report
  }

  /// The table, and what the ledger comes to below it.
  package func text(_ totals: LedgerTotals) -> String {
    let lines: [(String, Money)] = [
      ("realised", totals.realised), ("fees", totals.fees), ("net", totals.realised - totals.fees),
      ("paid in", totals.deposits), ("cash", totals.cash), ("positions at cost", totals.positionsCost),
    ]
    let texts = lines.map { ($0, Figures.decimal($1.raw, 4)) }
    let width = texts.map(\.1.count).max() ?? 0
    return report.table(empty: "nothing is realised yet") + "\n"
      + texts.map { name, figure in
        name + String(repeating: " ", count: 19 - name.count + width - figure.count) + figure + "\n"
      }.joined()
  }

  /// The rows and the totals as one JSON object.
  package func json(_ totals: LedgerTotals) -> String {
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("by", grouping.rawValue)
      writer.key("rows")
      report.write(&writer)
      writer.field("realised", number: totals.realised.description)
      writer.field("fees", number: totals.fees.description)
      writer.field("net", number: (totals.realised - totals.fees).description)
      writer.field("deposits", number: totals.deposits.description)
      writer.field("cash", number: totals.cash.description)
      writer.field("positions_at_cost", number: totals.positionsCost.description)
      writer.field("rounding", number: totals.rounding.description)
    }
    return writer.text + "\n"
  }
}
