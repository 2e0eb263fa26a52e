internal import Market
internal import Web

extension Decoding {
  /// Polymarket's kinds.
  static let polymarketKinds: [Kind] = [
    document(.polymarket, "book") { (wire, _) throws(WireProblem) in try fields(ofBook: wire) },
    Kind("books") { (wire, _, body) throws(VenueError) in
      var books: [DecodedValue] = []
      var rejected: [VenueError] = []
      let rows: [Wire]
      do throws(WireProblem) { rows = try wire.elements } catch { throw error.error(.polymarket, "books") }
      for (index, row) in rows.enumerated() {
        do throws(WireProblem) { books.append(.object(try fields(ofBook: row))) } catch {
          rejected.append(error.inside("[\(index)]").error(.polymarket, "books"))
        }
      }
      body(
        .message(
          DecodedMessage(
            .polymarket, "books", [.init("count", .integer(Int64(books.count))), .init("books", .list(books))])))
      for error in rejected { body(.failure(error)) }
    },
    document(.polymarket, "market", aliases: ["market_crypto"]) { (wire, _) throws(WireProblem) in
      DecodedMessage.fields(try PolymarketGamma.parseMarket(try only(wire)))
    },
    Kind("markets") { (wire, _, body) throws(VenueError) in
      try markets("markets", wire, body) { row throws(WireProblem) in ([try PolymarketGamma.parseMarket(row)], []) }
    },
    Kind("events") { (wire, _, body) throws(VenueError) in
      try markets("events", wire, body) { row throws(WireProblem) in
        let event = try PolymarketGamma.parseEvent(row)
        return (event.markets, event.rejected)
      }
    },
    document(.polymarket, "clob_market", aliases: ["clob_market"]) { (wire, _) throws(WireProblem) in
      DecodedMessage.fields(try PolymarketClobMarket.parse(wire))
    },
    document(.polymarket, "trades") { (wire, _) throws(WireProblem) in
      DecodedMessage.rows("trades", try PolymarketREST.parseTrades(wire), DecodedMessage.fields)
    },
    document(.polymarket, "positions") { (wire, _) throws(WireProblem) in
      DecodedMessage.rows("positions", try PolymarketREST.parsePositions(wire), DecodedMessage.fields)
    },
    Kind("stream", aliases: ["ws_market", "ws_book", "ws_price_change"], isStream: true) {
      (wire, _, body) throws(VenueError) in
      try stream(wire, body)
    },
    Kind("user", aliases: ["ws_user", "trade_confirmed", "rest_trade_confirmed"], isStream: true) {
      (wire, _, body) throws(VenueError) in
      body(.message(decoded(try PolymarketUserParser.parse(wire))))
    },
    Kind("chain", aliases: ["chain_order_filled"]) { (wire, _, body) throws(VenueError) in
      try chain(wire, body)
    },
  ]

  static func detectPolymarket(_ wire: Wire) -> String? {
    if wire.json.kind == .array {
      guard let first = wire.json.elements.first(where: { _ in true }).map(Wire.init) else { return nil }
      // An event holds its markets; so does a page of markets, which is no array.
      if first.json["markets"] != nil { return "events" }
      switch detectPolymarket(first) {
      case "book": return "books"
      case "market": return "markets"
      case let kind?: return kind
      case nil: break
      }
      func has(_ name: String) -> Bool { first.json[name] != nil }
      if has("avgPrice") { return "positions" }
      if has("conditionId"), has("asset") { return "trades" }
      return has("markets") || has("negRiskAugmented") ? "events" : nil
    }
    guard wire.json.kind == .object else { return nil }
    func has(_ name: String) -> Bool { wire.json[name] != nil }
    switch wire.json["event_type"]?.string {
    case "order", "trade": return "user"
    case .some: return "stream"
    case nil: break
    }
    if has("maker_orders") || has("taker_order_id") || has("size_matched") { return "user" }
    if has("bids"), has("asks") { return "book" }
    if has("tokens"), has("condition_id") { return "clob_market" }
    if has("clobTokenIds") || (has("conditionId") && has("question")) { return "market" }
    if has("events") { return "events" }
    if has("markets") { return has("slug") || has("title") ? "events" : "markets" }
    return has("logs") || has("topics") ? "chain" : nil
  }

  // MARK: - Books

  /// A book, and whether it bears its hash.
  private static func fields(ofBook wire: Wire) throws(WireProblem) -> [DecodedField] {
    let book = try PolymarketBook.parse(wire, verifiesHash: false)
    let claimed = try wire.optionalText("hash") ?? ""
    var hash = "missing"
    if !claimed.isEmpty {
      do throws(WireProblem) {
        _ = try PolymarketBook.parse(wire, verifiesHash: true)
        hash = "right"
      } catch {
        hash = "wrong"
      }
    }
    return DecodedMessage.fields(book) + [
      .init("neg_risk", .flag(try wire.optionalBoolean("neg_risk"))),
      .init("minimum_quantity", .decimal(try wire.optionalQuantity("min_order_size"))),
      .init("last_price", .decimal(try wire.optionalPrice("last_trade_price"))), .init("hash", .text(hash)),
    ]
  }

  // MARK: - Catalogue

  /// The one market of an array of one, or the market itself.
  private static func only(_ wire: Wire) throws(WireProblem) -> Wire {
    guard wire.json.kind == .array else { return wire }
    let rows = try wire.elements
    guard rows.count == 1, let row = rows.first else {
      throw WireProblem("", "expected one market, found \(rows.count)")
    }
    return row
  }

  private static func markets(
    _ kind: String, _ wire: Wire, _ body: (Line) -> Void,
    _ parse: (Wire) throws(WireProblem) -> (markets: [PredictionMarket], rejected: [WireProblem])
  ) throws(VenueError) {
    var found: [PredictionMarket] = []
    var rejected: [WireProblem] = []
    var cursor: String?
    do throws(WireProblem) {
      var rows: [Wire]
      var prefix = ""
      if wire.json.kind == .array {
        rows = try wire.elements
      } else if kind == "events", wire.json["events"] == nil, wire.json["markets"] != nil {
        rows = [wire]
      } else {
        rows = try wire.array(kind)
        prefix = kind
        cursor = try wire.optionalText("next_cursor")
      }
      for (index, row) in rows.enumerated() {
        let place = "\(prefix)[\(index)]\(PolymarketGamma.label(row))"
        do throws(WireProblem) {
          let part = try parse(row)
          found += part.markets
          rejected += part.rejected.map { $0.inside(place) }
        } catch {
          rejected.append(error.inside(place))
        }
      }
    } catch {
      throw error.error(.polymarket, kind)
    }
    let fields = DecodedMessage.rows("markets", found, DecodedMessage.fields)
    body(.message(DecodedMessage(.polymarket, kind, [.init("cursor", .text(cursor))] + fields)))
    for problem in rejected { body(.failure(problem.error(.polymarket, kind))) }
  }

  // MARK: - User channel

  private static func decoded(_ message: PolymarketUserMessage) -> DecodedMessage {
    switch message {
    case .order(let order):
      var status = "\(order.status)"
      var reason: String?
      if case .canceled(let words) = order.status { (status, reason) = ("canceled", words) }
      if case .other(let word) = order.status { (status, reason) = ("other", word) }
      return DecodedMessage(
        .polymarket, "order",
        [
          .init("order", .text(order.id)), .init("type", .text(order.change.rawValue)),
          .init("status", .text(status)), .init("reason", .text(reason)),
          .init("killed", .flag(order.status.isKilled)), .init("instrument", .text(order.token)),
          .init("market", .text(order.marketID)), .init("side", .text(order.side == .buy ? "buy" : "sell")),
          .init("price", .decimal(order.price)), .init("quantity", .decimal(order.originalSize)),
          .init("filled", .decimal(order.matchedSize)), .init("order_type", .text(order.orderType)),
          .init("trades", .texts(order.trades)), .init("created", .time(order.createdAt)),
          .init("time", .time(order.time)),
        ])
    case .trade(let trade):
      return DecodedMessage(
        .polymarket, "trade",
        [
          .init("trade", .text(trade.id)), .init("status", .text(trade.status.rawValue)),
          .init("final", .flag(trade.status.isFinal)), .init("market", .text(trade.marketID)),
          .init("instrument", .text(trade.token)), .init("side", .text(trade.side == .buy ? "buy" : "sell")),
          .init("price", .decimal(trade.price)), .init("quantity", .decimal(trade.size)),
          .init("taker_order", .text(trade.takerOrderID)), .init("taker", .flag(trade.isTaker)),
          .init(
            "fills",
            .list(
              trade.fills.map {
                .object([
                  .init("order", .text($0.orderID)), .init("instrument", .text($0.token)),
                  .init("side", .text($0.side == .buy ? "buy" : "sell")), .init("price", .decimal($0.price)),
                  .init("quantity", .decimal($0.size)),
                ])
              })), .init("makers", .integer(Int64(trade.makers.count))), .init("matched", .time(trade.matchedAt)),
          .init("updated", .time(trade.updatedAt)), .init("transaction", .text(trade.transactionHash)),
        ])
    case .ignored(let type): return DecodedMessage(.polymarket, "ignored", [.init("type", .text(type))])
    }
  }
}
