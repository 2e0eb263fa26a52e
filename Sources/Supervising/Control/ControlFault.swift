internal import Web

extension XMLRPCValue {
  /// Clients send 0 and 1 for booleans too.
  var flag: Bool? { boolean ?? integer.map { $0 != 0 } }

  /// Clients send numbers as text, too.
  var number: Int? { integer.map { Int(clamping: $0) } ?? string.flatMap { Int($0) } }
}

/// A call that was not done: number and text are supervisord's.
struct ControlFault: Error, Hashable {
  enum Code: Int {
    case unknownMethod = 1
    case incorrectParameters = 2
    case badArguments = 3
    case signatureUnsupported = 4
    case shutdownState = 6
    case badName = 10
    case badSignal = 11
    case noFile = 20
    case notExecutable = 21
    case failed = 30
    case abnormalTermination = 40
    case spawnError = 50
    case alreadyStarted = 60
    case notRunning = 70
    case success = 80

    var name: String {
      switch self {
      case .unknownMethod: "UNKNOWN_METHOD"
      case .incorrectParameters: "INCORRECT_PARAMETERS"
      case .badArguments: "BAD_ARGUMENTS"
      case .signatureUnsupported: "SIGNATURE_UNSUPPORTED"
      case .shutdownState: "SHUTDOWN_STATE"
      case .badName: "BAD_NAME"
      case .badSignal: "BAD_SIGNAL"
      case .noFile: "NO_FILE"
      case .notExecutable: "NOT_EXECUTABLE"
      case .failed: "FAILED"
      case .abnormalTermination: "ABNORMAL_TERMINATION"
      case .spawnError: "SPAWN_ERROR"
      case .alreadyStarted: "ALREADY_STARTED"
      case .notRunning: "NOT_RUNNING"
      case .success: "SUCCESS"
      }
    }
  }

  let code: Code
  let detail: String

  init(_ code: Code, _ detail: String = "") {
    self.code = code
    self.detail = detail
  }

  /// `BAD_NAME: web`.
  var text: String { detail.isEmpty ? code.name : "\(code.name): \(detail)" }
}

/// What comes of a call, now or later.
typealias ControlReply = (Result<XMLRPCValue, ControlFault>) -> Void
