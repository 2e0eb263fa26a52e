internal import Market

extension World {
  /// How many levels a side has at least and at most, where prices leave room for them.
  static let levels = 5...25

  /// Makes the first books of a market around a price in 10⁻³.
  mutating func openBooks(of slot: Int, middle: Int) {
    let market = markets[slot]
    guard market.isTradable, !market.isPlaceholder else { return }
    var random = SeededRandom(seed.bits(.book, market.key))
    let tick = market.tick.raw
    let spread = Int64(market.spreadTicks)
    let top = fixedPointScale - tick
    var bid = Int64(middle) * 100_000 / tick * tick - spread / 2 * tick
    bid = max(tick, min(bid, top - spread * tick))
    changes.removeAll(keepingCapacity: true)
    lay(slot, .bid, from: bid, random.within(World.levels), &random)
    lay(slot, .ask, from: bid + spread * tick, random.within(World.levels), &random)
    changes.removeAll(keepingCapacity: true)
  }

  private mutating func lay(
    _ slot: Int, _ side: BookSide, from start: Int64, _ count: Int, _ random: inout SeededRandom
  ) {
    let tick = markets[slot].tick.raw
    var price = start
    for place in 0..<count {
      guard price >= tick, price <= fixedPointScale - tick else { return }
      let quantity = World.quantity(&random, depth: place)
      engine.setMaker(token: slot * 2, side, Price(raw: price), quantity, changes: &changes)
      let step = Int64(random.below(4) == 0 ? 2 : 1) * tick
      price += side == .bid ? -step : step
    }
  }

  /// A size of two decimals, from 20 shares to some thousands; larger away from the best price.
  static func quantity(_ random: inout SeededRandom, depth: Int) -> Quantity {
    let bits = random.next()
    let cents: UInt64
    switch bits & 7 {
    case 0...2: cents = 2000 + (bits >> 8) % 48_000
    case 3...4: cents = 10_000 * (1 + (bits >> 8) % 10)
    case 5...6: cents = 5000 + (bits >> 8) % 200_000
    default: cents = 100_000 + (bits >> 8) % 900_000
    }
    return Quantity(raw: Int64(cents * UInt64(4 + min(depth, 12)) / 4) * 1_000_000)
  }

  /// Widens the books of neg-risk events until buying or selling every outcome pays nobody.
  mutating func repairContests() {
    for event in events.indices where events[event].isNegRisk {
      while true {
        let sums = bestSums(of: event)
        if sums.bids >= fixedPointScale, let slot = dearest(in: event) {
          dropBest(slot, .bid)
        } else if !events[event].isAugmented, sums.asks <= fixedPointScale, let slot = dearest(in: event) {
          dropBest(slot, .ask)
        } else {
          break
        }
      }
    }
  }

  private func dearest(in event: Int) -> Int? {
    events[event].markets.filter { markets[$0].isTradable && !markets[$0].isPlaceholder }
      .max { middle(of: $0) < middle(of: $1) }
  }

  private mutating func dropBest(_ slot: Int, _ side: BookSide) {
    guard let best = engine.ladders[slot * 2].levels(side).last else { return }
    engine.setMaker(token: slot * 2, side, best.price, .zero, changes: &changes)
    changes.removeAll(keepingCapacity: true)
  }

  /// The sums of the best prices over the first outcomes of an event's open markets, in units of 10⁻⁸.
  ///
  /// A market without asks counts as 1, one without bids as 0. Placeholders do not count.
  package func bestSums(of event: Int) -> (bids: Int64, asks: Int64) {
    var bids: Int64 = 0
    var asks: Int64 = 0
    for slot in events[event].markets where markets[slot].isTradable && !markets[slot].isPlaceholder {
      bids += engine.ladders[slot * 2].shownBid.raw
      asks += engine.ladders[slot * 2].shownAsk.raw
    }
    return (bids, asks)
  }

  // MARK: One update

  /// Moves one book by one step.
  mutating func update() {
    guard let slot = pick() else { return }
    step(slot)
    tell(slot)
    tickChange(slot)
  }

  private mutating func pick() -> Int? {
    guard !active.isEmpty else { return nil }
    for _ in 0..<4 {
      let isHot = random.next() & 1 == 0 && !hot.isEmpty
      let slot = isHot ? hot[random.below(hot.count)] : active[random.below(active.count)]
      if !plants.isStill(event: markets[slot].event) { return slot }
    }
    return nil
  }

  private mutating func step(_ slot: Int) {
    if case .upDown = markets[slot].subject { return stepWindow(slot) }
    let token = slot * 2
    let tick = markets[slot].tick.raw
    guard let bid = engine.ladders[token].bestBid?.raw, let ask = engine.ladders[token].bestAsk?.raw else {
      return revive(slot)
    }
    if ask - bid > Int64(markets[slot].spreadTicks) * tick, random.below(4) > 0 {
      return narrow(slot, bid: bid, ask: ask)
    }
    switch random.below(100) {
    case 0..<4: tradeAtRandom(slot)
    case 4..<26: shift(slot, up: random.next() & 1 == 0)
    case 26..<40: addOrDrop(slot)
    default: resize(slot)
    }
  }

  /// Gives a level another size.
  mutating func resize(_ slot: Int) {
    let side: BookSide = random.next() & 1 == 0 ? .bid : .ask
    let levels = engine.ladders[slot * 2].levels(side)
    let depth = min(random.below(levels.count), random.below(levels.count))
    let price = levels[levels.count - 1 - depth].price
    let quantity = World.quantity(&random, depth: depth)
    engine.setMaker(token: slot * 2, side, price, quantity, changes: &changes)
  }

  /// Adds a level behind the best one, or takes one away.
  mutating func addOrDrop(_ slot: Int) {
    let side: BookSide = random.next() & 1 == 0 ? .bid : .ask
    let levels = engine.ladders[slot * 2].levels(side)
    let tick = markets[slot].tick.raw
    if levels.count > World.levels.lowerBound, random.next() & 1 == 0 || levels.count >= World.levels.upperBound {
      let place = random.below(levels.count - 1)
      return engine.setMaker(token: slot * 2, side, levels[place].price, .zero, changes: &changes)
    }
    let depth = 1 + random.below(levels.count + 2)
    let best = levels[levels.count - 1].price.raw
    let price = side == .bid ? best - Int64(depth) * tick : best + Int64(depth) * tick
    guard price >= tick, price <= fixedPointScale - tick else { return }
    let quantity = World.quantity(&random, depth: depth)
    engine.setMaker(token: slot * 2, side, Price(raw: price), quantity, changes: &changes)
  }

  /// Moves both best prices by one tick, unless that would leave money on the table.
  private mutating func shift(_ slot: Int, up: Bool) {
    let token = slot * 2
    let tick = markets[slot].tick.raw
    guard let bid = engine.ladders[token].bestBid?.raw, let ask = engine.ladders[token].bestAsk?.raw else { return }
    let from: BookSide = up ? .ask : .bid
    let to = from.opposite
    let best = up ? ask : bid
    let next = up ? bid + tick : ask - tick
    let beyond = up ? ask + tick : bid - tick
    guard beyond >= tick, beyond <= fixedPointScale - tick else { return }
    guard keepsBalance(slot, up ? .bid : .ask, from: up ? bid : ask, to: next) else { return }
    remove(slot, from, Price(raw: best))
    guard (engine.ladders[token].bestAsk?.raw ?? fixedPointScale) > next || !up,
      (engine.ladders[token].bestBid?.raw ?? 0) < next || up
    else { return }
    if engine.ladders[token].quantity(from, at: Price(raw: beyond)).raw == 0 {
      let quantity = World.quantity(&random, depth: 0)
      engine.setMaker(token: token, from, Price(raw: beyond), quantity, changes: &changes)
    }
    let quantity = World.quantity(&random, depth: 0)
    engine.setMaker(token: token, to, Price(raw: next), quantity, changes: &changes)
    let levels = engine.ladders[token].levels(to)
    if levels.count > World.levels.upperBound {
      engine.setMaker(token: token, to, levels[0].price, .zero, changes: &changes)
    }
  }

  /// Takes a best level away; orders of clients there are filled by the market maker.
  mutating func remove(_ slot: Int, _ side: BookSide, _ price: Price) {
    if engine.hasOrders(market: slot) {
      let quantity = engine.ladders[slot * 2].quantity(side, at: price)
      trade(slot, outcome: 0, side == .bid ? .sell : .buy, quantity, limit: price)
    } else {
      engine.setMaker(token: slot * 2, side, price, .zero, changes: &changes)
    }
  }

  /// Whether the best price of a side may become another without an arbitrage over the event's outcomes.
  private func keepsBalance(_ slot: Int, _ side: BookSide, from: Int64, to: Int64) -> Bool {
    let event = markets[slot].event
    guard events[event].isNegRisk else { return true }
    let sums = bestSums(of: event)
    if side == .bid { return to <= from || sums.bids + to - from < fixedPointScale }
    return events[event].isAugmented || to >= from || sums.asks + to - from > fixedPointScale
  }

  /// Brings the best prices closer together after they were taken.
  private mutating func narrow(_ slot: Int, bid: Int64, ask: Int64) {
    let tick = markets[slot].tick.raw
    let side: BookSide = random.next() & 1 == 0 ? .bid : .ask
    let price = side == .bid ? bid + tick : ask - tick
    guard price > bid, price < ask, keepsBalance(slot, side, from: side == .bid ? bid : ask, to: price) else { return }
    let quantity = World.quantity(&random, depth: 0)
    engine.setMaker(token: slot * 2, side, Price(raw: price), quantity, changes: &changes)
  }

  /// Puts a level on a side that has none left.
  private mutating func revive(_ slot: Int) {
    let tick = markets[slot].tick.raw
    let ladder = engine.ladders[slot * 2]
    let spread = Int64(markets[slot].spreadTicks) * tick
    let quantity = World.quantity(&random, depth: 0)
    if ladder.bids.isEmpty {
      let price = (ladder.bestAsk?.raw ?? middle(of: slot).raw / tick * tick) - spread
      guard price >= tick, keepsBalance(slot, .bid, from: 0, to: price) else { return }
      engine.setMaker(token: slot * 2, .bid, Price(raw: price), quantity, changes: &changes)
    } else {
      let price = (ladder.bestBid?.raw ?? 0) + spread
      guard price <= fixedPointScale - tick, keepsBalance(slot, .ask, from: fixedPointScale, to: price) else { return }
      engine.setMaker(token: slot * 2, .ask, Price(raw: price), quantity, changes: &changes)
    }
  }

  /// Narrows the grid of a market whose price has come near 0 or 1, as the venue does.
  private mutating func tickChange(_ slot: Int) {
    guard markets[slot].tick == WorldBuilder.coarseTick else { return }
    let ladder = engine.ladders[slot * 2]
    guard ladder.shownBid.raw > 96_000_000 || ladder.shownAsk.raw < 4_000_000, !ladder.bids.isEmpty,
      !ladder.asks.isEmpty
    else { return }
    markets[slot].tick = WorldBuilder.fineTick
    markets[slot].spreadTicks = max(4, markets[slot].spreadTicks)
    outbox.tickSizeChange(
      markets[slot], slot: slot, from: WorldBuilder.coarseTick, to: WorldBuilder.fineTick, at: now)
    for outcome in 0...1 { tellBook(slot, outcome) }
  }

  /// Sends a whole book to those who watch it.
  mutating func tellBook(_ slot: Int, _ outcome: Int, at time: Timestamp? = nil) {
    outbox.book(
      markets[slot], slot: slot, outcome: outcome, engine.ladders[slot * 2 + outcome],
      negRisk: events[markets[slot].event].isNegRisk, at: time ?? now)
  }
}
