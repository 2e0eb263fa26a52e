internal import Bus
public import Daemon
internal import Market
internal import Resilience
internal import Store
internal import Venues
internal import Web

/// What other threads hand to the collector's loop.
enum CandleLetter: Sendable {
  case answer(CandlePeriod, symbol: String, venue: Venue, CandleCycle.Answer)
  case price(String, Result<RaceOutcome<PriceAnswer>, any Error>)
}

/// The collector: the candles of all exchanges into the store, each with its exchange, and the primary's on the bus;
/// beside them the prices of all coins, by cache, primary, fallbacks, and the last good ones.
///
/// One loop owns schedule, store and publisher; requests run elsewhere and post their results. `run` returns when the
/// process is told to stop.
public final class CandleCollectingService {
  typealias Gate = RequestGate<ContinuousClock>

  struct Exchange {
    let venue: Venue
    let source: any CandleSource
    let gate: Gate
  }

  /// What is remembered of a coin's candles of one timeframe.
  struct Series {
    var good: LastGood<Good>
    var publishedUntil = Timestamp(nanoseconds: 0)
    /// What was told last, oldest first: a history for whoever joins.
    var recent: [CandleMessage] = []

    /// Keeps what was told, and so many of before.
    mutating func keep(_ message: CandleMessage, countMax: Int64) {
      recent.append(message)
      if recent.count > countMax { recent.removeFirst(recent.count - Int(countMax)) }
    }

    struct Good: Sendable {
      var venue: Venue
      var candle: Candle
    }
  }

  struct SeriesKey: Hashable {
    let period: CandlePeriod
    let coin: String
  }

  let context: WorkerContext
  let options: CandleCollectingOptions
  let publisher: Publisher
  let candleTopic: TopicHandle
  let pricesTopic: TopicHandle
  let alertTopic: TopicHandle
  let healthTopic: TopicHandle
  let store: HistoryStore
  let names: PairNames
  let exchanges: [Exchange]
  let gates: [Venue: Gate]
  let history: PriceHistory<ContinuousClock>
  let mailbox: Mailbox<CandleLetter>
  let poller = Poller()
  var schedule: CandleSchedule
  var cycles: [CandlePeriod: CandleCycle] = [:]
  var watermarks: [WatermarkSubject: Timestamp] = [:]
  var series: [SeriesKey: Series] = [:]
  var board: PricingBoard
  var lastPrices: PricesMessage?
  var alerts: [AlertMessage] = []
  /// What is still to be written.
  var batch = HistoryBatch(time: Timestamp(nanoseconds: 0))
  var savedBreakers: [String: StoredBreaker] = [:]
  var isPricing = false
  /// What has come of the present cycle's prices.
  var priceAnswers: [String: Result<RaceOutcome<PriceAnswer>, any Error>] = [:]
  var nextPricingAt = Timestamp(nanoseconds: 0)
  var storeFailures = 0
  var nextWriteAt: Int64 = 0
  var counters = CandleCounters()
  var isReady = false
  let shapeWatch = ShapeWatch()

  /// Opens the store, and binds its endpoint.
  ///
  /// - Throws: `ConfigurationError`, `StoreError`, `BusError` or `SystemError`.
  public init(context: WorkerContext) throws {
    self.context = context
    let settings = context.settings
    let options = try CandleCollectingOptions(settings: settings)
    self.options = options
    let store = try HistoryStore(path: context.dataDirectory + "/history.db")
    self.store = store
    names = try PairNames(settings: settings)
    let venues = Venues(
      settings: settings, runDirectory: context.runDirectory, transport: VenueTransport(HTTPClient()))
    let known = Dictionary(try store.breakers().map { ($0.name, $0) }) { first, _ in first }
    savedBreakers = known
    var gates: [Venue: Gate] = [:]
    for venue in options.exchanges + [.coingecko] {
      gates[venue] = Self.gate(venue, options, known["candles/\(venue.rawValue)"])
    }
    self.gates = gates
    exchanges = options.exchanges.compactMap { venue in
      guard let source = venues.candles(venue), let gate = gates[venue] else { return nil }
      return Exchange(venue: venue, source: source, gate: gate)
    }
    history = Self.history(options, exchanges, venues, names, gates)
    for exchange in exchanges { watermarks.merge(try store.watermarks(exchange.venue)) { first, _ in first } }
    let now = SystemClock.now
    schedule = CandleSchedule(
      periods: options.periods, delaySeconds: options.delaySeconds, retrySeconds: options.retrySeconds, now: now)
    board = PricingBoard(
      coins: options.coins, ageMaxSeconds: options.staleAgeMaxSeconds, failuresMax: options.failuresMax)
    nextPricingAt = now
    mailbox = try Mailbox()
    publisher = try Publisher(
      name: context.name, runDirectory: context.runDirectory,
      highWaterMark: settings.integer("bus", "high_water_mark_messages"))
    candleTopic = publisher.topic("\(Topic.candle)primary/\(context.name)")
    pricesTopic = publisher.topic(Topic.prices + context.name)
    alertTopic = publisher.topic(Topic.alert + context.name)
    healthTopic = publisher.topic(Topic.health + context.name)
  }

  private static func gate(_ venue: Venue, _ options: CandleCollectingOptions, _ stored: StoredBreaker?) -> Gate {
    let memory = stored.map {
      CircuitBreaker.Memory(failures: $0.failures, openings: $0.openings, openUntil: $0.openUntil.nanoseconds)
    }
    if let stored, stored.openUntil.nanoseconds > 0 {
      Log.info("breaker was open", ["venue": venue.rawValue, "until": "\(stored.openUntil)"])
    }
    return RequestGate(
      name: venue.rawValue, breaker: CircuitBreaker(options.breaker, memory: memory), clock: ContinuousClock()
    ) { SystemClock.now.nanoseconds }
  }

  private static func history(
    _ options: CandleCollectingOptions, _ exchanges: [Exchange], _ venues: Venues, _ names: PairNames,
    _ gates: [Venue: Gate]
  ) -> PriceHistory<ContinuousClock> {
    @Sendable func symbol(_ coin: String, _ venue: Venue) throws(VenueError) -> String {
      guard let pair = CoinPair(base: coin, quote: "USD"), let symbol = names.symbol(pair, at: venue) else {
        throw VenueError(venue: venue, kind: "candles", problem: "no pair of \(coin)", cause: .impossible)
      }
      return symbol
    }
    let sources = exchanges.map { exchange in
      HistorySource(venue: exchange.venue, gate: exchange.gate) { coin, span in
        try await exchange.source.candles(
          symbol: try symbol(coin, exchange.venue), periodSeconds: 60, from: span.lowerBound, to: span.upperBound,
          now: SystemClock.now)
      }
    }
    var points: [PointSource<ContinuousClock>] = []
    if let source = venues.prices(.coingecko), let gate = gates[.coingecko] {
      points.append(
        PointSource(venue: .coingecko, gate: gate) { coin in
          let point = try await source.price(symbol: try symbol(coin, .coingecko))
          return (point.price, point.time)
        })
    }
    return PriceHistory(
      policy: PriceHistory.Policy(
        candleCount: Int(options.historyCandles), primary: options.patient, fallback: options.fast,
        lifetimes: options.lifetimes, deviationMaxPercent: options.deviationMaxPercent),
      sources: sources, points: points, clock: ContinuousClock()
    ) { SystemClock.now }
  }

  /// Collects until told to stop.
  public func run() {
    poller.add(descriptor: context.stopDescriptor)
    poller.add(publisher)
    poller.add(descriptor: mailbox.descriptor)
    var nextHealth = SystemClock.monotonicNanoseconds
    while true {
      poller.wait(timeoutMilliseconds: pauseMilliseconds(until: nextHealth))
      if poller.isReady(0), context.takeStop() { break }
      if poller.isReady(1) { publisher.processSubscriptions(answer) }
      if poller.isReady(2) { for letter in mailbox.take() { take(letter) } }
      let now = SystemClock.now
      for period in schedule.takeDue(now: now) { start(period, now) }
      if !isPricing, now >= nextPricingAt { startPricing(now) }
      let monotonic = SystemClock.monotonicNanoseconds
      write(monotonic)
      if monotonic >= nextHealth {
        nextHealth = monotonic + 1_000_000_000
        // The exchanges' own ingestors look at theirs; CoinGecko has none.
        if isReady { shapeWatch.start(.coingecko, context) }
        publishHealth()
      }
    }
    context.notify("STOPPING=1")
    nextWriteAt = 0
    write(SystemClock.monotonicNanoseconds)
  }

  private func pauseMilliseconds(until nextHealth: Int64) -> Int {
    let now = SystemClock.now
    var pause = nextHealth - SystemClock.monotonicNanoseconds
    if let due = schedule.nextDue { pause = min(pause, due.nanoseconds(since: now)) }
    if !isPricing { pause = min(pause, nextPricingAt.nanoseconds(since: now)) }
    return Int(max(0, (pause + 999_999) / 1_000_000))
  }

  private func take(_ letter: CandleLetter) {
    switch letter {
    case .answer(let period, let symbol, let venue, let answer): take(answer, period, symbol, venue)
    case .price(let coin, let answer): take(answer, coin)
    }
  }

  /// The state for whoever joins: the last candles of each series, the last prices, the last alerts.
  private func answer(_ request: SnapshotRequest) {
    for row in series.values {
      for message in row.recent { publisher.publishSnapshot(request, candleTopic) { message.encode($0) } }
    }
    if let prices = lastPrices { publisher.publishSnapshot(request, pricesTopic) { prices.encode($0) } }
    for alert in alerts { publisher.publishSnapshot(request, alertTopic) { alert.encode($0) } }
    publisher.endSnapshot(request)
  }

  func tell(_ notice: FlowNotice) {
    if notice.isWarning { Log.warning(notice.line) } else { Log.info(notice.line) }
    guard let subject = notice.alertSubject else { return }
    let alert = AlertMessage(time: SystemClock.now, subject: subject, text: notice.line)
    alerts = alerts.suffix(19) + [alert]
    counters.alerts += 1
    publisher.publish(alertTopic) { alert.encode($0) }
  }
}

/// What the collector has seen; each has its counter.
struct CandleCounters {
  var cycles: UInt64 = 0
  var answers: UInt64 = 0
  var failures: UInt64 = 0
  var implausible: UInt64 = 0
  var stored: UInt64 = 0
  var staleUsed: UInt64 = 0
  var alerts: UInt64 = 0
  var snapshots: UInt64 = 0
  var partialSnapshots: UInt64 = 0
}
