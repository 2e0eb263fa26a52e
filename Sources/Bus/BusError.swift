internal import CZeroMQ
public import Daemon

/// A ZeroMQ call that failed.
public struct BusError: ExitStatusError, Hashable, CustomStringConvertible {
  /// What was tried, and on which endpoint.
  public let operation: String
  /// The `errno` that libzmq left.
  public let code: Int32

  /// The error that the last libzmq call of this thread left.
  static func last(_ operation: String) -> BusError { BusError(operation: operation, code: zmq_errno()) }

  /// `operation: text of the error`.
  public var description: String { "\(operation): \(String(cString: zmq_strerror(code)))" }

  /// Another start may succeed: an address in use is freed, a directory appears.
  public var exitStatus: ExitStatus { .failed }
}

/// Why the bytes of a message are no message of ours.
public enum MessageError: Error, Hashable, Sendable {
  /// The bytes end before the value does.
  case truncated
  /// Another type stands where `expected` should.
  case mismatch(expected: String, found: UInt8)
  /// A number or a code outside of what the field can hold.
  case outOfRange(field: String)
}
