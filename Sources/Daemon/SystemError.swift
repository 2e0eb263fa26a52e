#if canImport(Glibc)
  internal import Glibc
#endif

/// A C function that failed: the one funnel from `errno` to an error.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The function, and what it was called with where that helps.
  public let operation: String
  /// The `errno` that it left.
  public let code: Int32

  /// An error by operation and `errno`.
  public init(_ operation: String, code: Int32) {
    self.operation = operation
    self.code = code
  }

  /// The error that the last C call of this thread left in `errno`.
  public static func last(_ operation: String) -> SystemError { SystemError(operation, code: errno) }

  /// Whether it says that there is no such file.
  public var isMissingFile: Bool { code == ENOENT }

  /// `operation: text of the error`.
  public var description: String { "\(operation): \(String(cString: strerror(code)))" }
}

/// Calls a C function that answers −1 and sets `errno` when it fails; again where a signal interrupted it.
/// - Parameters:
///   - operation: what is named in the error.
///   - body: the call.
/// - Returns: what the function answered.
/// - Throws: `SystemError`.
@discardableResult
public func systemCall<Value: SignedInteger>(
  _ operation: String, _ body: () -> Value
) throws(SystemError) -> Value {
  while true {
    let result = body()
    if result != -1 { return result }
    if errno != EINTR { throw SystemError.last(operation) }
  }
}
