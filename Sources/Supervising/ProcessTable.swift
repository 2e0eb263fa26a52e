/// One process of the table; a number that is never used again.
public struct ProcessID: Hashable, Comparable, Sendable {
  /// Counts from 0.
  public let number: Int

  package init(number: Int) { self.number = number }

  /// Orders by age.
  public static func < (left: ProcessID, right: ProcessID) -> Bool { left.number < right.number }
}

/// What the shell does, and for which process.
public struct TableAction: Hashable, Sendable {
  /// The process.
  public let process: ProcessID
  /// What is to be done.
  public let action: ProcessAction
}

/// All processes: a pure state machine of state machines.
///
/// It starts them in the order of their priorities, each when all that it depends on are RUNNING and ready, and stops
/// them in the reverse order: each level of priority only when the one above has come to rest, and none before those that
/// depend on it. What dies later takes nothing else with it.
public struct ProcessTable: Sendable {
  /// One row.
  public struct Row: Sendable {
    /// What the process is.
    public internal(set) var specification: ProcessSpecification
    /// How it lives.
    public internal(set) var record: ProcessRecord
  }

  /// Whether the whole is on its way out.
  public private(set) var isShuttingDown = false
  /// The processes in the order of starting.
  public private(set) var order: [ProcessID] = []
  private var rows: [ProcessID: Row] = [:]
  private var waiting: Set<ProcessID> = []
  private var nextNumber = 0
  private var shutdownDeadline: Int64?

  /// An empty table.
  public init() {}

  /// The row of a process.
  public subscript(_ process: ProcessID) -> Row? { rows[process] }

  /// Takes a process in; it is not started.
  /// - Parameters:
  ///   - specification: what it is.
  ///   - seed: of its jitter.
  /// - Returns: its number.
  @discardableResult
  public mutating func add(_ specification: ProcessSpecification, seed: UInt64) -> ProcessID {
    let process = ProcessID(number: nextNumber)
    nextNumber += 1
    rows[process] = Row(
      specification: specification, record: ProcessRecord(policy: specification.policy, seed: seed))
    if isShuttingDown { rows[process]?.record.forbidStarts() }
    let place = order.firstIndex { existing in
      guard let other = rows[existing] else { return false }
      return specification.sortKey < other.specification.sortKey
    }
    order.insert(process, at: place ?? order.count)
    return process
  }

  /// Takes a process out; one that lives, or is on its way, stays.
  /// - Returns: whether it is out.
  public mutating func remove(_ process: ProcessID) -> Bool {
    guard let row = rows[process], row.record.pid == nil, row.record.state.isStopped else { return false }
    rows[process] = nil
    waiting.remove(process)
    order.removeAll { $0 == process }
    return true
  }

  /// Changes a variable of a process's environment; what lives has it from its next start on.
  public mutating func setVariable(_ name: String, to value: String, of process: ProcessID) {
    rows[process]?.specification.environment[name] = value
  }

  /// Gives a process that was just added the past that a supervisor before this one knew.
  public mutating func remember(_ past: ProcessPast, of process: ProcessID) { rows[process]?.record.remember(past) }

  /// The process of a pid.
  public func process(pid: Int32) -> ProcessID? { order.first { rows[$0]?.record.pid == pid } }

  /// Takes an event of one process.
  /// - Parameters:
  ///   - event: what happened.
  ///   - process: to which; an unknown one changes nothing.
  ///   - now: when, in nanoseconds of a monotonic clock.
  /// - Returns: what is to be done, in this order.
  public mutating func handle(_ event: ProcessEvent, process: ProcessID, now: Int64) -> [TableAction] {
    guard rows[process] != nil else { return [] }
    var actions: [TableAction] = []
    switch event {
    case .startRequested where mustWait(process): return wait(process, now)
    case .stopRequested, .adopted:
      if waiting.remove(process) != nil { actions.append(TableAction(process: process, action: .updated)) }
    default: break
    }
    actions += apply(event, process, now)
    if isShuttingDown { return actions + stopNextLevel(now) }
    return waiting.isEmpty ? actions : actions + startWaiting(now)
  }

  // MARK: - Dependencies

  /// Whether a process was asked to start and waits for what it depends on.
  public func isWaiting(_ process: ProcessID) -> Bool { waiting.contains(process) }

  /// What a process depends on and is not ready, by full name; one that is not there counts as missing too.
  public func missingDependencies(of process: ProcessID) -> [String] {
    (rows[process]?.specification.dependencies ?? []).filter { name in
      guard let record = find(name).flatMap({ rows[$0]?.record }) else { return true }
      return record.state != .running || !record.isReady
    }
  }

  /// Whether a process waits for one that is at rest and will not start by itself.
  public func isBlocked(_ process: ProcessID) -> Bool {
    isWaiting(process)
      && missingDependencies(of: process).contains { name in
        guard let needed = find(name), let record = rows[needed]?.record else { return true }
        return isWaiting(needed) ? isBlocked(needed) : record.state.isStopped
      }
  }

  private func find(_ fullName: String) -> ProcessID? {
    order.first { rows[$0]?.specification.fullName == fullName }
  }

  private func mustWait(_ process: ProcessID) -> Bool {
    if waiting.contains(process) { return true }
    guard !isShuttingDown, rows[process]?.record.state.isStopped == true else { return false }
    return !missingDependencies(of: process).isEmpty
  }

  /// Lets a process wait, and starts what it waits for where that is at rest.
  private mutating func wait(_ process: ProcessID, _ now: Int64) -> [TableAction] {
    guard waiting.insert(process).inserted else { return [] }
    var actions = [TableAction(process: process, action: .updated)]
    for name in missingDependencies(of: process) {
      guard let needed = find(name), rows[needed]?.record.state.isStopped == true else { continue }
      actions += handle(.startRequested, process: needed, now: now)
    }
    return actions
  }

  private mutating func startWaiting(_ now: Int64) -> [TableAction] {
    var actions: [TableAction] = []
    for process in order where waiting.contains(process) && missingDependencies(of: process).isEmpty {
      waiting.remove(process)
      actions += apply(.startRequested, process, now)
    }
    return actions
  }

  private mutating func apply(_ event: ProcessEvent, _ process: ProcessID, _ now: Int64) -> [TableAction] {
    let actions = rows[process]?.record.handle(event, now: now) ?? []
    return actions.map { TableAction(process: process, action: $0) }
  }

  /// Starts everything that starts by itself, in order.
  public mutating func startAutomatic(now: Int64) -> [TableAction] {
    order.flatMap { process -> [TableAction] in
      guard rows[process]?.specification.startsAutomatically == true else { return [] }
      return handle(.startRequested, process: process, now: now)
    }
  }

  /// Begins to stop everything, in reverse order.
  /// - Parameters:
  ///   - now: the time.
  ///   - limit: after so many nanoseconds whatever lives is killed.
  /// - Returns: what is to be done.
  public mutating func shutDown(now: Int64, limit: Int64) -> [TableAction] {
    guard !isShuttingDown else { return [] }
    isShuttingDown = true
    shutdownDeadline = now + limit
    waiting = []
    for process in order { rows[process]?.record.forbidStarts() }
    return stopNextLevel(now)
  }

  /// Whether no process lives or will be spawned.
  public var isAtRest: Bool {
    rows.values.allSatisfy { $0.record.pid == nil && $0.record.state.isStopped }
  }

  /// When `passTime` is due next; nil where nothing is waited for.
  public var deadline: Int64? {
    var earliest = shutdownDeadline
    for row in rows.values {
      guard let due = row.record.deadline else { continue }
      earliest = min(earliest ?? due, due)
    }
    return earliest
  }

  /// Tells every process whose deadline has come.
  /// - Parameter now: the time.
  /// - Returns: what is to be done, in this order.
  public mutating func passTime(now: Int64) -> [TableAction] {
    var actions: [TableAction] = []
    for process in order {
      guard let due = rows[process]?.record.deadline, due <= now else { continue }
      actions += handle(.deadlinePassed, process: process, now: now)
    }
    if let limit = shutdownDeadline, limit <= now {
      shutdownDeadline = nil
      for process in order where rows[process]?.record.pid != nil {
        actions.append(TableAction(process: process, action: .signal(9, group: true)))
      }
    }
    return actions
  }

  /// Of the processes that are not at rest and that nobody up depends on, those of the highest priority number are told
  /// to stop; all others wait for them.
  private mutating func stopNextLevel(_ now: Int64) -> [TableAction] {
    var actions: [TableAction] = []
    // A level that only held processes which do not live is at rest at once.
    while true {
      let up = order.filter { rows[$0].map { !$0.record.state.isStopped } ?? false }
      let needed = Set(up.flatMap { rows[$0]?.specification.dependencies ?? [] })
      let free = up.filter { process in rows[process].map { !needed.contains($0.specification.fullName) } ?? false }
      // Where all depend on each other the priorities alone decide.
      let candidates = free.isEmpty ? up : free
      guard let level = candidates.compactMap({ rows[$0]?.specification.level }).max() else { break }
      let members = candidates.reversed().filter { rows[$0]?.specification.level == level }
      for process in members { actions += apply(.stopRequested, process, now) }
      if members.contains(where: { rows[$0].map { !$0.record.state.isStopped } ?? false }) { return actions }
    }
    if isAtRest { shutdownDeadline = nil }
    return actions
  }
}
