internal import CLinux
public import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// How this supervisor was started: by a person, by its own earlier image, or as the successor of one that died.
public struct Launch: Sendable {
  /// The executable that the next image is read from: what was called, also where it has been replaced since.
  public var executable: String
  /// The arguments for the next image, without the program and without those that only one image has.
  public var arguments: [String]
  /// The configuration file.
  public var configurationPath: String
  /// Whether it was told to stay in the foreground.
  public var staysInForeground: Bool
  /// How many of its predecessors died in quick succession, where it took over from a dead one; nil for a regular one.
  ///
  /// A stand-in steps aside for a supervisor that is started regularly.
  public var standIn: Int?
  /// The lock of the run directory, kept by the image before.
  public var lockDescriptor: Int32?
  /// The socket of readiness, kept by the image before or by the standby.
  public var notifyDescriptor: Int32?
  /// Whom to tell that it runs, where it is a daemon whose parent waits.
  public var parentDescriptor: Int32?

  /// Whether this process goes on with what another image began.
  public var isContinuation: Bool { standIn != nil || lockDescriptor != nil }

  /// Why a command line is not understood.
  public struct UsageError: ExitStatusError, CustomStringConvertible {
    /// What was found.
    public let found: String
    /// How the program ends.
    public var exitStatus: ExitStatus { .usage }
    /// For people.
    public var description: String { "usage: supervisor -c FILE [-n]; found \(jsonQuoted(found))" }
  }

  /// Tells the parent of a daemon how the start went; it exits with that.
  func tellParent(_ status: ExitStatus) {
    guard let parentDescriptor else { return }
    var code = UInt8(truncatingIfNeeded: status.rawValue)
    // From now on it belongs to no terminal; what went wrong until here could be read there.
    let null = bh_open("/dev/null", O_RDWR, 0)
    if null >= 0 {
      for descriptor in 0...2 { dup2(null, Int32(descriptor)) }
      if null > 2 { close(null) }
    }
    _ = write(parentDescriptor, &code, 1)
    close(parentDescriptor)
  }

  /// Reads a command line.
  /// - Parameter commandLine: the program and its arguments.
  /// - Throws: `UsageError`.
  public init(_ commandLine: [String]) throws(UsageError) {
    configurationPath = "supervisor.conf"
    staysInForeground = false
    arguments = []
    executable = Self.executable(calledAs: commandLine.first ?? "")
    var rest = commandLine.dropFirst()
    func value(_ option: String) throws(UsageError) -> String {
      guard let value = rest.popFirst() else { throw UsageError(found: option) }
      return value
    }
    func number(_ option: String) throws(UsageError) -> Int32 {
      let text = try value(option)
      guard let number = Int32(text), number >= 0 else { throw UsageError(found: "\(option) \(text)") }
      return number
    }
    while let argument = rest.popFirst() {
      switch argument {
      case "-c", "--configuration": configurationPath = try value(argument)
      case "-n", "--nodaemon":
        staysInForeground = true
        arguments.append("-n")
      case "--stand-in": standIn = Int(try number(argument))
      case "--lock": lockDescriptor = try number(argument)
      case "--notify": notifyDescriptor = try number(argument)
      default: throw UsageError(found: argument)
      }
    }
    configurationPath = FilePaths.absolute(configurationPath)
    arguments = ["-c", configurationPath] + arguments
  }

  /// The path that was called where it leads to this program; else what the kernel says.
  private static func executable(calledAs name: String) -> String {
    var mine = stat()
    var called = stat()
    let path = FilePaths.absolute(name)
    if name.contains("/"), stat("/proc/self/exe", &mine) == 0, stat(path, &called) == 0, mine.st_ino == called.st_ino,
      mine.st_dev == called.st_dev
    {
      return path
    }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer in
      guard let base = buffer.baseAddress else { return path }
      let count = readlink("/proc/self/exe", base, buffer.count - 1)
      guard count > 0 else { return path }
      base[count] = 0
      return String(cString: base)
    }
  }
}

extension Launch {
  /// Where this process was started as a standby, waits for the supervisor's death and executes the next one; else
  /// returns at once.
  ///
  /// Call it before anything else.
  public static func waitAsStandby() { bh_standby(CommandLine.argc, CommandLine.unsafeArgv) }

  /// Goes on as a daemon, where the configuration says so and the command line does not say otherwise.
  ///
  /// The process that was started ends when the supervisor runs, or could not start, with its exit code. The
  /// corresponding C functions are `fork` and `setsid`; call it before there are threads.
  /// - Parameter configuration: what it will run.
  /// - Throws: `SystemError`.
  public mutating func leaveForeground(_ configuration: SupervisorConfiguration) throws(SystemError) {
    guard configuration.daemon.staysInForeground == false, !staysInForeground, !isContinuation else { return }
    parentDescriptor = try systemCall("fork") { bh_daemonize() }
    if let directory = configuration.daemon.directory {
      try systemCall("chdir \(directory)") { chdir(directory) }
    }
  }
}

extension Launch {
  /// Reads the configuration, with as many processes of each program as a supervisor that died here had.
  /// - Parameter environment: overrides and expansions, and what the children get.
  /// - Returns: the configuration, or every mistake in it.
  public func readConfiguration(
    environment: [String: String]
  ) -> (configuration: SupervisorConfiguration?, errors: [ConfigurationError]) {
    let first = SupervisorConfiguration.read(path: configurationPath, environment: environment)
    guard let configuration = first.configuration,
      let scales = StateFile(runDirectory: configuration.runDirectory).read()?.scales, !scales.isEmpty
    else { return first }
    return SupervisorConfiguration.read(path: configurationPath, environment: environment, counts: scales)
  }

  /// The same for a supervisor that takes the place of a dead one: whoever made a mistake in the file since mends it while
  /// the processes live on.
  ///
  /// The corresponding C function is `sigtimedwait`.
  /// - Parameter environment: overrides and expansions, and what the children get.
  /// - Returns: the configuration, or the mistakes where it was told to end.
  public func waitForConfiguration(
    environment: [String: String]
  ) -> (configuration: SupervisorConfiguration?, errors: [ConfigurationError]) {
    var ends = sigset_t()
    sigemptyset(&ends)
    for signal in [SIGTERM, SIGINT, SIGQUIT] { sigaddset(&ends, signal) }
    sigprocmask(SIG_BLOCK, &ends, nil)
    var told = ""
    while true {
      let read = readConfiguration(environment: environment)
      guard standIn != nil, read.configuration == nil else { return read }
      let text = read.errors.map { "\($0)" }.joined(separator: "; ")
      if text != told {
        Log.error("nobody is supervised until the configuration is mended", ["error": text])
        told = text
      }
      var pause = timespec(tv_sec: 1, tv_nsec: 0)
      if sigtimedwait(&ends, nil, &pause) > 0 { return read }
    }
  }
}
