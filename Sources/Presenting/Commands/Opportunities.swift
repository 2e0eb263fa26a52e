internal import Bus
internal import Daemon
package import Market
internal import Web

extension Command {
  static let opportunities = Command(
    "opportunities", options: [.limit, .json],
    "Shows what is open and what was lately, the best score first, with what the score is made of"
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

  /// Open ones first, the best score first; equal ones in the order in which they were found.
  package static func rankOpportunities(_ all: [Opportunity], limit: Int) -> [Opportunity] {
    let ranked = all.sorted {
      ($0.state == .closed) != ($1.state == .closed) ? $1.state == .closed : Opportunity.ranksBefore($0, $1)
    }
    return Array(ranked.prefix(limit))
  }

  private static func lifetimeMilliseconds(_ opportunity: Opportunity, now: Timestamp) -> Double {
    Double(opportunity.lifetimeNanoseconds(now: now)) / 1e6
  }

  private static func stateName(_ one: Opportunity) -> String {
    one.state == .closed ? "closed" : one.hold.map { "held: \($0.name)" } ?? "open"
  }

  /// What the score is made of, in one line.
  static func breakdown(_ one: Opportunity) -> String {
    let score = one.score
    func factor(_ name: String, _ value: Double, _ seen: String) -> String {
      "\(name) \(Figures.decimal(value, 2)) (\(seen))"
    }
    let locked = score.lockedSeconds.map { Figures.duration(seconds: Double($0)) } ?? "not known"
    var parts = [
      factor("profit", score.profit, Figures.decimal(one.profit.raw, 2)),
      factor("fill", score.fill, "depth \(Figures.decimal(score.depthRatio, 1)) times"),
      factor("volume", score.volume, Figures.decimal(score.dayVolume.raw, 0)),
      factor("activity", score.activity, Figures.count(score.recentTradeCount, "trade")),
      factor("time", score.time, locked), factor("legs", score.legs, "\(one.legs.count)"),
      "a year \(Figures.percent(score.annualisedReturn))", "Kelly \(Figures.percent(score.kelly))",
    ]
    if one.probability < 1 { parts.append("chance \(Figures.percent(one.probability))") }
    if !one.markSource.isEmpty { parts.append("by \(one.markSource)") }
    return "  " + parts.joined(separator: ", ")
  }

  /// A table with a line for each leg below its opportunity.
  package static func opportunitiesTable(
    _ ranked: [Opportunity], now: Timestamp, empty: String = "no opportunities, open or lately"
  ) -> String {
    var report = Report([
      .init("id", "ID"), .init("kind", "KIND"), .init("event", "EVENT"), .init("state", "STATE"),
      .init("score", "SCORE", isNumber: true),
      .init("cost", "COST", isNumber: true), .init("profit", "PROFIT", isNumber: true),
      .init("return", "RETURN", isNumber: true), .init("lifetime", "LIFE ms", isNumber: true),
    ])
    for one in ranked {
      report.add([
        .text(String(one.id, radix: 16)), .text(one.kind.name), .id(one.eventID), .text(stateName(one)),
        .number(one.score.total, shown: 3), .decimal(one.cost.raw, shown: 2),
        .decimal(one.profit.raw, shown: 4), .share(one.returnOnCost),
        .number(lifetimeMilliseconds(one, now: now), shown: 0),
      ])
    }
    return report.table(empty: empty) { number in
      ranked[number].legs.map { leg in
        let verb = leg.side == .buy ? "buy " : "sell"
        return "  \(verb) \(Figures.decimal(leg.quantity.raw, 2)) at \(leg.limit) or better, "
          + "\(leg.instrument.venue.rawValue) \(Figures.short(leg.instrument.symbol))"
      } + [breakdown(ranked[number])]
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
          writer.field("kind", one.kind.name)
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
          writeRanking(one, &writer)
        }
      }
    }
    return writer.text + "\n"
  }

  private static func writeRanking(_ one: Opportunity, _ writer: inout JSONWriter) {
    func optional(_ name: String, _ text: String?) {
      if let text { writer.field(name, text) } else { writer.null(name) }
    }
    optional("hold", one.hold?.name)
    optional("ends_at", one.endsAt?.description)
    writer.field("probability", number: "\(one.probability)")
    writer.field("mark_src", one.markSource)
    writer.field("stale_reason", one.staleReason)
    let score = one.score
    writer.object("score") { writer in
      let numbers = [
        ("total", score.total), ("profit", score.profit), ("fill", score.fill), ("volume", score.volume),
        ("activity", score.activity), ("time", score.time), ("legs", score.legs),
        ("annualised_return", score.annualisedReturn), ("kelly", score.kelly),
      ]
      for (name, value) in numbers { writer.field(name, number: "\(value)") }
      // A quotient by what is nearly nothing is no number of JSON.
      writer.field("depth_ratio", number: score.depthRatio.isFinite ? "\(score.depthRatio)" : "0")
      writer.field("day_volume", number: score.dayVolume.description)
      writer.field("recent_trades", Int64(score.recentTradeCount))
      if let locked = score.lockedSeconds { writer.field("locked_s", locked) } else { writer.null("locked_s") }
    }
  }
}
