public import Market

/// What a venue offers over REST, one protocol for each kind of data (I1): a venue has those that its API has.
///
/// The clock is passed in: `now` decides which candle is closed and which trade is recent.
public protocol VenueSource: Sendable {
  /// Which venue it is.
  var venue: Venue { get }
}

/// A venue that has candles.
public protocol CandleSource: VenueSource {
  /// The lengths that it has, shortest first.
  var candlePeriods: [CandlePeriod] { get }

  /// The candles that start in a span, oldest first; periods without a candle are missing.
  ///
  /// As many requests are sent as the venue's page limits call for.
  /// - Parameters:
  ///   - symbol: the venue's name of the pair.
  ///   - period: one of `candlePeriods`.
  ///   - from: the first start that is wanted.
  ///   - to: the first start that is not wanted.
  ///   - now: the time of day.
  /// - Returns: the candles; the one whose period is not over is not `isClosed`.
  /// - Throws: `VenueError`; its cause is `impossible` for a period that the venue does not have, and `absent` where the
  ///   venue no longer tells of any part of the span.
  func candles(
    symbol: String, period: CandlePeriod, from: Timestamp, to: Timestamp, now: Timestamp
  ) async throws(VenueError) -> [Candle]
}

extension CandleSource {
  /// The lengths in seconds of those candles that have a fixed one, rising.
  public var candlePeriodsSeconds: [Int64] { candlePeriods.compactMap(\.seconds) }

  /// The candles of a fixed length that start in a span; see `candles(symbol:period:from:to:now:)`.
  public func candles(
    symbol: String, periodSeconds: Int64, from: Timestamp, to: Timestamp, now: Timestamp
  ) async throws(VenueError) -> [Candle] {
    try await candles(symbol: symbol, period: .seconds(periodSeconds), from: from, to: to, now: now)
  }

  /// The venue's name of a period.
  /// - Throws: `VenueError`, `impossible`, where it has none.
  func name<Name>(of period: CandlePeriod, in names: [(CandlePeriod, Name)]) throws(VenueError) -> Name {
    guard let name = names.first(where: { $0.0 == period })?.1 else {
      throw VenueError(
        venue: venue, kind: "candles", field: "period", problem: "the venue has no candles of \(period)",
        cause: .impossible)
    }
    return name
  }
}

/// A venue that tells the best prices of a pair.
public protocol TickerSource: VenueSource {
  /// The best bid and ask now.
  /// - Parameters:
  ///   - symbol: the venue's name of the pair.
  ///   - now: the ticker's time where the venue gives none.
  /// - Returns: the ticker.
  /// - Throws: `VenueError`.
  func ticker(symbol: String, now: Timestamp) async throws(VenueError) -> Ticker
}

/// Trades, of which those that were too old are left out and counted (I4).
public struct RecentTrades: Hashable, Sendable {
  /// The trades that are young enough, in the venue's order.
  public var trades: [Trade]
  /// How many were too old.
  public var tooOldCount: Int

  /// Keeps the trades that the filter accepts.
  public init(_ all: [Trade], filter: TradeAgeFilter, now: Timestamp) {
    trades = all.filter { filter.accepts($0.time, now: now) }
    tooOldCount = all.count - trades.count
  }
}

/// A venue that tells what was traded.
public protocol TradeSource: VenueSource {
  /// What the venue calls recent trades, filtered by their own time.
  /// - Parameters:
  ///   - symbol: the venue's name of the pair, or the id of the market.
  ///   - filter: the greatest age.
  ///   - now: the time of day.
  /// - Returns: those that are young enough, and how many are not.
  /// - Throws: `VenueError`.
  func recentTrades(
    symbol: String, filter: TradeAgeFilter, now: Timestamp
  ) async throws(VenueError) -> RecentTrades
}

/// What a venue lists: the markets, and beside them what could not be read.
public struct MarketListing: Sendable {
  /// The markets, in the venue's order, each id once.
  public var markets: [PredictionMarket] = []
  /// Markets that were left out, each with its reason.
  public var rejected: [VenueError] = []
  /// How many pages were read.
  public var pageCount = 0

  /// An empty listing.
  public init() {}
}

/// A venue of prediction markets.
public protocol MarketSource: VenueSource {
  /// All markets that are open now, paged to the end.
  /// - Throws: `VenueError` where a page cannot be had or is no page; one bad market only counts as rejected.
  func markets() async throws(VenueError) -> MarketListing

  /// One market, open or closed; nil where the venue does not know it.
  /// - Throws: `VenueError`.
  func market(id: String) async throws(VenueError) -> PredictionMarket?
}

/// A whole order book, checked: both sides worst first, prices distinct, inside the grid and not crossed.
public struct BookSnapshot: Hashable, Sendable {
  /// Whose book.
  public var instrument: InstrumentID
  /// The market that the instrument is an outcome of.
  public var marketID: String
  /// Bids, prices rising.
  public var bids: [Level]
  /// Asks, prices falling.
  public var asks: [Level]
  /// The venue's time of it.
  public var venueTime: Timestamp
  /// The grid of prices; nil where the venue did not say.
  public var tick: Price?

  /// A book by its parts.
  public init(
    instrument: InstrumentID, marketID: String, bids: [Level], asks: [Level], venueTime: Timestamp, tick: Price?
  ) {
    self.instrument = instrument
    self.marketID = marketID
    self.bids = bids
    self.asks = asks
    self.venueTime = venueTime
    self.tick = tick
  }
}

/// The answer to a request for many books.
public struct BookListing: Sendable {
  /// The books that came and are good.
  public var books: [BookSnapshot] = []
  /// Tokens for which the venue gave no book: it has none.
  public var missing: [String] = []
  /// Books that were refused, each with its reason.
  public var rejected: [VenueError] = []

  /// An empty listing.
  public init() {}
}

/// A venue that has order books.
public protocol BookSource: VenueSource {
  /// One book; nil where the venue has none for the token.
  /// - Throws: `VenueError`.
  func book(token: String) async throws(VenueError) -> BookSnapshot?

  /// Many books, asked for in batches; one bad book only counts as rejected.
  /// - Throws: `VenueError` where a batch cannot be had.
  func books(tokens: [String]) async throws(VenueError) -> BookListing
}
