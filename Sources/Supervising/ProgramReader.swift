internal import Daemon

/// Makes the groups and processes of `[program:x]`, `[eventlistener:x]`, `[fcgi-program:x]` and `[group:x]`.
struct ProgramReader {
  /// What all programs have in common.
  struct Setting {
    /// Names for all expansions, the environment of `[supervisord]` among them.
    var names: Expansion.Names
    var surroundings: Surroundings
    /// Variables of all children.
    var childEnvironment: [String: String]
    /// Where programs are looked for.
    var searchPath: String
    /// Where AUTO logs are.
    var logDirectory: String
    /// Where relative log files are.
    var directory: String
    /// Whether escape sequences are dropped from logs.
    var stripsEscapes: Bool
    /// How many processes programs have, where that is not what `numprocs` says.
    var counts: [String: Int]
  }

  /// The families of sections that make processes.
  static let families = ["program:", "fcgi-program:", "eventlistener:"]

  let file: ConfigurationFile
  let setting: Setting
  var errors: [ConfigurationError] = []
  var warnings: [ConfigurationError] = []
  private(set) var groups: [GroupSpecification] = []

  init(file: ConfigurationFile, setting: Setting) {
    self.file = file
    self.setting = setting
  }

  mutating func read() {
    var grouped: Set<String> = []
    for section in file.sections where section.name.hasPrefix("group:") {
      grouped.formUnion(readGroup(section))
    }
    for section in file.sections {
      guard let family = Self.family(section), !grouped.contains(section.name) else { continue }
      readOwnGroup(section, family: family)
    }
    groups.sort { ($0.priority, $0.name) < ($1.priority, $1.name) }
    for section in file.sections where section.name.hasPrefix("bulkhead:program:") {
      let name = section.name.dropFirst("bulkhead:program:".count)
      if !Self.families.contains(where: { file.section($0 + name) != nil }) {
        errors.append(section.error("expected a section [program:\(name)] that this one adds to"))
      }
    }
    checkNames()
    var dependencies = DependencyReader(file: file, names: setting.names, processes: groups.flatMap(\.processes))
    let needed = dependencies.read()
    add(dependencies.errors)
    for index in groups.indices {
      for place in groups[index].processes.indices {
        groups[index].processes[place].dependencies = needed[groups[index].processes[place].program] ?? []
      }
    }
  }

  /// Adds mistakes that are not known yet: a program may be read more than once.
  mutating func add(_ more: [ConfigurationError]) { errors += more.filter { !errors.contains($0) } }

  static func family(_ section: ConfigurationFile.Section) -> String? {
    families.first { section.name.hasPrefix($0) && section.name.utf8.count > $0.utf8.count }
  }

  /// The name after the family's prefix, without blanks at both ends.
  static func name(_ section: ConfigurationFile.Section, family: String) -> String {
    String(section.name.dropFirst(family.count).drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
  }

  static func isName(_ name: String) -> Bool {
    !name.isEmpty && !name.contains { $0.isWhitespace || $0 == ":" || $0 == "/" }
  }

  private func reader(_ section: ConfigurationFile.Section, family: String) -> SectionReader {
    SectionReader(section, family: family, names: setting.names)
  }

  private mutating func readGroup(_ section: ConfigurationFile.Section) -> [String] {
    let name = Self.name(section, family: "group:")
    if !Self.isName(name) { errors.append(section.error("expected a name without blanks, \":\" and \"/\"")) }
    var reader = reader(section, family: "group:")
    let programs = reader.words("programs")
    let priority = reader.integer("priority")
    if programs.isEmpty { warnings.append(section.error("the group has no programs")) }
    var sections: [String] = []
    var processes: [ProcessSpecification] = []
    for program in programs {
      let found = ["program:", "fcgi-program:"].filter { file.section($0 + program) != nil }
      switch (found.first, found.count) {
      case (nil, _):
        reader.fail("programs", "expected names of programs, found \(jsonQuoted(program)), which has no section")
      case (_, 2...):
        reader.fail("programs", "expected one section, found [program:\(program)] and [fcgi-program:\(program)]")
      case (let family?, _):
        guard let member = file.section(family + program) else { continue }
        sections.append(member.name)
        var kind = ProcessSpecification.Kind.program
        if family == "fcgi-program:", let socket = readSocket(member) { kind = .fastCGI(socket) }
        processes += readProcesses(member, family: family, group: name, groupPriority: priority, kind: kind)
      }
    }
    add(reader.errors)
    insert(GroupSpecification(name: name, priority: priority, kind: .programs, processes: processes), section)
    return sections
  }

  /// The group that a program makes by itself.
  private mutating func readOwnGroup(_ section: ConfigurationFile.Section, family: String) {
    let name = Self.name(section, family: family)
    var reader = reader(section, family: family)
    let priority = reader.integer("priority")
    var kind = GroupSpecification.Kind.programs
    var processKind = ProcessSpecification.Kind.program
    switch family {
    case "eventlistener:":
      processKind = .eventListener
      if let pool = readPool(&reader) { kind = .eventListeners(pool) }
    case "fcgi-program:":
      if let socket = readSocket(section) {
        kind = .fastCGI(socket)
        processKind = .fastCGI(socket)
      }
    default: break
    }
    add(reader.errors)
    let processes = readProcesses(section, family: family, group: name, groupPriority: priority, kind: processKind)
    insert(GroupSpecification(name: name, priority: priority, kind: kind, processes: processes), section)
  }

  private mutating func insert(_ group: GroupSpecification, _ section: ConfigurationFile.Section) {
    if groups.contains(where: { $0.name == group.name }) {
      errors.append(
        section.error("expected a name that no other group or program has, found \(jsonQuoted(group.name))"))
      return
    }
    var group = group
    group.processes.sort { $0.sortKey < $1.sortKey }
    groups.append(group)
  }

  private mutating func checkNames() {
    for group in groups {
      var seen: Set<String> = []
      for process in group.processes where !seen.insert(process.name).inserted {
        let section = file.sections.first { section in
          Self.family(section).map { Self.name(section, family: $0) } == process.program
        }
        let problem = "expected each process name once in its group, found \(jsonQuoted(process.name)) twice"
        add([section?.error(problem) ?? ConfigurationError(file: file.path, problem: problem)])
      }
    }
  }
}
