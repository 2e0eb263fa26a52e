internal import Market
internal import Web

extension Decoding {
  /// Reads a frame of the market channel by the parser of the ingestor, and what that passes over by its members.
  static func stream(_ wire: Wire, _ body: (Line) -> Void) throws(VenueError) {
    do throws(WireProblem) {
      if let message = try other(wire) { return body(.message(message)) }
    } catch {
      throw error.error(.polymarket, wire.json["event_type"]?.string ?? "stream")
    }
    var writer = JSONWriter()
    wire.json.write(&writer)
    // The parser may read so far behind the end.
    let frame = writer.bytes + [UInt8](repeating: 0, count: 64)
    let parser = PolymarketStreamParser()
    var tokens: [String] = []
    for token in named(wire) where !tokens.contains(token) {
      parser.bind(token: token, book: Int32(tokens.count), tick: Price(raw: fixedPointScale / 10_000))
      tokens.append(token)
    }
    let market = wire.json["market"]?.string
    frame.withUnsafeBytes { bytes in
      parser.parse(UnsafeRawBufferPointer(rebasing: bytes.dropLast(64))) { event in
        body(line(event, tokens, market, type: wire.json["event_type"]?.string))
      }
    }
  }

  /// The tokens that a message names.
  private static func named(_ wire: Wire) -> [String] {
    let inner = wire.json["price_changes"].map { Array($0.elements) } ?? []
    return ([wire.json] + inner).compactMap { $0["asset_id"]?.string }
  }

  private static func line(
    _ event: PolymarketStreamEvent, _ tokens: [String], _ market: String?, type: String?
  ) -> Line {
    func name(_ book: Int32) -> DecodedField {
      .init("instrument", .text(tokens.indices.contains(Int(book)) ? tokens[Int(book)] : nil))
    }
    func message(_ kind: String, _ fields: [DecodedField]) -> Line {
      .message(DecodedMessage(.polymarket, kind, fields + [.init("market", .text(market))]))
    }
    switch event {
    case .book(let book, let time, let bids, let asks, let tick, let text, let claimed):
      var checker = BookHash()
      let hash = claimed.isEmpty ? "missing" : checker.form(of: text, claimed: claimed) == nil ? "wrong" : "right"
      return message(
        "book",
        [
          name(book), .init("best_bid", .level(bids.last)), .init("best_ask", .level(asks.last)),
          .init("bids", .list(bids.reversed().map { .level($0) })),
          .init("asks", .list(asks.reversed().map { .level($0) })), .init("tick", .decimal(tick)),
          .init("time", .time(time)), .init("hash", .text(hash)),
        ])
    case .changes(let time, let changes):
      let rows = changes.map { change -> DecodedValue in
        .object([
          name(change.book), .init("side", .text(change.side == 0 ? "bid" : "ask")),
          .init("price", .decimal(change.price)), .init("quantity", .decimal(change.quantity)),
        ])
      }
      return message("price_change", [.init("changes", .list(rows)), .init("time", .time(time))])
    case .trade(let book, let time, let price, let quantity, let side):
      return message(
        "last_trade_price",
        [
          name(book), .init("price", .decimal(price)), .init("quantity", .decimal(quantity)),
          .init("taker_side", .text(side == .buy ? "buy" : "sell")), .init("time", .time(time)),
        ])
    case .tick(let book, let tick): return message("tick_size_change", [name(book), .init("tick", .decimal(tick))])
    case .metadataChanged: return message(type ?? "metadata", [])
    case .ignored: return message("ignored", [.init("type", .text(type))])
    case .refused(let fault, let field, _):
      return .failure(
        VenueError(venue: .polymarket, kind: type ?? "stream", field: field, problem: fault.explanation))
    }
  }

  /// Kinds that change no book: `best_bid_ask`, `new_market`, `market_resolved`.
  private static func other(_ wire: Wire) throws(WireProblem) -> DecodedMessage? {
    guard wire.json.kind == .object else { throw WireProblem("", "expected an object, found \(wire.json.kind)") }
    let message = try PolymarketMarketNotice.parse(wire)
    switch message {
    case .bestPrices(let prices):
      return DecodedMessage(
        .polymarket, "best_bid_ask",
        [
          .init("instrument", .text(prices.token)), .init("market", .text(prices.marketID)),
          .init("best_bid", .decimal(prices.bid)), .init("best_ask", .decimal(prices.ask)),
          .init("time", .time(prices.time)),
        ])
    case .newMarket(let market):
      return DecodedMessage(
        .polymarket, "new_market",
        [
          .init("market", .text(market.conditionID)), .init("gamma", .text(market.gammaID)),
          .init("event", .text(market.eventID)), .init("question", .text(market.question)),
          .init(
            "outcomes",
            .list(
              market.outcomes.map { .object([.init("name", .text($0.name)), .init("instrument", .text($0.token))]) })),
          .init("tick", .decimal(market.tick)), .init("time", .time(market.time)),
        ])
    case .resolved(let resolution):
      return DecodedMessage(
        .polymarket, "market_resolved",
        [
          .init("market", .text(resolution.conditionID)), .init("winner", .text(resolution.winningToken)),
          .init("outcome", .text(resolution.winningOutcome)), .init("time", .time(resolution.time)),
        ])
    case nil: return nil
    }
  }

  // MARK: - Chain

  /// Reads logs of `OrderFilled`: `{"logs":[{"address":"0x…","topics":["0xd543…",…],"data":"0x…"}]}`, or one of them.
  static func chain(_ wire: Wire, _ body: (Line) -> Void) throws(VenueError) {
    do throws(WireProblem) {
      guard let rows = try wire.optionalArray("logs") else { return body(.message(try decoded(wire))) }
      for (index, row) in rows.enumerated() {
        do throws(WireProblem) { body(.message(try decoded(row))) } catch { throw error.inside("logs[\(index)]") }
      }
    } catch {
      throw error.error(.polymarket, "chain")
    }
  }

  private static func decoded(_ wire: Wire) throws(WireProblem) -> DecodedMessage {
    let fill = try PolymarketOrderFilled.parse(wire)
    return DecodedMessage(
      .polymarket, "order_filled",
      [
        .init("order", .text(fill.orderHash)), .init("maker", .text(fill.maker)), .init("taker", .text(fill.taker)),
        .init("instrument", .text(fill.token)), .init("side", .text(fill.side == .buy ? "buy" : "sell")),
        .init("price", .decimal(fill.price)), .init("quantity", .decimal(fill.shares)),
        .init("cost", .decimal(fill.collateral)), .init("fee", .decimal(fill.fee)),
      ])
  }
}
