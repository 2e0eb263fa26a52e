package import Market

/// An arbitrage that was put into the books on purpose, or what must not be taken for one.
package struct Plant: Hashable, Sendable {
  package var id: UInt64
  package var kind: OpportunityKind
  /// The event: an index.
  package var event: Int
  /// The market that it is in, or whose books were moved first: an index.
  package var market: Int
  /// What is to be bought, where it is one outcome: its index.
  package var outcome: Int?
  /// The other market of a pair: Kalshi's ticker.
  package var ticker: String?
  /// Whether it only looks like one.
  package var isDecoy = false
  /// What one complete set, or one share, earns after the taker's fees, or is expected to.
  package var profit = Money.zero
  /// The price of the trade that a spike is.
  package var trigger: Price?
  /// When the market maker takes it away.
  package var endsAt: Timestamp
  /// When its last frame was handed to the sockets; nil until the driver says.
  package var startedAt: Timestamp?
  /// The first outcomes' books before, of the markets that were moved.
  var before: [(market: Int, ladder: Ladder)] = []

  init(id: UInt64, kind: OpportunityKind, event: Int, market: Int, endsAt: Timestamp) {
    self.id = id
    self.kind = kind
    self.event = event
    self.market = market
    self.endsAt = endsAt
  }

  package static func == (left: Plant, right: Plant) -> Bool { left.id == right.id }
  package func hash(into hasher: inout Hasher) { hasher.combine(id) }
}

/// The planted arbitrages of this moment.
package struct PlantTable: Sendable {
  package internal(set) var active: [Plant] = []
  /// How many there were.
  package internal(set) var count: UInt64 = 0
  /// A pair of markets that Kalshi's side of the world shall plant something in, which alone knows both books.
  var wanted: OpportunityKind?
  /// Events in which nothing happens until a moment: a jump is remembered, and a book that drifts toward its price would
  /// look as if it had followed.
  var calm: [(event: Int, until: Timestamp)] = []
  var nextAt = Timestamp(nanoseconds: 0)
  var nextDecoyAt = Timestamp(nanoseconds: 0)

  /// Whether something is planted in an event.
  @inline(__always)
  package func isBusy(event: Int) -> Bool {
    for plant in active where plant.event == event { return true }
    return false
  }

  /// Whether the books of an event stand still: something is planted there, or was a jump just now.
  func isStill(event: Int) -> Bool { isBusy(event: event) || calm.contains { $0.event == event } }

  /// Whether something is planted between the venues in an event.
  func hasPair(event: Int) -> Bool {
    active.contains { $0.event == event && $0.kind.strategy == .crossPlatform }
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
    plants.nextAt = next(options.arbitragesPerSecond)
  }

  mutating func scheduleDecoy() {
    plants.nextDecoyAt = next(options.decoysPerSecond)
  }

  /// When something that happens at a rate happens next: half to one and a half of the mean time from now.
  private mutating func next(_ perSecond: Price) -> Timestamp {
    guard perSecond.raw > 0 else { return Timestamp(nanoseconds: Int64.max) }
    let mean = Int64(Int128(1_000_000_000) * Int128(fixedPointScale) / Int128(perSecond.raw))
    return now.advanced(byNanoseconds: mean / 2 + Int64(random.below(Int(max(1, mean)))))
  }

  /// Plants an arbitrage if its time has come and a book is found where it fits.
  mutating func beginPlant() {
    if now >= plants.nextDecoyAt {
      scheduleDecoy()
      beginDecoy()
    }
    guard now >= plants.nextAt else { return }
    schedulePlant()
    guard !options.plantKinds.isEmpty else { return }
    if random.below(3) == 0, beginPlantSoonOver() { return }
    let kind = options.plantKinds[random.below(options.plantKinds.count)]
    if kind.strategy == .crossPlatform {
      plants.wanted = kind
    } else {
      plantSomewhere(kind)
    }
  }

  /// Plants an arbitrage of a kind wherever it fits, or one of another kind where it fits nowhere.
  mutating func plantSomewhere(_ first: OpportunityKind? = nil) {
    let kinds = options.plantKinds.filter { $0.strategy != .crossPlatform }
    guard !active.isEmpty, !kinds.isEmpty else { return }
    var kind = first ?? kinds[random.below(kinds.count)]
    for _ in 0..<8 {
      let slots = kind.strategy == .latency ? openWindows() : active
      for _ in 0..<40 where !slots.isEmpty {
        if plant(kind, at: slots[random.below(slots.count)]) { return }
      }
      kind = kinds[random.below(kinds.count)]
    }
  }

  /// How long before its market's end an arbitrage is planted at the latest.
  static let plantBeforeEndNanoseconds: Int64 = 5_000_000_000

  /// Plants a binary arbitrage in a market that ends within a minute, so that what was traded there is settled soon.
  private mutating func beginPlantSoonOver() -> Bool {
    let kinds = options.plantKinds.filter { $0.strategy == .binary }
    guard !kinds.isEmpty else { return false }
    let soon = active.filter { markets[$0].endsAt.nanoseconds(since: now) < 60_000_000_000 }
    for _ in 0..<10 where !soon.isEmpty {
      if plant(kinds[random.below(kinds.count)], at: soon[random.below(soon.count)]) { return true }
    }
    return false
  }

  /// Plants an arbitrage of a kind in a market, or in its event; not between venues.
  /// - Returns: whether it fits there.
  @discardableResult
  package mutating func plant(_ kind: OpportunityKind, at slot: Int) -> Bool {
    guard isPlantable(kind, slot) else { return false }
    let planted =
      switch kind {
      case .binaryBuy, .binarySell: plantBinary(kind, slot)
      case .negRiskBuyYes, .negRiskSellYes: plantContest(kind, markets[slot].event)
      case .negRiskConvert: plantConversion(markets[slot].event)
      case .latencyUp, .latencyDown: plantLatency(kind, slot)
      case .spike: plantSpike(slot, outcome: random.below(2), decoy: nil)
      case .crossFirst, .crossSecond: nil as Plant?
      }
    guard let planted else { return false }
    begin(planted)
    return true
  }

  /// A plant with the next number, not yet begun.
  mutating func makePlant(_ kind: OpportunityKind, market: Int, life milliseconds: ClosedRange<Int>) -> Plant {
    plants.count += 1
    let life = Int64(random.within(milliseconds)) * 1_000_000
    return Plant(
      id: plants.count, kind: kind, event: markets[market].event, market: market,
      endsAt: now.advanced(byNanoseconds: life))
  }

  /// Notes that the books of a plant are as they shall be.
  mutating func begin(_ plant: Plant) {
    plants.active.append(plant)
    outbox.plantNotices.append(PlantNotice(plant: plant, isEnd: false))
  }

  /// Notes that the books of a plant are as they were.
  mutating func finish(_ plant: Plant) {
    plants.active.removeAll { $0.id == plant.id }
    outbox.plantNotices.append(PlantNotice(plant: plant, isEnd: true))
  }

  /// Takes away the plants whose time is over, and those that somebody used up; not those between venues.
  mutating func endPlants() {
    if !plants.calm.isEmpty { plants.calm.removeAll { $0.until <= now } }
    guard !plants.active.isEmpty else { return }
    for plant in plants.active where plant.kind.strategy != .crossPlatform {
      guard plant.endsAt <= now || plantedProfit(plant).raw <= 0 else { continue }
      takeBack(plant)
      finish(plant)
    }
  }

  /// Brings the books of a plant back to where they were.
  mutating func takeBack(_ plant: Plant) {
    for (market, ladder) in plant.before where markets[market].isTradable {
      engine.restore(market: market, to: ladder, changes: &changes)
      tell(market)
    }
    if plant.kind == .spike { settleSpike(plant) }
    // The coin's price has not waited.
    if case .upDown(_, let opensAt) = markets[plant.market].subject, now >= opensAt {
      quoteWindow(plant.market)
      tell(plant.market)
    }
  }

  /// What one complete set, or one share, of a plant earns at this moment; not of those between venues.
  package func plantedProfit(_ plant: Plant) -> Money {
    // Nobody can use up what is none.
    if plant.isDecoy { return Money(raw: 1) }
    switch plant.kind {
    case .latencyUp, .latencyDown: return latencyProfit(plant.kind, market: plant.market)
    case .spike:
      guard let trigger = plant.trigger, let outcome = plant.outcome else { return .zero }
      let ask = engine.ladders[plant.market * 2 + outcome].shownAsk
      return Money(raw: trigger.raw - ask.raw - World.feePerShare(markets[plant.market].fees, ask).raw)
    default: return plantedProfit(plant.kind, market: plant.market)
    }
  }

  /// Whether an arbitrage of a kind may be planted in a market: nothing else is there, and somebody would see it.
  func isPlantable(_ kind: OpportunityKind, _ slot: Int) -> Bool {
    let event = events[markets[slot].event]
    guard !plants.isStill(event: markets[slot].event), !markets[slot].isPlaceholder else { return false }
    let others: [Int]
    switch kind.strategy {
    case .binary:
      guard !event.isNegRisk else { return false }
      others = [slot]
    case .negRisk:
      guard event.isNegRisk, !event.isAugmented else { return false }
      others = event.markets
    case .latency:
      guard case .upDown = markets[slot].subject else { return false }
      others = [slot]
    case .spike:
      guard !event.isNegRisk, markets[slot].subject == .ordinary, !isOnKalshi(event, markets[slot]) else {
        return false
      }
      others = [slot]
    case .crossPlatform:
      guard markets[slot].subject == .ordinary, isOnKalshi(event, markets[slot]) else { return false }
      others = [slot]
    }
    for market in others where !isReady(market) { return false }
    return true
  }

  /// Whether a market's books are whole, watched, and nobody's orders rest there.
  private func isReady(_ market: Int) -> Bool {
    guard markets[market].isTradable, !engine.hasOrders(market: market) else { return false }
    guard markets[market].endsAt.nanoseconds(since: now) > World.plantBeforeEndNanoseconds else { return false }
    let ladder = engine.ladders[market * 2]
    guard ladder.bestBid != nil, ladder.bestAsk != nil else { return false }
    return options.plantsUnwatched || outbox.isWatched(market: market)
  }

  /// A taker's fee for one share, rounded up as if 100 were traded.
  package static func feePerShare(_ fees: FeeKind, _ price: Price) -> Money {
    Money(raw: fees.schedule.takerFee(price: price, quantity: Quantity(units: 100)).raw / 100 + 1)
  }
}

extension Ladder {
  /// Puts a level before all others of its side and takes away what it crosses on the other.
  mutating func improve(_ side: BookSide, _ price: Price, _ quantity: Quantity) {
    for level in levels(side.opposite) where side == .bid ? level.price <= price : level.price >= price {
      set(side.opposite, level.price, .zero)
    }
    set(side, price, max(quantity, self.quantity(side, at: price)))
  }
}
