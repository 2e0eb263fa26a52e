internal import Market

/// What looks like a spike and is none.
enum Decoy: Int, CaseIterable, Sendable {
  /// Its trades are long past: a venue tells such ones as recent.
  case oldTrade
  /// Its trades are of fewer shares than count.
  case smallTrade
  /// Its trades are real, and no bid has followed them.
  case bidBehind
}

/// Jumps of the trade price that the asks have not followed.
extension World {
  /// A trade at this price or above may be a spike, in cents.
  static let spikeCents: Int64 = 95
  /// A jump counts within this time, and from this size on.
  static let spikeNanoseconds: Int64 = 10_000_000_000
  static let spikeQuantity = Quantity(units: 50)

  /// Plants something that must not be taken for a spike.
  mutating func beginDecoy() {
    guard let decoy = Decoy(rawValue: random.below(Decoy.allCases.count)) else { return }
    for _ in 0..<200 where !active.isEmpty {
      let slot = active[random.below(active.count)]
      guard isPlantable(.spike, slot), let plant = plantSpike(slot, outcome: random.below(2), decoy: decoy) else {
        continue
      }
      return begin(plant)
    }
  }

  /// A taker buys an outcome up to 95 cents and more; the bids follow, and somebody still sells below.
  ///
  /// The trade is at least twelve cents above the last one; the best bid is eight cents below it, the best ask six: who
  /// buys there earns more than five cents after the fee where the trade price is what the outcome is worth.
  mutating func plantSpike(_ slot: Int, outcome: Int, decoy: Decoy?) -> Plant? {
    let token = slot * 2 + outcome
    let cent = fixedPointScale / 100
    guard let start = engine.ladders[token].bestAsk, let bid = engine.ladders[token].bestBid else { return nil }
    let trigger = Price(raw: (World.spikeCents + Int64(random.below(3))) * cent)
    guard start.raw >= 50 * cent, start.raw <= trigger.raw - 12 * cent, bid.raw >= 5 * cent else { return nil }
    var plant = makePlant(.spike, market: slot, life: options.latencyMilliseconds)
    plant.outcome = outcome
    plant.trigger = trigger
    plant.isDecoy = decoy != nil
    plant.before = [(slot, engine.ladders[slot * 2])]
    let offered = engine.ladders[token].quantity(.ask, at: start)
    reportTrade(slot, outcome: outcome, .buy, start, min(offered, drawQuantity()), at: now)
    if decoy != .bidBehind { raise(slot, outcome, to: trigger) }
    let time = decoy == .oldTrade ? now.advanced(bySeconds: -Int64(random.within(400...5_000_000))) : now
    let tick = markets[slot].tick.raw
    let between = Price(raw: (start.raw + trigger.raw) / 2 / tick * tick)
    for price in [between, trigger] {
      let quantity =
        decoy == .smallTrade ? Quantity(raw: Int64(random.within(500...4500)) * 1_000_000) : drawQuantity()
      reportTrade(slot, outcome: outcome, .buy, price, quantity, at: time)
    }
    plant.profit = decoy == nil ? plantedProfit(plant) : .zero
    return plant
  }

  /// Bids follow up to eight cents below a trade, and the asks below six cents under it are bought.
  private mutating func raise(_ slot: Int, _ outcome: Int, to trigger: Price) {
    let cent = fixedPointScale / 100
    var ladder = engine.ladders[slot * 2 + outcome]
    ladder.improve(.bid, Price(raw: trigger.raw - 8 * cent), World.quantity(&random, depth: 0))
    for depth in 1...3 as ClosedRange<Int64> {
      ladder.improve(.bid, Price(raw: trigger.raw - (8 + depth) * cent), World.quantity(&random, depth: Int(depth)))
    }
    let ask = Price(raw: trigger.raw - 6 * cent)
    for level in ladder.asks where level.price < ask { ladder.set(.ask, level.price, .zero) }
    ladder.improve(.ask, ask, drawQuantity())
    engine.restore(market: slot, to: outcome == 0 ? ladder : MatchingEngine.mirror(ladder), changes: &changes)
    tell(slot)
  }

  /// After a jump somebody sells at the old price, so that the last trade is again one of the book, which stands still
  /// until the jump is forgotten.
  mutating func settleSpike(_ plant: Plant) {
    plants.calm.append((plant.event, now.advanced(byNanoseconds: World.spikeNanoseconds + 1_000_000_000)))
    guard let outcome = plant.outcome, markets[plant.market].isTradable,
      let bid = engine.ladders[plant.market * 2 + outcome].bestBid
    else { return }
    reportTrade(plant.market, outcome: outcome, .sell, bid, Quantity(units: random.within(5...40)), at: now)
  }

  /// Whether an ordinary trade would look like a spike: the world has no spikes but those that it plants.
  func looksLikeSpike(_ slot: Int, outcome: Int, _ price: Price, _ quantity: Quantity) -> Bool {
    let cent = fixedPointScale / 100
    // With some room on every side.
    guard price.raw >= (World.spikeCents - 1) * cent, quantity.raw >= World.spikeQuantity.raw * 9 / 10 else {
      return false
    }
    let from = now.advanced(byNanoseconds: -World.spikeNanoseconds - 2_000_000_000)
    return trades.of(market: slot).contains { trade in
      let before = trade.outcome == outcome ? trade.price : trade.price.complement
      return trade.time >= from && price.raw - before.raw >= 8 * cent
    }
  }
}
