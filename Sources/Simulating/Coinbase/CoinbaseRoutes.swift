internal import Market
internal import Web

/// Coinbase Exchange's market data: candles, ticker, trades.
struct CoinbaseRoutes {
  let desk: SpotDesk

  private var now: Timestamp { desk.now }

  private static let granularities: Set<Int64> = [60, 300, 900, 3600, 21_600, 86_400]
  private static let candlesMax: Int64 = 300

  /// Answers a request below `/coinbase`.
  func answer(_ request: HTTPServerRequest, _ path: [String]) -> HTTPServerResponse {
    guard request.method == "GET" else { return CoinbaseRoutes.refusal("Method not allowed", status: 405) }
    guard path.first == "products", path.count == 3 else {
      switch path {
      case ["time"]: return time()
      case ["products"]: return .json("[\(Coin.allCases.map(CoinbaseRoutes.product).joined(separator: ","))]")
      case ["currencies"]: return .json(CoinbaseRoutes.currencies)
      default: break
      }
      if path.count == 2, path[0] == "products", let coin = CoinbaseRoutes.coin(path[1]) {
        return .json(CoinbaseRoutes.product(coin))
      }
      return CoinbaseRoutes.refusal("NotFound", status: 404)
    }
    guard let coin = CoinbaseRoutes.coin(path[1]) else { return CoinbaseRoutes.refusal("NotFound", status: 404) }
    switch path[2] {
    case "candles": return candles(request, coin)
    case "ticker": return ticker(coin)
    case "trades": return trades(request, coin)
    case "book": return book(request, coin)
    case "stats": return stats(coin)
    default: return CoinbaseRoutes.refusal("NotFound", status: 404)
    }
  }

  private static func refusal(_ text: String, status: Int) -> HTTPServerResponse {
    .json("{\"message\":\"\(text)\"}", status: status)
  }

  /// `BTC-USD`.
  private static func id(_ coin: Coin) -> String { coin.symbol + "-USD" }

  static func coin(_ id: String) -> Coin? { Coin.allCases.first { CoinbaseRoutes.id($0) == id } }

  private static func product(_ coin: Coin) -> String {
    var increment = ByteWriter()
    increment.decimal(raw: coin.tick)
    return "{\"id\":\"\(id(coin))\",\"base_currency\":\"\(coin.symbol)\",\"quote_currency\":\"USD\","
      + "\"quote_increment\":\"\(String(decoding: increment.bytes, as: UTF8.self))\",\"base_increment\":\"0.00000001\","
      + "\"display_name\":\"\(coin.symbol)/USD\",\"min_market_funds\":\"1\",\"margin_enabled\":false,"
      + "\"post_only\":false,\"limit_only\":false,\"cancel_only\":false,\"status\":\"online\","
      + "\"status_message\":\"\",\"trading_disabled\":false,\"fx_stablecoin\":false,\"auction_mode\":false}"
  }

  private static var currencies: String {
    let coins = Coin.allCases.map { ($0.symbol, $0.name, "crypto") } + [("USD", "United States Dollar", "fiat")]
    let rows = coins.map { symbol, name, type in
      "{\"id\":\"\(symbol)\",\"name\":\"\(name)\",\"min_size\":\"0.00000001\",\"status\":\"online\","
        + "\"message\":\"\",\"max_precision\":\"0.00000001\",\"convertible_to\":[],"
        + "\"details\":{\"type\":\"\(type)\"},\"default_network\":\"\",\"supported_networks\":[]}"
    }
    return "[\(rows.joined(separator: ","))]"
  }

  private func time() -> HTTPServerResponse {
    var writer = ByteWriter()
    writer.raw("{\"iso\":")
    writer.fineTime(now)
    writer.raw(",\"epoch\":")
    writer.integer(now.seconds)
    writer.byte(0x2E)
    writer.unsigned(UInt64(now.milliseconds % 1000), width: 3)
    writer.byte(0x7D)
    return .json(writer)
  }

  // MARK: Candles

  private func candles(_ request: HTTPServerRequest, _ coin: Coin) -> HTTPServerResponse {
    let granularity = request.query("granularity") == nil ? 60 : request.number("granularity") ?? 0
    guard CoinbaseRoutes.granularities.contains(granularity) else {
      return CoinbaseRoutes.refusal("Unsupported granularity", status: 400)
    }
    let bar = SpotBar(seconds: granularity)
    var start: Int64?
    var end: Int64?
    for (name, place) in [("start", 0), ("end", 1)] {
      guard let text = request.query(name) else { continue }
      guard let seconds = CoinbaseRoutes.seconds(text) else {
        return CoinbaseRoutes.refusal("Invalid \(name)", status: 400)
      }
      if place == 0 { start = seconds } else { end = seconds }
    }
    let span = CoinbaseRoutes.candlesMax * granularity
    let to = min(end ?? (start.map { $0 + span - 1 } ?? now.seconds), now.seconds)
    let last = bar.start(of: to)
    var first = last - (CoinbaseRoutes.candlesMax - 1) * granularity
    if let start {
      guard start <= to + granularity else { return CoinbaseRoutes.refusal("start must be before end", status: 400) }
      first = bar.firstStart(notBefore: start)
    }
    guard (last - first) / granularity < CoinbaseRoutes.candlesMax else {
      return CoinbaseRoutes.refusal(
        "granularity too small for the requested time range. Count of aggregations requested exceeds 300", status: 400)
    }
    var writer = ByteWriter(capacity: 80 * Int(CoinbaseRoutes.candlesMax))
    writer.byte(0x5B)
    desk.candles(coin, bar, newestFirstFrom: last, downTo: first, count: CoinbaseRoutes.candlesMax) { start, candle in
      if writer.count > 1 { writer.byte(0x2C) }
      writer.byte(0x5B)
      writer.integer(start)
      for price in [candle.low, candle.high, candle.open, candle.close] {
        writer.byte(0x2C)
        writer.decimal(raw: price)
      }
      writer.byte(0x2C)
      writer.short(candle.volume)
      writer.byte(0x5D)
    }
    writer.byte(0x5D)
    return .json(writer)
  }

  /// Seconds since 1970, or a time by ISO 8601.
  private static func seconds(_ text: String) -> Int64? {
    if let seconds = Int64(text) { return seconds }
    return (try? Timestamp(rfc3339: text))?.seconds
  }

  // MARK: Prices

  private func ticker(_ coin: Coin) -> HTTPServerResponse {
    let trade = desk.trade(coin, desk.newestTrade)
    let quote = desk.quote(coin)
    var writer = ByteWriter()
    writer.raw("{\"ask\":")
    writer.quotedShort(Int128(quote.ask))
    writer.raw(",\"bid\":")
    writer.quotedShort(Int128(quote.bid))
    writer.raw(",\"volume\":")
    writer.quotedShort(desk.day(coin).volume)
    writer.raw(",\"trade_id\":")
    writer.integer(trade.number)
    writer.raw(",\"price\":")
    writer.quotedShort(Int128(trade.price))
    writer.raw(",\"size\":")
    writer.quotedShort(Int128(trade.quantity))
    writer.raw(",\"time\":")
    writer.fineTime(trade.time)
    writer.raw(",\"rfq_volume\":\"0\"}")
    return .json(writer)
  }

  private func stats(_ coin: Coin) -> HTTPServerResponse {
    let day = desk.day(coin)
    var writer = ByteWriter()
    let members: [(StaticString, Int128)] = [
      ("{\"open\":", Int128(day.open)), (",\"high\":", Int128(day.high)), (",\"low\":", Int128(day.low)),
      (",\"last\":", Int128(day.close)), (",\"volume\":", day.volume), (",\"volume_30day\":", day.volume * 30),
    ]
    for (name, value) in members {
      writer.raw(name)
      writer.quotedShort(value)
    }
    writer.byte(0x7D)
    return .json(writer)
  }

  /// Level 1 has the best prices, others fifty levels: `[price, size, orders]`.
  private func book(_ request: HTTPServerRequest, _ coin: Coin) -> HTTPServerResponse {
    let depth = (request.number("level") ?? 1) == 1 ? 1 : 50
    var writer = ByteWriter(capacity: 64 * depth)
    for (name, isBid) in [("{\"bids\":[" as StaticString, true), ("],\"asks\":[", false)] {
      writer.raw(name)
      for place in 0..<depth {
        let level = desk.level(coin, isBid: isBid, depth: place)
        if place > 0 { writer.byte(0x2C) }
        writer.byte(0x5B)
        writer.price(level.price, of: coin)
        writer.byte(0x2C)
        writer.quotedShort(Int128(level.size))
        writer.raw(",1]")
      }
    }
    writer.raw("],\"sequence\":")
    writer.integer(desk.newestTrade * 16)
    writer.raw(",\"auction_mode\":false,\"auction\":null,\"time\":")
    writer.fineTime(now)
    writer.byte(0x7D)
    return .json(writer)
  }

  /// Newest first; `side` is the maker's.
  ///
  /// `after` asks for older ones, `before` for newer ones.
  private func trades(_ request: HTTPServerRequest, _ coin: Coin) -> HTTPServerResponse {
    for name in ["limit", "after", "before"] where request.query(name) != nil && request.number(name) == nil {
      return CoinbaseRoutes.refusal("Invalid \(name)", status: 400)
    }
    let limit = request.number("limit") ?? 1000
    guard (1...1000).contains(limit) else {
      return CoinbaseRoutes.refusal("limit must be between 1 and 1000", status: 400)
    }
    let first = request.number("after").map { min(desk.newestTrade, $0 - 1) } ?? desk.newestTrade
    let oldest = max(SpotDesk.firstTrade, request.number("before").map { $0 + 1 } ?? 0)
    let last = max(oldest, first - limit + 1)
    guard first >= last else { return .json("[]") }
    var writer = ByteWriter(capacity: 160 * Int(limit))
    writer.byte(0x5B)
    for number in stride(from: first, through: last, by: -1) {
      if number < first { writer.byte(0x2C) }
      let trade = desk.trade(coin, number)
      writer.raw("{\"trade_id\":")
      writer.integer(number)
      if trade.isBuyerMaker {
        writer.raw(",\"side\":\"buy\",\"size\":")
      } else {
        writer.raw(",\"side\":\"sell\",\"size\":")
      }
      writer.eight(trade.quantity)
      writer.raw(",\"price\":")
      writer.eight(trade.price)
      writer.raw(",\"time\":")
      writer.fineTime(trade.time)
      writer.byte(0x7D)
    }
    writer.byte(0x5D)
    var answer = HTTPServerResponse.json(writer)
    answer.headers["CB-BEFORE"] = "\(first)"
    if last > SpotDesk.firstTrade { answer.headers["CB-AFTER"] = "\(last)" }
    return answer
  }
}
