import Daemon
import Foundation
import Store
import TestSupport
import Testing

@Suite struct DatabaseTests {
  private let directory: ScratchDirectory

  init() throws { directory = ScratchDirectory() }

  private func open(_ name: String = "test.db", busyTimeoutMilliseconds: Int32 = 5000, pagesMax: Int? = nil) throws
    -> Database
  {
    try Database(
      path: directory.file(name), access: .readWrite(.normal), busyTimeoutMilliseconds: busyTimeoutMilliseconds,
      pagesMax: pagesMax)
  }

  private func count(_ database: Database) throws -> Int64? {
    try database.first("SELECT COUNT(*) FROM t") { row throws(StoreError) in try row.integer(0) }
  }

  @Test func `every kind of value comes back as it was bound`() throws {
    let database = try open()
    try database.execute("CREATE TABLE t (a BIGINT, b TEXT, c BLOB, d TEXT)")
    try database.execute(
      "INSERT INTO t VALUES (?, ?, ?, ?)",
      [.integer(.min), .text("naïve \u{1F600} ' text"), .blob([0, 255, 7]), .null])
    try database.execute("INSERT INTO t VALUES (?, ?, ?, ?)", [.integer(.max), .text(""), .blob([]), .null])
    let rows = try database.query("SELECT a, b, c, d FROM t ORDER BY a") { row throws(StoreError) in
      (try row.integer(0), try row.text(1), row.isNull(2) ? [] : try row.blob(2), try row.optionalText(3))
    }
    #expect(rows.count == 2)
    #expect(rows[0].0 == .min && rows[0].1 == "naïve \u{1F600} ' text" && rows[0].2 == [0, 255, 7] && rows[0].3 == nil)
    #expect(rows[1].0 == .max && rows[1].1.isEmpty && rows[1].2.isEmpty)
  }

  @Test func `a column of another type is an error that names it`() throws {
    let database = try open()
    try database.execute("CREATE TABLE t (a TEXT)")
    try database.execute("INSERT INTO t VALUES (?)", [.text("secret")])
    let error = #expect(throws: StoreError.self) {
      _ = try database.query("SELECT a FROM t") { row throws(StoreError) in try row.integer(0) }
    }
    #expect(error?.code == .invalid)
    #expect(error?.description.contains("column a") == true)
    #expect(error?.description.contains("secret") == false)
  }

  @Test func `a transaction that throws leaves nothing behind`() throws {
    let database = try open()
    try database.execute("CREATE TABLE t (a BIGINT PRIMARY KEY)")
    let error = #expect(throws: StoreError.self) {
      try database.transaction { () throws(StoreError) in
        try database.execute("INSERT INTO t VALUES (1)")
        try database.execute("INSERT INTO t VALUES (1)")
      }
    }
    #expect(error?.code == .duplicate)
    #expect(error?.isRetriable == false)
    #expect(try count(database) == 0)
    try database.transaction { () throws(StoreError) in try database.execute("INSERT INTO t VALUES (1)") }
    #expect(try count(database) == 1)
  }

  @Test func `the same statement may run within its own rows`() throws {
    let database = try open()
    try database.execute("CREATE TABLE t (a BIGINT)")
    for value in 1...3 { try database.execute("INSERT INTO t VALUES (?)", [.integer(Int64(value))]) }
    let sql = "SELECT a FROM t ORDER BY a"
    let sums = try database.query(sql) { row throws(StoreError) in
      let inner = try database.query(sql) { row throws(StoreError) in try row.integer(0) }
      return try row.integer(0) + inner.reduce(0, +)
    }
    #expect(sums == [7, 8, 9])
  }

  @Test func `a locked file is an error that may pass, and passes`() throws {
    let first = try open()
    try first.execute("CREATE TABLE t (a BIGINT)")
    let second = try open(busyTimeoutMilliseconds: 20)
    try first.execute("BEGIN IMMEDIATE")
    let error = #expect(throws: StoreError.self) {
      try second.transaction { () throws(StoreError) in try second.execute("INSERT INTO t VALUES (1)") }
    }
    #expect(error?.code == .busy)
    #expect(error?.isRetriable == true)
    try first.execute("COMMIT")
    try second.transaction { () throws(StoreError) in try second.execute("INSERT INTO t VALUES (1)") }
    #expect(try count(first) == 1)
  }

  @Test func `a full disk rolls back, loses nothing, and goes on when there is room`() throws {
    let database = try open(pagesMax: 40)
    try database.execute("CREATE TABLE t (a BLOB)")
    let page = [UInt8](repeating: 7, count: 4000)
    var stored: Int64 = 0
    var failure: StoreError?
    while failure == nil, stored < 100 {
      do {
        try database.transaction { () throws(StoreError) in
          try database.execute("INSERT INTO t VALUES (?)", [.blob(page)])
          try database.execute("INSERT INTO t VALUES (?)", [.blob(page)])
        }
        stored += 2
      } catch {
        failure = error
      }
    }
    #expect(failure?.code == .full)
    #expect(failure?.isRetriable == true)
    #expect(stored > 0)
    #expect(try count(database) == stored)
    #expect(!database.isInTransaction)
    _ = try database.first("PRAGMA max_page_count=400") { row throws(StoreError) in try row.integer(0) }
    try database.execute("INSERT INTO t VALUES (?)", [.blob(page)])
    #expect(try count(database) == stored + 1)
  }

  @Test func `a file that is no database is corrupt, and a missing one is not ready`() throws {
    try Data(repeating: 0x41, count: 8192).write(to: URL(fileURLWithPath: directory.file("junk.db")))
    let junk = #expect(throws: StoreError.self) { _ = try open("junk.db") }
    #expect(junk?.code == .corrupt)
    let missing = #expect(throws: StoreError.self) {
      _ = try Database(path: directory.file("none.db"), access: .readOnly)
    }
    #expect(missing?.code == .notReady)
    #expect(missing?.isRetriable == true)
    let nowhere = #expect(throws: StoreError.self) {
      _ = try Database(path: directory.file("no/such/dir.db"), access: .readWrite(.full))
    }
    #expect(nowhere?.code == .cannotOpen)
  }

  @Test func `a reader sees commits of the writer and cannot write`() throws {
    let writer = try open()
    try writer.execute("CREATE TABLE t (a BIGINT)")
    let reader = try Database(path: directory.file("test.db"), access: .readOnly)
    try writer.execute("INSERT INTO t VALUES (1)")
    #expect(try count(reader) == 1)
    try writer.execute("INSERT INTO t VALUES (2)")
    #expect(try count(reader) == 2)
    let error = #expect(throws: StoreError.self) { try reader.execute("INSERT INTO t VALUES (3)") }
    #expect(error?.code == .readOnly)
  }

  @Test func `migrations run once, in order, and from any older version`() throws {
    let steps = [
      Migration(1, "first", ["CREATE TABLE t (a BIGINT)"]),
      Migration(2, "second", ["ALTER TABLE t ADD COLUMN b BIGINT", "INSERT INTO t VALUES (1, 2)"]),
      Migration(3, "third", ["UPDATE t SET b = b * 10"]),
    ]
    let old = try open()
    try old.migrate(Array(steps[..<1]))
    #expect(try old.schemaVersion() == 1)
    let reader = #expect(throws: StoreError.self) { try old.requireVersion(of: steps) }
    #expect(reader?.code == .notReady)
    let new = try open()
    try new.migrate(steps)
    try new.migrate(steps)
    #expect(try new.schemaVersion() == 3)
    #expect(try new.query("SELECT b FROM t") { row throws(StoreError) in try row.integer(0) } == [20])
    let ahead = #expect(throws: StoreError.self) { try old.migrate(Array(steps[..<2])) }
    #expect(ahead?.code == .newerSchema)
    #expect(ahead?.exitStatus == .misconfigured)
  }

  @Test func `a migration that fails leaves the version before it`() throws {
    let steps = [
      Migration(1, "first", ["CREATE TABLE t (a BIGINT)"]),
      Migration(2, "second", ["INSERT INTO t VALUES (1)", "INSERT INTO nowhere VALUES (1)"]),
    ]
    let database = try open()
    #expect(throws: StoreError.self) { try database.migrate(steps) }
    #expect(try database.schemaVersion() == 1)
    #expect(try count(database) == 0)
  }
}
