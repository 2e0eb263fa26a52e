internal import Market

// The messages of the WebSocket's market channel. Each is rendered once and sent to all who watch.

extension Outbox {
  /// New totals at prices, in the shape in use since September 2025; a market without its other token's entries is one
  /// whose mirror is broken just now.
  mutating func priceChange(_ market: SimulatedMarket, slot: Int, _ changes: [LevelChange], at now: Timestamp) {
    let first = slot * 2
    guard isWatched(token: first) || isWatched(token: first + 1) else { return }
    let start = writer.count
    writer.raw("{\"market\":\"")
    writer.text(market.conditionID)
    writer.raw("\",\"price_changes\":[")
    var seen = (false, false)
    for (index, change) in changes.enumerated() {
      if index > 0 { writer.byte(0x2C) }
      if change.token == first { seen.0 = true } else { seen.1 = true }
      writer.raw("{\"asset_id\":\"")
      writer.text(market.tokens[change.token & 1])
      writer.raw("\",\"price\":\"")
      writer.decimal(raw: change.price.raw)
      writer.raw("\",\"size\":\"")
      writer.decimal(raw: change.quantity.raw)
      if change.side == .bid {
        writer.raw("\",\"side\":\"BUY\",\"hash\":\"")
      } else {
        writer.raw("\",\"side\":\"SELL\",\"hash\":\"")
      }
      orderHash &+= 0x9E37_79B9_7F4A_7C15
      writer.hex160(Seed.mix(orderHash), orderHash)
      writer.raw("\",\"best_bid\":\"")
      writer.decimal(raw: change.bestBid.raw)
      writer.raw("\",\"best_ask\":\"")
      writer.decimal(raw: change.bestAsk.raw)
      writer.raw("\"}")
    }
    writer.raw("],\"timestamp\":\"")
    writer.integer(now.milliseconds)
    writer.raw("\",\"event_type\":\"price_change\"}")
    let token = seen.0 ? first : first + 1
    close(start, .watchers, token: token, other: seen.0 && seen.1 ? first + 1 : -1)
    guard customCount > 0 || rendersAll else { return }
    for outcome in 0...1 {
      guard let last = changes.last(where: { $0.token == first + outcome }) else { continue }
      bestBidAsk(market, token: first + outcome, bid: last.bestBid, ask: last.bestAsk, at: now)
    }
  }

  /// The best prices of one token, when they changed: `best_bid_ask`.
  private mutating func bestBidAsk(
    _ market: SimulatedMarket, token: Int, bid: Price, ask: Price, at now: Timestamp
  ) {
    guard isWatched(token: token), bestChanged(token, bid: bid, ask: ask) else { return }
    let start = writer.count
    writer.raw("{\"event_type\":\"best_bid_ask\",\"market\":\"")
    writer.text(market.conditionID)
    writer.raw("\",\"asset_id\":\"")
    writer.text(market.tokens[token & 1])
    writer.raw("\",\"best_bid\":\"")
    writer.decimal(raw: bid.raw)
    writer.raw("\",\"best_ask\":\"")
    writer.decimal(raw: ask.raw)
    writer.raw("\",\"spread\":\"")
    writer.decimal(raw: ask.raw - bid.raw)
    writer.raw("\",\"timestamp\":\"")
    writer.integer(now.milliseconds)
    writer.raw("\"}")
    close(start, .customWatchers, token: token)
  }

  /// A whole book.
  mutating func book(
    _ market: SimulatedMarket, slot: Int, outcome: Int, _ ladder: Ladder, negRisk: Bool, at now: Timestamp
  ) {
    guard isWatched(token: slot * 2 + outcome) else { return }
    let start = writer.count
    writer.book(market, outcome: outcome, ladder, negRisk: negRisk, at: now, hasher, isMessage: true)
    close(start, .watchers, token: slot * 2 + outcome)
  }

  /// A trade: what a taker paid, in `last_trade_price`.
  mutating func lastTrade(
    _ market: SimulatedMarket, slot: Int, outcome: Int, price: Price, quantity: Quantity, side: Side, at now: Timestamp
  ) {
    guard isWatched(token: slot * 2 + outcome) else { return }
    let start = writer.count
    writer.raw("{\"market\":\"")
    writer.text(market.conditionID)
    writer.raw("\",\"asset_id\":\"")
    writer.text(market.tokens[outcome])
    writer.raw("\",\"price\":\"")
    writer.decimal(raw: price.raw)
    writer.raw("\",\"size\":\"")
    writer.decimal(raw: quantity.raw)
    if side == .buy {
      writer.raw("\",\"fee_rate_bps\":\"0\",\"side\":\"BUY\"")
    } else {
      writer.raw("\",\"fee_rate_bps\":\"0\",\"side\":\"SELL\"")
    }
    writer.raw(",\"timestamp\":\"")
    writer.integer(now.milliseconds)
    writer.raw("\",\"event_type\":\"last_trade_price\"}")
    close(start, .watchers, token: slot * 2 + outcome)
  }

  /// A narrower grid of prices, for both tokens.
  mutating func tickSizeChange(_ market: SimulatedMarket, slot: Int, from: Price, to: Price, at now: Timestamp) {
    for outcome in 0...1 where isWatched(token: slot * 2 + outcome) {
      let start = writer.count
      writer.raw("{\"event_type\":\"tick_size_change\",\"asset_id\":\"")
      writer.text(market.tokens[outcome])
      writer.raw("\",\"market\":\"")
      writer.text(market.conditionID)
      writer.raw("\",\"old_tick_size\":\"")
      writer.decimal(raw: from.raw)
      writer.raw("\",\"new_tick_size\":\"")
      writer.decimal(raw: to.raw)
      writer.raw("\",\"timestamp\":\"")
      writer.integer(now.milliseconds)
      writer.raw("\"}")
      close(start, .watchers, token: slot * 2 + outcome)
    }
  }

  /// A market that was just listed, for those who asked for additional events.
  mutating func newMarket(_ market: SimulatedMarket, event: SimulatedEvent, at now: Timestamp) {
    guard customCount > 0 || rendersAll else { return }
    let start = writer.count
    writer.raw("{\"event_type\":\"new_market\",\"id\":\"")
    writer.integer(market.id)
    writer.raw("\",\"question\":")
    writer.quoted(market.question)
    writer.raw(",\"market\":")
    writer.plain(market.conditionID)
    writer.raw(",\"slug\":")
    writer.quoted(market.slug)
    writer.raw(",\"description\":")
    writer.quoted(market.rules)
    writer.raw(",\"assets_ids\":")
    writer.list(market.tokens)
    writer.raw(",\"outcomes\":")
    writer.list(market.outcomes)
    writer.raw(",\"event_message\":{\"id\":\"")
    writer.integer(event.id)
    writer.raw("\",\"ticker\":")
    writer.quoted(event.slug)
    writer.raw(",\"slug\":")
    writer.quoted(event.slug)
    writer.raw(",\"title\":")
    writer.quoted(event.title)
    writer.raw(",\"description\":")
    writer.quoted(market.rules)
    writer.raw("},\"timestamp\":\"")
    writer.integer(now.milliseconds)
    writer.raw("\",\"tags\":[")
    writer.quoted(event.category.lowercased())
    writer.raw("],\"condition_id\":")
    writer.plain(market.conditionID)
    writer.raw(",\"active\":true,\"clob_token_ids\":")
    writer.list(market.tokens)
    writer.raw(",\"sports_market_type\":\"\",\"line\":\"\",\"game_start_time\":\"\",\"order_price_min_tick_size\":\"")
    writer.decimal(raw: market.tick.raw)
    writer.raw("\",\"group_item_title\":")
    writer.quoted(market.groupItemTitle)
    writer.byte(0x7D)
    close(start, .custom, token: -1)
  }

  /// A market's result, for those who asked for additional events.
  mutating func marketResolved(_ market: SimulatedMarket, winner: Int, at now: Timestamp) {
    guard customCount > 0 || rendersAll else { return }
    let start = writer.count
    writer.raw("{\"event_type\":\"market_resolved\",\"id\":\"")
    writer.integer(market.id)
    writer.raw("\",\"market\":")
    writer.plain(market.conditionID)
    writer.raw(",\"assets_ids\":")
    writer.list(market.tokens)
    writer.raw(",\"winning_asset_id\":")
    writer.plain(market.tokens[winner])
    writer.raw(",\"winning_outcome\":")
    writer.quoted(market.outcomes[winner])
    writer.raw(",\"timestamp\":\"")
    writer.integer(now.milliseconds)
    writer.raw("\",\"tags\":[]}")
    close(start, .custom, token: -1)
  }
}

extension ByteWriter {
  /// A JSON list of texts.
  mutating func list(_ values: [String]) {
    byte(0x5B)
    for (index, value) in values.enumerated() {
      if index > 0 { byte(0x2C) }
      quoted(value)
    }
    byte(0x5D)
  }

  /// A book with its hash: a REST answer, or a message with its `event_type`.
  mutating func book(
    _ market: SimulatedMarket, outcome: Int, _ ladder: Ladder, negRisk: Bool, at now: Timestamp, _ hasher: BookHasher,
    isMessage: Bool
  ) {
    if isMessage { raw("{\"event_type\":\"book\",") }
    let brace = count - 1
    if !isMessage { byte(0x7B) }
    raw("\"market\":")
    plain(market.conditionID)
    raw(",\"asset_id\":")
    plain(market.tokens[outcome])
    raw(",\"timestamp\":\"")
    integer(now.milliseconds)
    raw("\",\"hash\":\"")
    let hashAt = count
    raw("0000000000000000000000000000000000000000\",\"bids\":")
    levels(ladder.bids)
    raw(",\"asks\":")
    levels(ladder.asks)
    raw(",\"min_order_size\":\"")
    decimal(market.minimumSize)
    raw("\",\"tick_size\":\"")
    decimal(market.tick)
    raw("\",\"neg_risk\":")
    boolean(negRisk)
    raw(",\"last_trade_price\":\"")
    if let last = market.lastTrade { decimal(outcome == 0 ? last : last.complement) }
    raw("\"}")
    let members = isMessage ? brace + 1 : brace + 2
    var head: [UInt8] = [0x7B]
    head.append(contentsOf: bytes[members..<hashAt])
    overwrite(at: hashAt, with: hasher.hex(of: head, bytes[(hashAt + 40)...]))
  }

  private mutating func levels(_ levels: [Level]) {
    byte(0x5B)
    for (index, level) in levels.enumerated() {
      if index > 0 { byte(0x2C) }
      raw("{\"price\":\"")
      decimal(raw: level.price.raw)
      raw("\",\"size\":\"")
      decimal(raw: level.quantity.raw)
      raw("\"}")
    }
    byte(0x5D)
  }
}

extension SimulatedMarket {
  /// The rules of the market, as its description states them.
  package var rules: String {
    switch subject {
    case .upDown(let coin, _):
      "This market will resolve to \"Up\" if the \(coin.name) price at the end of the time range specified in the "
        + "title is greater than or equal to the price at the beginning of that range. Otherwise, it will resolve to "
        + "\"Down\".\nThe price at a minute is the close of the one-minute candle that ends there."
    case .brief:
      "This market will resolve to \"Yes\" if the number drawn at its end is even. Otherwise, \"No\"."
    case .ordinary:
      "This market will resolve to \"Yes\" if the answer to the question is yes by its end date. Otherwise, this "
        + "market will resolve to \"No\".\n\nThe source is a consensus of credible reporting."
    }
  }
}
