internal import Market
internal import Web

/// Coinbase Exchange's market data: candles, ticker, trades.
struct CoinbaseRoutes {
  let now: Timestamp
  let history: SpotHistory

  private static let granularities: Set<Int64> = [60, 300, 900, 3600, 21_600, 86_400]
  private static let candlesMax: Int64 = 300

  /// Answers a request below `/coinbase`.
  func answer(_ request: HTTPServerRequest, _ path: [String]) -> HTTPServerResponse {
    guard request.method == "GET" else { return CoinbaseRoutes.refusal("Method not allowed", status: 405) }
    guard path.first == "products", path.count == 3 else {
      switch path {
      case ["time"]: return time()
      case ["products"]: return .json("[\(Coin.allCases.map(CoinbaseRoutes.product).joined(separator: ","))]")
      case ["products", CoinbaseRoutes.id(.btc)], ["products", CoinbaseRoutes.id(.eth)],
        ["products", CoinbaseRoutes.id(.sol)]:
        guard let coin = CoinbaseRoutes.coin(path[1]) else { break }
        return .json(CoinbaseRoutes.product(coin))
      default: break
      }
      return CoinbaseRoutes.refusal("NotFound", status: 404)
    }
    guard let coin = CoinbaseRoutes.coin(path[1]) else { return CoinbaseRoutes.refusal("NotFound", status: 404) }
    switch path[2] {
    case "candles": return candles(request, coin)
    case "ticker": return ticker(coin)
    case "trades": return trades(request, coin)
    default: return CoinbaseRoutes.refusal("NotFound", status: 404)
    }
  }

  private static func refusal(_ text: String, status: Int) -> HTTPServerResponse {
    .json("{\"message\":\"\(text)\"}", status: status)
  }

  /// `BTC-USD`.
  private static func id(_ coin: Coin) -> String { coin.symbol + "-USD" }

  private static func coin(_ id: String) -> Coin? { Coin.allCases.first { CoinbaseRoutes.id($0) == id } }

  private static func product(_ coin: Coin) -> String {
    "{\"id\":\"\(id(coin))\",\"base_currency\":\"\(coin.symbol)\",\"quote_currency\":\"USD\","
      + "\"quote_increment\":\"0.01\",\"base_increment\":\"0.00000001\",\"display_name\":\"\(coin.symbol)/USD\","
      + "\"status\":\"online\",\"trading_disabled\":false}"
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
    let minutes = granularity / 60
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
    let last = SpotPrices.floorDivide(to, granularity) * minutes
    var first = last - (CoinbaseRoutes.candlesMax - 1) * minutes
    if let start {
      guard start <= to + granularity else { return CoinbaseRoutes.refusal("start must be before end", status: 400) }
      first = SpotPrices.floorDivide(start + granularity - 1, granularity) * minutes
    }
    guard (last - first) / minutes < CoinbaseRoutes.candlesMax else {
      return CoinbaseRoutes.refusal(
        "granularity too small for the requested time range. Count of aggregations requested exceeds 300", status: 400)
    }
    var writer = ByteWriter(capacity: 80 * Int(CoinbaseRoutes.candlesMax))
    writer.byte(0x5B)
    var isFirst = true
    for open in stride(from: last, through: first, by: Int64.Stride(-minutes)) {
      guard let candle = history.candle(.coinbase, coin, start: open, minutes: minutes, now: now) else { continue }
      if !isFirst { writer.byte(0x2C) }
      isFirst = false
      writer.byte(0x5B)
      writer.integer(open * 60)
      for cents in [candle.low, candle.high, candle.open, candle.close] {
        writer.byte(0x2C)
        writer.decimal(raw: cents * 1_000_000)
      }
      writer.byte(0x2C)
      writer.decimal(raw: Int64(candle.volume))
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

  private func cents(_ coin: Coin, _ milliseconds: Int64) -> Int64 {
    history.prices.price(coin, milliseconds: milliseconds) + SpotPrices.offset(.coinbase, coin)
  }

  private func ticker(_ coin: Coin) -> HTTPServerResponse {
    let trade = SpotPrices.floorDivide(now.milliseconds, SpotPrices.tradeMilliseconds)
    let last = cents(coin, now.milliseconds)
    let minute = SpotPrices.floorDivide(now.milliseconds, 60_000)
    let day = history.candle(.coinbase, coin, start: minute - 1439, minutes: 1440, now: now)
    var writer = ByteWriter()
    writer.raw("{\"ask\":\"")
    writer.decimal(raw: (last + 1) * 1_000_000)
    writer.raw("\",\"bid\":\"")
    writer.decimal(raw: last * 1_000_000)
    writer.raw("\",\"volume\":\"")
    writer.decimal(raw: Int64(day?.volume ?? 0))
    writer.raw("\",\"trade_id\":")
    writer.integer(trade)
    writer.raw(",\"price\":\"")
    writer.decimal(raw: last * 1_000_000)
    writer.raw("\",\"size\":\"")
    writer.decimal(raw: history.prices.quantity(coin, trade: trade))
    writer.raw("\",\"time\":")
    writer.fineTime(Timestamp(nanoseconds: trade * SpotPrices.tradeMilliseconds * 1_000_000))
    writer.raw(",\"rfq_volume\":\"0\"}")
    return .json(writer)
  }

  /// Newest first; `side` is the maker's.
  private func trades(_ request: HTTPServerRequest, _ coin: Coin) -> HTTPServerResponse {
    let limit = max(1, min(request.number("limit") ?? 100, 1000))
    let newest = SpotPrices.floorDivide(now.milliseconds, SpotPrices.tradeMilliseconds)
    let first = request.number("after").map { min(newest, $0 - 1) } ?? newest
    guard first > limit else { return .json("[]") }
    var writer = ByteWriter(capacity: 160 * Int(limit))
    writer.byte(0x5B)
    for number in stride(from: first, to: first - limit, by: -1) {
      if number < first { writer.byte(0x2C) }
      let milliseconds = number * SpotPrices.tradeMilliseconds
      writer.raw("{\"trade_id\":")
      writer.integer(number)
      if history.prices.isBuyerMaker(coin, trade: number) {
        writer.raw(",\"side\":\"buy\",\"size\":\"")
      } else {
        writer.raw(",\"side\":\"sell\",\"size\":\"")
      }
      writer.fixed(raw: history.prices.quantity(coin, trade: number), decimals: 8)
      writer.raw("\",\"price\":\"")
      writer.fixed(raw: cents(coin, milliseconds) * 1_000_000, decimals: 8)
      writer.raw("\",\"time\":")
      writer.fineTime(Timestamp(nanoseconds: milliseconds * 1_000_000))
      writer.byte(0x7D)
    }
    writer.byte(0x5D)
    var answer = HTTPServerResponse.json(writer)
    answer.headers["CB-BEFORE"] = "\(first)"
    answer.headers["CB-AFTER"] = "\(first - limit + 1)"
    return answer
  }
}
