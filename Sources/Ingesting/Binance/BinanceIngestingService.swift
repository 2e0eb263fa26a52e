internal import Bus
public import Daemon
internal import Market
internal import Venues
internal import Web

/// What other threads hand to the ingestor's loop.
enum BinanceLetter: Sendable {
  case connected(connection: Int, attempt: Int, Result<WebSocketPeer, WebSocketError>)
  case candles(symbol: String, Result<[Candle], VenueError>)
}

/// Binance's ingestor: streams in; tickers, trades and candles out on the bus.
///
/// One loop owns the streams and the publisher; REST requests and connection attempts run elsewhere and post their
/// results. Whenever a stream is opened, the candles of the last hour are fetched by REST, so that none is missing.
/// `run` returns when the process is told to stop.
public final class BinanceIngestingService {
  struct Connection {
    var stream = StreamConnection()
    var symbols: [String]
    var closesAt: Int64 = 0
    /// What the present attempt has asked for.
    var asked: [String] = []
    /// Requests that the venue has not answered yet.
    var unanswered = 0
  }

  struct History {
    var isWanted = false
    var isUnderWay = false
    var failures = 0
    var dueAt: Int64 = 0
  }

  let context: WorkerContext
  let options: BinanceIngestingOptions
  let publisher: Publisher
  let tickerTopic: TopicHandle
  let tradeTopic: TopicHandle
  let candleTopic: TopicHandle
  let healthTopic: TopicHandle
  let stream: BinanceStream
  let rest: BinanceREST
  let streamEndpoint: Endpoint
  let mailbox: Mailbox<BinanceLetter>
  let poller = Poller()
  let shards: ShardFollower
  var connections: [Connection] = []
  /// The symbols of this shard.
  var watched: Set<String> = []
  /// Those of them whose stream and candles must be there before the plan is confirmed.
  var unsettled: Set<String> = []
  var isPlanFollowed = false
  var requestCount: UInt64 = 0
  var takenCount: UInt64 = 0
  var droppedCount: UInt64 = 0
  var history: [String: History] = [:]
  var pollSetChanged = true
  var isReady = false
  var nextHealthAt: Int64 = 0
  var plannedReconnections: UInt64 = 0
  var historyFailures: UInt64 = 0
  var random = SystemRandomNumberGenerator()

  /// Binds its endpoint.
  ///
  /// - Throws: `ConfigurationError`, `BusError` or `SystemError`.
  public init(context: WorkerContext) throws {
    self.context = context
    let settings = context.settings
    options = try BinanceIngestingOptions(settings: settings)
    shards = try ShardFollower(context: context)
    publisher = try Publisher(
      name: context.name, runDirectory: context.runDirectory,
      highWaterMark: settings.integer("bus", "high_water_mark_messages"))
    tickerTopic = publisher.topic("\(Topic.ticker)binance/\(context.name)")
    tradeTopic = publisher.topic("\(Topic.trade)binance/\(context.name)")
    candleTopic = publisher.topic("\(Topic.candle)binance/\(context.name)")
    healthTopic = publisher.topic(Topic.health + context.name)
    stream = BinanceStream(
      symbols: options.symbols, tradeAge: TradeAgeFilter(ageMaxSeconds: options.tradeAgeMaxSeconds),
      isWatched: false)
    rest = BinanceREST(
      endpoint: Endpoint(settings.text("binance", "rest_url"), runDirectory: context.runDirectory),
      transport: VenueTransport(HTTPClient()))
    streamEndpoint = Endpoint(settings.text("binance", "websocket_url"), runDirectory: context.runDirectory)
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
      if !isPlanFollowed, shards.isSettled(after) {
        isPlanFollowed = true
        followPlan()
      }
      keepConnections(after)
      confirmPlan(after)
      requestHistory(after)
      if after >= nextHealthAt {
        nextHealthAt = after + 1_000_000_000
        publishHealth()
      }
    }
    context.notify("STOPPING=1")
    for connection in connections { connection.stream.peer?.close(code: WebSocketCloseCode.goingAway, reason: "") }
  }

  func rebuildPollSet() {
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

  func take(_ letter: BinanceLetter) {
    switch letter {
    case .connected(let index, let attempt, let result): connected(index, attempt, result)
    case .candles(let symbol, let result): take(result, symbol)
    }
  }

  // MARK: - Connections

  func keepConnections(_ now: Int64) {
    for index in connections.indices {
      let stream = connections[index].stream
      switch stream.state {
      case .idle: if now >= stream.dueAt, !connections[index].symbols.isEmpty { connect(index) }
      case .connecting: continue
      case .open:
        guard let peer = stream.peer else { continue }
        if peer.isClosed {
          lose(index, "closed by the venue")
        } else if now - peer.lastReceivedMonotonicNanoseconds > options.silenceNanoseconds {
          lose(index, "silent for \(options.silenceNanoseconds / 1_000_000_000) s")
        } else if now >= connections[index].closesAt {
          renew(index, "its lifetime ends")
        }
      }
    }
  }

  func connect(_ index: Int) {
    connections[index].stream.state = .connecting
    connections[index].stream.attempt += 1
    connections[index].unanswered = 0
    connections[index].asked = connections[index].symbols
    let attempt = connections[index].stream.attempt
    do throws(VenueError) {
      let url = try streamEndpoint.resolve(.binance) + BinanceStream.query(connections[index].symbols)
      let mailbox = self.mailbox
      WebSocketClient.start(url: url) { mailbox.post(.connected(connection: index, attempt: attempt, $0)) }
    } catch {
      failed(index, "\(error)")
    }
  }

  func connected(_ index: Int, _ attempt: Int, _ result: Result<WebSocketPeer, WebSocketError>) {
    guard connections[index].stream.attempt == attempt, connections[index].stream.state == .connecting else { return }
    switch result {
    case .failure(let error): failed(index, "\(error)")
    case .success(let peer):
      let now = SystemClock.monotonicNanoseconds
      // Not all connections at the same moment.
      let spread = Int64(random.next() % UInt64(options.lifetimeNanoseconds / 24 + 1))
      connections[index].stream.peer = peer
      connections[index].stream.state = .open
      connections[index].stream.openedAt = now
      connections[index].stream.openCount += 1
      connections[index].closesAt = now + options.lifetimeNanoseconds - spread
      pollSetChanged = true
      guard catchUp(index) else { return }
      Log.info("stream is open", ["venue": "binance", "connection": "\(index)"])
      drain(index)
      requestHistory(now)
      sayReady()
    }
  }

  func sayReady() {
    guard !isReady, connections.allSatisfy({ $0.stream.openCount > 0 || $0.symbols.isEmpty }) else { return }
    isReady = true
    context.notifyReady(status: statusText)
  }

  func failed(_ index: Int, _ problem: String) {
    connections[index].stream.state = .idle
    connections[index].stream.failures += 1
    let failures = connections[index].stream.failures
    connections[index].stream.dueAt =
      SystemClock.monotonicNanoseconds
      + StreamConnection.backoffNanoseconds(failures: failures, random: random.next())
    if failures == 1 || failures % 10 == 0 {
      Log.warning(
        "stream cannot be opened",
        ["venue": "binance", "connection": "\(index)", "failures": "\(failures)", "problem": problem])
    }
  }

  /// Closes first, then opens anew: no socket leaks.
  func lose(_ index: Int, _ problem: String) {
    guard close(index) else { return }
    Log.warning("stream lost", ["venue": "binance", "connection": "\(index)", "problem": problem])
    failed(index, problem)
  }

  /// Replaces a connection that the venue is about to end: at once, and nothing has failed.
  func renew(_ index: Int, _ reason: String) {
    // One that says so as soon as it is open is not asked again without a pause.
    let age = SystemClock.monotonicNanoseconds - connections[index].stream.openedAt
    guard age > 5_000_000_000 else { return lose(index, reason) }
    guard close(index) else { return }
    plannedReconnections += 1
    Log.info("stream is renewed", ["venue": "binance", "connection": "\(index)", "reason": reason])
    connections[index].stream.state = .idle
    connect(index)
  }

  func close(_ index: Int) -> Bool {
    guard connections[index].stream.state == .open else { return false }
    connections[index].stream.peer?.disconnect()
    connections[index].stream.peer = nil
    connections[index].stream.place = -1
    pollSetChanged = true
    return true
  }

  /// Takes what has arrived on one connection, and publishes it.
  func drain(_ index: Int) {
    guard let peer = connections[index].stream.peer else { return }
    var problem: String?
    let responses = stream.counters.responses
    do throws(WebSocketError) {
      var hasData = false
      try peer.receive { message in
        guard message.kind == .text else { return }
        hasData = true
        stream.take(message.bytes, receivedAt: SystemClock.now)
      }
      if peer.wantsWrite { try peer.flush() }
      if hasData { connections[index].stream.failures = 0 }
    } catch {
      problem = "\(error)"
    }
    publishChanges()
    answered(Int(stream.counters.responses - responses), on: index)
    if problem == nil, peer.isClosed { problem = "closed by the venue" }
    if stream.takeShutdown() { return renew(index, "the venue goes down for maintenance") }
    if let problem { return lose(index, problem) }
    if connections[index].stream.place >= 0, !pollSetChanged {
      poller.setWritable(peer.wantsWrite, at: connections[index].stream.place)
    }
  }

  // MARK: - Candles by REST

  func requestHistory(_ now: Int64) {
    for symbol in options.symbols {
      guard let state = history[symbol], state.isWanted, !state.isUnderWay, now >= state.dueAt else { continue }
      history[symbol]?.isWanted = false
      history[symbol]?.isUnderWay = true
      let rest = self.rest
      let mailbox = self.mailbox
      Task {
        let time = SystemClock.now
        let from = time.floored(toSeconds: 60).advanced(bySeconds: -60 * Int64(BinanceStream.candlesKept - 1))
        do throws(VenueError) {
          let candles = try await rest.candles(symbol: symbol, periodSeconds: 60, from: from, to: time, now: time)
          mailbox.post(.candles(symbol: symbol, .success(candles)))
        } catch {
          mailbox.post(.candles(symbol: symbol, .failure(error)))
        }
      }
    }
  }

  func take(_ result: Result<[Candle], VenueError>, _ symbol: String) {
    // One that was dropped meanwhile is another shard's.
    guard watched.contains(symbol) else { return }
    var state = history[symbol, default: History()]
    state.isUnderWay = false
    switch result {
    case .success(let candles):
      state.failures = 0
      stream.take(history: candles, symbol: symbol)
      unsettled.remove(symbol)
      publishChanges()
    case .failure(let error):
      historyFailures += 1
      state.failures += 1
      // What the venue refuses for good (a symbol that it does not have) is not asked for again until the next stream.
      state.isWanted = state.isWanted || error.isRetriable
      if !state.isWanted { unsettled.remove(symbol) }
      let wait = StreamConnection.backoffNanoseconds(failures: state.failures, random: random.next())
      let asked = Int64(min(error.retryAfterSeconds ?? 0, 86_400)) * 1_000_000_000
      state.dueAt = SystemClock.monotonicNanoseconds + max(wait, asked)
      if state.failures == 1 || state.failures % 10 == 0 {
        Log.warning(
          "candles cannot be read", ["symbol": symbol, "failures": "\(state.failures)", "problem": "\(error)"])
      }
    }
    history[symbol] = state
  }

  // MARK: - Publishing

  func publishChanges() {
    stream.takeTickers { ticker in publisher.publish(tickerTopic) { ticker.encode($0) } }
    stream.takeCandles { instrument, candle in
      publisher.publish(candleTopic) { CandleMessage(instrument: instrument, candle: candle).encode($0) }
    }
    let trades = stream.takeTrades()
    if !trades.isEmpty { publisher.publish(tradeTopic) { TradeMessage.encode(trades, $0) } }
  }

  /// The state for whoever joins: the last ticker of each pair, and its candles.
  func answer(_ request: SnapshotRequest) {
    for ticker in stream.tickers { publisher.publishSnapshot(request, tickerTopic) { ticker.encode($0) } }
    for (instrument, candle) in stream.candles {
      publisher.publishSnapshot(request, candleTopic) {
        CandleMessage(instrument: instrument, candle: candle).encode($0)
      }
    }
    publisher.endSnapshot(request)
  }

  func publishHealth() {
    context.readiness.watchdog()
    let counters = stream.counters
    let values: [String: Int64] = [
      "frames": Int64(counters.frames), "trades": Int64(counters.trades), "trades_too_old": Int64(counters.oldTrades),
      "tickers": Int64(counters.tickers), "candles": Int64(counters.candles),
      "candles_late": Int64(counters.lateCandles), "unknown_symbols": Int64(counters.unknownSymbols),
      "ignored": Int64(counters.ignored), "refused": Int64(counters.refused.values.reduce(0, +)),
      "symbols": Int64(watched.count), "connections": Int64(connections.count),
      "connections_open": Int64(connections.filter { $0.stream.state == .open }.count),
      "reconnections": Int64(connections.reduce(0) { $0 + max(0, $1.stream.openCount - 1) }),
      "reconnections_planned": Int64(plannedReconnections), "history_failures": Int64(historyFailures),
      "messages_published": Int64(publisher.sentCount), "snapshot_requests": Int64(publisher.snapshotRequestCount),
      "shard": Int64(shards.shard), "shards": Int64(shards.plan.count), "symbols_taken": Int64(takenCount),
      "symbols_dropped": Int64(droppedCount), "hand_over_ms": shards.lastHandOverNanoseconds / 1_000_000,
    ]
    let message = HealthMessage(name: context.name, counters: values)
    publisher.publish(healthTopic) { message.encode($0) }
  }
}

/// The section `[binance]`, as far as the ingestor uses it.
struct BinanceIngestingOptions {
  let symbols: [String]
  let silenceNanoseconds: Int64
  let tradeAgeMaxSeconds: Int64
  /// The venue ends a connection after 24 hours: half an hour before that it is renewed.
  let lifetimeNanoseconds: Int64 = (24 * 3600 - 1800) * 1_000_000_000

  init(settings: Settings) throws(ConfigurationError) {
    var symbols: [String] = []
    for text in settings.list("binance", "symbols") {
      let symbol = text.uppercased()
      guard !symbol.isEmpty, symbol.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) }) else {
        throw ConfigurationError(
          file: "[binance] symbols",
          problem: "expected a name of letters and digits, such as BTCUSDT, found \"\(text)\"")
      }
      if !symbols.contains(symbol) { symbols.append(symbol) }
    }
    guard !symbols.isEmpty else {
      throw ConfigurationError(file: "[binance] symbols", problem: "expected at least one symbol, found none")
    }
    self.symbols = symbols
    silenceNanoseconds = Int64(settings.integer("binance", "silence_s")) * 1_000_000_000
    tradeAgeMaxSeconds = Int64(settings.integer("binance", "trade_age_max_s"))
  }
}
