internal import Market

// Markets as the CLOB writes them.

extension ByteWriter {
  /// A market of `/markets` and `/sampling-markets`.
  mutating func clobMarket(_ world: World, _ slot: Int) {
    let market = world.markets[slot]
    let event = world.events[market.event]
    raw("{\"enable_order_book\":true,\"active\":true,\"closed\":")
    boolean(market.isClosed)
    raw(",\"archived\":false,\"accepting_orders\":")
    boolean(market.isTradable)
    raw(",\"accepting_order_timestamp\":")
    time(market.startsAt)
    raw(",\"minimum_order_size\":")
    decimal(market.minimumSize)
    raw(",\"minimum_tick_size\":")
    decimal(market.tick)
    raw(",\"condition_id\":")
    plain(market.conditionID)
    raw(",\"question_id\":")
    plain(market.questionID)
    raw(",\"question\":")
    quoted(market.question)
    raw(",\"description\":")
    quoted(market.rules)
    raw(",\"market_slug\":")
    quoted(market.slug)
    raw(",\"end_date_iso\":")
    time(market.endsAt)
    raw(",\"game_start_time\":null,\"seconds_delay\":0,\"fpmm\":\"\",\"maker_base_fee\":0,\"taker_base_fee\":0")
    raw(",\"notifications_enabled\":true,\"neg_risk\":")
    boolean(event.isNegRisk)
    raw(",\"neg_risk_market_id\":")
    plain(event.negRiskMarketID)
    raw(",\"neg_risk_request_id\":")
    plain(event.isNegRisk ? market.questionID : "")
    raw(",\"icon\":\"\",\"image\":\"\",")
    clobRewards()
    raw(",\"is_50_50_outcome\":false,\"tokens\":")
    clobTokens(world, slot)
    raw(",\"tags\":[")
    quoted(event.category)
    raw("]}")
  }

  /// A market of `/simplified-markets`.
  mutating func clobSimplified(_ world: World, _ slot: Int) {
    let market = world.markets[slot]
    raw("{\"condition_id\":")
    plain(market.conditionID)
    byte(0x2C)
    clobRewards()
    raw(",\"tokens\":")
    clobTokens(world, slot)
    raw(",\"active\":true,\"closed\":")
    boolean(market.isClosed)
    raw(",\"archived\":false,\"accepting_orders\":")
    boolean(market.isTradable)
    byte(0x7D)
  }

  /// A market of `/clob-markets`, with its short keys.
  mutating func clobShort(_ world: World, _ slot: Int) {
    let market = world.markets[slot]
    let event = world.events[market.event]
    raw("{\"c\":")
    plain(market.conditionID)
    raw(",\"t\":[")
    for (outcome, token) in market.tokens.enumerated() {
      if outcome > 0 { byte(0x2C) }
      raw("{\"t\":")
      plain(token)
      raw(",\"o\":")
      quoted(market.outcomes[outcome])
      byte(0x7D)
    }
    raw("],\"mts\":")
    decimal(market.tick)
    raw(",\"mos\":")
    decimal(market.minimumSize)
    raw(",\"nr\":")
    boolean(event.isNegRisk)
    raw(",\"mbf\":0,\"tbf\":0")
    if market.fees.name != nil {
      raw(",\"fd\":{\"r\":")
      decimal(market.fees.rate)
      raw(",\"e\":1,\"to\":true}")
    }
    raw(",\"ao\":")
    boolean(market.isTradable)
    raw(",\"cbos\":false,\"itode\":false,\"aot\":")
    time(market.startsAt)
    raw(",\"gst\":null,\"sd\":0,\"r\":null}")
  }

  private mutating func clobRewards() {
    raw("\"rewards\":{\"rates\":[{\"asset_address\":\"0x2791Bca1f2de4661ED88A30C99A7a9449Aa84174\",")
    raw("\"rewards_daily_rate\":5}],\"min_size\":50,\"max_spread\":4.5}")
  }

  private mutating func clobTokens(_ world: World, _ slot: Int) {
    let market = world.markets[slot]
    byte(0x5B)
    let middle = market.isPlaceholder ? Price(raw: fixedPointScale / 2) : world.middle(of: slot)
    for outcome in 0...1 {
      if outcome > 0 { byte(0x2C) }
      raw("{\"token_id\":")
      plain(market.tokens.isEmpty ? "" : market.tokens[outcome])
      raw(",\"outcome\":")
      quoted(market.outcomes[outcome])
      raw(",\"price\":")
      if let winner = market.winner {
        integer(winner == outcome ? 1 : 0)
      } else {
        decimal(outcome == 0 ? middle : middle.complement)
      }
      raw(",\"winner\":")
      boolean(market.winner == outcome)
      byte(0x7D)
    }
    byte(0x5D)
  }
}
