internal import CSQLite

/// One connection to one SQLite file.
///
/// It belongs to one thread at a time, and is not `Sendable`: SQLite's own mutexes are off.
public final class Database {
  /// When a commit is durable.
  public enum Durability: Sendable {
    /// When it returns (`synchronous=FULL`): for what must not be lost when the power fails.
    case full
    /// When the operating system says so (`synchronous=NORMAL`): a commit survives the death of the process, and after
    /// a power failure the file is whole but may lack the newest commits.
    case normal
  }

  /// What may be done with the file.
  public enum Access: Sendable {
    /// Read and write; the file is made where it is missing.
    case readWrite(Durability)
    /// Read a file that is there.
    case readOnly
  }

  /// One argument of a statement.
  public enum Value: Hashable, Sendable {
    case integer(Int64)
    case text(String)
    case blob([UInt8])
    case null
  }

  private let handle: OpaquePointer
  private var idle: [String: Statement] = [:]
  /// Statements that wait for their next use; the SQL of a room is a small fixed set.
  private let idleMax = 128
  /// Whether a `transaction` is under way.
  public private(set) var isInTransaction = false

  /// Opens a file, in write-ahead-log mode where it may be written.
  ///
  /// The corresponding C function is `sqlite3_open_v2`.
  /// - Parameters:
  ///   - path: the file.
  ///   - access: read only, or read and write.
  ///   - busyTimeoutMilliseconds: how long a call waits for a lock that another process holds.
  ///   - pagesMax: the greatest size of the file in pages of 4096 bytes; nil for SQLite's own limit.
  /// - Throws: `StoreError`; `notReady` where a file that is only to be read is not there.
  public init(
    path: String, access: Access, busyTimeoutMilliseconds: Int32 = 5000, pagesMax: Int? = nil
  ) throws(StoreError) {
    let flags: Int32
    switch access {
    case .readWrite: flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
    case .readOnly: flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX
    }
    var opened: OpaquePointer?
    let result = sqlite3_open_v2(path, &opened, flags, nil)
    guard result == SQLITE_OK, let opened else {
      let error = StoreError(result: result, handle: opened, operation: "open \(path)", sql: nil)
      sqlite3_close_v2(opened)
      if case .readOnly = access, error.code == .cannotOpen {
        throw StoreError(.notReady, operation: error.operation, message: error.message)
      }
      throw error
    }
    handle = opened
    sqlite3_extended_result_codes(handle, 1)
    sqlite3_busy_timeout(handle, busyTimeoutMilliseconds)
    if case .readWrite(let durability) = access {
      _ = try first("PRAGMA journal_mode=WAL") { row throws(StoreError) in try row.text(0) }
      try execute("PRAGMA synchronous=\(durability == .full ? "FULL" : "NORMAL")")
      if let pagesMax {
        _ = try first("PRAGMA max_page_count=\(pagesMax)") { row throws(StoreError) in try row.integer(0) }
      }
    }
    try execute("PRAGMA foreign_keys=ON")
  }

  deinit {
    idle.removeAll()
    sqlite3_close_v2(handle)
  }

  /// Runs one statement to its end, and drops what it answers.
  /// - Parameters:
  ///   - sql: one statement, with `?` for each argument.
  ///   - arguments: the arguments in order.
  /// - Returns: how many rows an INSERT, UPDATE or DELETE touched.
  /// - Throws: `StoreError`.
  @discardableResult
  public func execute(_ sql: String, _ arguments: [Value] = []) throws(StoreError) -> Int {
    try run(sql, arguments) { _ throws(StoreError) in true }
    return Int(sqlite3_changes64(handle))
  }

  /// Reads all rows that a statement answers.
  /// - Parameters:
  ///   - sql: one statement, with `?` for each argument.
  ///   - arguments: the arguments in order.
  ///   - read: makes a value of one row; it may run other statements.
  /// - Returns: the values, in the order of the rows.
  /// - Throws: `StoreError`, also of `read`.
  public func query<Result>(
    _ sql: String, _ arguments: [Value] = [], _ read: (borrowing Row) throws(StoreError) -> Result
  ) throws(StoreError) -> [Result] {
    var results: [Result] = []
    try run(sql, arguments) { row throws(StoreError) in
      results.append(try read(row))
      return true
    }
    return results
  }

  /// Reads the first row that a statement answers, or nil where there is none.
  /// - Parameters:
  ///   - sql: one statement, with `?` for each argument.
  ///   - arguments: the arguments in order.
  ///   - read: makes a value of the row.
  /// - Returns: the value.
  /// - Throws: `StoreError`, also of `read`.
  public func first<Result>(
    _ sql: String, _ arguments: [Value] = [], _ read: (borrowing Row) throws(StoreError) -> Result
  ) throws(StoreError) -> Result? {
    var result: Result?
    try run(sql, arguments) { row throws(StoreError) in
      result = try read(row)
      return false
    }
    return result
  }

  /// Does all of `body` or nothing of it.
  ///
  /// The write lock is taken at once (`BEGIN IMMEDIATE`), so that a transaction which begins can also end. Where `body`
  /// or the commit throws, everything is rolled back. Traps where a transaction is under way already.
  /// - Parameter body: what is done.
  /// - Returns: what `body` returns, once it is committed.
  /// - Throws: `StoreError`.
  @discardableResult
  public func transaction<Result>(_ body: () throws(StoreError) -> Result) throws(StoreError) -> Result {
    precondition(!isInTransaction, "a transaction within a transaction")
    try execute("BEGIN IMMEDIATE")
    isInTransaction = true
    defer { isInTransaction = false }
    do throws(StoreError) {
      let result = try body()
      try execute("COMMIT")
      return result
    } catch {
      // A full disk or a failed write has rolled back already.
      if sqlite3_get_autocommit(handle) == 0 { try execute("ROLLBACK") }
      throw error
    }
  }

  private func run(
    _ sql: String, _ arguments: [Value], _ body: (borrowing Row) throws(StoreError) -> Bool
  ) throws(StoreError) {
    let statement = try take(sql)
    defer { giveBack(statement) }
    try statement.bind(arguments)
    while try statement.step() {
      guard try body(Row(statement)) else { return }
    }
  }

  /// A statement in use is not among the idle ones, so that the same SQL may be run from within its own rows.
  private func take(_ sql: String) throws(StoreError) -> Statement {
    if let statement = idle.removeValue(forKey: sql) { return statement }
    return try Statement(handle, sql)
  }

  private func giveBack(_ statement: Statement) {
    statement.reset()
    if idle.count >= idleMax { idle.removeAll() }
    idle[statement.sql] = statement
  }
}

/// One row of an answer; it lives until its closure returns.
public struct Row: ~Copyable {
  private let statement: Statement

  init(_ statement: Statement) { self.statement = statement }

  /// The integer in a column.
  /// - Throws: `StoreError.Code.invalid` where there is none.
  public func integer(_ column: Int) throws(StoreError) -> Int64 {
    guard sqlite3_column_type(statement.handle, Int32(column)) == SQLITE_INTEGER else {
      throw mismatch(column, "an integer")
    }
    return sqlite3_column_int64(statement.handle, Int32(column))
  }

  /// The text in a column.
  /// - Throws: `StoreError.Code.invalid` where there is none.
  public func text(_ column: Int) throws(StoreError) -> String {
    guard sqlite3_column_type(statement.handle, Int32(column)) == SQLITE_TEXT,
      let bytes = sqlite3_column_text(statement.handle, Int32(column))
    else { throw mismatch(column, "a text") }
    return String(cString: bytes)
  }

  /// The bytes in a column.
  /// - Throws: `StoreError.Code.invalid` where there are none.
  public func blob(_ column: Int) throws(StoreError) -> [UInt8] {
    guard sqlite3_column_type(statement.handle, Int32(column)) == SQLITE_BLOB else {
      throw mismatch(column, "bytes")
    }
    let count = Int(sqlite3_column_bytes(statement.handle, Int32(column)))
    let bytes = UnsafeRawBufferPointer(start: sqlite3_column_blob(statement.handle, Int32(column)), count: count)
    return Array(bytes)
  }

  /// Whether a column holds NULL.
  public func isNull(_ column: Int) -> Bool {
    sqlite3_column_type(statement.handle, Int32(column)) == SQLITE_NULL
  }

  /// The integer in a column, or nil for NULL.
  /// - Throws: `StoreError.Code.invalid` where there is something else.
  public func optionalInteger(_ column: Int) throws(StoreError) -> Int64? {
    isNull(column) ? nil : try integer(column)
  }

  /// The text in a column, or nil for NULL.
  /// - Throws: `StoreError.Code.invalid` where there is something else.
  public func optionalText(_ column: Int) throws(StoreError) -> String? {
    isNull(column) ? nil : try text(column)
  }

  /// The value that a column's text names.
  /// - Throws: `StoreError.Code.invalid` where the text names none.
  public func named<Named: RawRepresentable<String>>(
    _ column: Int, as type: Named.Type
  ) throws(StoreError) -> Named {
    guard let value = Named(rawValue: try text(column)) else { throw mismatch(column, "a \(type)") }
    return value
  }

  func mismatch(_ column: Int, _ expected: String) -> StoreError {
    let name = sqlite3_column_name(statement.handle, Int32(column)).map { String(cString: $0) } ?? "\(column)"
    return StoreError(
      .invalid, operation: "read", message: "column \(name) does not hold \(expected)", sql: statement.sql)
  }
}

/// A prepared statement; its class finalises the C handle.
final class Statement {
  let handle: OpaquePointer
  let sql: String
  private let connection: OpaquePointer

  /// The corresponding C function is `sqlite3_prepare_v3`.
  init(_ connection: OpaquePointer, _ sql: String) throws(StoreError) {
    self.connection = connection
    self.sql = sql
    var prepared: OpaquePointer?
    let result = sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
    guard result == SQLITE_OK, let prepared else {
      throw StoreError(result: result, handle: connection, operation: "prepare", sql: sql)
    }
    handle = prepared
  }

  deinit { sqlite3_finalize(handle) }

  func bind(_ arguments: [Database.Value]) throws(StoreError) {
    precondition(arguments.count == Int(sqlite3_bind_parameter_count(handle)), "wrong number of arguments: \(sql)")
    // SQLITE_TRANSIENT, a cast that Swift does not import: SQLite makes its own copy.
    let copy = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    for (offset, argument) in arguments.enumerated() {
      let index = Int32(offset + 1)
      let result: Int32
      switch argument {
      case .integer(let value): result = sqlite3_bind_int64(handle, index, value)
      case .text(let value): result = sqlite3_bind_text(handle, index, value, Int32(value.utf8.count), copy)
      case .blob(let value):
        result = value.withUnsafeBytes { sqlite3_bind_blob64(handle, index, $0.baseAddress, UInt64($0.count), copy) }
      case .null: result = sqlite3_bind_null(handle, index)
      }
      guard result == SQLITE_OK else {
        throw StoreError(result: result, handle: connection, operation: "bind", sql: sql)
      }
    }
  }

  /// Whether there is another row.
  func step() throws(StoreError) -> Bool {
    switch sqlite3_step(handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    case let result: throw StoreError(result: result, handle: connection, operation: "step", sql: sql)
    }
  }

  func reset() {
    sqlite3_reset(handle)
    sqlite3_clear_bindings(handle)
  }
}
