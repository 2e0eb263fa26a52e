public import Market
internal import Web

/// Bybit's spot market data over REST: candles, ticker, trades.
///
/// Symbols are the venue's, such as `BTCUSDT`; they mean another market on its other categories, so each request says
/// `category=spot` and each answer must, too.
public struct BybitREST: CandleSource, TickerSource, TradeSource {
  /// The lengths of candles, with the venue's names for them.
  static let periods: [(CandlePeriod, String)] = [
    ("1m", "1"), ("3m", "3"), ("5m", "5"), ("15m", "15"), ("30m", "30"), ("1h", "60"), ("2h", "120"), ("4h", "240"),
    ("6h", "360"), ("12h", "720"), ("1d", "D"), ("1w", "W"), ("1M", "M"),
  ].compactMap { name, interval in CandlePeriod(name).map { ($0, interval) } }

  /// The most candles of one answer.
  static let rowsPerPageMax = 1000

  let connection: RESTConnection

  /// A client of one base URL.
  /// - Parameters:
  ///   - endpoint: the API, `https://api.bybit.com` at the venue itself.
  ///   - transport: what carries the requests.
  ///   - pacer: keeps them under the venue's limits.
  public init(endpoint: Endpoint, transport: VenueTransport, pacer: RequestPacer? = nil) {
    var connection = RESTConnection(format: BybitREST.format, endpoint: endpoint, transport: transport)
    connection.pacer = pacer
    self.connection = connection
  }

  /// Which venue it is.
  public var venue: Venue { .bybit }

  /// From a minute to a month.
  public var candlePeriods: [CandlePeriod] { BybitREST.periods.map(\.0) }

  /// Candles, paged backwards beyond the 1,000 rows of one answer: the venue gives the newest of a span.
  public func candles(
    symbol: String, period: CandlePeriod, from: Timestamp, to: Timestamp, now: Timestamp
  ) async throws(VenueError) -> [Candle] {
    let interval = try name(of: period, in: BybitREST.periods)
    var candles: [Candle] = []
    var reached = to
    while reached > from {
      let page = try await connection.get(
        "candles", "/v5/market/kline",
        query: [
          ("category", "spot"), ("symbol", symbol), ("interval", interval), ("start", "\(from.milliseconds)"),
          ("end", "\(reached.milliseconds - 1)"), ("limit", "\(BybitREST.rowsPerPageMax)"),
        ]
      ) { wire throws(WireProblem) in
        try BybitREST.parseCandles(wire, period: period, asked: symbol)
      }
      let fresh = page.within(from, reached)
      candles = fresh + candles
      guard page.count >= BybitREST.rowsPerPageMax, let oldest = fresh.first else { break }
      reached = oldest.start
    }
    return candles
  }

  /// Best bid and ask.
  public func ticker(symbol: String, now: Timestamp) async throws(VenueError) -> Ticker {
    try await connection.get("ticker", "/v5/market/tickers", query: [("category", "spot"), ("symbol", symbol)]) {
      wire throws(WireProblem) in
      try BybitREST.parseTicker(wire, asked: symbol)
    }
  }

  /// The last 60 trades, which are all that the venue tells of a spot pair, filtered by age.
  public func recentTrades(
    symbol: String, filter: TradeAgeFilter, now: Timestamp
  ) async throws(VenueError) -> RecentTrades {
    let trades = try await connection.get(
      "trades", "/v5/market/recent-trade", query: [("category", "spot"), ("symbol", symbol), ("limit", "60")]
    ) { wire throws(WireProblem) in
      try BybitREST.parseTrades(wire, asked: symbol)
    }
    return RecentTrades(trades, filter: filter, now: now)
  }
}

extension BybitREST {
  /// `{"retCode":10001,"retMsg":"…","result":{},…}` with a status of 200.
  ///
  /// A status of 403 means that the address asks too often (600 requests in 5 s), and is to be quiet for 10 minutes.
  static let format = AnswerFormat(venue: .bybit) { status, body in
    let code = body?.json["retCode"]?.integer
    var words = code.map { "retCode \($0)" } ?? ""
    if let text = body?.json["retMsg"]?.string, !text.isEmpty {
      words += (words.isEmpty ? "" : ", ") + quotedExcerpt(text, charactersMax: 200)
    }
    switch (status, code) {
    case (403, _): return Refusal(words, isTemporary: true, retryAfterSeconds: 600)
    case (200...299, nil), (200...299, 0): return nil
    // Too many visits; the address's limit: the windows are of some seconds.
    case (_, 10_006), (_, 10_018): return Refusal(words, isTemporary: true, retryAfterSeconds: 5)
    // Time-out, server error.
    case (_, 10_000), (_, 10_016): return Refusal(words, isTemporary: true)
    case (200...299, _): return Refusal(words, isTemporary: false)
    default: return Refusal(words.isEmpty ? AnswerFormat.words(body) : words)
    }
  }

  private static let rows = CandleRows(
    order: .newestFirst, unit: .milliseconds, membersMin: 7, periods: periods.map(\.0))

  /// Rows of seven strings, `[start ms, open, high, low, close, volume, turnover]`, newest first.
  ///
  /// `{"retCode":0,"retMsg":"OK","result":{"symbol":"BTCUSDT","category":"spot","list":[["1670608800000","17071","17073",`
  /// `"17027","17055.5","268611","15.74462667"]]},"retExtInfo":{},"time":1672025956592}`
  ///
  /// No row says whether it is open: one that ends after the envelope's `time` is.
  static func parseCandles(
    _ wire: Wire, period: CandlePeriod?, asked: String?
  ) throws(WireProblem) -> [Candle] {
    let time = try wire.milliseconds("time")
    return try wire.inside("result", "an object") { result throws(WireProblem) in
      try checkMarket(result, asked)
      if let asked, try result.text("symbol") != asked {
        throw WireProblem("symbol", "expected \(asked), found \(quotedExcerpt(try result.text("symbol")))")
      }
      return try result.inside("list", "an array") { list throws(WireProblem) in
        try rows.parse(list, period: period) { candle, _ throws(WireProblem) in
          candle.start.advanced(bySeconds: candle.periodSeconds) <= time
        }
      }
    }
  }

  /// Reads a ticker: `{"symbol":"BTCUSDT","bid1Price":"20517.96","bid1Size":"2","ask1Price":"20527.77","ask1Size":"1.86",…}`
  /// in `result.list`; the time is the envelope's.
  static func parseTicker(_ wire: Wire, asked: String?) throws(WireProblem) -> Ticker {
    let time = try wire.milliseconds("time")
    return try wire.inside("result", "an object") { result throws(WireProblem) in
      try checkMarket(result, asked)
      return try result.inside("list", "an array") { list throws(WireProblem) in
        let items = try list.elements
        guard items.count == 1 else { throw WireProblem("", "expected one ticker, found \(items.count)") }
        do throws(WireProblem) {
          let item = items[0]
          let ticker = Ticker(
            instrument: InstrumentID(venue: .bybit, symbol: try item.text("symbol")),
            bid: Level(price: try item.price("bid1Price"), quantity: try item.quantity("bid1Size")),
            ask: Level(price: try item.price("ask1Price"), quantity: try item.quantity("ask1Size")), time: time)
          try ticker.check(bidField: "bid1Price")
          return ticker
        } catch {
          throw error.inside("[0]")
        }
      }
    }
  }

  /// Reads trades, which come newest first, and gives them oldest first; `side` is the taker's.
  ///
  /// `{"execId":"2100000000007764263","symbol":"BTCUSDT","price":"16618.49","size":"0.00012","side":"Buy",`
  /// `"time":"1672052955758",…}` in `result.list`.
  static func parseTrades(_ wire: Wire, asked: String?) throws(WireProblem) -> [Trade] {
    try wire.inside("result", "an object") { result throws(WireProblem) in
      try checkMarket(result, asked)
      return try result.inside("list", "an array") { list throws(WireProblem) in
        try list.each { item throws(WireProblem) in
          let trade = Trade(
            instrument: InstrumentID(venue: .bybit, symbol: try item.text("symbol")), price: try item.price("price"),
            quantity: try item.quantity("size"), takerSide: try item.side("side", buy: "Buy", sell: "Sell"),
            time: try item.milliseconds("time"))
          try trade.check(price: "price", quantity: "size")
          return trade
        }.reversed()
      }
    }
  }

  /// A pair's name means another market on another category.
  private static func checkMarket(_ result: Wire, _ asked: String?) throws(WireProblem) {
    guard asked != nil else { return }
    let category = try result.text("category")
    guard category == "spot" else { throw WireProblem("category", "expected spot, found \(quotedExcerpt(category))") }
  }
}
