internal import Bus
public import Daemon
internal import Market
internal import Store

/// The executor's process: opportunities and books in from the bus, orders and fills out, journalled first.
///
/// `run` returns when the process is told to stop.
public final class ExecutingService {
  let context: WorkerContext
  let mode: ExecutionMode
  private let publisher: Publisher
  let subscriber: Subscriber
  private let directory: Directory
  let books = FeedBooks()
  let desk: ExecutionDesk
  /// Which venues take orders.
  var admission: VenueAdmission
  /// Our accounts there.
  let accounts: AccountWatch
  let log: ExecutionLog
  private let healthTopic: TopicHandle
  private var orderTopics: [Venue: TopicHandle] = [:]
  private var fillTopics: [Venue: TopicHandle] = [:]
  private var waiting: [Opportunity] = []
  private var snapshots: [SnapshotRequest] = []
  /// Executions that a crash interrupted; they wait for their books.
  var interrupted: [[OrderResult]] = []
  var interruptedUntil: Int64 = 0
  /// Set once we are told to stop: until then, what is under way may come to its end; nothing new is begun.
  private var drainUntil: Int64?
  private var orderCount: Int64 = 0
  private var fillCount: Int64 = 0

  /// How long interrupted executions wait for their books before they go on without.
  static let interruptedWaitNanoseconds: Int64 = 60_000_000_000

  /// How long orders that are under way may take when we are told to stop.
  private static let drainNanoseconds: Int64 = 2_000_000_000

  /// Opens the journal, completes it, and binds to the bus.
  ///
  /// - Throws: `ConfigurationError` for a mode that cannot be, `StoreError`, `BusError`.
  public init(context: WorkerContext) throws {
    self.context = context
    let settings = context.settings
    mode = try ExecutionMode.of(settings)
    desk = ExecutionDesk(options: try ExecutorOptions(settings: settings))
    admission = VenueAdmission(silenceMaxNanoseconds: desk.options.venueSilenceMaxNanoseconds)
    accounts = try AccountWatch(settings: settings, runDirectory: context.runDirectory)
    log = try ExecutionLog(dataDirectory: context.dataDirectory)
    let highWaterMark = settings.integer("bus", "high_water_mark_messages")
    publisher = try Publisher(name: context.name, runDirectory: context.runDirectory, highWaterMark: highWaterMark)
    subscriber = try Subscriber(
      name: context.name,
      topics: [Topic.market, Topic.book, Topic.opportunity, Topic.settlement, Topic.process, Topic.venue],
      highWaterMark: highWaterMark, reconnectMilliseconds: settings.integer("bus", "reconnect_ms"))
    directory = try Directory(
      subscriber: subscriber, runDirectory: context.runDirectory, fixed: settings.list("bus", "publishers")
    ) { name in ["ingestor", "scanner", "settler"].contains { name.hasPrefix($0) } }
    healthTopic = publisher.topic(Topic.health + context.name)
    for venue in Venue.allCases {
      orderTopics[venue] = publisher.topic(Topic.order + venue.rawValue)
      fillTopics[venue] = publisher.topic(Topic.fill + venue.rawValue)
    }
    try restart()
  }

  // MARK: - The loop

  /// Executes until told to stop.
  public func run() {
    let poller = Poller()
    fill(poller)
    context.notifyReady(status: "\(mode.rawValue): waiting for opportunities")
    var nextSecond = SystemClock.monotonicNanoseconds
    while true {
      let now = SystemClock.monotonicNanoseconds
      let due = [nextSecond, desk.nextDue, log.nextDue, drainUntil].compactMap { $0 }.min() ?? nextSecond
      poller.wait(timeoutMilliseconds: Int(max(0, (due - now + 999_999) / 1_000_000)))
      if poller.isReady(0), context.takeStop(), drainUntil == nil {
        drainUntil = SystemClock.monotonicNanoseconds + Self.drainNanoseconds
        context.notify("STOPPING=1")
      }
      if poller.isReady(1) { publisher.processSubscriptions { snapshots.append($0) } }
      while subscriber.receive(limit: 512, handle) == 512 { step() }
      accounts.receive(poller)
      step()
      if isDrained { break }
      if SystemClock.monotonicNanoseconds >= nextSecond {
        nextSecond = SystemClock.monotonicNanoseconds + 1_000_000_000
        everySecond()
      }
      answerSnapshots()
      if accounts.pollSetChanged { fill(poller) }
    }
    log.flush(now: Int64.max) { publish($0) }
  }

  private func fill(_ poller: Poller) {
    poller.removeAll()
    poller.add(descriptor: context.stopDescriptor)
    poller.add(publisher)
    poller.add(subscriber)
    accounts.add(to: poller)
  }

  /// Whether we were told to stop, and nothing is under way any more; what does not end in time is taken up at the next
  /// start.
  private var isDrained: Bool {
    guard let drainUntil else { return false }
    return (desk.inFlightCount == 0 && log.isClear) || SystemClock.monotonicNanoseconds >= drainUntil
  }

  private var moment: Moment {
    Moment(time: SystemClock.now, monotonicNanoseconds: SystemClock.monotonicNanoseconds)
  }

  private func handle(_ event: BusEvent) {
    books.feed.handle(
      event, from: subscriber,
      onMarket: { place in
        books.marketChanged(place)
        desk.announced(books.feed.markets[place])
      }, onBook: { desk.bookChanged($0, books) })
    switch event {
    case .message(let stream, _, _, var reader):
      let topic = subscriber.topic(of: stream)
      if topic.hasPrefix(Topic.opportunity) {
        do { take(try Opportunity(&reader)) } catch {
          Log.warning("message of the bus could not be read", ["kind": "opportunity", "error": "\(error)"])
        }
      } else if topic.hasPrefix(Topic.settlement) {
        takeSettlement(&reader)
      } else if topic.hasPrefix(Topic.venue) {
        takeVenue(&reader)
      } else if topic.hasPrefix(Topic.process) {
        if let gone = directory.handle(event) {
          books.feed.forget(publisher: gone) { _ in }
          admission.forget(publisher: gone)
        }
      }
    case .gap(let stream, let missed):
      Log.warning("messages are missing", ["topic": subscriber.topic(of: stream), "missed": "\(missed)"])
    case .restarted(let stream):
      Log.info("publisher started anew", ["topic": subscriber.topic(of: stream)])
    case .snapshotEnd: break
    }
  }

  private func takeSettlement(_ reader: inout MessagePackReader) {
    do {
      let settlement = try SettlementMessage(&reader)
      guard var market = books.market(settlement.marketID, venue: settlement.venue) else { return }
      market.payouts = settlement.payouts
      desk.settled(market, at: SystemClock.now)
    } catch {
      Log.warning("message of the bus could not be read", ["kind": "settlement", "error": "\(error)"])
    }
  }

  private func step() {
    log.flush(now: SystemClock.monotonicNanoseconds) { publish($0) }
    resumeInterrupted(moment)
    considerWaiting()
    work()
  }

  // MARK: - Opportunities

  /// Keeps the newest word on each opportunity; what is gone again is not looked at.
  private func take(_ opportunity: Opportunity) {
    waiting.removeAll { $0.id == opportunity.id }
    if opportunity.state != .closed { waiting.append(opportunity) }
  }

  /// Looks at what has come, in one go: all orders that result become durable in one commit.
  private func considerWaiting() {
    guard !waiting.isEmpty else { return }
    defer { waiting.removeAll(keepingCapacity: true) }
    guard drainUntil == nil else { return }
    desk.canJournal = log.isClear && interrupted.isEmpty
    checkVenues(SystemClock.monotonicNanoseconds)
    var batches: [OrderBatch] = []
    for opportunity in waiting {
      switch desk.approve(opportunity, books, now: SystemClock.now) {
      case .success(let approved):
        if mode == .dryRun {
          logRehearsal(approved)
          desk.abandon(opportunity.id)
        } else {
          batches.append(OrderBatch(approved))
        }
      case .failure(let rejection):
        Log.debug("not executed", ["opportunity": "\(opportunity.id)", "reason": "\(rejection)"])
      }
    }
    guard !batches.isEmpty else { return }
    do {
      for durable in try DurableOrders.record(batches, in: log.journal) { send(durable) }
    } catch {
      // One bad batch must not cost the others: each by itself.
      for batch in batches { recordAlone(batch) }
    }
  }

  private func recordAlone(_ batch: OrderBatch) {
    do {
      for durable in try DurableOrders.record([batch], in: log.journal) { send(durable) }
    } catch {
      desk.abandon(batch.executionID)
      Log.error("orders could not be journalled, and are not sent", ["error": "\(error)"])
    }
  }

  private func send(_ durable: DurableOrders) {
    for order in durable.batch.orders { publish(order) }
    let results = desk.accept(durable, now: moment)
    if !results.isEmpty { write([.results(results)]) }
  }

  private func logRehearsal(_ approved: RiskApproved) {
    for order in approved.split + approved.orders {
      Log.info(
        "would send",
        [
          "order": order.id, "instrument": "\(order.instrument)", "side": "\(order.side)", "limit": "\(order.limit)",
          "quantity": "\(order.quantity)", "profit": "\(approved.profit)",
        ])
    }
  }

  // MARK: - Work and its records

  private func work() {
    let now = moment
    guard let due = desk.nextDue, due <= now.monotonicNanoseconds else { return }
    checkVenues(now.monotonicNanoseconds)
    let output = desk.work(books, now: now)
    var entries: [JournalEntry] = []
    if !output.results.isEmpty { entries.append(.results(output.results)) }
    entries += output.unwinds.map { .unwind($0) }
    if !output.stuck.isEmpty { entries.append(.stuck(output.stuck, time: now.time)) }
    if output.hasOpenedBreaker, let reason = desk.breaker.openReason {
      entries.append(.breaker(reason: reason, time: now.time))
      Log.error("the trading breaker has opened", ["reason": reason])
    }
    for report in output.reports { logReport(report) }
    for leg in output.stuck {
      Log.error(
        "UnwindFailed",
        [
          "order": leg.order.id, "instrument": "\(leg.order.instrument)", "quantity": "\(leg.quantity)",
          "cost": "\(leg.cost)",
        ])
    }
    write(entries)
  }

  private func logReport(_ report: ExecutionReport) {
    Log.info(
      "executed",
      [
        "opportunity": "\(report.id)", "strategy": report.strategy.rawValue, "outcome": report.outcome.rawValue,
        "sets": "\(report.sets)", "result": "\(report.result)", "unwind_loss": "\(report.unwindLoss)",
        "fees": "\(report.fees)",
      ])
  }

  private func write(_ entries: [JournalEntry]) {
    log.append(entries, now: SystemClock.monotonicNanoseconds) { publish($0) }
  }

  // MARK: - What is told

  private func publish(_ news: JournalNews) {
    switch news {
    case .results(let results, let newFills):
      for result in results { publish(result.order) }
      for fill in newFills {
        fillCount += 1
        if let topic = fillTopics[fill.instrument.venue] { publisher.publish(topic) { fill.encode($0) } }
      }
    case .unwind(let durable):
      for order in durable.batch.orders { publish(order) }
      // An unwind has nothing to split, so nothing is known at once.
      _ = desk.accept(durable, now: moment)
    case .none: break
    }
  }

  private func publish(_ order: Order) {
    orderCount += 1
    if let topic = orderTopics[order.instrument.venue] { publisher.publish(topic) { order.encode($0) } }
  }

  /// Whoever joins gets the newest orders and fills.
  private func answerSnapshots() {
    guard !snapshots.isEmpty else { return }
    defer { snapshots.removeAll(keepingCapacity: true) }
    let orders = (try? log.journal.orders(limit: 500)) ?? []
    let fills = (try? log.journal.fills(limit: 500)) ?? []
    for request in snapshots {
      for order in orders.reversed() {
        if let topic = orderTopics[order.instrument.venue] {
          publisher.publishSnapshot(request, topic) { order.encode($0) }
        }
      }
      for fill in fills.reversed() {
        if let topic = fillTopics[fill.instrument.venue] {
          publisher.publishSnapshot(request, topic) { fill.encode($0) }
        }
      }
      publisher.endSnapshot(request)
    }
  }

  private func everySecond() {
    context.readiness.watchdog()
    accounts.tick(SystemClock.monotonicNanoseconds)
    do { try readFlags() } catch { Log.warning("flags could not be read", ["error": "\(error)"]) }
    var counters = desk.counters.merging(venueCounters) { $1 }
    let feed = books.feed
    counters["messages_received"] = Int64(subscriber.receivedCount)
    counters["messages_missed"] = Int64(subscriber.missedCount)
    counters["messages_malformed"] = Int64(subscriber.malformedCount + feed.counters.malformed)
    counters["books_live"] = Int64(feed.liveBookCount)
    counters["in_flight"] = Int64(desk.inFlightCount)
    counters["orders"] = orderCount
    counters["fills"] = fillCount
    counters["journal_waiting"] = Int64(log.waitingCount)
    counters["breaker_open"] = desk.breaker.isOpen ? 1 : 0
    counters["kill_switch"] = desk.isKilled ? 1 : 0
    counters["cash_cents"] = desk.portfolio.cash.raw / 1_000_000
    counters["exposure_cents"] = desk.portfolio.exposure.raw / 1_000_000
    let message = HealthMessage(name: context.name, counters: counters)
    publisher.publish(healthTopic) { message.encode($0) }
    context.readiness.status(
      "\(mode.rawValue): \(orderCount) orders, \(fillCount) fills, \(desk.inFlightCount) in flight")
  }
}
