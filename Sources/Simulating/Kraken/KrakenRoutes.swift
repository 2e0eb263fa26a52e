internal import Market
internal import Web

/// Kraken's public REST: everything with HTTP 200, failures in the member `error`.
struct KrakenRoutes {
  let desk: SpotDesk

  static let intervals: [Int64] = [1, 5, 15, 30, 60, 240, 1440, 10_080, 21_600]
  private static let rowsMax: Int64 = 720

  /// Answers a request below `/kraken/0/public`.
  func answer(_ request: HTTPServerRequest, _ path: [String]) -> HTTPServerResponse {
    guard path.count == 1 else { return KrakenRoutes.refusal("EGeneral:Unknown method") }
    switch path[0] {
    case "Time":
      return KrakenRoutes.result(
        "{\"unixtime\":\(desk.now.seconds),\"rfc1123\":\"\(KrakenRoutes.mailDate(desk.now))\"}")
    case "SystemStatus": return KrakenRoutes.result("{\"status\":\"online\",\"timestamp\":\(time(desk.now))}")
    case "Assets": return KrakenRoutes.result(KrakenRoutes.assets)
    case "AssetPairs": return pairs(request)
    case "Ticker": return ticker(request)
    case "OHLC": return withPair(request) { candles(request, $0) }
    case "Trades": return withPair(request) { trades(request, $0) }
    case "Depth": return withPair(request) { depth(request, $0) }
    default: return KrakenRoutes.refusal("EGeneral:Unknown method")
    }
  }

  static func refusal(_ text: String) -> HTTPServerResponse { .json("{\"error\":[\"\(text)\"]}") }

  private static func result(_ text: String) -> HTTPServerResponse { .json("{\"error\":[],\"result\":\(text)}") }

  private func withPair(_ request: HTTPServerRequest, _ body: (KrakenPair) -> HTTPServerResponse)
    -> HTTPServerResponse
  {
    guard let name = request.query("pair") else { return KrakenRoutes.refusal("EGeneral:Invalid arguments") }
    guard let pair = KrakenPair.named(name) else { return KrakenRoutes.refusal("EQuery:Unknown asset pair") }
    return body(pair)
  }

  private func time(_ time: Timestamp) -> String {
    var writer = ByteWriter()
    writer.time(time)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  /// `Sun, 23 Nov 25 10:11:12 +0000`.
  private static func mailDate(_ time: Timestamp) -> String {
    let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    let civil = CivilTime(time)
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return "\(days[Int(time.seconds / 86_400 % 7)]), \(two(civil.day)) \(months[civil.month - 1]) "
      + "\(two(civil.year % 100)) \(two(civil.hour)):\(two(civil.minute)):\(two(civil.second)) +0000"
  }

  // MARK: Pairs

  private func pairs(_ request: HTTPServerRequest) -> HTTPServerResponse {
    var wanted = KrakenPair.all
    if let names = request.query("pair") {
      wanted = []
      for name in names.split(separator: ",") {
        guard let pair = KrakenPair.named(String(name)) else {
          return KrakenRoutes.refusal("EQuery:Unknown asset pair")
        }
        wanted.append(pair)
      }
    }
    let rows = wanted.map { pair in
      var tick = ByteWriter()
      tick.decimal(raw: pair.coin.tick)
      return "\"\(pair.canonical)\":{\"altname\":\"\(pair.alternative)\",\"wsname\":\"\(pair.slashed)\","
        + "\"aclass_base\":\"currency\",\"base\":\"\(pair.base)\",\"aclass_quote\":\"currency\","
        + "\"quote\":\"\(pair.quoteAsset)\",\"lot\":\"unit\",\"cost_decimals\":5,"
        + "\"pair_decimals\":\(pair.coin.priceDecimals),\"lot_decimals\":8,\"lot_multiplier\":1,\"leverage_buy\":[],"
        + "\"leverage_sell\":[],\"fees\":[[0,0.4],[10000,0.35]],\"fees_maker\":[[0,0.25],[10000,0.2]],"
        + "\"fee_volume_currency\":\"ZUSD\",\"margin_call\":80,\"margin_stop\":40,\"ordermin\":\"0.00005\","
        + "\"costmin\":\"0.5\",\"tick_size\":\"\(String(decoding: tick.bytes, as: UTF8.self))\",\"status\":\"online\"}"
    }
    return KrakenRoutes.result("{\(rows.joined(separator: ","))}")
  }

  private static let assets: String = {
    let coins = KrakenPair.all.filter(\.isTether).map { ($0.base, String($0.alternative.dropLast(4)), 10) }
    let rows = (coins + [("ZUSD", "USD", 4), ("USDT", "USDT", 8)]).map { asset, name, decimals in
      "\"\(asset)\":{\"aclass\":\"currency\",\"altname\":\"\(name)\",\"decimals\":\(decimals),"
        + "\"display_decimals\":5,\"status\":\"enabled\"}"
    }
    return "{\(rows.joined(separator: ","))}"
  }()

  // MARK: Candles

  /// The newest 720 closed ones and the open one, whatever `since` says; of them those after it.
  private func candles(_ request: HTTPServerRequest, _ pair: KrakenPair) -> HTTPServerResponse {
    let interval = request.query("interval") == nil ? 1 : request.number("interval") ?? 0
    guard KrakenRoutes.intervals.contains(interval) else { return KrakenRoutes.refusal("EGeneral:Invalid arguments") }
    let bar = SpotBar.minutes(interval)
    let current = bar.start(of: desk.now.seconds)
    let first = max(bar.start(current, plus: -KrakenRoutes.rowsMax), (request.number("since") ?? 0) + 1)
    var writer = head(pair)
    desk.candles(
      pair.coin, bar, oldestFirstFrom: bar.firstStart(notBefore: first), to: current, count: KrakenRoutes.rowsMax + 1
    ) { start, candle in
      if writer.bytes.last != 0x5B { writer.byte(0x2C) }
      writer.byte(0x5B)
      writer.integer(start)
      for price in [candle.open, candle.high, candle.low, candle.close, candle.mean] {
        writer.byte(0x2C)
        writer.price(price, of: pair.coin)
      }
      writer.byte(0x2C)
      writer.eight(candle.volume)
      writer.byte(0x2C)
      writer.integer(candle.trades)
      writer.byte(0x5D)
    }
    writer.raw("],\"last\":")
    writer.integer(bar.start(current, plus: -1))
    writer.raw("}}")
    return .json(writer)
  }

  /// Up to the list of a pair: `{"error":[],"result":{"XXBTZUSD":[`.
  private func head(_ pair: KrakenPair) -> ByteWriter {
    var writer = ByteWriter(capacity: 1 << 16)
    writer.raw("{\"error\":[],\"result\":{")
    writer.plain(pair.canonical)
    writer.raw(":[")
    return writer
  }

  // MARK: Trades

  /// From `since` on, in seconds or nanoseconds, oldest first; without it the newest.
  private func trades(_ request: HTTPServerRequest, _ pair: KrakenPair) -> HTTPServerResponse {
    let count = request.query("count") == nil ? 1000 : request.number("count") ?? 0
    guard (1...1000).contains(count) else { return KrakenRoutes.refusal("EGeneral:Invalid arguments") }
    var first = desk.newestTrade - count + 1
    if let text = request.query("since"), !text.isEmpty {
      guard let since = KrakenRoutes.milliseconds(text) else {
        return KrakenRoutes.refusal("EGeneral:Invalid arguments")
      }
      first = SpotPrices.floorDivide(since, SpotPrices.tradeMilliseconds) + 1
    }
    first = max(first, SpotDesk.firstTrade)
    var writer = head(pair)
    var last: Int64 = desk.now.milliseconds
    for number in stride(from: first, through: min(desk.newestTrade, first + count - 1), by: 1) {
      let trade = desk.trade(pair.coin, number)
      if writer.bytes.last != 0x5B { writer.byte(0x2C) }
      writer.byte(0x5B)
      writer.price(trade.price, of: pair.coin)
      writer.byte(0x2C)
      writer.eight(trade.quantity)
      writer.byte(0x2C)
      writer.integer(trade.milliseconds / 1000)
      writer.byte(0x2E)
      writer.unsigned(UInt64(trade.milliseconds % 1000) * 10_000 + UInt64(number % 7919), width: 7)
      if trade.isBuyerMaker { writer.raw(",\"s\",") } else { writer.raw(",\"b\",") }
      if number % 3 == 0 { writer.raw("\"m\",\"\",") } else { writer.raw("\"l\",\"\",") }
      writer.integer(number)
      writer.byte(0x5D)
      last = trade.milliseconds
    }
    writer.raw("],\"last\":\"")
    writer.integer(last)
    writer.raw("000000\"}}")
    return .json(writer)
  }

  /// A time in seconds, with or without a fraction, or in nanoseconds.
  private static func milliseconds(_ text: String) -> Int64? {
    let whole = text.prefix { $0 != "." }
    guard let value = Int64(whole), value >= 0 else { return nil }
    return value < 1_000_000_000_000 ? value * 1000 : value / 1_000_000
  }

  // MARK: Prices

  private func ticker(_ request: HTTPServerRequest) -> HTTPServerResponse {
    var wanted = KrakenPair.all
    if let names = request.query("pair") {
      wanted = []
      for name in names.split(separator: ",") {
        guard let pair = KrakenPair.named(String(name)) else {
          return KrakenRoutes.refusal("EQuery:Unknown asset pair")
        }
        wanted.append(pair)
      }
    }
    var writer = ByteWriter(capacity: 512 * wanted.count)
    writer.raw("{\"error\":[],\"result\":{")
    for (place, pair) in wanted.enumerated() {
      if place > 0 { writer.byte(0x2C) }
      writer.plain(pair.canonical)
      writer.byte(0x3A)
      ticker(pair, &writer)
    }
    writer.raw("}}")
    return .json(writer)
  }

  /// Best prices, last trade, and figures of today and of 24 hours.
  private func ticker(_ pair: KrakenPair, _ writer: inout ByteWriter) {
    let coin = pair.coin
    let quote = desk.quote(coin)
    let day = desk.day(coin)
    let bar = SpotBar.days(1)
    let today = desk.candle(coin, start: bar.start(of: desk.now.seconds), bar) ?? day
    let trade = desk.trade(coin, desk.newestTrade)
    for (name, price, size) in [
      ("{\"a\":[" as StaticString, quote.ask, quote.askSize), ("],\"b\":[", quote.bid, quote.bidSize),
    ] {
      writer.raw(name)
      writer.price(price, of: coin)
      writer.raw(",\"")
      writer.integer(max(1, size / fixedPointScale))
      writer.raw("\",\"")
      writer.fixed(raw: size, decimals: 3)
      writer.byte(0x22)
    }
    writer.raw("],\"c\":[")
    writer.price(trade.price, of: coin)
    writer.byte(0x2C)
    writer.eight(trade.quantity)
    writer.raw("],\"v\":[")
    writer.eight(today.volume)
    writer.byte(0x2C)
    writer.eight(day.volume)
    writer.text("],\"t\":[\(today.trades),\(day.trades)")
    for (name, first, second) in [
      ("],\"p\":[" as StaticString, today.mean, day.mean), ("],\"l\":[", today.low, day.low),
      ("],\"h\":[", today.high, day.high),
    ] {
      writer.raw(name)
      writer.price(first, of: coin)
      writer.byte(0x2C)
      writer.price(second, of: coin)
    }
    writer.raw("],\"o\":")
    writer.price(today.open, of: coin)
    writer.byte(0x7D)
  }

  private func depth(_ request: HTTPServerRequest, _ pair: KrakenPair) -> HTTPServerResponse {
    let count = request.query("count") == nil ? 100 : request.number("count") ?? 0
    guard (1...500).contains(count) else { return KrakenRoutes.refusal("EGeneral:Invalid arguments") }
    var writer = ByteWriter(capacity: 64 * Int(count))
    writer.raw("{\"error\":[],\"result\":{")
    writer.plain(pair.canonical)
    for (name, isBid) in [(":{\"asks\":[" as StaticString, false), ("],\"bids\":[", true)] {
      writer.raw(name)
      for place in 0..<Int(count) {
        let level = desk.level(pair.coin, isBid: isBid, depth: place)
        if place > 0 { writer.byte(0x2C) }
        writer.byte(0x5B)
        writer.price(level.price, of: pair.coin)
        writer.raw(",\"")
        writer.fixed(raw: level.size, decimals: 3)
        writer.raw("\",")
        writer.integer(desk.now.seconds)
        writer.byte(0x5D)
      }
    }
    writer.raw("]}}}")
    return .json(writer)
  }
}
