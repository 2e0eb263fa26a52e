#if canImport(Glibc)
  internal import Glibc
#endif
public import Daemon

/// All that one configuration file says: what the supervisor is, and what it runs.
public struct SupervisorConfiguration: Sendable {
  /// The file, absolute.
  public let path: String
  /// The workers' settings.
  public let settings: Settings
  /// Where sockets and pid files are.
  public let runDirectory: String
  /// The control sockets: that of the run directory, and one of the file's own where it names another.
  public let controlSockets: [String]
  /// The permissions of the control sockets.
  public let controlMode: Int
  /// The pid files: that of the run directory, and one of the file's own where it names another.
  public let pidFiles: [String]
  /// What this supervisor calls itself.
  public let identifier: String
  /// The umask of the children.
  public let umask: Int
  /// After so many nanoseconds a shutdown kills.
  public let shutdownLimitNanoseconds: Int64
  /// Whom the supervisor shall become; nil: it stays who it is.
  public let user: UserIdentity?
  /// The processes.
  public let processes: [ProcessSpecification]
  /// What was understood and is not done.
  public let warnings: [String]

  /// Where the control socket of a run directory is.
  public static func controlSocket(runDirectory: String) -> String { runDirectory + "/supervisor.sock" }

  /// Where children send what `sd_notify` says.
  public static func notifySocket(runDirectory: String) -> String { runDirectory + "/notify.sock" }

  /// Reads a configuration and checks all of it; nothing is started or changed.
  /// - Parameters:
  ///   - path: the file.
  ///   - environment: overrides and expansions, and what the children get.
  ///   - counts: how many processes programs have, by the program's name, where that is not what `numprocs` says.
  ///     Where `process_name` has no number, the first keeps its name and the others get `_01`, `_02`, ….
  /// - Returns: the configuration, or every mistake in it.
  public static func read(
    path: String, environment: [String: String], counts: [String: Int] = [:]
  ) -> (configuration: SupervisorConfiguration?, errors: [ConfigurationError]) {
    let file = ConfigurationFile(path: path, environment: environment)
    let (settings, generalErrors) = Settings.read(file, environment: environment)
    var errors = generalErrors
    func section(_ name: String) -> ConfigurationFile.Section {
      file.section(name) ?? ConfigurationFile.Section(emptySection: name, of: file)
    }

    var names = Expansion.names(environment: environment)
    names["here"] = file.directory
    names["host_node_name"] = SystemLookup.hostName
    var general = SectionReader(section("supervisord"), family: "supervisord", names: names)
    var server = SectionReader(section("unix_http_server"), family: "unix_http_server", names: names)
    var extra = SectionReader(section("bulkhead:supervisor"), family: "bulkhead:supervisor", names: names)
    for key in ["username", "password"] where server.has(key) {
      server.fail(key, "not supported on the unix socket, which is for its owner only; expected none")
    }
    let runDirectory = settings.path("bulkhead", "run_dir")
    var childEnvironment: [String: String] = [
      "SUPERVISOR_ENABLED": "1",
      "NOTIFY_SOCKET": notifySocket(runDirectory: runDirectory),
      "SUPERVISOR_SERVER_URL": "unix://" + (server.path("file") ?? controlSocket(runDirectory: runDirectory)),
    ]
    for pair in general.keyValues("environment") {
      childEnvironment[pair.key] = pair.value
      names["ENV_" + pair.key] = pair.value
    }
    // The file may name itself for other supervisors; here it is known.
    childEnvironment["BULKHEAD_CONF"] = FilePaths.absolute(path)
    var programs = ProgramReader(
      file: file, environment: environment, names: names, childEnvironment: childEnvironment,
      logDirectory: general.path("childlogdir") ?? runDirectory + "/logs", counts: counts)
    programs.read()
    var user: UserIdentity?
    if let wanted = general.optionalText("user") {
      user = SystemLookup.user(wanted)
      if user == nil { general.fail("user", "expected a user of this host, found \(jsonQuoted(wanted))") }
      if let user, geteuid() != 0, user.uid != geteuid() {
        general.fail("user", "expected the user that the supervisor runs as, because it is not root")
      }
    }
    let configuration = SupervisorConfiguration(
      path: FilePaths.absolute(path), settings: settings, runDirectory: runDirectory,
      controlSockets: unique([controlSocket(runDirectory: runDirectory), server.path("file")]),
      controlMode: server.integer("chmod"),
      pidFiles: unique([runDirectory + "/supervisor.pid", general.path("pidfile")]),
      identifier: general.text("identifier"), umask: general.integer("umask"),
      shutdownLimitNanoseconds: extra.nanoseconds("shutdown_limit_s"),
      user: user.flatMap { $0.uid == geteuid() ? nil : $0 }, processes: programs.processes, warnings: warnings(file))
    for error in general.errors + server.errors + extra.errors + programs.errors where !errors.contains(error) {
      errors.append(error)
    }
    return (errors.isEmpty ? configuration : nil, errors)
  }

  private static func unique(_ paths: [String?]) -> [String] {
    paths.reduce(into: []) { result, path in
      if let path, !result.contains(path) { result.append(path) }
    }
  }

  private static func warnings(_ file: ConfigurationFile) -> [String] {
    file.sections.compactMap { section in
      if section.name.hasPrefix("eventlistener:") || section.name.hasPrefix("fcgi-program:") {
        return "[\(section.name)] is understood and not started"
      }
      return section.name == "inet_http_server" ? "[inet_http_server] is understood and not served" : nil
    }
  }
}
