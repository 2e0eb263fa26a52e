internal import Daemon
internal import Market

/// One step of a database's schema: numbered, and run once.
public struct Migration: Sendable {
  /// Its number; the first is 1, and none is left out.
  public let number: Int64
  /// What it does, in a few words.
  public let name: String
  /// Its statements, in SQL that SQLite and PostgreSQL both read.
  public let statements: [String]

  /// A step by its parts.
  public init(_ number: Int64, _ name: String, _ statements: [String]) {
    self.number = number
    self.name = name
    self.statements = statements
  }
}

extension Database {
  /// Brings the schema up to date: each missing step in one transaction of its own.
  /// - Parameter migrations: all steps, in order of their numbers.
  /// - Throws: `StoreError`; `newerSchema` where the file has steps that we do not know.
  public func migrate(_ migrations: [Migration]) throws(StoreError) {
    precondition(migrations.enumerated().allSatisfy { $1.number == Int64($0) + 1 }, "migrations out of order")
    try execute(
      "CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)"
    )
    for migration in migrations where try schemaVersion() < migration.number {
      try transaction { () throws(StoreError) in
        // Another process may have been faster.
        guard try schemaVersion() < migration.number else { return }
        for statement in migration.statements { try execute(statement) }
        try execute(
          "INSERT INTO migrations (number, name, applied_at) VALUES (?, ?, ?)",
          [.integer(migration.number), .text(migration.name), .integer(SystemClock.now.nanoseconds)])
      }
    }
    try requireVersion(of: migrations)
  }

  /// Checks that the schema is the one of `migrations`, without changing it: for readers.
  /// - Throws: `StoreError`; `notReady` where the writer has yet to bring it up to date, `newerSchema` where it is ahead.
  public func requireVersion(of migrations: [Migration]) throws(StoreError) {
    let version = try schemaVersion()
    let known = migrations.last?.number ?? 0
    if version > known {
      throw StoreError(
        .newerSchema, operation: "check schema", message: "the file has version \(version), this program knows \(known)"
      )
    }
    if version < known {
      throw StoreError(
        .notReady, operation: "check schema", message: "the file has version \(version), this program needs \(known)")
    }
  }

  /// The number of the newest step that was run; 0 for a new file.
  public func schemaVersion() throws(StoreError) -> Int64 {
    let exists = try first("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migrations'") {
      row throws(StoreError) in true
    }
    guard exists == true else { return 0 }
    return try first("SELECT COALESCE(MAX(number), 0) FROM migrations") { row throws(StoreError) in
      try row.integer(0)
    } ?? 0
  }
}
