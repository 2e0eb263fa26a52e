#if canImport(Glibc)
  internal import Glibc
#endif

/// What every worker has from its first moment: its name, its settings, a log, and a way to be told to stop.
public struct WorkerContext: Sendable {
  /// The name of this process, such as `ingestor-polymarket`.
  public let name: String
  /// The settings.
  public let settings: Settings
  /// Where sockets, logs and other passing things are.
  public let runDirectory: String
  /// Where what must last is kept.
  public let dataDirectory: String
  /// Arguments of the command line that were not understood here; the first is not the program's name.
  public let arguments: [String]
  /// Becomes readable when the process is told to stop (SIGTERM or SIGINT).
  public let stopDescriptor: Int32
  /// The line to the supervisor.
  public let readiness: Readiness

  /// Sets up the process; call it first, before any thread is started.
  ///
  /// The file is `-c FILE`, or `BULKHEAD_CONF`, or `supervisor.conf` here; the name is `--name NAME`, or
  /// `BULKHEAD_NAME`, or what supervisord calls the process, or the default.
  /// - Parameters:
  ///   - defaultName: the name of a process that was started by hand.
  ///   - arguments: the command line without the program.
  ///   - environment: the variables.
  /// - Returns: all that the worker needs.
  /// - Throws: `ConfigurationError` or `SystemError`.
  public static func load(
    defaultName: String, arguments: [String] = Array(CommandLine.arguments.dropFirst()),
    environment: [String: String] = Environment.current
  ) throws -> WorkerContext {
    Footprint.keepSmall()
    var path = environment["BULKHEAD_CONF"] ?? "supervisor.conf"
    var name = environment["BULKHEAD_NAME"] ?? environment["SUPERVISOR_PROCESS_NAME"] ?? defaultName
    var others: [String] = []
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      switch argument {
      case "-c", "--name":
        guard let value = rest.popFirst() else {
          throw ConfigurationError(file: "command line", problem: "expected a value after \(argument)")
        }
        if argument == "-c" { path = value } else { name = value }
      default: others.append(argument)
      }
    }
    Log.configure(level: .info, json: false, process: name)
    let settings = try Settings.load(path: path, environment: environment)
    configureLog(settings, name: name)
    try settings.checkDatabase()
    Signals.ignore(SIGPIPE)
    let context = WorkerContext(
      name: name, settings: settings, runDirectory: settings.path("bulkhead", "run_dir"),
      dataDirectory: settings.path("bulkhead", "data_dir"), arguments: others,
      stopDescriptor: try Signals.open([SIGTERM, SIGINT]), readiness: Readiness(environment: environment))
    try FilePaths.makeDirectories(context.runDirectory + "/bus", mode: 0o700)
    try FilePaths.makeDirectories(context.dataDirectory, mode: 0o700)
    return context
  }

  /// Sets level and form of the log from the settings.
  public static func configureLog(_ settings: Settings, name: String) {
    let level: Log.Level =
      switch settings.text("bulkhead", "log_level") {
      case "debug": .debug
      case "warning": .warning
      case "error": .error
      default: .info
      }
    Log.configure(level: level, json: settings.text("bulkhead", "log_format") == "json", process: name)
  }

  /// Says that the process does its work.
  /// - Parameter status: one line for people.
  public func notifyReady(status: String) { readiness.ready(status: status) }

  /// Says anything else of `sd_notify(3)`, such as `STATUS=…`, `STOPPING=1` or `WATCHDOG=1`.
  public func notify(_ message: String) { readiness.send(message) }

  /// Whether the process has been told to stop; never blocks, and takes the signal.
  public func takeStop() -> Bool { ((try? Signals.read(stopDescriptor)) ?? nil) != nil }
}
