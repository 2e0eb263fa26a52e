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
      // What people are told is how it stood before the next process came; but that comes first.
      let rows = batch.map { table[$0.process] }
      for (item, row) in zip(batch, rows) where item.action.isUrgent { perform(item.action, item.process, row) }
      for (item, row) in zip(batch, rows) where !item.action.isUrgent { perform(item.action, item.process, row) }
    }
    isPerforming = false
    flushEvents()
    for waiter in waiters.values where waiter.poll() { waiters[ObjectIdentifier(waiter)] = nil }
  }

  func perform(_ action: ProcessAction, _ process: ProcessID, _ row: ProcessTable.Row?) {
    guard let row else { return }
    switch action {
    case .spawn: spawn(process, row.specification)
    case .signal(let number, let group): signal(number, group: group, process)
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

  func spawn(_ process: ProcessID, _ specification: ProcessSpecification) {
    guard let state = rowStates[process] else { return }
    do throws(SystemError) {
      var descriptors = try state.streams.open(null: null)
      defer { descriptors.closeAll() }
      if case .fastCGI(let socket) = specification.kind { descriptors.input = try sharedSocket(socket) }
      let group = specification.limits.isEmpty ? nil : try controlGroup(process, specification)
      let child = try Child.spawn(
        specification, environment: environment, mark: mark(of: specification), umask: configuration.umask,
        streams: descriptors, group: group)
      state.streams.processStarted()
      rowStates[process]?.child = child
      rowStates[process]?.startTicks = 0
      rowStates[process]?.fingerprint = ""
      rowStates[process]?.startedAt = SystemClock.now
      rowStates[process]?.status = ""
      processByPid[child.pid] = process
      Log.info("process spawned", ["name": specification.fullName, "pid": "\(child.pid)"])
      try watch(child, of: process)
      handle(.spawned(pid: child.pid), process)
    } catch {
      Log.error("process cannot be spawned", ["name": specification.fullName, "error": "\(error)"])
      if let child = rowStates[process]?.child {
        // It runs and cannot be watched: SIGCHLD will tell of its end.
        handle(.spawned(pid: child.pid), process)
        handle(.signalFailed("\(error)"), process)
      } else {
        handle(.spawnFailed("\(error)"), process)
      }
    }
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

extension ProcessAction {
  /// Whether something waits for it, and not only people.
  fileprivate var isUrgent: Bool {
    switch self {
    case .spawn, .signal: true
    case .changed, .updated, .alert: false
    }
  }
}
