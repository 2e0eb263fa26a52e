internal import Market

/// Arbitrages between Polymarket and Kalshi: in the book of either.
extension KalshiExchange {
  /// Whether something is planted between the venues in a market's event.
  func isPlanted(_ slot: Int, _ world: World) -> Bool { world.plants.hasPair(event: world.markets[slot].event) }

  /// Plants what the world wants between the venues, or lets it plant something else where that fits nowhere.
  mutating func beginPlant(_ world: inout World) {
    guard let kind = world.plants.wanted else { return }
    world.plants.wanted = nil
    let slots = world.options.plantsUnwatched ? markets.twins.keys.sorted() : channels.watched.keys.sorted()
    for _ in 0..<60 where !slots.isEmpty {
      if plant(kind, at: slots[markets.below(slots.count)], &world) { return }
    }
    world.plantSomewhere()
  }

  /// Takes away the plants between the venues whose time is over, and those that somebody used up.
  mutating func endPlants(_ world: inout World) {
    for plant in world.plants.active where plant.kind.strategy == .crossPlatform {
      guard plant.endsAt <= world.now || profit(plant, world).raw <= 0 else { continue }
      if let ladder = before.removeValue(forKey: plant.id) {
        change(plant.market, world) { markets, tell in
          markets.transform(plant.market, to: ladder, tell)
          return nil
        }
      }
      world.takeBack(plant)
      world.finish(plant)
      // An order may have moved Polymarket's price meanwhile.
      change(plant.market, world) { markets, tell in
        markets.follow(plant.market, world, tell)
        return nil
      }
    }
  }

  /// Plants an arbitrage between a market and its twin, in the book of either.
  /// - Returns: whether it fits there.
  private mutating func plant(_ kind: OpportunityKind, at slot: Int, _ world: inout World) -> Bool {
    guard let twin = markets.twins[slot], twin.state == .open, world.isPlantable(kind, slot) else { return false }
    let least = world.drawProfit().raw
    var plant = world.makePlant(kind, market: slot, life: world.options.plantMilliseconds)
    plant.outcome = kind == .crossFirst ? 0 : 1
    plant.ticker = twin.ticker
    // One outcome of an event that becomes cheap at Polymarket would be an arbitrage of the event.
    let isHere = world.events[world.markets[slot].event].isNegRisk || markets.below(2) == 0
    let isDone = isHere ? raiseBid(plant, least, world) : lowerAsk(&plant, least, &world)
    guard isDone else { return false }
    plant.profit = profit(plant, world)
    world.begin(plant)
    return true
  }

  /// Somebody at Kalshi bids so much for the outcome that is bought at Polymarket that its opposite is cheap.
  private mutating func raiseBid(_ plant: Plant, _ least: Int64, _ world: World) -> Bool {
    guard let twin = markets.twins[plant.market] else { return false }
    let isYes = plant.kind == .crossFirst
    guard var price = twin.ladder.best(isYes: isYes), twin.ladder.best(isYes: !isYes) != nil else { return false }
    var ladder = twin.ladder
    let size = Int64(5000 + markets.below(35_000))
    repeat {
      price += 1
      guard price <= 98 else { return false }
      for level in ladder.levels(isYes: !isYes) where level.price >= 100 - price {
        ladder.set(isYes: !isYes, level.price, 0)
      }
      ladder.set(isYes: isYes, price, size)
      if profit(plant.kind, plant.market, ladder, world).raw >= least { break }
      ladder.set(isYes: isYes, price, twin.ladder.size(isYes: isYes, price))
    } while true
    before[plant.id] = twin.ladder
    change(plant.market, world) { markets, tell in
      markets.transform(plant.market, to: ladder, tell)
      return nil
    }
    return true
  }

  /// Somebody at Polymarket sells the outcome so cheap that it pays together with its opposite at Kalshi.
  private mutating func lowerAsk(_ plant: inout Plant, _ least: Int64, _ world: inout World) -> Bool {
    guard let twin = markets.twins[plant.market], let outcome = plant.outcome else { return false }
    let token = plant.market * 2 + outcome
    let tick = world.markets[plant.market].tick.raw
    let quantity = world.drawQuantity()
    guard var price = world.engine.ladders[token].bestAsk else { return false }
    repeat {
      price = Price(raw: price.raw - tick)
      guard price.raw >= tick * 2 else { return false }
    } while profit(plant.kind, plant.market, twin.ladder, world, offer: (price, quantity)).raw < least
    plant.before = [(plant.market, world.engine.ladders[plant.market * 2])]
    var ladder = world.engine.ladders[token]
    ladder.improve(.ask, price, quantity)
    let first = outcome == 0 ? ladder : MatchingEngine.mirror(ladder)
    world.engine.restore(market: plant.market, to: first, changes: &world.changes)
    world.tell(plant.market)
    return true
  }

  /// What one set of a plant earns at this moment.
  func profit(_ plant: Plant, _ world: World) -> Money {
    guard let twin = markets.twins[plant.market] else { return .zero }
    return profit(plant.kind, plant.market, twin.ladder, world)
  }

  /// What buying an outcome at Polymarket and its opposite at Kalshi earns for each share, by the best asks and what both
  /// venues charge for as much as is offered there.
  func profit(
    _ kind: OpportunityKind, _ slot: Int, _ ladder: KalshiLadder, _ world: World,
    offer: (price: Price, quantity: Quantity)? = nil
  ) -> Money {
    let isYes = kind == .crossFirst
    guard let bid = ladder.best(isYes: isYes) else { return Money(raw: -fixedPointScale) }
    let token = slot * 2 + (isYes ? 0 : 1)
    let ask = offer?.price ?? world.engine.ladders[token].shownAsk
    let here = Quantity(raw: ladder.size(isYes: isYes, bid) * 1_000_000)
    let there = offer?.quantity ?? world.engine.ladders[token].quantity(.ask, at: ask)
    let quantity = min(here, there, Quantity(units: 400))
    guard quantity >= Quantity(units: 20) else { return Money(raw: -fixedPointScale) }
    let opposite = Price(raw: Int64(100 - bid) * 1_000_000)
    var first = OrderFees(world.markets[slot].fees.schedule)
    first.take(.buy, price: ask, quantity: quantity)
    var second = OrderFees(KalshiExchange.fees(at: world.now))
    second.take(.buy, price: opposite, quantity: quantity)
    let prices = Money(ask, times: quantity, rounding: .up) + Money(opposite, times: quantity, rounding: .up)
    let earned = Int128(quantity.raw - prices.raw - first.total.raw - second.total.raw) * Int128(fixedPointScale)
    return Money(raw: Int64(earned / Int128(quantity.raw)))
  }

  /// What a taker pays at Kalshi: `0.07 · C · P · (1 − P)`, in its own rounding.
  static func fees(at time: Timestamp) -> FeeSchedule {
    FeeSchedule(rate: Price(raw: 7_000_000), exponent: 1, takerOnly: true, rounding: .of(.kalshi, at: time))
  }
}
