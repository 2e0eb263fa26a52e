internal import Market

/// Kalshi's side of the world: a share of Polymarket's events under other names, with books of its own.
///
/// Books follow Polymarket's prices to within a cent, and every bid keeps at a distance from what the same outcome costs
/// there: so there is no arbitrage between the venues but what is planted. They move only while somebody watches, and
/// are brought up to date when they are asked for.
struct KalshiMarkets {
  /// One market, by its place in the Polymarket world.
  struct Twin {
    let slot: Int
    let id: Int64
    let ticker: String
    let eventTicker: String
    let marketID: String
    var ladder = KalshiLadder()
    var touchedAt: Int64 = 0
    var state: MarketState
    var volume: Int64
    var lastPrice: Int
  }

  let seed: Seed
  private(set) var twins: [Int: Twin] = [:]
  /// Counts up when an ordinary market comes or goes.
  private(set) var listVersion = 0
  private(set) var slotOfTicker: [String: Int] = [:]
  private(set) var eventOfTicker: [String: Int] = [:]
  private(set) var trades: [KalshiTrade] = []
  private var random: SeededRandom
  private var tradeCount: UInt64 = 0
  private static let tradesMax = 5000

  init(_ world: World) {
    seed = world.seed
    random = SeededRandom(world.seed.bits(.kalshi, UInt64(bitPattern: world.now.nanoseconds)))
    _ = refreshList(world)
  }

  // MARK: Which markets there are

  /// What became of markets since the last look: slots with the kind of a lifecycle message.
  mutating func refreshList(_ world: World) -> [(slot: Int, kind: StaticString)] {
    var news: [(Int, StaticString)] = []
    for (slot, twin) in twins where world.markets[slot].id != twin.id || world.marketOfID[twin.id] == nil {
      twins[slot] = nil
      listVersion += 1
      slotOfTicker[twin.ticker] = nil
      if world.eventOfID[Int64(twin.eventTicker.split(separator: "-").last ?? "") ?? 0] == nil {
        eventOfTicker[twin.eventTicker] = nil
      }
    }
    for index in world.eventListing {
      let event = world.events[index]
      for slot in event.markets {
        let market = world.markets[slot]
        guard !market.isPlaceholder, !market.tokens.isEmpty, market.event == index else { continue }
        if let twin = twins[slot] {
          guard twin.state != market.state else { continue }
          twins[slot]?.state = market.state
          if case .resolved = market.state { news.append((slot, "settled")) } else { news.append((slot, "determined")) }
        } else if world.isOnKalshi(event, market) {
          add(slot, market, index, event, world)
          news.append((slot, "created"))
          if market.state == .open { news.append((slot, "activated")) }
        }
      }
    }
    return news
  }

  private mutating func add(
    _ slot: Int, _ market: SimulatedMarket, _ index: Int, _ event: SimulatedEvent, _ world: World
  ) {
    let series = KalshiMarkets.series(event, market)
    let eventTicker = "\(series)-\(event.id)"
    let ticker = event.markets.count > 1 ? "\(eventTicker)-\(market.id)" : eventTicker + "-YES"
    let bits = seed.bits(.kalshi, UInt64(bitPattern: market.id))
    var twin = Twin(
      slot: slot, id: market.id, ticker: ticker, eventTicker: eventTicker,
      marketID: KalshiMarkets.uuid(seed, market.id),
      state: market.state, volume: Int64(bits % 40_000_000), lastPrice: 0)
    if market.state == .open {
      fill(&twin, world)
      twin.lastPrice = twin.ladder.best(isYes: true) ?? 50
      remember(
        twin.lastPrice, of: slot, Int64(500 + bits % 20_000), isYes: bits & 1 == 0,
        world.now.nanoseconds - Int64(bits % 3_000_000_000_000))
    }
    twins[slot] = twin
    if market.subject == .ordinary { listVersion += 1 }
    slotOfTicker[ticker] = slot
    eventOfTicker[eventTicker] = index
  }

  /// The series of an event: `KXPOLITICS`, `KXBTC5M`.
  static func series(_ event: SimulatedEvent, _ market: SimulatedMarket) -> String {
    if case .upDown(let coin, _) = market.subject { return "KX\(coin.symbol)5M" }
    return "KX" + event.category.uppercased().filter(\.isLetter)
  }

  private static func uuid(_ seed: Seed, _ id: Int64) -> String {
    var writer = ByteWriter()
    let high = seed.bits(.kalshi, UInt64(bitPattern: id) &* 2)
    let low = seed.bits(.kalshi, UInt64(bitPattern: id) &* 2 &+ 1)
    writer.hexadecimal(high >> 32, digits: 8)
    writer.byte(0x2D)
    writer.hexadecimal(high >> 16, digits: 4)
    writer.raw("-4")
    writer.hexadecimal(high, digits: 3)
    writer.raw("-9")
    writer.hexadecimal(low >> 48, digits: 3)
    writer.byte(0x2D)
    writer.hexadecimal(low, digits: 12)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  // MARK: Books

  /// How far below the price of the same outcome at Polymarket a bid stays: two cents.
  ///
  /// Who buys an outcome there and its opposite here then pays at least 1.02 and the fees. So it holds, too, for a
  /// subscriber who knows the books at two moments between which one of them has moved by two cents and what both
  /// venues charge, which is nearly four at middling prices.
  private static let distance: Int64 = 2_000_000

  /// The most that may be bid for an outcome, in cents; below 1 where nothing may.
  private func limit(isYes: Bool, _ slot: Int, _ world: World) -> Int {
    Int(world.engine.ladders[slot * 2 + (isYes ? 0 : 1)].shownAsk.raw - KalshiMarkets.distance) / 1_000_000
  }

  /// Where the best bid for an outcome belongs: two cents from the middle, which is Polymarket's give or take one.
  private func wanted(isYes: Bool, _ slot: Int, _ world: World) -> Int {
    let bits = seed.bits(.kalshi, UInt64(bitPattern: world.now.seconds / 15) &* 65_536 &+ UInt64(slot))
    let middle = max(4, min(96, Int(world.middle(of: slot).raw / 1_000_000) + Int(bits >> 16 % 3) - 1))
    return max(0, min((isYes ? middle : 100 - middle) - 2, limit(isYes: isYes, slot, world)))
  }

  private mutating func fill(_ twin: inout Twin, _ world: World) {
    twin.ladder.clear()
    for isYes in [true, false] {
      let best = wanted(isYes: isYes, twin.slot, world)
      for depth in 0..<8 where best - depth >= 1 {
        if depth < 3 || random.below(3) > 0 { twin.ladder.set(isYes: isYes, best - depth, size(depth)) }
      }
    }
  }

  private mutating func size(_ depth: Int) -> Int64 {
    let whole = Int64(500 + random.below(20_000) * (1 + depth))
    return random.below(3) == 0 ? whole : (whole + 99) / 100 * 100
  }

  /// Brings a book that nobody watched up to date.
  mutating func wake(_ slot: Int, _ world: World) {
    guard var twin = twins[slot], twin.state == .open, world.now.nanoseconds - twin.touchedAt > 2_000_000_000 else {
      return
    }
    let isOff = [true, false].contains { isYes in
      abs((twin.ladder.best(isYes: isYes) ?? 0) - wanted(isYes: isYes, slot, world)) > 1
    }
    if isOff { fill(&twin, world) }
    twin.touchedAt = world.now.nanoseconds
    twins[slot] = twin
  }

  /// Takes back the bids that Polymarket's prices have come too near to.
  mutating func follow(_ slot: Int, _ world: World, _ tell: (KalshiChange) -> Void) {
    guard var twin = twins[slot], twin.state == .open else { return }
    for isYes in [true, false] {
      let limit = self.limit(isYes: isYes, slot, world)
      while let best = twin.ladder.best(isYes: isYes), best > limit {
        change(&twin, isYes, best, -twin.ladder.size(isYes: isYes, best), world, tell)
      }
    }
    twins[slot] = twin
  }

  /// Makes a book another one, level by level: what goes first, then what comes, so that it never crosses.
  mutating func transform(_ slot: Int, to target: KalshiLadder, _ tell: (KalshiChange) -> Void) {
    guard var twin = twins[slot] else { return }
    for isComing in [false, true] {
      for isYes in [true, false] {
        for price in 1...99 {
          let size = target.size(isYes: isYes, price)
          let delta = size - twin.ladder.size(isYes: isYes, price)
          guard delta != 0, (delta > 0) == isComing else { continue }
          twin.ladder.set(isYes: isYes, price, size)
          tell(KalshiChange(isYes: isYes, price: price, delta: delta))
        }
      }
    }
    twins[slot] = twin
  }

  /// Empties the book of a market that has ended.
  mutating func empty(_ slot: Int) { twins[slot]?.ladder.clear() }

  /// Moves a book by one step.
  mutating func step(_ slot: Int, _ world: World, _ tell: (KalshiChange) -> Void) -> KalshiTrade? {
    guard var twin = twins[slot], twin.state == .open else { return nil }
    twins[slot] = nil
    defer { twins[slot] = twin }
    twin.touchedAt = world.now.nanoseconds
    let isMoved = [true, false].map { approach(&twin, isYes: $0, world, tell) }
    guard !isMoved.contains(true) else { return nil }
    switch random.below(100) {
    case 0..<6: return trade(&twin, world, tell)
    case 6..<24:
      let isYes = random.next() & 1 == 0
      if let best = twin.ladder.best(isYes: isYes) {
        let price = max(1, best - 1 - random.below(8))
        let old = twin.ladder.size(isYes: isYes, price)
        change(&twin, isYes, price, old > 0 ? -old : size(3), world, tell)
      }
      return nil
    default:
      let isYes = random.next() & 1 == 0
      let levels = twin.ladder.levels(isYes: isYes)
      guard !levels.isEmpty else { return nil }
      let level = levels[levels.count - 1 - min(random.below(levels.count), random.below(levels.count))]
      let wanted = size(2)
      if wanted != level.size { change(&twin, isYes, level.price, wanted - level.size, world, tell) }
      return nil
    }
  }

  /// The best bid of a side goes one cent toward where it belongs.
  /// - Returns: whether it had to.
  private mutating func approach(
    _ twin: inout Twin, isYes: Bool, _ world: World, _ tell: (KalshiChange) -> Void
  ) -> Bool {
    let best = twin.ladder.best(isYes: isYes) ?? 0
    let wanted = self.wanted(isYes: isYes, twin.slot, world)
    if best > wanted {
      change(&twin, isYes, best, -twin.ladder.size(isYes: isYes, best), world, tell)
    } else if best < wanted {
      change(&twin, isYes, best == 0 ? wanted : best + 1, size(0), world, tell)
    }
    return best != wanted
  }

  /// The taker takes the whole of the other side's best bid, or a part.
  private mutating func trade(_ twin: inout Twin, _ world: World, _ tell: (KalshiChange) -> Void) -> KalshiTrade? {
    let isTakerYes = random.next() & 1 == 0
    guard let price = twin.ladder.best(isYes: !isTakerYes) else { return nil }
    let held = twin.ladder.size(isYes: !isTakerYes, price)
    let count = random.below(4) == 0 ? held : max(1, held * Int64(1 + random.below(60)) / 100)
    let yesPrice = isTakerYes ? 100 - price : price
    guard !looksLikeSpike(twin.slot, yesPrice: yesPrice, count, world.now) else { return nil }
    change(&twin, !isTakerYes, price, -count, world, tell)
    twin.volume += count
    twin.lastPrice = yesPrice
    remember(twin.lastPrice, of: twin.slot, count, isYes: isTakerYes, world.now.nanoseconds)
    return trades.last
  }

  /// Whether a trade would look like a jump to 95 cents and more, of either outcome: here are none.
  private func looksLikeSpike(_ slot: Int, yesPrice: Int, _ count: Int64, _ now: Timestamp) -> Bool {
    guard count >= 4500, yesPrice >= 94 || yesPrice <= 6 else { return false }
    let from = now.nanoseconds - World.spikeNanoseconds - 2_000_000_000
    return trades.reversed().prefix { $0.nanoseconds >= from }
      .contains { $0.slot == slot && (yesPrice >= 94 ? yesPrice - $0.yesPrice : $0.yesPrice - yesPrice) >= 8 }
  }

  private mutating func remember(_ price: Int, of slot: Int, _ count: Int64, isYes: Bool, _ time: Int64) {
    tradeCount += 1
    trades.append(
      KalshiTrade(
        number: tradeCount, slot: slot, isTakerYes: isYes, yesPrice: price, count: count, nanoseconds: time))
    if trades.count > KalshiMarkets.tradesMax + 1000 { trades.removeFirst(1000) }
  }

  private func change(
    _ twin: inout Twin, _ isYes: Bool, _ price: Int, _ delta: Int64, _ world: World, _ tell: (KalshiChange) -> Void
  ) {
    let size = twin.ladder.size(isYes: isYes, price) + delta
    // Bids of both sides must never meet, nor come near to Polymarket's price.
    if delta > 0, let other = twin.ladder.best(isYes: !isYes), price + other >= 100 { return }
    if delta > 0, price > limit(isYes: isYes, twin.slot, world) { return }
    twin.ladder.set(isYes: isYes, price, size)
    tell(KalshiChange(isYes: isYes, price: price, delta: delta))
  }

  /// A number below another one, for choices outside of the books.
  mutating func below(_ bound: Int) -> Int { random.below(bound) }
}

extension World {
  /// Whether Kalshi lists a market as well: those of one event in four, and every five-minute window of a coin.
  func isOnKalshi(_ event: SimulatedEvent, _ market: SimulatedMarket) -> Bool {
    if case .upDown(_, let opensAt) = market.subject {
      return market.endsAt.nanoseconds(since: opensAt) == 300_000_000_000
    }
    return market.subject == .ordinary && seed.number(.kalshi, UInt64(bitPattern: event.id), below: 4) == 0
  }
}
