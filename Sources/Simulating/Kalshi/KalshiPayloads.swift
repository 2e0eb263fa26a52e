internal import Market

// Kalshi's markets, books and trades as its interfaces write them.

extension ByteWriter {
  /// Cents as dollars in quotes: `"0.4600"`.
  mutating func dollars(_ cents: Int) {
    byte(0x22)
    unsigned(UInt64(cents / 100), width: 1)
    byte(0x2E)
    unsigned(UInt64(cents % 100), width: 2)
    raw("00\"")
  }

  /// Hundredths of a contract in quotes, with a sign where it is negative: `"-9.12"`.
  mutating func contracts(_ hundredths: Int64) {
    byte(0x22)
    if hundredths < 0 { byte(0x2D) }
    unsigned(hundredths.magnitude / 100, width: 1)
    byte(0x2E)
    unsigned(hundredths.magnitude % 100, width: 2)
    byte(0x22)
  }

  /// A time in RFC 3339 whose fraction has no zeros at its end, in quotes.
  mutating func kalshiTime(_ time: Timestamp) {
    fineTime(time)
    var end = count - 2
    while bytes[end - 1] == 0x30 { end -= 1 }
    if bytes[end - 1] == 0x2E { end -= 1 }
    truncate(to: end)
    raw("Z\"")
  }

  /// Levels as `[["0.0100","183.00"],…]`, the best last; at most so many of the best.
  mutating func kalshiLevels(_ levels: [(price: Int, size: Int64)], most: Int = 100) {
    byte(0x5B)
    for (place, level) in levels.suffix(most).enumerated() {
      if place > 0 { byte(0x2C) }
      byte(0x5B)
      dollars(level.price)
      byte(0x2C)
      contracts(level.size)
      byte(0x5D)
    }
    byte(0x5D)
  }

  /// A market of `/markets`.
  mutating func kalshiMarket(_ twin: KalshiMarkets.Twin, _ world: World) {
    let market = world.markets[twin.slot]
    let event = world.events[market.event]
    raw("{\"ticker\":")
    plain(twin.ticker)
    raw(",\"event_ticker\":")
    plain(twin.eventTicker)
    raw(",\"market_type\":\"binary\",\"title\":")
    quoted(KalshiNames.title(event, market))
    raw(",\"subtitle\":\"\",\"yes_sub_title\":")
    quoted(KalshiNames.outcome(market))
    raw(",\"no_sub_title\":")
    quoted(KalshiNames.outcome(market))
    for (name, time) in [
      (",\"created_time\":" as StaticString, market.startsAt), (",\"open_time\":", market.startsAt),
      (",\"close_time\":", market.endsAt), (",\"expected_expiration_time\":", market.endsAt.advanced(bySeconds: 300)),
      (",\"expiration_time\":", market.endsAt.advanced(bySeconds: 604_800)),
      (",\"latest_expiration_time\":", market.endsAt.advanced(bySeconds: 604_800)), (",\"updated_time\":", world.now),
    ] {
      raw(name)
      kalshiTime(time)
    }
    raw(",\"settlement_timer_seconds\":60,\"can_close_early\":true,\"exchange_index\":0,\"status\":")
    let (status, result) = KalshiNames.status(twin.state)
    plain(status)
    raw(",\"result\":")
    plain(result)
    kalshiQuotes(twin.ladder)
    raw(",\"last_price_dollars\":")
    dollars(twin.lastPrice)
    raw(",\"previous_price_dollars\":")
    dollars(twin.lastPrice)
    raw(",\"previous_yes_bid_dollars\":\"0.0000\",\"previous_yes_ask_dollars\":\"0.0000\",\"volume_fp\":")
    contracts(twin.volume)
    raw(",\"volume_24h_fp\":")
    contracts(twin.volume / 8)
    raw(",\"open_interest_fp\":")
    contracts(twin.volume / 3)
    raw(",\"liquidity_dollars\":\"0.0000\",\"notional_value_dollars\":\"1.0000\",\"expiration_value\":\"\"")
    raw(",\"price_level_structure\":\"linear_cent\",\"price_ranges\":[{\"start\":\"0.0000\",\"end\":\"1.0000\",")
    raw("\"step\":\"0.0100\"}],\"rules_primary\":")
    let rules = KalshiNames.rules(event, market)
    quoted(rules.primary)
    raw(",\"rules_secondary\":")
    quoted(rules.secondary)
    byte(0x7D)
  }

  /// The best prices, an empty side as 0 or 1 dollar without a size.
  mutating func kalshiQuotes(_ ladder: KalshiLadder) {
    let bid = ladder.best(isYes: true) ?? 0
    let ask = ladder.ask ?? 100
    raw(",\"yes_bid_dollars\":")
    dollars(bid)
    raw(",\"yes_bid_size_fp\":")
    contracts(ladder.size(isYes: true, bid))
    raw(",\"yes_ask_dollars\":")
    dollars(ask)
    raw(",\"yes_ask_size_fp\":")
    contracts(ladder.size(isYes: false, 100 - ask))
    raw(",\"no_bid_dollars\":")
    dollars(100 - ask)
    raw(",\"no_ask_dollars\":")
    dollars(100 - bid)
  }

  /// The members that REST and stream share, without braces.
  mutating func kalshiTrade(_ trade: KalshiTrade, _ seed: Seed) {
    raw("\"trade_id\":\"")
    let bits = seed.bits(.kalshi, trade.number ^ 0x7BAD_0000_0000)
    hexadecimal(bits >> 32, digits: 8)
    raw("-ee49-470d-82d8-")
    hexadecimal(bits, digits: 12)
    raw("\",\"count_fp\":")
    contracts(trade.count)
    raw(",\"yes_price_dollars\":")
    dollars(trade.yesPrice)
    raw(",\"no_price_dollars\":")
    dollars(100 - trade.yesPrice)
    let side: StaticString = trade.isTakerYes ? "yes" : "no"
    raw(",\"taker_side\":\"")
    raw(side)
    raw("\",\"taker_outcome_side\":\"")
    raw(side)
    raw(trade.isTakerYes ? "\",\"taker_book_side\":\"bid\"" : "\",\"taker_book_side\":\"ask\"")
    raw(",\"is_block_trade\":false")
  }
}

/// The words in which Kalshi says what Polymarket says.
enum KalshiNames {
  /// The same question in other words.
  static func title(_ event: SimulatedEvent, _ market: SimulatedMarket) -> String {
    if case .upDown(let coin, _) = market.subject { return "\(coin.symbol) price up in the next 5 minutes?" }
    if event.markets.count > 1 { return "Who will win the \(event.title)?" }
    var text = market.question
    if text.hasPrefix("Will ") {
      text = String(text.dropFirst(5))
      text = text.prefix(1).uppercased() + text.dropFirst()
    }
    var words = text.split(separator: " ")
    if words.count > 2, words[words.count - 3] == "in" { words[words.count - 3] = "during" }
    return words.joined(separator: " ")
  }

  /// The rules in other words.
  static func rules(_ event: SimulatedEvent, _ market: SimulatedMarket) -> (primary: String, secondary: String) {
    if case .upDown(let coin, _) = market.subject {
      return (
        "If the average of the sixty seconds before the close of the \(coin.symbol) index is at least that of the sixty "
          + "seconds before the open, then the market resolves to Yes.",
        "The index is the one that is named in the contract terms."
      )
    }
    let claim = event.markets.count > 1 ? "\(outcome(market)) wins the \(event.title)" : "\(title(event, market))"
    return (
      "If \(claim.last == "?" ? "the answer to \"\(claim)\" is yes" : claim) before the close, then the market resolves "
        + "to Yes.", "Otherwise it resolves to No. Outcomes are verified from several news agencies."
    )
  }

  static func outcome(_ market: SimulatedMarket) -> String {
    market.groupItemTitle.isEmpty ? market.outcomes.first ?? "Yes" : market.groupItemTitle
  }

  /// A market's status, and its result.
  static func status(_ state: MarketState) -> (status: String, result: String) {
    switch state {
    case .open: ("active", "")
    case .ended: ("closed", "")
    case .resolved(let winner): ("finalized", winner == 0 ? "yes" : "no")
    }
  }

  /// Whether a status matches a filter, whose words are others.
  static func matches(_ state: MarketState, filter: String) -> Bool {
    switch (state, filter) {
    case (.open, "open"), (.ended, "closed"), (.resolved, "settled"): true
    default: false
    }
  }
}
