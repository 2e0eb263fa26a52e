internal import Bus
internal import Daemon
package import Market
internal import Web

extension Command {
  static let opportunities = Command(
    "opportunities", options: [.limit, .json], "Shows what is open and what was lately, the most profitable first"
  ) { context in
    let limit = try context.limit()
    let all = try readOpportunities(context, waitSeconds: 5)
    let ranked = rankOpportunities(all, limit: limit)
    return context.wantsJSON
      ? opportunitiesJSON(ranked, now: SystemClock.now) : opportunitiesTable(ranked, now: SystemClock.now)
  }

  /// Asks the scanner for its state, as any subscriber that joins late does.
  private static func readOpportunities(_ context: ToolContext, waitSeconds: Int64) throws -> [Opportunity] {
    let scanner = "scanner"
    guard isListening("\(context.runDirectory)/bus/\(scanner)") else {
      throw context.supervisor.isThere
        ? ToolError(.failed, "scanner is not running; see `bulkhead status`")
        : ToolError.nothingRuns(context.runDirectory)
    }
    let subscriber = try Subscriber(name: context.busName, topics: [Topic.opportunity])
    try subscriber.connect(BusEndpoint.ipc(name: scanner, runDirectory: context.runDirectory))
    let poller = Poller()
    poller.add(subscriber)
    var found: [UInt64: Opportunity] = [:]
    var isComplete = false
    let deadline = SystemClock.monotonicNanoseconds + waitSeconds * 1_000_000_000
    while !isComplete {
      let left = deadline - SystemClock.monotonicNanoseconds
      guard left > 0 else { throw ToolError(.failed, "scanner did not answer within \(waitSeconds) s") }
      poller.wait(timeoutMilliseconds: Int(left / 1_000_000) + 1)
      subscriber.receive { event in
        switch event {
        case .message(_, _, _, var body):
          if let opportunity = try? Opportunity(&body) { found[opportunity.id] = opportunity }
        case .snapshotEnd(publisher: scanner): isComplete = true
        default: break
        }
      }
    }
    return Array(found.values)
  }

  /// The most profitable first; equal ones in the order in which they were found.
  package static func rankOpportunities(_ all: [Opportunity], limit: Int) -> [Opportunity] {
    Array(all.sorted { $0.profit != $1.profit ? $0.profit > $1.profit : $0.id < $1.id }.prefix(limit))
  }

  private static func lifetimeMilliseconds(_ opportunity: Opportunity, now: Timestamp) -> Double {
    let end = opportunity.state == .closed ? opportunity.updatedAt : max(now, opportunity.foundAt)
    return Double(end.nanoseconds(since: opportunity.foundAt)) / 1e6
  }

  /// A table with a line for each leg below its opportunity.
  package static func opportunitiesTable(_ ranked: [Opportunity], now: Timestamp) -> String {
    var report = Report([
      .init("id", "ID"), .init("strategy", "STRATEGY"), .init("event", "EVENT"), .init("state", "STATE"),
      .init("cost", "COST", isNumber: true), .init("profit", "PROFIT", isNumber: true),
      .init("return", "RETURN", isNumber: true), .init("lifetime", "LIFE ms", isNumber: true),
    ])
    for one in ranked {
      report.add([
        .text(String(one.id, radix: 16)), .text(one.strategy.rawValue), .id(one.eventID),
        .text(one.state == .closed ? "closed" : "open"), .decimal(one.cost.raw, shown: 2),
        .decimal(one.profit.raw, shown: 4), .share(one.returnOnCost),
        .number(lifetimeMilliseconds(one, now: now), shown: 0),
      ])
    }
    return report.table(empty: "no opportunities, open or lately") { number in
      ranked[number].legs.map { leg in
        let verb = leg.side == .buy ? "buy " : "sell"
        return "  \(verb) \(Figures.decimal(leg.quantity.raw, 2)) at \(leg.limit) or better, "
          + "\(leg.instrument.venue.rawValue) \(Figures.short(leg.instrument.symbol))"
      }
    }
  }

  /// A JSON array with every figure exact.
  package static func opportunitiesJSON(_ ranked: [Opportunity], now: Timestamp) -> String {
    var writer = JSONWriter()
    writer.array { writer in
      for one in ranked {
        writer.object { writer in
          writer.field("id", String(one.id, radix: 16))
          writer.field("strategy", one.strategy.rawValue)
          writer.field("event", one.eventID)
          writer.field("state", one.state == .closed ? "closed" : "open")
          writer.array("legs") { writer in
            for leg in one.legs {
              writer.object { writer in
                writer.field("venue", leg.instrument.venue.rawValue)
                writer.field("symbol", leg.instrument.symbol)
                writer.field("market", leg.marketID)
                writer.field("side", leg.side == .buy ? "buy" : "sell")
                writer.field("limit", number: leg.limit.description)
                writer.field("quantity", number: leg.quantity.description)
                writer.field("notional", number: leg.notional.description)
                writer.field("fee", number: leg.fee.description)
              }
            }
          }
          writer.field("payout", number: one.payout.description)
          writer.field("cost", number: one.cost.description)
          writer.field("profit", number: one.profit.description)
          writer.field("return", number: "\(one.returnOnCost)")
          writer.field("found_at", one.foundAt.description)
          writer.field("updated_at", one.updatedAt.description)
          writer.field("lifetime_ms", number: "\(lifetimeMilliseconds(one, now: now))")
        }
      }
    }
    return writer.text + "\n"
  }
}
