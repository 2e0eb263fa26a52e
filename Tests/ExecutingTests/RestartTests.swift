import Daemon
import Executing
import Foundation
import Market
import Store
import TestSupport
import Testing

@Suite struct RestartTests {
  private let directory: ScratchDirectory

  init() throws { directory = ScratchDirectory() }

  /// A process that journals like the service does, until it is dropped: the crash.
  private func open() throws -> ExecutionLog { try ExecutionLog(dataDirectory: directory.path) }

  private func write(_ output: DeskOutput, _ log: ExecutionLog) {
    log.append([.results(output.results)] + output.unwinds.map { .unwind($0) }, now: 0) { _ in }
    #expect(log.isClear)
  }

  @Test func `an order that was journalled and not sent is closed once, and never sent`() throws {
    do {
      let desk = ExecutionDesk(options: ExecutorOptions())
      let approved = try desk.approve(binaryBuy(), binaryBooks(), now: start).get()
      _ = try DurableOrders.record([OrderBatch(approved)], in: try open().journal)
    }
    let log = try open()
    let later = moment(5000).time
    let restart = try log.restart(now: later)
    #expect(restart.closedNow.map(\.order.state) == [.unfilled, .unfilled])
    #expect(restart.executed == [1] && restart.fills.isEmpty && restart.uneven.isEmpty)
    #expect(try log.journal.orders(limit: 10).map(\.state) == [.unfilled, .unfilled])
    #expect(try open().restart(now: later).closedNow.isEmpty)
    // The opportunity is still open at the scanner, and comes again.
    let desk = ExecutionDesk(options: ExecutorOptions())
    desk.restore(executed: restart.executed)
    let again = desk.approve(binaryBuy(at: later), binaryBooks(), now: later)
    #expect(throws: Rejection.alreadyExecuted) { try again.get() }
    #expect(desk.work(binaryBooks(), now: moment(60_000)).results.isEmpty)
  }

  @Test func `the journal itself refuses an opportunity that it has`() throws {
    let log = try open()
    let first = try ExecutionDesk(options: ExecutorOptions()).approve(binaryBuy(), binaryBooks(), now: start).get()
    let second = try ExecutionDesk(options: ExecutorOptions()).approve(binaryBuy(), binaryBooks(), now: start).get()
    _ = try DurableOrders.record([OrderBatch(first)], in: log.journal)
    #expect(throws: StoreError.self) { try DurableOrders.record([OrderBatch(second)], in: log.journal) }
    #expect(try log.journal.orders(limit: 10).count == 2)
  }

  /// Fills 100 YES and 60 NO, journals that, and crashes before, or after, the unwind order is journalled.
  private func crashInUnwind(afterJournalling: Bool) throws {
    let log = try open()
    let desk = ExecutionDesk(options: ExecutorOptions())
    let books = binaryBooks()
    let approved = try desk.approve(binaryBuy(), books, now: start).get()
    for durable in try DurableOrders.record([OrderBatch(approved)], in: log.journal) {
      _ = desk.accept(durable, now: moment(0))
    }
    books.set("m-no", asks: [("0.55", "60")])
    var output = desk.work(books, now: moment(40))
    #expect(output.unwinds.count == 1)
    if !afterJournalling { output.unwinds = [] }
    write(output, log)
  }

  @Test(arguments: [false, true])
  func `an unwind that a crash interrupted is taken up again`(_ afterJournalling: Bool) throws {
    try crashInUnwind(afterJournalling: afterJournalling)
    let log = try open()
    let restart = try log.restart(now: moment(1000).time)
    #expect(restart.closedNow.count == (afterJournalling ? 1 : 0))
    #expect(restart.uneven.count == 1 && restart.fills.count == 2)
    let desk = ExecutionDesk(options: ExecutorOptions())
    desk.restore(fills: restart.fills)
    desk.restore(executed: restart.executed)
    // 10000 − 40 − 33
    #expect(desk.portfolio.cash == money("9927"))
    #expect(desk.resume(restart.uneven[0], events: ["polymarket/event-m"], now: moment(1000)))
    let books = binaryBooks()
    var output = desk.work(books, now: moment(1250))
    let orders = output.unwinds.flatMap(\.orders)
    #expect(orders.map(\.quantity) == [quantity("40")] && orders.map(\.instrument) == [instrument("m-yes")])
    #expect(orders.map(\.id) == ["bh-0000000000000001-u0.\(afterJournalling ? 2 : 1)"])
    for durable in try DurableOrders.record(output.unwinds.map { OrderBatch($0) }, in: log.journal) {
      _ = desk.accept(durable, now: moment(1250))
    }
    output = desk.work(books, now: moment(1290))
    #expect(output.reports.map(\.outcome) == [.unwound] && output.reports.map(\.unwindLoss) == [money("0.4")])
    write(output, log)
    // All is even now: nothing is left for a further restart.
    let last = try open().restart(now: moment(2000).time)
    #expect(
      last.uneven.allSatisfy { !ExecutionDesk(options: ExecutorOptions()).resume($0, events: [], now: moment(0)) })
    #expect(last.fills.count == 3 && last.closedNow.isEmpty)
  }

  @Test func `an unwind that was given up is not tried again, and stands in the store and in a file`() throws {
    let log = try open()
    var options = ExecutorOptions()
    options.unwindAttemptsMax = 1
    let desk = ExecutionDesk(options: options)
    let books = binaryBooks()
    let approved = try desk.approve(binaryBuy(), books, now: start).get()
    for durable in try DurableOrders.record([OrderBatch(approved)], in: log.journal) {
      _ = desk.accept(durable, now: moment(0))
    }
    books.set("m-no", asks: [])
    books.set("m-yes", asks: [("0.40", "100")])
    var output = desk.work(books, now: moment(40))
    log.append([.results(output.results)], now: 0) { _ in }
    for durable in try DurableOrders.record(output.unwinds.map { OrderBatch($0) }, in: log.journal) {
      _ = desk.accept(durable, now: moment(40))
    }
    output = desk.work(books, now: moment(80))
    log.append([.results(output.results), .stuck(output.stuck, time: moment(80).time)], now: 0) { _ in }
    #expect(log.isClear)
    let restart = try open().restart(now: moment(1000).time)
    #expect(restart.stuck.map(\.quantity) == [quantity("100")] && restart.stuck.map(\.cost) == [money("40")])
    #expect(restart.uneven.count == 1)
    #expect(!ExecutionDesk(options: options).resume(restart.uneven[0], events: [], now: moment(1000)))
    let file = try String(contentsOfFile: directory.path + "/stuck_positions.json", encoding: .utf8)
    #expect(file.contains("\"instrument\":\"polymarket/m-yes\"") && file.contains("\"quantity\":100"))
  }

  @Test func `what cannot be written is kept, in order, and written later`() throws {
    let log = try open()
    let desk = ExecutionDesk(options: ExecutorOptions())
    let approved = try desk.approve(binaryBuy(), binaryBooks(), now: start).get()
    // Durable elsewhere: this journal does not know the orders yet, and refuses what became of them.
    let durable = try DurableOrders.record([OrderBatch(approved)], in: MemoryJournal())
    _ = desk.accept(durable[0], now: moment(0))
    let output = desk.work(binaryBooks(), now: moment(40))
    var told: [Int] = []
    func note(_ news: JournalNews) {
      if case .results(_, let fills) = news { told.append(fills.count) } else { told.append(-1) }
    }
    log.append([.results(output.results)], now: 0, note)
    log.append([.breaker(reason: "test", time: start)], now: 0, note)
    #expect(log.waitingCount == 2 && told.isEmpty && log.nextDue == 1_000_000_000)
    try log.journal.record(orders: approved.orders)
    log.flush(now: 999_999_999, note)
    #expect(told.isEmpty)
    log.flush(now: 1_000_000_000, note)
    #expect(log.isClear && told == [3, -1] && log.nextDue == nil)
    #expect(try log.journal.flag(TradingBreaker.flagName)?.isSet == true)
  }

  private func fill(_ side: Side, _ token: String, _ price: String, _ size: String, _ strategy: Strategy) -> Fill {
    Fill(
      orderID: "o", strategy: strategy, instrument: instrument(token), marketID: String(token.prefix { $0 != "-" }),
      side: side, price: ExecutingTests.price(price), quantity: quantity(size), fee: .zero, time: start)
  }

  @Test func `what a former run has left at risk counts against the limits again`() throws {
    let ledger = [
      Position(
        key: PositionKey(.spike, instrument("m-yes")), marketID: "m", quantity: quantity("100"), cost: money("60")),
      Position(
        key: PositionKey(.binary, instrument("m-yes")), marketID: "m", quantity: quantity("500"), cost: money("200")),
    ]
    // A quarter is sold, and something else is bought that the ledger has not booked yet.
    let fills = [
      fill(.sell, "m-yes", "0.7", "25", .spike), fill(.buy, "n-no", "0.5", "80", .latency),
      fill(.buy, "n-yes", "0.5", "80", .binary),
    ]
    let stuck = [
      StuckPosition(
        orderID: "u", strategy: .latency, instrument: instrument("n-no"), marketID: "n", quantity: quantity("20"),
        cost: money("10"), reason: "no bid", createdAt: start),
      StuckPosition(
        orderID: "v", strategy: .binary, instrument: instrument("k-no"), marketID: "k", quantity: quantity("5"),
        cost: money("2"), reason: "no bid", createdAt: start),
    ]
    let risks = FormerRisk.byMarket(ledger: ledger, fills: fills, stuck: stuck)
    #expect(risks["polymarket/m"] == FormerRisk(open: money("45"), stuck: .zero))
    #expect(risks["polymarket/n"] == FormerRisk(open: money("30"), stuck: money("10")))
    #expect(risks["polymarket/k"] == FormerRisk(open: .zero, stuck: money("2")))
    let desk = ExecutionDesk(options: ExecutorOptions())
    desk.restore(risks: risks)
    #expect(desk.portfolio.exposure == money("87"))
    #expect(desk.portfolio.exposure(ofEvent: "polymarket/cup") == .zero)
    // The event is known with the market, and counted once however often that is announced.
    let books = TestBooks()
    for _ in 0..<2 {
      desk.announced(books.add("m", event: "cup"))
      desk.announced(books.add("n", event: "cup"))
    }
    #expect(desk.portfolio.exposure(ofEvent: "polymarket/cup") == money("85"))
    #expect(desk.portfolio.exposure == money("87"))
    // What settles is at risk no longer; what is stuck waits for a person.
    desk.settled(books.add("m", event: "cup"), at: start)
    #expect(desk.portfolio.exposure(ofEvent: "polymarket/cup") == money("10"))
    desk.settled(books.add("k"), at: start)
    #expect(desk.portfolio.exposure == money("12"))
  }
}

@Suite struct ExecutionModeTests {
  private func settings(_ text: String) throws -> Settings {
    let directory = ScratchDirectory()
    let path = directory.path + "/supervisor.conf"
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    return try Settings.load(path: path, environment: [:])
  }

  @Test func `paper is the default, and dry-run can be chosen`() throws {
    #expect(try ExecutionMode.of(try settings("")) == .paper)
    #expect(try ExecutionMode.of(try settings("[bulkhead]\nmode = dry-run\n")) == .dryRun)
  }

  @Test func `live mode names all that is missing`() throws {
    func problem(_ text: String) throws -> String {
      let settings = try settings(text)
      do throws(ConfigurationError) {
        _ = try ExecutionMode.of(settings)
        return ""
      } catch { return error.problem }
    }
    let nothing = try problem("[bulkhead]\nmode = live\n")
    #expect(nothing.contains("a key ([executor] key_file names none)"))
    #expect(nothing.contains("the second switch ([executor] live_confirmed = true)"))
    let unreadable = try problem("[bulkhead]\nmode = live\n[executor]\nkey_file = /nowhere\nlive_confirmed = true\n")
    #expect(unreadable.contains("key_file cannot be read") && !unreadable.contains("second switch"))
  }

  @Test func `the options are those of the settings`() throws {
    let options = try ExecutorOptions(
      settings: try settings("[executor]\nlatency_ms = 7\nstrategies = spike\nexposure_max = 12.5\nlegs_max = 3\n"))
    #expect(options.latencyNanoseconds == 7_000_000 && options.exposureMax == money("12.5") && options.legsMax == 3)
    #expect(options.strategies == [.spike])
    #expect(throws: ConfigurationError.self) {
      try ExecutorOptions(settings: try settings("[executor]\nstrategies = binary,luck\n"))
    }
    let defaults = try ExecutorOptions(settings: try settings(""))
    let plain = ExecutorOptions()
    #expect("\(defaults)" == "\(plain)")
  }
}
