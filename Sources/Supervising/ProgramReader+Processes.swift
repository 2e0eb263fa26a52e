internal import Daemon

/// The processes of one program.
extension ProgramReader {
  /// What all processes of one program have in common.
  private struct Program {
    let name: String
    let group: String
    let kind: ProcessSpecification.Kind
    let count: Int
    let startsAutomatically: Bool
    let policy: ProcessPolicy
    let user: UserIdentity?
    let umask: Int?
    let redirectsErrors: Bool
    let output: OutputSpecification
    let errorOutput: OutputSpecification
    let serverURL: String?
    let groupPriority: Int
    let priority: Int
    let limits: ResourceLimits
  }

  mutating func readProcesses(
    _ section: ConfigurationFile.Section, family: String, group: String, groupPriority: Int,
    kind: ProcessSpecification.Kind
  ) -> [ProcessSpecification] {
    let name = Self.name(section, family: family)
    var reader = SectionReader(section, family: family, names: setting.names)
    reader.names.texts["program_name"] = name
    reader.names.texts["group_name"] = group
    reader.names.texts["host_node_name"] = setting.surroundings.hostName
    if !Self.isName(name) { reader.fail("name", "expected a name without blanks, \":\" and \"/\"") }
    let written = reader.integer("numprocs")
    let count = setting.counts[name] ?? written
    let first = reader.integer("numprocs_start")
    if written > 1, !isNumbered(section) {
      reader.fail("numprocs", "expected a process_name with %(process_num), because there are several processes")
    }
    let plainName = reader.plainText("process_name") ?? "%(program_name)s"
    if plainName.contains(where: { $0 == " " || $0 == ":" || $0 == "/" }) {
      reader.fail("process_name", "expected a name without blanks, \":\" and \"/\"")
    }
    let program = readProgram(&reader, name: name, group: group, groupPriority: groupPriority, kind: kind, count: count)
    var processes: [ProcessSpecification] = []
    let variables = reader.names.variables
    // A mistake of the program is one mistake, however many processes it makes.
    for index in 0..<max(1, count) where index == 0 || reader.errors.isEmpty {
      reader.names.variables = variables
      reader.names.numbers = ["process_num": first + index, "numprocs": count]
      if let process = readProcess(&reader, program, index: index), index < count { processes.append(process) }
    }
    add(reader.errors)
    return processes
  }

  private func isNumbered(_ section: ConfigurationFile.Section) -> Bool {
    section.entry("process_name")?.value.contains("%(process_num)") == true
  }

  private mutating func readProgram(
    _ reader: inout SectionReader, name: String, group: String, groupPriority: Int, kind: ProcessSpecification.Kind,
    count: Int
  ) -> Program {
    let policy = readPolicy(&reader, program: name)
    var user: UserIdentity?
    if reader.has("user") {
      let wanted = reader.text("user")
      user = setting.surroundings.user(wanted)
      if user == nil { reader.fail("user", "expected a user of this host, found \(jsonQuoted(wanted))") }
    }
    let url = reader.text("serverurl")
    return Program(
      name: name, group: group, kind: kind, count: count, startsAutomatically: reader.boolean("autostart"),
      policy: policy, user: user, umask: reader.has("umask") ? reader.integer("umask") : nil,
      redirectsErrors: reader.boolean("redirect_stderr"), output: readFlags(&reader, "stdout", program: name),
      errorOutput: readFlags(&reader, "stderr", program: name), serverURL: url.uppercased() == "AUTO" ? nil : url,
      groupPriority: groupPriority,
      priority: reader.has("priority") ? reader.integer("priority") : 999, limits: readLimits(program: name))
  }

  private mutating func readPolicy(_ reader: inout SectionReader, program: String) -> ProcessPolicy {
    var policy = ProcessPolicy()
    switch reader.text("autorestart") {
    case "unexpected": policy.restart = .unexpected
    case "true", "yes", "on", "1": policy.restart = .always
    default: policy.restart = .never
    }
    policy.startNanoseconds = reader.nanoseconds("startsecs")
    policy.startRetries = reader.integer("startretries")
    policy.exitCodes = Set(reader.integers("exitcodes"))
    policy.stopSignal = Int32(reader.integer("stopsignal"))
    policy.stopWaitNanoseconds = reader.nanoseconds("stopwaitsecs")
    policy.stopsGroup = reader.boolean("stopasgroup")
    policy.killsGroup = reader.boolean("killasgroup", default: policy.stopsGroup ? "true" : "false")
    if policy.stopsGroup, !policy.killsGroup {
      reader.fail("killasgroup", "expected true, because stopasgroup is true")
    }
    readExtras(into: &policy, program: program)
    return policy
  }

  /// Our own keys: those of `[bulkhead:program:x]`, else of `[bulkhead:supervisor]`, else the defaults.
  private mutating func readExtras(into policy: inout ProcessPolicy, program: String) {
    let names = setting.names
    let empty = ConfigurationFile.Section(emptySection: "bulkhead:supervisor", of: file)
    var readers = [
      file.section("bulkhead:program:\(program)").map { ($0, "bulkhead:program:") },
      file.section("bulkhead:supervisor").map { ($0, "bulkhead:supervisor") }, (empty, "bulkhead:supervisor"),
    ].compactMap(\.self).map { SectionReader($0.0, family: $0.1, names: names) }
    func take<Value>(_ key: String, _ read: (inout SectionReader, String) -> Value) -> Value {
      let index = readers.firstIndex { $0.has(key) } ?? readers.count - 1
      return read(&readers[index], key)
    }
    func nanoseconds(_ key: String) -> Int64 { take(key) { $0.nanoseconds($1) } }
    func integer(_ key: String) -> Int { take(key) { $0.integer($1) } }
    policy.backoffInitialNanoseconds = nanoseconds("backoff_initial_ms")
    policy.backoffMaxNanoseconds = nanoseconds("backoff_max_ms")
    policy.backoffJitterPercent = Int64(integer("backoff_jitter_percent"))
    policy.restartsMax = integer("restarts_max")
    policy.restartsWindowNanoseconds = nanoseconds("restarts_window_s")
    policy.fatalRestartsMax = integer("restarts_fatal_max")
    policy.fatalRestartsWindowNanoseconds = nanoseconds("restarts_fatal_window_s")
    policy.waitsForReady = take("wait_ready") { $0.boolean($1) }
    policy.readyTimeoutNanoseconds = nanoseconds("ready_timeout_s")
    policy.watchdogNanoseconds = nanoseconds("watchdog_s")
    add(readers.flatMap(\.errors))
  }

  /// Whether lines have their time before them: what the program says, else what is said for all.
  private mutating func readStamps(program: String) -> Bool {
    let key = "log_timestamps"
    for (name, family) in [
      ("bulkhead:program:\(program)", "bulkhead:program:"), ("bulkhead:supervisor", "bulkhead:supervisor"),
    ] {
      guard let section = file.section(name), section.entry(key) != nil else { continue }
      var reader = SectionReader(section, family: family, names: setting.names)
      defer { add(reader.errors) }
      return reader.boolean(key)
    }
    return false
  }

  // MARK: - One process

  private mutating func readProcess(
    _ reader: inout SectionReader, _ program: Program, index: Int
  ) -> ProcessSpecification? {
    let own = reader.keyValues("environment")
    for pair in own { reader.names.variables[pair.key] = pair.value }
    var name = reader.text("process_name")
    // A program that was made for one process has several: the first one keeps its name.
    var suffix = ""
    if index > 0, !isNumbered(reader.section) { suffix = index < 10 ? "_0\(index)" : "_\(index)" }
    name += suffix
    if reader.errors.isEmpty, !Self.isName(name) {
      reader.fail("process_name", "expected a name without blanks, \":\" and \"/\"")
    }
    var variables = setting.childEnvironment
    variables["SUPERVISOR_PROCESS_NAME"] = name
    variables["SUPERVISOR_GROUP_NAME"] = program.group
    variables["BULKHEAD_NAME"] = name
    variables["BULKHEAD_PROGRAM"] = program.name
    variables["BULKHEAD_SHARD"] = "\(index)/\(program.count)"
    if let url = program.serverURL { variables["SUPERVISOR_SERVER_URL"] = url.isEmpty ? nil : url }
    for pair in own { variables[pair.key] = pair.value }
    var output = program.output
    output.isListener = program.kind == .eventListener
    var errorOutput = program.errorOutput
    readLog(&reader, "stdout", into: &output, name: name, group: program.group)
    readLog(&reader, "stderr", into: &errorOutput, name: name, group: program.group)
    setApart(&output, suffix)
    setApart(&errorOutput, suffix)
    if program.redirectsErrors, program.kind != .eventListener {
      if let path = reader.plainText("stderr_logfile"), !["AUTO", "NONE", "OFF"].contains(path.uppercased()) {
        warn(reader, "stderr_logfile", "is passed over, because redirect_stderr is true")
      }
      errorOutput.file = nil
    }
    let directory = reader.optionalText("directory")
    guard let (executable, problem, words) = readCommand(&reader, searchPath: variables["PATH"] ?? setting.searchPath),
      reader.errors.isEmpty
    else { return nil }
    let key = ProcessSpecification.SortKey(
      groupPriority: program.groupPriority, group: program.group, priority: program.priority, program: program.name,
      index: index)
    var specification = ProcessSpecification(
      name: name, group: program.group, program: program.name, kind: program.kind, sortKey: key,
      startsAutomatically: program.startsAutomatically, policy: program.policy, executable: executable,
      executableProblem: problem, arguments: words, command: reader.text("command"),
      directory: directory.map { FilePaths.absolute($0) },
      umask: program.umask, user: program.user, environment: variables, redirectsErrors: program.redirectsErrors,
      output: output, errorOutput: errorOutput)
    specification.limits = program.limits
    return specification
  }

  private mutating func warn(_ reader: SectionReader, _ key: String, _ text: String) {
    let warning = reader.section.entry(key).map { reader.section.error($0, text) } ?? reader.section.error(text)
    if !warnings.contains(warning) { warnings.append(warning) }
  }

  private mutating func readCommand(
    _ reader: inout SectionReader, searchPath: String
  ) -> (String, ExecutableProblem?, [String])? {
    let mistakes = reader.errors.count
    guard let command = reader.optionalText("command") else {
      if reader.errors.count == mistakes { reader.fail("command", "expected a program and its arguments") }
      return nil
    }
    guard let words = splitCommand(command), let program = words.first else {
      reader.fail("command", "expected quotes and escapes that end, found \(jsonQuoted(command))")
      return nil
    }
    do throws(ExecutableProblem) {
      return (try setting.surroundings.program(program, searchPath), nil, words)
    } catch {
      warn(reader, "command", error.description)
      // A path that is not there either, so that nothing else is run in its place.
      let directory = searchPath.split(separator: ":").first ?? "/usr/bin"
      return (program.contains("/") ? program : "\(directory)/\(program)", error, words)
    }
  }

  // MARK: - Output

  private mutating func readFlags(
    _ reader: inout SectionReader, _ stream: String, program: String
  ) -> OutputSpecification {
    var output = OutputSpecification(file: nil, sizeMax: 0, backups: 0)
    output.captureMax = reader.integer("\(stream)_capture_maxbytes")
    output.emitsEvents = reader.boolean("\(stream)_events_enabled")
    output.stripsEscapes = setting.stripsEscapes
    output.stampsLines = readStamps(program: program)
    return output
  }

  /// Two processes do not rotate one file: `x.log` of the first is `x_01.log` of the second.
  private func setApart(_ output: inout OutputSpecification, _ suffix: String) {
    guard !suffix.isEmpty, !output.isAutomatic, let file = output.file, !file.hasPrefix("/dev/") else { return }
    let start = file.lastIndex(of: "/") ?? file.startIndex
    let end = file[start...].lastIndex(of: ".") ?? file.endIndex
    output.file = file[..<end] + suffix + file[end...]
  }

  private mutating func readLog(
    _ reader: inout SectionReader, _ stream: String, into output: inout OutputSpecification, name: String,
    group: String
  ) {
    output.sizeMax = reader.integer("\(stream)_logfile_maxbytes")
    output.backups = reader.integer("\(stream)_logfile_backups")
    output.usesSyslog = reader.boolean("\(stream)_syslog")
    let text = reader.textExpandedTwice("\(stream)_logfile") ?? "AUTO"
    switch text.lowercased() {
    case "none", "off", "": output.file = nil
    case "auto":
      let full = group == name ? name : "\(group)-\(name)"
      output.isAutomatic = true
      output.file = "\(setting.logDirectory)/\(full)-\(stream).log"
      if output.sizeMax == 0 { warn(reader, "\(stream)_logfile_maxbytes", "the log of \(stream) grows without limit") }
    case "syslog":
      warn(reader, "\(stream)_logfile", "is better written as \(stream)_syslog=true")
      output.file = nil
      output.usesSyslog = true
    default: output.file = FilePaths.absolute(SystemLookup.atHome(text), relativeTo: setting.directory)
    }
  }
}
