internal import Market
internal import Web

extension Decoding {
  /// Kalshi's kinds.
  static let kalshiKinds: [Kind] = [
    Kind("markets") { (wire, _, body) throws(VenueError) in
      try page(
        "markets", wire, body, { wire throws(WireProblem) in try KalshiREST.parseMarkets(wire) { _ in .ordinary } },
        { ($0.rejected, [cursor(wire)] + DecodedMessage.rows("markets", $0.markets, fields)) })
    },
    document(.kalshi, "market") { (wire, _) throws(WireProblem) in
      fields(try KalshiREST.parseMarket(wire) { _ in .ordinary })
    },
    Kind("events") { (wire, _, body) throws(VenueError) in
      try page(
        "events", wire, body, { wire throws(WireProblem) in try KalshiREST.parseEvents(wire) { _ in .ordinary } },
        { ($0.rejected, [cursor(wire)] + DecodedMessage.rows("events", $0.events, fields)) })
    },
    Kind("event", aliases: ["event_settled"]) { (wire, _, body) throws(VenueError) in
      try page(
        "event", wire, body, { wire throws(WireProblem) in try KalshiREST.parseEvent(wire) { _ in .ordinary } },
        { ($0.rejected.map { $0.error(.kalshi, "event") }, fields($0.event)) })
    },
    document(.kalshi, "series") { (wire, _) throws(WireProblem) in
      guard wire.json["series"]?.kind == .array else { return fields(try KalshiREST.parseSeries(wire)) }
      return DecodedMessage.rows("series", try KalshiREST.parseSeriesPage(wire), fields)
    },
    document(.kalshi, "orderbook", aliases: ["book"]) { (wire, _) throws(WireProblem) in
      let book = try KalshiREST.parseOrderbook(wire)
      return [.init("market", .text(book.ticker))] + fields(book.levels)
    },
    Kind("orderbooks", aliases: ["books"]) { (wire, _, body) throws(VenueError) in
      try page("orderbooks", wire, body, KalshiREST.parseOrderbooks) { listing in
        let books = listing.levels.sorted { $0.key < $1.key }
        return (
          listing.rejected.map(\.error),
          DecodedMessage.rows("orderbooks", books) { [.init("market", .text($0.key))] + fields($0.value) }
        )
      }
    },
    document(.kalshi, "trades") { (wire, _) throws(WireProblem) in
      [cursor(wire)] + DecodedMessage.rows("trades", try KalshiREST.parseTrades(wire), fields)
    },
    document(.kalshi, "positions") { (wire, _) throws(WireProblem) in
      [cursor(wire)] + DecodedMessage.rows("positions", try KalshiREST.parsePositions(wire), fields)
    },
    document(.kalshi, "orders") { (wire, _) throws(WireProblem) in
      [cursor(wire)] + DecodedMessage.rows("orders", try KalshiREST.parseOrders(wire), fields)
    },
    document(.kalshi, "fills") { (wire, _) throws(WireProblem) in
      [cursor(wire)] + DecodedMessage.rows("fills", try KalshiREST.parseFills(wire), fields)
    },
    document(.kalshi, "balance") { (wire, _) throws(WireProblem) in
      let balance = try KalshiREST.parseBalance(wire)
      return [
        .init("balance", .decimal(balance.balance)), .init("portfolio_value", .decimal(balance.portfolioValue)),
      ]
    },
    Kind("stream", aliases: ["ws_documentation_examples", "user"], isStream: true) {
      (wire, _, body) throws(VenueError) in
      body(.message(decoded(try KalshiStreamParser.parse(wire))))
    },
    Kind("tape", aliases: ["ws_tape"], isStream: true) { (wire, state, body) throws(VenueError) in
      let message = try KalshiStreamParser.parse(wire)
      var books = state.kalshi ?? KalshiBooks(numbering: .partial)
      _ = books.take(message)
      state.kalshi = books
      body(.message(decoded(message)))
    },
  ]

  static func detectKalshi(_ wire: Wire) -> String? {
    guard wire.json.kind == .object else { return nil }
    func has(_ name: String) -> Bool { wire.json[name] != nil }
    if has("type") || has("cmd") { return "stream" }
    if has("orderbook_fp") { return "orderbook" }
    for name in [
      "orderbooks", "events", "event", "series", "trades", "orders", "fills", "market", "markets", "balance",
    ] where has(name) { return name }
    return has("market_positions") ? "positions" : nil
  }

  /// A page: the good rows in one line, and an error for each of the others.
  private static func page<Page>(
    _ kind: String, _ wire: Wire, _ body: (Line) -> Void, _ parse: (Wire) throws(WireProblem) -> Page,
    _ parts: (Page) -> (rejected: [VenueError], fields: [DecodedField])
  ) throws(VenueError) {
    let page: Page
    do { page = try parse(wire) } catch { throw error.error(.kalshi, kind) }
    let (rejected, fields) = parts(page)
    body(.message(DecodedMessage(.kalshi, kind, fields)))
    for error in rejected { body(.failure(error)) }
  }

  private static func cursor(_ wire: Wire) -> DecodedField { .init("cursor", .text(wire.json["cursor"]?.string)) }

  /// The books of a recorded stream as they stand at its end.
  static func folded(_ books: KalshiBooks) -> [DecodedMessage] {
    books.books.sorted { $0.key < $1.key }.map { ticker, book in
      let state: String
      switch book.state {
      case .empty: state = "empty"
      case .live: state = "live"
      case .stale: state = "stale"
      case .closed: state = "closed"
      }
      return DecodedMessage(
        .kalshi, "book",
        [
          .init("market", .text(ticker)), .init("state", .text(state)),
          .init("deltas_dropped", .integer(Int64(book.droppedDeltas))), .init("time", .time(book.venueTime)),
        ] + fields(book.levels))
    }
  }
}

// MARK: - What each thing says

extension Decoding {
  /// Both sides' bids, best first, and what follows from them.
  private static func fields(_ levels: KalshiLevels) -> [DecodedField] {
    func side(_ outcome: KalshiOutcome) -> DecodedValue {
      let bids = levels.bids(outcome)
      let total = bids.reduce(into: Int128(0)) { $0 += Int128($1.quantity.raw) }
      return .object([
        .init("levels", .integer(Int64(bids.count))), .init("best_bid", .decimal(bids.last?.price)),
        .init("best_bid_size", .decimal(bids.last?.quantity)),
        .init("total_size", .decimal(Volume(raw: total).description)),
        .init("bids", .list(bids.reversed().map { .level($0) })),
      ])
    }
    return [
      .init("yes_ask", .decimal(levels.asks(.yes).last?.price)),
      .init("no_ask", .decimal(levels.asks(.no).last?.price)), .init("yes", side(.yes)), .init("no", side(.no)),
    ]
  }

  private static func fields(_ grid: PriceGrid) -> DecodedValue {
    .list(
      grid.ranges.map {
        .object([
          .init("start", .decimal($0.start)), .init("end", .decimal($0.end)), .init("step", .decimal($0.step)),
        ])
      })
  }

  private static func fields(_ market: KalshiMarket) -> [DecodedField] {
    DecodedMessage.fields(market.market) + [
      .init("status", .text(market.status.rawValue)), .init("result", .text(market.result)),
      .init("settlement_value", .decimal(market.settlementValue)), .init("yes_bid", .level(market.yesBid)),
      .init("yes_ask", .level(market.yesAsk)), .init("no_bid", .level(market.noBid)),
      .init("no_ask", .level(market.noAsk)), .init("last_price", .decimal(market.lastPrice)),
      .init("volume", .decimal(market.volume)), .init("volume_24h", .decimal(market.volume24h)),
      .init("open_interest", .decimal(market.openInterest)), .init("strike_type", .text(market.strikeType)),
      .init("floor_strike", market.floorStrike.map { .decimal($0) } ?? .none),
      .init("cap_strike", market.capStrike.map { .decimal($0) } ?? .none), .init("opens", .time(market.opensAt)),
      .init("expected_expiration", .time(market.expectedExpirationAt)), .init("price_ranges", fields(market.grid)),
    ]
  }

  private static func fields(_ event: KalshiEvent) -> [DecodedField] {
    [
      .init("event", .text(event.ticker)), .init("series", .text(event.seriesTicker)),
      .init("title", .text(event.title)), .init("subtitle", .text(event.subtitle)),
      .init("category", .text(event.category)), .init("mutually_exclusive", .flag(event.isMutuallyExclusive)),
    ] + DecodedMessage.rows("markets", event.markets, fields)
  }

  private static func fields(_ series: KalshiSeries) -> [DecodedField] {
    [
      .init("series", .text(series.ticker)), .init("title", .text(series.title)),
      .init("category", .text(series.category)), .init("frequency", .text(series.frequency)),
      .init("fee_type", .text(series.fees.type)), .init("fee_multiplier", .decimal(series.fees.multiplier)),
    ]
  }

  private static func fields(_ trade: KalshiTrade) -> [DecodedField] {
    [
      .init("trade", .text(trade.id)), .init("market", .text(trade.ticker)),
      .init("yes_price", .decimal(trade.yesPrice)), .init("no_price", .decimal(trade.yesPrice.complement)),
      .init("quantity", .decimal(trade.count)), .init("taker_outcome", .text(trade.takerOutcome.rawValue)),
      .init("taker_side", .text(trade.common.takerSide == .buy ? "buy" : "sell")), .init("block", .flag(trade.isBlock)),
      .init("time", .time(trade.time)),
    ]
  }

  private static func fields(_ order: KalshiOrder) -> [DecodedField] {
    [
      .init("order", .text(order.id)), .init("client_order", .text(order.clientOrderID)),
      .init("market", .text(order.ticker)), .init("status", .text(order.status.rawValue)),
      .init("outcome", .text(order.outcome.rawValue)), .init("yes_price", .decimal(order.yesPrice)),
      .init("quantity", .decimal(order.initialCount)), .init("filled", .decimal(order.filledCount)),
      .init("remaining", .decimal(order.remainingCount)), .init("cost", .decimal(order.cost)),
      .init("fees", .decimal(order.fees)), .init("reason", .text(order.updateReason)),
      .init("created", .time(order.createdAt)),
    ]
  }

  private static func fields(_ fill: KalshiFill) -> [DecodedField] {
    [
      .init("trade", .text(fill.tradeID)), .init("order", .text(fill.orderID)),
      .init("client_order", .text(fill.clientOrderID)), .init("market", .text(fill.ticker)),
      .init("outcome", .text(fill.outcome.rawValue)), .init("yes_price", .decimal(fill.yesPrice)),
      .init("quantity", .decimal(fill.count)), .init("fee", .decimal(fill.fee)), .init("taker", .flag(fill.isTaker)),
      .init("position", .decimal(fill.positionAfter)), .init("time", .time(fill.time)),
    ]
  }

  private static func fields(_ position: KalshiPosition) -> [DecodedField] {
    [
      .init("market", .text(position.ticker)), .init("position", .decimal(position.position)),
      .init("cost", .decimal(position.cost)), .init("realised", .decimal(position.realised)),
      .init("fees", .decimal(position.fees)),
    ]
  }

  private static func decoded(_ message: KalshiStreamMessage) -> DecodedMessage {
    let head: [DecodedField] = [
      .init("sid", .integer(message.sid)), .init("seq", .integer(message.seq)), .init("id", .integer(message.id)),
    ]
    let (kind, fields) = content(message.body)
    return DecodedMessage(.kalshi, kind, head.filter { $0.value != .none } + fields)
  }

  private static func content(_ body: KalshiStreamMessage.Body) -> (kind: String, fields: [DecodedField]) {
    switch body {
    case .snapshot(let snapshot):
      return ("orderbook_snapshot", [.init("market", .text(snapshot.ticker))] + fields(snapshot.levels))
    case .delta(let delta):
      return (
        "orderbook_delta",
        [
          .init("market", .text(delta.ticker)), .init("outcome", .text(delta.outcome.rawValue)),
          .init("price", .decimal(delta.price)), .init("change", .decimal(delta.change)),
          .init("time", .time(delta.time)), .init("client_order", .text(delta.clientOrderID)),
        ]
      )
    case .trade(let trade): return ("trade", fields(trade))
    case .ticker(let ticker):
      return (
        "ticker",
        [
          .init("market", .text(ticker.ticker)), .init("last_price", .decimal(ticker.lastPrice)),
          .init("yes_bid", .level(ticker.yesBid)), .init("yes_ask", .level(ticker.yesAsk)),
          .init("volume", .decimal(ticker.volume)), .init("open_interest", .decimal(ticker.openInterest)),
          .init("time", .time(ticker.time)),
        ]
      )
    case .lifecycle(let lifecycle):
      return (
        "market_lifecycle_v2",
        [
          .init("market", .text(lifecycle.ticker)), .init("event_type", .text(lifecycle.event)),
          .init("price_ranges", lifecycle.grid.map(fields) ?? .none), .init("result", .text(lifecycle.result)),
          .init("closes", .time(lifecycle.closesAt)),
        ]
      )
    case .fees(let update):
      return (
        "event_fee_update",
        [
          .init("event", .text(update.eventTicker)), .init("fee_type", .text(update.fees?.type)),
          .init("fee_multiplier", .decimal(update.fees?.multiplier)), .init("cleared", .flag(update.fees == nil)),
        ]
      )
    case .fill(let fill): return ("fill", fields(fill))
    case .order(let order): return ("user_order", fields(order))
    case .position(let position): return ("market_position", fields(position))
    case .subscribed(let channel, let sid):
      return ("subscribed", [.init("channel", .text(channel)), .init("subscription", .integer(sid))])
    case .accepted(let markets, let subscriptions):
      let rows: [DecodedValue] = subscriptions.map {
        .object([.init("channel", .text($0.channel)), .init("subscription", .integer($0.sid))])
      }
      return ("ok", [.init("markets", .texts(markets)), .init("subscriptions", .list(rows))])
    case .unsubscribed: return ("unsubscribed", [])
    case .refused(let refusal):
      return ("error", [.init("code", .integer(refusal.code)), .init("text", .text(refusal.text))])
    case .command(let name, let channels, let markets):
      return (
        "command",
        [.init("command", .text(name)), .init("channels", .texts(channels)), .init("markets", .texts(markets))]
      )
    case .ignored(let type): return ("ignored", [.init("type", .text(type))])
    }
  }
}
