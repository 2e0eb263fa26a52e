internal import Market
internal import Web

/// The CLOB's requests of clients: orders, trades, balances.
///
/// Signatures are not checked yet; where a request says who it is from, it sees only its own.
extension OrderDesk {
  private static let batchMax = 15

  /// Answers a request below `/polymarket/clob`; nil where it is none of a client's.
  mutating func answer(_ request: HTTPServerRequest, _ path: [String], _ world: inout World) -> HTTPServerResponse? {
    switch (request.method, path.joined(separator: "/")) {
    case ("POST", "order"): return postOne(request, &world)
    case ("POST", "orders"): return postMany(request, &world)
    case ("DELETE", "order"): return cancelOne(request, &world)
    case ("DELETE", "orders"): return cancelMany(request, &world)
    case ("DELETE", "cancel-all"): return cancelAll(&world) { _ in true }
    case ("DELETE", "cancel-market-orders"): return cancelMarket(request, &world)
    case ("GET", "data/orders"): return openOrders(request, world)
    case ("GET", "data/trades"): return ownTrades(request, world)
    case ("GET", "balance-allowance"), ("GET", "balance-allowance/update"): return balance(request, world)
    case ("GET", "auth/ban-status/closed-only"): return .json("{\"closed_only\":false}")
    case ("POST", "auth/api-key"), ("GET", "auth/derive-api-key"): return credentials(request, world)
    case ("POST", "v1/heartbeats"): return .json("{\"heartbeat_id\":\"\(world.seed.hex256(.order, 0).prefix(34))\"}")
    case ("GET", _) where path.count == 3 && path[0] == "data" && path[1] == "order": return order(path[2], world)
    default: return nil
    }
  }

  // MARK: New orders

  private mutating func postOne(_ request: HTTPServerRequest, _ world: inout World) -> HTTPServerResponse {
    guard let document = try? JSONDocument(request.body), document.root.kind == .object else {
      return .clobError(OrderRefusal.payload.text, status: 400)
    }
    do {
      var writer = ByteWriter()
      writer.orderAnswer(try submit(try OrderTicket(document.root, world), &world))
      return .json(writer)
    } catch {
      return .clobError(error.text, status: error.status)
    }
  }

  private mutating func postMany(_ request: HTTPServerRequest, _ world: inout World) -> HTTPServerResponse {
    guard let document = try? JSONDocument(request.body), document.root.kind == .array else {
      return .clobError(OrderRefusal.payload.text, status: 400)
    }
    guard document.root.count <= OrderDesk.batchMax else {
      return .clobError(
        "Too many orders in payload: \(document.root.count), max allowed: \(OrderDesk.batchMax)", status: 400)
    }
    var writer = ByteWriter()
    writer.byte(0x5B)
    for (place, value) in document.root.elements.enumerated() {
      if place > 0 { writer.byte(0x2C) }
      do {
        writer.orderAnswer(try submit(try OrderTicket(value, world), &world))
      } catch {
        writer.orderRefusal(error)
      }
    }
    writer.byte(0x5D)
    return .json(writer)
  }

  // MARK: Cancelling

  private mutating func cancelOne(_ request: HTTPServerRequest, _ world: inout World) -> HTTPServerResponse {
    guard let document = try? JSONDocument(request.body), let id = document.root["orderID"]?.string else {
      return .clobError("Invalid order payload", status: 400)
    }
    return cancel([id], &world)
  }

  private mutating func cancelMany(_ request: HTTPServerRequest, _ world: inout World) -> HTTPServerResponse {
    guard let document = try? JSONDocument(request.body), document.root.kind == .array, document.root.count <= 3000
    else { return .clobError("Invalid order payload", status: 400) }
    return cancel(document.root.elements.compactMap(\.string), &world)
  }

  private mutating func cancelMarket(_ request: HTTPServerRequest, _ world: inout World) -> HTTPServerResponse {
    guard let document = try? JSONDocument(request.body) else {
      return .clobError("Invalid order payload", status: 400)
    }
    let market = document.root["market"]?.string.flatMap { $0.isEmpty ? nil : $0 }
    let token = document.root["asset_id"]?.string.flatMap { $0.isEmpty ? nil : $0 }
    let slot = market.map { world.marketOfCondition[$0] ?? -1 }
    let index = token.map { world.tokenOfID[$0] ?? -1 }
    return cancelAll(&world) { ticket in
      (slot == nil || slot == ticket.token / 2) && (index == nil || index == ticket.token)
    }
  }

  private mutating func cancelAll(
    _ world: inout World, where isMeant: (OrderTicket) -> Bool
  ) -> HTTPServerResponse {
    cancel(liveOrders.filter { id in orders[id].map { isMeant($0.ticket) } ?? false }, &world)
  }

  private mutating func cancel(_ ids: [String], _ world: inout World) -> HTTPServerResponse {
    var done: [String] = []
    var writer = ByteWriter()
    writer.raw("{\"not_canceled\":{")
    var isFirst = true
    for id in ids {
      guard let reason = cancel(id, &world) else {
        done.append(id)
        continue
      }
      if !isFirst { writer.byte(0x2C) }
      isFirst = false
      writer.quoted(id)
      writer.byte(0x3A)
      writer.quoted(reason)
    }
    writer.raw("},\"canceled\":")
    writer.list(done)
    writer.byte(0x7D)
    return .json(writer)
  }

  // MARK: Looking up

  private func order(_ id: String, _ world: World) -> HTTPServerResponse {
    guard let record = orders[id] else { return .clobError("order not found", status: 404) }
    var writer = ByteWriter()
    writer.order(record, world)
    return .json(writer)
  }

  private func openOrders(_ request: HTTPServerRequest, _ world: World) -> HTTPServerResponse {
    let owner = request.headers["POLY_API_KEY"]
    let found = liveOrders.compactMap { orders[$0] }.filter { record in
      let market = world.markets[record.ticket.token / 2]
      if let id = request.query("id"), id != record.ticket.id { return false }
      if let wanted = request.query("market"), wanted != market.conditionID { return false }
      if let token = request.query("asset_id"), token != market.tokens[record.ticket.token & 1] { return false }
      return owner == nil || owner == record.ticket.owner
    }
    return page(request, found) { $0.order($1, world) }
  }

  private func ownTrades(_ request: HTTPServerRequest, _ world: World) -> HTTPServerResponse {
    let address = (request.query("maker_address") ?? request.headers["POLY_ADDRESS"])?.lowercased()
    let found = trades.reversed().filter { trade in
      if let id = request.query("id"), id != trade.id { return false }
      if let wanted = request.query("market"), wanted != trade.conditionID { return false }
      if let token = request.query("asset_id"), token != trade.token, token != trade.makerToken { return false }
      if let before = request.number("before"), trade.time.seconds >= before { return false }
      if let after = request.number("after"), trade.time.seconds <= after { return false }
      return address == nil || address == trade.taker.address || address == trade.maker.address
    }
    return page(request, found) { writer, trade in
      let isTaker = address == nil ? !trade.taker.owner.isEmpty : address == trade.taker.address
      writer.trade(trade, asMaker: !isTaker, now: world.now)
    }
  }

  private func page<Item>(
    _ request: HTTPServerRequest, _ items: [Item], _ write: (inout ByteWriter, Item) -> Void
  ) -> HTTPServerResponse {
    let size = 500
    let cursor = request.query("next_cursor").flatMap { $0.isEmpty ? nil : $0 } ?? Base64.text(of: 0)
    guard let offset = Base64.number(cursor), offset >= 0 else { return .clobError("invalid next_cursor", status: 400) }
    let page = items.dropFirst(Int(clamping: offset)).prefix(size)
    var writer = ByteWriter()
    writer.raw("{\"data\":[")
    for (place, item) in page.enumerated() {
      if place > 0 { writer.byte(0x2C) }
      write(&writer, item)
    }
    let next = Int(clamping: offset) + page.count
    writer.raw("],\"next_cursor\":")
    writer.plain(Base64.text(of: next < items.count ? Int64(next) : -1))
    writer.raw(",\"limit\":500,\"count\":")
    writer.integer(page.count)
    writer.byte(0x7D)
    return .json(writer)
  }

  private func balance(_ request: HTTPServerRequest, _ world: World) -> HTTPServerResponse {
    guard let account = request.headers["POLY_ADDRESS"]?.lowercased() else {
      return .clobError("Unauthorized/Invalid api key", status: 401)
    }
    var raw = world.engine.accounts.cash(of: account).raw
    if request.query("asset_type") != "COLLATERAL" {
      guard let token = request.query("token_id").flatMap({ world.tokenOfID[$0] }) else {
        return .clobError("invalid token_id", status: 400)
      }
      raw = world.engine.accounts.shares(of: account, token: token).raw
    }
    return .json(
      "{\"balance\":\"\(raw / 100)\",\"allowances\":{\"0xE111180000d2663C0091e4f400237545B87B996B\":"
        + "\"1000000000000000\",\"0xe2222d279d744050d28e00520010520000310F59\":\"1000000000000000\"}}")
  }

  private func credentials(_ request: HTTPServerRequest, _ world: World) -> HTTPServerResponse {
    guard let address = request.headers["POLY_ADDRESS"] else {
      return .clobError("Invalid L1 Request headers", status: 401)
    }
    let number = address.utf8.reduce(UInt64(7)) { $0 &* 31 &+ UInt64($1) }
    let text = world.seed.hex256(.order, number).dropFirst(2)
    let key = "\(text.prefix(8))-\(text.dropFirst(8).prefix(4))-4000-8000-\(text.suffix(12))"
    return .json(
      "{\"apiKey\":\"\(key)\",\"secret\":\"\(String(repeating: "A", count: 43))=\",\"passphrase\":\"\(text)\"}")
  }
}
