/// Where one output stream of a process goes.
public struct OutputSpecification: Hashable, Sendable {
  /// The file; nil where the output is thrown away.
  public var file: String?
  /// The file is rotated before it would grow beyond this; 0: never.
  public var sizeMax: Int
  /// How many rotated files are kept.
  public var backups: Int
  /// How many bytes between the marks of `PROCESS_COMMUNICATION` are kept for its event, the last ones; 0: no capture.
  public var captureMax = 0
  /// Whether each piece of output is an event, `PROCESS_LOG`.
  public var emitsEvents = false
  /// Whether each line goes to syslog too.
  public var usesSyslog = false
  /// Whether escape sequences are dropped from it.
  public var stripsEscapes = false
  /// Whether the time stands before each line.
  public var stampsLines = false
  /// Whether nobody chose the file's name: `AUTO`.
  public var isAutomatic = false

  /// Whether it is what an event listener answers.
  public var isListener = false

  /// Whether anybody wants it.
  public var goesSomewhere: Bool { file != nil || captureMax > 0 || emitsEvents || usesSyslog || isListener }
  /// Whether event listeners may hear of it.
  var isTold: Bool { captureMax > 0 || emitsEvents }

  /// An output by its parts.
  public init(file: String?, sizeMax: Int, backups: Int) {
    self.file = file
    self.sizeMax = sizeMax
    self.backups = backups
  }
}

/// Whom a process runs as.
public struct UserIdentity: Hashable, Sendable {
  /// The user.
  public let uid: UInt32
  /// The user's first group.
  public let gid: UInt32
  /// All the user's groups.
  public let groups: [UInt32]
  /// The user's name.
  public let name: String
  /// The user's home.
  public let home: String
}

/// What one process is: all that the configuration says of it, read and expanded.
public struct ProcessSpecification: Hashable, Sendable {
  /// The place in the order of starting.
  ///
  /// What has the same priority is ordered by name, as supervisord does.
  public struct SortKey: Hashable, Comparable, Sendable {
    /// The priority of the group.
    public let groupPriority: Int
    /// The group's name.
    public let group: String
    /// The priority within the group.
    public let priority: Int
    /// The program's name.
    public let program: String
    /// The place within the program.
    public let index: Int

    /// Orders by the parts, the first one first.
    public static func < (left: SortKey, right: SortKey) -> Bool {
      (left.groupPriority, left.group, left.priority, left.program, left.index)
        < (right.groupPriority, right.group, right.priority, right.program, right.index)
    }
  }

  /// What kind of process it is.
  public enum Kind: Hashable, Sendable {
    /// One of `[program:x]`.
    case program
    /// One of `[eventlistener:x]`: its standard input and output carry events.
    case eventListener
    /// One of `[fcgi-program:x]`: its standard input is a listening socket.
    case fastCGI(SharedSocketSpecification)
  }

  /// The process's name; unique in its group.
  public let name: String
  /// The group's name.
  public let group: String
  /// The name of its section: `x` of `[program:x]`.
  public let program: String
  /// What kind of process it is.
  public let kind: Kind
  /// The place in the order of starting.
  public let sortKey: SortKey
  /// Whether it starts with the supervisor.
  public let startsAutomatically: Bool
  /// How it is started, proven, stopped and started again.
  public let policy: ProcessPolicy
  /// The full names of the processes that must be RUNNING and ready before it is started.
  public var dependencies: [String] = []
  /// The program, as a path.
  public let executable: String
  /// Why the program could not be run when the configuration was read; nil where it could.
  public let executableProblem: ExecutableProblem?
  /// The arguments, the program's name first.
  public let arguments: [String]
  /// The command line as it stands in the configuration, expanded.
  public var command = ""
  /// The directory that it works in; nil: that of the supervisor.
  public let directory: String?
  /// Its umask; nil: that of all children.
  public let umask: Int?
  /// Whom it runs as; nil: as the supervisor.
  public let user: UserIdentity?
  /// Variables on top of the supervisor's own.
  public internal(set) var environment: [String: String]
  /// Whether standard error goes where standard output goes.
  public let redirectsErrors: Bool
  /// Standard output.
  public let output: OutputSpecification
  /// Standard error.
  public let errorOutput: OutputSpecification

  /// What it may use.
  public var limits = ResourceLimits()

  /// Processes of one level are stopped together.
  public var level: Int { sortKey.groupPriority }

  /// `group:name`, or the name alone where both are the same.
  public var fullName: String { group == name ? name : "\(group):\(name)" }
}
