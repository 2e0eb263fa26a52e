internal import Market
internal import Web

/// Binance's spot market data: candles, prices, trades.
struct BinanceRoutes {
  let desk: SpotDesk

  private var now: Timestamp { desk.now }

  /// The intervals; case matters.
  static let intervals: [String: SpotBar] = [
    "1s": SpotBar(seconds: 1), "1m": .minutes(1), "3m": .minutes(3), "5m": .minutes(5), "15m": .minutes(15),
    "30m": .minutes(30), "1h": .hours(1), "2h": .hours(2), "4h": .hours(4), "6h": .hours(6), "8h": .hours(8),
    "12h": .hours(12), "1d": .days(1), "3d": .days(3), "1w": .week, "1M": .month,
  ]
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
    case ["aggTrades"]: answer = aggregateTrades(request)
    default: answer = .text("", status: 404)
    }
    answer.headers["X-MBX-USED-WEIGHT-1M"] = "2"
    answer.headers["X-MBX-USED-WEIGHT"] = "2"
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
    guard let bar = request.query("interval").flatMap({ BinanceRoutes.intervals[$0] }) else {
      return BinanceRoutes.refusal(-1120, "Invalid interval.")
    }
    for name in ["startTime", "endTime", "limit"] where request.query(name) != nil && request.number(name) == nil {
      return BinanceRoutes.refusal(-1100, "Illegal characters found in parameter '\(name)'.")
    }
    let limit = min(request.number("limit") ?? 500, 1000)
    guard limit > 0 else { return BinanceRoutes.refusal(-1130, "Data sent for parameter 'limit' is not valid.") }
    let end = min(request.number("endTime") ?? Int64.max, now.milliseconds)
    let last = bar.start(of: SpotPrices.floorDivide(end, 1000))
    var first = bar.start(last, plus: 1 - limit)
    if let start = request.number("startTime") {
      guard start <= end else { return .json("[]") }
      first = bar.firstStart(notBefore: SpotPrices.floorDivide(start + 999, 1000))
    }
    var writer = ByteWriter(capacity: 128 * Int(limit))
    writer.byte(0x5B)
    desk.candles(coin, bar, oldestFirstFrom: first, to: last, count: limit) { start, candle in
      if writer.count > 1 { writer.byte(0x2C) }
      row(candle, start, bar, to: &writer)
    }
    writer.byte(0x5D)
    return .json(writer)
  }

  private func row(_ candle: SpotCandle, _ start: Int64, _ bar: SpotBar, to writer: inout ByteWriter) {
    writer.byte(0x5B)
    writer.integer(start * 1000)
    for price in [candle.open, candle.high, candle.low, candle.close] {
      writer.byte(0x2C)
      writer.eight(price)
    }
    writer.byte(0x2C)
    writer.eight(candle.volume)
    writer.byte(0x2C)
    writer.integer(bar.start(start, plus: 1) * 1000 - 1)
    writer.byte(0x2C)
    writer.eight(candle.quoteVolume)
    writer.byte(0x2C)
    writer.integer(candle.trades)
    writer.byte(0x2C)
    writer.eight(candle.volume / 2)
    writer.byte(0x2C)
    writer.eight(candle.quoteVolume / 2)
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

  private func price(of coin: Coin, to writer: inout ByteWriter) {
    writer.raw("{\"symbol\":")
    writer.plain(BinanceRoutes.symbol(coin))
    writer.raw(",\"price\":")
    writer.eight(desk.last(coin))
    writer.byte(0x7D)
  }

  private func bookTicker(of coin: Coin, to writer: inout ByteWriter) {
    writer.raw("{\"symbol\":")
    writer.plain(BinanceRoutes.symbol(coin))
    writer.byte(0x2C)
    quote(desk.quote(coin), to: &writer)
    writer.byte(0x7D)
  }

  private func quote(_ quote: SpotQuote, to writer: inout ByteWriter) {
    writer.raw("\"bidPrice\":")
    writer.eight(quote.bid)
    writer.raw(",\"bidQty\":")
    writer.eight(quote.bidSize)
    writer.raw(",\"askPrice\":")
    writer.eight(quote.ask)
    writer.raw(",\"askQty\":")
    writer.eight(quote.askSize)
  }

  private func day(of coin: Coin, to writer: inout ByteWriter) {
    let candle = desk.day(coin)
    let trade = desk.trade(coin, desk.newestTrade)
    writer.raw("{\"symbol\":")
    writer.plain(BinanceRoutes.symbol(coin))
    writer.raw(",\"priceChangePercent\":\"")
    writer.fixed(raw: candle.changePercent, decimals: 3)
    writer.byte(0x22)
    let prices: [(StaticString, Int64)] = [
      (",\"priceChange\":", candle.close - candle.open), (",\"weightedAvgPrice\":", candle.mean),
      (",\"prevClosePrice\":", candle.open), (",\"lastPrice\":", candle.close), (",\"lastQty\":", trade.quantity),
      (",\"openPrice\":", candle.open), (",\"highPrice\":", candle.high), (",\"lowPrice\":", candle.low),
    ]
    for (name, price) in prices {
      writer.raw(name)
      writer.eight(price)
    }
    writer.byte(0x2C)
    quote(desk.quote(coin), to: &writer)
    writer.raw(",\"volume\":")
    writer.eight(candle.volume)
    writer.raw(",\"quoteVolume\":")
    writer.eight(candle.quoteVolume)
    let numbers: [(StaticString, Int64)] = [
      (",\"openTime\":", now.milliseconds - 86_400_000), (",\"closeTime\":", now.milliseconds),
      (",\"firstId\":", trade.number - Int64(candle.trades)), (",\"lastId\":", trade.number),
      (",\"count\":", Int64(candle.trades)),
    ]
    for (name, number) in numbers {
      writer.raw(name)
      writer.integer(number)
    }
    writer.byte(0x7D)
  }

  // MARK: Trades

  private func trades(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard let symbol = request.query("symbol") else { return BinanceRoutes.refusal(-1102, BinanceRoutes.required) }
    guard let coin = BinanceRoutes.coin(symbol) else { return BinanceRoutes.refusal(-1121, "Invalid symbol.") }
    let limit = max(1, min(request.number("limit") ?? 500, 1000))
    return list(coin, from: desk.newestTrade - limit + 1, count: limit, isAggregate: false)
  }

  /// From an id, from a time, or the newest.
  private func aggregateTrades(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard let symbol = request.query("symbol") else { return BinanceRoutes.refusal(-1102, BinanceRoutes.required) }
    guard let coin = BinanceRoutes.coin(symbol) else { return BinanceRoutes.refusal(-1121, "Invalid symbol.") }
    let limit = max(1, min(request.number("limit") ?? 500, 1000))
    var first = desk.newestTrade - limit + 1
    var last = desk.newestTrade
    if let id = request.number("fromId") {
      first = id
    } else {
      let length = SpotPrices.tradeMilliseconds
      if let end = request.number("endTime") {
        last = min(last, SpotPrices.floorDivide(end, length))
        first = last - limit + 1
      }
      if let start = request.number("startTime") { first = SpotPrices.floorDivide(start + length - 1, length) }
    }
    return list(coin, from: first, count: min(limit, last - first + 1), isAggregate: true)
  }

  private func list(_ coin: Coin, from first: Int64, count: Int64, isAggregate: Bool) -> HTTPServerResponse {
    var writer = ByteWriter(capacity: 160 * Int(max(0, count)))
    writer.byte(0x5B)
    let start = max(first, SpotDesk.firstTrade)
    for number in stride(from: start, through: min(first + count - 1, desk.newestTrade), by: 1) {
      if number > start { writer.byte(0x2C) }
      let trade = desk.trade(coin, number)
      if isAggregate { writer.raw("{\"a\":") } else { writer.raw("{\"id\":") }
      writer.integer(number)
      if isAggregate { writer.raw(",\"p\":") } else { writer.raw(",\"price\":") }
      writer.eight(trade.price)
      if isAggregate { writer.raw(",\"q\":") } else { writer.raw(",\"qty\":") }
      writer.eight(trade.quantity)
      if isAggregate {
        writer.raw(",\"f\":")
        writer.integer(number)
        writer.raw(",\"l\":")
        writer.integer(number)
        writer.raw(",\"T\":")
      } else {
        writer.raw(",\"quoteQty\":")
        writer.eight(Int128(trade.quantity) * Int128(trade.price) / Int128(fixedPointScale))
        writer.raw(",\"time\":")
      }
      writer.integer(trade.milliseconds)
      if isAggregate { writer.raw(",\"m\":") } else { writer.raw(",\"isBuyerMaker\":") }
      writer.boolean(trade.isBuyerMaker)
      if isAggregate { writer.raw(",\"M\":true}") } else { writer.raw(",\"isBestMatch\":true}") }
    }
    writer.byte(0x5D)
    return .json(writer)
  }

  private func exchangeInfo() -> HTTPServerResponse {
    let symbols = Coin.allCases.map { coin in
      var tick = ByteWriter()
      tick.fixed(raw: coin.tick, decimals: 8)
      return "{\"symbol\":\"\(BinanceRoutes.symbol(coin))\",\"status\":\"TRADING\",\"baseAsset\":\"\(coin.symbol)\","
        + "\"baseAssetPrecision\":8,\"quoteAsset\":\"USDT\",\"quotePrecision\":8,\"quoteAssetPrecision\":8,"
        + "\"orderTypes\":[\"LIMIT\",\"MARKET\"],\"filters\":["
        + "{\"filterType\":\"PRICE_FILTER\",\"minPrice\":\"0.00000001\",\"maxPrice\":\"1000000.00000000\","
        + "\"tickSize\":\"\(String(decoding: tick.bytes, as: UTF8.self))\"},{\"filterType\":\"LOT_SIZE\","
        + "\"minQty\":\"0.00000001\",\"maxQty\":\"9000000.00000000\",\"stepSize\":\"0.00000001\"}],"
        + "\"permissions\":[],\"permissionSets\":[[\"SPOT\"]],\"isSpotTradingAllowed\":true,"
        + "\"isMarginTradingAllowed\":false}"
    }
    return BinanceRoutes.exchangeInfo(symbols.joined(separator: ","), now)
  }

  /// What the futures' services answer: there are none here.
  static func emptyExchangeInfo(_ now: Timestamp) -> HTTPServerResponse { exchangeInfo("", now) }

  private static func exchangeInfo(_ symbols: String, _ now: Timestamp) -> HTTPServerResponse {
    .json(
      "{\"timezone\":\"UTC\",\"serverTime\":\(now.milliseconds),\"rateLimits\":[{\"rateLimitType\":\"REQUEST_WEIGHT\","
        + "\"interval\":\"MINUTE\",\"intervalNum\":1,\"limit\":6000}],\"exchangeFilters\":[],\"symbols\":[\(symbols)]}")
  }
}

extension SpotCandle {
  /// From open to close, in units of 10⁻⁸ percent.
  var changePercent: Int64 { Int64(Int128(close - open) * 10_000_000_000 / Int128(open)) }
}
