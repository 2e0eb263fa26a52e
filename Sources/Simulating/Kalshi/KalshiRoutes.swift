internal import Market
internal import Web

/// Kalshi's REST interface of market data, and of an account that has nothing.
struct KalshiRoutes {
  let markets: KalshiMarkets
  let world: World

  private static let statuses: Set<String> = ["unopened", "open", "paused", "closed", "settled"]

  /// Answers a request below `/kalshi/trade-api/v2`.
  func answer(_ request: HTTPServerRequest, _ path: [String]) -> HTTPServerResponse {
    guard request.method == "GET" else { return KalshiRoutes.refusal("method_not_allowed", "method not allowed", 405) }
    switch (path.first, path.count) {
    case ("exchange", 2) where path[1] == "status":
      return .json("{\"exchange_active\":true,\"trading_active\":true}")
    case ("markets", 1): return marketList(request)
    case ("markets", 2) where path[1] == "trades": return trades(request)
    case ("markets", 2) where path[1] == "orderbooks": return books(request)
    case ("markets", 2): return market(path[1])
    case ("markets", 3) where path[2] == "orderbook": return book(request, path[1])
    case ("events", 1): return eventList(request)
    case ("events", 2): return event(request, path[1])
    case ("series", 1): return seriesList()
    case ("series", 2): return series(path[1])
    default: return KalshiRoutes.missing
    }
  }

  static func refusal(_ code: String, _ text: String, _ status: Int) -> HTTPServerResponse {
    .json("{\"error\":{\"code\":\"\(code)\",\"message\":\"\(text)\",\"service\":\"exchange\"}}", status: status)
  }

  /// An account without orders, positions and fills.
  static func account(_ path: [String]) -> HTTPServerResponse {
    switch path.count > 1 ? path[1] : "" {
    case "balance": .json("{\"balance\":100000000,\"portfolio_value\":0,\"updated_ts\":0}")
    case "positions": .json("{\"cursor\":\"\",\"market_positions\":[],\"event_positions\":[]}")
    case "orders" where path.count == 2: .json("{\"cursor\":\"\",\"orders\":[]}")
    case "fills": .json("{\"cursor\":\"\",\"fills\":[]}")
    case "settlements": .json("{\"cursor\":\"\",\"settlements\":[]}")
    default: missing
    }
  }

  private static let missing = refusal("not_found", "not found", 404)

  // MARK: Markets

  private var sorted: [KalshiMarkets.Twin] { markets.twins.values.sorted { $0.id < $1.id } }

  /// A page of what is sorted by id, and the cursor of the next; the last one's is empty.
  private func page<Item>(
    _ request: HTTPServerRequest, _ items: [Item], most: Int64, otherwise: Int64, id: (Item) -> Int64, name: String,
    extra: String = "", _ write: (Item, inout ByteWriter) -> Void
  ) -> HTTPServerResponse {
    let limit = request.query("limit") == nil ? otherwise : request.number("limit") ?? 0
    guard (1...most).contains(limit) else { return KalshiRoutes.refusal("bad_request", "invalid limit", 400) }
    var after = Int64.min
    if let cursor = request.query("cursor"), !cursor.isEmpty {
      guard let number = Base64.number(cursor) else {
        return KalshiRoutes.refusal("bad_request", "invalid cursor", 400)
      }
      after = number
    }
    let rest = items.filter { id($0) > after }
    let shown = rest.prefix(Int(limit))
    var writer = ByteWriter(capacity: 2048 * shown.count)
    writer.raw("{\"cursor\":\"")
    if rest.count > shown.count, let last = shown.last { writer.text(Base64.text(of: id(last))) }
    writer.raw("\",")
    writer.quoted(name)
    writer.raw(":[")
    for (place, item) in shown.enumerated() {
      if place > 0 { writer.byte(0x2C) }
      write(item, &writer)
    }
    writer.raw("]}")
    return .json(writer)
  }

  private func marketList(_ request: HTTPServerRequest) -> HTTPServerResponse {
    if let status = request.query("status"), !status.isEmpty,
      !status.split(separator: ",").allSatisfy({ KalshiRoutes.statuses.contains(String($0)) })
    {
      return KalshiRoutes.refusal("bad_request", "invalid status", 400)
    }
    let tickers = request.query("tickers").map { Set($0.split(separator: ",").map(String.init)) }
    let found = sorted.filter { twin in
      let market = world.markets[twin.slot]
      if let tickers, !tickers.isEmpty, !tickers.contains(twin.ticker) { return false }
      if let event = request.query("event_ticker"), !event.isEmpty, event != twin.eventTicker { return false }
      if let series = request.query("series_ticker"), !series.isEmpty, !twin.eventTicker.hasPrefix(series + "-") {
        return false
      }
      if let status = request.query("status"), !status.isEmpty,
        !status.split(separator: ",").contains(where: { KalshiNames.matches(twin.state, filter: String($0)) })
      {
        return false
      }
      if let time = request.number("min_close_ts"), market.endsAt.seconds < time { return false }
      if let time = request.number("max_close_ts"), market.endsAt.seconds > time { return false }
      return true
    }
    return page(request, found, most: 1000, otherwise: 100, id: \.id, name: "markets") { $1.kalshiMarket($0, world) }
  }

  private func market(_ ticker: String) -> HTTPServerResponse {
    guard let twin = markets.slotOfTicker[ticker].flatMap({ markets.twins[$0] }) else { return KalshiRoutes.missing }
    var writer = ByteWriter(capacity: 2048)
    writer.raw("{\"market\":")
    writer.kalshiMarket(twin, world)
    writer.byte(0x7D)
    return .json(writer)
  }

  // MARK: Events and series

  private func eventList(_ request: HTTPServerRequest) -> HTTPServerResponse {
    let nested = request.flag("with_nested_markets") == true
    let found = markets.eventOfTicker.sorted { world.events[$0.value].id < world.events[$1.value].id }
      .filter { ticker, index in
        if let series = request.query("series_ticker"), !series.isEmpty, !ticker.hasPrefix(series + "-") {
          return false
        }
        guard let status = request.query("status"), !status.isEmpty else { return true }
        return twins(of: index).contains { KalshiNames.matches($0.state, filter: status) }
      }
    return page(
      request, found, most: 200, otherwise: 200, id: { world.events[$0.value].id }, name: "events"
    ) { entry, writer in
      event(entry.key, entry.value, &writer)
      if nested {
        writer.raw(",\"markets\":")
        list(twins(of: entry.value), &writer)
      }
      writer.byte(0x7D)
    }
  }

  private func twins(of event: Int) -> [KalshiMarkets.Twin] {
    world.events[event].markets.compactMap { markets.twins[$0] }
  }

  private func list(_ twins: [KalshiMarkets.Twin], _ writer: inout ByteWriter) {
    writer.byte(0x5B)
    for (place, twin) in twins.enumerated() {
      if place > 0 { writer.byte(0x2C) }
      writer.kalshiMarket(twin, world)
    }
    writer.byte(0x5D)
  }

  /// Up to the closing brace.
  private func event(_ ticker: String, _ index: Int, _ writer: inout ByteWriter) {
    let event = world.events[index]
    writer.raw("{\"event_ticker\":")
    writer.plain(ticker)
    writer.raw(",\"series_ticker\":")
    writer.plain(String(ticker.prefix { $0 != "-" }))
    writer.raw(",\"title\":")
    let first = event.markets.first.map { world.markets[$0] }
    writer.quoted(event.markets.count == 1 ? first.map { KalshiNames.title(event, $0) } ?? event.title : event.title)
    writer.raw(",\"sub_title\":\"\",\"category\":")
    writer.quoted(event.category)
    writer.raw(",\"mutually_exclusive\":")
    writer.boolean(event.isNegRisk)
    writer.raw(
      ",\"collateral_return_type\":\"\",\"strike_period\":\"\",\"available_on_brokers\":true,\"exchange_index\":0")
    writer.raw(",\"last_updated_ts\":\"0001-01-01T00:00:00Z\",\"strike_date\":")
    writer.kalshiTime(event.endsAt)
  }

  private func event(_ request: HTTPServerRequest, _ ticker: String) -> HTTPServerResponse {
    guard let index = markets.eventOfTicker[ticker] else { return KalshiRoutes.missing }
    var writer = ByteWriter(capacity: 8192)
    writer.raw("{\"event\":")
    event(ticker, index, &writer)
    if request.flag("with_nested_markets") == true {
      writer.raw(",\"markets\":")
      list(twins(of: index), &writer)
      writer.raw("}}")
    } else {
      writer.raw("},\"markets\":")
      list(twins(of: index), &writer)
      writer.byte(0x7D)
    }
    return .json(writer)
  }

  private var seriesNames: [String] {
    Set(markets.eventOfTicker.keys.map { String($0.prefix { $0 != "-" }) }).sorted()
  }

  private func series(_ name: String, _ writer: inout ByteWriter) {
    writer.text(
      "{\"ticker\":\"\(name)\",\"title\":\"\(name.dropFirst(2))\",\"category\":\"\(name.dropFirst(2))\","
        + "\"frequency\":\"custom\",\"fee_type\":\"quadratic\",\"fee_multiplier\":1,\"tags\":[],"
        + "\"settlement_sources\":[],\"contract_url\":\"\",\"contract_terms_url\":\"\",\"additional_prohibitions\":[]}")
  }

  private func series(_ name: String) -> HTTPServerResponse {
    guard seriesNames.contains(name) else { return KalshiRoutes.missing }
    var writer = ByteWriter()
    writer.raw("{\"series\":")
    series(name, &writer)
    writer.byte(0x7D)
    return .json(writer)
  }

  private func seriesList() -> HTTPServerResponse {
    var writer = ByteWriter()
    writer.raw("{\"series\":[")
    for (place, name) in seriesNames.enumerated() {
      if place > 0 { writer.byte(0x2C) }
      series(name, &writer)
    }
    writer.raw("]}")
    return .json(writer)
  }

  // MARK: Books and trades

  private func write(_ ladder: KalshiLadder, depth: Int64, _ writer: inout ByteWriter) {
    let most = depth > 0 ? Int(depth) : 100
    writer.raw("{\"yes_dollars\":")
    writer.kalshiLevels(ladder.levels(isYes: true), most: most)
    writer.raw(",\"no_dollars\":")
    writer.kalshiLevels(ladder.levels(isYes: false), most: most)
    writer.byte(0x7D)
  }

  private func book(_ request: HTTPServerRequest, _ ticker: String) -> HTTPServerResponse {
    guard let twin = markets.slotOfTicker[ticker].flatMap({ markets.twins[$0] }) else { return KalshiRoutes.missing }
    let depth = request.query("depth") == nil ? 0 : request.number("depth") ?? -1
    guard (0...100).contains(depth) else { return KalshiRoutes.refusal("bad_request", "invalid depth", 400) }
    var writer = ByteWriter(capacity: 2048)
    writer.raw("{\"orderbook_fp\":")
    write(twin.ladder, depth: depth, &writer)
    writer.byte(0x7D)
    return .json(writer)
  }

  private func books(_ request: HTTPServerRequest) -> HTTPServerResponse {
    let tickers = request.values("tickers")
    guard !tickers.isEmpty, tickers.count <= 100 else {
      return KalshiRoutes.refusal("bad_request", "tickers must be 1 to 100", 400)
    }
    var writer = ByteWriter(capacity: 2048 * tickers.count)
    writer.raw("{\"orderbooks\":[")
    for ticker in tickers {
      guard let twin = markets.slotOfTicker[ticker].flatMap({ markets.twins[$0] }) else { continue }
      if writer.bytes.last != 0x5B { writer.byte(0x2C) }
      writer.raw("{\"ticker\":")
      writer.plain(ticker)
      writer.raw(",\"orderbook_fp\":")
      write(twin.ladder, depth: 0, &writer)
      writer.byte(0x7D)
    }
    writer.raw("]}")
    return .json(writer)
  }

  /// Newest first.
  private func trades(_ request: HTTPServerRequest) -> HTTPServerResponse {
    let slot = request.query("ticker").map { markets.slotOfTicker[$0] ?? -1 }
    let newest = markets.trades.sorted { ($0.nanoseconds, $0.number) > ($1.nanoseconds, $1.number) }
    let found = newest.filter { trade in
      if let slot, slot != trade.slot { return false }
      if markets.twins[trade.slot] == nil { return false }
      if let time = request.number("min_ts"), trade.nanoseconds / 1_000_000_000 < time { return false }
      if let time = request.number("max_ts"), trade.nanoseconds / 1_000_000_000 > time { return false }
      return true
    }
    // The cursor counts how many were seen, from the oldest on, so that new ones do not shift pages.
    let numbered = found.enumerated().map { (rank: Int64($0.offset) - Int64(found.count), trade: $0.element) }
    return page(request, numbered, most: 1000, otherwise: 100, id: { $0.rank }, name: "trades") { entry, writer in
      writer.raw("{\"ticker\":")
      writer.plain(markets.twins[entry.trade.slot]?.ticker ?? "")
      writer.byte(0x2C)
      writer.kalshiTrade(entry.trade, markets.seed)
      writer.raw(",\"created_time\":")
      writer.kalshiTime(Timestamp(nanoseconds: entry.trade.nanoseconds))
      writer.byte(0x7D)
    }
  }
}
