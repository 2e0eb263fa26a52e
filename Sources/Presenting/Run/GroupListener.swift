internal import Bus
internal import Daemon
internal import Market

/// Follows a whole group on the bus without asking any process for its books.
///
/// The process table is asked from the supervisor, with its present state; everything else comes from each process as
/// it is told, from the moment at which the supervisor announces the process, which is before it publishes anything.
final class GroupListener {
  private(set) var view: GroupView
  private let runDirectory: String
  private let table: Subscriber
  private let messages: Subscriber
  private var connected: Set<String> = []
  private var handles: [Int32: ProcessHandle] = [:]

  init(name: String, runDirectory: String, manual: Set<String>) throws(BusError) {
    view = GroupView(manual: manual)
    self.runDirectory = runDirectory
    table = try Subscriber(name: name, topics: [Topic.process])
    messages = try Subscriber(
      name: name,
      topics: [
        Topic.opportunity, Topic.planted, Topic.order, Topic.fill, Topic.settlement, Topic.profit, Topic.health,
      ], wantsSnapshot: false)
    try table.connect(BusEndpoint.ipc(name: "supervisor", runDirectory: runDirectory))
  }

  /// Has the poller wait for messages.
  func register(_ poller: Poller) {
    poller.add(table)
    poller.add(messages)
  }

  /// Takes what has come.
  func process() {
    table.receive { event in
      switch event {
      case .message(_, _, _, var body): if let row = try? ProcessMessage(&body) { take(row) }
      case .snapshotEnd: view.endTable()
      case .gap, .restarted: break
      }
    }
    while messages.receive(limit: 4096, handle) == 4096 {}
  }

  /// Processes of the group that still exist.
  func survivors() -> [ProcessHandle] { handles.values.filter { !$0.hasEnded() } }

  /// Forgets what is over for long.
  func compact(now: Timestamp) {
    view.tally.compact(now: now)
    for (pid, handle) in handles where handle.hasEnded() { handles[pid] = nil }
  }

  private func take(_ row: ProcessMessage) {
    view.add(row)
    if row.pid > 0, handles[row.pid] == nil { handles[row.pid] = ProcessHandle(pid: row.pid) }
    guard connected.insert(row.name).inserted else { return }
    do {
      try messages.connect(BusEndpoint.ipc(name: row.name, runDirectory: runDirectory))
    } catch {
      connected.remove(row.name)
      Log.warning("cannot listen to a process", ["name": row.name, "error": "\(error)"])
    }
  }

  private func handle(_ event: BusEvent) {
    switch event {
    case .message(let stream, _, _, var body): take(messages.topic(of: stream), &body)
    case .restarted(let stream):
      let topic = messages.topic(of: stream)
      if topic.hasPrefix(Topic.opportunity) { view.tally.scannerRestarted(at: SystemClock.now) }
      if topic.hasPrefix(Topic.planted) { view.tally.simulatorRestarted(at: SystemClock.now) }
    case .gap(let stream, let missed):
      Log.warning("messages are missing", ["topic": messages.topic(of: stream), "missed": "\(missed)"])
    case .snapshotEnd: break
    }
  }

  private func take(_ topic: String, _ body: inout MessagePackReader) {
    if topic.hasPrefix(Topic.opportunity) {
      if let opportunity = try? Opportunity(&body) { view.tally.add(opportunity) }
    } else if topic.hasPrefix(Topic.planted) {
      if let arbitrage = try? PlantedArbitrage(&body) { view.tally.add(arbitrage) }
    } else if topic.hasPrefix(Topic.health) {
      if let message = try? HealthMessage(&body) { view.add(message) }
    } else if topic.hasPrefix(Topic.order) {
      if let order = try? Order(&body) { view.add(order) }
    } else if topic.hasPrefix(Topic.fill) {
      view.add(fills: 1)
    } else if topic.hasPrefix(Topic.settlement) {
      view.addSettlement()
    } else if topic.hasPrefix(Topic.profit) {
      if let profit = try? ProfitMessage(&body) { view.add(profit) }
    }
  }
}
