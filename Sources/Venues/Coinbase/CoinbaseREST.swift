public import Market

/// Coinbase Exchange's market data over REST: candles, ticker, trades.
///
/// Products are the venue's: `BTC-USD`. This is the Exchange API, not Advanced Trade, whose shapes differ.
public struct CoinbaseREST: CandleSource, TickerSource, TradeSource {
  /// The granularities: others are refused.
  static let periods: [CandlePeriod] = [60, 300, 900, 3600, 21_600, 86_400].map { .seconds($0) }

  /// The most candles of one answer; a larger span is refused.
  static let rowsPerPageMax: Int64 = 300

  let connection: RESTConnection

  /// A client of one base URL.
  /// - Parameters:
  ///   - endpoint: the API, `https://api.exchange.coinbase.com` at the venue itself.
  ///   - transport: what carries the requests.
  ///   - pacer: keeps them under the venue's limits.
  public init(endpoint: Endpoint, transport: VenueTransport, pacer: RequestPacer? = nil) {
    var connection = RESTConnection(format: CoinbaseREST.format, endpoint: endpoint, transport: transport)
    connection.pacer = pacer
    self.connection = connection
  }

  /// Which venue it is.
  public var venue: Venue { .coinbase }

  /// One, five and fifteen minutes, one and six hours, one day.
  public var candlePeriods: [CandlePeriod] { CoinbaseREST.periods }

  /// Candles, paged beyond the 300 rows of one answer; minutes without trades are missing, and stay so.
  public func candles(
    symbol: String, period: CandlePeriod, from: Timestamp, to: Timestamp, now: Timestamp
  ) async throws(VenueError) -> [Candle] {
    _ = try name(of: period, in: CoinbaseREST.periods.map { ($0, "") })
    let seconds = period.longestSeconds
    var candles: [Candle] = []
    var pageStart = from
    while pageStart < to {
      // Both ends of the venue's span are inclusive.
      let pageEnd = min(to, pageStart.advanced(bySeconds: seconds * (CoinbaseREST.rowsPerPageMax - 1)))
      let page = try await connection.get(
        "candles", "/products/\(percentEncoded(symbol))/candles",
        query: [("granularity", "\(seconds)"), ("start", "\(pageStart.seconds)"), ("end", "\(pageEnd.seconds)")]
      ) { wire throws(WireProblem) in
        try CoinbaseREST.parseCandles(wire, period: period, now: now)
      }
      // Rows may begin before the span, and pages may overlap.
      for candle in page.within(from, to) {
        if let last = candles.last, candle.start <= last.start { continue }
        candles.append(candle)
      }
      pageStart = pageEnd == to ? to : pageEnd.advanced(bySeconds: seconds)
    }
    return candles
  }

  /// Best bid and ask; the venue does not say what rests there, so the quantities are zero.
  public func ticker(symbol: String, now: Timestamp) async throws(VenueError) -> Ticker {
    try await connection.get("ticker", "/products/\(percentEncoded(symbol))/ticker", query: []) {
      wire throws(WireProblem) in
      try CoinbaseREST.parseTicker(wire, symbol: symbol, now: now)
    }
  }

  /// The last 1,000 trades, filtered by age.
  public func recentTrades(
    symbol: String, filter: TradeAgeFilter, now: Timestamp
  ) async throws(VenueError) -> RecentTrades {
    let trades = try await connection.get(
      "trades", "/products/\(percentEncoded(symbol))/trades", query: [("limit", "1000")]
    ) { wire throws(WireProblem) in
      try CoinbaseREST.parseTrades(wire, symbol: symbol)
    }
    return RecentTrades(trades, filter: filter, now: now)
  }
}

extension CoinbaseREST {
  /// `{"message":"NotFound"}` with a status of 4xx or 5xx; the token bucket gives 10 requests back in each second.
  static let format = AnswerFormat(venue: .coinbase) { status, body in
    guard !(200...299).contains(status) else { return nil }
    return Refusal(AnswerFormat.words(body), retryAfterSeconds: status == 429 ? 1 : nil)
  }

  private static let rows = CandleRows(
    order: .newestFirst, unit: .seconds, places: .init(open: 3, high: 2, low: 1, close: 4), membersMin: 6,
    periods: periods)

  /// Rows of `[time s, low, high, open, close, volume]` in numbers, newest first: `[1710327600,73241.5,73402.47,…]`.
  ///
  /// Low and high stand before open.
  static func parseCandles(_ wire: Wire, period: CandlePeriod?, now: Timestamp) throws(WireProblem) -> [Candle] {
    try rows.parse(wire, period: period) { candle, _ throws(WireProblem) in
      candle.start.advanced(bySeconds: candle.periodSeconds) <= now
    }
  }

  /// Reads a ticker.
  ///
  /// `{"ask":"73369.19","bid":"73360.34","volume":"1207.5","price":"73367.8","time":"2024-03-13T11:10:41.270099Z",…}`
  static func parseTicker(_ wire: Wire, symbol: String, now: Timestamp) throws(WireProblem) -> Ticker {
    let ticker = Ticker(
      instrument: InstrumentID(venue: .coinbase, symbol: symbol),
      bid: Level(price: try wire.price("bid"), quantity: .zero),
      ask: Level(price: try wire.price("ask"), quantity: .zero), time: try wire.optionalTime("time") ?? now)
    try ticker.check(bidField: "bid")
    return ticker
  }

  /// Reads trades, which come newest first, and gives them oldest first.
  ///
  /// `[{"trade_id":18502034,"side":"sell","size":"0.00007448","price":"73271.63","time":"2024-03-13T11:00:17.710679Z"}]`
  ///
  /// `side` is the maker's: `sell` means that the taker bought.
  static func parseTrades(_ wire: Wire, symbol: String) throws(WireProblem) -> [Trade] {
    try wire.each { row throws(WireProblem) in
      let trade = Trade(
        instrument: InstrumentID(venue: .coinbase, symbol: symbol), price: try row.price("price"),
        quantity: try row.quantity("size"), takerSide: try row.side("side", buy: "buy", sell: "sell").opposite,
        time: try row.time("time"), number: row.number("trade_id"))
      try trade.check(price: "price", quantity: "size")
      return trade
    }.reversed()
  }
}
