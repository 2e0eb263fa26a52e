public import Market

/// What `LedgerStore.verify()` found.
public struct LedgerVerification: Hashable, Sendable {
  /// How many transactions were read.
  public var transactions: Int64 = 0
  /// How many entries were read.
  public var entries: Int64 = 0
  /// Everything that is not as it must be, for people; empty where the ledger proves right.
  public var problems: [String] = []

  /// Whether the ledger proves right.
  public var isSound: Bool { problems.isEmpty }
}

/// What was gained and paid on one day by one strategy at one venue.
public struct DailyProfit: Hashable, Sendable {
  /// The day's start (UTC).
  public var day: Timestamp
  /// Which strategy.
  public var strategy: Strategy
  /// Which venue.
  public var venue: Venue
  /// What was realised, before fees.
  public var realised: Money
  /// The fees.
  public var fees: Money
}

extension LedgerStore {
  /// Computes every balance and position again from the entries, and compares.
  ///
  /// It reads the whole ledger, in one consistent state.
  /// - Returns: what it found.
  /// - Throws: `StoreError` where the ledger cannot be read.
  public func verify() throws(StoreError) -> LedgerVerification {
    // A plain transaction holds the state that its first read saw; readers cannot take the write lock.
    try database.execute("BEGIN")
    let result: LedgerVerification
    do throws(StoreError) { result = try verifyNow() } catch {
      _ = try? database.execute("COMMIT")
      throw error
    }
    try database.execute("COMMIT")
    return result
  }

  private func verifyNow() throws(StoreError) -> LedgerVerification {
    var report = LedgerVerification()
    var accounts: [Int64: (name: String, commodity: String, balance: Int64)] = [:]
    _ = try database.query("SELECT id, name, commodity, balance FROM accounts") { row throws(StoreError) in
      accounts[try row.integer(0)] = (try row.text(1), try row.text(2), try row.integer(3))
    }
    let sums = try sumEntries(accounts.mapValues(\.commodity), &report)
    var balances: [String: Int64] = [:]
    for (id, account) in accounts.sorted(by: { $0.key < $1.key }) {
      balances[account.name] = account.balance
      let sum = sums[id] ?? 0
      if sum != Int128(account.balance) {
        report.problems.append("\(account.name) holds \(account.balance), its entries sum to \(sum)")
      }
    }
    try comparePositions(balances, &report)
    try compareCounts(&report)
    return report
  }

  private func sumEntries(
    _ commodities: [Int64: String], _ report: inout LedgerVerification
  ) throws(StoreError) -> [Int64: Int128] {
    var sums: [Int64: Int128] = [:]
    var transaction: Int64 = 0
    var open: [String: Int128] = [:]
    var problems: [String] = []
    var count: Int64 = 0
    func close() {
      for (commodity, sum) in open.sorted(by: { $0.key < $1.key }) where sum != 0 {
        problems.append("transaction \(transaction) is off by \(sum) in \(commodity)")
      }
      open.removeAll(keepingCapacity: true)
    }
    _ = try database.query(
      "SELECT transaction_id, account_id, amount FROM entries ORDER BY transaction_id, number"
    ) { row throws(StoreError) in
      let id = try row.integer(0)
      let account = try row.integer(1)
      let amount = Int128(try row.integer(2))
      if id != transaction {
        close()
        transaction = id
      }
      count += 1
      sums[account, default: 0] += amount
      open[commodities[account] ?? "an account that is not there", default: 0] += amount
    }
    close()
    report.entries = count
    report.problems += problems
    return sums
  }

  private func comparePositions(_ balances: [String: Int64], _ report: inout LedgerVerification) throws(StoreError) {
    var proven: Set<String> = []
    for position in try positions() {
      let shares = LedgerAccount.shares(position.key).name
      let cost = LedgerAccount.cost(position.key).name
      proven.formUnion([shares, cost])
      if balances[shares] ?? 0 != position.quantity.raw || balances[cost] ?? 0 != position.cost.raw {
        report.problems.append("position \(position.key) is not what its accounts hold")
      }
    }
    for (name, balance) in balances.sorted(by: { $0.key < $1.key })
    where balance != 0 && !proven.contains(name)
      && (name.hasPrefix("assets/shares/") || name.hasPrefix("assets/cost/"))
    {
      report.problems.append("\(name) holds \(balance), but there is no such position")
    }
  }

  private func compareCounts(_ report: inout LedgerVerification) throws(StoreError) {
    let counts = try database.first(
      "SELECT COUNT(*), COALESCE(MAX(id), 0), COALESCE(SUM(CASE WHEN kind = 'fill' THEN 1 ELSE 0 END), 0) FROM transactions"
    ) { row throws(StoreError) in (try row.integer(0), try row.integer(1), try row.integer(2)) }
    let (count, last, fills) = counts ?? (0, 0, 0)
    report.transactions = count
    if count != last { report.problems.append("\(count) transactions, but the last is number \(last)") }
    let cursor = try cursor()
    if fills != cursor { report.problems.append("\(fills) fills are booked, but the cursor stands at \(cursor)") }
  }

  /// What was gained and paid, by day, strategy and venue (T6), oldest first.
  /// - Parameter since: days before this moment are left out.
  /// - Returns: one row for each day, strategy and venue with any.
  /// - Throws: `StoreError`.
  public func dailyProfits(since: Timestamp) throws(StoreError) -> [DailyProfit] {
    let dayLength: Int64 = 86_400_000_000_000
    var result: [DailyProfit] = []
    _ = try database.query(
      """
      SELECT transactions.time / ? AS day, accounts.name, SUM(entries.amount) FROM entries
      JOIN accounts ON accounts.id = entries.account_id
      JOIN transactions ON transactions.id = entries.transaction_id
      WHERE transactions.time >= ?
        AND (accounts.name LIKE 'income/realised/%' OR accounts.name LIKE 'expenses/fees/%')
      GROUP BY day, accounts.name ORDER BY day, accounts.name
      """, [.integer(dayLength), .integer(since.floored(toSeconds: 86_400).nanoseconds)]
    ) { row throws(StoreError) in
      let parts = try row.text(1).split(separator: "/")
      guard parts.count == 4, let strategy = Strategy(rawValue: String(parts[2])),
        let venue = Venue(rawValue: String(parts[3]))
      else { return }
      let day = Timestamp(nanoseconds: try row.integer(0) * dayLength)
      let amount = Money(raw: try row.integer(2))
      let place =
        result.firstIndex { $0.day == day && $0.strategy == strategy && $0.venue == venue } ?? result.endIndex
      if place == result.endIndex {
        result.append(DailyProfit(day: day, strategy: strategy, venue: venue, realised: .zero, fees: .zero))
      }
      if parts[0] == "income" { result[place].realised = -amount } else { result[place].fees = amount }
    }
    return result
  }
}
