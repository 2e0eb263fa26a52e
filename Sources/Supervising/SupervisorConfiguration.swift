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
  /// Where the control interface is served: the run directory's socket always, and what the file says.
  public let controlEndpoints: [ControlEndpoint]
  /// What the children are told of the control interface.
  public let serverURL: String
  /// The pid files: that of the run directory, and one of the file's own where it names another.
  public let pidFiles: [String]
  /// What this supervisor calls itself.
  public let identifier: String
  /// The umask of the children.
  public let umask: Int
  /// After so many nanoseconds a shutdown kills.
  public let shutdownLimitNanoseconds: Int64
  /// A hand-over between shards goes on after so many nanoseconds, also where somebody has not confirmed.
  public let handOverLimitNanoseconds: Int64
  /// Whether a second process waits to take the place of a supervisor that dies.
  public let hasStandby: Bool
  /// Whom the supervisor shall become; nil: it stays who it is.
  public let user: UserIdentity?
  /// What concerns the supervisor's own process and log.
  public let daemon: DaemonSpecification
  /// The groups, in the order of starting.
  public let groups: [GroupSpecification]
  /// The processes of all groups.
  public let processes: [ProcessSpecification]
  /// What was understood and is not done.
  public let warnings: [String]

  /// Where the control socket of a run directory is.
  public static func controlSocket(runDirectory: String) -> String { runDirectory + "/supervisor.sock" }

  /// The paths of the control interface's unix sockets.
  public var controlSockets: [String] { controlEndpoints.compactMap(\.path) }

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
    let surroundings = Surroundings.machine
    let file = ConfigurationFile(path: path, environment: environment, hostName: surroundings.hostName)
    return read(file, environment: environment, counts: counts, surroundings: surroundings)
  }

  /// Does the same with a file that has been parsed.
  /// - Parameters:
  ///   - file: the file.
  ///   - environment: overrides and expansions, and what the children get.
  ///   - counts: how many processes programs have, where that is not what `numprocs` says.
  ///   - surroundings: the machine that it is for.
  /// - Returns: the configuration, or every mistake in it.
  public static func read(
    _ file: ConfigurationFile, environment: [String: String], counts: [String: Int] = [:],
    surroundings: Surroundings
  ) -> (configuration: SupervisorConfiguration?, errors: [ConfigurationError]) {
    let (settings, generalErrors) = Settings.read(file, environment: environment)
    var errors = generalErrors
    func section(_ name: String) -> ConfigurationFile.Section {
      file.section(name) ?? ConfigurationFile.Section(emptySection: name, of: file)
    }

    var names = Expansion.Names(variables: environment, texts: ["here": file.directory])
    var general = SectionReader(section("supervisord"), family: "supervisord", names: names)
    var server = SectionReader(section("unix_http_server"), family: "unix_http_server", names: names)
    var extra = SectionReader(section("bulkhead:supervisor"), family: "bulkhead:supervisor", names: names)
    var internet = file.section("inet_http_server").map {
      SectionReader($0, family: "inet_http_server", names: names)
    }
    let runDirectory = settings.path("bulkhead", "run_dir")
    let control = ControlEndpointReader(
      unix: &server, inet: &internet, standardSocket: controlSocket(runDirectory: runDirectory),
      surroundings: surroundings)
    let serverURL = "unix://" + (server.path("file") ?? controlSocket(runDirectory: runDirectory))
    var childEnvironment: [String: String] = [
      "SUPERVISOR_ENABLED": "1",
      "NOTIFY_SOCKET": notifySocket(runDirectory: runDirectory),
      "SUPERVISOR_SERVER_URL": serverURL,
    ]
    for pair in general.keyValuesExpandedTwice("environment") {
      childEnvironment[pair.key] = pair.value
      names.variables[pair.key] = pair.value
    }
    // The file may name itself for other supervisors; here it is known.
    childEnvironment["BULKHEAD_CONF"] = FilePaths.absolute(file.path)
    let daemon = DaemonSpecification(&general, runDirectory: runDirectory, surroundings: surroundings)
    var programs = ProgramReader(
      file: file,
      setting: ProgramReader.Setting(
        names: names, surroundings: surroundings, childEnvironment: childEnvironment,
        searchPath: childEnvironment["PATH"] ?? environment["PATH"] ?? Surroundings.searchPath,
        logDirectory: daemon.childLogDirectory, directory: daemon.workingDirectory,
        stripsEscapes: daemon.stripsEscapes, counts: counts))
    programs.read()
    let configuration = SupervisorConfiguration(
      path: FilePaths.absolute(file.path), settings: settings, runDirectory: runDirectory,
      controlEndpoints: control.endpoints, serverURL: serverURL,
      pidFiles: unique([runDirectory + "/supervisor.pid", general.path("pidfile")]),
      identifier: general.text("identifier"), umask: general.integer("umask"),
      shutdownLimitNanoseconds: extra.nanoseconds("shutdown_limit_s"),
      handOverLimitNanoseconds: extra.nanoseconds("handover_limit_s"),
      hasStandby: extra.boolean("standby"),
      user: user(&general, surroundings: surroundings), daemon: daemon, groups: programs.groups,
      processes: programs.groups.flatMap(\.processes),
      warnings: (file.warnings + programs.warnings).map(\.description) + control.warnings + warnings(file))
    let controlErrors = server.errors + (internet?.errors ?? [])
    for error in general.errors + controlErrors + extra.errors + programs.errors + pluginErrors(file)
    where !errors.contains(error) {
      errors.append(error)
    }
    return (errors.isEmpty ? configuration : nil, errors)
  }

  /// Whom the supervisor is to become; nil where that is who it is.
  private static func user(_ general: inout SectionReader, surroundings: Surroundings) -> UserIdentity? {
    guard general.has("user") else { return nil }
    let wanted = general.text("user")
    guard let user = surroundings.user(wanted) else {
      general.fail("user", "expected a user of this host, found \(jsonQuoted(wanted))")
      return nil
    }
    let own = geteuid()
    if own != 0, user.uid != own {
      general.fail("user", "expected the user that the supervisor runs as, because it is not root")
    }
    return user.uid == own ? nil : user
  }

  private static func unique(_ paths: [String?]) -> [String] {
    paths.reduce(into: []) { result, path in
      if let path, !result.contains(path) { result.append(path) }
    }
  }

  private static let mainInterface = "supervisor.rpcinterface:make_main_rpcinterface"

  /// Interfaces must say who makes them.
  private static func pluginErrors(_ file: ConfigurationFile) -> [ConfigurationError] {
    let key = "supervisor.rpcinterface_factory"
    return file.sections.filter { $0.name.hasPrefix("rpcinterface:") && $0.entry(key) == nil }.map { section in
      section.error("expected a key \"\(key)\"")
    }
  }

  private static func warnings(_ file: ConfigurationFile) -> [String] {
    file.sections.compactMap { section in
      let family = Schema.family(ofSection: section.name)
      if family == nil {
        return section.error("the section is not known, and passed over").description
      }
      if family == "rpcinterface:", let entry = section.entry("supervisor.rpcinterface_factory"),
        entry.value != mainInterface
      {
        return section.error(entry, "is not there; only \(mainInterface) is").description
      }
      if section.name.hasPrefix("unix_http_server:") || section.name.hasPrefix("inet_http_server:") {
        return section.error("a second server is understood and not served").description
      }
      return nil
    }
  }
}
