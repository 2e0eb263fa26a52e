internal import Bus
internal import Daemon
internal import Market
internal import Resilience
internal import Venues
internal import Web

/// What other threads hand to the ingestor's loop.
enum SpotLetter: Sendable {
  case connected(connection: Int, attempt: Int, Result<WebSocketPeer, WebSocketError>)
  case candles(symbol: String, Result<[Candle], VenueError>)
  case polled(symbol: String, Result<Ticker, VenueError>, Result<RecentTrades, VenueError>)
  case filled(symbol: String, Result<RecentTrades, VenueError>)
  case compared(connection: Int, symbol: String, Result<Ticker, VenueError>)
}

/// The ingestor of an exchange: streams in; tickers, trades and candles out on the bus.
///
/// Whenever a stream is opened, the candles of the last hour are fetched by REST, so that none is missing; while
/// one is down, its symbols are polled.
final class SpotIngestingService: IngestingService {
  struct Connection: IngestingConnection {
    var stream = StreamConnection()
    /// Which of the venue's streams it is.
    let part: Int
    var format: any SpotStreamFormat
    var symbols: [String]
    var watch: FreezeWatch
    var closesAt: Int64 = 0
    var nextPingAt: Int64 = 0
    /// What is still to be sent, oldest first, each not before the pause after the one before is over.
    var requests: [String] = []
    var nextRequestAt: Int64 = 0
    /// Requests that the venue has not answered yet.
    var unanswered = 0
    var isUnused: Bool { symbols.isEmpty }
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

  let loop: IngestingLoop<SpotLetter>
  let options: SpotIngestingOptions
  let tickerTopic: TopicHandle
  let tradeTopic: TopicHandle
  let candleTopic: TopicHandle
  let attemptsMax = Int.max
  let formats: [any SpotStreamFormat]
  let board: SpotBoard
  let venues: Venues
  let gate: RequestGate<ContinuousClock>
  let pacer: RequestPacer
  let streamEndpoint: Endpoint
  var connections: [Connection] = []
  /// The symbols of this shard.
  var watched: Set<String> = []
  /// Those of them whose stream and candles must be there before the plan is confirmed.
  var unsettled: Set<String> = []
  var isPlanFollowed = false
  var requestCount = 0
  var history: [String: History] = [:]
  var polling: [String: Polling] = [:]
  /// When REST may be asked again for trades of a symbol that are missing, in monotonic nanoseconds.
  var fillDueAt: [String: Int64] = [:]
  var isReady = false
  var nextHealthAt: Int64 = 0
  var health = SpotHealth()
  /// Symbols of the message that is being read; here, so that no message allocates it.
  var heard: [String] = []

  /// Binds its endpoint.
  ///
  /// - Parameters:
  ///   - context: the process.
  ///   - venue: one that has streams of prices.
  /// - Throws: `ConfigurationError`, `BusError` or `SystemError`.
  init(context: WorkerContext, venue: Venue) throws {
    let settings = context.settings
    options = try SpotIngestingOptions(venue: venue, settings: settings)
    formats = Venues.streams(of: venue)
    loop = try IngestingLoop(context: context, venue: venue)
    tickerTopic = loop.topic(Topic.ticker)
    tradeTopic = loop.topic(Topic.trade)
    candleTopic = loop.topic(Topic.candle)
    board = SpotBoard(
      venue: venue, symbols: options.symbols, tradeAge: TradeAgeFilter(ageMaxSeconds: options.tradeAgeMaxSeconds),
      isWatched: false)
    venues = Venues(settings: settings, runDirectory: context.runDirectory, transport: VenueTransport(HTTPClient()))
    gate = RequestGate(
      name: venue.rawValue, breaker: CircuitBreaker(CircuitBreaker.Policy()), clock: ContinuousClock()
    ) { SystemClock.now.nanoseconds }
    pacer = RequestPacer.shared(
      venue, at: Endpoint(settings.text(venue.rawValue, "rest_url"), runDirectory: context.runDirectory),
      settings: settings)
    streamEndpoint = Endpoint(settings.text(venue.rawValue, "websocket_url"), runDirectory: context.runDirectory)
  }

  var silenceNanoseconds: Int64 { options.silenceNanoseconds }
  var holding: (name: String, count: Int) { ("symbols", watched.count) }

  /// Everything that is done by the clock, ten times a second.
  func tick(_ now: Int64) {
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
    fillGaps(now)
    watchForFrozen(now)
    publishHealth()
  }

  func take(_ letter: SpotLetter) {
    switch letter {
    case .connected(let index, let attempt, let result): connected(index, attempt, result)
    case .candles(let symbol, let result): take(result, symbol)
    case .polled(let symbol, let ticker, let trades): take(ticker, trades, symbol)
    case .filled(let symbol, let trades): take(filled: trades, symbol)
    case .compared(let index, let symbol, let result): take(compared: result, symbol, index)
    }
  }

  static func connected(_ index: Int, _ attempt: Int, _ result: Result<WebSocketPeer, WebSocketError>) -> SpotLetter {
    .connected(connection: index, attempt: attempt, result)
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
  func welcome(_ request: SnapshotRequest) {
    for ticker in board.tickers { publisher.publishSnapshot(request, tickerTopic) { ticker.encode($0) } }
    for (instrument, candle) in board.candles {
      publisher.publishSnapshot(request, candleTopic) {
        CandleMessage(instrument: instrument, candle: candle).encode($0)
      }
    }
    publishVenue(to: request)
    publisher.endSnapshot(request)
  }

  private func publishHealth() {
    let counters = board.counters
    let requests = gate.counts
    let pace = pacer.counters
    publishHealth([
      "frames": Int64(counters.frames), "trades": Int64(counters.trades), "trades_too_old": Int64(counters.oldTrades),
      "trades_known": Int64(counters.knownTrades), "tickers": Int64(counters.tickers),
      "tickers_late": Int64(counters.lateTickers), "late": Int64(counters.late),
      "trades_missed": Int64(counters.missedTrades), "trades_filled": Int64(counters.filledTrades),
      "trades_reordered": Int64(counters.reorderedTrades), "trades_repeated": Int64(counters.repeatedTrades),
      "candles": Int64(counters.candles), "candles_late": Int64(counters.lateCandles),
      "unknown_symbols": Int64(counters.unknownSymbols), "ignored": Int64(counters.ignored),
      "refused": Int64(counters.refused.values.reduce(0, +)), "requests_refused": Int64(counters.refusedRequests),
      "symbols": Int64(watched.count), "reconnections_planned": Int64(health.plannedReconnections),
      "history_failures": Int64(health.historyFailures), "polls": Int64(health.polls),
      "polls_failed": Int64(health.failedPolls), "symbols_polled": Int64(polling.values.count { $0.isOn }),
      "frozen": Int64(health.frozen), "quiet": Int64(health.quiet), "rest_requests": Int64(requests.sent),
      "rest_requests_failed": Int64(requests.failed), "rest_requests_refused": Int64(requests.refused),
      "rest_requests_delayed": Int64(pace.delayed), "rest_requests_held_back": Int64(pace.heldBack),
      "rest_blocks": Int64(pace.blocks), "breaker_open": gate.breaker.state == .closed ? 0 : 1,
      "symbols_taken": Int64(health.taken),
      "symbols_dropped": Int64(health.dropped),
    ])
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
