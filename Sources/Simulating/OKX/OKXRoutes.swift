internal import Market
internal import Web

/// OKX's market data: an envelope with a code as text, lists newest first.
struct OKXRoutes {
  let desk: SpotDesk

  private static let recentBars: Int64 = 1440

  /// Lengths; those of six hours and more open by Hong Kong time unless they end in `utc`.
  static let bars: [String: SpotBar] = {
    var result: [String: SpotBar] = [
      "1m": .minutes(1), "3m": .minutes(3), "5m": .minutes(5), "15m": .minutes(15), "30m": .minutes(30),
      "1H": .hours(1), "2H": .hours(2), "4H": .hours(4),
    ]
    let long: [String: SpotBar] = [
      "6H": .hours(6), "12H": .hours(12), "1D": .days(1), "2D": .days(2), "3D": .days(3), "1W": .week,
      "1M": .month, "3M": SpotBar(months: 3),
    ]
    for (name, bar) in long {
      result[name] = bar.local(aheadHours: 8)
      result[name + "utc"] = bar
    }
    return result
  }()

  /// `BTC-USDT`.
  static func symbol(_ coin: Coin) -> String { coin.symbol + "-USDT" }
  static let coins = Dictionary(uniqueKeysWithValues: Coin.allCases.map { (symbol($0), $0) })

  /// Answers a request below `/okx/api/v5`.
  func answer(_ request: HTTPServerRequest, _ path: [String]) -> HTTPServerResponse {
    switch path {
    case ["public", "time"]:
      return .json("{\"code\":\"0\",\"msg\":\"\",\"data\":[{\"ts\":\"\(desk.now.milliseconds)\"}]}")
    case ["public", "instruments"]: return instruments(request)
    case ["system", "status"]: return .json("{\"code\":\"0\",\"msg\":\"\",\"data\":[]}")
    case ["market", "tickers"]:
      guard request.query("instType") == "SPOT" else { return .json("{\"code\":\"0\",\"msg\":\"\",\"data\":[]}") }
      return list(Coin.allCases) { OKXRoutes.ticker($0, desk, to: &$1) }
    case ["market", "candles"]: return withCoin(request) { candles(request, $0, isHistory: false) }
    case ["market", "history-candles"]: return withCoin(request) { candles(request, $0, isHistory: true) }
    case ["market", "ticker"]: return withCoin(request) { list([$0]) { OKXRoutes.ticker($0, desk, to: &$1) } }
    case ["market", "trades"]: return withCoin(request) { trades(request, $0, most: 500) }
    case ["market", "history-trades"]: return withCoin(request) { trades(request, $0, most: 100) }
    case ["market", "books"]: return withCoin(request) { books(request, $0) }
    default: return OKXRoutes.refusal("50404", "Not Found", status: 404)
    }
  }

  static func refusal(_ code: String, _ text: String, status: Int = 400) -> HTTPServerResponse {
    .json("{\"code\":\"\(code)\",\"msg\":\"\(text)\",\"data\":[]}", status: status)
  }

  private func withCoin(_ request: HTTPServerRequest, _ body: (Coin) -> HTTPServerResponse) -> HTTPServerResponse {
    guard let name = request.query("instId"), !name.isEmpty else {
      return OKXRoutes.refusal("50014", "Parameter instId can not be empty.")
    }
    guard let coin = OKXRoutes.coins[name] else {
      return OKXRoutes.refusal("51001", "Instrument ID or Spread ID doesn't exist.", status: 200)
    }
    return body(coin)
  }

  private func list<Item>(_ items: [Item], _ body: (Item, inout ByteWriter) -> Void) -> HTTPServerResponse {
    var writer = ByteWriter(capacity: 512 * items.count)
    writer.raw("{\"code\":\"0\",\"msg\":\"\",\"data\":[")
    for item in items {
      if writer.bytes.last != 0x5B { writer.byte(0x2C) }
      body(item, &writer)
    }
    writer.raw("]}")
    return .json(writer)
  }

  // MARK: Candles

  /// `after` asks for older ones than a time, `before` for newer ones; with both, what lies between.
  private func candles(_ request: HTTPServerRequest, _ coin: Coin, isHistory: Bool) -> HTTPServerResponse {
    guard let bar = OKXRoutes.bars[request.query("bar") ?? "1m"] else {
      return OKXRoutes.refusal("51000", "Parameter bar error")
    }
    for name in ["after", "before", "limit"] where request.query(name) != nil && request.number(name) == nil {
      return OKXRoutes.refusal("51000", "Parameter \(name) error")
    }
    let limit = request.number("limit") ?? 100
    guard limit > 0 else { return OKXRoutes.refusal("51000", "Parameter limit error") }
    let current = bar.start(of: desk.now.seconds)
    var last = isHistory ? bar.start(current, plus: -1) : current
    if let after = request.number("after") {
      last = min(last, bar.start(of: SpotPrices.floorDivide(after - 1, 1000)))
    }
    var first = isHistory ? Int64.min : bar.start(current, plus: 1 - OKXRoutes.recentBars)
    if let before = request.number("before") {
      first = max(first, bar.firstStart(notBefore: SpotPrices.floorDivide(before, 1000) + 1))
    }
    var writer = ByteWriter(capacity: 128 * Int(min(limit, 300)))
    writer.raw("{\"code\":\"0\",\"msg\":\"\",\"data\":[")
    desk.candles(coin, bar, newestFirstFrom: last, downTo: first, count: min(limit, 300)) { start, candle in
      if writer.bytes.last != 0x5B { writer.byte(0x2C) }
      OKXRoutes.candle(start, candle, isClosed: start < current, to: &writer)
    }
    writer.raw("]}")
    return .json(writer)
  }

  /// Nine texts; a spot pair's volume is in coins, and twice in dollars.
  static func candle(_ start: Int64, _ candle: SpotCandle, isClosed: Bool, to writer: inout ByteWriter) {
    writer.raw("[\"")
    writer.integer(start * 1000)
    writer.byte(0x22)
    for value in [
      Int128(candle.open), Int128(candle.high), Int128(candle.low), Int128(candle.close), candle.volume,
      candle.quoteVolume, candle.quoteVolume,
    ] {
      writer.byte(0x2C)
      writer.quotedShort(value)
    }
    if isClosed { writer.raw(",\"1\"]") } else { writer.raw(",\"0\"]") }
  }

  // MARK: Prices

  static func ticker(_ coin: Coin, _ desk: SpotDesk, to writer: inout ByteWriter) {
    let quote = desk.quote(coin)
    let day = desk.day(coin)
    let trade = desk.trade(coin, desk.newestTrade)
    let bar = SpotBar.days(1)
    let today = desk.candle(coin, start: bar.start(of: desk.now.seconds), bar)?.open ?? day.open
    writer.raw("{\"instType\":\"SPOT\",\"instId\":")
    writer.plain(symbol(coin))
    let members: [(StaticString, Int128)] = [
      (",\"last\":", Int128(trade.price)), (",\"lastSz\":", Int128(trade.quantity)), (",\"askPx\":", Int128(quote.ask)),
      (",\"askSz\":", Int128(quote.askSize)), (",\"bidPx\":", Int128(quote.bid)),
      (",\"bidSz\":", Int128(quote.bidSize)), (",\"open24h\":", Int128(day.open)), (",\"high24h\":", Int128(day.high)),
      (",\"low24h\":", Int128(day.low)), (",\"volCcy24h\":", day.quoteVolume), (",\"vol24h\":", day.volume),
      (",\"sodUtc0\":", Int128(today)), (",\"sodUtc8\":", Int128(today)),
    ]
    for (name, value) in members {
      writer.raw(name)
      writer.quotedShort(value)
    }
    writer.raw(",\"ts\":\"")
    writer.integer(desk.now.milliseconds)
    writer.raw("\"}")
  }

  /// Newest first.
  ///
  /// `after` and `before` are ids, or times where `type` is 2.
  private func trades(_ request: HTTPServerRequest, _ coin: Coin, most: Int64) -> HTTPServerResponse {
    let limit = min(request.number("limit") ?? 100, most)
    guard limit > 0 else { return OKXRoutes.refusal("51000", "Parameter limit error") }
    let unit = request.query("type") == "2" ? SpotPrices.tradeMilliseconds : 1
    var last = desk.newestTrade
    if most == 100, let after = request.number("after") { last = min(last, SpotPrices.floorDivide(after - 1, unit)) }
    var first = max(SpotDesk.firstTrade, last - limit + 1)
    if most == 100, let before = request.number("before") {
      first = max(first, SpotPrices.floorDivide(before, unit) + 1)
    }
    return list(Array(stride(from: last, through: first, by: -1))) { number, writer in
      OKXRoutes.trade(coin, desk.trade(coin, number), to: &writer)
      writer.byte(0x7D)
    }
  }

  /// Up to the closing brace.
  static func trade(_ coin: Coin, _ trade: SpotTrade, to writer: inout ByteWriter) {
    writer.raw("{\"instId\":")
    writer.plain(symbol(coin))
    if trade.isBuyerMaker { writer.raw(",\"side\":\"sell\"") } else { writer.raw(",\"side\":\"buy\"") }
    writer.raw(",\"sz\":")
    writer.quotedShort(Int128(trade.quantity))
    writer.raw(",\"px\":")
    writer.quotedShort(Int128(trade.price))
    writer.raw(",\"tradeId\":\"")
    writer.integer(trade.number)
    writer.raw("\",\"ts\":\"")
    writer.integer(trade.milliseconds)
    writer.byte(0x22)
  }

  private func books(_ request: HTTPServerRequest, _ coin: Coin) -> HTTPServerResponse {
    let depth = Int(max(1, min(request.number("sz") ?? 1, 400)))
    return list([coin]) { coin, writer in
      OKXRoutes.book(coin, desk, depth: depth, to: &writer)
      writer.byte(0x7D)
    }
  }

  /// Up to the closing brace.
  static func book(_ coin: Coin, _ desk: SpotDesk, depth: Int, to writer: inout ByteWriter) {
    for (name, isBid) in [("{\"asks\":[" as StaticString, false), ("],\"bids\":[", true)] {
      writer.raw(name)
      for place in 0..<depth {
        let level = desk.level(coin, isBid: isBid, depth: place)
        if place > 0 { writer.byte(0x2C) }
        writer.byte(0x5B)
        writer.quotedShort(Int128(level.price))
        writer.byte(0x2C)
        writer.quotedShort(Int128(level.size))
        writer.raw(",\"0\",\"1\"]")
      }
    }
    writer.raw("],\"ts\":\"")
    writer.integer(desk.now.milliseconds)
    writer.raw("\",\"seqId\":")
    writer.integer(desk.newestTrade)
  }

  private func instruments(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard let type = request.query("instType") else {
      return OKXRoutes.refusal("50014", "Parameter instType can not be empty.")
    }
    guard type == "SPOT" else { return .json("{\"code\":\"0\",\"msg\":\"\",\"data\":[]}") }
    return list(Coin.allCases) { coin, writer in
      var tick = ByteWriter()
      tick.decimal(raw: coin.tick)
      writer.text(
        "{\"instType\":\"SPOT\",\"instId\":\"\(OKXRoutes.symbol(coin))\",\"uly\":\"\",\"category\":\"1\","
          + "\"baseCcy\":\"\(coin.symbol)\",\"quoteCcy\":\"USDT\",\"settleCcy\":\"\",\"ctVal\":\"\",\"ctMult\":\"\","
          + "\"ctValCcy\":\"\",\"optType\":\"\",\"stk\":\"\",\"listTime\":\"1611907686000\",\"expTime\":\"\","
          + "\"lever\":\"\",\"tickSz\":\"\(String(decoding: tick.bytes, as: UTF8.self))\",\"lotSz\":\"0.00000001\","
          + "\"minSz\":\"0.00001\",\"ctType\":\"\",\"alias\":\"\",\"state\":\"live\",\"ruleType\":\"normal\","
          + "\"maxLmtSz\":\"99999999\",\"maxMktSz\":\"1000000\"}")
    }
  }
}
