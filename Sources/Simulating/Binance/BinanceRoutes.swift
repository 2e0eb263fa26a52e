internal import Market
internal import Web

/// Binance's spot market data: candles, prices, trades.
struct BinanceRoutes {
  let now: Timestamp
  let history: SpotHistory

  /// Minutes of each interval; a month is that of the calendar.
  static let intervals: [String: Int64] = [
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360, "8h": 480, "12h": 720,
    "1d": 1440, "3d": 4320, "1w": 10_080,
  ]
  private static let mondayMinutes: Int64 = 4 * 1440
  private static let required = "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."

  /// Answers a request below `/binance/api/v3`.
  func answer(_ request: HTTPServerRequest, _ path: [String]) -> HTTPServerResponse {
    guard request.method == "GET" else { return .text("", status: 405) }
    var answer: HTTPServerResponse
    switch path {
    case ["ping"]: answer = .json("{}")
    case ["time"]: answer = .json("{\"serverTime\":\(now.milliseconds)}")
    case ["exchangeInfo"]: answer = exchangeInfo()
    case ["klines"], ["uiKlines"]: answer = klines(request)
    case ["ticker", "price"]: answer = tickers(request) { $0.price(of: $1, to: &$2) }
    case ["ticker", "bookTicker"]: answer = tickers(request) { $0.bookTicker(of: $1, to: &$2) }
    case ["ticker", "24hr"]: answer = tickers(request) { $0.day(of: $1, to: &$2) }
    case ["trades"]: answer = trades(request)
    default: answer = .text("", status: 404)
    }
    answer.headers["X-MBX-USED-WEIGHT-1M"] = "2"
    return answer
  }

  static func refusal(_ code: Int, _ text: String, status: Int = 400) -> HTTPServerResponse {
    .json("{\"code\":\(code),\"msg\":\"\(text)\"}", status: status)
  }

  /// `BTCUSDT`.
  static func symbol(_ coin: Coin) -> String { coin.symbol + "USDT" }

  static func coin(_ symbol: String) -> Coin? { Coin.allCases.first { BinanceRoutes.symbol($0) == symbol } }

  // MARK: Candles

  private func klines(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard let symbol = request.query("symbol") else { return BinanceRoutes.refusal(-1102, BinanceRoutes.required) }
    guard let coin = BinanceRoutes.coin(symbol) else { return BinanceRoutes.refusal(-1121, "Invalid symbol.") }
    guard let minutes = request.query("interval").flatMap({ BinanceRoutes.intervals[$0] }) else {
      return BinanceRoutes.refusal(-1120, "Invalid interval.")
    }
    for name in ["startTime", "endTime", "limit"] where request.query(name) != nil && request.number(name) == nil {
      return BinanceRoutes.refusal(-1100, "Illegal characters found in parameter '\(name)'.")
    }
    let limit = min(request.number("limit") ?? 500, 1000)
    guard limit > 0 else { return BinanceRoutes.refusal(-1130, "Data sent for parameter 'limit' is not valid.") }
    let end = min(request.number("endTime") ?? Int64.max, now.milliseconds)
    let last = BinanceRoutes.start(of: SpotPrices.floorDivide(end, 60_000), minutes)
    var first = last - (limit - 1) * minutes
    if let start = request.number("startTime") {
      guard start <= end else { return .json("[]") }
      first = BinanceRoutes.start(of: SpotPrices.floorDivide(start + 59_999, 60_000) + minutes - 1, minutes)
    }
    first = max(first, BinanceRoutes.start(of: SpotPrices.firstMinute + minutes - 1, minutes))
    var writer = ByteWriter(capacity: 128 * Int(limit))
    writer.byte(0x5B)
    var open = first
    var count: Int64 = 0
    while open <= last, count < limit,
      let candle = history.candle(.binance, coin, start: open, minutes: minutes, now: now)
    {
      if count > 0 { writer.byte(0x2C) }
      row(candle, open: open, minutes: minutes, to: &writer)
      open += minutes
      count += 1
    }
    writer.byte(0x5D)
    return .json(writer)
  }

  /// The start of the interval that a minute lies in; weeks start on Mondays.
  static func start(of minute: Int64, _ minutes: Int64) -> Int64 {
    let shift = minutes == 10_080 ? mondayMinutes : 0
    return SpotPrices.floorDivide(minute - shift, minutes) * minutes + shift
  }

  private func row(_ candle: SpotCandle, open: Int64, minutes: Int64, to writer: inout ByteWriter) {
    writer.byte(0x5B)
    writer.integer(open * 60_000)
    for cents in [candle.open, candle.high, candle.low, candle.close] {
      writer.byte(0x2C)
      writer.cents(cents)
    }
    writer.byte(0x2C)
    writer.coins(candle.volume)
    writer.byte(0x2C)
    writer.integer((open + minutes) * 60_000 - 1)
    writer.byte(0x2C)
    writer.coins(candle.quoteVolume)
    writer.byte(0x2C)
    writer.integer(candle.trades)
    writer.byte(0x2C)
    writer.coins(candle.volume / 2)
    writer.byte(0x2C)
    writer.coins(candle.quoteVolume / 2)
    writer.raw(",\"0\"]")
  }

  // MARK: Prices

  private func tickers(
    _ request: HTTPServerRequest, _ write: (BinanceRoutes, Coin, inout ByteWriter) -> Void
  ) -> HTTPServerResponse {
    var writer = ByteWriter()
    if let symbol = request.query("symbol") {
      guard let coin = BinanceRoutes.coin(symbol) else { return BinanceRoutes.refusal(-1121, "Invalid symbol.") }
      write(self, coin, &writer)
      return .json(writer)
    }
    var coins = Coin.allCases
    if let text = request.query("symbols") {
      guard let document = try? JSONDocument(text) else {
        return BinanceRoutes.refusal(-1100, "Illegal characters found in parameter 'symbols'.")
      }
      let wanted = document.root.elements.map { $0.string.flatMap(BinanceRoutes.coin) }
      guard !wanted.contains(where: { $0 == nil }) else { return BinanceRoutes.refusal(-1121, "Invalid symbol.") }
      coins = wanted.compactMap { $0 }
    }
    writer.byte(0x5B)
    for (place, coin) in coins.enumerated() {
      if place > 0 { writer.byte(0x2C) }
      write(self, coin, &writer)
    }
    writer.byte(0x5D)
    return .json(writer)
  }

  /// The last price in cents.
  func last(_ coin: Coin) -> Int64 {
    history.prices.price(coin, milliseconds: now.milliseconds) + SpotPrices.offset(.binance, coin)
  }

  private func price(of coin: Coin, to writer: inout ByteWriter) {
    writer.raw("{\"symbol\":")
    writer.plain(BinanceRoutes.symbol(coin))
    writer.raw(",\"price\":")
    writer.cents(last(coin))
    writer.byte(0x7D)
  }

  private func bookTicker(of coin: Coin, to writer: inout ByteWriter) {
    let quote = SpotQuote(coin, prices: history.prices, milliseconds: now.milliseconds)
    writer.raw("{\"symbol\":")
    writer.plain(BinanceRoutes.symbol(coin))
    writer.raw(",\"bidPrice\":")
    writer.cents(last(coin) - 1)
    writer.raw(",\"bidQty\":")
    writer.coins(Int128(quote.bidSize))
    writer.raw(",\"askPrice\":")
    writer.cents(last(coin))
    writer.raw(",\"askQty\":")
    writer.coins(Int128(quote.askSize))
    writer.byte(0x7D)
  }

  private func day(of coin: Coin, to writer: inout ByteWriter) {
    guard let candle = dayCandle(coin) else { return writer.raw("{}") }
    let trade = SpotPrices.floorDivide(now.milliseconds, SpotPrices.tradeMilliseconds)
    let quote = SpotQuote(coin, prices: history.prices, milliseconds: now.milliseconds)
    writer.raw("{\"symbol\":")
    writer.plain(BinanceRoutes.symbol(coin))
    writer.raw(",\"priceChange\":")
    writer.cents(candle.close - candle.open)
    writer.raw(",\"priceChangePercent\":\"")
    writer.fixed(raw: Int64(Int128(candle.close - candle.open) * 10_000_000_000 / Int128(candle.open)), decimals: 3)
    writer.raw("\",\"weightedAvgPrice\":")
    writer.cents((candle.open + candle.close) / 2)
    writer.raw(",\"prevClosePrice\":")
    writer.cents(candle.open)
    writer.raw(",\"lastPrice\":")
    writer.cents(candle.close)
    writer.raw(",\"lastQty\":")
    writer.coins(Int128(history.prices.quantity(coin, trade: trade)))
    writer.raw(",\"bidPrice\":")
    writer.cents(last(coin) - 1)
    writer.raw(",\"bidQty\":")
    writer.coins(Int128(quote.bidSize))
    writer.raw(",\"askPrice\":")
    writer.cents(last(coin))
    writer.raw(",\"askQty\":")
    writer.coins(Int128(quote.askSize))
    writer.raw(",\"openPrice\":")
    writer.cents(candle.open)
    writer.raw(",\"highPrice\":")
    writer.cents(candle.high)
    writer.raw(",\"lowPrice\":")
    writer.cents(candle.low)
    writer.raw(",\"volume\":")
    writer.coins(candle.volume)
    writer.raw(",\"quoteVolume\":")
    writer.coins(candle.quoteVolume)
    writer.raw(",\"openTime\":")
    writer.integer(now.milliseconds - 86_400_000)
    writer.raw(",\"closeTime\":")
    writer.integer(now.milliseconds)
    writer.raw(",\"firstId\":")
    writer.integer(trade - Int64(candle.trades))
    writer.raw(",\"lastId\":")
    writer.integer(trade)
    writer.raw(",\"count\":")
    writer.integer(candle.trades)
    writer.byte(0x7D)
  }

  /// The last 24 hours in whole minutes, with the minute that is open.
  func dayCandle(_ coin: Coin) -> SpotCandle? {
    let minute = SpotPrices.floorDivide(now.milliseconds, 60_000)
    return history.candle(.binance, coin, start: minute - 1439, minutes: 1440, now: now)
  }

  // MARK: Trades

  private func trades(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard let symbol = request.query("symbol") else { return BinanceRoutes.refusal(-1102, BinanceRoutes.required) }
    guard let coin = BinanceRoutes.coin(symbol) else { return BinanceRoutes.refusal(-1121, "Invalid symbol.") }
    let limit = max(1, min(request.number("limit") ?? 500, 1000))
    let last = SpotPrices.floorDivide(now.milliseconds, SpotPrices.tradeMilliseconds)
    var writer = ByteWriter(capacity: 160 * Int(limit))
    writer.byte(0x5B)
    for number in (last - limit + 1)...last {
      if number > last - limit + 1 { writer.byte(0x2C) }
      let time = number * SpotPrices.tradeMilliseconds
      let cents = history.prices.price(coin, milliseconds: time) + SpotPrices.offset(.binance, coin)
      let quantity = history.prices.quantity(coin, trade: number)
      writer.raw("{\"id\":")
      writer.integer(number)
      writer.raw(",\"price\":")
      writer.cents(cents)
      writer.raw(",\"qty\":")
      writer.coins(Int128(quantity))
      writer.raw(",\"quoteQty\":")
      writer.coins(Int128(quantity) * Int128(cents) / 100)
      writer.raw(",\"time\":")
      writer.integer(time)
      writer.raw(",\"isBuyerMaker\":")
      writer.boolean(history.prices.isBuyerMaker(coin, trade: number))
      writer.raw(",\"isBestMatch\":true}")
    }
    writer.byte(0x5D)
    return .json(writer)
  }

  private func exchangeInfo() -> HTTPServerResponse {
    let symbols = Coin.allCases.map { coin in
      "{\"symbol\":\"\(BinanceRoutes.symbol(coin))\",\"status\":\"TRADING\",\"baseAsset\":\"\(coin.symbol)\","
        + "\"baseAssetPrecision\":8,\"quoteAsset\":\"USDT\",\"quotePrecision\":8,\"filters\":["
        + "{\"filterType\":\"PRICE_FILTER\",\"minPrice\":\"0.01000000\",\"maxPrice\":\"1000000.00000000\","
        + "\"tickSize\":\"0.01000000\"}],\"isSpotTradingAllowed\":true}"
    }
    return .json(
      "{\"timezone\":\"UTC\",\"serverTime\":\(now.milliseconds),\"rateLimits\":[{\"rateLimitType\":\"REQUEST_WEIGHT\","
        + "\"interval\":\"MINUTE\",\"intervalNum\":1,\"limit\":6000}],\"exchangeFilters\":[],"
        + "\"symbols\":[\(symbols.joined(separator: ","))]}")
  }
}

/// The sizes at the best prices of a moment.
struct SpotQuote {
  let bidSize: Int64
  let askSize: Int64

  init(_ coin: Coin, prices: SpotPrices, milliseconds: Int64) {
    let trade = SpotPrices.floorDivide(milliseconds, SpotPrices.tradeMilliseconds)
    bidSize = prices.quantity(coin, trade: trade) * 7
    askSize = prices.quantity(coin, trade: trade + 1) * 5
  }
}

extension SpotCandle {
  /// What was traded, in units of 10⁻⁸ dollars: the volume at the middle of open and close.
  var quoteVolume: Int128 { volume * Int128(open + close) / 200 }
}

extension ByteWriter {
  /// Cents as a price with eight decimals, in quotes: `"60685.22000000"`.
  mutating func cents(_ value: Int64) {
    byte(0x22)
    if value < 0 { byte(0x2D) }
    unsigned(value.magnitude / 100, width: 1)
    byte(0x2E)
    unsigned(value.magnitude % 100, width: 2)
    raw("000000\"")
  }

  /// Units of 10⁻⁸ with eight decimals, in quotes.
  mutating func coins(_ value: Int128) {
    byte(0x22)
    let scale = Int128(fixedPointScale)
    unsigned(UInt64(value / scale), width: 1)
    byte(0x2E)
    unsigned(UInt64(value % scale), width: 8)
    byte(0x22)
  }
}
