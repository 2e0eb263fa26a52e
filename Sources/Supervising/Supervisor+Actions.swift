internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// Events of processes, and what the table answers to them.
extension Supervisor {
  func handle(_ event: ProcessEvent, _ process: ProcessID) {
    perform(table.handle(event, process: process, now: SystemClock.monotonicNanoseconds))
  }

  func perform(_ actions: [TableAction]) {
    pending += actions
    guard !isPerforming else { return }
    isPerforming = true
    while !pending.isEmpty {
      let batch = pending
      pending = []
      let outcomes = performUrgent(batch)
      // What people are told is how it stands before the table hears of the newcomers.
      for item in batch {
        if let row = table[item.process] { perform(item.action, item.process, row) }
      }
      for (process, events) in outcomes { for event in events { handle(event, process) } }
    }
    isPerforming = false
    flushEvents()
    for waiter in waiters.values where waiter.poll() { waiters[ObjectIdentifier(waiter)] = nil }
  }

  /// Does what something waits for, and not only people: spawns and signals.
  /// - Returns: what came of the spawns, for the table.
  private func performUrgent(_ batch: [TableAction]) -> [(ProcessID, [ProcessEvent])] {
    var outcomes: [(ProcessID, [ProcessEvent])] = []
    // One that comes alone runs first; of many, all are made first.
    let isAlone = batch.count { $0.action == .spawn } == 1
    for item in batch {
      switch item.action {
      case .spawn: outcomes.append((item.process, spawn(item.process, isUrgent: isAlone)))
      case .signal(let number, let group): signal(number, group: group, item.process)
      case .changed, .updated, .alert: break
      }
    }
    return outcomes
  }

  private func perform(_ action: ProcessAction, _ process: ProcessID, _ row: ProcessTable.Row) {
    switch action {
    case .signal: break
    case .spawn:
      guard let child = rowStates[process]?.child else { return }
      Log.info("process spawned", ["name": row.specification.fullName, "pid": "\(child.pid)"])
    case .changed(let from, let to):
      Log.info(
        "process", ["name": row.specification.fullName, "from": from.name, "to": to.name, "pid": pidText(row.record)])
      isStateChanged = true
      publish(process)
      noteChange(of: process, row, from: from, to: to)
      if to.isStopped, departing.contains(process) { forget(process) } else { followScale(of: process, to: to) }
    case .updated:
      isStateChanged = true
      publish(process)
    case .alert(let text): alert(text, about: row.specification.fullName)
    }
  }

  func pidText(_ record: ProcessRecord) -> String { record.pid.map(String.init) ?? "" }

  /// Spawns a process; nothing is done here that could be done when it runs.
  /// - Parameters:
  ///   - process: which one.
  ///   - isUrgent: whether it runs before anything else is done here.
  /// - Returns: what the table is to hear.
  private func spawn(_ process: ProcessID, isUrgent: Bool) -> [ProcessEvent] {
    guard let state = rowStates[process], let order = order(of: process, state) else { return [] }
    do throws(SystemError) {
      var descriptors = try state.streams.open(null: null)
      defer { descriptors.closeAll() }
      if case .fastCGI(let socket) = order.specification.kind { descriptors.input = try sharedSocket(socket) }
      let group = order.isLimited ? try controlGroup(process, order.specification) : nil
      let child = try Child.spawn(order, streams: descriptors, group: group, isUrgent: isUrgent)
      state.child = child
      state.startTicks = 0
      state.fingerprint = ""
      state.startedAt = SystemClock.now
      state.status = ""
      processByPid[child.pid] = process
      state.streams.processStarted()
      do throws(SystemError) {
        try watch(child, of: process)
      } catch {
        // SIGCHLD will tell of its end.
        return [.spawned(pid: child.pid), .signalFailed("\(error)")]
      }
      return [.spawned(pid: child.pid)]
    } catch {
      Log.error("process cannot be spawned", ["name": order.specification.fullName, "error": "\(error)"])
      return [.spawnFailed("\(error)")]
    }
  }

  private func order(of process: ProcessID, _ state: RowState) -> SpawnOrder? {
    if let order = state.order { return order }
    guard let specification = table[process]?.specification else { return nil }
    // What could not be run then may be there now.
    let found = specification.executableProblem == nil ? nil : try? specification.findExecutable()
    let order = SpawnOrder(
      specification, executable: found ?? specification.executable, surroundings: surroundings,
      mark: mark(of: specification))
    if specification.executableProblem == nil { state.order = order }
    return order
  }

  func watch(_ child: Child, of process: ProcessID) throws(SystemError) {
    let pid = child.pid
    let token = try loop.add(child.pidDescriptor) { [unowned self] in ended(pid) }
    rowStates[process]?.tokens = [token]
  }

  func signal(_ number: Int32, group: Bool, _ process: ProcessID) {
    guard let state = rowStates[process] else { return }
    do throws(SystemError) {
      if let ending = state.endingPid {
        if group { signalGroup(ofEnded: ending, number, process) }
      } else {
        if number == SIGKILL { rowStates[process]?.wasKilled = true }
        try state.child?.signal(number, group: group)
      }
    } catch {
      handle(.signalFailed("\(error)"), process)
    }
  }
}
