public import Daemon
public import Market
internal import Web

/// Kalshi over REST: what is listed, order books, trades, and with a key what we hold.
///
/// Every request is signed where there is a key; public ones also go without.
public struct KalshiREST: MarketSource, BookSource, TradeSource {
  /// The most rows of one page, by what is asked for.
  enum PageSize {
    static let events = 200
    static let markets = 1000
    static let trades = 1000
    static let portfolio = 1000
  }

  /// The most pages that are read: a venue that never ends is an error.
  static let pagesMax = 5000
  /// The most books of one request.
  static let booksPerRequestMax = 100

  let connection: RESTConnection
  private let fees: @Sendable (String) -> KalshiFees

  /// A client of one base URL.
  /// - Parameters:
  ///   - endpoint: the API with its version, `https://external-api.kalshi.com/trade-api/v2` at the venue itself.
  ///   - transport: what carries the requests.
  ///   - signer: signs them; without one only what is public can be had.
  ///   - clock: the time of day that is signed.
  ///   - timeoutMilliseconds: how long one request may take.
  ///   - fees: what a series charges, where that is known.
  ///   - pacer: keeps the requests under the venue's limits.
  public init(
    endpoint: Endpoint, transport: VenueTransport, signer: KalshiSigner? = nil,
    clock: @escaping @Sendable () -> Timestamp = { SystemClock.now }, timeoutMilliseconds: Int = 30_000,
    fees: @escaping @Sendable (String) -> KalshiFees = { _ in .ordinary }, pacer: RequestPacer? = nil
  ) {
    var connection = RESTConnection(
      venue: .kalshi, endpoint: endpoint, transport: transport, timeoutMilliseconds: timeoutMilliseconds)
    connection.pacer = pacer
    connection.authorise = { (method, url) throws(VenueError) in
      try KalshiSigner.headers(signer, at: endpoint, method: method, url: url, time: clock())
    }
    self.connection = connection
    self.fees = fees
  }

  /// Which venue it is.
  public var venue: Venue { .kalshi }

  // MARK: - Catalogue

  /// All markets of all open events.
  public func markets() async throws(VenueError) -> MarketListing {
    let listing = try await events(status: "open")
    var result = MarketListing()
    var seen: Set<String> = []
    result.pageCount = listing.pageCount
    result.rejected = listing.rejected
    for event in listing.events {
      for market in event.markets where seen.insert(market.market.id).inserted { result.markets.append(market.market) }
    }
    return result
  }

  /// Events with their markets, paged to the end.
  /// - Parameters:
  ///   - status: the filter's word: `unopened`, `open`, `closed` or `settled`; nil for all.
  ///   - series: only those of one series.
  /// - Returns: the events, and beside them what could not be read.
  /// - Throws: `VenueError` where a page cannot be had or is no page.
  public func events(status: String? = nil, series: String? = nil) async throws(VenueError) -> KalshiEventListing {
    var listing = KalshiEventListing()
    var query = [("limit", "\(PageSize.events)"), ("with_nested_markets", "true")]
    if let status { query.append(("status", status)) }
    if let series { query.append(("series_ticker", series)) }
    let fees = fees
    listing.pageCount = try await pages("events", "/events", query: query) { wire throws(WireProblem) in
      try KalshiREST.parseEvents(wire, fees: fees)
    } take: { page in
      listing.events += page.events
      listing.rejected += page.rejected
    }
    return listing
  }

  /// Markets, paged to the end.
  /// - Parameters:
  ///   - status: the filter's word: `unopened`, `open`, `paused`, `closed` or `settled`; nil for all.
  ///   - event: only those of one event.
  ///   - tickers: only these.
  /// - Returns: the markets, and beside them what could not be read.
  /// - Throws: `VenueError` where a page cannot be had or is no page.
  public func listMarkets(
    status: String? = nil, event: String? = nil, tickers: [String] = []
  ) async throws(VenueError) -> KalshiMarketListing {
    var listing = KalshiMarketListing()
    var query = [("limit", "\(PageSize.markets)")]
    if let status { query.append(("status", status)) }
    if let event { query.append(("event_ticker", event)) }
    if !tickers.isEmpty { query.append(("tickers", tickers.joined(separator: ","))) }
    let fees = fees
    listing.pageCount = try await pages("markets", "/markets", query: query) { wire throws(WireProblem) in
      try KalshiREST.parseMarkets(wire, fees: fees)
    } take: { page in
      listing.markets += page.markets
      listing.rejected += page.rejected
    }
    return listing
  }

  /// One market by its ticker, as every venue's markets are told; nil where the venue does not know it.
  public func market(id ticker: String) async throws(VenueError) -> PredictionMarket? {
    try await market(ticker: ticker)?.market
  }

  /// One market; nil where the venue does not know it.
  /// - Throws: `VenueError`.
  public func market(ticker: String) async throws(VenueError) -> KalshiMarket? {
    let fees = fees
    return try await found {
      () async throws(VenueError) in
      try await connection.get("market", "/markets/" + percentEncoded(ticker), query: []) {
        wire throws(WireProblem) in
        let market = try KalshiREST.parseMarket(wire, fees: fees)
        guard market.market.id == ticker else {
          throw WireProblem("market.ticker", "expected the market that was asked for, found another")
        }
        return market
      }
    }
  }

  /// One event with its markets; nil where the venue does not know it.
  /// - Throws: `VenueError`.
  public func event(ticker: String) async throws(VenueError) -> KalshiEvent? {
    let fees = fees
    return try await found { () async throws(VenueError) in
      try await connection.get("event", "/events/" + percentEncoded(ticker), query: []) { wire throws(WireProblem) in
        try KalshiREST.parseEvent(wire, fees: fees).event
      }
    }
  }

  /// One series; nil where the venue does not know it.
  /// - Throws: `VenueError`.
  public func series(ticker: String) async throws(VenueError) -> KalshiSeries? {
    try await found { () async throws(VenueError) in
      try await connection.get("series", "/series/" + percentEncoded(ticker), query: [], KalshiREST.parseSeries)
    }
  }

  /// All series, paged to the end; nil where the venue has no such list.
  /// - Throws: `VenueError`.
  public func allSeries() async throws(VenueError) -> [KalshiSeries]? {
    var all: [KalshiSeries] = []
    do {
      _ = try await pages("series", "/series", query: [], KalshiREST.parseSeriesPage) { all += $0 }
    } catch {
      if error.cause == .status(404) || error.cause == .status(400) { return nil }
      throw error
    }
    return all
  }

  // MARK: - Books

  /// One outcome's book; nil where the venue does not know the market.
  ///
  /// REST gives no time: it is 0.
  public func book(token: String) async throws(VenueError) -> BookSnapshot? {
    guard let (ticker, outcome) = KalshiOutcome.parse(token: token) else { return nil }
    return try await levels(ticker: ticker)?.book(of: ticker, outcome, venueTime: Timestamp(nanoseconds: 0))
  }

  /// All bids of a market; nil where the venue does not know it.
  /// - Throws: `VenueError`.
  public func levels(ticker: String) async throws(VenueError) -> KalshiLevels? {
    try await found { () async throws(VenueError) in
      try await connection.get("orderbook", "/markets/\(percentEncoded(ticker))/orderbook", query: []) {
        wire throws(WireProblem) in
        let book = try KalshiREST.parseOrderbook(wire)
        if let named = book.ticker, named != ticker {
          throw WireProblem("ticker", "expected the market that was asked for, found another")
        }
        return book.levels
      }
    }
  }

  /// Many outcomes' books, by markets in batches of 100; a bad one is counted, and leaves the others.
  public func books(tokens: [String]) async throws(VenueError) -> BookListing {
    var listing = BookListing()
    var order: [String] = []
    var wanted: [String: [KalshiOutcome]] = [:]
    for token in tokens {
      guard let (ticker, outcome) = KalshiOutcome.parse(token: token) else {
        listing.missing.append(token)
        continue
      }
      if wanted[ticker] == nil { order.append(ticker) }
      wanted[ticker, default: []].append(outcome)
    }
    let found = try await levels(tickers: order)
    listing.rejected = found.rejected.map(\.error)
    let refused = Set(found.rejected.compactMap(\.ticker))
    for ticker in order {
      for outcome in wanted[ticker] ?? [] {
        if let levels = found.levels[ticker] {
          listing.books.append(levels.book(of: ticker, outcome, venueTime: Timestamp(nanoseconds: 0)))
        } else if !refused.contains(ticker) {
          listing.missing.append(outcome.token(ofMarket: ticker))
        }
      }
    }
    return listing
  }

  /// All bids of many markets, in batches of 100.
  /// - Throws: `VenueError` where a batch cannot be had.
  public func levels(tickers: [String]) async throws(VenueError) -> KalshiLevelListing {
    var listing = KalshiLevelListing()
    var start = 0
    while start < tickers.count {
      let batch = tickers[start..<min(start + KalshiREST.booksPerRequestMax, tickers.count)]
      start = batch.endIndex
      let page = try await connection.get(
        "orderbooks", "/markets/orderbooks", query: batch.map { ("tickers", $0) }, KalshiREST.parseOrderbooks)
      let asked = Set(batch)
      for (ticker, levels) in page.levels where asked.contains(ticker) { listing.levels[ticker] = levels }
      listing.rejected += page.rejected
    }
    return listing
  }

  // MARK: - Trades

  /// The last trades of a market (by its ticker, or a token of it), filtered by age; those outside of the book are left
  /// out.
  public func recentTrades(
    symbol: String, filter: TradeAgeFilter, now: Timestamp
  ) async throws(VenueError) -> RecentTrades {
    let ticker = KalshiOutcome.parse(token: symbol)?.ticker ?? symbol
    let page = try await connection.get(
      "trades", "/markets/trades", query: [("ticker", ticker), ("limit", "\(PageSize.trades)")],
      KalshiREST.parseTrades)
    return RecentTrades(page.filter { !$0.isBlock }.map(\.common), filter: filter, now: now)
  }

  /// Trades of a span, paged to the end, newest first.
  /// - Throws: `VenueError`.
  public func trades(ticker: String, from: Timestamp, to: Timestamp) async throws(VenueError) -> [KalshiTrade] {
    try await trades([("ticker", ticker)], from, to)
  }

  /// Trades of all markets in a span, paged to the end, newest first.
  /// - Throws: `VenueError`.
  public func allTrades(from: Timestamp, to: Timestamp) async throws(VenueError) -> [KalshiTrade] {
    try await trades([], from, to)
  }

  private func trades(
    _ which: [(String, String)], _ from: Timestamp, _ to: Timestamp
  ) async throws(VenueError) -> [KalshiTrade] {
    var all: [KalshiTrade] = []
    _ = try await pages(
      "trades", "/markets/trades",
      query: which + [
        ("limit", "\(PageSize.trades)"), ("min_ts", "\(from.seconds)"), ("max_ts", "\(to.seconds)"),
      ], KalshiREST.parseTrades
    ) { all += $0 }
    return all
  }

  // MARK: - Requests

  /// Reads pages until a cursor is empty or missing.
  /// - Returns: how many pages there were.
  func pages<Page: Sendable>(
    _ kind: String, _ path: String, query: [(String, String)],
    _ parse: @Sendable (Wire) throws(WireProblem) -> Page, take: (Page) -> Void
  ) async throws(VenueError) -> Int {
    var cursor: String?
    var count = 0
    repeat {
      let (page, next) = try await connection.get(
        kind, path, query: query + (cursor.map { [("cursor", $0)] } ?? [])
      ) { wire throws(WireProblem) -> (Page, String?) in
        let next = try wire.optionalText("cursor") ?? ""
        return (try parse(wire), next.isEmpty ? nil : next)
      }
      take(page)
      count += 1
      guard next == nil || next != cursor else {
        throw VenueError(venue: .kalshi, kind: kind, field: "cursor", problem: "the same cursor came twice")
      }
      guard count < KalshiREST.pagesMax else {
        throw VenueError(venue: .kalshi, kind: kind, problem: "more than \(KalshiREST.pagesMax) pages")
      }
      cursor = next
    } while cursor != nil
    return count
  }

  /// Nil where the venue answers that there is no such thing.
  private func found<Value>(
    _ body: () async throws(VenueError) -> Value
  ) async throws(VenueError) -> Value? {
    do { return try await body() } catch {
      if error.cause == .status(404) { return nil }
      throw error
    }
  }
}

/// What Kalshi lists by events.
public struct KalshiEventListing: Sendable {
  /// The events, in the venue's order.
  public var events: [KalshiEvent] = []
  /// Events and markets that were left out, each with its reason.
  public var rejected: [VenueError] = []
  /// How many pages were read.
  public var pageCount = 0
}

/// What Kalshi lists by markets.
public struct KalshiMarketListing: Sendable {
  /// The markets, in the venue's order.
  public var markets: [KalshiMarket] = []
  /// Markets that were left out, each with its reason.
  public var rejected: [VenueError] = []
  /// How many pages were read.
  public var pageCount = 0
}

/// Books of many markets.
public struct KalshiLevelListing: Sendable {
  /// The bids by market.
  public var levels: [String: KalshiLevels] = [:]
  /// Books that were refused, with the market where that could be read.
  public var rejected: [(ticker: String?, error: VenueError)] = []
}
