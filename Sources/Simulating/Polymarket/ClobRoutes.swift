internal import Market
internal import Web

/// The CLOB's public requests: books, prices, markets.
struct ClobRoutes {
  let world: World
  let hasher: BookHasher

  private static let pageSize = 1000
  private static let noBook = "No orderbook exists for the requested token id"

  /// Answers a public request below `/polymarket/clob`; nil where it is none of these.
  func answer(_ request: HTTPServerRequest, _ path: [String]) -> HTTPServerResponse? {
    switch (request.method, path.first ?? "", path.count) {
    case ("GET", "", 0), ("GET", "ok", 1): return .json("\"OK\"")
    case ("GET", "time", 1): return .json("\(world.now.seconds)")
    case ("GET", "version", 1): return .json("{\"version\":2}")
    case ("GET", "book", 1): return book(request)
    case ("POST", "books", 1): return books(request)
    case ("GET", "price", 1): return price(request)
    case ("GET", "midpoint", 1): return value(request, "mid") { middle($0) }
    case ("GET", "spread", 1): return value(request, "spread") { spread($0) }
    case ("POST", "prices", 1): return prices(request)
    case ("POST", "midpoints", 1): return map(request) { middle($0) }
    case ("POST", "spreads", 1): return map(request) { spread($0) }
    case ("GET", "last-trade-price", 1): return lastTrade(request)
    case ("POST", "last-trades-prices", 1): return lastTrades(request)
    case ("GET", "tick-size", 1): return tickSize(request)
    case ("GET", "neg-risk", 1): return negRisk(request)
    case ("GET", "fee-rate", 1): return withToken(request) { _ in .json("{\"base_fee\":0}") }
    case ("GET", "markets", 1): return page(request, of: world.listing) { $0.clobMarket(world, $1) }
    case ("GET", "simplified-markets", 1): return page(request, of: world.listing) { $0.clobSimplified(world, $1) }
    case ("GET", "sampling-markets", 1):
      return page(request, of: world.listing.filter { world.markets[$0].isTradable }) { $0.clobMarket(world, $1) }
    case ("GET", "sampling-simplified-markets", 1):
      return page(request, of: world.listing.filter { world.markets[$0].isTradable }) { $0.clobSimplified(world, $1) }
    case ("GET", "markets", 2): return market(path[1]) { $0.clobMarket(world, $1) }
    case ("GET", "clob-markets", 2): return market(path[1]) { $0.clobShort(world, $1) }
    case ("GET", "markets-by-token", 2): return marketByToken(path[1])
    case ("GET", "prices-history", 1): return history(request)
    default: return nil
    }
  }

  // MARK: Books

  /// The index of a token with an open book.
  private func open(_ token: String?) -> Int? {
    guard let token, let index = world.tokenOfID[token], world.markets[index / 2].isTradable else { return nil }
    return index
  }

  private func withToken(
    _ request: HTTPServerRequest, _ body: (Int) -> HTTPServerResponse
  ) -> HTTPServerResponse {
    guard request.query("token_id") != nil else { return .clobError("Invalid token id", status: 400) }
    guard let token = open(request.query("token_id")) else { return .clobError(ClobRoutes.noBook, status: 404) }
    return body(token)
  }

  private func write(_ token: Int, to writer: inout ByteWriter) {
    let market = world.markets[token / 2]
    writer.book(
      market, outcome: token & 1, world.engine.ladders[token], negRisk: world.events[market.event].isNegRisk,
      at: world.now, hasher, isMessage: false)
  }

  private func book(_ request: HTTPServerRequest) -> HTTPServerResponse {
    withToken(request) { token in
      var writer = ByteWriter(capacity: 4096)
      write(token, to: &writer)
      return .json(writer)
    }
  }

  /// Several books; tokens without one are left out.
  private func books(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard let wanted = tokens(request), wanted.count <= 500 else {
      return .clobError("Payload exceeds the limit", status: 400)
    }
    var writer = ByteWriter(capacity: 4096 * wanted.count)
    writer.byte(0x5B)
    var isFirst = true
    for (text, _) in wanted {
      guard let token = open(text) else { continue }
      if !isFirst { writer.byte(0x2C) }
      isFirst = false
      write(token, to: &writer)
    }
    writer.byte(0x5D)
    return .json(writer)
  }

  /// The tokens and sides of a body like `[{"token_id":"…","side":"BUY"}]`; nil where it is none.
  private func tokens(_ request: HTTPServerRequest) -> [(token: String, side: String?)]? {
    guard let document = try? JSONDocument(request.body), document.root.kind == .array else { return nil }
    return document.root.elements.compactMap { item in
      item["token_id"]?.decimalText.map { ($0, item["side"]?.string) }
    }
  }

  // MARK: Prices

  /// BUY names the best bid, SELL the best ask.
  private func best(_ token: Int, _ side: String?) -> Price? {
    switch side?.uppercased() {
    case "BUY": world.engine.ladders[token].bestBid
    case "SELL": world.engine.ladders[token].bestAsk
    default: nil
    }
  }

  private func middle(_ token: Int) -> Price? {
    let ladder = world.engine.ladders[token]
    guard let bid = ladder.bestBid, let ask = ladder.bestAsk else { return nil }
    return Price(raw: (bid.raw + ask.raw) / 2)
  }

  private func spread(_ token: Int) -> Price? {
    let ladder = world.engine.ladders[token]
    guard let bid = ladder.bestBid, let ask = ladder.bestAsk else { return nil }
    return ask - bid
  }

  private func price(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard let side = request.query("side")?.uppercased(), side == "BUY" || side == "SELL" else {
      return .clobError("Invalid side", status: 400)
    }
    return value(request, "price") { best($0, side) ?? .zero }
  }

  private func value(
    _ request: HTTPServerRequest, _ name: StaticString, _ find: (Int) -> Price?
  ) -> HTTPServerResponse {
    withToken(request) { token in
      guard let price = find(token) else { return .clobError(ClobRoutes.noBook, status: 404) }
      return .json("{\"\(name)\":\"\(price)\"}")
    }
  }

  private func prices(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard let wanted = tokens(request) else { return .clobError("Invalid payload", status: 400) }
    var order: [String] = []
    var sides: [String: [String]] = [:]
    for (token, side) in wanted {
      guard let side, let index = open(token), let price = best(index, side) else { continue }
      if sides[token] == nil { order.append(token) }
      sides[token, default: []].append("\"\(side.uppercased())\":\"\(price)\"")
    }
    let members = order.map { "\"\($0)\":{\((sides[$0] ?? []).joined(separator: ","))}" }
    return .json("{\(members.joined(separator: ","))}")
  }

  private func map(_ request: HTTPServerRequest, _ find: (Int) -> Price?) -> HTTPServerResponse {
    guard let wanted = tokens(request) else { return .clobError("Invalid payload", status: 400) }
    let members = wanted.compactMap { token, _ in
      open(token).flatMap(find).map { "\"\(token)\":\"\($0)\"" }
    }
    return .json("{\(members.joined(separator: ","))}")
  }

  private func lastTrade(_ request: HTTPServerRequest) -> HTTPServerResponse {
    withToken(request) { .json("{\(lastTradeMembers($0))}") }
  }

  private func lastTrades(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard let wanted = tokens(request), wanted.count <= 500 else {
      return .clobError("Payload exceeds the limit", status: 400)
    }
    let rows = wanted.compactMap { token, _ in
      open(token).map { "{\"token_id\":\"\(token)\",\(lastTradeMembers($0))}" }
    }
    return .json("[\(rows.joined(separator: ","))]")
  }

  private func lastTradeMembers(_ token: Int) -> String {
    let market = world.markets[token / 2]
    guard let last = market.lastTrade else { return "\"price\":\"0.5\",\"side\":\"\"" }
    let side = market.lastTradeSide == .buy ? "BUY" : "SELL"
    return "\"price\":\"\(token & 1 == 0 ? last : last.complement)\",\"side\":\"\(side)\""
  }

  // MARK: Markets

  private func tickSize(_ request: HTTPServerRequest) -> HTTPServerResponse {
    withToken(request) { .json("{\"minimum_tick_size\":\(world.markets[$0 / 2].tick)}") }
  }

  private func negRisk(_ request: HTTPServerRequest) -> HTTPServerResponse {
    withToken(request) { .json("{\"neg_risk\":\(world.events[world.markets[$0 / 2].event].isNegRisk)}") }
  }

  private func market(_ id: String, _ write: (inout ByteWriter, Int) -> Void) -> HTTPServerResponse {
    guard let slot = world.marketOfCondition[id] else { return .clobError("market not found", status: 404) }
    var writer = ByteWriter(capacity: 2048)
    write(&writer, slot)
    return .json(writer)
  }

  private func marketByToken(_ token: String) -> HTTPServerResponse {
    guard let index = world.tokenOfID[token] else { return .clobError("market not found", status: 404) }
    let market = world.markets[index / 2]
    return .json(
      "{\"condition_id\":\"\(market.conditionID)\",\"primary_token_id\":\"\(market.tokens[0])\","
        + "\"secondary_token_id\":\"\(market.tokens[1])\"}")
  }

  /// A page by `next_cursor`, the base64 of an offset; `LTE=` after the last.
  private func page(
    _ request: HTTPServerRequest, of slots: [Int], _ write: (inout ByteWriter, Int) -> Void
  ) -> HTTPServerResponse {
    var offset: Int64 = 0
    if let cursor = request.query("next_cursor"), !cursor.isEmpty {
      guard let value = Base64.number(cursor) else { return .clobError("invalid next_cursor", status: 400) }
      offset = value
    }
    guard offset >= 0, offset <= Int64(slots.count) else {
      return .clobError("next item should be greater than or equal to 0", status: 400)
    }
    let page = slots.dropFirst(Int(offset)).prefix(ClobRoutes.pageSize)
    var writer = ByteWriter(capacity: page.count * 1024)
    writer.raw("{\"data\":[")
    for (place, slot) in page.enumerated() {
      if place > 0 { writer.byte(0x2C) }
      write(&writer, slot)
    }
    let next = Int(offset) + page.count
    writer.raw("],\"next_cursor\":")
    writer.plain(Base64.text(of: next < slots.count ? Int64(next) : -1))
    writer.raw(",\"limit\":")
    writer.integer(ClobRoutes.pageSize)
    writer.raw(",\"count\":")
    writer.integer(page.count)
    writer.byte(0x7D)
    return .json(writer)
  }

  /// What a token cost in the past: made up from the seed, and ending at what it costs now.
  private func history(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard let text = request.query("market"), let token = world.tokenOfID[text] else {
      return .json("{\"history\":[]}")
    }
    let spans: [String: Int64] = ["1h": 3600, "6h": 21_600, "1d": 86_400, "1w": 604_800, "max": 1_296_000]
    var from = request.number("startTs")
    let to = request.number("endTs") ?? world.now.seconds
    if let interval = request.query("interval") {
      guard let span = spans[interval] else { return .clobError("invalid interval", status: 400) }
      from = to - span
    }
    guard let from, from <= to else { return .clobError("startTs and endTs, or interval, are required", status: 400) }
    guard to - from <= 1_296_000 else { return .clobError("interval is too long", status: 400) }
    let step = max(1, request.number("fidelity") ?? 10) * 60
    let slot = token / 2
    let tick = world.markets[slot].tick.raw
    var current = world.middle(of: slot).raw
    if token & 1 == 1 { current = fixedPointScale - current }
    let last = min(to, world.now.seconds) / step
    let times = last < from / step ? [] : Array(stride(from: last, to: max(from / step, last - 20_000), by: -1))
    var points: [String] = []
    var raw = current
    for time in times {
      points.append("{\"t\":\(time * step),\"p\":\(Price(raw: raw))}")
      let move = world.seed.number(.trade, world.markets[slot].key &+ UInt64(time), below: 3) - 1
      raw = max(tick, min(fixedPointScale - tick, raw + Int64(move) * tick))
    }
    return .json("{\"history\":[\(points.reversed().joined(separator: ","))]}")
  }
}
