public import Market

/// Binance's spot market data over REST: candles, ticker, trades.
///
/// Symbols are the venue's: upper case without separator, such as `BTCUSDT`.
public struct BinanceREST: CandleSource, TickerSource, TradeSource {
  /// The lengths of candles, with the venue's names for them (case matters: `1m` minute, `1M` month).
  static let periods: [(CandlePeriod, String)] = [
    "1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M",
  ].compactMap { name in CandlePeriod(name).map { ($0, name) } }

  /// The most rows of one answer.
  static let rowsPerPageMax = 1000

  let connection: RESTConnection

  /// A client of one base URL.
  /// - Parameters:
  ///   - endpoint: the API, `https://api.binance.com` at the venue itself.
  ///   - transport: what carries the requests.
  ///   - pacer: keeps them under the venue's limits.
  public init(endpoint: Endpoint, transport: VenueTransport, pacer: RequestPacer? = nil) {
    var connection = RESTConnection(format: BinanceREST.format, endpoint: endpoint, transport: transport)
    connection.pacer = pacer
    self.connection = connection
  }

  /// Which venue it is.
  public var venue: Venue { .binance }

  /// From a second to a month.
  public var candlePeriods: [CandlePeriod] { BinanceREST.periods.map(\.0) }

  /// Candles, paged beyond the 1,000 rows of one answer; see `CandleSource`.
  public func candles(
    symbol: String, period: CandlePeriod, from: Timestamp, to: Timestamp, now: Timestamp
  ) async throws(VenueError) -> [Candle] {
    let interval = try name(of: period, in: BinanceREST.periods)
    var candles: [Candle] = []
    var start = from
    // The venue counts in milliseconds, and its end is inclusive.
    while start < to {
      let page = try await connection.get(
        "candles", "/api/v3/klines",
        query: [
          ("symbol", symbol), ("interval", interval), ("startTime", "\(start.milliseconds)"),
          ("endTime", "\(to.milliseconds - 1)"), ("limit", "\(BinanceREST.rowsPerPageMax)"),
        ]
      ) { wire throws(WireProblem) in
        try BinanceREST.parseCandles(wire, period: period, now: now)
      }
      let fresh = page.within(start, to)
      candles += fresh
      guard page.count >= BinanceREST.rowsPerPageMax, let last = fresh.last else { break }
      start = last.start.advanced(byNanoseconds: 1_000_000)
    }
    return candles
  }

  /// Best bid and ask; the venue gives no time, so it is `now`.
  public func ticker(symbol: String, now: Timestamp) async throws(VenueError) -> Ticker {
    try await connection.get("ticker", "/api/v3/ticker/bookTicker", query: [("symbol", symbol)]) {
      wire throws(WireProblem) in
      try BinanceREST.parseTicker(wire, now: now)
    }
  }

  /// The last 1,000 trades, filtered by age.
  public func recentTrades(
    symbol: String, filter: TradeAgeFilter, now: Timestamp
  ) async throws(VenueError) -> RecentTrades {
    let trades = try await connection.get(
      "trades", "/api/v3/trades", query: [("symbol", symbol), ("limit", "\(BinanceREST.rowsPerPageMax)")]
    ) { wire throws(WireProblem) in
      try BinanceREST.parseTrades(wire, symbol: symbol)
    }
    return RecentTrades(trades, filter: filter, now: now)
  }
}

extension BinanceREST {
  /// `{"code":-1121,"msg":"Invalid symbol."}` with a status of 4xx.
  ///
  /// 429 and 418 (a ban for going on after 429, of two minutes at least) bring `Retry-After` in seconds.
  static let format = AnswerFormat(venue: .binance) { status, body in
    guard !(200...299).contains(status) else { return nil }
    let patience: Int? = status == 418 ? 120 : status == 429 ? 60 : nil
    return Refusal(AnswerFormat.words(body), retryAfterSeconds: patience)
  }

  private static let rows = CandleRows(
    order: .oldestFirst, unit: .milliseconds, membersMin: 7, periods: periods.map(\.0))

  /// Rows of `[open time ms, open, high, low, close, volume, close time ms, …]`, oldest first.
  ///
  /// `[1634943780000,"60685.22000000","60729.84000000","60670.90000000","60719.27000000","21.63272000",1634943839999,…]`
  static func parseCandles(_ wire: Wire, period: CandlePeriod?, now: Timestamp) throws(WireProblem) -> [Candle] {
    try rows.parse(wire, period: period) { candle, row throws(WireProblem) in
      let lastMoment = try row.milliseconds(6)
      guard lastMoment.milliseconds + 1 == candle.start.milliseconds + candle.periodSeconds * 1000 else {
        throw WireProblem("[6]", "expected the end of the period, found \(lastMoment) for a start at \(candle.start)")
      }
      return lastMoment < now
    }
  }

  /// Reads a book ticker.
  ///
  /// `{"symbol":"BTCUSDT","bidPrice":"60741.67","bidQty":"0.36580000","askPrice":"60741.68","askQty":"0.45178000"}`
  static func parseTicker(_ wire: Wire, now: Timestamp) throws(WireProblem) -> Ticker {
    let ticker = Ticker(
      instrument: InstrumentID(venue: .binance, symbol: try wire.text("symbol")),
      bid: Level(price: try wire.price("bidPrice"), quantity: try wire.quantity("bidQty")),
      ask: Level(price: try wire.price("askPrice"), quantity: try wire.quantity("askQty")), time: now)
    try ticker.check(bidField: "bidPrice")
    return ticker
  }

  /// Reads the rows of `/trades`, oldest first.
  ///
  /// `[{"id":1111468873,"price":"60650.00","qty":"0.02924","time":1634942949263,"isBuyerMaker":true,…}]`
  ///
  /// `isBuyerMaker` means that the seller was the taker.
  static func parseTrades(_ wire: Wire, symbol: String) throws(WireProblem) -> [Trade] {
    try wire.each { row throws(WireProblem) in
      let trade = Trade(
        instrument: InstrumentID(venue: .binance, symbol: symbol), price: try row.price("price"),
        quantity: try row.quantity("qty"), takerSide: try row.boolean("isBuyerMaker") ? .sell : .buy,
        time: try row.milliseconds("time"), number: row.number("id"))
      try trade.check(price: "price", quantity: "qty")
      return trade
    }
  }
}
