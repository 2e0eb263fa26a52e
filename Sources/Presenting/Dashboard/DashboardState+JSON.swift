internal import Bus
package import Market
internal import Web

extension DashboardState {
  /// What the page shows, as JSON; figures are exact.
  ///
  /// - Parameters:
  ///   - name: the dashboard's own process, which cannot stop itself.
  ///   - now: the time.
  /// - Returns: one object.
  package func json(name: String, now: Timestamp) -> String {
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("time", now.description)
      writer.field("uptime_seconds", number: Self.seconds(from: startedAt, to: now))
      writer.field("name", name)
      writer.key("processes")
      processReport(now).write(&writer)
      writer.key("venues")
      venueReport(now).write(&writer)
      writer.field("open_count", open.count)
      let ranked = Command.rankOpportunities(Array(open.values), limit: 100) + closed.reversed().prefix(20)
      writer.field("opportunities", raw: Command.opportunitiesJSON(ranked, now: now))
      writer.key("positions")
      positionReport.write(&writer)
      writer.key("orders")
      orderReport.write(&writer)
      writer.key("fills")
      fillReport.write(&writer)
      writeProfit(&writer)
      writeCounts(&writer)
      writeAlerts(&writer)
      writeHealth(&writer, now)
    }
    return writer.text + "\n"
  }

  private static func seconds(from start: Timestamp, to end: Timestamp) -> String {
    "\(max(0, Double(end.nanoseconds(since: start)) / 1e9))"
  }

  private func processReport(_ now: Timestamp) -> Report {
    var report = Report([
      .init("name", nil), .init("group", nil), .init("state", nil), .init("pid", nil), .init("uptime_seconds", nil),
      .init("restarts", nil), .init("ready", nil), .init("exit_status", nil), .init("description", nil),
      .init("status", nil),
    ])
    for process in sortedProcesses {
      let uptime = Double(now.nanoseconds(since: process.startedAt)) / 1e9
      report.add([
        .text(process.name), .text(process.group), .text(process.state), .integer(Int64(process.pid)),
        process.pid > 0 ? .seconds(max(0, uptime)) : .none, .integer(Int64(process.restarts)),
        .boolean(process.isReady), process.exitStatus.map { .integer(Int64($0)) } ?? .none,
        .text(process.description), .text(process.status),
      ])
    }
    return report
  }

  private func venueReport(_ now: Timestamp) -> Report {
    var report = Report([
      .init("venue", nil), .init("publisher", nil), .init("state", nil), .init("reason", nil),
      .init("since_seconds", nil), .init("age_seconds", nil),
    ])
    for (status, heardAt) in sortedVenues {
      report.add([
        .text(status.venue.rawValue), .text(status.publisher), .text(status.state.name), .text(status.reason),
        .seconds(max(0, Double(now.nanoseconds(since: status.since)) / 1e9)),
        .seconds(max(0, Double(now.nanoseconds(since: heardAt)) / 1e9)),
      ])
    }
    return report
  }

  private var positionReport: Report {
    var report = Report([
      .init("strategy", nil), .init("venue", nil), .init("symbol", nil), .init("market", nil),
      .init("question", nil), .init("outcome", nil), .init("quantity", nil), .init("in_sets", nil),
      .init("cost", nil), .init("value", nil),
    ])
    for position in sortedPositions.prefix(200) {
      report.add([
        .text(position.strategy.rawValue), .text(position.instrument.venue.rawValue), .id(position.instrument.symbol),
        .id(position.marketID), .text(position.question), .text(position.outcome),
        .decimal(position.quantity.raw, shown: 2), .decimal(position.inSets.raw, shown: 2),
        .decimal(position.cost.raw, shown: 2), .decimal(position.value.raw, shown: 2),
      ])
    }
    return report
  }

  private var orderReport: Report {
    var report = Report([
      .init("id", nil), .init("time", nil), .init("strategy", nil), .init("venue", nil), .init("symbol", nil),
      .init("market", nil), .init("side", nil), .init("limit", nil), .init("quantity", nil), .init("filled", nil),
      .init("state", nil), .init("unwind", nil), .init("reason", nil),
    ])
    for order in recentOrders.prefix(50) {
      report.add([
        .id(order.id), .time(order.createdAt), .text(order.strategy.rawValue), .text(order.instrument.venue.rawValue),
        .id(order.instrument.symbol), .id(order.marketID), .text(order.side == .buy ? "buy" : "sell"),
        .decimal(order.limit.raw, shown: 4), .decimal(order.quantity.raw, shown: 2),
        .decimal(order.filled.raw, shown: 2), .text(order.state.rawValue), .boolean(order.isUnwind),
        .text(order.reason),
      ])
    }
    return report
  }

  private var fillReport: Report {
    var report = Report([
      .init("sequence", nil), .init("time", nil), .init("order", nil), .init("strategy", nil), .init("venue", nil),
      .init("symbol", nil), .init("market", nil), .init("side", nil), .init("price", nil), .init("quantity", nil),
      .init("fee", nil),
    ])
    for fill in recentFills.prefix(50) {
      report.add([
        .integer(fill.sequence), .time(fill.time), .id(fill.orderID), .text(fill.strategy.rawValue),
        .text(fill.instrument.venue.rawValue), .id(fill.instrument.symbol), .id(fill.marketID),
        .text(fill.side == .buy ? "buy" : "sell"), .decimal(fill.price.raw, shown: 4),
        .decimal(fill.quantity.raw, shown: 2), .decimal(fill.fee.raw, shown: 4),
      ])
    }
    return report
  }

  private func writeProfit(_ writer: inout JSONWriter) {
    guard let profit else { return writer.null("profit") }
    writer.object("profit") { writer in
      writer.field("time", profit.time.description)
      for (key, money) in Self.figures(profit) { writer.field(key, number: money.description) }
      writer.field("net", number: (profit.equity - profit.deposits).description)
      writer.field("pending_markets", profit.pendingMarkets)
      writer.array("parts") { writer in
        for part in profit.parts {
          writer.object { writer in
            writer.field("strategy", part.strategy.rawValue)
            writer.field("realised", number: part.realised.description)
            writer.field("unrealised", number: part.unrealised.description)
            writer.field("fees", number: part.fees.description)
          }
        }
      }
      writer.array("equity_line") { writer in
        for point in points {
          writer.array { writer in
            writer.value(number: Self.seconds(from: startedAt, to: point.time))
            writer.value(number: point.equity.description)
          }
        }
      }
    }
  }

  /// The figures of profit and loss by their names, for JSON and metrics alike.
  static func figures(_ profit: ProfitMessage) -> [(String, Money)] {
    [
      ("equity", profit.equity), ("cash", profit.cash), ("deposits", profit.deposits), ("realised", profit.realised),
      ("unrealised", profit.unrealised), ("fees", profit.fees), ("rounding", profit.rounding),
    ]
  }

  private func writeCounts(_ writer: inout JSONWriter) {
    writer.object("counts") { writer in
      writer.field("orders", orderCount)
      writer.field("fills", fillCount)
      writer.field("settlements", settlementCount)
      writer.field("opened", opened.values.reduce(0, +))
      writer.field("books_live", liveBookCount)
      writer.field("messages_missed", missedCount)
      writer.field("messages_malformed", malformedCount)
    }
  }

  private func writeAlerts(_ writer: inout JSONWriter) {
    writer.array("alerts") { writer in
      for alert in alerts.reversed() {
        writer.object { writer in
          writer.field("time", alert.time.description)
          writer.field("subject", alert.subject)
          writer.field("text", alert.text)
        }
      }
    }
  }

  private func writeHealth(_ writer: inout JSONWriter, _ now: Timestamp) {
    writer.array("health") { writer in
      for (name, health) in health.sorted(by: { $0.key < $1.key }) {
        writer.object { writer in
          writer.field("name", name)
          writer.field("age_seconds", number: Self.seconds(from: health.heardAt, to: now))
          if let rate = health.messagesPerSecond {
            writer.field("messages_per_second", number: "\(rate)")
          } else {
            writer.null("messages_per_second")
          }
          writer.object("counters") { writer in
            for (key, value) in health.counters.sorted(by: { $0.key < $1.key }) { writer.field(key, value) }
          }
        }
      }
    }
  }
}
