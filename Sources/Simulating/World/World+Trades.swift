package import Market

extension World {
  /// Somebody takes a part of a best level.
  mutating func tradeAtRandom(_ slot: Int) {
    let outcome = random.below(2)
    let side: Side = random.next() & 1 == 0 ? .buy : .sell
    let levels = engine.ladders[slot * 2 + outcome].levels(side == .buy ? .ask : .bid)
    guard let best = levels.last else { return }
    let cents = best.quantity.raw / 1_000_000
    guard cents > 500, levels.count > 1 else { return }
    let part = Quantity(raw: (500 + Int64(random.below(Int(cents - 499)))) * 1_000_000)
    guard !looksLikeSpike(slot, outcome: outcome, best.price, part) else { return }
    trade(slot, outcome: outcome, side, part, limit: best.price)
  }

  /// An anonymous taker trades; what rested for clients there is filled.
  mutating func trade(_ slot: Int, outcome: Int, _ side: Side, _ quantity: Quantity, limit: Price) {
    let order = IncomingOrder(account: nil, token: slot * 2 + outcome, side: side, limit: limit, quantity: quantity)
    let fills = engine.take(order, changes: &changes)
    tell(slot)
    report(slot, outcome: outcome, side, fills)
  }

  /// Tells the world of fills: the tape, the last trade and, for clients' resting orders, their owners' records.
  package mutating func report(_ slot: Int, outcome: Int, _ side: Side, _ fills: [EngineFill]) {
    guard !fills.isEmpty else { return }
    var merged: [(price: Price, quantity: Quantity)] = []
    for fill in fills {
      if let last = merged.last, last.price == fill.price {
        merged[merged.count - 1].quantity += fill.quantity
      } else {
        merged.append((fill.price, fill.quantity))
      }
      if fill.makerOrder != nil { outbox.makerFills.append((slot, outcome, side, fill)) }
    }
    for (price, quantity) in merged { reportTrade(slot, outcome: outcome, side, price, quantity, at: now) }
  }

  /// Tells the world of one trade at one price.
  mutating func reportTrade(
    _ slot: Int, outcome: Int, _ side: Side, _ price: Price, _ quantity: Quantity, at time: Timestamp
  ) {
    let paid = Money(price, times: quantity, rounding: .down)
    markets[slot].lastTrade = outcome == 0 ? price : price.complement
    markets[slot].lastTradeSide = side
    markets[slot].volumeDay += paid
    markets[slot].volumeTotal += paid
    let number = random.next()
    trades.append(
      PublicTrade(
        market: slot, outcome: outcome, price: price, quantity: quantity, side: side, time: time, number: number))
    outbox.lastTrade(
      markets[slot], slot: slot, outcome: outcome, price: price, quantity: quantity, side: side, at: time)
  }

  /// The last trade of a market that nobody has traded lately: weeks old, and still what the venue calls recent.
  mutating func addOldTrade(to slot: Int) {
    guard markets[slot].isTradable, !markets[slot].isPlaceholder else { return }
    let bits = seed.bits(.trade, markets[slot].key)
    let age = 600 + Int64(bits % 5_000_000)
    let price = middle(of: slot)
    let tick = markets[slot].tick.raw
    let onGrid = Price(raw: max(tick, price.raw / tick * tick))
    markets[slot].lastTrade = onGrid
    trades.append(
      PublicTrade(
        market: slot, outcome: 0, price: onGrid, quantity: Quantity(raw: Int64(5 + bits >> 40 % 400) * 100_000_000),
        side: bits & 1 == 0 ? .buy : .sell, time: now.advanced(bySeconds: -age), number: bits))
  }
}

/// The newest trades of each market, newest last; each market keeps a few, whatever the others do.
package struct TradeTape: Sendable {
  private var recent: [Int: [PublicTrade]] = [:]
  private var all: [PublicTrade] = []
  private let capacity: Int
  private static let eachMarket = 200

  package init(capacity: Int) { self.capacity = capacity }

  mutating func append(_ trade: PublicTrade) {
    recent[trade.market, default: []].append(trade)
    if let count = recent[trade.market]?.count, count >= TradeTape.eachMarket * 2 {
      recent[trade.market]?.removeFirst(TradeTape.eachMarket)
    }
    all.append(trade)
    if all.count >= capacity * 2 { all.removeFirst(capacity) }
  }

  mutating func forget(market: Int) {
    recent[market] = nil
    all.removeAll { $0.market == market }
  }

  /// The trades of some markets, or of all where none is named; newest first.
  package func newest(of markets: [Int]?, limit: Int, offset: Int) -> [PublicTrade] {
    var found: [PublicTrade]
    if let markets {
      found = markets.flatMap { recent[$0] ?? [] }
      if markets.count > 1 { found.sort { $0.time < $1.time } }
    } else {
      found = all
    }
    let end = max(0, found.count - offset)
    return Array(found[max(0, end - limit)..<end].reversed())
  }

  /// The trades of a market that are kept, in the order in which they were told.
  func of(market: Int) -> [PublicTrade] { recent[market] ?? [] }

  /// The last trade of a market.
  package func last(of market: Int) -> PublicTrade? { recent[market]?.last }
}
