internal import Daemon
internal import Market

/// What event listeners are told, and what they answer.
extension Supervisor {
  /// Tells an event to whoever hears it.
  func emit(_ event: SupervisorEvent) {
    guard !events.isEmpty else { return }
    perform(events.take(event))
  }

  /// A group is there: its listeners, if it has any, hear what happens from now on.
  func noteGroupAdded(_ group: GroupSpecification) {
    if case .eventListeners(let pool) = group.kind {
      events.add(EventPool(name: group.name, specification: pool), now: SystemClock.now.seconds)
      setTickAlarm()
    }
    emit(.groupAdded(group.name))
  }

  /// A group is gone.
  func noteGroupRemoved(_ name: String) {
    if events[name] != nil {
      events.remove(name, now: SystemClock.now.seconds)
      setTickAlarm()
    }
    closeUnneededSockets()
    emit(.groupRemoved(name))
  }

  /// The listening and the telling of one process, once it is in the table.
  func tapStreams(of process: ProcessID, _ specification: ProcessSpecification) {
    guard let streams = rowStates[process]?.streams else { return }
    if specification.kind == .eventListener {
      streams.tap(.output) { [unowned self] item in
        if case .log(let bytes) = item { hear(bytes, from: process, pool: specification.group) }
      }
    } else if specification.output.isTold {
      streams.tap(.output) { [unowned self] in emit($0, of: process, isError: false) }
    }
    if specification.errorOutput.isTold, !specification.redirectsErrors {
      streams.tap(.errorOutput) { [unowned self] in emit($0, of: process, isError: true) }
    }
  }

  private func emit(_ item: TapItem, of process: ProcessID, isError: Bool) {
    guard !events.isEmpty, let row = table[process] else { return }
    let (name, group) = (row.specification.name, row.specification.group)
    let pid = row.record.pid ?? rowStates[process]?.endingPid ?? 0
    switch item {
    case .log(let bytes):
      let output = isError ? row.specification.errorOutput : row.specification.output
      guard output.emitsEvents, events.isHeard(isError ? .processLogStderr : .processLogStdout) else { return }
      emit(.processLog(name: name, group: group, pid: pid, isError: isError, bytes: bytes))
    case .communication(let bytes):
      emit(.processCommunication(name: name, group: group, pid: pid, isError: isError, bytes: bytes))
    }
  }

  /// A process has changed its state.
  func noteChange(of process: ProcessID, _ row: ProcessTable.Row, from: ProcessState, to: ProcessState) {
    guard !events.isEmpty else { return }
    let specification = row.specification
    if specification.kind == .eventListener {
      perform(
        events.change(specification.group) { pool in
          switch to {
          case .starting: pool.listenerStarts(process)
          case .running: pool.listener(process, isRunning: true)
          case .stopping, .unknown: pool.listener(process, isRunning: false)
          case .stopped, .backoff, .exited, .fatal: pool.listenerEnded(process)
          }
        })
    }
    var isExpected = false
    if case .code(let code) = row.record.lastExit { isExpected = specification.policy.exitCodes.contains(code) }
    emit(
      .processState(
        from: from, to: to,
        .init(
          name: specification.name, group: specification.group,
          pid: row.record.pid ?? rowStates[process]?.endingPid ?? 0, tries: row.record.failures,
          isExpected: isExpected)))
  }

  /// A listener is about to be seen as ended: what it said before comes first.
  func hearLastWords(of process: ProcessID) {
    guard table[process]?.specification.kind == .eventListener, let streams = rowStates[process]?.streams else {
      return
    }
    streams.drain(limitMilliseconds: 100)
    pump.taps.deliver()
  }

  private func hear(_ bytes: [UInt8], from process: ProcessID, pool: String) {
    perform(events.change(pool) { $0.hear(bytes, from: process) })
  }

  // MARK: - Actions

  private func perform(_ actions: [EventHub.Action]) {
    pendingEvents += actions
    if !isPerforming { flushEvents() }
  }

  /// Does what the pools want done; after what the process table wants, because starts come first.
  func flushEvents() {
    guard !isFlushingEvents else { return }
    isFlushingEvents = true
    while !pendingEvents.isEmpty {
      let batch = pendingEvents
      pendingEvents = []
      for item in batch { perform(item) }
    }
    isFlushingEvents = false
  }

  private func perform(_ item: EventHub.Action) {
    switch item.action {
    case .send(let event, let process): send(event, to: process, pool: item.pool)
    case .dropped(let event):
      Log.error("event buffer overflowed", ["pool": item.pool, "discarded": "\(event.serial)"])
    case .refused(let event, let process):
      Log.warning("event was refused", ["listener": fullName(process), "serial": "\(event.serial)"])
    case .broken(let process):
      Log.warning("listener broke the protocol and gets no more events", ["listener": fullName(process)])
    }
  }

  private func send(_ item: EventPool.Item, to process: ProcessID, pool: String) {
    let bytes = item.event.envelope(
      server: configuration.identifier, serial: item.serial, pool: pool, poolSerial: item.poolSerial)
    do throws(InputFailure) {
      guard let streams = rowStates[process]?.streams else { throw .closed }
      try streams.send(bytes)
    } catch {
      if case .full = error {
        Log.error("event is too large", ["pool": pool, "discarded": "\(item.serial)", "bytes": "\(bytes.count)"])
        perform(events.change(pool) { $0.tooLarge(process) })
      } else {
        perform(events.change(pool) { $0.notSent(process) })
      }
    }
  }

  private func fullName(_ process: ProcessID) -> String { table[process]?.specification.fullName ?? "" }

  // MARK: - Ticks

  /// Wakes up when the next tick is due, and never where nobody hears any.
  func setTickAlarm() {
    let wait = events.clock.wait(now: SystemClock.now.nanoseconds)
    alarms.set("tick", at: wait.map { SystemClock.monotonicNanoseconds + $0 }) { [unowned self] in
      for event in events.clock.ticks(now: SystemClock.now.seconds) { emit(event) }
      setTickAlarm()
    }
  }
}
