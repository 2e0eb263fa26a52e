internal import Bus
internal import Daemon
internal import Market
internal import Venues
internal import Web

/// What other threads hand to the ingestor's loop.
enum PolymarketLetter: Sendable {
  case listing(Result<CatalogueListing<PackedListing>, VenueError>)
  case connected(connection: Int, attempt: Int, Result<WebSocketPeer, WebSocketError>)
  case books(Result<BookListing, VenueError>, asked: [BookIndex], requestedAt: Int64)
  case sampled(Result<BookListing, VenueError>)
  case polled(Result<BookListing, VenueError>)
  case sizes(market: String, [Trade]?)
  case caughtUp(Result<FetchedTrades, VenueError>, MissedTrades)
}

/// One stream of Polymarket, with the books that it watches.
struct PolymarketConnection: IngestingConnection {
  var stream = StreamConnection()
  var books: [BookIndex] = []
  var nextPingAt: Int64 = 0
  var isUnused: Bool { books.isEmpty }
}

/// Polymarket's ingestor: catalogue and streams in, markets, books and trades out on the bus.
final class PolymarketIngestingService: SampledIngestingService {
  let loop: IngestingLoop<PolymarketLetter>
  let markets: PolymarketBooks
  var desk: MarketDesk<PackedListing>
  var sampling: SampleDesk
  var history: HistoryDesk
  /// Trades whose size is asked for.
  var sizes: SizeBackfill
  var connections: [PolymarketConnection] = []
  let attemptsMax = 8
  let rest: PolymarketREST
  let streamEndpoint: Endpoint
  let options: PolymarketIngestingOptions

  /// Which stream watches each book.
  var watches: [StreamWatch] = []
  /// When books were asked for by REST, in monotonic nanoseconds; those that may be asked again are not in it.
  var askedAt: [BookIndex: Int64] = [:]
  var booksInFlight = 0
  var restBooks: UInt64 = 0
  var unwatchedBooks: UInt64 = 0

  /// Binds its endpoint.
  ///
  /// - Throws: `ConfigurationError`, `BusError` or `SystemError`.
  init(context: WorkerContext) throws {
    let settings = context.settings
    options = PolymarketIngestingOptions(settings: settings)
    sampling = SampleDesk(settings: settings, section: "polymarket")
    sizes = SizeBackfill(options: SizeBackfill.Options(settings: settings))
    loop = try IngestingLoop(context: context, venue: .polymarket)
    history = try HistoryDesk(loop)
    desk = MarketDesk(loop, refreshNanoseconds: options.refreshNanoseconds)
    markets = PolymarketBooks(
      verifiesHash: settings.boolean("polymarket", "verify_book_hash"),
      tradeAge: TradeAgeFilter(ageMaxSeconds: Int64(settings.integer("polymarket", "trade_age_max_s"))))
    func endpoint(_ key: String) -> Endpoint {
      Endpoint(settings.text("polymarket", key), runDirectory: context.runDirectory)
    }
    rest = PolymarketREST(
      settings: settings, runDirectory: context.runDirectory, transport: VenueTransport(HTTPClient()))
    streamEndpoint = endpoint("websocket_url")
    publishAtMomentEnds()
  }

  var silenceNanoseconds: Int64 { options.silenceNanoseconds }
  var statusSource: (any StatusSource)? { rest }

  func take(_ letter: PolymarketLetter) {
    switch letter {
    case .listing(let result): take(listing: result)
    case .connected(let connection, let attempt, let result): connected(connection, attempt, result)
    case .books(let result, let asked, let requestedAt): take(books: result, asked: asked, requestedAt: requestedAt)
    case .sampled(let result): take(sampled: result)
    case .polled(let result): take(polled: result)
    case .sizes(let market, let trades): take(sizes: trades, ofMarket: market)
    case .caughtUp(let result, let missed): take(result, of: missed)
    }
  }

  static func connected(_ index: Int, _ attempt: Int, _ result: Result<WebSocketPeer, WebSocketError>)
    -> PolymarketLetter
  { .connected(connection: index, attempt: attempt, result) }

  static func listed(_ result: Result<CatalogueListing<PackedListing>, VenueError>) -> PolymarketLetter {
    .listing(result)
  }

  static func sampled(_ result: Result<BookListing, VenueError>) -> PolymarketLetter { .sampled(result) }

  static func polled(_ result: Result<BookListing, VenueError>) -> PolymarketLetter { .polled(result) }

  static func caughtUp(_ result: Result<FetchedTrades, VenueError>, _ missed: MissedTrades) -> PolymarketLetter {
    .caughtUp(result, missed)
  }

  func work(_ now: Int64) {
    requestWantedBooks()
    backfillSizes(now)
    judgeSample(now)
  }

  /// Nothing waits for its size any more: the process ends.
  func stopped() {
    publish(sizes.takeAll())
    finishHistory()
  }

  func check(_ now: Int64) {
    // What the last change said is over by now; where there is much, the rest of it may still be on its way.
    let quietSince = SystemClock.now.advanced(bySeconds: -1)
    for connection in connections where connection.stream.state == .open {
      markets.checkBestPrices(connection.books, quietSince: quietSince, desk.batch)
    }
    publishBatch()
    if !askedAt.isEmpty { askedAt = askedAt.filter { now - $0.value <= askAgainNanoseconds } }
    for connection in connections
    where connection.stream.state == .open && now - connection.stream.openedAt > 5_000_000_000 {
      // One that was just subscribed comes by the stream.
      markets.wantMissing(
        connection.books.filter { askedAt[$0] == nil && watches[$0].isOlder(than: now - 5_000_000_000) })
    }
    sampleBooks(now)
    pollBooks(now)
  }

  /// The venue has no book for some tokens: each is asked for only so often.
  private var askAgainNanoseconds: Int64 { 30_000_000_000 }

  var counted: [String: Int64] {
    let counters = markets.counters
    let own: [String: Int64] = [
      "frames": Int64(counters.frames), "snapshots": Int64(counters.snapshots), "changes": Int64(counters.changes),
      "late": Int64(counters.late),
      "trades": Int64(counters.trades), "trades_too_old": Int64(counters.oldTrades),
      "trades_without_size": Int64(counters.tradesWithoutSize), "unknown_tokens": Int64(counters.unknownTokens),
      "changes_dropped": Int64(counters.droppedChanges), "hash_mismatches": Int64(counters.hashMismatches),
      "crossed_by_change": Int64(counters.crossedByChange), "best_mismatches": Int64(counters.bestMismatches),
      "changes_too_old": Int64(counters.oldChanges), "changes_reordered": Int64(counters.reordered),
      "snapshots_too_old": Int64(counters.oldSnapshots),
      "ignored": Int64(counters.ignored), "refused": Int64(counters.refused.values.reduce(0, +)),
      "books_wanted": Int64(markets.wanted.count), "rest_books": Int64(restBooks),
      "rest_books_unwatched": Int64(unwatchedBooks),
    ]
    return own.merging(sampling.health) { $1 }.merging(sizes.health) { $1 }
  }
}

/// The section `[polymarket]`, as far as the ingestor uses it.
struct PolymarketIngestingOptions {
  let assetsPerConnection: Int
  let pingNanoseconds: Int64
  let silenceNanoseconds: Int64
  let refreshNanoseconds: Int64

  init(settings: Settings) {
    assetsPerConnection = settings.integer("polymarket", "assets_per_connection")
    pingNanoseconds = Int64(settings.integer("polymarket", "ping_s")) * 1_000_000_000
    silenceNanoseconds = Int64(settings.integer("polymarket", "silence_s")) * 1_000_000_000
    refreshNanoseconds = Int64(settings.integer("polymarket", "metadata_refresh_s")) * 1_000_000_000
  }
}
