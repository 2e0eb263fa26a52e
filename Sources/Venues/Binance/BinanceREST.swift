public import Market

/// Binance's spot market data over REST: candles, ticker, trades.
///
/// Symbols are the venue's: upper case without separator, such as `BTCUSDT`.
public struct BinanceREST: CandleSource, TickerSource, TradeSource {
  /// The lengths of candles that the venue has, with its names for them (case matters: `1m` minute, `1M` month).
  public enum Interval: String, CaseIterable, Sendable {
    case second1 = "1s"
    case minute1 = "1m"
    case minute3 = "3m"
    case minute5 = "5m"
    case minute15 = "15m"
    case minute30 = "30m"
    case hour1 = "1h"
    case hour2 = "2h"
    case hour4 = "4h"
    case hour6 = "6h"
    case hour8 = "8h"
    case hour12 = "12h"
    case day1 = "1d"
    case day3 = "3d"
    case week1 = "1w"
    case month1 = "1M"

    /// The length in seconds; nil for the month, which has none of its own.
    public var seconds: Int64? {
      switch self {
      case .second1: 1
      case .minute1: 60
      case .minute3: 180
      case .minute5: 300
      case .minute15: 900
      case .minute30: 1800
      case .hour1: 3600
      case .hour2: 7200
      case .hour4: 14_400
      case .hour6: 21_600
      case .hour8: 28_800
      case .hour12: 43_200
      case .day1: 86_400
      case .day3: 259_200
      case .week1: 604_800
      case .month1: nil
      }
    }
  }

  /// The most rows of one answer.
  static let rowsPerPageMax = 1000

  private let connection: RESTConnection

  /// A client of one base URL.
  /// - Parameters:
  ///   - endpoint: the API, `https://api.binance.com` at the venue itself.
  ///   - transport: what carries the requests.
  public init(endpoint: Endpoint, transport: VenueTransport) {
    connection = RESTConnection(venue: .binance, endpoint: endpoint, transport: transport)
  }

  /// Which venue it is.
  public var venue: Venue { .binance }

  /// All lengths but the month.
  public var candlePeriodsSeconds: [Int64] { Interval.allCases.compactMap(\.seconds) }

  /// Candles of a fixed length; see `CandleSource`.
  public func candles(
    symbol: String, periodSeconds: Int64, from: Timestamp, to: Timestamp, now: Timestamp
  ) async throws(VenueError) -> [Candle] {
    guard let interval = Interval.allCases.first(where: { $0.seconds == periodSeconds }) else {
      throw VenueError(
        venue: .binance, kind: "candles", field: "periodSeconds",
        problem: "the venue has no candles of \(periodSeconds) s", cause: .impossible)
    }
    return try await candles(symbol: symbol, interval: interval, from: from, to: to, now: now)
  }

  /// Candles of any interval, paged beyond the 1,000 rows of one answer.
  /// - Parameters:
  ///   - symbol: the pair.
  ///   - interval: the length.
  ///   - from: the first start that is wanted.
  ///   - to: the first start that is not wanted.
  ///   - now: the time of day: a candle that ends later is open.
  /// - Returns: the candles, oldest first.
  /// - Throws: `VenueError`.
  public func candles(
    symbol: String, interval: Interval, from: Timestamp, to: Timestamp, now: Timestamp
  ) async throws(VenueError) -> [Candle] {
    var candles: [Candle] = []
    var start = from
    // The venue counts in milliseconds, and its end is inclusive.
    while start < to {
      let page = try await connection.get(
        "candles", "/api/v3/klines",
        query: [
          ("symbol", symbol), ("interval", interval.rawValue), ("startTime", "\(start.milliseconds)"),
          ("endTime", "\(to.milliseconds - 1)"), ("limit", "\(BinanceREST.rowsPerPageMax)"),
        ]
      ) { wire throws(WireProblem) in
        try BinanceREST.parseCandles(wire, periodSeconds: interval.seconds, now: now)
      }
      let fresh = page.filter { $0.start >= start && $0.start < to }
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
  /// Rows of `[open time ms, open, high, low, close, volume, close time ms, …]`, oldest first.
  ///
  /// `[1634943780000,"60685.22000000","60729.84000000","60670.90000000","60719.27000000","21.63272000",1634943839999,…]`
  static func parseCandles(
    _ wire: Wire, periodSeconds: Int64?, now: Timestamp
  ) throws(WireProblem) -> [Candle] {
    var candles: [Candle] = []
    for (index, row) in try wire.elements.enumerated() {
      do throws(WireProblem) {
        let candle = try parseCandle(row, periodSeconds: periodSeconds, now: now)
        if let previous = candles.last, previous.start >= candle.start {
          throw WireProblem("[0]", "expected rising times, found \(candle.start) after \(previous.start)")
        }
        candles.append(candle)
      } catch {
        throw error.inside("[\(index)]")
      }
    }
    return candles
  }

  private static func parseCandle(
    _ row: Wire, periodSeconds: Int64?, now: Timestamp
  ) throws(WireProblem) -> Candle {
    let fields = try row.elements
    guard fields.count >= 7 else { throw WireProblem("", "expected at least 7 values, found \(fields.count)") }
    let start = try fields.milliseconds(0)
    let lastMoment = try fields.milliseconds(6)
    let lengthMilliseconds = lastMoment.milliseconds - start.milliseconds + 1
    guard lengthMilliseconds > 0, lengthMilliseconds % 1000 == 0,
      periodSeconds == nil || lengthMilliseconds / 1000 == periodSeconds
    else {
      throw WireProblem("[6]", "expected the end of the period, found \(lastMoment) for a start at \(start)")
    }
    let candle = Candle(
      start: start, periodSeconds: lengthMilliseconds / 1000, open: try fields.price(1), high: try fields.price(2),
      low: try fields.price(3), close: try fields.price(4), volume: try fields.volume(5),
      isClosed: lastMoment < now)
    try candle.check(open: 1, high: 2, low: 3, close: 4, volume: 5)
    return candle
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

  /// Reads the rows of `/trades`.
  ///
  /// `[{"id":1111468873,"price":"60650.00","qty":"0.02924","time":1634942949263,"isBuyerMaker":true,…}]`
  ///
  /// `isBuyerMaker` means that the seller was the taker.
  static func parseTrades(_ wire: Wire, symbol: String) throws(WireProblem) -> [Trade] {
    var trades: [Trade] = []
    for (index, row) in try wire.elements.enumerated() {
      do throws(WireProblem) {
        let trade = Trade(
          instrument: InstrumentID(venue: .binance, symbol: symbol), price: try row.price("price"),
          quantity: try row.quantity("qty"), takerSide: try row.boolean("isBuyerMaker") ? .sell : .buy,
          time: try row.milliseconds("time"))
        try trade.check(price: "price", quantity: "qty")
        trades.append(trade)
      } catch {
        throw error.inside("[\(index)]")
      }
    }
    return trades
  }
}
