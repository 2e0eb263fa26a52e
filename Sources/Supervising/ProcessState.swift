/// Where a process stands; names and numbers are supervisord's.
public enum ProcessState: Int, CaseIterable, Sendable {
  /// Not started yet, or stopped by request. Left by a request to start, for STARTING.
  case stopped = 0
  /// Spawned, and not yet proven. Left for RUNNING when it says READY=1 or has lived for `startsecs`; for BACKOFF when
  /// it ends or is killed before; for FATAL when it says by its exit code not to be started again; for STOPPING by a
  /// request to stop.
  case starting = 10
  /// Doing its work. Left for EXITED when it ends; for STOPPING by a request to stop.
  case running = 20
  /// Waiting for the next try after a start that failed, or after too many restarts. Left for STARTING when the pause
  /// is over; for FATAL at once when there were too many tries; for STOPPED by a request to stop.
  case backoff = 30
  /// Told to stop. Left for STOPPED when it has ended; for STARTING then, where a start was requested meanwhile.
  case stopping = 40
  /// Ended by itself. Left at once for STARTING where it is restarted, or BACKOFF where that was too often; else by a
  /// request to start.
  case exited = 100
  /// Could not be started, or must not be started again. Left by a request to start.
  case fatal = 200
  /// A signal could not be delivered, so nobody knows. Left when the process ends after all, for EXITED.
  case unknown = 1000

  /// The name in capitals.
  public var name: String {
    switch self {
    case .stopped: "STOPPED"
    case .starting: "STARTING"
    case .running: "RUNNING"
    case .backoff: "BACKOFF"
    case .stopping: "STOPPING"
    case .exited: "EXITED"
    case .fatal: "FATAL"
    case .unknown: "UNKNOWN"
    }
  }

  /// Whether it is up, or on its way up without being asked again.
  public var isRunning: Bool { self == .running || self == .starting || self == .backoff }

  /// Whether it has come to rest.
  public var isStopped: Bool { self == .stopped || self == .exited || self == .fatal || self == .unknown }
}

/// How a process ended.
public enum ProcessExit: Hashable, Sendable {
  /// By itself, with a code of 0 to 255.
  case code(Int)
  /// By a signal.
  case signal(Int32)
  /// Nobody saw how: it was not our child, or ended while no supervisor ran.
  case unseen

  /// Reads the status that `waitpid(2)` gives.
  public init(waitStatus status: Int32) {
    self = status & 0x7F == 0 ? .code(Int(status >> 8) & 0xFF) : .signal(status & 0x7F)
  }

  /// The signal that ended it; nil where none did.
  public var signal: Int? {
    switch self {
    case .code, .unseen: nil
    case .signal(let number): Int(number)
    }
  }

  /// What `exitstatus` says: the code, or −1 for a signal and where nobody knows.
  public var status: Int {
    switch self {
    case .code(let code): code
    case .signal, .unseen: -1
    }
  }
}

/// When an ended process is started again.
public enum RestartPolicy: Sendable {
  /// Always.
  case always
  /// Never.
  case never
  /// Only when its exit code is not one of the expected, or a signal ended it.
  case unexpected
}

/// How one process is started, proven, stopped and started again; all durations in nanoseconds.
public struct ProcessPolicy: Hashable, Sendable {
  /// When it is started again after it has ended.
  public var restart = RestartPolicy.unexpected
  /// A process that has lived for so long is RUNNING, unless it must say so itself.
  public var startNanoseconds: Int64 = 1_000_000_000
  /// How many starts may fail in a row after the first.
  public var startRetries = 3
  /// The codes that are an expected end.
  public var exitCodes: Set<Int> = [0]
  /// The code that forbids another start.
  public var fatalExitCode = 100
  /// What asks it to end.
  public var stopSignal: Int32 = 15
  /// How long it may take to end before SIGKILL.
  public var stopWaitNanoseconds: Int64 = 10_000_000_000
  /// Whether the stop signal goes to its process group.
  public var stopsGroup = false
  /// Whether what is left of its process group is killed whenever it has ended, not only when it was told to stop.
  public var killsGroup = false
  /// Whether it is RUNNING only when it has said READY=1.
  public var waitsForReady = false
  /// How long that may take.
  public var readyTimeoutNanoseconds: Int64 = 60_000_000_000
  /// How often it must say WATCHDOG=1 once it is RUNNING; 0: never.
  public var watchdogNanoseconds: Int64 = 0
  /// The first pause after a failed start; it doubles with each more.
  public var backoffInitialNanoseconds: Int64 = 1_000_000_000
  /// The longest pause, before jitter.
  public var backoffMaxNanoseconds: Int64 = 30_000_000_000
  /// How much of a pause is added to it at most, at random.
  public var backoffJitterPercent: Int64 = 20
  /// How many restarts within the window are made at once; the next ones wait.
  public var restartsMax = 10
  /// The window of `restartsMax`.
  public var restartsWindowNanoseconds: Int64 = 10_000_000_000
  /// More restarts than this within the longer window end in FATAL; 0: never.
  public var fatalRestartsMax = 0
  /// The window of `fatalRestartsMax`.
  public var fatalRestartsWindowNanoseconds: Int64 = 3600_000_000_000

  /// supervisord's defaults.
  public init() {}
}
