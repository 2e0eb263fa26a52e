internal import Bus
public import Daemon
public import Market
internal import Resilience
internal import Venues
internal import Web

/// What other threads hand to the ingestor's loop.
enum SpotLetter: Sendable {
  case connected(connection: Int, attempt: Int, Result<WebSocketPeer, WebSocketError>)
  case candles(symbol: String, Result<[Candle], VenueError>)
  case polled(symbol: String, Result<Ticker, VenueError>, Result<RecentTrades, VenueError>)
  case compared(connection: Int, symbol: String, Result<Ticker, VenueError>)
}

/// The ingestor of an exchange: streams in; tickers, trades and candles out on the bus.
///
/// One loop owns the streams and the publisher; REST requests and connection attempts run elsewhere and post their
/// results. Whenever a stream is opened, the candles of the last hour are fetched by REST, so that none is missing; while
/// one is down, its symbols are polled. `run` returns when the process is told to stop.
public final class SpotIngestingService {
  struct Connection {
    var stream = StreamConnection()
    /// Which of the venue's streams it is.
    let part: Int
    var format: any SpotStreamFormat
    var symbols: [String]
    var watch: FreezeWatch
    var closesAt: Int64 = 0
    /// Since when it is not open, in monotonic nanoseconds.
    var downSince: Int64 = 0
    /// What is still to be sent, oldest first, each not before the pause after the one before is over.
    var requests: [String] = []
    var nextRequestAt: Int64 = 0
    /// Requests that the venue has not answered yet.
    var unanswered = 0
  }

  struct History {
    var isWanted = false
    var isUnderWay = false
    var failures = 0
    var dueAt: Int64 = 0
  }

  struct Polling {
    var isUnderWay = false
    var dueAt: Int64 = 0
    /// Whether it is polled now, which is told once.
    var isOn = false
  }

  let context: WorkerContext
  let venue: Venue
  let options: SpotIngestingOptions
  let publisher: Publisher
  let tickerTopic: TopicHandle
  let tradeTopic: TopicHandle
  let candleTopic: TopicHandle
  let healthTopic: TopicHandle
  let formats: [any SpotStreamFormat]
  let board: SpotBoard
  let venues: Venues
  let gate: RequestGate<ContinuousClock>
  let pacer: RequestPacer
  let streamEndpoint: Endpoint
  let mailbox: Mailbox<SpotLetter>
  let poller = Poller()
  let shards: ShardFollower
  var connections: [Connection] = []
  /// The symbols of this shard.
  var watched: Set<String> = []
  /// Those of them whose stream and candles must be there before the plan is confirmed.
  var unsettled: Set<String> = []
  var isPlanFollowed = false
  var requestCount = 0
  var history: [String: History] = [:]
  var polling: [String: Polling] = [:]
  var pollSetChanged = true
  var isReady = false
  var nextHealthAt: Int64 = 0
  var health = SpotHealth()
  /// Symbols of the message that is being read; here, so that no message allocates it.
  var heard: [String] = []
  var random = SystemRandomNumberGenerator()

  /// Binds its endpoint.
  ///
  /// - Parameters:
  ///   - context: the process.
  ///   - venue: one that has streams of prices.
  /// - Throws: `ConfigurationError`, `BusError` or `SystemError`.
  public init(context: WorkerContext, venue: Venue) throws {
    self.context = context
    self.venue = venue
    let settings = context.settings
    options = try SpotIngestingOptions(venue: venue, settings: settings)
    formats = Venues.streams(of: venue)
    shards = try ShardFollower(context: context)
    publisher = try Publisher(
      name: context.name, runDirectory: context.runDirectory,
      highWaterMark: settings.integer("bus", "high_water_mark_messages"))
    tickerTopic = publisher.topic("\(Topic.ticker)\(venue.rawValue)/\(context.name)")
    tradeTopic = publisher.topic("\(Topic.trade)\(venue.rawValue)/\(context.name)")
    candleTopic = publisher.topic("\(Topic.candle)\(venue.rawValue)/\(context.name)")
    healthTopic = publisher.topic(Topic.health + context.name)
    board = SpotBoard(
      venue: venue, symbols: options.symbols, tradeAge: TradeAgeFilter(ageMaxSeconds: options.tradeAgeMaxSeconds),
      isWatched: false)
    venues = Venues(settings: settings, runDirectory: context.runDirectory, transport: VenueTransport(HTTPClient()))
    // The collector of candles asks, too: each takes half, and shards share theirs.
    gate = RequestGate(
      name: venue.rawValue, budget: VenueBudgets.budget(venue).part(of: 2 * shards.plan.count),
      breaker: CircuitBreaker(CircuitBreaker.Policy()), clock: ContinuousClock()
    ) { SystemClock.now.nanoseconds }
    pacer = RequestPacer.shared(
      venue, at: Endpoint(settings.text(venue.rawValue, "rest_url"), runDirectory: context.runDirectory),
      settings: settings)
    streamEndpoint = Endpoint(settings.text(venue.rawValue, "websocket_url"), runDirectory: context.runDirectory)
    mailbox = try Mailbox()
  }

  /// Ingests until told to stop.
  public func run() {
    var nextTick = SystemClock.monotonicNanoseconds
    while true {
      rebuildPollSet()
      let now = SystemClock.monotonicNanoseconds
      let isIdle = !connections.contains { $0.stream.peer?.hasBufferedInput == true }
      poller.wait(timeoutMilliseconds: isIdle ? Int(max(0, (nextTick - now + 999_999) / 1_000_000)) : 0)
      if poller.isReady(0), context.takeStop() { break }
      if poller.isReady(1) { publisher.processSubscriptions(answer) }
      if poller.isReady(2) { for letter in mailbox.take() { take(letter) } }
      if poller.isReady(3), shards.receive(), isPlanFollowed { followPlan() }
      for index in connections.indices where connections[index].stream.place >= 0 {
        let isBuffered = connections[index].stream.peer?.hasBufferedInput == true
        if isBuffered || poller.isReady(connections[index].stream.place) { drain(index) }
      }
      let after = SystemClock.monotonicNanoseconds
      guard after >= nextTick else { continue }
      nextTick = after + 100_000_000
      tick(after)
    }
    context.notify("STOPPING=1")
    for connection in connections { connection.stream.peer?.close(code: WebSocketCloseCode.goingAway, reason: "") }
  }

  /// Everything that is done by the clock, ten times a second.
  private func tick(_ now: Int64) {
    if !isPlanFollowed, shards.isSettled(now) {
      isPlanFollowed = true
      followPlan()
    }
    keepConnections(now)
    confirmPlan(now)
    requestHistory(now)
    guard now >= nextHealthAt else { return }
    nextHealthAt = now + 1_000_000_000
    poll(now)
    watchForFrozen(now)
    publishHealth()
  }

  private func rebuildPollSet() {
    guard pollSetChanged else { return }
    pollSetChanged = false
    poller.removeAll()
    poller.add(descriptor: context.stopDescriptor)
    poller.add(publisher)
    poller.add(descriptor: mailbox.descriptor)
    poller.add(shards.subscriber)
    for index in connections.indices {
      guard let peer = connections[index].stream.peer, !peer.isClosed else {
        connections[index].stream.place = -1
        continue
      }
      connections[index].stream.place = poller.add(descriptor: peer.descriptor, writable: peer.wantsWrite)
    }
  }

  private func take(_ letter: SpotLetter) {
    switch letter {
    case .connected(let index, let attempt, let result): connected(index, attempt, result)
    case .candles(let symbol, let result): take(result, symbol)
    case .polled(let symbol, let ticker, let trades): take(ticker, trades, symbol)
    case .compared(let index, let symbol, let result): take(compared: result, symbol, index)
    }
  }

  // MARK: - Publishing

  func publishChanges() {
    board.takeTickers { ticker in publisher.publish(tickerTopic) { ticker.encode($0) } }
    board.takeCandles { instrument, candle in
      publisher.publish(candleTopic) { CandleMessage(instrument: instrument, candle: candle).encode($0) }
    }
    let trades = board.takeTrades()
    if !trades.isEmpty { publisher.publish(tradeTopic) { TradeMessage.encode(trades, $0) } }
  }

  /// The state for whoever joins: the last ticker of each pair, and its candles.
  private func answer(_ request: SnapshotRequest) {
    for ticker in board.tickers { publisher.publishSnapshot(request, tickerTopic) { ticker.encode($0) } }
    for (instrument, candle) in board.candles {
      publisher.publishSnapshot(request, candleTopic) {
        CandleMessage(instrument: instrument, candle: candle).encode($0)
      }
    }
    publisher.endSnapshot(request)
  }

  private func publishHealth() {
    context.readiness.watchdog()
    let counters = board.counters
    let requests = gate.counts
    let values: [String: Int64] = [
      "frames": Int64(counters.frames), "trades": Int64(counters.trades), "trades_too_old": Int64(counters.oldTrades),
      "trades_known": Int64(counters.knownTrades), "tickers": Int64(counters.tickers),
      "candles": Int64(counters.candles), "candles_late": Int64(counters.lateCandles),
      "unknown_symbols": Int64(counters.unknownSymbols), "ignored": Int64(counters.ignored),
      "refused": Int64(counters.refused.values.reduce(0, +)), "requests_refused": Int64(counters.refusedRequests),
      "symbols": Int64(watched.count), "connections": Int64(connections.count),
      "connections_open": Int64(connections.filter { $0.stream.state == .open }.count),
      "reconnections": Int64(connections.reduce(0) { $0 + max(0, $1.stream.openCount - 1) }),
      "reconnections_planned": Int64(health.plannedReconnections), "history_failures": Int64(health.historyFailures),
      "polls": Int64(health.polls), "polls_failed": Int64(health.failedPolls),
      "symbols_polled": Int64(polling.values.count { $0.isOn }), "frozen": Int64(health.frozen),
      "quiet": Int64(health.quiet), "rest_requests": Int64(requests.sent),
      "rest_requests_failed": Int64(requests.failed), "rest_requests_refused": Int64(requests.refused),
      "breaker_open": gate.breaker.state == .closed ? 0 : 1, "messages_published": Int64(publisher.sentCount),
      "snapshot_requests": Int64(publisher.snapshotRequestCount), "shard": Int64(shards.shard),
      "shards": Int64(shards.plan.count), "symbols_taken": Int64(health.taken),
      "symbols_dropped": Int64(health.dropped), "hand_over_ms": shards.lastHandOverNanoseconds / 1_000_000,
    ]
    let message = HealthMessage(name: context.name, counters: values)
    publisher.publish(healthTopic) { message.encode($0) }
  }
}

/// What the ingestor itself has done; each has its counter.
struct SpotHealth {
  var plannedReconnections: UInt64 = 0
  var historyFailures: UInt64 = 0
  var polls: UInt64 = 0
  var failedPolls: UInt64 = 0
  /// Streams that were replaced because the venue moved and they did not.
  var frozen: UInt64 = 0
  /// Symbols that were without data because there was none.
  var quiet: UInt64 = 0
  var taken: UInt64 = 0
  var dropped: UInt64 = 0
}
