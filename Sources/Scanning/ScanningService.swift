public import Bus
public import Daemon
internal import Market

/// The scanner's process: books in from the bus, opportunities out.
///
/// `run` returns when the process is told to stop.
public final class ScanningService {
  private let context: WorkerContext
  private let publisher: Publisher
  private let subscriber: Subscriber
  private let directory: Directory
  private let scanner: Scanner
  private let opportunityTopics: [Strategy: TopicHandle]
  private let healthTopic: TopicHandle
  private let fullScanNanoseconds: Int64
  private var snapshots: [SnapshotRequest] = []
  private var tradeCount: UInt64 = 0
  private var malformedTradeCount: UInt64 = 0
  private let startedAt = SystemClock.monotonicNanoseconds

  /// Binds its endpoint and subscribes to markets, books and trades.
  ///
  /// - Throws: `BusError` where the bus cannot be reached.
  public init(context: WorkerContext) throws(BusError) {
    self.context = context
    let settings = context.settings
    let highWaterMark = settings.integer("bus", "high_water_mark_messages")
    publisher = try Publisher(name: context.name, runDirectory: context.runDirectory, highWaterMark: highWaterMark)
    subscriber = try Subscriber(
      name: context.name, topics: [Topic.market, Topic.book, Topic.trade, Topic.process],
      highWaterMark: highWaterMark, reconnectMilliseconds: settings.integer("bus", "reconnect_ms"))
    directory = try Directory(
      subscriber: subscriber, runDirectory: context.runDirectory, fixed: settings.list("bus", "publishers")
    ) { $0.hasPrefix("ingestor") }
    let board = OpportunityBoard(epoch: publisher.epoch / 1_000_000_000)
    scanner = Scanner(feed: BookFeed(), options: ScannerOptions(settings: settings), board: board)
    var topics: [Strategy: TopicHandle] = [:]
    for strategy in Strategy.allCases { topics[strategy] = publisher.topic(Topic.opportunity + strategy.rawValue) }
    opportunityTopics = topics
    healthTopic = publisher.topic(Topic.health + context.name)
    fullScanNanoseconds = Int64(settings.integer("scanner", "full_scan_s")) * 1_000_000_000
  }

  /// Scans until told to stop.
  public func run() {
    let poller = Poller()
    let stop = poller.add(descriptor: context.stopDescriptor)
    let subscriptions = poller.add(publisher)
    poller.add(subscriber)
    context.notifyReady(status: "waiting for books")
    var nextFullScan = SystemClock.monotonicNanoseconds + fullScanNanoseconds
    var nextHealth = SystemClock.monotonicNanoseconds
    while true {
      let now = SystemClock.monotonicNanoseconds
      let wait = max(0, (min(nextFullScan, nextHealth) - now + 999_999) / 1_000_000)
      poller.wait(timeoutMilliseconds: Int(wait))
      if poller.isReady(stop), context.takeStop() { break }
      if poller.isReady(subscriptions) { publisher.processSubscriptions { snapshots.append($0) } }
      // A flood must not keep the loop from its clock and from being told to stop.
      for _ in 0..<64 {
        let count = subscriber.receive(limit: 512, handle)
        scan()
        if count < 512 { break }
      }
      let after = SystemClock.monotonicNanoseconds
      if after >= nextFullScan {
        nextFullScan = after + fullScanNanoseconds
        scanner.scanAll(now: SystemClock.now)
        publishFinds()
      }
      if after >= nextHealth {
        nextHealth = after + 1_000_000_000
        scanner.feed.checkSilence(subscriber, now: after, limitNanoseconds: 3_000_000_000)
        publishHealth()
      }
      answerSnapshots()
    }
    context.notify("STOPPING=1")
  }

  private func scan() {
    scanner.scanDirty(now: SystemClock.now)
    publishFinds()
  }

  private func handle(_ event: BusEvent) {
    scanner.feed.handle(
      event, from: subscriber, onMarket: { scanner.marketChanged($0) }, onBook: { scanner.bookChanged($0) })
    switch event {
    case .message(let stream, _, _, var reader):
      let topic = subscriber.topic(of: stream)
      if topic.hasPrefix(Topic.trade) {
        takeTrades(&reader)
      } else if topic.hasPrefix(Topic.process) {
        if let gone = directory.handle(event) { scanner.feed.forget(publisher: gone) { scanner.bookChanged($0) } }
      }
    case .snapshotEnd(let publisher):
      recovered(publisher)
    case .gap(let stream, let missed):
      Log.warning("messages are missing", ["topic": subscriber.topic(of: stream), "missed": "\(missed)"])
    case .restarted(let stream):
      Log.info("publisher started anew", ["topic": subscriber.topic(of: stream)])
    }
  }

  private func recovered(_ publisher: String) {
    guard scanner.feed.cache.count > 0, publisher.hasPrefix("ingestor") else { return }
    let milliseconds = (SystemClock.monotonicNanoseconds - startedAt) / 1_000_000
    Log.info(
      "all books are here",
      ["publisher": publisher, "books": "\(scanner.feed.cache.count)", "since_start_ms": "\(milliseconds)"])
  }

  private func takeTrades(_ reader: inout MessagePackReader) {
    guard let trades = try? TradeMessage.readList(&reader) else {
      malformedTradeCount += 1
      return
    }
    for trade in trades {
      tradeCount += 1
      guard let place = scanner.feed.bookPlace(trade.instrument) else { continue }
      scanner.traded(place, at: trade.time)
    }
  }

  private func publishFinds() {
    scanner.board.drain { opportunity in
      guard let topic = opportunityTopics[opportunity.strategy] else { return }
      publisher.publish(topic) { opportunity.encode($0) }
    }
  }

  /// Whoever joins gets what is open, and what was lately.
  private func answerSnapshots() {
    for request in snapshots {
      for opportunity in scanner.board.closed + scanner.board.openOpportunities {
        guard let topic = opportunityTopics[opportunity.strategy] else { continue }
        publisher.publishSnapshot(request, topic) { opportunity.encode($0) }
      }
      publisher.endSnapshot(request)
    }
    snapshots.removeAll(keepingCapacity: true)
  }

  private func publishHealth() {
    context.readiness.watchdog()
    let feed = scanner.feed
    var counters: [String: Int64] = [
      "messages_received": Int64(subscriber.receivedCount),
      "messages_missed": Int64(subscriber.missedCount),
      "messages_malformed": Int64(subscriber.malformedCount + feed.counters.malformed + malformedTradeCount),
      "book_items_applied": Int64(feed.counters.applied),
      "book_items_dropped": Int64(feed.counters.dropped),
      "book_items_unknown": Int64(feed.counters.unknownBook),
      "book_items_foreign": Int64(feed.counters.foreign),
      "book_levels_repeated": Int64(feed.counters.repeated),
      "books_handed_over": Int64(feed.counters.handedOver),
      "books": Int64(feed.cache.count),
      "books_live": Int64(feed.liveBookCount),
      "markets": Int64(feed.markets.count),
      "trades": Int64(tradeCount),
      "scans": Int64(scanner.scannedCount),
      "opportunities_open": Int64(scanner.board.openCount),
      "opportunities_opened": Int64(scanner.board.openedCount),
    ]
    for reason in SkipReason.allCases { counters["skipped_\(reason.rawValue)"] = Int64(scanner.skips[reason]) }
    let message = HealthMessage(name: context.name, counters: counters)
    publisher.publish(healthTopic) { message.encode($0) }
    context.readiness.status("\(feed.liveBookCount) books live, \(scanner.board.openCount) opportunities open")
  }
}

extension ScannerOptions {
  /// Options from the section `[scanner]`.
  init(settings: Settings) {
    self.init(
      minimumProfit: Money(raw: settings.decimal("scanner", "minimum_profit")),
      quantityMax: Quantity(raw: settings.decimal("scanner", "quantity_max")),
      suspiciousReturn: Double(settings.decimal("scanner", "suspicious_return")) / Double(fixedPointScale),
      suspiciousTradeAgeMaxNanoseconds: Int64(settings.integer("scanner", "suspicious_trade_age_max_s"))
        * 1_000_000_000,
      bookAgeMaxNanoseconds: Int64(settings.integer("scanner", "book_age_max_ms")) * 1_000_000)
  }
}
