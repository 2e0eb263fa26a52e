internal import Glibc
package import Market

/// Up/down markets: what they are worth by the coin's price, and what they are quoted at.
extension World {
  /// The chance that a coin ends a window no lower than it began it: Φ(ln(S/S₀) / (σ·√τ)) with the price now and at the
  /// opening, the seconds left, and the volatility that the simulated price really has.
  package func fairUp(_ coin: Coin, opensAt: Timestamp, closesAt: Timestamp, at time: Timestamp) -> Double {
    0.5 * erfc(-deviation(coin, opensAt: opensAt, closesAt: closesAt, at: time) / 2.0.squareRoot())
  }

  /// How far the price is from that of the opening, in standard deviations of the way that is left.
  private func deviation(_ coin: Coin, opensAt: Timestamp, closesAt: Timestamp, at time: Timestamp) -> Double {
    guard time > opensAt else { return 0 }
    let start = spot.prices.boundary(coin, minute: opensAt.seconds / 60)
    let current = spot.prices.price(coin, milliseconds: time.milliseconds)
    let seconds = max(0.05, Double(closesAt.nanoseconds(since: time)) / 1e9)
    return log(Double(current) / Double(start)) / (SpotPrices.volatilityPerRootSecond * seconds.squareRoot())
  }

  /// The least and the greatest chance of Up from the trade of the coin before a moment to the one after another.
  private func fairRange(_ slot: Int, from start: Timestamp, to end: Timestamp) -> (low: Double, high: Double)? {
    guard case .upDown(let coin, let opensAt) = markets[slot].subject else { return nil }
    var range = (low: 1.0, high: 0.0)
    for trade in (World.trade(at: start) - 1)...(World.trade(at: end) + 1) {
      let time = Timestamp(nanoseconds: trade * SpotPrices.tradeMilliseconds * 1_000_000)
      let fair = fairUp(coin, opensAt: opensAt, closesAt: markets[slot].endsAt, at: time)
      range = (min(range.low, fair), max(range.high, fair))
    }
    return range
  }

  private static func trade(at time: Timestamp) -> Int64 { time.milliseconds / SpotPrices.tradeMilliseconds }

  /// How far from what an outcome is worth the market maker quotes it, in dollars.
  ///
  /// Four cents, so that who estimates the volatility wrong by a third, which moves the chance by eight cents at most,
  /// finds nothing that pays three cents and the fee; and two standard deviations of what the chance does in one trade's
  /// time, because who watches may know the price of the opening, or of now, no better than that.
  private func halfSpread(_ slot: Int) -> Double {
    guard case .upDown(let coin, let opensAt) = markets[slot].subject else { return 0 }
    let deviation = deviation(coin, opensAt: opensAt, closesAt: markets[slot].endsAt, at: now)
    let density = exp(-deviation * deviation / 2) / (2 * Double.pi).squareRoot()
    let left = max(0.05, Double(markets[slot].endsAt.nanoseconds(since: now)) / 1e9)
    let trade = Double(SpotPrices.tradeMilliseconds) / 1000
    return min(0.3, 0.04 + 2 * density * (trade / left).squareRoot())
  }

  /// Quotes every open window anew, once for each trade of the coins.
  mutating func quoteWindows() {
    let trade = World.trade(at: now)
    guard trade != lastQuotedTrade else { return }
    lastQuotedTrade = trade
    for slot in active {
      guard case .upDown(_, let opensAt) = markets[slot].subject, now >= opensAt else { continue }
      guard !plants.isBusy(event: markets[slot].event) else { continue }
      quoteWindow(slot)
      tell(slot)
    }
  }

  /// Puts both best prices of a window around what it is worth.
  ///
  /// They hold for the coin's trades before and after the present one, too: a subscriber who gets the price a little
  /// before or after the book sees no edge either.
  mutating func quoteWindow(_ slot: Int) {
    guard markets[slot].isTradable, let fair = fairRange(slot, from: now, to: now) else { return }
    let half = halfSpread(slot)
    let tick = Double(markets[slot].tick.raw) / Double(fixedPointScale)
    let bid = min(0.98, max(0.01, ((fair.low - half) / tick).rounded(.down) * tick))
    let ask = max(bid + tick, min(0.99, max(0.02, ((fair.high + half) / tick).rounded(.up) * tick)))
    setBest(slot, bid: onGrid(slot, bid), ask: onGrid(slot, ask))
  }

  private func onGrid(_ slot: Int, _ price: Double) -> Price {
    let tick = markets[slot].tick.raw
    return Price(raw: Int64((price * Double(fixedPointScale) / Double(tick)).rounded()) * tick)
  }

  /// Makes two prices the best ones: what is better goes, then they come.
  private mutating func setBest(_ slot: Int, bid: Price, ask: Price, offered: Quantity? = nil) {
    let token = slot * 2
    for level in engine.ladders[token].asks.reversed() where level.price < ask { remove(slot, .ask, level.price) }
    for level in engine.ladders[token].bids.reversed() where level.price > bid { remove(slot, .bid, level.price) }
    for (side, price) in [(BookSide.bid, bid), (.ask, ask)] {
      if let offered {
        engine.setMaker(token: token, side, price, offered, changes: &changes)
      } else if engine.ladders[token].quantity(side, at: price).raw == 0 {
        engine.setMaker(token: token, side, price, World.quantity(&random, depth: 0), changes: &changes)
      }
      let levels = engine.ladders[token].levels(side)
      for level in levels.prefix(max(0, levels.count - World.levels.upperBound)) {
        engine.setMaker(token: token, side, level.price, .zero, changes: &changes)
      }
    }
  }

  /// Moves the book of a window by something else than its best prices, which only the coin's price moves.
  mutating func stepWindow(_ slot: Int) {
    let ladder = engine.ladders[slot * 2]
    guard !ladder.bids.isEmpty, !ladder.asks.isEmpty else { return }
    switch random.below(20) {
    case 0: tradeAtRandom(slot)
    case 1..<8: addOrDrop(slot)
    default: resize(slot)
    }
  }

  // MARK: Plants

  /// How long after its opening, and before its end, a window holds a plant.
  static let plantAfterOpeningNanoseconds: Int64 = 20_000_000_000
  static let plantBeforeCloseNanoseconds: Int64 = 60_000_000_000

  /// The windows that are open.
  func openWindows() -> [Int] {
    active.filter {
      guard case .upDown(_, let opensAt) = markets[$0].subject else { return false }
      return now >= opensAt
    }
  }

  /// Quotes a window as if the coin's price were another: for all of the plant's life an outcome costs at least ten cents
  /// less than it is worth, after the fee.
  mutating func plantLatency(_ kind: OpportunityKind, _ slot: Int) -> Plant? {
    let plant = makePlant(kind, market: slot, life: options.latencyMilliseconds)
    guard case .upDown(_, let opensAt) = markets[slot].subject,
      now.nanoseconds(since: opensAt) >= World.plantAfterOpeningNanoseconds,
      markets[slot].endsAt.nanoseconds(since: plant.endsAt) >= World.plantBeforeCloseNanoseconds,
      let fair = fairRange(slot, from: now, to: plant.endsAt)
    else { return nil }
    let isUp = kind == .latencyUp
    // Of the outcome that is bought; a fee is 1.75 cents at most.
    let worth = isUp ? fair.low : 1 - fair.high
    let edge = 0.1 + Double(random.below(5)) / 100
    let cost = ((worth - edge - 0.0175) * 100).rounded(.down) / 100
    guard (0.2...0.95).contains(worth), cost >= 0.05 else { return nil }
    let width = 0.04
    let quantity = drawQuantity()
    if isUp {
      setBest(slot, bid: onGrid(slot, max(0.01, cost - width)), ask: onGrid(slot, cost), offered: quantity)
    } else {
      setBest(slot, bid: onGrid(slot, 1 - cost), ask: onGrid(slot, min(0.99, 1 - cost + width)), offered: quantity)
    }
    tell(slot)
    var made = plant
    made.outcome = isUp ? 0 : 1
    made.profit = latencyProfit(kind, market: slot)
    return made
  }

  /// What one share of an outcome is expected to earn at its best ask, after the fee.
  package func latencyProfit(_ kind: OpportunityKind, market slot: Int) -> Money {
    guard case .upDown(let coin, let opensAt) = markets[slot].subject else { return .zero }
    let up = fairUp(coin, opensAt: opensAt, closesAt: markets[slot].endsAt, at: now)
    let worth = kind == .latencyUp ? up : 1 - up
    let ask = engine.ladders[slot * 2 + (kind == .latencyUp ? 0 : 1)].shownAsk
    let fee = World.feePerShare(markets[slot].fees, ask).raw
    return Money(raw: Int64(worth * Double(fixedPointScale)) - ask.raw - fee)
  }
}
