public import Market

/// Coinbase Exchange's market data over REST: candles and ticker.
///
/// Products are the venue's: `BTC-USD`. This is the Exchange API, not Advanced Trade, whose shapes differ.
public struct CoinbaseREST: CandleSource, TickerSource {
  /// The most candles of one answer; a larger span is refused.
  static let rowsPerPageMax: Int64 = 300

  private let connection: RESTConnection

  /// A client of one base URL.
  /// - Parameters:
  ///   - endpoint: the API, `https://api.exchange.coinbase.com` at the venue itself.
  ///   - transport: what carries the requests.
  public init(endpoint: Endpoint, transport: VenueTransport) {
    connection = RESTConnection(venue: .coinbase, endpoint: endpoint, transport: transport)
  }

  /// Which venue it is.
  public var venue: Venue { .coinbase }

  /// The granularities: others are refused.
  public var candlePeriodsSeconds: [Int64] { [60, 300, 900, 3600, 21_600, 86_400] }

  /// Candles, oldest first; minutes without trades are missing, and stay so.
  public func candles(
    symbol: String, periodSeconds: Int64, from: Timestamp, to: Timestamp, now: Timestamp
  ) async throws(VenueError) -> [Candle] {
    guard candlePeriodsSeconds.contains(periodSeconds) else {
      throw VenueError(
        venue: .coinbase, kind: "candles", field: "periodSeconds",
        problem: "the venue has no candles of \(periodSeconds) s", cause: .impossible)
    }
    var candles: [Candle] = []
    var pageStart = from
    while pageStart < to {
      // Both ends of the venue's span are inclusive.
      let pageEnd = min(to, pageStart.advanced(bySeconds: periodSeconds * (CoinbaseREST.rowsPerPageMax - 1)))
      let page = try await connection.get(
        "candles", "/products/\(symbol)/candles",
        query: [
          ("granularity", "\(periodSeconds)"), ("start", "\(pageStart.seconds)"), ("end", "\(pageEnd.seconds)"),
        ]
      ) { wire throws(WireProblem) in
        try CoinbaseREST.parseCandles(wire, periodSeconds: periodSeconds, now: now)
      }
      // Rows may begin before the span, and pages may overlap.
      for candle in page where candle.start >= from && candle.start < to {
        if let last = candles.last, candle.start <= last.start { continue }
        candles.append(candle)
      }
      pageStart = pageEnd == to ? to : pageEnd.advanced(bySeconds: periodSeconds)
    }
    return candles
  }

  /// Best bid and ask; the venue does not say what rests there, so the quantities are zero.
  public func ticker(symbol: String, now: Timestamp) async throws(VenueError) -> Ticker {
    try await connection.get("ticker", "/products/\(symbol)/ticker", query: []) { wire throws(WireProblem) in
      try CoinbaseREST.parseTicker(wire, symbol: symbol, now: now)
    }
  }
}

extension CoinbaseREST {
  /// Rows of `[time s, low, high, open, close, volume]` in numbers, newest first: `[1710327600,73241.5,73402.47,…]`.
  ///
  /// Low and high stand before open.
  static func parseCandles(_ wire: Wire, periodSeconds: Int64, now: Timestamp) throws(WireProblem) -> [Candle] {
    var candles: [Candle] = []
    for (index, row) in try wire.elements.enumerated() {
      do throws(WireProblem) {
        let candle = try parseCandle(row, periodSeconds: periodSeconds, now: now)
        if let previous = candles.last, previous.start <= candle.start {
          throw WireProblem("[0]", "expected falling times, found \(candle.start) after \(previous.start)")
        }
        candles.append(candle)
      } catch {
        throw error.inside("[\(index)]")
      }
    }
    return candles.reversed()
  }

  private static func parseCandle(_ row: Wire, periodSeconds: Int64, now: Timestamp) throws(WireProblem) -> Candle {
    let fields = try row.elements
    guard fields.count >= 6 else { throw WireProblem("", "expected 6 values, found \(fields.count)") }
    let start = try fields.seconds(0)
    guard start.floored(toSeconds: periodSeconds) == start else {
      throw WireProblem("[0]", "expected the start of a period of \(periodSeconds) s, found \(start)")
    }
    let candle = Candle(
      start: start, periodSeconds: periodSeconds, open: try fields.price(3), high: try fields.price(2),
      low: try fields.price(1), close: try fields.price(4), volume: try fields.volume(5),
      isClosed: start.advanced(bySeconds: periodSeconds) <= now)
    try candle.check(open: 3, high: 2, low: 1, close: 4, volume: 5)
    return candle
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
}
