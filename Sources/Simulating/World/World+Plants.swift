package import Market

/// What kind of arbitrage is planted.
package enum PlantKind: Int, CaseIterable, Sendable {
  /// Both asks of a market below 1 together.
  case binaryBuy
  /// Both bids of a market above 1 together.
  case binarySell
  /// The asks of all outcomes of a neg-risk event below 1 together.
  case negRiskBuy
  /// The bids of all outcomes of a neg-risk event above 1 together.
  case negRiskSell

  /// Whether one market is enough for it.
  package var isBinary: Bool { self == .binaryBuy || self == .binarySell }
  /// Whether the taker sells.
  package var isSell: Bool { self == .binarySell || self == .negRiskSell }
  /// The scanner that must find it.
  package var strategy: Strategy { isBinary ? .binary : .negRisk }
}

/// An arbitrage that was put into the books on purpose.
package struct Plant: Hashable, Sendable {
  package var id: UInt64
  package var kind: PlantKind
  /// The event: an index.
  package var event: Int
  /// The market whose books were moved: an index.
  package var market: Int
  /// What one complete set earns after the taker's fees.
  package var profit: Money
  /// When the market maker takes it away.
  package var endsAt: Timestamp
  /// When its last frame was handed to the sockets; nil until the driver says.
  package var startedAt: Timestamp?
  /// The first outcome's book before.
  var before: Ladder

  package static func == (left: Plant, right: Plant) -> Bool { left.id == right.id }
  package func hash(into hasher: inout Hasher) { hasher.combine(id) }
}

/// The planted arbitrages of this moment.
package struct PlantTable: Sendable {
  package internal(set) var active: [Plant] = []
  /// How many there were.
  package internal(set) var count: UInt64 = 0
  var nextAt = Timestamp(nanoseconds: 0)

  /// Whether something is planted in an event.
  @inline(__always)
  package func isBusy(event: Int) -> Bool {
    for plant in active where plant.event == event { return true }
    return false
  }

  /// Keeps the time at which the books of a plant were handed to the sockets.
  package mutating func confirm(id: UInt64, at time: Timestamp) {
    for index in active.indices where active[index].id == id { active[index].startedAt = time }
  }
}

/// The beginning or the end of a planted arbitrage, in the order of the frames.
package struct PlantNotice: Sendable {
  package var plant: Plant
  package var isEnd: Bool
}

extension World {
  mutating func schedulePlant() {
    let rate = options.arbitragesPerSecond.raw
    guard rate > 0 else {
      plants.nextAt = Timestamp(nanoseconds: Int64.max)
      return
    }
    let mean = Int64(Int128(1_000_000_000) * Int128(fixedPointScale) / Int128(rate))
    plants.nextAt = now.advanced(byNanoseconds: mean / 2 + Int64(random.below(Int(max(1, mean)))))
  }

  /// Plants an arbitrage if its time has come and a book is found where it fits.
  mutating func beginPlant() {
    guard now >= plants.nextAt else { return }
    schedulePlant()
    if random.below(3) == 0, beginPlantSoonOver() { return }
    for _ in 0..<40 where !active.isEmpty {
      let kind = PlantKind(rawValue: random.below(PlantKind.allCases.count)) ?? .binaryBuy
      let slot = active[random.below(active.count)]
      if plant(kind, at: slot) { return }
    }
  }

  /// How long before its market's end an arbitrage is planted at the latest.
  static let plantBeforeEndNanoseconds: Int64 = 5_000_000_000

  /// Plants a binary arbitrage in a market that ends within a minute, so that what was traded there is settled soon.
  private mutating func beginPlantSoonOver() -> Bool {
    let soon = active.filter { markets[$0].endsAt.nanoseconds(since: now) < 60_000_000_000 }
    for _ in 0..<10 where !soon.isEmpty {
      let kind: PlantKind = random.below(2) == 0 ? .binaryBuy : .binarySell
      if plant(kind, at: soon[random.below(soon.count)]) { return true }
    }
    return false
  }

  /// Plants an arbitrage of a kind in a market, or in its event.
  /// - Returns: whether it fits there.
  @discardableResult
  package mutating func plant(_ kind: PlantKind, at slot: Int) -> Bool {
    let event = markets[slot].event
    guard isPlantable(kind, slot) else { return false }
    let profit = Money(raw: Int64(random.within(8...30)) * 100_000)
    let quantity = Quantity(raw: Int64(random.within(50...400)) * fixedPointScale)
    let market = kind.isBinary ? slot : favourite(of: event, kind)
    let before = engine.ladders[market * 2]
    let isDone =
      kind.isBinary
      ? plantBinary(kind, market, least: profit, quantity) : plantContest(kind, event, market, least: profit, quantity)
    guard isDone else { return false }
    plants.count += 1
    let life = Int64(random.within(options.plantMilliseconds)) * 1_000_000
    let plant = Plant(
      id: plants.count, kind: kind, event: event, market: market, profit: plantedProfit(kind, market: market),
      endsAt: now.advanced(byNanoseconds: life), startedAt: nil, before: before)
    plants.active.append(plant)
    outbox.plantNotices.append(PlantNotice(plant: plant, isEnd: false))
    return true
  }

  /// Takes away the plants whose time is over, and those that somebody used up.
  mutating func endPlants() {
    guard !plants.active.isEmpty else { return }
    for plant in plants.active where plant.endsAt <= now || plantedProfit(plant.kind, market: plant.market).raw <= 0 {
      plants.active.removeAll { $0.id == plant.id }
      engine.restore(market: plant.market, to: plant.before, changes: &changes)
      tell(plant.market)
      outbox.plantNotices.append(PlantNotice(plant: plant, isEnd: true))
    }
  }

  /// What one complete set earns at the best prices of this moment after the taker's fees; negative where it costs.
  package func plantedProfit(_ kind: PlantKind, market: Int) -> Money {
    let tokens = kind.isBinary ? [market * 2, market * 2 + 1] : namedTokens(of: markets[market].event)
    var sum: Int64 = 0
    for token in tokens {
      let ladder = engine.ladders[token]
      let price = kind.isSell ? ladder.shownBid : ladder.shownAsk
      let fee = World.feePerShare(markets[token / 2].fees, price).raw
      sum += kind.isSell ? price.raw - fee : price.raw + fee
    }
    return Money(raw: kind.isSell ? sum - fixedPointScale : fixedPointScale - sum)
  }

  private func namedTokens(of event: Int) -> [Int] {
    events[event].markets.filter { !markets[$0].isPlaceholder }.map { $0 * 2 }
  }

  private func isPlantable(_ kind: PlantKind, _ slot: Int) -> Bool {
    let event = markets[slot].event
    guard !plants.isBusy(event: event), !events[event].isAugmented else { return false }
    guard kind.isBinary != events[event].isNegRisk else { return false }
    for market in events[event].markets {
      guard markets[market].isTradable else { return false }
      guard markets[market].endsAt.nanoseconds(since: now) > World.plantBeforeEndNanoseconds else { return false }
      guard !engine.hasOrders(market: market) else { return false }
      let ladder = engine.ladders[market * 2]
      guard ladder.bestBid != nil, ladder.bestAsk != nil else { return false }
      guard options.plantsUnwatched || outbox.isWatched(market: market) else { return false }
    }
    return true
  }

  private func favourite(of event: Int, _ kind: PlantKind) -> Int {
    let slots = events[event].markets.filter { !markets[$0].isPlaceholder }
    return slots.max { middle(of: $0) < middle(of: $1) } ?? slots[0]
  }

  /// The first token's price goes no further than its own book allows, so that only the second frame makes the profit.
  private mutating func plantBinary(
    _ kind: PlantKind, _ slot: Int, least: Money, _ quantity: Quantity
  ) -> Bool {
    let tick = markets[slot].tick.raw
    var yes = engine.ladders[slot * 2]
    var no = engine.ladders[slot * 2 + 1]
    guard let bid = yes.bestBid?.raw, let ask = yes.bestAsk?.raw else { return false }
    let side: BookSide = kind.isSell ? .bid : .ask
    let first = Price(raw: kind.isSell ? max(ask - tick, bid) : min(bid + tick, ask))
    let firstFee = World.feePerShare(markets[slot].fees, first).raw
    var second = first.complement
    while true {
      guard second.raw >= tick, second.raw <= fixedPointScale - tick else { return false }
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
    return true
  }

  /// One outcome's price moves until all outcomes together make the profit: one frame.
  private mutating func plantContest(
    _ kind: PlantKind, _ event: Int, _ market: Int, least: Money, _ quantity: Quantity
  ) -> Bool {
    let tick = markets[market].tick.raw
    var ladder = engine.ladders[market * 2]
    let side: BookSide = kind.isSell ? .bid : .ask
    let current = kind.isSell ? ladder.shownBid : ladder.shownAsk
    let others = plantedProfit(kind, market: market).raw + net(kind, market, current)
    var price = current
    while others - net(kind, market, price) < least.raw {
      price = Price(raw: price.raw + (kind.isSell ? tick : -tick))
      guard price.raw >= tick, price.raw <= fixedPointScale - tick else { return false }
    }
    guard price != current else { return false }
    ladder.improve(side, price, quantity)
    engine.restore(market: market, to: ladder, changes: &changes)
    tell(market)
    return true
  }

  /// What a leg takes from the profit.
  private func net(_ kind: PlantKind, _ market: Int, _ price: Price) -> Int64 {
    let fee = World.feePerShare(markets[market].fees, price).raw
    return kind.isSell ? fee - price.raw : price.raw + fee
  }

  /// A taker's fee for one share, rounded up as if 100 were traded.
  static func feePerShare(_ fees: FeeKind, _ price: Price) -> Money {
    Money(raw: fees.schedule.takerFee(price: price, quantity: Quantity(units: 100)).raw / 100 + 1)
  }
}

extension Ladder {
  /// Puts a level before all others of its side and takes away what it crosses on the other.
  fileprivate mutating func improve(_ side: BookSide, _ price: Price, _ quantity: Quantity) {
    for level in levels(side.opposite) where side == .bid ? level.price <= price : level.price >= price {
      set(side.opposite, level.price, .zero)
    }
    set(side, price, max(quantity, self.quantity(side, at: price)))
  }
}
