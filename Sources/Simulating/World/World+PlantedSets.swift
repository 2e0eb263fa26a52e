package import Market

/// Arbitrages of complete sets: of one market, and of all outcomes of an event.
extension World {
  /// What a planted set earns at least, for each of it.
  mutating func drawProfit() -> Money { Money(raw: Int64(random.within(8...30)) * 100_000) }

  /// How much is offered of what is planted.
  mutating func drawQuantity() -> Quantity { Quantity(raw: Int64(random.within(50...400)) * fixedPointScale) }

  /// What one complete set earns at the best prices of this moment after the taker's fees; negative where it costs.
  package func plantedProfit(_ kind: OpportunityKind, market: Int) -> Money {
    guard kind != .negRiskConvert else { return conversionProfit(event: markets[market].event) }
    let tokens =
      kind.strategy == .binary ? [market * 2, market * 2 + 1] : named(in: markets[market].event).map { $0 * 2 }
    var sum: Int64 = 0
    for token in tokens {
      let ladder = engine.ladders[token]
      let price = kind.isSell ? ladder.shownBid : ladder.shownAsk
      let fee = World.feePerShare(markets[token / 2].fees, price).raw
      sum += kind.isSell ? price.raw - fee : price.raw + fee
    }
    return Money(raw: kind.isSell ? sum - fixedPointScale : fixedPointScale - sum)
  }

  /// What NO of every outcome earns that is worth buying: k of them pay k − 1 for certain.
  private func conversionProfit(event: Int) -> Money {
    let sum = named(in: event).reduce(0 as Int64) { $0 + max(0, saleByNo($1, engine.ladders[$1 * 2 + 1].shownAsk)) }
    return Money(raw: sum - fixedPointScale)
  }

  /// What buying NO at a price is worth as a sale of YES.
  private func saleByNo(_ market: Int, _ price: Price) -> Int64 {
    fixedPointScale - price.raw - World.feePerShare(markets[market].fees, price).raw
  }

  private func named(in event: Int) -> [Int] { events[event].markets.filter { !markets[$0].isPlaceholder } }

  /// The first token's price goes no further than its own book allows, so that only the second frame makes the profit.
  mutating func plantBinary(_ kind: OpportunityKind, _ slot: Int) -> Plant? {
    let least = drawProfit()
    let quantity = drawQuantity()
    let tick = markets[slot].tick.raw
    let before = engine.ladders[slot * 2]
    var yes = before
    var no = engine.ladders[slot * 2 + 1]
    guard let bid = yes.bestBid?.raw, let ask = yes.bestAsk?.raw else { return nil }
    let side: BookSide = kind.isSell ? .bid : .ask
    let first = Price(raw: kind.isSell ? max(ask - tick, bid) : min(bid + tick, ask))
    let firstFee = World.feePerShare(markets[slot].fees, first).raw
    var second = first.complement
    while true {
      guard second.raw >= tick, second.raw <= fixedPointScale - tick else { return nil }
      let fees = firstFee + World.feePerShare(markets[slot].fees, second).raw
      let sum = first.raw + second.raw
      let profit = kind.isSell ? sum - fixedPointScale - fees : fixedPointScale - sum - fees
      if profit >= least.raw { break }
      second = Price(raw: second.raw + (kind.isSell ? tick : -tick))
    }
    yes.improve(side, first, quantity)
    no.improve(side, second, quantity)
    engine.breakMirror(token: slot * 2, to: yes, changes: &changes)
    tell(slot)
    engine.breakMirror(token: slot * 2 + 1, to: no, changes: &changes)
    tell(slot)
    return setPlant(kind, market: slot, before: [(slot, before)])
  }

  /// One outcome's price moves until all outcomes together make the profit: one frame.
  mutating func plantContest(_ kind: OpportunityKind, _ event: Int) -> Plant? {
    let least = drawProfit()
    let quantity = drawQuantity()
    let slots = named(in: event)
    guard let market = slots.max(by: { middle(of: $0) < middle(of: $1) }) else { return nil }
    let tick = markets[market].tick.raw
    let before = engine.ladders[market * 2]
    var ladder = before
    let side: BookSide = kind.isSell ? .bid : .ask
    let current = kind.isSell ? ladder.shownBid : ladder.shownAsk
    let others = plantedProfit(kind, market: market).raw + net(kind, market, current)
    var price = current
    while others - net(kind, market, price) < least.raw {
      price = Price(raw: price.raw + (kind.isSell ? tick : -tick))
      guard price.raw >= tick, price.raw <= fixedPointScale - tick else { return nil }
    }
    guard price != current else { return nil }
    ladder.improve(side, price, quantity)
    engine.restore(market: market, to: ladder, changes: &changes)
    tell(market)
    return setPlant(kind, market: market, before: [(market, before)])
  }

  /// What a leg takes from the profit.
  private func net(_ kind: OpportunityKind, _ market: Int, _ price: Price) -> Int64 {
    let fee = World.feePerShare(markets[market].fees, price).raw
    return kind.isSell ? fee - price.raw : price.raw + fee
  }

  /// NO of some outcomes becomes cheaper, in their own books alone: one frame for each.
  ///
  /// The books of YES stay, so that nothing but NO shows the profit; and no NO becomes so cheap that it would be a binary
  /// arbitrage together with its YES.
  mutating func plantConversion(_ event: Int) -> Plant? {
    let least = drawProfit().raw
    let quantity = drawQuantity()
    let slots = named(in: event)
    guard (2...World.conversionOutcomesMax).contains(slots.count) else { return nil }
    var profit = conversionProfit(event: event).raw
    var offers: [(slot: Int, price: Price, gain: Int64)] = []
    for slot in slots {
      let current = engine.ladders[slot * 2 + 1].shownAsk
      let price = cheapestNo(slot)
      let gain = max(0, saleByNo(slot, price)) - max(0, saleByNo(slot, current))
      if price < current, gain > 0 { offers.append((slot, price, gain)) }
    }
    offers.sort { ($0.gain, $0.slot) > ($1.gain, $1.slot) }
    var before: [(market: Int, ladder: Ladder)] = []
    var chosen: [(slot: Int, price: Price, gain: Int64)] = []
    for offer in offers where profit < least {
      chosen.append(offer)
      profit += offer.gain
    }
    guard profit >= least else { return nil }
    for offer in chosen {
      before.append((offer.slot, engine.ladders[offer.slot * 2]))
      var ladder = engine.ladders[offer.slot * 2 + 1]
      ladder.improve(.ask, offer.price, quantity)
      engine.breakMirror(token: offer.slot * 2 + 1, to: ladder, changes: &changes)
      tell(offer.slot)
    }
    return setPlant(.negRiskConvert, market: chosen[0].slot, before: before)
  }

  /// An event with more outcomes would be many frames.
  private static let conversionOutcomesMax = 12

  /// The lowest price of NO at which YES and NO together still cost more than they pay, fees included, by a tenth of a
  /// cent.
  private func cheapestNo(_ slot: Int) -> Price {
    let tick = markets[slot].tick.raw
    let yes = engine.ladders[slot * 2].shownAsk
    let yesCost = yes.raw + World.feePerShare(markets[slot].fees, yes).raw
    var price = engine.ladders[slot * 2 + 1].shownAsk
    while price.raw > tick {
      let next = Price(raw: price.raw - tick)
      let cost = yesCost + next.raw + World.feePerShare(markets[slot].fees, next).raw
      guard cost >= fixedPointScale + fixedPointScale / 1000 else { break }
      price = next
    }
    return price
  }

  private mutating func setPlant(
    _ kind: OpportunityKind, market: Int, before: [(market: Int, ladder: Ladder)]
  ) -> Plant {
    var plant = makePlant(kind, market: market, life: options.plantMilliseconds)
    plant.profit = plantedProfit(kind, market: market)
    plant.before = before
    return plant
  }
}
