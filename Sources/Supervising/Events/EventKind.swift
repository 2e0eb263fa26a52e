/// The kinds of events that `[eventlistener:x] events` may name; names are supervisord's.
public enum EventKind: String, CaseIterable, Sendable {
  case event = "EVENT"
  case processState = "PROCESS_STATE"
  case processStateStopped = "PROCESS_STATE_STOPPED"
  case processStateExited = "PROCESS_STATE_EXITED"
  case processStateStarting = "PROCESS_STATE_STARTING"
  case processStateStopping = "PROCESS_STATE_STOPPING"
  case processStateBackoff = "PROCESS_STATE_BACKOFF"
  case processStateFatal = "PROCESS_STATE_FATAL"
  case processStateRunning = "PROCESS_STATE_RUNNING"
  case processStateUnknown = "PROCESS_STATE_UNKNOWN"
  case processCommunication = "PROCESS_COMMUNICATION"
  case processCommunicationStdout = "PROCESS_COMMUNICATION_STDOUT"
  case processCommunicationStderr = "PROCESS_COMMUNICATION_STDERR"
  case processLog = "PROCESS_LOG"
  case processLogStdout = "PROCESS_LOG_STDOUT"
  case processLogStderr = "PROCESS_LOG_STDERR"
  case remoteCommunication = "REMOTE_COMMUNICATION"
  case supervisorStateChange = "SUPERVISOR_STATE_CHANGE"
  case supervisorStateChangeRunning = "SUPERVISOR_STATE_CHANGE_RUNNING"
  case supervisorStateChangeStopping = "SUPERVISOR_STATE_CHANGE_STOPPING"
  case tick = "TICK"
  case tick5 = "TICK_5"
  case tick60 = "TICK_60"
  case tick3600 = "TICK_3600"
  case processGroup = "PROCESS_GROUP"
  case processGroupAdded = "PROCESS_GROUP_ADDED"
  case processGroupRemoved = "PROCESS_GROUP_REMOVED"

  /// The kind that this one is a special case of; nil for `EVENT` itself.
  public var parent: EventKind? {
    switch self {
    case .event: nil
    case .processState, .processCommunication, .processLog, .remoteCommunication, .supervisorStateChange, .tick,
      .processGroup:
      .event
    case .processStateStopped, .processStateExited, .processStateStarting, .processStateStopping,
      .processStateBackoff, .processStateFatal, .processStateRunning, .processStateUnknown:
      .processState
    case .processCommunicationStdout, .processCommunicationStderr: .processCommunication
    case .processLogStdout, .processLogStderr: .processLog
    case .supervisorStateChangeRunning, .supervisorStateChangeStopping: .supervisorStateChange
    case .tick5, .tick60, .tick3600: .tick
    case .processGroupAdded, .processGroupRemoved: .processGroup
    }
  }

  /// Whether somebody who hears `other` hears this kind.
  public func isKind(of other: EventKind) -> Bool {
    self == other || parent?.isKind(of: other) == true
  }
}
