internal import Bus
package import Market

extension DashboardState {
  /// The metrics in the text format of Prometheus, version 0.0.4.
  package func metrics(now: Timestamp) -> String {
    var text = MetricsText()
    let all = sortedProcesses
    text.family("bulkhead_process_up", .gauge, "Whether a process runs and is ready.")
    for one in all { text.sample(["process": one.name], one.state == "RUNNING" && one.isReady ? "1" : "0") }
    text.family("bulkhead_process_restarts_total", .counter, "How often a process was started again.")
    for one in all { text.sample(["process": one.name], "\(one.restarts)") }
    text.single("bulkhead_alerts_total", .counter, "Alerts that the dashboard heard.", "\(alertCount)")
    text.family("bulkhead_venue_open", .gauge, "Whether a venue takes orders, as its ingestor says.")
    for (status, _) in sortedVenues {
      text.sample(
        ["venue": status.venue.rawValue, "process": status.publisher, "state": status.state.name],
        status.state.takesOrders ? "1" : "0")
    }
    text.family("bulkhead_process_uptime_seconds", .gauge, "Since when a process runs.")
    for one in all where one.pid > 0 {
      text.sample(["process": one.name], "\(max(0, Double(now.nanoseconds(since: one.startedAt)) / 1e9))")
    }
    text.single("bulkhead_books_live", .gauge, "Order books that are up to date.", "\(liveBookCount)")
    text.single("bulkhead_messages_total", .counter, "Messages that the processes handled.", "\(messageCount)")
    text.single("bulkhead_messages_missed_total", .counter, "Messages that the dashboard missed.", "\(missedCount)")
    text.single(
      "bulkhead_messages_malformed_total", .counter, "Messages that the dashboard could not read.",
      "\(malformedCount)")
    text.family("bulkhead_opportunities_opened_total", .counter, "Opportunities that opened.")
    for strategy in Strategy.allCases { text.sample(["strategy": strategy.rawValue], "\(opened[strategy] ?? 0)") }
    text.family("bulkhead_opportunities_open", .gauge, "Opportunities that are open.")
    let byStrategy = Dictionary(grouping: open.values, by: \.strategy).mapValues(\.count)
    for strategy in Strategy.allCases { text.sample(["strategy": strategy.rawValue], "\(byStrategy[strategy] ?? 0)") }
    text.single("bulkhead_orders_total", .counter, "Orders that the dashboard heard of.", "\(orderCount)")
    text.single("bulkhead_fills_total", .counter, "Fills in the journal.", "\(fillCount)")
    text.single("bulkhead_settlements_total", .counter, "Settlements in the ledger.", "\(settlementCount)")
    text.single("bulkhead_positions", .gauge, "Positions that are held.", "\(sortedPositions.count)")
    if let profit {
      for (key, money) in Self.figures(profit) {
        text.single("bulkhead_\(key)_dollars", .gauge, "Profit and loss: \(key).", money.description)
      }
      text.single(
        "bulkhead_markets_pending", .gauge, "Markets that wait for their settlement.", "\(profit.pendingMarkets)")
    }
    text.family("bulkhead_health", .gauge, "Every counter that a process publishes about itself.")
    for (name, health) in health.sorted(by: { $0.key < $1.key }) {
      for (key, value) in health.counters.sorted(by: { $0.key < $1.key }) {
        text.sample(["process": name, "counter": key], "\(value)")
      }
    }
    text.family("bulkhead_health_age_seconds", .gauge, "How long ago a process published its counters.")
    for (name, health) in health.sorted(by: { $0.key < $1.key }) {
      text.sample(["process": name], "\(max(0, Double(now.nanoseconds(since: health.heardAt)) / 1e9))")
    }
    return text.text
  }
}

/// Writes families of metrics, one after the other.
struct MetricsText {
  enum Kind: String {
    case counter, gauge
  }

  private(set) var text = ""
  private var name = ""

  mutating func family(_ name: String, _ kind: Kind, _ help: String) {
    self.name = name
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
  }

  mutating func sample(_ labels: KeyValuePairs<String, String>, _ value: String) {
    let list = labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
    text += name + (list.isEmpty ? "" : "{\(list)}") + " \(value)\n"
  }

  mutating func single(_ name: String, _ kind: Kind, _ help: String, _ value: String) {
    family(name, kind, help)
    sample([:], value)
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in text.unicodeScalars {
      switch character {
      case "\\": result += "\\\\"
      case "\"": result += "\\\""
      case "\n": result += "\\n"
      default: result.unicodeScalars.append(character)
      }
    }
    return result
  }
}
