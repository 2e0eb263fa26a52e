internal import Market
internal import Web

/// The Data API: trades, without a time filter.
struct DataRoutes {
  let world: World

  /// Answers a request below `/polymarket/data`.
  func answer(_ request: HTTPServerRequest, _ path: [String]) -> HTTPServerResponse {
    guard request.method == "GET" else { return .clobError("method not allowed", status: 405) }
    switch path {
    case ["trades"]: return trades(request)
    case ["positions"], ["activity"], ["holders"]: return .json("[]")
    default: return .clobError("not found", status: 404)
    }
  }

  private func trades(_ request: HTTPServerRequest) -> HTTPServerResponse {
    let limit = request.number("limit") ?? 100
    let offset = request.number("offset") ?? 0
    guard (0...10_000).contains(limit), (0...10_000).contains(offset) else {
      return .clobError("limit and offset must be from 0 to 10000", status: 400)
    }
    var slots: [Int]?
    if let markets = request.query("market") {
      slots = markets.split(separator: ",").compactMap { world.marketOfCondition[String($0)] }
    } else if let events = request.query("eventId") {
      slots = events.split(separator: ",").compactMap { Int64($0).flatMap { world.eventOfID[$0] } }
        .flatMap { world.events[$0].markets }
    }
    var found = world.trades.newest(of: slots, limit: Int(limit), offset: Int(offset))
    if let side = request.query("side")?.uppercased() { found.removeAll { ($0.side == .buy) != (side == "BUY") } }
    if let amount = request.query("filterAmount"), let least = try? Price(amount) {
      let byCash = request.query("filterType")?.uppercased() == "CASH"
      found.removeAll {
        byCash ? Money($0.price, times: $0.quantity, rounding: .down).raw < least.raw : $0.quantity.raw < least.raw
      }
    }
    var writer = ByteWriter(capacity: found.count * 512 + 2)
    writer.byte(0x5B)
    for (place, trade) in found.enumerated() {
      if place > 0 { writer.byte(0x2C) }
      write(trade, to: &writer)
    }
    writer.byte(0x5D)
    return .json(writer)
  }

  private func write(_ trade: PublicTrade, to writer: inout ByteWriter) {
    let market = world.markets[trade.market]
    writer.raw("{\"proxyWallet\":\"0x")
    writer.hex160(trade.number, trade.number &* 31)
    if trade.side == .buy {
      writer.raw("\",\"side\":\"BUY\",\"asset\":")
    } else {
      writer.raw("\",\"side\":\"SELL\",\"asset\":")
    }
    writer.plain(market.tokens[trade.outcome])
    writer.raw(",\"conditionId\":")
    writer.plain(market.conditionID)
    writer.raw(",\"size\":")
    writer.decimal(trade.quantity)
    writer.raw(",\"price\":")
    writer.decimal(trade.price)
    writer.raw(",\"timestamp\":")
    writer.integer(trade.time.seconds)
    writer.raw(",\"title\":")
    writer.quoted(market.question)
    writer.raw(",\"slug\":")
    writer.quoted(market.slug)
    writer.raw(",\"icon\":\"\",\"eventSlug\":")
    writer.quoted(world.events[market.event].slug)
    writer.raw(",\"outcome\":")
    writer.quoted(market.outcomes[trade.outcome])
    writer.raw(",\"outcomeIndex\":")
    writer.integer(trade.outcome)
    writer.raw(",\"name\":\"\",\"pseudonym\":\"\",\"bio\":\"\",\"transactionHash\":")
    writer.plain(world.seed.hex256(.transaction, trade.number))
    writer.byte(0x7D)
  }
}
