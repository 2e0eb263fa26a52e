package import Bus
package import Market

/// What the bus has told about a running group, for the dashboard and the metrics.
///
/// A pure value: messages in, figures out. Everything in it has a limit.
package struct DashboardState: Sendable {
  /// How many orders and fills are kept.
  package static let recentMax = 200
  /// How many opportunities are kept that are not open any more.
  package static let closedMax = 50
  /// How many alerts are kept.
  package static let alertsMax = 50
  /// How many points the line of equity has at the most; half of them go when there are more.
  package static let pointsMax = 600
  /// How many ids of orders are remembered, so that none counts twice.
  static let orderIDsMax = 20_000

  /// Counters of one process.
  package struct Health: Sendable {
    /// The newest.
    package internal(set) var counters: [String: Int64]
    /// When they came.
    package internal(set) var heardAt: Timestamp
    /// How much each that counts messages rose in a second; nil before the second report.
    package internal(set) var messagesPerSecond: Double?
  }

  /// One point of the line of equity.
  package struct Point: Hashable, Sendable {
    /// When.
    package let time: Timestamp
    /// What everything was worth.
    package let equity: Money
  }

  struct PositionKey: Hashable {
    let strategy: Strategy
    let instrument: InstrumentID
  }

  /// Since when it is heard.
  package let startedAt: Timestamp
  /// The processes by name.
  package private(set) var processes: [String: ProcessMessage] = [:]
  /// The counters of each process.
  package private(set) var health: [String: Health] = [:]
  /// What each ingestor last said of its venue, and when it was heard.
  package private(set) var venues: [String: (status: VenueStatusMessage, heardAt: Timestamp)] = [:]
  /// Open opportunities by id.
  package private(set) var open: [UInt64: Opportunity] = [:]
  /// Those that closed last, the newest last.
  package private(set) var closed: [Opportunity] = []
  /// How many opportunities opened, by strategy.
  package private(set) var opened: [Strategy: Int] = [:]
  /// The last alerts, the newest last.
  package private(set) var alerts: [AlertMessage] = []
  /// How many alerts were heard.
  package private(set) var alertCount = 0
  /// How many orders were heard of.
  package private(set) var orderCount = 0
  /// The newest fill's sequence: the journal's count of all fills.
  package private(set) var fillCount: Int64 = 0
  /// How many settlements the ledger counts.
  package private(set) var settlementCount: Int64 = 0
  /// The newest profit and loss; nil before the first.
  package private(set) var profit: ProfitMessage?
  /// Equity over time.
  package private(set) var points: [Point] = []
  /// How many messages were missed.
  package private(set) var missedCount: UInt64 = 0
  /// How many messages could not be read.
  package private(set) var malformedCount: UInt64 = 0
  private var epochs: [String: UInt64] = [:]
  private var pointGapNanoseconds: Int64 = 1_000_000_000
  private var orders: [String: Order] = [:]
  private var orderIDs = RecentIDs(limit: DashboardState.orderIDsMax)
  private var fills: [Int64: Fill] = [:]
  private var positions: [PositionKey: (message: PositionMessage, epoch: UInt64)] = [:]

  /// Nothing heard yet.
  package init(startedAt: Timestamp) { self.startedAt = startedAt }

  // MARK: - Messages

  /// Takes the body of a message; what cannot be read is counted.
  ///
  /// - Parameters:
  ///   - topic: the message's topic; kinds that the dashboard does not show are left alone.
  ///   - epoch: of the publisher, in nanoseconds since 1970.
  ///   - body: valid during the call.
  ///   - now: the time.
  package mutating func take(topic: String, epoch: UInt64, body: inout MessagePackReader, now: Timestamp) {
    do throws(MessageError) {
      if topic.hasPrefix(Topic.health) {
        add(try HealthMessage(&body), epoch: epoch, now: now)
      } else if topic.hasPrefix(Topic.process) {
        add(try ProcessMessage(&body))
      } else if topic.hasPrefix(Topic.venue) {
        let status = try VenueStatusMessage(&body)
        venues[status.publisher] = (status, now)
      } else if topic.hasPrefix(Topic.alert) {
        add(try AlertMessage(&body))
      } else if topic.hasPrefix(Topic.opportunity) {
        add(try Opportunity(&body))
      } else if topic.hasPrefix(Topic.order) {
        add(try Order(&body))
      } else if topic.hasPrefix(Topic.fill) {
        add(try Fill(&body))
      } else if topic.hasPrefix(Topic.position) {
        for _ in 0..<(try body.array()) { add(try PositionMessage(&body), epoch: epoch) }
      } else if topic.hasPrefix(Topic.settlement) {
        settlementCount = max(settlementCount, try SettlementMessage(&body).sequence)
      } else if topic.hasPrefix(Topic.profit) {
        add(try ProfitMessage(&body), epoch: epoch)
      }
    } catch {
      malformedCount += 1
    }
  }

  /// Takes note of messages that are missing.
  package mutating func miss(_ count: UInt64) { missedCount += count }

  /// Takes a row of the process table.
  package mutating func add(_ process: ProcessMessage) {
    guard process.state != "REMOVED" else {
      processes[process.name] = nil
      health[process.name] = nil
      venues[process.name] = nil
      return
    }
    processes[process.name] = process
  }

  /// Takes an alert; one that comes again with a snapshot counts once.
  package mutating func add(_ alert: AlertMessage) {
    guard !alerts.contains(alert) else { return }
    alerts = alerts.suffix(Self.alertsMax - 1) + [alert]
    alertCount += 1
  }

  /// Takes counters; those of a publisher that started anew make void what it found before.
  package mutating func add(_ message: HealthMessage, epoch: UInt64, now: Timestamp) {
    let before = epochs.updateValue(epoch, forKey: message.name)
    if let before, before != epoch { forgetOpportunities(ofEpoch: before) }
    var next = Health(counters: message.counters, heardAt: now, messagesPerSecond: nil)
    if before == epoch, let last = health[message.name],
      let old = Self.messages(last.counters), let new = Self.messages(message.counters), new >= old
    {
      let seconds = Double(now.nanoseconds(since: last.heardAt)) / 1e9
      // Two reports that waited together for the reader say nothing about a second.
      next.messagesPerSecond = seconds > 0.25 ? Double(new - old) / seconds : last.messagesPerSecond
    }
    health[message.name] = next
  }

  /// Takes an opportunity that opened, changed or closed.
  package mutating func add(_ opportunity: Opportunity) {
    if opportunity.state == .closed {
      let wasOpen = open.removeValue(forKey: opportunity.id) != nil
      if closed.contains(where: { $0.id == opportunity.id }) { return }
      if !wasOpen { opened[opportunity.strategy, default: 0] += 1 }
      closed.append(opportunity)
      if closed.count > Self.closedMax { closed.removeFirst() }
    } else {
      // A change that was under way when the snapshot told of the end.
      if closed.contains(where: { $0.id == opportunity.id }) { return }
      if open.updateValue(opportunity, forKey: opportunity.id) == nil { opened[opportunity.strategy, default: 0] += 1 }
    }
  }

  /// Takes an order, new or changed.
  package mutating func add(_ order: Order) {
    if let known = orders[order.id], known.updatedAt > order.updatedAt { return }
    if orderIDs.insert(order.id) { orderCount += 1 }
    orders[order.id] = order
    if orders.count > Self.recentMax * 2 {
      orders = Dictionary(uniqueKeysWithValues: recentOrders.map { ($0.id, $0) })
    }
  }

  /// Takes a fill.
  package mutating func add(_ fill: Fill) {
    fillCount = max(fillCount, fill.sequence)
    fills[fill.sequence] = fill
    if fills.count > Self.recentMax * 2 {
      fills = Dictionary(uniqueKeysWithValues: recentFills.map { ($0.sequence, $0) })
    }
  }

  /// Takes a position; one of nothing is forgotten.
  package mutating func add(_ position: PositionMessage, epoch: UInt64) {
    let key = PositionKey(strategy: position.strategy, instrument: position.instrument)
    positions[key] = position.quantity == .zero ? nil : (position, epoch)
  }

  /// Takes profit and loss; positions that an earlier run of the same process told of are void.
  package mutating func add(_ profit: ProfitMessage, epoch: UInt64) {
    self.profit = profit
    positions = positions.filter { $0.value.epoch >= epoch }
    if let last = points.last, profit.time.nanoseconds(since: last.time) < pointGapNanoseconds { return }
    points.append(Point(time: profit.time, equity: profit.equity))
    guard points.count > Self.pointsMax else { return }
    pointGapNanoseconds *= 2
    points = points.indices.filter { $0 % 2 == 0 }.map { points[$0] }
  }

  /// An opportunity's id has the start of its scanner, in seconds, in its upper half.
  private mutating func forgetOpportunities(ofEpoch epoch: UInt64) {
    open = open.filter { $0.key >> 32 != epoch / 1_000_000_000 }
  }

  private static func messages(_ counters: [String: Int64]) -> Int64? {
    counters["messages_published"] ?? counters["messages_received"]
  }

  // MARK: - Views

  /// Processes in the order of their names.
  package var sortedProcesses: [ProcessMessage] { processes.values.sorted { $0.name < $1.name } }
  /// Venues in the order of their names, each as often as it has ingestors.
  package var sortedVenues: [(status: VenueStatusMessage, heardAt: Timestamp)] {
    venues.values.sorted {
      ($0.status.venue.rawValue, $0.status.publisher) < ($1.status.venue.rawValue, $1.status.publisher)
    }
  }
  /// Orders, the newest first.
  package var recentOrders: [Order] {
    Array(
      orders.values.sorted { $0.createdAt != $1.createdAt ? $0.createdAt > $1.createdAt : $0.id > $1.id }
        .prefix(Self.recentMax))
  }
  /// Fills, the newest first.
  package var recentFills: [Fill] {
    Array(fills.values.sorted { $0.sequence > $1.sequence }.prefix(Self.recentMax))
  }
  /// Positions, the most valuable first.
  package var sortedPositions: [PositionMessage] {
    positions.values.map(\.message).sorted {
      $0.value != $1.value ? $0.value > $1.value : $0.instrument.symbol < $1.instrument.symbol
    }
  }
  /// How many books are live, in the process that has the most of them.
  package var liveBookCount: Int64 { health.values.compactMap { $0.counters["books_live"] }.max() ?? 0 }
  /// How many messages the processes handled, as far as they count them.
  package var messageCount: Int64 { health.values.compactMap { Self.messages($0.counters) }.reduce(0, +) }
}

/// The ids that were seen last.
private struct RecentIDs: Sendable {
  private let limit: Int
  private var known: Set<String> = []
  private var ring: [String] = []
  private var next = 0

  init(limit: Int) { self.limit = limit }

  /// - Returns: whether it is new.
  mutating func insert(_ id: String) -> Bool {
    guard known.insert(id).inserted else { return false }
    if ring.count < limit {
      ring.append(id)
    } else {
      known.remove(ring[next])
      ring[next] = id
      next = (next + 1) % limit
    }
    return true
  }
}
