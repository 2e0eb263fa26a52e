internal import Market

// Markets and events as Gamma writes them: members and their types as in captures of July and August 2026.

extension ByteWriter {
  /// A market, with a short form of its event unless it stands inside of it.
  mutating func gammaMarket(_ world: World, _ slot: Int, withEvent: Bool) {
    let market = world.markets[slot]
    let event = world.events[market.event]
    raw("{\"id\":\"")
    integer(market.id)
    raw("\",\"question\":")
    quoted(market.question)
    raw(",\"conditionId\":")
    plain(market.conditionID)
    raw(",\"slug\":")
    quoted(market.slug)
    raw(",\"resolutionSource\":\"\",\"endDate\":")
    time(market.endsAt)
    raw(",\"startDate\":")
    time(market.startsAt)
    raw(",\"description\":")
    quoted(market.rules)
    raw(",\"outcomes\":")
    quotedList(market.outcomes)
    raw(",\"outcomePrices\":")
    outcomePrices(world, slot)
    raw(",\"volume\":\"")
    tailed(market.volumeTotal, market.key)
    raw("\",\"active\":")
    boolean(market.isActive)
    raw(",\"closed\":")
    boolean(market.isClosed)
    raw(",\"marketMakerAddress\":\"\",\"createdAt\":")
    time(market.startsAt)
    raw(",\"updatedAt\":")
    fineTime(world.now)
    raw(",\"new\":false,\"featured\":false,\"archived\":false,\"restricted\":true")
    if !market.groupItemTitle.isEmpty {
      raw(",\"groupItemTitle\":")
      quoted(market.groupItemTitle)
      raw(",\"groupItemThreshold\":\"")
      integer(event.markets.firstIndex(of: slot) ?? 0)
      byte(0x22)
    }
    raw(",\"questionID\":")
    plain(market.questionID)
    raw(",\"enableOrderBook\":true,\"orderPriceMinTickSize\":")
    decimal(market.tick)
    raw(",\"orderMinSize\":")
    decimal(market.minimumSize)
    gammaState(market)
    raw(",\"volumeNum\":")
    tailed(market.volumeTotal, market.key)
    raw(",\"volume24hr\":")
    tailed(market.volumeDay, market.key)
    raw(",\"endDateIso\":")
    day(market.endsAt)
    raw(",\"startDateIso\":")
    day(market.startsAt)
    raw(",\"hasReviewedDates\":true")
    if !market.tokens.isEmpty {
      raw(",\"clobTokenIds\":")
      quotedList(market.tokens)
    }
    raw(",\"umaBond\":\"500\",\"umaReward\":\"5\",\"makerBaseFee\":1000,\"takerBaseFee\":1000,\"acceptingOrders\":")
    boolean(market.isTradable)
    gammaNegRisk(market, event)
    raw(",\"ready\":false,\"funded\":false,\"cyom\":false,\"approved\":true,\"version\":\"v1\"")
    gammaPrices(world, slot)
    gammaFees(market.fees)
    if case .upDown(_, let opensAt) = market.subject {
      raw(",\"eventStartTime\":")
      time(opensAt)
    }
    if withEvent {
      raw(",\"events\":[")
      gammaEventHead(world, event)
      raw("}]")
    }
    byte(0x7D)
  }

  /// An event with its markets.
  mutating func gammaEvent(_ world: World, _ index: Int) {
    let event = world.events[index]
    gammaEventHead(world, event)
    raw(",\"tags\":[{\"id\":\"")
    integer(event.category.utf8.reduce(0) { $0 + Int($1) })
    raw("\",\"label\":")
    quoted(event.category)
    raw(",\"slug\":")
    quoted(Phrases.slug(event.category))
    raw("}],\"markets\":[")
    for (place, slot) in event.markets.enumerated() {
      if place > 0 { byte(0x2C) }
      gammaMarket(world, slot, withEvent: false)
    }
    raw("]}")
  }

  /// The members of an event, without the brace that ends it.
  private mutating func gammaEventHead(_ world: World, _ event: SimulatedEvent) {
    raw("{\"id\":\"")
    integer(event.id)
    raw("\",\"ticker\":")
    quoted(event.slug)
    raw(",\"slug\":")
    quoted(event.slug)
    raw(",\"title\":")
    quoted(event.title)
    raw(",\"description\":")
    quoted(event.title)
    raw(",\"resolutionSource\":\"\",\"startDate\":")
    time(event.startsAt)
    raw(",\"creationDate\":")
    time(event.startsAt)
    raw(",\"endDate\":")
    time(event.endsAt)
    raw(",\"active\":true,\"closed\":")
    boolean(world.isClosed(event))
    raw(",\"archived\":false,\"new\":false,\"featured\":false,\"restricted\":true,\"liquidity\":")
    decimal(event.markets.reduce(Money.zero) { $0 + world.liquidity(of: $1) })
    raw(",\"volume\":")
    decimal(event.markets.reduce(Money.zero) { $0 + world.markets[$1].volumeTotal })
    raw(",\"volume24hr\":")
    decimal(event.markets.reduce(Money.zero) { $0 + world.markets[$1].volumeDay })
    raw(",\"createdAt\":")
    time(event.startsAt)
    raw(",\"updatedAt\":")
    fineTime(world.now)
    raw(",\"enableOrderBook\":true,\"negRisk\":")
    boolean(event.isNegRisk)
    if event.isNegRisk {
      raw(",\"negRiskMarketID\":")
      plain(event.negRiskMarketID)
      raw(",\"enableNegRisk\":true,\"negRiskAugmented\":")
      boolean(event.isAugmented)
    }
    raw(",\"commentCount\":0,\"cyom\":false,\"showAllOutcomes\":true,\"showMarketImages\":false")
  }

  private mutating func gammaState(_ market: SimulatedMarket) {
    if market.state == .ended { raw(",\"umaResolutionStatus\":\"proposed\"") }
    guard let closedAt = market.closedAt else {
      return raw(",\"umaResolutionStatuses\":\"[]\"")
    }
    raw(",\"umaResolutionStatus\":\"resolved\",\"umaResolutionStatuses\":\"[\\\"proposed\\\"]\",\"closedTime\":")
    spacedTime(closedAt)
    raw(",\"umaEndDate\":")
    time(closedAt)
  }

  private mutating func gammaNegRisk(_ market: SimulatedMarket, _ event: SimulatedEvent) {
    raw(",\"negRisk\":")
    boolean(event.isNegRisk)
    raw(",\"negRiskOther\":")
    boolean(market.isOther)
    guard event.isNegRisk else { return }
    raw(",\"negRiskMarketID\":")
    plain(event.negRiskMarketID)
    raw(",\"negRiskRequestID\":")
    plain(market.questionID)
  }

  /// Closed markets have neither best prices nor liquidity; placeholders show 0 and 1.
  private mutating func gammaPrices(_ world: World, _ slot: Int) {
    let market = world.markets[slot]
    guard market.state == .open else { return }
    let ladder = world.engine.ladders[slot * 2]
    raw(",\"bestBid\":")
    decimal(ladder.shownBid)
    raw(",\"bestAsk\":")
    decimal(ladder.shownAsk)
    raw(",\"spread\":")
    decimal(raw: ladder.shownAsk.raw - ladder.shownBid.raw)
    if let last = market.lastTrade {
      raw(",\"lastTradePrice\":")
      decimal(last)
    }
    raw(",\"liquidity\":\"")
    decimal(world.liquidity(of: slot))
    raw("\",\"liquidityNum\":")
    decimal(world.liquidity(of: slot))
  }

  private mutating func gammaFees(_ fees: FeeKind) {
    guard let name = fees.name else {
      return raw(",\"feesEnabled\":false,\"feeType\":null")
    }
    raw(",\"feesEnabled\":true,\"feeType\":")
    plain(name)
    raw(",\"feeSchedule\":{\"exponent\":1,\"rate\":")
    decimal(fees.rate)
    raw(",\"takerOnly\":true,\"rebateRate\":")
    decimal(fees.rebateRate)
    byte(0x7D)
  }

  private mutating func outcomePrices(_ world: World, _ slot: Int) {
    let market = world.markets[slot]
    if let winner = market.winner { return quotedList(winner == 0 ? ["1", "0"] : ["0", "1"]) }
    let middle = market.isPlaceholder ? Price(raw: fixedPointScale / 2) : world.middle(of: slot)
    quotedList([middle.description, middle.complement.description])
  }

  /// An amount with the tail of a binary float, as the venue writes some of them.
  private mutating func tailed(_ amount: Money, _ key: UInt64) {
    if key % 3 == 0 {
      fixed(raw: amount.raw, decimals: 4)
      raw("99999998")
    } else {
      decimal(amount)
    }
  }
}

extension World {
  /// Whether all markets of an event have results.
  func isClosed(_ event: SimulatedEvent) -> Bool {
    !event.markets.isEmpty && event.markets.allSatisfy { markets[$0].isClosed }
  }

  /// What rests in a market's book, in dollars.
  func liquidity(of slot: Int) -> Money {
    var sum: Int128 = 0
    let ladder = engine.ladders[slot * 2]
    for level in ladder.bids { sum += Int128(level.price.raw) * Int128(level.quantity.raw) }
    for level in ladder.asks { sum += Int128(level.price.complement.raw) * Int128(level.quantity.raw) }
    return Money(raw: Int64(sum / Int128(fixedPointScale) / 10_000 * 10_000))
  }
}
