internal import Bus
public import Daemon
internal import Market

/// The scanner's process: books, trades and prices in from the bus, opportunities out.
///
/// `run` returns when the process is told to stop.
public final class ScanningService {
  private let context: WorkerContext
  private let publisher: Publisher
  private let subscriber: Subscriber
  private let directory: Directory
  private let scanner: Scanner
  private let opportunityTopics: [TopicHandle]
  private let healthTopic: TopicHandle
  private let fullScanNanoseconds: Int64
  private var snapshots: [SnapshotRequest] = []
  private var tradeCount: UInt64 = 0
  private var tickerCount: UInt64 = 0
  private var malformedCount: UInt64 = 0
  private let startedAt = SystemClock.monotonicNanoseconds
  private var streamKinds: [StreamKind?] = []
  private var pairFiles: PairFiles
  private var admission: VenueAdmission

  private enum StreamKind { case trade, ticker, candle, process, venue, other }

  /// Binds its endpoint and subscribes to markets, books, trades and spot prices.
  ///
  /// - Throws: `BusError` where the bus cannot be reached, `ConfigurationError` where a setting is malformed.
  public init(context: WorkerContext) throws {
    self.context = context
    let settings = context.settings
    let highWaterMark = settings.integer("bus", "high_water_mark_messages")
    publisher = try Publisher(name: context.name, runDirectory: context.runDirectory, highWaterMark: highWaterMark)
    subscriber = try Subscriber(
      name: context.name,
      topics: [Topic.market, Topic.book, Topic.trade, Topic.ticker, Topic.candle, Topic.venue, Topic.process],
      highWaterMark: highWaterMark, reconnectMilliseconds: settings.integer("bus", "reconnect_ms"))
    directory = try Directory(
      subscriber: subscriber, runDirectory: context.runDirectory, fixed: settings.list("bus", "publishers")
    ) { $0.hasPrefix("ingestor") }
    let board = OpportunityBoard(epoch: publisher.epoch / 1_000_000_000)
    scanner = Scanner(feed: BookFeed(), options: try ScannerOptions(settings: settings), board: board)
    pairFiles = PairFiles(settings: settings)
    admission = VenueAdmission(
      silenceMaxNanoseconds: Int64(settings.integer("executor", "venue_silence_max_ms")) * 1_000_000)
    // By the strategy's code.
    let topics = Strategy.allCases.map { [publisher] in publisher.topic(Topic.opportunity + $0.rawValue) }
    opportunityTopics = topics
    board.onNews = { [publisher, topics] news in
      publisher.publish(topics[Int(news.strategy.code)]) { news.encode($0) }
    }
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
      poller.wait(timeoutMilliseconds: Int(min(wait, untilNextEnd())))
      if poller.isReady(stop), context.takeStop() { break }
      if poller.isReady(subscriptions) { publisher.processSubscriptions { snapshots.append($0) } }
      // A flood must not keep the loop from its clock and from being told to stop.
      for _ in 0..<64 {
        let count = subscriber.receive(limit: 512, handle)
        scanner.scanDirty(now: SystemClock.now)
        if count < 512 { break }
      }
      let after = SystemClock.monotonicNanoseconds
      if after >= nextFullScan {
        nextFullScan = after + fullScanNanoseconds
        scanner.scanAll(now: SystemClock.now)
      }
      if after >= nextHealth {
        nextHealth = after + 1_000_000_000
        if let pairs = pairFiles.changed() { scanner.setPairs(pairs) }
        checkVenues()
        scanner.feed.checkSilence(subscriber, now: after, limitNanoseconds: 3_000_000_000)
        publishHealth()
      }
      answerSnapshots()
    }
    context.notify("STOPPING=1")
  }

  /// In how many milliseconds something ends without a change of any book.
  private func untilNextEnd() -> Int64 {
    guard scanner.nextEnd < Int64.max else { return Int64.max }
    return max(0, (scanner.nextEnd - SystemClock.now.nanoseconds + 999_999) / 1_000_000)
  }

  private func handle(_ event: BusEvent) {
    scanner.feed.handle(
      event, from: subscriber, onMarket: { scanner.marketChanged($0) }, onBook: { scanner.bookChanged($0) })
    switch event {
    case .message(let stream, _, _, var reader):
      switch kind(of: stream) {
      case .trade: takeTrades(&reader)
      case .ticker: takeTicker(&reader)
      case .candle: takeCandle(&reader)
      case .venue: takeVenueStatus(&reader)
      case .process:
        if let gone = directory.handle(event) { forget(gone) }
      case .other: break
      }
    case .snapshotEnd(let publisher):
      recovered(publisher)
    case .gap(let stream, let missed):
      Log.warning("messages are missing", ["topic": subscriber.topic(of: stream), "missed": "\(missed)"])
    case .restarted(let stream):
      Log.info("publisher started anew", ["topic": subscriber.topic(of: stream)])
    }
  }

  private func forget(_ publisher: String) {
    scanner.feed.forget(publisher: publisher) { scanner.bookChanged($0) }
    admission.forget(publisher: publisher)
    checkVenues()
  }

  private func recovered(_ publisher: String) {
    guard scanner.feed.cache.count > 0, publisher.hasPrefix("ingestor") else { return }
    let milliseconds = (SystemClock.monotonicNanoseconds - startedAt) / 1_000_000
    Log.info(
      "all books are here",
      ["publisher": publisher, "books": "\(scanner.feed.cache.count)", "since_start_ms": "\(milliseconds)"])
  }

  /// What a topic tells; looked up once for each.
  private func kind(of stream: StreamHandle) -> StreamKind {
    while streamKinds.count <= stream.index { streamKinds.append(nil) }
    if let known = streamKinds[stream.index] { return known }
    let topic = subscriber.topic(of: stream)
    let kinds: [(String, StreamKind)] = [
      (Topic.trade, .trade), (Topic.ticker, .ticker), (Topic.candle, .candle), (Topic.process, .process),
      (Topic.venue, .venue),
    ]
    let kind = kinds.first { topic.hasPrefix($0.0) }?.1 ?? .other
    streamKinds[stream.index] = kind
    return kind
  }

  private func takeTrades(_ reader: inout MessagePackReader) {
    guard let trades = try? TradeMessage.readList(&reader) else {
      malformedCount += 1
      return
    }
    let now = SystemClock.now
    for trade in trades {
      tradeCount += 1
      guard let book = scanner.feed.bookPlace(trade.instrument) else { continue }
      scanner.traded(trade, of: book, now: now)
    }
  }

  private func takeTicker(_ reader: inout MessagePackReader) {
    guard let ticker = try? Ticker(&reader) else {
      malformedCount += 1
      return
    }
    tickerCount += 1
    scanner.tickerChanged(ticker, now: SystemClock.now)
  }

  private func takeCandle(_ reader: inout MessagePackReader) {
    guard let message = try? CandleMessage(&reader) else {
      malformedCount += 1
      return
    }
    // One that stands in for another says nothing of when a window opened.
    if !message.isStale { scanner.candleClosed(message.candle, of: message.instrument) }
  }

  private func takeVenueStatus(_ reader: inout MessagePackReader) {
    guard let status = try? VenueStatusMessage(&reader) else {
      malformedCount += 1
      return
    }
    if admission.take(status, now: SystemClock.monotonicNanoseconds) { checkVenues() }
  }

  /// Finds of a venue that takes no orders are held, as the executor would refuse them (X4).
  private func checkVenues() {
    let closed = admission.closed(SystemClock.monotonicNanoseconds)
    for venue in admission.venues { scanner.setVenue(venue, isOpen: closed[venue] == nil) }
  }

  /// Whoever joins gets what is open, and what was lately.
  private func answerSnapshots() {
    for request in snapshots {
      for opportunity in scanner.board.closed + scanner.board.openOpportunities {
        let topic = opportunityTopics[Int(opportunity.strategy.code)]
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
      "messages_malformed": Int64(subscriber.malformedCount + feed.counters.malformed + malformedCount),
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
      "tickers": Int64(tickerCount),
      "scans": Int64(scanner.scannedCount),
      "pairs_active": Int64(scanner.pairCounts.active),
      "pairs_withdrawn": Int64(scanner.pairCounts.withdrawn),
      "event_sums_drifted": Int64(scanner.driftedSumCount),
      "opportunities_open": Int64(scanner.board.openCount),
      "opportunities_opened": Int64(scanner.board.openedCount),
    ]
    for reason in SkipReason.allCases { counters["skipped_\(reason.name)"] = Int64(scanner.skips[reason]) }
    for (strategy, lifetimes) in scanner.board.lifetimes {
      counters["opportunities_closed_\(strategy.rawValue)"] = Int64(lifetimes.total)
      counters["lifetime_median_ms_\(strategy.rawValue)"] = lifetimes.medianMilliseconds
    }
    let message = HealthMessage(name: context.name, counters: counters)
    publisher.publish(healthTopic) { message.encode($0) }
    context.readiness.status("\(feed.liveBookCount) books live, \(scanner.board.openCount) opportunities open")
  }
}
