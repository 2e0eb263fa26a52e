public import Market
internal import Web

/// Kraken's spot market data over REST: candles, ticker, trades.
///
/// Symbols are those of the streams, `BTC/USD`; what REST calls the pair (`XBTUSD`) is told from it. A symbol without a
/// slash is asked for as it stands.
public struct KrakenREST: CandleSource, TickerSource, TradeSource {
  /// The lengths of candles, which the venue counts in minutes.
  static let periods: [CandlePeriod] = [1, 5, 15, 30, 60, 240, 1440, 10_080, 21_600].map { .seconds($0 * 60) }

  let connection: RESTConnection

  /// A client of one base URL.
  /// - Parameters:
  ///   - endpoint: the API, `https://api.kraken.com` at the venue itself.
  ///   - transport: what carries the requests.
  ///   - pacer: keeps them under the venue's limits.
  public init(endpoint: Endpoint, transport: VenueTransport, pacer: RequestPacer? = nil) {
    var connection = RESTConnection(format: KrakenREST.format, endpoint: endpoint, transport: transport)
    connection.pacer = pacer
    self.connection = connection
  }

  /// Which venue it is.
  public var venue: Venue { .kraken }

  /// From a minute to 15 days.
  public var candlePeriods: [CandlePeriod] { KrakenREST.periods }

  /// Candles, of which the venue tells the newest 720 and the open one, whatever it is asked for.
  ///
  /// Older ones are missing here; a span that is older as a whole is `absent`.
  public func candles(
    symbol: String, period: CandlePeriod, from: Timestamp, to: Timestamp, now: Timestamp
  ) async throws(VenueError) -> [Candle] {
    _ = try name(of: period, in: KrakenREST.periods.map { ($0, "") })
    guard from < to else { return [] }
    let all = try await connection.get(
      "candles", "/0/public/OHLC",
      query: [
        ("pair", KrakenREST.pairName(symbol)), ("interval", "\(period.longestSeconds / 60)"),
        // The venue tells what comes after this moment.
        ("since", "\(max(0, from.seconds - 1))"),
      ]
    ) { wire throws(WireProblem) in
      try KrakenREST.parseCandles(wire, period: period)
    }
    if let oldest = all.first, oldest.start >= to {
      throw VenueError(
        venue: .kraken, kind: "candles",
        problem: "the venue has no candles of \(period) before \(oldest.start), and was asked for some before \(to)",
        cause: .absent)
    }
    return all.within(from, to)
  }

  /// Best bid and ask; the venue gives no time, so it is `now`.
  public func ticker(symbol: String, now: Timestamp) async throws(VenueError) -> Ticker {
    try await connection.get("ticker", "/0/public/Ticker", query: [("pair", KrakenREST.pairName(symbol))]) {
      wire throws(WireProblem) in
      try KrakenREST.parseTicker(wire, symbol: symbol, now: now)
    }
  }

  /// The last 1,000 trades, filtered by age.
  public func recentTrades(
    symbol: String, filter: TradeAgeFilter, now: Timestamp
  ) async throws(VenueError) -> RecentTrades {
    let trades = try await connection.get(
      "trades", "/0/public/Trades", query: [("pair", KrakenREST.pairName(symbol)), ("count", "1000")]
    ) { wire throws(WireProblem) in
      try KrakenREST.parseTrades(wire, symbol: symbol)
    }
    return RecentTrades(trades, filter: filter, now: now)
  }

  /// What REST calls a pair: `BTC/USD` is `XBTUSD`.
  static func pairName(_ symbol: String) -> String {
    let currencies = symbol.split(separator: "/", omittingEmptySubsequences: false)
    guard currencies.count == 2 else { return symbol }
    return currencies.map { $0 == "BTC" ? "XBT" : $0 == "DOGE" ? "XDG" : String($0) }.joined()
  }
}

extension KrakenREST {
  /// Every answer is `{"error":[…],"result":{…}}` of status 200; an error has the form `EService:Busy`, a warning begins
  /// with W and refuses nothing.
  static let format = AnswerFormat(venue: .kraken) { status, body in
    let entries = body?.json["error"]?.elements.compactMap(\.string) ?? []
    let errors = entries.filter { !$0.hasPrefix("W") }
    guard !errors.isEmpty else {
      return (200...299).contains(status) ? nil : Refusal(AnswerFormat.words(body))
    }
    let isTemporary = errors.contains { error in temporary.contains { error.hasPrefix($0) } }
    return Refusal(
      errors.map { quotedExcerpt($0, charactersMax: 120) }.joined(separator: ", "),
      isTemporary: isTemporary || status >= 500 || status == 429)
  }

  private static let temporary = [
    "EAPI:Rate limit", "EGeneral:Too many requests", "EGeneral:Temporary lockout", "EGeneral:Internal error",
    "EService:",
  ]

  private static let rows = CandleRows(
    order: .oldestFirst, unit: .seconds, places: .init(volume: 6), membersMin: 8, periods: periods)

  /// Rows of `[time s, open, high, low, close, vwap, volume, count]`, oldest first; `last` is the start of the last closed
  /// one, and the row after it the open one.
  ///
  /// `{"error":[],"result":{"XBTUSDT":[[1762777200,"106038.1","106044.3","106038.1","106040.1","106039.6","0.08317981",3]],`
  /// `"last":1762820160}}`
  static func parseCandles(_ wire: Wire, period: CandlePeriod?) throws(WireProblem) -> [Candle] {
    try wire.inside("result", "an object") { result throws(WireProblem) in
      let last = try result.seconds("last")
      return try onePair(result) { rows, _ throws(WireProblem) in
        try KrakenREST.rows.parse(rows, period: period) { candle, _ throws(WireProblem) in candle.start <= last }
      }
    }
  }

  /// Reads a ticker: `a` and `b` are `[price, whole lot volume, lot volume]`.
  ///
  /// `{"error":[],"result":{"XBTUSDT":{"a":["105944.30000","1","1.000"],"b":["105944.20000","1","1.000"],…}}}`
  static func parseTicker(_ wire: Wire, symbol: String?, now: Timestamp) throws(WireProblem) -> Ticker {
    try wire.inside("result", "an object") { result throws(WireProblem) in
      try onePair(result) { pair, key throws(WireProblem) in
        let ticker = Ticker(
          instrument: InstrumentID(venue: .kraken, symbol: symbol ?? key), bid: try level(pair, "b"),
          ask: try level(pair, "a"), time: now)
        try ticker.check(bidField: "b")
        return ticker
      }
    }
  }

  private static func level(_ pair: Wire, _ side: String) throws(WireProblem) -> Level {
    try pair.inside(side, "an array") { side throws(WireProblem) in
      let fields = try side.elements
      guard fields.count >= 3 else { throw WireProblem("", "expected 3 values, found \(fields.count)") }
      return Level(price: try fields.price(0), quantity: try fields.quantity(2))
    }
  }

  /// Reads rows of `[price, volume, time s, b or s of the taker, m or l, misc, id]`, oldest first.
  ///
  /// `{"error":[],"result":{"XBTUSDT":[["105433.60000","0.00027625",1762795433.9717445,"b","l","",10218208]],"last":"…"}}`
  static func parseTrades(_ wire: Wire, symbol: String?) throws(WireProblem) -> [Trade] {
    try wire.inside("result", "an object") { result throws(WireProblem) in
      try onePair(result) { rows, key throws(WireProblem) in
        try rows.each { row throws(WireProblem) in
          let fields = try row.elements
          guard fields.count >= 4 else { throw WireProblem("", "expected at least 4 values, found \(fields.count)") }
          let side: Side
          switch try fields.text(3) {
          case "b": side = .buy
          case "s": side = .sell
          case let other: throw WireProblem("[3]", "expected b or s, found \(quotedExcerpt(other))")
          }
          let trade = Trade(
            instrument: InstrumentID(venue: .kraken, symbol: symbol ?? key), price: try fields.price(0),
            quantity: try fields.quantity(1), takerSide: side, time: try fields.fractionalSeconds(2),
            number: fields.count > 6 ? fields[6].json.integer : nil)
          try trade.check(price: "[0]", quantity: "[1]")
          return trade
        }
      }
    }
  }

  /// The one member that is not `last`: the venue answers under its own name of the pair.
  private static func onePair<Value>(
    _ result: Wire, _ read: (Wire, String) throws(WireProblem) -> Value
  ) throws(WireProblem) -> Value {
    let pairs = result.json.members.filter { $0.key != "last" }
    guard pairs.count == 1, let pair = pairs.first else {
      throw WireProblem("", "expected one pair, found \(pairs.count)")
    }
    do { return try read(Wire(pair.value), pair.key) } catch { throw error.inside(String(pair.key.prefix(40))) }
  }
}
