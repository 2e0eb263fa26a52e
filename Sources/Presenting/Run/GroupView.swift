package import Bus
package import Market

/// What the bus has told about a running group, for the summary of `bulkhead run`.
///
/// A pure value: messages in, figures out.
package struct GroupView: Sendable {
  /// A counter of a process that begins again at zero when the process does.
  struct Counter: Sendable {
    private var last: [String: Int64] = [:]
    private(set) var total: Int64 = 0

    mutating func set(_ value: Int64, of process: String) {
      let before = last[process] ?? 0
      total += value >= before ? value - before : value
      last[process] = value
    }
  }

  /// The processes by name.
  package private(set) var processes: [String: ProcessMessage] = [:]
  /// Whether the supervisor has told all of its processes, and not only those that changed lately.
  package private(set) var isTableWhole = false
  /// The newest counters of each process.
  package private(set) var health: [String: [String: Int64]] = [:]
  /// Planted against found.
  package var tally = Tally()
  /// How many orders were heard of.
  package var orderCount: Int { orderIDs.count }
  /// How many fills were heard of.
  package private(set) var fillCount = 0
  /// How many markets were settled.
  package private(set) var settlementCount = 0
  /// The newest profit and loss; nil before the first.
  package private(set) var profit: ProfitMessage?
  /// Processes that were given up at some time.
  package private(set) var fatal: Set<String> = []
  private let manual: Set<String>
  private var orderIDs: Set<String> = []
  private var published = Counter()

  /// Nothing heard yet.
  ///
  /// - Parameter manual: programs that do not start by themselves: nobody waits for them.
  package init(manual: Set<String> = []) { self.manual = manual }

  /// Takes a row of the process table.
  package mutating func add(_ process: ProcessMessage) {
    if process.state == "REMOVED" {
      processes[process.name] = nil
      return
    }
    processes[process.name] = process
    if process.state == "FATAL" { fatal.insert(process.name) }
  }

  /// Takes the end of the supervisor's process table.
  package mutating func endTable() { isTableWhole = true }

  /// Takes the counters of a process.
  package mutating func add(_ message: HealthMessage) {
    health[message.name] = message.counters
    if let count = message.counters["messages_published"] { published.set(count, of: message.name) }
  }

  /// Takes an order, new or changed.
  package mutating func add(_ order: Order) { orderIDs.insert(order.id) }

  /// Takes fills.
  package mutating func add(fills: Int) { fillCount += fills }

  /// Takes a settlement.
  package mutating func addSettlement() { settlementCount += 1 }

  /// Takes profit and loss.
  package mutating func add(_ profit: ProfitMessage) { self.profit = profit }

  /// Processes in the order of their names.
  package var sortedProcesses: [ProcessMessage] { processes.values.sorted { $0.name < $1.name } }
  /// How many processes ought to be up: those that somebody must start by hand count once they are.
  package var wantedCount: Int { processes.values.reduce(0) { $0 + (isWanted($1) ? 1 : 0) } }
  /// How many processes are up.
  package var upCount: Int { processes.values.reduce(0) { $0 + (Self.isUp($1) ? 1 : 0) } }
  /// How often processes were started again.
  package var restartCount: Int { processes.values.reduce(0) { $0 + $1.restarts } }
  /// Processes that are not ready yet.
  package var unready: [ProcessMessage] { sortedProcesses.filter { isWanted($0) && !Self.isUp($0) } }
  /// Whether the table is known and every process in it is ready.
  package var isReady: Bool { isTableWhole && !processes.isEmpty && unready.isEmpty }
  /// How many messages the processes have published.
  package var publishedCount: Int64 { published.total }

  /// A counter, summed over all processes that have it, or of one of them.
  package func counter(_ name: String, of process: String? = nil) -> Int64? {
    if let process { return health[process]?[name] }
    let values = health.values.compactMap { $0[name] }
    return values.isEmpty ? nil : values.reduce(0, +)
  }

  private func isWanted(_ process: ProcessMessage) -> Bool {
    process.state != "STOPPED" || !(manual.contains(process.name) || manual.contains(process.group))
  }

  private static func isUp(_ process: ProcessMessage) -> Bool { process.state == "RUNNING" && process.isReady }
}
