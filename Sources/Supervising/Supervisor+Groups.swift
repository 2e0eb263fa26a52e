internal import Bus
internal import Daemon

/// What the configuration says now, against what runs.
struct GroupChanges {
  /// In the configuration and not there, in the order of starting.
  var added: [String] = []
  /// There, and not what the configuration says, in the order of starting.
  var changed: [String] = []
  /// There, and not in the configuration.
  var removed: [String] = []
}

/// Groups that come and go while the supervisor runs.
extension Supervisor {
  /// The groups that are there, in the order of starting.
  var activeGroups: [String] { Self.groups(table.order.compactMap { table[$0]?.specification }) }

  private static func groups(_ specifications: [ProcessSpecification]) -> [String] {
    var seen: Set<String> = []
    return specifications.map(\.group).filter { seen.insert($0).inserted }
  }

  /// Reads the configuration file anew; what runs stays as it is.
  /// - Throws: a fault where there is a mistake in it; the configuration that was read before counts on.
  func rereadConfiguration() throws(ControlFault) -> GroupChanges {
    let (read, errors) = SupervisorConfiguration.read(
      path: configuration.path, environment: environment, counts: scales)
    guard let read else {
      for error in errors { Log.error("\(error)") }
      throw ControlFault(.cannotReread, mistakes: errors)
    }
    available = read
    return changes()
  }

  private func changes() -> GroupChanges {
    let wanted = available.processes.sorted { $0.sortKey < $1.sortKey }
    let present = table.order.filter { !departing.contains($0) }.compactMap { table[$0]?.specification }
    let active = Self.groups(present)
    var changes = GroupChanges()
    for group in Self.groups(wanted) {
      if !active.contains(group) {
        changes.added.append(group)
      } else if wanted.filter({ $0.group == group }) != present.filter({ $0.group == group }) {
        changes.changed.append(group)
      }
    }
    changes.removed = active.filter { group in !wanted.contains { $0.group == group } }
    return changes
  }

  /// Takes in a group of the configuration that was read last, and starts what starts by itself.
  func addGroup(_ name: String) throws(ControlFault) {
    let specifications = available.processes.filter { $0.group == name }.sorted { $0.sortKey < $1.sortKey }
    guard !specifications.isEmpty else { throw ControlFault(.badName, name) }
    guard !activeGroups.contains(name) else { throw ControlFault(.alreadyAdded, name) }
    for file in Set(specifications.flatMap { [$0.output.file, $0.errorOutput.file].compactMap(\.self) }) {
      do throws(SystemError) {
        try FilePaths.makeDirectories(FilePaths.directory(of: file))
      } catch {
        Log.warning("no directory for a log", ["file": file, "error": "\(error)"])
      }
    }
    for specification in specifications { add(specification) }
    Log.info("process group added", ["name": name])
    if let group = available.groups.first(where: { $0.name == name }) { noteGroupAdded(group) }
    isStateChanged = true
    for process in table.order {
      guard let specification = table[process]?.specification, specification.group == name,
        specification.startsAutomatically
      else { continue }
      handle(.startRequested, process)
    }
  }

  /// Forgets a group that has come to rest.
  func removeGroup(_ name: String) throws(ControlFault) {
    let processes = table.order.filter { table[$0]?.specification.group == name }
    guard !processes.isEmpty else { throw ControlFault(.badName, name) }
    let isAtRest = processes.allSatisfy { process in
      guard let record = table[process]?.record else { return true }
      return record.pid == nil && record.state.isStopped && !table.isWaiting(process)
    }
    guard isAtRest else { throw ControlFault(.stillRunning, name) }
    for process in processes { forget(process) }
    Log.info("process group removed", ["name": name])
    noteGroupRemoved(name)
  }

  /// Takes a process that has come to rest out, with its pipes; its logs stay.
  func forget(_ process: ProcessID) {
    let (last, program) = (message(of: process), table[process]?.specification.program)
    guard table.remove(process) else { return }
    departing.remove(process)
    let state = rowStates.removeValue(forKey: process)
    state?.streams.remove()
    state?.controlGroup?.remove()
    isStateChanged = true
    if var last {
      // Whoever listens leaves its endpoint.
      last.state = "REMOVED"
      board?.publish(last)
    }
    if let program { followRemoval(ofProgram: program) }
  }

  /// Executes the supervisor anew with the configuration as it is now.
  /// - Throws: a fault where the configuration is wrong; everything goes on as it was then.
  func restartInPlace() throws(ControlFault) {
    let errors = reexecute()
    guard errors.isEmpty else {
      throw ControlFault(.cannotReread, mistakes: errors)
    }
  }
}
