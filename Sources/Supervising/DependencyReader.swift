internal import Daemon

/// Reads `depends_on` of `[bulkhead:program:x]`, and resolves it to processes.
struct DependencyReader {
  let file: ConfigurationFile
  let names: Expansion.Names
  let processes: [ProcessSpecification]
  private(set) var errors: [ConfigurationError] = []
  /// For each program, the programs that it waits for, in the order of the file.
  private var needed: [String: [String]] = [:]

  init(file: ConfigurationFile, names: Expansion.Names, processes: [ProcessSpecification]) {
    self.file = file
    self.names = names
    self.processes = processes
  }

  /// For each program, the full names of the processes that it waits for.
  mutating func read() -> [String: [String]] {
    for section in file.sections {
      if let program = Self.program(of: section) { readSection(section, program: program) }
    }
    findCycles()
    guard errors.isEmpty else { return [:] }
    return needed.mapValues { programs in
      processes.filter { programs.contains($0.program) }.map(\.fullName).sorted()
    }
  }

  private static func program(of section: ConfigurationFile.Section) -> String? {
    let prefix = "bulkhead:program:"
    return section.name.hasPrefix(prefix) ? String(section.name.dropFirst(prefix.count)) : nil
  }

  private mutating func readSection(_ section: ConfigurationFile.Section, program: String) {
    var reader = SectionReader(section, family: "bulkhead:program:", names: names)
    for name in reader.list("depends_on") {
      let found = programs(named: name)
      if found.isEmpty {
        reader.fail("depends_on", "expected names of programs and groups, found \(jsonQuoted(name)), which is neither")
      }
      for other in found where needed[program]?.contains(other) != true { needed[program, default: []].append(other) }
    }
    errors += reader.errors
  }

  /// The programs of a name: the one that has it, or those of the group that has it.
  private func programs(named name: String) -> [String] {
    if ProgramReader.families.contains(where: { file.section($0 + name) != nil }) {
      return [name]
    }
    guard let group = file.section("group:" + name) else { return [] }
    var reader = SectionReader(group, family: "group:", names: names)
    return reader.words("programs")
  }

  /// A program that waits for itself, through others or not, would never start.
  private mutating func findCycles() {
    var done: Set<String> = []
    for section in file.sections {
      guard let program = Self.program(of: section), !done.contains(program) else { continue }
      var path: [String] = []
      if let cycle = cycle(from: program, path: &path, done: &done), let first = cycle.first,
        let entry = file.section("bulkhead:program:" + first)?.entry("depends_on"),
        let owner = file.section("bulkhead:program:" + first)
      {
        let way = (cycle + [first]).joined(separator: " → ")
        errors.append(owner.error(entry, "expected programs that do not wait for this one, found \(way)"))
      }
    }
  }

  private func cycle(from program: String, path: inout [String], done: inout Set<String>) -> [String]? {
    if let start = path.firstIndex(of: program) { return Array(path[start...]) }
    guard !done.contains(program) else { return nil }
    path.append(program)
    defer {
      path.removeLast()
      done.insert(program)
    }
    for other in needed[program] ?? [] {
      if let found = cycle(from: other, path: &path, done: &done) { return found }
    }
    return nil
  }
}
