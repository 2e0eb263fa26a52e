internal import Daemon

/// Makes the processes of `[program:x]` and `[group:x]`.
struct ProgramReader {
  let file: ConfigurationFile
  let environment: [String: String]
  /// Names for all expansions, the environment of `[supervisord]` among them.
  let names: [String: String]
  /// Variables of all children.
  let childEnvironment: [String: String]
  let logDirectory: String
  /// How many processes programs have, where that is not what `numprocs` says.
  let counts: [String: Int]
  private(set) var errors: [ConfigurationError] = []
  private(set) var processes: [ProcessSpecification] = []

  init(
    file: ConfigurationFile, environment: [String: String], names: [String: String],
    childEnvironment: [String: String], logDirectory: String, counts: [String: Int]
  ) {
    self.file = file
    self.environment = environment
    self.names = names
    self.childEnvironment = childEnvironment
    self.logDirectory = logDirectory
    self.counts = counts
  }

  mutating func read() {
    var grouped: Set<String> = []
    for section in file.sections where section.name.hasPrefix("group:") {
      grouped.formUnion(readGroup(section))
    }
    for section in file.sections {
      guard let name = programName(section), !grouped.contains(name) else { continue }
      var reader = SectionReader(section, family: "program:", names: names)
      let priority = reader.integer("priority")
      readProgram(section, group: name, groupPriority: priority)
    }
    for section in file.sections where section.name.hasPrefix("bulkhead:program:") {
      let name = section.name.dropFirst("bulkhead:program:".count)
      if file.section("program:\(name)") == nil {
        errors.append(section.error("expected a section [program:\(name)] that this one adds to"))
      }
    }
    checkNames()
    var dependencies = DependencyReader(file: file, names: names, processes: processes)
    processes = dependencies.read()
    errors += dependencies.errors
  }

  private func programName(_ section: ConfigurationFile.Section) -> String? {
    guard section.name.hasPrefix("program:") else { return nil }
    return String(section.name.dropFirst("program:".count))
  }

  private mutating func readGroup(_ section: ConfigurationFile.Section) -> [String] {
    let name = String(section.name.dropFirst("group:".count))
    if !isName(name) { errors.append(section.error("expected a name without blanks, \":\" and \"/\"")) }
    var reader = SectionReader(section, family: "group:", names: names)
    let programs = reader.list("programs")
    let priority = reader.integer("priority")
    if programs.isEmpty { reader.fail("programs", "expected names of programs separated by commas") }
    for program in programs {
      if let found = file.section("program:\(program)") {
        readProgram(found, group: name, groupPriority: priority)
      } else {
        reader.fail("programs", "expected names of programs, found \(jsonQuoted(program)), which has no section")
      }
    }
    errors += reader.errors
    return programs
  }

  private func isNumbered(_ section: ConfigurationFile.Section) -> Bool {
    section.entry("process_name")?.value.contains("%(process_num)") == true
  }

  private func isName(_ name: String) -> Bool {
    !name.isEmpty && !name.contains { $0.isWhitespace || $0 == ":" || $0 == "/" }
  }

  private mutating func checkNames() {
    var seen: Set<String> = []
    for process in processes where !seen.insert("\(process.group):\(process.name)").inserted {
      let section = file.section("program:\(process.group)")
      let problem = "expected each process name once in its group, found \(jsonQuoted(process.name)) twice"
      errors.append(section?.error(problem) ?? ConfigurationError(file: file.path, problem: problem))
    }
  }

  private mutating func readProgram(
    _ section: ConfigurationFile.Section, group: String, groupPriority: Int
  ) {
    guard let program = programName(section) else { return }
    var reader = SectionReader(section, family: "program:", names: names)
    reader.names["program_name"] = program
    reader.names["group_name"] = group
    if !isName(program) { reader.fail("name", "expected a name without blanks, \":\" and \"/\"") }
    let written = reader.integer("numprocs")
    let count = counts[program] ?? written
    let first = reader.integer("numprocs_start")
    if written > 1, !isNumbered(section) {
      reader.fail("numprocs", "expected a process_name with %(process_num), because there are several processes")
    }
    let policy = readPolicy(&reader, program: program)
    // A mistake of the program is one mistake, however many processes it makes.
    for number in first..<(first + max(0, count)) where number == first || reader.errors.isEmpty {
      reader.names["process_num"] = String(number)
      reader.names["numprocs"] = String(count)
      let key = ProcessSpecification.SortKey(
        groupPriority: groupPriority, group: group, priority: reader.integer("priority"), program: program,
        index: number - first)
      if let process = readProcess(&reader, policy: policy, key: key, count: count) {
        processes.append(process)
      }
    }
    if count == 0 { _ = readCommand(&reader) }
    errors += reader.errors.filter { !errors.contains($0) }
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
    let general = file.section("bulkhead:supervisor")
    let special = file.section("bulkhead:program:\(program)")
    var empty = SectionReader(
      ConfigurationFile.Section(emptySection: "bulkhead:supervisor", of: file), family: "bulkhead:supervisor",
      names: names)
    var generalReader = general.map { SectionReader($0, family: "bulkhead:supervisor", names: names) }
    var specialReader = special.map { SectionReader($0, family: "bulkhead:program:", names: names) }
    func take<Value>(_ key: String, _ read: (inout SectionReader) -> Value) -> Value {
      if var reader = specialReader, reader.has(key) {
        defer { specialReader = reader }
        return read(&reader)
      }
      if var reader = generalReader, reader.has(key) {
        defer { generalReader = reader }
        return read(&reader)
      }
      return read(&empty)
    }
    policy.backoffInitialNanoseconds = take("backoff_initial_ms") { $0.nanoseconds("backoff_initial_ms") }
    policy.backoffMaxNanoseconds = take("backoff_max_ms") { $0.nanoseconds("backoff_max_ms") }
    policy.backoffJitterPercent = Int64(take("backoff_jitter_percent") { $0.integer("backoff_jitter_percent") })
    policy.restartsMax = take("restarts_max") { $0.integer("restarts_max") }
    policy.restartsWindowNanoseconds = take("restarts_window_s") { $0.nanoseconds("restarts_window_s") }
    policy.fatalRestartsMax = take("restarts_fatal_max") { $0.integer("restarts_fatal_max") }
    policy.fatalRestartsWindowNanoseconds = take("restarts_fatal_window_s") {
      $0.nanoseconds("restarts_fatal_window_s")
    }
    policy.waitsForReady = take("wait_ready") { $0.boolean("wait_ready") }
    policy.readyTimeoutNanoseconds = take("ready_timeout_s") { $0.nanoseconds("ready_timeout_s") }
    policy.watchdogNanoseconds = take("watchdog_s") { $0.nanoseconds("watchdog_s") }
    for error in (generalReader?.errors ?? []) + (specialReader?.errors ?? []) where !errors.contains(error) {
      errors.append(error)
    }
  }

  private mutating func readProcess(
    _ reader: inout SectionReader, policy: ProcessPolicy, key: ProcessSpecification.SortKey, count: Int
  ) -> ProcessSpecification? {
    let (program, group) = (key.program, key.group)
    let own = reader.keyValues("environment")
    let names = reader.names
    defer { reader.names = names }
    for pair in own { reader.names["ENV_" + pair.key] = pair.value }
    var name = reader.text("process_name")
    // A program that was made for one process has several: the first one keeps its name.
    if key.index > 0, !isNumbered(reader.section) { name += key.index < 10 ? "_0\(key.index)" : "_\(key.index)" }
    if !isName(name), isName(program) { reader.fail("process_name", "expected a name without blanks, \":\" and \"/\"") }
    var variables = childEnvironment
    variables["SUPERVISOR_PROCESS_NAME"] = name
    variables["SUPERVISOR_GROUP_NAME"] = group
    variables["BULKHEAD_NAME"] = name
    variables["BULKHEAD_SHARD"] = "\(key.index)/\(count)"
    for pair in own { variables[pair.key] = pair.value }
    var user: UserIdentity?
    if let wanted = reader.optionalText("user") {
      user = SystemLookup.user(wanted)
      if user == nil { reader.fail("user", "expected a user of this host, found \(jsonQuoted(wanted))") }
    }
    let umask = reader.has("umask") ? reader.integer("umask") : nil
    let redirects = reader.boolean("redirect_stderr")
    let url = reader.text("serverurl")
    if url.uppercased() != "AUTO" { variables["SUPERVISOR_SERVER_URL"] = url }
    let output = readOutput(&reader, "stdout", name: name, group: group)
    let errorOutput = readOutput(&reader, "stderr", name: name, group: group)
    guard let (executable, arguments) = readCommand(&reader), reader.errors.isEmpty else { return nil }
    return ProcessSpecification(
      name: name, group: group, program: program, sortKey: key,
      startsAutomatically: reader.boolean("autostart"), policy: policy,
      executable: executable, arguments: arguments, directory: reader.path("directory"), umask: umask, user: user,
      environment: variables, redirectsErrors: redirects, output: output, errorOutput: errorOutput)
  }

  private func readCommand(_ reader: inout SectionReader) -> (String, [String])? {
    let mistakes = reader.errors.count
    guard let command = reader.optionalText("command") else {
      if reader.errors.count == mistakes { reader.fail("command", "expected a program and its arguments") }
      return nil
    }
    guard let words = splitCommand(command), let program = words.first else {
      reader.fail("command", "expected quotes and escapes that end, found \(jsonQuoted(command))")
      return nil
    }
    let searchPath = environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
    do throws(SystemLookup.ProgramFailure) {
      return (try SystemLookup.program(program, searchPath: searchPath), words)
    } catch {
      switch error {
      case .notFound: reader.fail("command", "expected a program, found \(jsonQuoted(program)), which is not there")
      case .notExecutable:
        reader.fail("command", "expected a program, found \(jsonQuoted(program)), which is not executable")
      }
      return nil
    }
  }

  private func readOutput(
    _ reader: inout SectionReader, _ stream: String, name: String, group: String
  ) -> OutputSpecification {
    let text = reader.text("\(stream)_logfile")
    let path: String?
    switch text.lowercased() {
    case "none", "off": path = nil
    case "auto", "":
      let full = group == name ? name : "\(group)-\(name)"
      path = "\(logDirectory)/\(full)-\(stream).log"
    case "syslog":
      reader.fail("\(stream)_logfile", "expected a file, AUTO or NONE, found \"syslog\"")
      path = nil
    default: path = FilePaths.absolute(text)
    }
    var output = OutputSpecification(
      file: path, sizeMax: reader.integer("\(stream)_logfile_maxbytes"),
      backups: reader.integer("\(stream)_logfile_backups"))
    output.captureMax = reader.integer("\(stream)_capture_maxbytes")
    output.emitsEvents = reader.boolean("\(stream)_events_enabled")
    output.usesSyslog = reader.boolean("\(stream)_syslog")
    return output
  }
}
