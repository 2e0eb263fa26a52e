internal import Daemon
package import Market
package import Store
internal import Web

extension Journal: OrderJournal {}

/// What waits to be written to the journal, in order; nothing of it is published before.
package enum JournalEntry {
  /// Orders that have reached their end, with their fills.
  case results([OrderResult])
  /// Sales of surpluses, to be sent once they are durable.
  case unwind(UnwindPlan)
  /// Positions that could not be sold.
  case stuck([StuckLeg], time: Timestamp)
  /// The trading breaker has opened.
  case breaker(reason: String, time: Timestamp)
}

/// What a write to the journal has made known.
package enum JournalNews {
  case results([OrderResult], newFills: [Fill])
  case unwind(DurableOrders)
  case none
}

/// The executor's side of the journal: writes what waits, in order, and keeps what could not be written (D3).
package final class ExecutionLog {
  package let journal: Journal
  private let dataDirectory: String
  private var waiting: [JournalEntry] = []
  private var retryAtNanoseconds: Int64 = 0

  /// Opens the journal in the data directory.
  package init(dataDirectory: String) throws(StoreError) {
    self.dataDirectory = dataDirectory
    journal = try Journal(path: dataDirectory + "/journal.db")
  }

  /// Whether everything is written.
  package var isClear: Bool { waiting.isEmpty }

  /// How many entries wait.
  package var waitingCount: Int { waiting.count }

  /// When writing is tried again; nil where nothing waits.
  package var nextDue: Int64? { waiting.isEmpty ? nil : retryAtNanoseconds }

  /// Adds an entry, and writes all that waits.
  package func append(_ entries: [JournalEntry], now: Int64, _ told: (JournalNews) -> Void) {
    waiting += entries
    flush(now: now, told)
  }

  /// Writes what waits, as far as that is possible now.
  package func flush(now: Int64, _ told: (JournalNews) -> Void) {
    guard now >= retryAtNanoseconds else { return }
    while let entry = waiting.first {
      do {
        let news = try write(entry)
        waiting.removeFirst()
        told(news)
      } catch {
        Log.error("the journal cannot be written", ["error": "\(error)", "waiting": "\(waiting.count)"])
        retryAtNanoseconds = now + 1_000_000_000
        return
      }
    }
  }

  private func write(_ entry: JournalEntry) throws -> JournalNews {
    switch entry {
    case .results(let results):
      let fills = try journal.update(results.map { OrderChange(order: $0.order, fills: $0.fills) })
      return .results(results, newFills: fills)
    case .unwind(let plan):
      let durable = try DurableOrders.record([OrderBatch(plan)], in: journal)
      return durable.first.map { .unwind($0) } ?? .none
    case .stuck(let legs, let time):
      for leg in legs {
        try journal.record(
          stuck: StuckPosition(
            orderID: leg.order.id, strategy: leg.order.strategy, instrument: leg.order.instrument,
            marketID: leg.order.marketID, quantity: leg.quantity, cost: leg.cost, reason: leg.order.reason,
            createdAt: time))
      }
      try writeStuckFile()
      return .none
    case .breaker(let reason, let time):
      try journal.set(Flag(name: TradingBreaker.flagName, isSet: true, reason: reason, changedAt: time))
      return .none
    }
  }

  /// `stuck_positions.json` in the data directory, for people and scripts.
  private func writeStuckFile() throws {
    var writer = JSONWriter()
    let positions = try journal.stuckPositions()
    writer.array { writer in
      for position in positions {
        writer.object { writer in
          writer.field("id", position.id)
          writer.field("order", position.orderID)
          writer.field("strategy", position.strategy.rawValue)
          writer.field("instrument", position.instrument.description)
          writer.field("market", position.marketID)
          writer.field("quantity", number: position.quantity.description)
          writer.field("cost", number: position.cost.description)
          writer.field("reason", position.reason)
          writer.field("since", position.createdAt.description)
        }
      }
    }
    try writeFileAtomically(writer.bytes, to: dataDirectory + "/stuck_positions.json", mode: 0o600)
  }

  // MARK: - Restart

  /// What a restart takes from the journal.
  package struct Restart {
    /// All fills, in order.
    package var fills: [Fill] = []
    /// Opportunities that were executed, oldest first.
    package var executed: [UInt64] = []
    /// Orders that were open: the paper venue never saw them.
    package var closedNow: [OrderResult] = []
    /// All orders of each opportunity whose legs may be uneven.
    package var uneven: [[OrderResult]] = []
    /// The cost of stuck positions by market.
    package var stuck: [StuckPosition] = []
  }

  /// How many orders a restart looks back.
  package static let ordersBack = 20_000

  /// Reads the journal, and closes the orders that were open when the process died: each exactly once.
  ///
  /// - Parameters:
  ///   - now: the time of day.
  ///   - cursor: fills up to this one are in the ledger already, and are not read.
  /// - Returns: what the executor takes up.
  /// - Throws: `StoreError`.
  package func restart(now: Timestamp, fillsAfter cursor: Int64 = 0) throws(StoreError) -> Restart {
    var restart = Restart()
    for var order in try journal.openOrders() {
      order.state = order.filled.raw > 0 ? .partlyFilled : .unfilled
      order.updatedAt = now
      order.reason = "the process ended before the paper venue saw it"
      restart.closedNow.append(OrderResult(order: order, fills: []))
    }
    try journal.update(restart.closedNow.map { OrderChange(order: $0.order) })
    var sequence = cursor
    while true {
      let page = try journal.fills(after: sequence, limit: 10_000)
      guard let last = page.last else { break }
      restart.fills += page
      sequence = last.sequence
    }
    var groups: [UInt64: [Order]] = [:]
    for order in try journal.orders(limit: ExecutionLog.ordersBack).reversed() {
      if groups[order.opportunityID] == nil { restart.executed.append(order.opportunityID) }
      groups[order.opportunityID, default: []].append(order)
    }
    for id in restart.executed {
      guard let orders = groups[id], ExecutionLog.isUneven(orders) else { continue }
      var results: [OrderResult] = []
      for order in orders { results.append(OrderResult(order: order, fills: try journal.fills(ofOrder: order.id))) }
      restart.uneven.append(results)
    }
    restart.stuck = try journal.stuckPositions()
    return restart
  }

  private static func isUneven(_ orders: [Order]) -> Bool {
    Set(orders.filter { OrderID.role($0.id)?.kind == "l" }.map(\.filled)).count > 1
  }
}
