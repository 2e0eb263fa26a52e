public import Market

/// What is booked together: in one database transaction, or not at all (T3).
public struct LedgerBatch: Sendable {
  /// The transactions, in order.
  public var transactions: [LedgerTransaction] = []
  /// Each position that they touch, as it stands after them.
  public var positions: [Position] = []
  /// Markets that wait for their settlement from now on.
  public var pendingMarkets: Set<MarketKey> = []
  /// Markets that wait no longer, because nothing of them is held.
  public var finishedMarkets: Set<MarketKey> = []
  /// Settlements that these transactions book; their markets wait no longer.
  public var settlements: [Settlement] = []
  /// How far the journal's fills are booked, before and after; nil where that does not move.
  public var cursor: CursorMove?

  /// A move of the cursor.
  public struct CursorMove: Hashable, Sendable {
    /// Where it must stand now.
    public var from: Int64
    /// Where it stands afterwards.
    public var to: Int64

    /// A move by its ends.
    public init(from: Int64, to: Int64) {
      self.from = from
      self.to = to
    }
  }

  /// An empty batch.
  public init() {}
}

/// The double-entry ledger, what it still waits for, and how far it has read the journal.
///
/// One process writes it (the settler); others read. A call that has returned is durable.
public final class LedgerStore {
  let database: Database
  private var accountIDs: [LedgerAccount: Int64] = [:]

  /// Opens the ledger to write it, makes it where it is missing, and brings it up to date.
  /// - Parameters:
  ///   - path: the file, such as `DATA/ledger.db`.
  ///   - busyTimeoutMilliseconds: how long a call waits for a lock that another process holds.
  ///   - pagesMax: the greatest size in pages of 4096 bytes; nil for SQLite's own limit.
  /// - Throws: `StoreError`.
  public init(path: String, busyTimeoutMilliseconds: Int32 = 5000, pagesMax: Int? = nil) throws(StoreError) {
    database = try Database(
      path: path, access: .readWrite(.full), busyTimeoutMilliseconds: busyTimeoutMilliseconds, pagesMax: pagesMax)
    try database.migrate(Self.migrations)
  }

  /// Opens the ledger to read it.
  /// - Parameter path: the file.
  /// - Throws: `StoreError`; `notReady` while its writer has not made it.
  public init(readingFrom path: String) throws(StoreError) {
    database = try Database(path: path, access: .readOnly)
    try database.requireVersion(of: Self.migrations)
  }

  /// Books a batch: all of it, durable when this returns, or nothing.
  /// - Parameter batch: what is booked.
  /// - Throws: `StoreError`; `unbalanced` where a transaction does not sum to zero, `duplicate` where one was booked
  ///   before, `conflict` where a position is not what the entries say or the cursor stands elsewhere.
  public func commit(_ batch: LedgerBatch) throws(StoreError) {
    for transaction in batch.transactions { try transaction.validate() }
    do throws(StoreError) {
      try database.transaction { () throws(StoreError) in
        if let move = batch.cursor { try moveCursor(move) }
        try write(batch.transactions)
        for position in batch.positions { try write(position) }
        for market in batch.pendingMarkets { try addPending(market) }
        for market in batch.finishedMarkets { try removePending(market) }
        for settlement in batch.settlements { try write(settlement) }
      }
    } catch {
      // Accounts that were made in it are gone.
      accountIDs.removeAll()
      throw error
    }
  }

  private func moveCursor(_ move: LedgerBatch.CursorMove) throws(StoreError) {
    let current = try cursor()
    guard current == move.from, move.to >= move.from else {
      throw StoreError(
        .conflict, operation: "book fills \(move.from + 1) to \(move.to)", message: "the cursor stands at \(current)")
    }
    try database.execute(
      "INSERT INTO cursors (name, value) VALUES ('fills', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      [.integer(move.to)])
  }

  private func write(_ transactions: [LedgerTransaction]) throws(StoreError) {
    guard !transactions.isEmpty else { return }
    var id = try transactionCount()
    var changes: [Int64: Int128] = [:]
    for transaction in transactions {
      id += 1
      try database.execute(
        "INSERT INTO transactions (id, kind, reference, time) VALUES (?, ?, ?, ?)",
        [
          .integer(id), .text(transaction.kind.rawValue), .text(transaction.reference),
          .integer(transaction.time.nanoseconds),
        ])
      for (number, entry) in transaction.entries.enumerated() {
        let account = try accountID(entry.account)
        changes[account, default: 0] += Int128(entry.amount)
        try database.execute(
          "INSERT INTO entries (transaction_id, number, account_id, amount) VALUES (?, ?, ?, ?)",
          [.integer(id), .integer(Int64(number)), .integer(account), .integer(entry.amount)])
      }
    }
    for (account, change) in changes where change != 0 { try add(change, to: account) }
  }

  /// The sum is made here: SQLite's own would turn into a floating-point number when it overflows.
  private func add(_ change: Int128, to account: Int64) throws(StoreError) {
    let balance = try database.first("SELECT balance FROM accounts WHERE id = ?", [.integer(account)]) {
      row throws(StoreError) in try row.integer(0)
    }
    guard let sum = Int64(exactly: Int128(balance ?? 0) + change) else {
      throw StoreError(.tooLarge, operation: "book", message: "the balance of account \(account) does not fit")
    }
    try database.execute("UPDATE accounts SET balance = ? WHERE id = ?", [.integer(sum), .integer(account)])
  }

  private func accountID(_ account: LedgerAccount) throws(StoreError) -> Int64 {
    if let known = accountIDs[account] { return known }
    let stored = try database.first("SELECT id, commodity FROM accounts WHERE name = ?", [.text(account.name)]) {
      row throws(StoreError) in (try row.integer(0), try row.text(1))
    }
    if let stored, stored.1 != account.commodity {
      throw StoreError(.conflict, operation: "book to \(account)", message: "it counts \(stored.1)")
    }
    var id = stored?.0 ?? 0
    if stored == nil {
      id =
        1
        + (try database.first("SELECT COALESCE(MAX(id), 0) FROM accounts") { row throws(StoreError) in
          try row.integer(0)
        } ?? 0)
      try database.execute(
        "INSERT INTO accounts (id, name, commodity, balance) VALUES (?, ?, ?, 0)",
        [.integer(id), .text(account.name), .text(account.commodity)])
    }
    accountIDs[account] = id
    return id
  }

  /// A position is stored twice, as a row and as entries; here the two must agree.
  private func write(_ position: Position) throws(StoreError) {
    let key = position.key
    let quantity = try balance(of: .shares(key))
    let cost = try balance(of: .cost(key))
    guard quantity == position.quantity.raw, cost == position.cost.raw else {
      throw StoreError(.conflict, operation: "book position \(key)", message: "it is not the sum of its entries")
    }
    let identity: [Database.Value] = [
      .text(key.strategy.rawValue), .text(key.instrument.venue.rawValue), .text(key.instrument.symbol),
    ]
    guard quantity != 0 || cost != 0 else {
      try database.execute("DELETE FROM positions WHERE strategy = ? AND venue = ? AND symbol = ?", identity)
      return
    }
    try database.execute(
      """
      INSERT INTO positions (strategy, venue, symbol, market_id, quantity, cost) VALUES (?, ?, ?, ?, ?, ?)
      ON CONFLICT (strategy, venue, symbol) DO UPDATE SET
        market_id = excluded.market_id, quantity = excluded.quantity, cost = excluded.cost
      """,
      identity + [.text(position.marketID), .integer(quantity), .integer(cost)])
  }

  /// The sequence of the last fill that is booked; 0 before the first.
  public func cursor() throws(StoreError) -> Int64 {
    try database.first("SELECT value FROM cursors WHERE name = 'fills'") { row throws(StoreError) in
      try row.integer(0)
    } ?? 0
  }

  /// How many transactions there are.
  public func transactionCount() throws(StoreError) -> Int64 {
    try database.first("SELECT COALESCE(MAX(id), 0) FROM transactions") { row throws(StoreError) in
      try row.integer(0)
    } ?? 0
  }

  /// Whether a transaction of this reference is booked.
  public func isBooked(_ reference: String) throws(StoreError) -> Bool {
    try database.first("SELECT 1 FROM transactions WHERE reference = ?", [.text(reference)]) {
      row throws(StoreError) in true
    } ?? false
  }

  /// What an account holds, in units of 10⁻⁸ of its commodity; 0 where it was never used.
  public func balance(of account: LedgerAccount) throws(StoreError) -> Int64 {
    try database.first("SELECT balance FROM accounts WHERE name = ?", [.text(account.name)]) {
      row throws(StoreError) in try row.integer(0)
    } ?? 0
  }

  /// What every account holds.
  public func balances() throws(StoreError) -> [LedgerAccount: Int64] {
    var result: [LedgerAccount: Int64] = [:]
    _ = try database.query("SELECT name, commodity, balance FROM accounts") { row throws(StoreError) in
      result[LedgerAccount(name: try row.text(0), commodity: try row.text(1))] = try row.integer(2)
    }
    return result
  }

  /// All positions that hold anything.
  public func positions() throws(StoreError) -> [Position] {
    try database.query(
      "SELECT strategy, venue, symbol, market_id, quantity, cost FROM positions ORDER BY strategy, venue, symbol"
    ) { row throws(StoreError) in
      Position(
        key: PositionKey(try row.named(0, as: Strategy.self), try row.instrument(1, 2)), marketID: try row.text(3),
        quantity: Quantity(raw: try row.integer(4)), cost: Money(raw: try row.integer(5)))
    }
  }

  /// Cash, positions and cursor of one moment, for the process that trades on them.
  /// - Returns: the three, read together.
  /// - Throws: `StoreError`.
  public func standing() throws(StoreError) -> (cash: Money, positions: [Position], cursor: Int64) {
    // A plain transaction holds the state that its first read saw.
    try database.execute("BEGIN")
    do throws(StoreError) {
      let standing = (Money(raw: try balance(of: .cash)), try positions(), try cursor())
      try database.execute("COMMIT")
      return standing
    } catch {
      _ = try? database.execute("COMMIT")
      throw error
    }
  }

  /// The newest transactions with their entries, newest first.
  /// - Parameter limit: at most how many.
  /// - Returns: the transactions.
  /// - Throws: `StoreError`.
  public func transactions(limit: Int) throws(StoreError) -> [LedgerTransaction] {
    try database.query(
      "SELECT id, kind, reference, time FROM transactions ORDER BY id DESC LIMIT ?", [.integer(Int64(limit))]
    ) { row throws(StoreError) in
      let entries = try database.query(
        """
        SELECT accounts.name, accounts.commodity, entries.amount FROM entries
        JOIN accounts ON accounts.id = entries.account_id WHERE entries.transaction_id = ? ORDER BY entries.number
        """, [.integer(try row.integer(0))]
      ) { row throws(StoreError) in
        LedgerEntry(LedgerAccount(name: try row.text(0), commodity: try row.text(1)), try row.integer(2))
      }
      return LedgerTransaction(
        kind: try row.named(1, as: LedgerTransactionKind.self), reference: try row.text(2),
        time: Timestamp(nanoseconds: try row.integer(3)), entries: entries)
    }
  }
}
