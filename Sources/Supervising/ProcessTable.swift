/// One process of the table; a number that is never used again.
public struct ProcessID: Hashable, Comparable, Sendable {
  /// Counts from 0.
  public let number: Int

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
/// It starts them in the order of their priorities, and stops them in the reverse order, each level of priority only
/// when the one above has come to rest.
public struct ProcessTable: Sendable {
  /// One row.
  public struct Row: Sendable {
    /// What the process is.
    public let specification: ProcessSpecification
    /// How it lives.
    public internal(set) var record: ProcessRecord
  }

  /// Whether the whole is on its way out.
  public private(set) var isShuttingDown = false
  /// The processes in the order of starting.
  public private(set) var order: [ProcessID] = []
  private var rows: [ProcessID: Row] = [:]
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
    var actions = apply(event, process, now)
    if isShuttingDown { actions += stopNextLevel(now) }
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

  /// The processes of the highest priority number that are not at rest are told to stop; those below wait for them.
  private mutating func stopNextLevel(_ now: Int64) -> [TableAction] {
    func isUp(_ process: ProcessID) -> Bool { rows[process].map { !$0.record.state.isStopped } ?? false }
    var actions: [TableAction] = []
    // A level that only held processes which do not live is at rest at once.
    while let last = order.last(where: isUp), let level = rows[last]?.specification.level {
      let members = order.reversed().filter { isUp($0) && rows[$0]?.specification.level == level }
      for process in members { actions += apply(.stopRequested, process, now) }
      if members.contains(where: isUp) { return actions }
    }
    if isAtRest { shutdownDeadline = nil }
    return actions
  }
}
