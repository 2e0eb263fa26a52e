internal import Daemon

/// What the processes of a program may use.
extension ProgramReader {
  /// What `[bulkhead:program:x]` says, else `[bulkhead:supervisor]`.
  mutating func readLimits(program: String) -> ResourceLimits {
    let names = setting.names
    let empty = ConfigurationFile.Section(emptySection: "bulkhead:supervisor", of: file)
    var readers = [
      file.section("bulkhead:program:\(program)").map { ($0, "bulkhead:program:") },
      file.section("bulkhead:supervisor").map { ($0, "bulkhead:supervisor") }, (empty, "bulkhead:supervisor"),
    ].compactMap(\.self).map { SectionReader($0.0, family: $0.1, names: names) }
    func place(_ key: String) -> Int { readers.firstIndex { $0.has(key) } ?? readers.count - 1 }
    func integer(_ key: String) -> Int { readers[place(key)].integer(key) }
    func text(_ key: String) -> String { readers[place(key)].text(key) }
    var limits = ResourceLimits()
    limits.memoryMax = integer("memory_max")
    limits.openFilesMax = integer("open_files_max")
    limits.nice = integer("nice")
    limits.controlGroup = ResourceLimits.ControlGroupUse(rawValue: text("cgroup")) ?? .auto
    let cpus = text("cpus")
    if let list = cpus.isEmpty ? [] : ResourceLimits.cpus(cpus) {
      limits.cpus = list
    } else {
      readers[place("cpus")].fail("cpus", "expected processors such as 0,2-3, found \(jsonQuoted(cpus))")
    }
    add(readers.flatMap(\.errors))
    return limits
  }
}
