internal import Daemon

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
    case alreadyAdded = 90
    case stillRunning = 91
    case cannotReread = 92

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
      case .alreadyAdded: "ALREADY_ADDED"
      case .stillRunning: "STILL_RUNNING"
      case .cannotReread: "CANT_REREAD"
      }
    }
  }

  let code: Code
  let detail: String?

  init(_ code: Code, _ detail: String? = nil) {
    self.code = code
    self.detail = detail
  }

  /// A fault because of mistakes in the configuration, one on each line.
  init(_ code: Code, mistakes: [ConfigurationError]) {
    self.init(code, mistakes.map { "\($0)" }.joined(separator: "\n"))
  }

  /// `BAD_NAME: web`.
  var text: String { detail.map { "\(code.name): \($0)" } ?? code.name }
}
