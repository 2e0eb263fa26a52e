internal import Market
internal import Web

/// CoinGecko's prices and price histories.
struct CoinGeckoRoutes {
  let desk: SpotDesk

  private static let day: Int64 = 86_400
  private static let coins = Dictionary(uniqueKeysWithValues: Coin.allCases.map { ($0.geckoID, $0) })

  /// Answers a request below `/coingecko/api/v3`.
  func answer(_ request: HTTPServerRequest, _ path: [String]) -> HTTPServerResponse {
    if request.headers["x-cg-pro-api-key"] != nil || request.query("x_cg_pro_api_key") != nil {
      return status(
        10_010, "If you are using Pro API key, please change your root URL to pro-api.coingecko.com", http: 400)
    }
    switch path {
    case ["ping"]: return .json("{\"gecko_says\":\"(V3) To the Moon!\"}")
    case ["simple", "price"]: return prices(request)
    case ["coins", "list"]:
      let rows = Coin.allCases.map {
        "{\"id\":\"\($0.geckoID)\",\"symbol\":\"\($0.symbol.lowercased())\",\"name\":\"\($0.name)\"}"
      }
      return .json("[\(rows.joined(separator: ","))]")
    default:
      guard path.count == 4, path[0] == "coins", path[2] == "market_chart", path[3] == "range" else {
        return .json("{\"error\":\"Incorrect path. Please check https://www.coingecko.com/api/\"}", status: 404)
      }
      guard let coin = CoinGeckoRoutes.coins[path[1]] else {
        return .json("{\"error\":\"coin not found\"}", status: 404)
      }
      return chart(request, coin)
    }
  }

  /// The body of refusals that concern the plan.
  private func status(_ code: Int, _ text: String, http: Int) -> HTTPServerResponse {
    .json(
      "{\"error\":{\"status\":{\"timestamp\":\"\(desk.now)\",\"error_code\":\(code),\"error_message\":\"\(text)\"}}}",
      status: http)
  }

  private func missing(_ name: String) -> HTTPServerResponse {
    .json("{\"error\":\"Missing parameter \(name)\"}", status: 422)
  }

  // MARK: Prices

  /// Unknown coins and currencies are left out.
  private func prices(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard let currencies = request.query("vs_currencies") else { return missing("vs_currencies") }
    guard let ids = request.query("ids") else { return missing("ids") }
    var writer = ByteWriter(capacity: 512)
    writer.byte(0x7B)
    for id in ids.split(separator: ",") {
      guard let coin = CoinGeckoRoutes.coins[String(id)] else { continue }
      if writer.count > 1 { writer.byte(0x2C) }
      writer.plain(coin.geckoID)
      writer.raw(":{")
      if currencies.split(separator: ",").contains("usd") { price(coin, request, &writer) }
      writer.byte(0x7D)
    }
    writer.byte(0x7D)
    return .json(writer)
  }

  private func price(_ coin: Coin, _ request: HTTPServerRequest, _ writer: inout ByteWriter) {
    // The venue's own copy is up to a minute old.
    let seconds = bar(60).start(of: desk.now.seconds)
    let past = desk.at(Timestamp(nanoseconds: seconds * 1_000_000_000))
    let price = past.last(coin)
    let day = past.day(coin)
    writer.raw("\"usd\":")
    if let digits = request.query("precision").flatMap({ Int($0) }), (1...8).contains(digits) {
      writer.fixed(raw: price, decimals: digits)
    } else {
      writer.decimal(raw: price)
    }
    if request.flag("include_market_cap") == true {
      writer.raw(",\"usd_market_cap\":")
      writer.short(Int128(price) * Int128(coin.supply))
    }
    if request.flag("include_24hr_vol") == true {
      writer.raw(",\"usd_24h_vol\":")
      writer.short(day.quoteVolume)
    }
    if request.flag("include_24hr_change") == true {
      writer.raw(",\"usd_24h_change\":")
      writer.decimal(raw: day.changePercent)
    }
    if request.flag("include_last_updated_at") == true {
      writer.raw(",\"last_updated_at\":")
      writer.integer(seconds)
    }
  }

  private func bar(_ seconds: Int64) -> SpotBar { SpotBar(seconds: seconds) }

  // MARK: History

  private func chart(_ request: HTTPServerRequest, _ coin: Coin) -> HTTPServerResponse {
    guard let currency = request.query("vs_currency") else { return missing("vs_currency") }
    guard currency == "usd" else { return .json("{\"error\":\"invalid vs_currency\"}", status: 400) }
    guard let from = request.query("from").flatMap({ Int64($0.prefix { $0 != "." }) }),
      let end = request.query("to").flatMap({ Int64($0.prefix { $0 != "." }) }), from <= end
    else { return .json("{\"error\":\"invalid date range\"}", status: 400) }
    let now = desk.now.seconds
    guard from >= now - 365 * CoinGeckoRoutes.day - 60 else {
      return status(
        10_012,
        "Your request exceeds the allowed time range. Public API users are limited to querying historical data within the "
          + "past 365 days.", http: 401)
    }
    let to = min(end, now)
    let step = CoinGeckoRoutes.step(from: from, to: to, now: now)
    var points: [Timestamp] = []
    var place = bar(step).firstStart(notBefore: from)
    while place <= to {
      // Points lie on no grid but those of whole days.
      let jitter = step == CoinGeckoRoutes.day ? 0 : Int64(Seed.mix(UInt64(place)) % 40_000)
      let time = place * 1000 + jitter
      if time <= to * 1000 { points.append(Timestamp(nanoseconds: time * 1_000_000)) }
      place += step
    }
    if end >= now { points.append(desk.now) }
    return chart(coin, points)
  }

  /// Five minutes for a day back from now, an hour up to 90 days, else a day.
  private static func step(from: Int64, to: Int64, now: Int64) -> Int64 {
    if to - from > 90 * day { return day }
    return to - from <= day && from >= now - day - 300 ? 300 : 3600
  }

  private func chart(_ coin: Coin, _ points: [Timestamp]) -> HTTPServerResponse {
    var writer = ByteWriter(capacity: 100 * points.count)
    let series: [(StaticString, (SpotDesk) -> Int128)] = [
      ("{\"prices\":[", { Int128($0.last(coin)) }),
      ("],\"market_caps\":[", { Int128($0.last(coin)) * Int128(coin.supply) }),
      (
        "],\"total_volumes\":[",
        { desk in
          let hour = desk.now.seconds / 3600 * 60
          let day = desk.history.candle(desk.venue, coin, start: hour - 1440, minutes: 1440, now: desk.now)
          return day?.quoteVolume ?? 0
        }
      ),
    ]
    for (name, value) in series {
      writer.raw(name)
      for (place, time) in points.enumerated() {
        if place > 0 { writer.byte(0x2C) }
        writer.byte(0x5B)
        writer.integer(time.milliseconds)
        writer.byte(0x2C)
        writer.short(value(desk.at(time)))
        writer.byte(0x5D)
      }
    }
    writer.raw("]}")
    return .json(writer)
  }
}
