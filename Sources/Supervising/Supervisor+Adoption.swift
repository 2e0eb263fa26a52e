internal import CLinux
internal import Daemon
internal import Market

#if canImport(Glibc)
  internal import Glibc
#endif

/// A stand-in has nothing to stand in for.
struct NothingInherited: ExitStatusError, CustomStringConvertible {
  var exitStatus: ExitStatus { .done }
  var description: String { "the supervisor before ended in order" }
}

/// What one supervisor leaves for the next, and what the next makes of it.
extension Supervisor {
  // MARK: - Leaving

  /// Writes down what the next supervisor must know, where that has changed.
  func saveState() {
    guard isStateChanged else { return }
    isStateChanged = false
    var state = SavedState()
    state.bootID = ProcessFacts.bootID
    state.isShuttingDown = table.isShuttingDown
    state.standby = standby.map { SavedState.Identity(pid: $0.pid, startTicks: $0.startTicks) }
    state.scales = scales
    for process in table.order { if let saved = savedProcess(process) { state.processes.append(saved) } }
    stateFile.write(state)
  }

  private func savedProcess(_ process: ProcessID) -> SavedState.Process? {
    guard let row = table[process], let state = rowStates[process] else { return nil }
    let record = row.record
    var saved = SavedState.Process()
    saved.group = row.specification.group
    saved.name = row.specification.name
    // Whoever waits for others is on its way up.
    saved.state = table.isWaiting(process) ? .backoff : record.state
    if let pid = record.pid {
      saved.pid = pid
      if state.startTicks == 0 { rowStates[process]?.startTicks = ProcessFacts(pid: pid)?.startTicks ?? 0 }
      saved.startTicks = rowStates[process]?.startTicks ?? 0
    }
    saved.restarts = record.restarts
    saved.startedAt = state.startedAt?.nanoseconds ?? 0
    saved.endedAt = state.endedAt?.nanoseconds ?? 0
    saved.isReady = record.isReady
    if state.fingerprint.isEmpty { rowStates[process]?.fingerprint = row.specification.fingerprint }
    saved.fingerprint = rowStates[process]?.fingerprint ?? ""
    saved.stopSignal = row.specification.policy.stopSignal
    saved.stopWaitNanoseconds = row.specification.policy.stopWaitNanoseconds
    saved.stopsGroup = row.specification.policy.stopsGroup
    switch record.lastExit {
    case .code(let code): saved.exitStatus = Int32(code) << 8
    case .signal(let signal): saved.exitStatus = signal
    case .unseen, nil: break
    }
    saved.spawnError = record.spawnError
    return saved
  }

  /// Leaves the processes to the supervisor that has asked for them; they do not notice.
  func stepAside() {
    Log.info("supervisor steps aside for one that was started regularly")
    endStandby()
    isStateChanged = true
    saveState()
    endLogs()
    // The files are the other's from now on: nothing is tidied up.
    ExitStatus.done.exit()
  }

  // MARK: - Taking over

  /// Takes over what a dead supervisor left, and starts what else starts by itself.
  func start() {
    let now = SystemClock.monotonicNanoseconds
    guard let saved = inheritance else { return perform(table.startAutomatic(now: now)) }
    inheritance = nil
    hasAdopted = true
    if let identity = saved.standby, let kept = Standby.adopt(identity) { try? watch(kept) }
    let marked = markedProcesses()
    var known = Dictionary(saved.processes.map { ($0.key, $0) }) { $1 }
    // What a supervisor on its way out had stopped was not stopped for good.
    let wasEnding = saved.isShuttingDown && launch.standIn == nil
    var resting: Set<ProcessID> = []
    var wanted: Set<ProcessID> = []
    var unknown: [ProcessID] = []
    for process in table.order {
      guard let row = table[process] else { continue }
      let key = row.specification.key
      let past = known.removeValue(forKey: key)
      if let facts = living(past, marked[key]) {
        adopt(facts, as: process, past)
        if wasEnding, past?.state == .stopping { handle(.startRequested, process) }
      } else if let past {
        switch remember(past, as: process) {
        case .rests: if !wasEnding || past.state == .fatal || past.state == .exited { resting.insert(process) }
        case .isWanted: wanted.insert(process)
        case .isNew: break
        }
      } else if launch.standIn != nil {
        // The supervisor that died had been told to remove it, or not yet to add it.
        unknown.append(process)
      }
    }
    for process in unknown { forget(process) }
    dismiss(known, marked)
    if saved.isShuttingDown, launch.standIn != nil { return shutDown() }
    for process in table.order where !resting.contains(process) {
      guard wanted.contains(process) || table[process]?.specification.startsAutomatically == true else { continue }
      handle(.startRequested, process)
    }
  }

  /// The process itself, where it lives or waits to be reaped: the one that was written down, else the one that bears
  /// the mark.
  private func living(_ past: SavedState.Process?, _ marked: ProcessFacts?) -> ProcessFacts? {
    if let past, past.pid > 0, let facts = ProcessFacts(pid: past.pid), facts.startTicks == past.startTicks {
      // One that ended is taken over to learn how; but not where its successor is there already.
      if !facts.isZombie || marked == nil, facts.group == past.pid { return facts }
    }
    return marked
  }

  private func adopt(_ facts: ProcessFacts, as process: ProcessID, _ past: SavedState.Process?) {
    guard let specification = table[process]?.specification, let child = Child.adopt(facts) else { return }
    table.remember(ProcessPast(past, as: .stopped), of: process)
    rowStates[process]?.child = child
    rowStates[process]?.startTicks = facts.startTicks
    if !specification.limits.isEmpty { _ = try? controlGroup(process, specification) }
    if let past, past.pid == facts.pid { rowStates[process]?.fingerprint = past.fingerprint }
    rowStates[process]?.startedAt = past.flatMap { $0.startedAt > 0 ? Timestamp(nanoseconds: $0.startedAt) : nil }
    rowStates[process]?.endedAt = past.flatMap { $0.endedAt > 0 ? Timestamp(nanoseconds: $0.endedAt) : nil }
    processByPid[facts.pid] = process
    let isSame = past?.pid == facts.pid
    Log.info("process adopted", ["name": specification.fullName, "pid": "\(facts.pid)"])
    handle(.adopted(pid: facts.pid, isReady: isSame && past?.isReady == true), process)
    do throws(SystemError) {
      try watch(child, of: process)
    } catch {
      Log.error("process cannot be watched", ["name": specification.fullName, "error": "\(error)"])
      handle(.signalFailed("\(error)"), process)
    }
    if isSame, past?.state == .stopping { handle(.stopRequested, process) }
    // Nobody knows what an event listener was told last, and whether it has answered.
    let hasLostThread = specification.kind == .eventListener
    guard let past, hasLostThread || (isSame && past.fingerprint != specification.fingerprint) else { return }
    Log.info(
      hasLostThread
        ? "event listener is started anew, because it may wait for what will not come"
        : "process is not what the configuration says, and is started anew", ["name": specification.fullName])
    handle(.stopRequested, process)
    if past.state != .stopping { handle(.startRequested, process) }
  }

  private enum Intention { case rests, isWanted, isNew }

  /// Goes on with a process that is not there.
  private func remember(_ past: SavedState.Process, as process: ProcessID) -> Intention {
    guard let specification = table[process]?.specification else { return .isNew }
    if past.startedAt > 0 { rowStates[process]?.startedAt = Timestamp(nanoseconds: past.startedAt) }
    if past.endedAt > 0 { rowStates[process]?.endedAt = Timestamp(nanoseconds: past.endedAt) }
    let isSame = past.fingerprint == specification.fingerprint
    switch past.state {
    case .stopped where past.startedAt == 0: return .isNew
    case .exited where isSame, .fatal where isSame:
      table.remember(ProcessPast(past, as: past.state), of: process)
      return .rests
    case .stopped, .stopping:
      table.remember(ProcessPast(past, as: .stopped), of: process)
      return .rests
    case .exited, .fatal: return .isNew
    case .backoff, .unknown:
      table.remember(ProcessPast(past, as: .stopped), of: process)
      return .isWanted
    case .starting, .running:
      table.remember(ProcessPast(past, as: .stopped), of: process)
      guard past.pid > 0 else { return .isWanted }
      // It ended while nobody saw it: what follows is as for any end.
      Log.info("process ended unseen", ["name": specification.fullName, "pid": "\(past.pid)"])
      if specification.policy.killsGroup { signalMarked(group: past.pid, mark: mark(of: specification), SIGKILL) }
      handle(.adopted(pid: past.pid, isReady: past.isReady), process)
      handle(.exited(.unseen), process)
      return .rests
    }
  }

  /// Stops what lives and is not configured any more.
  private func dismiss(_ known: [String: SavedState.Process], _ marked: [String: ProcessFacts]) {
    let configured = Set(table.order.compactMap { table[$0]?.specification.key })
    let keys = Set(known.keys).union(marked.keys).subtracting(configured)
    for key in keys.sorted() {
      guard let facts = living(known[key], marked[key]) else { continue }
      let specification = ProcessSpecification(departing: key, known[key])
      Log.warning("process is not configured any more, and is stopped", ["name": specification.fullName])
      add(specification)
      guard let process = table.order.first(where: { table[$0]?.specification.key == key }) else { continue }
      departing.insert(process)
      adopt(facts, as: process, nil)
      handle(.stopRequested, process)
    }
  }

  // MARK: - Marks

  /// What a child has in its environment.
  func mark(of specification: ProcessSpecification) -> String {
    configuration.runDirectory + "|" + specification.key
  }

  /// The processes that a supervisor of this run directory spawned, by group and name: leaders of the groups that it made
  /// for them, not of sessions of their own.
  private func markedProcesses() -> [String: ProcessFacts] {
    var result: [String: ProcessFacts] = [:]
    let head = configuration.runDirectory + "|"
    for pid in ProcessFacts.allPids() {
      guard let facts = ProcessFacts(pid: pid), facts.group == pid, facts.session != pid, !facts.isZombie,
        let mark = ProcessFacts.variable(SpawnOrder.markVariable, of: pid), mark.hasPrefix(head)
      else { continue }
      let key = String(mark.dropFirst(head.count))
      // Of a process and a group that it made itself the process is older.
      if let other = result[key], other.startTicks <= facts.startTicks { continue }
      result[key] = facts
    }
    return result
  }

  /// Sends a signal to all processes that bear our mark.
  /// - Parameters:
  ///   - group: only those of this group; nil: all.
  ///   - mark: only those of this mark; nil: all of this run directory.
  ///   - number: the signal.
  func signalMarked(group: Int32?, mark: String?, _ number: Int32) {
    for pid in ProcessFacts.allPids() where pid != getpid() {
      let descriptor = bh_pidfd_open(pid)
      guard descriptor >= 0 else { continue }
      defer { close(descriptor) }
      guard let facts = ProcessFacts(pid: pid), !facts.isZombie, group == nil || facts.group == group,
        let found = ProcessFacts.variable(SpawnOrder.markVariable, of: pid),
        mark.map({ found == $0 }) ?? found.hasPrefix(configuration.runDirectory + "|")
      else { continue }
      _ = bh_pidfd_send_signal(descriptor, number)
    }
  }
}

extension ProcessPast {
  fileprivate init(_ past: SavedState.Process?, as state: ProcessState) {
    self.init(
      state: state, restarts: past?.restarts ?? 0,
      lastExit: past?.exitStatus.map { ProcessExit(waitStatus: $0) }, spawnError: past?.spawnError ?? "")
  }
}

extension ProcessSpecification {
  /// `group:name`, also where both are the same.
  var key: String { "\(group):\(name)" }

  /// Tells what a process was spawned with from what it would be spawned with now.
  var fingerprint: String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    func add(_ text: String) {
      // FNV-1a, with an end after each part.
      for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
      hash = (hash ^ 0xFF) &* 0x100_0000_01B3
    }
    add(executable)
    add("\(arguments.count)")
    for argument in arguments { add(argument) }
    add(directory ?? "-")
    add(umask.map(String.init) ?? "-")
    add(user.map { "\($0.uid):\($0.gid)" } ?? "-")
    // What part of the work is whose is told while they run.
    for (name, value) in environment.sorted(by: { $0.key < $1.key }) where name != "BULKHEAD_SHARD" {
      add(name)
      add(value)
    }
    add("\(kind)")
    if !limits.isEmpty { add("\(limits)") }
    add("\(redirectsErrors) \(output.goesSomewhere) \(errorOutput.goesSomewhere)")
    return String(hash, radix: 16)
  }

  /// What is known of a process that is only there to be stopped.
  fileprivate init(departing key: String, _ past: SavedState.Process?) {
    let parts = key.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    var policy = ProcessPolicy()
    policy.restart = .never
    policy.startNanoseconds = 0
    if let past {
      policy.stopSignal = past.stopSignal
      policy.stopWaitNanoseconds = past.stopWaitNanoseconds
      policy.stopsGroup = past.stopsGroup
    }
    let nowhere = OutputSpecification(file: nil, sizeMax: 0, backups: 0)
    self.init(
      name: String(parts.last ?? ""), group: String(parts.first ?? ""), program: String(parts.last ?? ""),
      kind: .program, sortKey: SortKey(groupPriority: Int.max, group: "", priority: 0, program: "", index: 0),
      startsAutomatically: false, policy: policy, executable: "", executableProblem: nil, arguments: [], directory: nil,
      umask: nil, user: nil, environment: [:],
      redirectsErrors: false, output: nowhere, errorOutput: nowhere)
  }
}
