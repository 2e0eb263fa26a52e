internal import Bus
internal import Daemon
internal import Market
internal import Synchronization
internal import Venues
internal import Web

/// What other threads hand to the ingestor's loop.
enum KalshiLetter: Sendable {
  case listing(Result<CatalogueListing<KalshiMarket>, VenueError>)
  case series(Result<[KalshiSeries]?, VenueError>)
  case connected(connection: Int, attempt: Int, Result<WebSocketPeer, WebSocketError>)
  case sampled(Result<BookListing, VenueError>)
  case polled(Result<BookListing, VenueError>)
  case caughtUp(Result<FetchedTrades, VenueError>, MissedTrades)
}

/// Kalshi's ingestor: catalogue and streams in, markets, books and trades out on the bus.
final class KalshiIngestingService: SampledIngestingService {
  let loop: IngestingLoop<KalshiLetter>
  let markets: KalshiMarkets
  var desk: MarketDesk<KalshiMarket>
  var sampling: SampleDesk
  var history: HistoryDesk
  var connections: [KalshiConnection] = []
  let attemptsMax = 4
  let rest: KalshiREST
  let signer: KalshiSigner?
  let fees = KalshiFeeTable()
  let streamEndpoint: Endpoint
  let options: KalshiIngestingOptions

  /// Which connection watches a market, by the market's place; −1 for none.
  var connectionOfMarket: [Int] = []
  var nextSeriesAt: Int64 = 0
  var resynchronisations: UInt64 = 0

  /// Reads the key where the settings name one, and binds its endpoint.
  ///
  /// - Throws: `ConfigurationError` where the key cannot be read, `BusError` or `SystemError`.
  init(context: WorkerContext) throws {
    let settings = context.settings
    options = KalshiIngestingOptions(settings: settings)
    sampling = SampleDesk(settings: settings, section: "kalshi")
    do {
      signer = try KalshiSigner.configured(settings)
    } catch {
      throw ConfigurationError(file: settings.path, problem: "[kalshi] \(error.field): \(error.problem)")
    }
    loop = try IngestingLoop(context: context, venue: .kalshi)
    history = try HistoryDesk(loop)
    desk = MarketDesk(loop, refreshNanoseconds: options.refreshNanoseconds)
    markets = KalshiMarkets(
      tradeAge: TradeAgeFilter(ageMaxSeconds: Int64(settings.integer("kalshi", "trade_age_max_s"))))
    let fees = self.fees
    rest = KalshiREST(
      settings: settings, runDirectory: context.runDirectory, transport: VenueTransport(HTTPClient()), signer: signer,
      fees: { fees.of(series: $0) })
    streamEndpoint = Endpoint(settings.text("kalshi", "websocket_url"), runDirectory: context.runDirectory)
    publishAtMomentEnds()
  }

  var silenceNanoseconds: Int64 { options.silenceNanoseconds }
  var statusSource: (any StatusSource)? { rest }

  func take(_ letter: KalshiLetter) {
    switch letter {
    case .listing(let result): take(listing: result)
    case .series(let result): take(series: result)
    case .connected(let connection, let attempt, let result): connected(connection, attempt, result)
    case .sampled(let result): take(sampled: result)
    case .polled(let result): take(polled: result)
    case .caughtUp(let result, let missed): take(result, of: missed)
    }
  }

  static func connected(_ index: Int, _ attempt: Int, _ result: Result<WebSocketPeer, WebSocketError>) -> KalshiLetter {
    .connected(connection: index, attempt: attempt, result)
  }

  static func listed(_ result: Result<CatalogueListing<KalshiMarket>, VenueError>) -> KalshiLetter { .listing(result) }

  static func sampled(_ result: Result<BookListing, VenueError>) -> KalshiLetter { .sampled(result) }

  static func polled(_ result: Result<BookListing, VenueError>) -> KalshiLetter { .polled(result) }

  static func caughtUp(_ result: Result<FetchedTrades, VenueError>, _ missed: MissedTrades) -> KalshiLetter {
    .caughtUp(result, missed)
  }

  func work(_ now: Int64) {
    if now >= nextSeriesAt { requestSeries(now) }
    judgeSample(now)
  }

  func check(_ now: Int64) {
    sampleBooks(now)
    pollBooks(now)
  }

  var counted: [String: Int64] {
    let counters = markets.counters
    let own: [String: Int64] = [
      "frames": Int64(counters.messages), "snapshots": Int64(counters.snapshots), "changes": Int64(counters.changes),
      "late": Int64(counters.late),
      "trades": Int64(counters.trades), "trades_too_old": Int64(counters.oldTrades),
      "trades_block": Int64(counters.blockTrades), "unknown_markets": Int64(counters.unknownMarkets),
      "changes_dropped": Int64(counters.droppedChanges), "changes_impossible": Int64(counters.impossibleChanges),
      "off_grid": Int64(counters.offGrid), "gaps": Int64(counters.gaps), "repetitions": Int64(counters.repetitions),
      "ignored": Int64(counters.ignored), "refused": Int64(counters.refused.values.reduce(0, +)),
      "resynchronisations": Int64(resynchronisations),
      "books_wanted": Int64(connections.reduce(0) { $0 + $1.fold.wanted.count }),
    ]
    return own.merging(sampling.health) { $1 }
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
