internal import Bus
package import Market
package import Store

/// What journal and ledger hold that was not there when the run began.
package struct RunBooks: Sendable {
  /// Where journal and ledger stood at the beginning.
  package struct Mark: Sendable {
    package var time: Timestamp
    package var lastFill: Int64 = 0
    package var totals = LedgerTotals()

    /// Nothing traded before.
    package init(time: Timestamp) { self.time = time }
  }

  /// Orders of this run.
  package var orders = 0
  /// Fills of this run.
  package var fills = 0
  /// Their fees.
  package var fees = Money.zero
  /// Markets that were settled in this run.
  package var settlements = 0
  /// What was realised in this run, before fees.
  package var realised = Money.zero
  /// The ledger at the end.
  package var totals = LedgerTotals()

  /// Nothing was traded.
  package init() {}

  /// Notes where journal and ledger stand; either may be missing still.
  package static func mark(dataDirectory: String, now: Timestamp) -> Mark {
    var mark = Mark(time: now)
    if let journal = try? Journal(readingFrom: dataDirectory + "/journal.db") {
      mark.lastFill = (try? journal.lastSequence()) ?? 0
    }
    if let ledger = try? LedgerStore(readingFrom: dataDirectory + "/ledger.db") {
      mark.totals = (try? LedgerTotals(ledger)) ?? LedgerTotals()
    }
    return mark
  }

  /// Reads what came after a mark.
  /// - Throws: `StoreError` where a file is there and cannot be read.
  package static func since(_ mark: Mark, dataDirectory: String) throws(StoreError) -> RunBooks {
    var books = RunBooks()
    books.totals = mark.totals
    do throws(StoreError) {
      let journal = try Journal(readingFrom: dataDirectory + "/journal.db")
      books.orders = try countOrders(journal, since: mark.time)
      for fill in try journal.fills(after: mark.lastFill, limit: 10_000_000) {
        books.fills += 1
        books.fees += fill.fee
      }
    } catch {
      guard error.code == .notReady else { throw error }
    }
    do throws(StoreError) {
      let ledger = try LedgerStore(readingFrom: dataDirectory + "/ledger.db")
      books.totals = try LedgerTotals(ledger)
      books.realised = books.totals.realised - mark.totals.realised
      books.settlements = try ledger.settlements(limit: 1_000_000).reduce(0) {
        $0 + ($1.settledAt >= mark.time ? 1 : 0)
      }
    } catch {
      guard error.code == .notReady else { throw error }
    }
    return books
  }

  private static func countOrders(_ journal: Journal, since time: Timestamp) throws(StoreError) -> Int {
    var limit = 1000
    while true {
      let orders = try journal.orders(limit: limit)
      let new = orders.reduce(0) { $0 + ($1.createdAt >= time ? 1 : 0) }
      if new < limit { return new }
      limit *= 10
    }
  }
}

/// Text of `bulkhead run`: what is shown while it runs, and at its end.
package enum RunSummary {
  /// The lines that are redrawn every second on a terminal.
  package static func live(
    _ view: GroupView, elapsedSeconds: Double, durationSeconds: Double?, rate: Double, now: Timestamp
  ) -> [String] {
    let of = durationSeconds.map { " of " + Figures.duration(seconds: $0) } ?? ""
    var lines = [
      "bulkhead runs for \(Figures.duration(seconds: elapsedSeconds))\(of); Ctrl-C stops everything", "",
      row("processes", processes(view)), row("bus", "\(Figures.decimal(rate, 0)) messages/s"),
      row("books", books(view)), row("opportunities", opportunities(view, now: now)),
    ]
    lines.append(row("planted", planted(view.tally.result(now: now))))
    lines.append(row("orders", "\(Figures.grouped(view.orderCount)) orders, \(Figures.count(view.fillCount, "fill"))"))
    lines.append(row("paper P&L", profit(view)))
    for process in view.unready {
      lines.append(row("", "\(process.name) is \(process.state.lowercased()) \(process.description)"))
    }
    return lines.map { Figures.cut($0, 100) }
  }

  /// The one line that stands for all of them where there is no terminal.
  package static func line(_ view: GroupView, elapsedSeconds: Double, rate: Double, now: Timestamp) -> String {
    let tally = view.tally.result(now: now)
    let opened = tally.total.opened
    var text = "\(Figures.duration(seconds: elapsedSeconds))  processes \(view.upCount)/\(view.wantedCount)"
    text += "  restarts \(view.restartCount)  messages/s \(Figures.decimal(rate, 0))  books \(books(view))"
    text += "  opportunities \(view.tally.openCount) open \(opened) opened"
    text += "  orders \(view.orderCount)  fills \(view.fillCount)"
    if let profit = view.profit {
      text += "  pnl \(Figures.signed((profit.equity - profit.deposits).raw, 2))"
    }
    return text
  }

  /// The lines at the end.
  package static func final(
    _ view: GroupView, books: RunBooks, elapsedSeconds: Double, now: Timestamp
  ) -> [String] {
    let tally = view.tally.result(now: now)
    var lines = [
      row("ran for", "\(Figures.decimal(elapsedSeconds, 1)) s"),
      row(
        "processes",
        "\(view.processes.count), \(Figures.count(view.restartCount, "restart"))"
          + (view.fatal.isEmpty ? "" : ", gave up: " + view.fatal.sorted().joined(separator: ", "))),
      row("messages", Figures.grouped(view.publishedCount)),
      row("opportunities", Figures.grouped(tally.total.opened)),
    ]
    lines +=
      tally.hasPlanted
      ? table(tally) : [row("found", "nothing was planted here: there is nothing to compare with")]
    lines += [
      row("orders", Figures.grouped(books.orders)), row("fills", Figures.grouped(books.fills)),
      row("fees", Figures.decimal(books.fees.raw, 4)), row("settlements", Figures.grouped(books.settlements)),
      row("P&L", "\(Figures.signed(books.realised.raw, 4)) realised, \(unrealised(view)) unrealised, before fees"),
      row("equity", equity(view, books)),
    ]
    return lines
  }

  /// What was planted and what was found of it, by strategy.
  private static func table(_ tally: Tally.Result) -> [String] {
    var lines = [row("scanner", columns(["planted", "found", "missed", "false", "p50", "p99"]))]
    for strategy in Strategy.allCases {
      guard let score = tally.scores[strategy] else { continue }
      lines.append(row(strategy.rawValue, columns(score)))
    }
    let total = tally.total
    lines.append(row("all", columns(total)))
    if total.tooShort > 0 { lines.append(row("too short", "\(total.tooShort), planted for less than 20 ms")) }
    if tally.decoys > 0 {
      lines.append(row("decoys", "\(Figures.grouped(tally.decoys)), \(Figures.grouped(tally.decoysReported)) reported"))
    }
    return lines
  }

  private static func columns(_ score: Tally.Score) -> String {
    columns(
      [score.planted, score.found, score.missed, score.falseFinds].map { Figures.grouped($0) }
        + [50, 99].map { score.latency(percentile: $0).map(Figures.milliseconds) ?? "–" })
  }

  private static func columns(_ texts: [String]) -> String {
    texts.enumerated().map { place, text in
      String(repeating: " ", count: max(0, (place < 4 ? 7 : 9) - text.count)) + text
    }.joined(separator: "  ")
  }

  private static func row(_ title: String, _ text: String) -> String {
    "  " + title + String(repeating: " ", count: max(1, 15 - title.count)) + text
  }

  private static func processes(_ view: GroupView) -> String {
    "\(view.upCount)/\(view.wantedCount) up, \(Figures.count(view.restartCount, "restart"))"
  }

  private static func books(_ view: GroupView) -> String {
    guard let live = view.counter("books_live", of: "scanner") ?? view.counter("books_live") else { return "none yet" }
    return "\(Figures.grouped(live)) live"
  }

  private static func opportunities(_ view: GroupView, now: Timestamp) -> String {
    let tally = view.tally.result(now: now)
    let parts = Strategy.allCases.compactMap { strategy in
      tally.scores[strategy].flatMap { $0.opened > 0 ? "\(strategy.rawValue) \(Figures.grouped($0.opened))" : nil }
    }
    let total = Figures.grouped(tally.total.opened)
    return "\(view.tally.openCount) open, \(total) opened"
      + (parts.isEmpty ? "" : " (" + parts.joined(separator: ", ") + ")")
  }

  private static func planted(_ tally: Tally.Result) -> String {
    guard tally.hasPlanted else { return "nothing to compare with yet" }
    let total = tally.total
    return "\(Figures.grouped(total.found)) found, \(Figures.grouped(total.missed)) missed, "
      + "\(Figures.grouped(total.falseFinds)) false" + latency(total)
  }

  private static func latency(_ score: Tally.Score) -> String {
    guard let median = score.latency(percentile: 50), let late = score.latency(percentile: 99) else { return "" }
    return ", within \(Figures.milliseconds(median)) (p50), \(Figures.milliseconds(late)) (p99)"
  }

  private static func profit(_ view: GroupView) -> String {
    guard let profit = view.profit else { return "nothing booked yet" }
    return
      "\(Figures.signed(profit.realised.raw, 2)) realised, \(Figures.signed(profit.unrealised.raw, 2)) unrealised, "
      + "\(Figures.decimal(profit.fees.raw, 2)) fees, equity \(Figures.decimal(profit.equity.raw, 2))"
  }

  private static func unrealised(_ view: GroupView) -> String {
    view.profit.map { Figures.signed($0.unrealised.raw, 4) } ?? "unknown"
  }

  /// The settler's own figure is marked to the market; without it positions stand at what they cost.
  private static func equity(_ view: GroupView, _ books: RunBooks) -> String {
    if let profit = view.profit { return Figures.decimal(profit.equity.raw, 4) }
    return Figures.decimal((books.totals.cash + books.totals.positionsCost).raw, 4) + " with positions at cost"
  }
}
