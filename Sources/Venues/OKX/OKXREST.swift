public import Market
internal import Web

/// OKX's market data over REST: candles, ticker, trades.
///
/// Instruments are the venue's: `BTC-USDT` is spot.
public struct OKXREST: CandleSource, TickerSource, TradeSource {
  /// The lengths of candles, with the venue's names for them (case matters).
  ///
  /// From six hours on the plain names open by the time of Hong Kong; those with `utc` open by UTC. Candles of a second
  /// exist for some products only, and are left out.
  static let periods: [(CandlePeriod, String)] = [
    ("1m", "1m"), ("3m", "3m"), ("5m", "5m"), ("15m", "15m"), ("30m", "30m"), ("1h", "1H"), ("2h", "2H"), ("4h", "4H"),
    ("6h", "6Hutc"), ("12h", "12Hutc"), ("1d", "1Dutc"), ("2d", "2Dutc"), ("3d", "3Dutc"), ("1w", "1Wutc"),
    ("1M", "1Mutc"), ("3M", "3Mutc"),
  ].compactMap { name, bar in CandlePeriod(name).map { ($0, bar) } }

  /// The most rows of one answer.
  static let rowsPerPageMax = 300
  /// How many candles back the recent ones reach; older ones are asked for elsewhere.
  static let recentCandles: Int64 = 1440

  let connection: RESTConnection

  /// A client of one base URL.
  /// - Parameters:
  ///   - endpoint: the API, `https://www.okx.com` at the venue itself.
  ///   - transport: what carries the requests.
  ///   - pacer: keeps them under the venue's limits.
  public init(endpoint: Endpoint, transport: VenueTransport, pacer: RequestPacer? = nil) {
    var connection = RESTConnection(format: OKXREST.format, endpoint: endpoint, transport: transport)
    connection.pacer = pacer
    self.connection = connection
  }

  /// Which venue it is.
  public var venue: Venue { .okx }

  /// From a minute to three months.
  public var candlePeriods: [CandlePeriod] { OKXREST.periods.map(\.0) }

  /// Candles, paged backwards beyond the 300 rows of one answer, and from the history beyond the newest 1,440.
  public func candles(
    symbol: String, period: CandlePeriod, from: Timestamp, to: Timestamp, now: Timestamp
  ) async throws(VenueError) -> [Candle] {
    let bar = try name(of: period, in: OKXREST.periods)
    let reach = (OKXREST.recentCandles - 1) * period.longestSeconds
    let oldestRecent = period.start(of: now.advanced(bySeconds: -min(reach, now.seconds)))
    var candles: [Candle] = []
    // What starts at this moment or later is there.
    var reached = to
    while reached > from {
      let isRecent = reached > oldestRecent
      let pageFrom = isRecent ? max(from, oldestRecent) : from
      let page = try await connection.get(
        "candles", isRecent ? "/api/v5/market/candles" : "/api/v5/market/history-candles",
        query: [
          ("instId", symbol), ("bar", bar),
          // Both are exclusive: older than `after`, newer than `before`.
          ("after", "\(reached.milliseconds)"), ("before", "\(pageFrom.milliseconds - 1)"),
          ("limit", "\(OKXREST.rowsPerPageMax)"),
        ]
      ) { wire throws(WireProblem) in
        try OKXREST.parseCandles(wire, period: period)
      }.within(pageFrom, reached)
      candles = page + candles
      // The venue may give fewer rows than it was asked for: only an empty page is the end.
      reached = page.first?.start ?? pageFrom
    }
    return candles
  }

  /// Best bid and ask.
  public func ticker(symbol: String, now: Timestamp) async throws(VenueError) -> Ticker {
    try await connection.get("ticker", "/api/v5/market/ticker", query: [("instId", symbol)]) {
      wire throws(WireProblem) in
      try OKXREST.parseTicker(wire)
    }
  }

  /// The last 500 trades, filtered by age.
  public func recentTrades(
    symbol: String, filter: TradeAgeFilter, now: Timestamp
  ) async throws(VenueError) -> RecentTrades {
    let trades = try await connection.get(
      "trades", "/api/v5/market/trades", query: [("instId", symbol), ("limit", "500")]
    ) { wire throws(WireProblem) in
      try OKXREST.parseTrades(wire)
    }
    return RecentTrades(trades, filter: filter, now: now)
  }
}

extension OKXREST {
  /// `{"code":"51001","msg":"Instrument ID does not exist","data":[]}` with a status of 200 or more: only `"0"` is good.
  ///
  /// The venue says nothing of waiting; its windows are of 2 s.
  static let format = AnswerFormat(venue: .okx) { status, body in
    let isSuccess = (200...299).contains(status)
    guard let code = body?.json["code"]?.decimalText else {
      if isSuccess { return nil }
      return Refusal(AnswerFormat.words(body), retryAfterSeconds: status == 429 ? 2 : nil)
    }
    if isSuccess, code == "0" { return nil }
    let isTemporary = temporary.contains(code) || status >= 500 || status == 429
    return Refusal(
      AnswerFormat.words(body), isTemporary: isTemporary,
      retryAfterSeconds: status == 429 || rateLimits.contains(code) ? 2 : nil)
  }

  /// Rate limits: of requests by address or user, and of the system.
  private static let rateLimits: Set<String> = ["50011", "50061", "50013"]
  /// Besides these: engine upgrading, time-out, API offline, system error.
  private static let temporary = rateLimits.union(["50001", "50004", "50005", "50026"])

  private static let rows = CandleRows(
    order: .newestFirst, unit: .milliseconds, membersMin: 9, periods: periods.map(\.0))

  /// Rows of nine strings, `[ts ms, open, high, low, close, vol, volCcy, volCcyQuote, confirm]`, newest first.
  ///
  /// `{"code":"0","msg":"","data":[["1747094040000","102806.1","102820.4","102806.1","102820.4","1040.37","10.4037",…,"1"]]}`
  ///
  /// `vol` is in the base currency where the pair is spot; `confirm` is `"0"` while the candle is open.
  static func parseCandles(_ wire: Wire, period: CandlePeriod?) throws(WireProblem) -> [Candle] {
    try wire.inside("data", "an array") { data throws(WireProblem) in
      try rows.parse(data, period: period) { _, row throws(WireProblem) in try isConfirmed(row) }
    }
  }

  /// Reads one row, of a stream.
  static func candle(_ row: Wire, _ period: CandlePeriod, isOnGrid: Bool = true) throws(WireProblem) -> Candle {
    try rows.parse(row: row, period, isOnGrid: isOnGrid) { _, row throws(WireProblem) in try isConfirmed(row) }
  }

  private static func isConfirmed(_ row: [Wire]) throws(WireProblem) -> Bool {
    switch try row.text(8) {
    case "1": return true
    case "0": return false
    case let other: throw WireProblem("[8]", "expected 0 or 1, found \(quotedExcerpt(other))")
    }
  }

  /// Reads a ticker: `{"code":"0","msg":"","data":[{"instId":"BTC-USDT","askPx":"…","askSz":"…","bidPx":"…","bidSz":"…",`
  /// `"ts":"1597026383085",…}]}`.
  static func parseTicker(_ wire: Wire) throws(WireProblem) -> Ticker {
    try wire.inside("data", "an array") { data throws(WireProblem) in
      let items = try data.elements
      guard items.count == 1 else { throw WireProblem("", "expected one ticker, found \(items.count)") }
      do throws(WireProblem) {
        guard let ticker = try ticker(items[0]) else {
          throw WireProblem("bidPx", "expected a bid and an ask, found one or none")
        }
        return ticker
      } catch {
        throw error.inside("[0]")
      }
    }
  }

  /// Reads one ticker, of REST or a stream; nil where one side of the market is empty: its price is `""`.
  static func ticker(_ item: Wire) throws(WireProblem) -> Ticker? {
    let symbol = try item.text("instId")
    let sides: [Level?] = [
      try level(item, price: "bidPx", size: "bidSz"), try level(item, price: "askPx", size: "askSz"),
    ]
    let time = try item.milliseconds("ts")
    guard let bid = sides[0], let ask = sides[1] else { return nil }
    let ticker = Ticker(instrument: InstrumentID(venue: .okx, symbol: symbol), bid: bid, ask: ask, time: time)
    try ticker.check(bidField: "bidPx")
    return ticker
  }

  private static func level(_ item: Wire, price: String, size: String) throws(WireProblem) -> Level? {
    guard try item.required(price, "a decimal number").json.string != "" else { return nil }
    return Level(price: try item.price(price), quantity: try item.quantity(size))
  }

  /// Reads trades, which come newest first, and gives them oldest first; `side` is the taker's.
  ///
  /// `{"instId":"BTC-USDT","side":"sell","sz":"0.00013669","px":"102537.9","tradeId":"734864333","ts":"1747087163557"}`
  static func parseTrades(_ wire: Wire) throws(WireProblem) -> [Trade] {
    try wire.inside("data", "an array") { data throws(WireProblem) in
      try data.each { item throws(WireProblem) in try trade(item) }.reversed()
    }
  }

  /// Reads one trade, of REST or a stream.
  static func trade(_ item: Wire) throws(WireProblem) -> Trade {
    let trade = Trade(
      instrument: InstrumentID(venue: .okx, symbol: try item.text("instId")), price: try item.price("px"),
      quantity: try item.quantity("sz"), takerSide: try item.side("side", buy: "buy", sell: "sell"),
      time: try item.milliseconds("ts"), number: item.number("tradeId"))
    try trade.check(price: "px", quantity: "sz")
    return trade
  }
}
