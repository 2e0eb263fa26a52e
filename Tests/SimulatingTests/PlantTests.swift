import Foundation
import Market
import Simulating
import Testing

/// What buying an outcome at Polymarket and its opposite at Kalshi costs for each share, fees included and rounded as if
/// a thousand were bought; nil where one side is empty.
private func pairCosts(
  _ world: World, _ market: Int, asks: (Price, Price), _ twin: KalshiQuote
) -> [Int64?] {
  let count = Quantity(units: 1000)
  let kalshi = FeeSchedule(
    rate: Price(raw: 7_000_000), exponent: 1, takerOnly: true, rounding: .of(.kalshi, at: world.now))
  return [(asks.0, twin.yesBid), (asks.1, twin.noBid)].map { ask, bid in
    guard ask < .one, bid > 0 else { return nil }
    let opposite = Price(raw: Int64(100 - bid) * 1_000_000)
    let fees =
      world.markets[market].fees.schedule.takerFee(price: ask, quantity: count).raw
      + kalshi.takerFee(price: opposite, quantity: count).raw
    return ask.raw + opposite.raw + fees / 1000
  }
}

/// The best edge of each outcome of a window by a model that knows the volatility wrong by a factor, and the prices of
/// now and of the opening some trades late.
private func edges(
  _ world: World, _ slot: Int, _ coin: Coin, _ opensAt: Timestamp, factor: Double, late: Int64, openedLate: Int64
) -> [Double] {
  let prices = world.spot.prices
  let start = prices.price(coin, milliseconds: opensAt.milliseconds + openedLate * 250)
  let current = prices.price(coin, milliseconds: world.now.milliseconds - late * 250)
  let left = Double(world.markets[slot].endsAt.nanoseconds(since: world.now)) / 1e9
  let deviation =
    log(Double(current) / Double(start)) / (SpotPrices.volatilityPerRootSecond * factor * left.squareRoot())
  let up = 0.5 * erfc(-deviation / 2.0.squareRoot())
  return [up, 1 - up].enumerated().map { outcome, worth in
    let ask = world.engine.ladders[slot * 2 + outcome].shownAsk
    let fee = World.feePerShare(world.markets[slot].fees, ask)
    return worth - Double(ask.raw + fee.raw) / Double(fixedPointScale)
  }
}

@Suite struct PlantTests {
  // MARK: Between venues

  /// The asks of both outcomes of every market that has a twin, and the twin's bids.
  private func quotes(_ venue: Venue) -> [Int: (asks: (Price, Price), twin: KalshiQuote)] {
    let world = venue.simulator.world
    var result: [Int: (asks: (Price, Price), twin: KalshiQuote)] = [:]
    for slot in world.markets.indices where world.markets[slot].isTradable {
      guard let twin = venue.simulator.twin(of: slot) else { continue }
      result[slot] = (
        (world.engine.ladders[slot * 2].shownAsk, world.engine.ladders[slot * 2 + 1].shownAsk), twin
      )
    }
    return result
  }

  private func watchTwins(_ venue: Venue) throws -> Listener {
    let listener = try Listener(venue, path: "/kalshi/trade-api/ws/v2")
    let names = quotes(venue).values.map { "\"\($0.twin.ticker)\"" }.sorted().joined(separator: ",")
    listener.say(
      "{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"orderbook_delta\"],\"market_tickers\":[\(names)]}}")
    return listener
  }

  @Test func `over minutes nothing is to be had between the venues, even by who sees one of them late`() throws {
    let venue = try Venue {
      $0.updatesPerSecond = 300
      $0.markets = 300
      $0.events = 80
    }
    let listener = try watchTwins(venue)
    var before = quotes(venue)
    #expect(before.count > 20)
    var moves = 0
    for step in 1...1200 {
      listener.run(milliseconds: 100)
      listener.texts = []
      let now = quotes(venue)
      let world = venue.simulator.world
      for (slot, quote) in now {
        let isOrdinary = world.markets[slot].subject == .ordinary
        #expect(pairCosts(world, slot, asks: quote.asks, quote.twin).allSatisfy { $0 ?? .max > fixedPointScale })
        // A tenth of a second late: windows of coins are no approved pairs, and may move further in that time.
        guard isOrdinary, let old = before[slot] else { continue }
        if old.twin != quote.twin { moves += 1 }
        let late =
          pairCosts(world, slot, asks: old.asks, quote.twin) + pairCosts(world, slot, asks: quote.asks, old.twin)
        #expect(late.allSatisfy { $0 ?? .max > fixedPointScale }, "\(step): \(world.markets[slot].question)")
      }
      before = now
    }
    #expect(moves > 1000, "Kalshi stands still: \(moves)")
  }

  @Test func `a planted pair earns after both venues' fees, in the book of either, and is gone afterwards`() throws {
    let venue = try Venue {
      $0.updatesPerSecond = 2000
      $0.markets = 300
      $0.events = 80
      $0.arbitragesPerSecond = Price(raw: 20 * fixedPointScale)
      $0.plantKinds = [.crossFirst, .crossSecond]
      $0.plantsUnwatched = true
    }
    let listener = try watchTwins(venue)
    var begun: [OpportunityKind: Int] = [:]
    var moved = (polymarket: 0, kalshi: 0)
    var ended = 0
    let twins = quotes(venue).keys
    for _ in 0..<30_000 {
      let world = venue.simulator.world
      let before = Dictionary(uniqueKeysWithValues: twins.map { ($0, world.engine.ladders[$0 * 2].shownAsk) })
      venue.now = venue.now.advanced(byNanoseconds: 1_000_000)
      venue.simulator.advance(to: venue.now)
      for notice in venue.simulator.world.outbox.plantNotices {
        let plant = notice.plant
        let world = venue.simulator.world
        let twin = try #require(venue.simulator.twin(of: plant.market))
        #expect(plant.ticker == twin.ticker)
        let asks = (0...1).map { world.engine.ladders[plant.market * 2 + $0].shownAsk }
        let costs = pairCosts(world, plant.market, asks: (asks[0], asks[1]), twin)
        if notice.isEnd {
          ended += 1
          if !world.plants.isBusy(event: plant.event) { #expect(costs.allSatisfy { $0 ?? .max > fixedPointScale }) }
        } else {
          begun[plant.kind, default: 0] += 1
          #expect(plant.profit.raw >= 800_000)
          #expect(plant.profit == venue.simulator.plantedProfit(plant))
          let cheap = try #require(costs[plant.kind == .crossFirst ? 0 : 1])
          // Kalshi rounds the balance of each order to cents.
          #expect(fixedPointScale - cheap >= plant.profit.raw)
          // Who sells the first outcome cheap, or bids much for it, moves its ask or its bid.
          if before[plant.market] != asks[0] { moved.polymarket += 1 } else { moved.kalshi += 1 }
        }
      }
      listener.drain()
      listener.texts = []
    }
    #expect(begun.count == 2 && begun.values.reduce(0, +) > 300, "\(begun)")
    #expect(moved.polymarket > 20 && moved.kalshi > 20, "\(moved)")
    #expect(ended > 300)
    #expect(grossArbitrages(venue.simulator.world).isEmpty)
  }

  @Test func `the pairs of the simulated world are approved by the simulator, each market once`() throws {
    let venue = try Venue()
    let data = Data(venue.simulator.pairs(at: moment))
    let file = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let matches = try #require(file["matches"] as? [[String: Any]])
    let world = venue.simulator.world
    #expect(matches.count > 20)
    for match in matches {
      let slot = try #require(world.marketOfCondition[match["polymarket"] as? String ?? ""])
      #expect(venue.simulator.twin(of: slot)?.ticker == match["kalshi"] as? String)
      #expect(match["polymarket_title"] as? String == world.markets[slot].question)
      #expect(match["kalshi_title"] as? String != world.markets[slot].question)
      #expect(match["decision"] as? String == "approved" && match["polymarket_terms"] as? String == "*")
      #expect((try? Timestamp(rfc3339: match["decided_at"] as? String ?? "")) == moment)
    }
    #expect(Set(matches.compactMap { $0["kalshi"] as? String }).count == matches.count)
    let version = venue.simulator.pairsVersion
    venue.simulator.advance(to: moment.advanced(bySeconds: 5))
    #expect(venue.simulator.pairsVersion == version, "nothing ordinary has come or gone")
  }

  // MARK: Windows

  @Test func `a window's book leaves no edge to who knows the volatility by a third and the price by a trade`() {
    var world = makeWorld {
      $0.markets = 50
      $0.events = 10
      $0.arbitragesPerSecond = .zero
      $0.decoysPerSecond = .zero
      $0.updatesPerSecond = 500
    }
    var now = moment
    var seen: Set<Int64> = []
    var worst = -1.0
    for _ in 0..<4000 {
      // Another place between two trades each time.
      now = now.advanced(byNanoseconds: 260_000_000)
      world.advance(to: now)
      world.outbox.removeAll()
      for slot in world.active {
        guard case .upDown(let coin, let opensAt) = world.markets[slot].subject, now > opensAt else { continue }
        seen.insert(world.markets[slot].endsAt.seconds - opensAt.seconds)
        for (factor, late, openedLate) in [
          (1.0, 0, 0), (0.75, 0, 0), (1.33, 0, 0), (1.0, 1, 0), (1.0, -1, 0), (1.0, 0, 1), (0.9, 1, 1),
        ] as [(Double, Int64, Int64)] {
          let best = edges(world, slot, coin, opensAt, factor: factor, late: late, openedLate: openedLate).max() ?? 0
          worst = max(worst, best)
          #expect(best < 0.03, "\(coin) \(factor) \(late) \(openedLate): \(best)")
          guard best < 0.03 else { return }
        }
      }
    }
    #expect(seen == [180, 300, 900])
    #expect(worst > -0.05, "books so wide that there is nothing to find")
  }

  @Test func `a window that lags has an edge of eight cents all its life, in the middle of it`() throws {
    var world = makeWorld {
      $0.markets = 50
      $0.events = 10
      $0.arbitragesPerSecond = Price(raw: 5 * fixedPointScale)
      $0.plantKinds = [.latencyUp, .latencyDown]
      $0.decoysPerSecond = .zero
      $0.plantsUnwatched = true
      $0.updatesPerSecond = 500
    }
    var now = moment
    var begun: [OpportunityKind: Int] = [:]
    var lives: [UInt64: Timestamp] = [:]
    for _ in 0..<15_000 {
      now = now.advanced(byNanoseconds: 20_000_000)
      world.advance(to: now)
      for notice in world.outbox.plantNotices {
        if notice.isEnd {
          let life = now.nanoseconds(since: try #require(lives[notice.plant.id]))
          #expect((280_000_000...1_520_000_000).contains(life))
        } else {
          lives[notice.plant.id] = now
          begun[notice.plant.kind, default: 0] += 1
        }
      }
      world.outbox.removeAll()
      for plant in world.plants.active {
        let market = world.markets[plant.market]
        guard case .upDown(let coin, let opensAt) = market.subject else {
          Issue.record("no window")
          return
        }
        #expect(now.nanoseconds(since: opensAt) >= 20_000_000_000)
        #expect(market.endsAt.nanoseconds(since: now) >= 60_000_000_000)
        let found = edges(world, plant.market, coin, opensAt, factor: 1, late: 0, openedLate: 0)
        #expect(found[plant.kind == .latencyUp ? 0 : 1] >= 0.08)
        #expect(found[plant.kind == .latencyUp ? 1 : 0] < 0)
      }
    }
    #expect(begun.count == 2 && begun.values.reduce(0, +) > 300, "\(begun)")
  }

  // MARK: Conversions

  @Test func `a planted conversion shows in the books of NO alone`() {
    var world = makeWorld {
      $0.arbitragesPerSecond = Price(raw: 20 * fixedPointScale)
      $0.plantKinds = [.negRiskConvert]
      $0.decoysPerSecond = .zero
      $0.plantsUnwatched = true
      $0.opensMarkets = false
    }
    var now = moment
    var begun = 0
    for _ in 0..<20_000 {
      now = now.advanced(byNanoseconds: 1_000_000)
      world.advance(to: now)
      for plant in world.outbox.plantNotices.filter({ !$0.isEnd }).map(\.plant) {
        begun += 1
        let slots = world.events[plant.event].markets
        var worth: Int64 = 0
        for slot in slots {
          let ask = world.engine.ladders[slot * 2 + 1].shownAsk
          let fee = World.feePerShare(world.markets[slot].fees, ask)
          worth += max(0, fixedPointScale - ask.raw - fee.raw)
          #expect(world.plantedProfit(.binaryBuy, market: slot).raw < 0)
          #expect(world.plantedProfit(.binarySell, market: slot).raw < 0)
        }
        #expect(worth - fixedPointScale == plant.profit.raw && plant.profit.raw >= 800_000)
        #expect(world.plantedProfit(.negRiskBuyYes, market: plant.market).raw < 0)
        #expect(world.plantedProfit(.negRiskSellYes, market: plant.market).raw < 0)
      }
      world.outbox.removeAll()
    }
    #expect(begun > 100, "\(begun)")
    #expect(grossArbitrages(world).isEmpty)
  }
}
