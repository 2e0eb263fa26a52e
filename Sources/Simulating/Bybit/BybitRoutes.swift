internal import Market
internal import Web

/// Bybit's market data, version 5: HTTP 200 with a code, lists newest first.
struct BybitRoutes {
  let desk: SpotDesk

  static let intervals: [String: SpotBar] = [
    "1": .minutes(1), "3": .minutes(3), "5": .minutes(5), "15": .minutes(15), "30": .minutes(30), "60": .hours(1),
    "120": .hours(2), "240": .hours(4), "360": .hours(6), "720": .hours(12), "D": .days(1), "W": .week, "M": .month,
  ]

  /// `BTCUSDT`.
  static func symbol(_ coin: Coin) -> String { coin.symbol + "USDT" }
  static let coins = Dictionary(uniqueKeysWithValues: Coin.allCases.map { (symbol($0), $0) })

  /// Answers a request below `/bybit/v5`.
  func answer(_ request: HTTPServerRequest, _ path: [String]) -> HTTPServerResponse {
    switch path {
    case ["market", "time"]:
      return envelope(
        "{\"timeSecond\":\"\(desk.now.seconds)\",\"timeNano\":\"\(desk.now.nanoseconds)\"}")
    case ["market", "instruments-info"]: return instruments(request)
    case ["market", "kline"]: return withCoin(request) { candles(request, $0) }
    case ["market", "tickers"]: return tickers(request)
    case ["market", "recent-trade"]: return withCoin(request) { trades(request, $0) }
    case ["market", "orderbook"]: return withCoin(request) { book(request, $0) }
    default: return .text("", status: 404)
    }
  }

  private func envelope(_ result: String, code: Int = 0, text: String = "OK") -> HTTPServerResponse {
    .json(
      "{\"retCode\":\(code),\"retMsg\":\"\(text)\",\"result\":\(result),\"retExtInfo\":{},"
        + "\"time\":\(desk.now.milliseconds)}")
  }

  private func refusal(_ text: String) -> HTTPServerResponse { envelope("{}", code: 10_001, text: text) }

  private func withCoin(_ request: HTTPServerRequest, _ body: (Coin) -> HTTPServerResponse) -> HTTPServerResponse {
    // Without a category it is that of futures, which there are none of here.
    guard request.query("category") == "spot" else { return refusal("Not supported symbols") }
    guard let coin = request.query("symbol").flatMap({ BybitRoutes.coins[$0] }) else {
      return refusal("Not supported symbols")
    }
    return body(coin)
  }

  private func head(_ symbol: String?) -> ByteWriter {
    var writer = ByteWriter(capacity: 1 << 14)
    writer.raw("{\"retCode\":0,\"retMsg\":\"OK\",\"result\":{\"category\":\"spot\"")
    if let symbol {
      writer.raw(",\"symbol\":")
      writer.plain(symbol)
    }
    writer.raw(",\"list\":[")
    return writer
  }

  private func finished(_ writer: ByteWriter) -> HTTPServerResponse {
    var writer = writer
    writer.raw("]},\"retExtInfo\":{},\"time\":")
    writer.integer(desk.now.milliseconds)
    writer.byte(0x7D)
    return .json(writer)
  }

  // MARK: Candles

  private func candles(_ request: HTTPServerRequest, _ coin: Coin) -> HTTPServerResponse {
    guard let bar = request.query("interval").flatMap({ BybitRoutes.intervals[$0] }) else {
      return refusal("Invalid period!")
    }
    for name in ["start", "end", "limit"] where request.query(name) != nil && request.number(name) == nil {
      return refusal("params error: \(name)")
    }
    let limit = max(1, min(request.number("limit") ?? 200, 1000))
    let current = bar.start(of: desk.now.seconds)
    var last = current
    if let end = request.number("end") { last = min(last, bar.start(of: SpotPrices.floorDivide(end, 1000))) }
    var first = Int64.min
    if let start = request.number("start") {
      first = bar.start(of: SpotPrices.floorDivide(start, 1000))
      if request.query("end") == nil { last = min(last, bar.start(first, plus: limit - 1)) }
    }
    var writer = head(BybitRoutes.symbol(coin))
    desk.candles(coin, bar, newestFirstFrom: last, downTo: first, count: limit) { start, candle in
      if writer.bytes.last != 0x5B { writer.byte(0x2C) }
      writer.raw("[\"")
      writer.integer(start * 1000)
      writer.byte(0x22)
      for value in [
        Int128(candle.open), Int128(candle.high), Int128(candle.low), Int128(candle.close), candle.volume,
        candle.quoteVolume,
      ] {
        writer.byte(0x2C)
        writer.quotedShort(value)
      }
      writer.byte(0x5D)
    }
    return finished(writer)
  }

  // MARK: Prices

  private func tickers(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard request.query("category") == "spot" else { return refusal("Not supported symbols") }
    var coins = Coin.allCases
    if let name = request.query("symbol") {
      guard let coin = BybitRoutes.coins[name] else { return refusal("Not supported symbols") }
      coins = [coin]
    }
    var writer = head(nil)
    for coin in coins {
      if writer.bytes.last != 0x5B { writer.byte(0x2C) }
      let quote = desk.quote(coin)
      writer.raw("{\"symbol\":")
      writer.plain(BybitRoutes.symbol(coin))
      for (name, value) in [
        (",\"bid1Price\":" as StaticString, quote.bid), (",\"bid1Size\":", quote.bidSize),
        (",\"ask1Price\":", quote.ask), (",\"ask1Size\":", quote.askSize),
      ] {
        writer.raw(name)
        writer.quotedShort(Int128(value))
      }
      BybitRoutes.day(coin, desk, to: &writer)
    }
    return finished(writer)
  }

  /// The members that REST and stream share, up to the closing brace.
  static func day(_ coin: Coin, _ desk: SpotDesk, to writer: inout ByteWriter) {
    let day = desk.day(coin)
    let last = desk.last(coin)
    for (name, value) in [
      (",\"lastPrice\":" as StaticString, Int128(last)), (",\"prevPrice24h\":", Int128(day.open)),
      (",\"highPrice24h\":", Int128(day.high)), (",\"lowPrice24h\":", Int128(day.low)),
      (",\"turnover24h\":", day.quoteVolume), (",\"volume24h\":", day.volume),
    ] {
      writer.raw(name)
      writer.quotedShort(value)
    }
    writer.raw(",\"price24hPcnt\":\"")
    writer.fixed(raw: day.changePercent / 100, decimals: 4)
    writer.raw("\",\"usdIndexPrice\":")
    writer.quotedShort(Int128(last - SpotPrices.offset(.bybit, coin)))
    writer.byte(0x7D)
  }

  private func trades(_ request: HTTPServerRequest, _ coin: Coin) -> HTTPServerResponse {
    let limit = max(1, min(request.number("limit") ?? 60, 60))
    var writer = head(nil)
    for number in stride(from: desk.newestTrade, to: desk.newestTrade - limit, by: -1) {
      let trade = desk.trade(coin, number)
      if writer.bytes.last != 0x5B { writer.byte(0x2C) }
      writer.raw("{\"execId\":\"2")
      writer.unsigned(UInt64(number), width: 18)
      writer.raw("\",\"symbol\":")
      writer.plain(BybitRoutes.symbol(coin))
      writer.raw(",\"price\":")
      writer.quotedShort(Int128(trade.price))
      writer.raw(",\"size\":")
      writer.quotedShort(Int128(trade.quantity))
      if trade.isBuyerMaker { writer.raw(",\"side\":\"Sell\"") } else { writer.raw(",\"side\":\"Buy\"") }
      writer.raw(",\"time\":\"")
      writer.integer(trade.milliseconds)
      writer.raw("\",\"isBlockTrade\":false,\"isRPITrade\":false,\"seq\":\"")
      writer.integer(number * 3)
      writer.raw("\"}")
    }
    return finished(writer)
  }

  private func book(_ request: HTTPServerRequest, _ coin: Coin) -> HTTPServerResponse {
    let depth = Int(max(1, min(request.number("limit") ?? 1, 200)))
    var writer = ByteWriter(capacity: 64 * depth)
    writer.raw("{\"retCode\":0,\"retMsg\":\"OK\",\"result\":{\"s\":")
    writer.plain(BybitRoutes.symbol(coin))
    for (name, isBid) in [(",\"b\":[" as StaticString, true), ("],\"a\":[", false)] {
      writer.raw(name)
      for place in 0..<depth {
        let level = desk.level(coin, isBid: isBid, depth: place)
        if place > 0 { writer.byte(0x2C) }
        writer.byte(0x5B)
        writer.quotedShort(Int128(level.price))
        writer.byte(0x2C)
        writer.quotedShort(Int128(level.size))
        writer.byte(0x5D)
      }
    }
    writer.text(
      "],\"ts\":\(desk.now.milliseconds),\"u\":\(desk.newestTrade),\"seq\":\(desk.newestTrade * 3),"
        + "\"cts\":\(desk.now.milliseconds)},\"retExtInfo\":{},\"time\":\(desk.now.milliseconds)}")
    return .json(writer)
  }

  private func instruments(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard let category = request.query("category") else { return refusal("Illegal category") }
    guard category == "spot" else {
      return envelope("{\"category\":\"\(category)\",\"list\":[],\"nextPageCursor\":\"\"}")
    }
    let rows = Coin.allCases.map { coin in
      var tick = ByteWriter()
      tick.decimal(raw: coin.tick)
      return "{\"symbol\":\"\(BybitRoutes.symbol(coin))\",\"baseCoin\":\"\(coin.symbol)\",\"quoteCoin\":\"USDT\","
        + "\"innovation\":\"0\",\"status\":\"Trading\",\"marginTrading\":\"none\",\"stTag\":\"0\","
        + "\"lotSizeFilter\":{\"basePrecision\":\"0.00000001\",\"quotePrecision\":\"0.00000001\","
        + "\"minOrderQty\":\"0.00001\",\"maxOrderQty\":\"1000000\",\"minOrderAmt\":\"1\",\"maxOrderAmt\":\"2000000\"},"
        + "\"priceFilter\":{\"tickSize\":\"\(String(decoding: tick.bytes, as: UTF8.self))\"},"
        + "\"riskParameters\":{\"limitParameter\":\"0.05\",\"marketParameter\":\"0.05\"}}"
    }
    return envelope("{\"category\":\"spot\",\"list\":[\(rows.joined(separator: ","))],\"nextPageCursor\":\"\"}")
  }
}
