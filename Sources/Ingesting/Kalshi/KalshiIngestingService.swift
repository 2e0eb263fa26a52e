internal import Bus
public import Daemon
internal import Market
internal import Synchronization
internal import Venues
internal import Web

/// What other threads hand to the ingestor's loop.
enum KalshiLetter: Sendable {
  case listing(Result<KalshiEventListing, VenueError>)
  case series(Result<[KalshiSeries]?, VenueError>)
  case connected(connection: Int, attempt: Int, Result<WebSocketPeer, WebSocketError>)
}

/// Kalshi's ingestor: catalogue and streams in, markets, books and trades out on the bus.
///
/// One loop owns the books, the streams and the publisher; REST requests and connection attempts run elsewhere and post
/// their results. `run` returns when the process is told to stop.
public final class KalshiIngestingService {
  let context: WorkerContext
  let publisher: Publisher
  let marketTopic: TopicHandle
  let bookTopic: TopicHandle
  let tradeTopic: TopicHandle
  let healthTopic: TopicHandle
  let markets: KalshiMarkets
  let batch = BookBatch()
  let rest: KalshiREST
  let signer: KalshiSigner?
  let fees = KalshiFeeTable()
  let mailbox: Mailbox<KalshiLetter>
  let streamEndpoint: Endpoint
  let options: KalshiIngestingOptions
  let poller = Poller()
  let shards: ShardFollower

  var connections: [KalshiConnection] = []
  /// Which connection watches a market, by the market's place; −1 for none.
  var connectionOfMarket: [Int] = []
  /// The markets of the last listing that other shards have.
  var foreign: [KalshiMarket] = []
  /// A listing that came before the plan.
  var heldListing: KalshiEventListing?
  /// Books that must be live before the plan is confirmed.
  var unsettled: Set<BookIndex> = []
  var listingRequestedAt: Int64 = 0
  var catalogueAt: Int64 = 0
  var nextListingAt: Int64 = 0
  var nextSeriesAt: Int64 = 0
  var nextCheckAt: Int64 = 0
  var isListing = false
  var isReady = false
  var listingFailures = 0
  var listings: UInt64 = 0
  var refusedMarkets: UInt64 = 0
  var takenCount: UInt64 = 0
  var droppedCount: UInt64 = 0
  var resynchronisations: UInt64 = 0
  var pollSetChanged = true
  var snapshots: [SnapshotInProgress] = []
  var random = SystemRandomNumberGenerator()

  /// Reads the key where the settings name one, and binds its endpoint.
  ///
  /// - Throws: `ConfigurationError` where the key cannot be read, `BusError` or `SystemError`.
  public init(context: WorkerContext) throws {
    self.context = context
    let settings = context.settings
    options = KalshiIngestingOptions(settings: settings)
    do {
      signer = try KalshiSigner.configured(settings)
    } catch {
      throw ConfigurationError(file: settings.path, problem: "[kalshi] \(error.field): \(error.problem)")
    }
    shards = try ShardFollower(context: context)
    publisher = try Publisher(
      name: context.name, runDirectory: context.runDirectory,
      highWaterMark: settings.integer("bus", "high_water_mark_messages"))
    marketTopic = publisher.topic("\(Topic.market)kalshi/\(context.name)")
    bookTopic = publisher.topic("\(Topic.book)kalshi/\(context.name)")
    tradeTopic = publisher.topic("\(Topic.trade)kalshi/\(context.name)")
    healthTopic = publisher.topic(Topic.health + context.name)
    markets = KalshiMarkets(
      tradeAge: TradeAgeFilter(ageMaxSeconds: Int64(settings.integer("kalshi", "trade_age_max_s"))))
    mailbox = try Mailbox()
    let fees = self.fees
    rest = KalshiREST(
      settings: settings, runDirectory: context.runDirectory, transport: VenueTransport(HTTPClient()), signer: signer,
      fees: { fees.of(series: $0) })
    streamEndpoint = Endpoint(settings.text("kalshi", "websocket_url"), runDirectory: context.runDirectory)
  }

  /// Ingests until told to stop.
  public func run() {
    var nextTick = SystemClock.monotonicNanoseconds
    while true {
      rebuildPollSet()
      let now = SystemClock.monotonicNanoseconds
      let isIdle = snapshots.isEmpty && !connections.contains { $0.stream.peer?.hasBufferedInput == true }
      let wait = isIdle ? max(0, (nextTick - now + 999_999) / 1_000_000) : 0
      poller.wait(timeoutMilliseconds: Int(min(wait, 1000)))
      if poller.isReady(0), context.takeStop() { break }
      if poller.isReady(1) { publisher.processSubscriptions { snapshots.append(SnapshotInProgress(request: $0)) } }
      if poller.isReady(2) { for letter in mailbox.take() { take(letter) } }
      if poller.isReady(3), shards.receive() { follow(shards.plan) }
      for index in connections.indices where connections[index].stream.place >= 0 {
        let stream = connections[index].stream
        if poller.isReady(stream.place) || stream.peer?.hasBufferedInput == true { drain(index) }
      }
      continueSnapshots()
      let after = SystemClock.monotonicNanoseconds
      if after >= nextTick {
        nextTick = after + 100_000_000
        tick(after)
      }
    }
    context.notify("STOPPING=1")
    for connection in connections { connection.stream.peer?.close(code: WebSocketCloseCode.goingAway, reason: "") }
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

  private func take(_ letter: KalshiLetter) {
    switch letter {
    case .listing(let result): take(listing: result)
    case .series(let result): take(series: result)
    case .connected(let connection, let attempt, let result): connected(connection, attempt, result)
    }
  }

  /// Everything that is done by the clock, ten times a second.
  private func tick(_ now: Int64) {
    if let listing = heldListing, shards.isSettled(now) {
      heldListing = nil
      adopt(listing)
    }
    keepConnections(now)
    confirmPlan(now)
    if now >= nextSeriesAt { requestSeries(now) }
    // A venue that tells of many changes is asked at most so much sooner than the interval says.
    let gap = max(0, options.refreshNanoseconds - 2_000_000_000)
    if now >= nextListingAt || markets.metadataChanged, !isListing, now >= nextListingAt - gap { requestListing(now) }
    if now >= nextCheckAt {
      nextCheckAt = now + 1_000_000_000
      // A sign of life, even when no book changes: a subscriber sees a gap at its end within a second.
      batch.publish(on: publisher, bookTopic)
      publishHealth()
    }
  }

  // MARK: - Publishing

  func publishBatch() {
    if batch.itemCount > 0 { batch.publish(on: publisher, bookTopic) }
    let trades = markets.takeTrades()
    if !trades.isEmpty { publisher.publish(tradeTopic) { TradeMessage.encode(trades, $0) } }
  }

  func publishMarkets(_ places: [Int]) {
    var rest = places[...]
    while !rest.isEmpty {
      let part = rest.prefix(200)
      rest = rest.dropFirst(200)
      publisher.publish(marketTopic) { writeMarkets(part, $0) }
    }
  }

  private func writeMarkets(_ places: ArraySlice<Int>, _ writer: MessagePackWriter) {
    let owned = places.filter { markets.entries[$0].isOwned }
    writer.array(owned.count)
    for place in owned {
      let entry = markets.entries[place]
      MarketMessage(market: entry.market, books: entry.books.map { UInt32($0) }, term: entry.term).encode(writer)
    }
  }

  /// Sends the state to whoever joined: a part in each turn of the loop, so that the stream goes on meanwhile.
  private func continueSnapshots() {
    guard var snapshot = snapshots.first else { return }
    if snapshot.nextMarket < markets.entries.count {
      let end = min(snapshot.nextMarket + 200, markets.entries.count)
      publisher.publishSnapshot(snapshot.request, marketTopic) {
        writeMarkets(Array(snapshot.nextMarket..<end)[...], $0)
      }
      snapshot.nextMarket = end
    } else if snapshot.nextBook < markets.cache.count {
      var items = 0
      publisher.publishSnapshot(snapshot.request, bookTopic) { writer in
        let count = writer.openArray()
        while snapshot.nextBook < markets.cache.count, items < 200 {
          let book = snapshot.nextBook
          snapshot.nextBook += 1
          guard markets.cache.header(book).state == .live else { continue }
          items += writeBookSnapshot(book: UInt32(book), index: book, of: markets.cache, writer)
        }
        writer.patchArray(items, at: count)
      }
    } else {
      publisher.endSnapshot(snapshot.request)
      snapshots.removeFirst()
      return
    }
    snapshots[0] = snapshot
  }

  private func publishHealth() {
    context.readiness.watchdog()
    let counters = markets.counters
    var live = 0
    for book in 0..<markets.cache.count where markets.cache.headerUnchecked(book).pointee.state == .live { live += 1 }
    var values: [String: Int64] = [
      "frames": Int64(counters.messages), "snapshots": Int64(counters.snapshots), "changes": Int64(counters.changes),
      "trades": Int64(counters.trades), "trades_too_old": Int64(counters.oldTrades),
      "trades_block": Int64(counters.blockTrades), "unknown_markets": Int64(counters.unknownMarkets),
      "changes_dropped": Int64(counters.droppedChanges), "changes_impossible": Int64(counters.impossibleChanges),
      "off_grid": Int64(counters.offGrid), "gaps": Int64(counters.gaps), "repetitions": Int64(counters.repetitions),
      "ignored": Int64(counters.ignored), "refused": Int64(counters.refused.values.reduce(0, +)),
      "resynchronisations": Int64(resynchronisations), "markets": Int64(markets.ownedCount),
      "books": Int64(markets.cache.count), "books_live": Int64(live), "listings": Int64(listings),
      "markets_refused": Int64(refusedMarkets), "messages_published": Int64(publisher.sentCount),
    ]
    values["shard"] = Int64(shards.shard)
    values["shards"] = Int64(shards.plan.count)
    values["markets_taken"] = Int64(takenCount)
    values["markets_dropped"] = Int64(droppedCount)
    values["books_unsettled"] = Int64(unsettled.count)
    values["books_wanted"] = Int64(connections.reduce(0) { $0 + $1.fold.wanted.count })
    values["connections"] = Int64(connections.count)
    values["connections_open"] = Int64(connections.filter { $0.stream.state == .open }.count)
    values["reconnections"] = Int64(connections.reduce(0) { $0 + max(0, $1.stream.openCount - 1) })
    let message = HealthMessage(name: context.name, counters: values)
    publisher.publish(healthTopic) { message.encode($0) }
  }
}

/// What each series charges, shared with the requests that read markets.
final class KalshiFeeTable: Sendable {
  private let table = Mutex<[String: KalshiFees]>([:])

  /// What a series charges; the ordinary fees where that is not known.
  func of(series ticker: String) -> KalshiFees { table.withLock { $0[ticker] } ?? .ordinary }

  /// Takes what the venue has told.
  func take(_ series: [KalshiSeries]) {
    table.withLock { table in for one in series { table[one.ticker] = one.fees } }
  }
}

/// The section `[kalshi]`, as far as the ingestor uses it.
struct KalshiIngestingOptions {
  let marketsPerConnection: Int
  let marketsPerRequest: Int
  let silenceNanoseconds: Int64
  let refreshNanoseconds: Int64

  init(settings: Settings) {
    marketsPerConnection = settings.integer("kalshi", "markets_per_connection")
    marketsPerRequest = settings.integer("kalshi", "markets_per_request")
    silenceNanoseconds = Int64(settings.integer("kalshi", "silence_s")) * 1_000_000_000
    refreshNanoseconds = Int64(settings.integer("kalshi", "metadata_refresh_s")) * 1_000_000_000
  }
}
