internal import Daemon

/// Something that event listeners are told of: its kind, and its text in supervisord's form.
public struct SupervisorEvent: Hashable, Sendable {
  /// The kind; one that has no special cases.
  public let kind: EventKind
  /// What follows the header.
  public let payload: String

  package init(_ kind: EventKind, _ payload: String) {
    self.kind = kind
    self.payload = payload
  }

  /// What is told of a process that changes its state.
  public struct ProcessFacts: Hashable, Sendable {
    /// The name.
    public var name: String
    /// The group's name.
    public var group: String
    /// The pid; that of the process which has just ended, 0 where there was none.
    public var pid: Int32
    /// Starts that failed in a row.
    public var tries: Int
    /// Whether its end was one of those that are expected.
    public var isExpected: Bool

    /// Facts by their parts.
    public init(name: String, group: String, pid: Int32, tries: Int, isExpected: Bool) {
      self.name = name
      self.group = group
      self.pid = pid
      self.tries = tries
      self.isExpected = isExpected
    }
  }

  /// A process has changed its state.
  public static func processState(
    from: ProcessState, to: ProcessState, _ process: ProcessFacts
  ) -> SupervisorEvent {
    let text = "processname:\(process.name) groupname:\(process.group) from_state:\(from.name)"
    switch to {
    case .starting: return SupervisorEvent(.processStateStarting, "\(text) tries:\(process.tries)")
    case .backoff: return SupervisorEvent(.processStateBackoff, "\(text) tries:\(process.tries)")
    case .running: return SupervisorEvent(.processStateRunning, "\(text) pid:\(process.pid)")
    case .stopping: return SupervisorEvent(.processStateStopping, "\(text) pid:\(process.pid)")
    case .stopped: return SupervisorEvent(.processStateStopped, "\(text) pid:\(process.pid)")
    case .exited:
      return SupervisorEvent(.processStateExited, "\(text) expected:\(process.isExpected ? 1 : 0) pid:\(process.pid)")
    case .fatal: return SupervisorEvent(.processStateFatal, text)
    case .unknown: return SupervisorEvent(.processStateUnknown, text)
    }
  }

  /// A process has written something; `isError` where it was to standard error.
  public static func processLog(
    name: String, group: String, pid: Int32, isError: Bool, bytes: [UInt8]
  ) -> SupervisorEvent {
    let text = "processname:\(name) groupname:\(group) pid:\(pid) channel:\(isError ? "stderr" : "stdout")\n"
    return SupervisorEvent(isError ? .processLogStderr : .processLogStdout, text + readable(bytes))
  }

  /// A process has written something between the marks of `PROCESS_COMMUNICATION`.
  public static func processCommunication(
    name: String, group: String, pid: Int32, isError: Bool, bytes: [UInt8]
  ) -> SupervisorEvent {
    let text = "processname:\(name) groupname:\(group) pid:\(pid)\n"
    return SupervisorEvent(isError ? .processCommunicationStderr : .processCommunicationStdout, text + readable(bytes))
  }

  /// Somebody has called `sendRemoteCommEvent`.
  public static func remoteCommunication(type: String, data: String) -> SupervisorEvent {
    SupervisorEvent(.remoteCommunication, "type:\(type)\n\(data)")
  }

  /// The supervisor runs.
  public static let supervisorRunning = SupervisorEvent(.supervisorStateChangeRunning, "")

  /// The supervisor begins to stop everything.
  public static let supervisorStopping = SupervisorEvent(.supervisorStateChangeStopping, "")

  /// A group is there.
  public static func groupAdded(_ name: String) -> SupervisorEvent {
    SupervisorEvent(.processGroupAdded, "groupname:\(name)\n")
  }

  /// A group is gone.
  public static func groupRemoved(_ name: String) -> SupervisorEvent {
    SupervisorEvent(.processGroupRemoved, "groupname:\(name)\n")
  }

  /// A period of 5, 60 or 3600 seconds begins; `when` is its first second since 1970.
  public static func tick(periodSeconds: Int64, when: Int64) -> SupervisorEvent {
    SupervisorEvent(periodSeconds == 5 ? .tick5 : periodSeconds == 60 ? .tick60 : .tick3600, "when:\(when)")
  }

  /// The header and the payload, as they go to a listener.
  ///
  /// The length counts characters, as supervisord's does, not bytes.
  package func envelope(server: String, serial: Int, pool: String, poolSerial: Int) -> [UInt8] {
    let head =
      "ver:3.0 server:\(server) serial:\(serial) pool:\(pool) poolserial:\(poolSerial)"
      + " eventname:\(kind.rawValue) len:\(payload.unicodeScalars.count)\n"
    return Array((head + payload).utf8)
  }

  /// The text of bytes; where they are none, what Python says of them.
  private static func readable(_ bytes: [UInt8]) -> String {
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    let quote = bytes.contains(0x27) && !bytes.contains(0x22) ? "\"" : "'"
    var text = "Undecodable: b" + quote
    for byte in bytes {
      switch byte {
      case 0x09: text += "\\t"
      case 0x0A: text += "\\n"
      case 0x0D: text += "\\r"
      case 0x5C: text += "\\\\"
      case 0x27 where quote == "'": text += "\\'"
      case 0x20...0x7E: text.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        let digits = String(byte, radix: 16)
        text += "\\x" + (digits.utf8.count < 2 ? "0" + digits : digits)
      }
    }
    return text + quote
  }
}
