internal import Bus
public import Daemon
internal import Market
internal import Venues
internal import Web

/// What other threads hand to the ingestor's loop.
enum PolymarketLetter: Sendable {
  case listing(Result<MarketListing, VenueError>)
  case connected(connection: Int, attempt: Int, Result<WebSocketPeer, WebSocketError>)
  case books(Result<BookListing, VenueError>, asked: [BookIndex], requestedAt: Int64)
  case sampled(Result<BookListing, VenueError>)
  case polled(Result<BookListing, VenueError>)
}

/// Polymarket's ingestor: catalogue and streams in, markets, books and trades out on the bus.
///
/// One loop owns the books, the streams and the publisher; REST requests and connection attempts run elsewhere and post
/// their results. `run` returns when the process is told to stop.
public final class PolymarketIngestingService {
  let context: WorkerContext
  let publisher: Publisher
  let marketTopic: TopicHandle
  let bookTopic: TopicHandle
  let tradeTopic: TopicHandle
  let healthTopic: TopicHandle
  let books: PolymarketBooks
  let batch = BookBatch()
  let rest: PolymarketREST
  let mailbox: Mailbox<PolymarketLetter>
  let streamEndpoint: Endpoint
  let options: PolymarketIngestingOptions
  let poller = Poller()

  var connections: [StreamConnection] = []
  var connectionOfBook: [Int] = []
  /// When each book was last asked for by REST, in monotonic nanoseconds.
  var askedAt: [Int64] = []
  /// Since when each book is watched, in monotonic nanoseconds.
  var watchedAt: [Int64] = []
  let shards: ShardFollower
  /// The markets of the last listing that other shards have: what a new plan gives to this one is taken from here.
  var foreign: [PredictionMarket] = []
  var listingRequestedAt: Int64 = 0
  /// When the listing that was last adopted was asked for, in monotonic nanoseconds.
  var catalogueAt: Int64 = 0
  /// A listing that came before the plan.
  var heldListing: MarketListing?
  /// Books that must be live, or known to be none, before the plan is confirmed.
  var unsettled: Set<BookIndex> = []
  var takenCount: UInt64 = 0
  var droppedCount: UInt64 = 0
  var pollSetChanged = true
  var isListing = false
  var nextListingAt: Int64 = 0
  var booksInFlight = 0
  var nextBookCheckAt: Int64 = 0
  var sample = BookSample(graceNanoseconds: 3_000_000_000)
  var samples = SampleCounters()
  var isSampling = false
  var nextSampleAt: Int64 = 0
  var pollQueue: [BookIndex] = []
  var pollsInFlight = 0
  var snapshots: [SnapshotInProgress] = []
  var isReady = false
  var listingFailures = 0
  var listings: UInt64 = 0
  var refusedListings: UInt64 = 0
  var restBooks: UInt64 = 0
  var unwatchedBooks: UInt64 = 0
  var random = SystemRandomNumberGenerator()

  /// Binds its endpoint.
  ///
  /// - Throws: `BusError` or `SystemError`.
  public init(context: WorkerContext) throws {
    self.context = context
    let settings = context.settings
    options = PolymarketIngestingOptions(settings: settings)
    shards = try ShardFollower(context: context)
    publisher = try Publisher(
      name: context.name, runDirectory: context.runDirectory,
      highWaterMark: settings.integer("bus", "high_water_mark_messages"))
    marketTopic = publisher.topic("\(Topic.market)polymarket/\(context.name)")
    bookTopic = publisher.topic("\(Topic.book)polymarket/\(context.name)")
    tradeTopic = publisher.topic("\(Topic.trade)polymarket/\(context.name)")
    healthTopic = publisher.topic(Topic.health + context.name)
    books = PolymarketBooks(
      verifiesHash: settings.boolean("polymarket", "verify_book_hash"),
      tradeAge: TradeAgeFilter(ageMaxSeconds: Int64(settings.integer("polymarket", "trade_age_max_s"))))
    mailbox = try Mailbox()
    func endpoint(_ key: String) -> Endpoint {
      Endpoint(settings.text("polymarket", key), runDirectory: context.runDirectory)
    }
    rest = PolymarketREST(
      endpoints: .init(gamma: endpoint("gamma_url"), clob: endpoint("clob_url"), data: endpoint("data_url")),
      transport: VenueTransport(HTTPClient()), verifiesHash: settings.boolean("polymarket", "verify_book_hash"))
    streamEndpoint = endpoint("websocket_url")
  }

  /// Ingests until told to stop.
  public func run() {
    var nextTick = SystemClock.monotonicNanoseconds
    while true {
      rebuildPollSet()
      let now = SystemClock.monotonicNanoseconds
      let isIdle = snapshots.isEmpty && !connections.contains { $0.peer?.hasBufferedInput == true }
      let wait = isIdle ? max(0, (nextTick - now + 999_999) / 1_000_000) : 0
      poller.wait(timeoutMilliseconds: Int(min(wait, 1000)))
      if poller.isReady(0), context.takeStop() { break }
      if poller.isReady(1) { publisher.processSubscriptions { snapshots.append(SnapshotInProgress(request: $0)) } }
      if poller.isReady(2) { for letter in mailbox.take() { take(letter) } }
      if poller.isReady(3), shards.receive() { follow(shards.plan) }
      for index in connections.indices where connections[index].place >= 0 {
        if poller.isReady(connections[index].place) || connections[index].peer?.hasBufferedInput == true {
          drain(index)
        }
      }
      continueSnapshots()
      let after = SystemClock.monotonicNanoseconds
      if after >= nextTick {
        nextTick = after + 100_000_000
        tick(after)
      }
    }
    context.notify("STOPPING=1")
    for connection in connections { connection.peer?.close(code: WebSocketCloseCode.goingAway, reason: "") }
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
      guard let peer = connections[index].peer, !peer.isClosed else {
        connections[index].place = -1
        continue
      }
      connections[index].place = poller.add(descriptor: peer.descriptor, writable: peer.wantsWrite)
    }
  }

  private func take(_ letter: PolymarketLetter) {
    switch letter {
    case .listing(let result): take(listing: result)
    case .connected(let connection, let attempt, let result): connected(connection, attempt, result)
    case .books(let result, let asked, let requestedAt): take(books: result, asked: asked, requestedAt: requestedAt)
    case .sampled(let result): take(sampled: result)
    case .polled(let result): take(polled: result)
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
    if now >= nextListingAt || books.metadataChanged, !isListing, now >= nextListingAt - listingGapNanoseconds {
      requestListing(now)
    }
    if now >= nextBookCheckAt {
      nextBookCheckAt = now + 1_000_000_000
      for connection in connections where connection.state == .open && now - connection.openedAt > 5_000_000_000 {
        // One that was just subscribed comes by the stream.
        books.wantMissing(
          connection.books.filter { now - askedAt[$0] > askAgainNanoseconds && now - watchedAt[$0] > 5_000_000_000 })
      }
      // A sign of life, even when no book changes: a subscriber sees a gap at its end within a second.
      batch.publish(on: publisher, bookTopic)
      publishHealth()
      sampleBooks(now)
      pollBooks(now)
    }
    requestWantedBooks()
  }

  /// The venue has no book for some tokens: each is asked for only so often.
  private var askAgainNanoseconds: Int64 { 30_000_000_000 }

  /// A venue that tells of many changes is asked at most this much sooner than the interval says.
  private var listingGapNanoseconds: Int64 { max(0, options.refreshNanoseconds - 2_000_000_000) }

  // MARK: - Publishing

  func publishBatch() {
    if batch.itemCount > 0 { batch.publish(on: publisher, bookTopic) }
    let trades = books.takeTrades()
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

  func writeMarkets(_ places: ArraySlice<Int>, _ writer: MessagePackWriter) {
    let owned = places.filter { books.entries[$0].isOwned }
    writer.array(owned.count)
    for place in owned {
      let entry = books.entries[place]
      MarketMessage(market: entry.market, books: entry.books.map { UInt32($0) }, term: entry.term).encode(writer)
    }
  }

  /// Sends the state to whoever joined: a part in each turn of the loop, so that the stream goes on meanwhile.
  private func continueSnapshots() {
    guard var snapshot = snapshots.first else { return }
    if snapshot.nextMarket < books.entries.count {
      let end = min(snapshot.nextMarket + 200, books.entries.count)
      publisher.publishSnapshot(snapshot.request, marketTopic) {
        writeMarkets(Array(snapshot.nextMarket..<end)[...], $0)
      }
      snapshot.nextMarket = end
    } else if snapshot.nextBook < books.cache.count {
      var items = 0
      publisher.publishSnapshot(snapshot.request, bookTopic) { writer in
        let count = writer.openArray()
        while snapshot.nextBook < books.cache.count, items < 200 {
          let book = snapshot.nextBook
          snapshot.nextBook += 1
          guard books.cache.header(book).state == .live else { continue }
          items += writeBookSnapshot(book: UInt32(book), index: book, of: books.cache, writer)
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
    let counters = books.counters
    var live = 0
    for book in 0..<books.cache.count where books.cache.headerUnchecked(book).pointee.state == .live { live += 1 }
    var values: [String: Int64] = [
      "frames": Int64(counters.frames), "snapshots": Int64(counters.snapshots), "changes": Int64(counters.changes),
      "trades": Int64(counters.trades), "trades_too_old": Int64(counters.oldTrades),
      "trades_without_size": Int64(counters.tradesWithoutSize), "unknown_tokens": Int64(counters.unknownTokens),
      "changes_dropped": Int64(counters.droppedChanges), "hash_mismatches": Int64(counters.hashMismatches),
      "crossed_by_change": Int64(counters.crossedByChange), "snapshots_too_old": Int64(counters.oldSnapshots),
      "ignored": Int64(counters.ignored),
      "refused": Int64(counters.refused.values.reduce(0, +)), "markets": Int64(books.ownedCount),
      "books": Int64(books.cache.count), "books_live": Int64(live), "books_wanted": Int64(books.wanted.count),
      "connections": Int64(connections.count), "listings": Int64(listings),
      "markets_refused": Int64(refusedListings), "rest_books": Int64(restBooks),
      "rest_books_unwatched": Int64(unwatchedBooks),
      "messages_published": Int64(publisher.sentCount), "snapshot_requests": Int64(publisher.snapshotRequestCount),
    ]
    values["sampled_books"] = Int64(samples.books)
    values["sampled_same"] = Int64(samples.same)
    values["sampled_moved"] = Int64(samples.moved)
    values["sampled_different"] = Int64(samples.different)
    values["samples_failed"] = Int64(samples.failed)
    values["frozen"] = Int64(samples.frozen)
    values["polls"] = Int64(samples.polls)
    values["polls_failed"] = Int64(samples.failedPolls)
    values["polled_books"] = Int64(samples.polledBooks)
    values["shard"] = Int64(shards.shard)
    values["shards"] = Int64(shards.plan.count)
    values["markets_taken"] = Int64(takenCount)
    values["markets_dropped"] = Int64(droppedCount)
    values["books_unsettled"] = Int64(unsettled.count)
    values["hand_over_ms"] = shards.lastHandOverNanoseconds / 1_000_000
    values["connections_open"] = Int64(connections.filter { $0.state == .open }.count)
    values["reconnections"] = Int64(connections.reduce(0) { $0 + max(0, $1.openCount - 1) })
    let message = HealthMessage(name: context.name, counters: values)
    publisher.publish(healthTopic) { message.encode($0) }
  }
}

/// How far a subscriber's snapshot has come.
struct SnapshotInProgress {
  let request: SnapshotRequest
  var nextMarket = 0
  var nextBook = 0
}

/// The section `[polymarket]`, as far as the ingestor uses it.
struct PolymarketIngestingOptions {
  let assetsPerConnection: Int
  let pingNanoseconds: Int64
  let silenceNanoseconds: Int64
  let refreshNanoseconds: Int64
  let sampleNanoseconds: Int64
  let sampleCount: Int
  let frozenNanoseconds: Int64
  let pollNanoseconds: Int64

  init(settings: Settings) {
    assetsPerConnection = settings.integer("polymarket", "assets_per_connection")
    pingNanoseconds = Int64(settings.integer("polymarket", "ping_s")) * 1_000_000_000
    silenceNanoseconds = Int64(settings.integer("polymarket", "silence_s")) * 1_000_000_000
    refreshNanoseconds = Int64(settings.integer("polymarket", "metadata_refresh_s")) * 1_000_000_000
    sampleNanoseconds = Int64(settings.integer("polymarket", "sample_s")) * 1_000_000_000
    sampleCount = settings.integer("polymarket", "sample_books")
    frozenNanoseconds = Int64(settings.integer("polymarket", "frozen_s")) * 1_000_000_000
    pollNanoseconds = Int64(settings.integer("polymarket", "poll_s")) * 1_000_000_000
  }
}
