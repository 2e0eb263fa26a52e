internal import CSQLite
public import Daemon

/// Why a store could not do what it was asked.
///
/// The arguments of a statement never stand in it; the statement itself does.
public struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What kind of failure it is.
  public enum Code: String, Sendable {
    /// Another process holds the file's lock for longer than we wait.
    case busy
    /// Another connection of this process is in the way.
    case locked
    /// The disk (or the size that the store may have) is full.
    case full
    /// The operating system failed to read or write.
    case io
    /// The file cannot be opened or made.
    case cannotOpen
    /// What is read is not there yet: no file, or one that its writer has not brought up to date.
    case notReady
    /// We may not write.
    case readOnly
    /// The file is damaged, or no database.
    case corrupt
    /// The file was written by a newer version of this program.
    case newerSchema
    /// A row with this key is there already.
    case duplicate
    /// The row that was to be changed is not there.
    case missing
    /// The row contradicts what is stored.
    case conflict
    /// A rule of the table is broken.
    case constraint
    /// The entries of a ledger transaction do not sum to zero.
    case unbalanced
    /// A stored value is not what its column should hold.
    case invalid
    /// A value or a sum is larger than its type holds.
    case tooLarge
    /// Anything else.
    case failed
  }

  /// What kind of failure it is.
  public let code: Code
  /// What was being done.
  public let operation: String
  /// What SQLite (or the check that failed) says about it.
  public let message: String
  /// The statement, without its arguments; nil where there was none.
  public let sql: String?

  /// An error by its parts.
  public init(_ code: Code, operation: String, message: String, sql: String? = nil) {
    self.code = code
    self.operation = operation
    self.message = message
    self.sql = sql
  }

  /// Whether the same call may succeed later, with nothing changed by us.
  ///
  /// Whatever was being written was rolled back as a whole.
  public var isRetriable: Bool {
    switch code {
    case .busy, .locked, .full, .io, .notReady: true
    default: false
    }
  }

  /// `operation: code: message [statement]`.
  public var description: String {
    let statement = sql.map { " [\($0)]" } ?? ""
    return "\(operation): \(code.rawValue): \(message)\(statement)"
  }
}

extension StoreError: ExitStatusError {
  /// A file of a newer version stays so however often we start; everything else may pass.
  public var exitStatus: ExitStatus { code == .newerSchema ? .misconfigured : .failed }
}

extension StoreError {
  /// The error of an SQLite result code.
  ///
  /// The corresponding C functions are `sqlite3_errmsg` and `sqlite3_extended_errcode`.
  init(result: Int32, handle: OpaquePointer?, operation: String, sql: String?) {
    let extended = handle.map { sqlite3_extended_errcode($0) } ?? result
    let message = handle.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(result))
    self.init(Self.code(result: result & 0xFF, extended: extended), operation: operation, message: message, sql: sql)
  }

  private static func code(result: Int32, extended: Int32) -> Code {
    switch result {
    case SQLITE_BUSY: .busy
    case SQLITE_LOCKED: .locked
    case SQLITE_FULL: .full
    case SQLITE_IOERR: .io
    case SQLITE_CANTOPEN: .cannotOpen
    case SQLITE_READONLY, SQLITE_PERM: .readOnly
    case SQLITE_CORRUPT, SQLITE_NOTADB: .corrupt
    case SQLITE_TOOBIG: .tooLarge
    case SQLITE_CONSTRAINT:
      // The extended codes are macros with shifts, which Swift does not import.
      extended == SQLITE_CONSTRAINT | 6 << 8 || extended == SQLITE_CONSTRAINT | 8 << 8
        || extended == SQLITE_CONSTRAINT | 10 << 8 ? .duplicate : .constraint
    default: .failed
    }
  }
}
