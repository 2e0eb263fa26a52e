import Foundation
import Market
import Simulating
import Testing

let moment = Timestamp(nanoseconds: 1_790_000_000_000_000_000)

func makeWorld(_ change: (inout SimulatorOptions) -> Void = { _ in }, at now: Timestamp = moment) -> World {
  var options = SimulatorOptions()
  change(&options)
  return World(options: options, now: now)
}

/// What is wrong with the prices of a world: every way to buy or sell complete sets at a profit before fees.
func grossArbitrages(_ world: World) -> [String] {
  var found: [String] = []
  for slot in world.markets.indices where world.markets[slot].isTradable && !world.markets[slot].isPlaceholder {
    guard !world.plants.isBusy(event: world.markets[slot].event) else { continue }
    let yes = world.engine.ladders[slot * 2]
    let no = world.engine.ladders[slot * 2 + 1]
    if yes.shownAsk.raw + no.shownAsk.raw <= fixedPointScale { found.append("asks of \(world.markets[slot].question)") }
    if yes.shownBid.raw + no.shownBid.raw >= fixedPointScale { found.append("bids of \(world.markets[slot].question)") }
    if MatchingEngine.mirror(yes).bids != no.bids || MatchingEngine.mirror(yes).asks != no.asks {
      found.append("mirror of \(world.markets[slot].question)")
    }
  }
  for event in world.events.indices where world.events[event].isNegRisk && !world.plants.isBusy(event: event) {
    let sums = world.bestSums(of: event)
    if sums.bids >= fixedPointScale { found.append("bids of \(world.events[event].title)") }
    if sums.asks <= fixedPointScale, !world.events[event].isAugmented {
      found.append("asks of \(world.events[event].title)")
    }
  }
  return found
}

@Suite struct WorldTests {
  @Test func `the world has the markets and events that were asked for`() {
    let world = makeWorld { $0.opensMarkets = false }
    #expect(world.markets.count >= 2000)
    #expect(world.events.count >= 400)
    let contests = world.events.filter(\.isNegRisk)
    #expect(contests.count > 20)
    #expect(contests.allSatisfy { (3...33).contains($0.markets.count) })
    let augmented = contests.filter(\.isAugmented)
    #expect(!augmented.isEmpty)
    #expect(world.markets.contains { $0.isPlaceholder && $0.tokens.isEmpty })
    #expect(Set(world.markets.map(\.tick)).count == 2)
    #expect(Set(world.markets.map(\.fees.rate)).count >= 4)
    #expect(Set(world.markets.map(\.id)).count == world.markets.count)
    #expect(Set(world.markets.map(\.conditionID)).count == world.markets.count)
    #expect(Set(world.markets.map(\.slug)).count == world.markets.count)
    let lengths = Set(world.markets.flatMap(\.tokens).map(\.count))
    #expect(lengths.isSubset(of: Set(70...78)))
    #expect(world.markets.allSatisfy { $0.conditionID.count == 66 })
  }

  @Test func `a world built again has the same ids`() {
    let first = makeWorld()
    let second = makeWorld(at: moment.advanced(bySeconds: 1))
    let static1 = first.markets.filter { $0.subject == .ordinary }
    let static2 = second.markets.filter { $0.subject == .ordinary }
    #expect(static1.map(\.conditionID) == static2.map(\.conditionID))
    #expect(static1.flatMap(\.tokens) == static2.flatMap(\.tokens))
    #expect(makeWorld { $0.seed = 2 }.markets[0].conditionID != static1[0].conditionID)
    let known = Set(first.markets.map(\.conditionID))
    let shared = second.markets.filter { known.contains($0.conditionID) }.count
    #expect(shared >= second.markets.count - 12)
  }

  @Test func `books have five to twenty-five levels and stand on the grid`() {
    let world = makeWorld()
    for slot in world.markets.indices where world.markets[slot].isTradable && !world.markets[slot].isPlaceholder {
      let ladder = world.engine.ladders[slot * 2]
      let levels = ladder.bids + ladder.asks
      let tick = world.markets[slot].tick
      #expect(levels.allSatisfy { $0.price.isOnGrid(tick) && $0.quantity.raw > 0 })
      #expect(levels.allSatisfy { $0.quantity.raw % 1_000_000 == 0 })
      #expect(ladder.bids.count <= 25 && ladder.asks.count <= 25)
      #expect(ladder.shownBid < ladder.shownAsk)
    }
  }

  @Test func `no book offers an arbitrage over two hundred thousand updates`() {
    var world = makeWorld {
      $0.updatesPerSecond = 20_000
      $0.arbitragesPerSecond = .zero
    }
    #expect(grossArbitrages(world).isEmpty)
    var now = moment
    for step in 0..<10_000 {
      now = now.advanced(byNanoseconds: 1_000_000)
      world.advance(to: now)
      world.outbox.removeAll()
      if step % 100 == 0 {
        let found = grossArbitrages(world)
        #expect(found.isEmpty, "\(found.prefix(3))")
        guard found.isEmpty else { return }
      }
    }
    let moved = world.markets.indices.filter { slot in
      world.markets[slot].isTradable && world.engine.ladders[slot * 2].bids.count > 0
    }
    #expect(moved.count > 1500)
  }

  @Test func `a planted arbitrage earns after fees and is gone when it was taken away`() {
    var world = makeWorld {
      $0.arbitragesPerSecond = Price(raw: 50 * fixedPointScale)
      $0.plantsUnwatched = true
    }
    var kinds: [OpportunityKind: Int] = [:]
    var ended = 0
    var now = moment
    for _ in 0..<20_000 {
      now = now.advanced(byNanoseconds: 1_000_000)
      world.advance(to: now)
      for notice in world.outbox.plantNotices {
        let plant = notice.plant
        guard !plant.isDecoy else { continue }
        let profit = world.plantedProfit(plant)
        if notice.isEnd {
          ended += 1
          // The next one may stand in the same event already; what a trade was worth nobody can say afterwards.
          if !world.plants.isBusy(event: plant.event), plant.kind != .spike { #expect(profit.raw < 0, "\(plant.kind)") }
        } else {
          kinds[plant.kind, default: 0] += 1
          #expect(profit.raw >= leastProfit(plant.kind), "\(plant.kind)")
          #expect(profit == plant.profit)
          #expect(plant.kind.strategy != .negRisk || !world.events[plant.event].isAugmented)
        }
      }
      let events = world.plants.active.map(\.event)
      #expect(Set(events).count == events.count)
      world.outbox.removeAll()
    }
    #expect(kinds.count == OpportunityKind.allCases.count - 2, "all but those between venues: \(kinds)")
    #expect(kinds.values.reduce(0, +) > 600)
    #expect(ended > 500)
    #expect(grossArbitrages(world).isEmpty)
  }

  private func leastProfit(_ kind: OpportunityKind) -> Int64 {
    switch kind.strategy {
    case .latency: 8_000_000
    case .spike: 5_000_000
    default: 800_000
    }
  }

  @Test func `an up-down market closes at every minute and pays by the coin's price`() {
    var world = makeWorld {
      $0.markets = 50
      $0.events = 10
      $0.arbitragesPerSecond = .zero
      $0.updatesPerSecond = 10
    }
    world.outbox.rendersAll = true
    let prices = world.spot.prices
    let openBefore = world.markets.filter { $0.isTradable }.count
    var now = moment
    var resolvedBrief = 0
    for _ in 0..<600 {
      now = now.advanced(bySeconds: 1)
      let before = Set(world.markets.filter(\.isClosed).map(\.id))
      world.advance(to: now)
      for market in world.markets where market.isClosed && !before.contains(market.id) {
        #expect(market.endsAt <= now)
        #expect(now.nanoseconds(since: market.endsAt) <= 10_000_000_000)
        switch market.subject {
        case .upDown(let coin, let opensAt):
          #expect(market.winner == (prices.isUp(coin, opensAt: opensAt, closesAt: market.endsAt) ? 0 : 1))
        case .brief: resolvedBrief += 1
        case .ordinary: break
        }
      }
      world.outbox.removeAll()
    }
    #expect((58...62).contains(resolvedBrief))
    for minute in (moment.seconds / 60 + 1)..<(now.seconds / 60) {
      let closing = world.markets.filter {
        guard case .upDown = $0.subject else { return false }
        return $0.endsAt.seconds == minute * 60
      }
      #expect(!closing.isEmpty)
      #expect(closing.allSatisfy { $0.isClosed })
    }
    let openAfter = world.markets.filter { $0.isTradable }.count
    #expect(abs(openAfter - openBefore) < 12)
  }
}
