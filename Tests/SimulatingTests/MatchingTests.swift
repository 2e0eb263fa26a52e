import Market
import Simulating
import Testing

/// A small generator for property tests.
struct Dice {
  var random: SeededRandom
  init(_ seed: UInt64) { random = SeededRandom(seed) }
  mutating func price() -> Price { Price(raw: Int64(random.within(1...99)) * 1_000_000) }
  mutating func quantity() -> Quantity { Quantity(raw: Int64(random.within(1...50_000)) * 1_000_000) }
}

@Suite struct MatchingTests {
  func engine() -> MatchingEngine {
    var engine = MatchingEngine(markets: 1)
    var changes: [LevelChange] = []
    for step in 0..<5 {
      let quantity = Quantity(units: 100 * (step + 1))
      engine.setMaker(token: 0, .bid, Price(raw: Int64(48 - step) * 1_000_000), quantity, changes: &changes)
      engine.setMaker(token: 0, .ask, Price(raw: Int64(52 + step) * 1_000_000), quantity, changes: &changes)
    }
    return engine
  }

  @Test func `an order takes the best prices first and no more than is there`() {
    var engine = engine()
    var changes: [LevelChange] = []
    let order = IncomingOrder(
      account: "a", token: 0, side: .buy, limit: Price(raw: 54_000_000), quantity: Quantity(units: 10_000))
    let fills = engine.take(order, changes: &changes)
    #expect(fills.map(\.price.raw) == [52_000_000, 53_000_000, 54_000_000])
    #expect(fills.reduce(Quantity.zero) { $0 + $1.quantity } == Quantity(units: 600))
    #expect(engine.ladders[0].bestAsk == Price(raw: 55_000_000))
    #expect(engine.ladders[1].bestBid == Price(raw: 45_000_000))
    #expect(changes.count == 6)
  }

  @Test func `at one price the first come is the first served`() {
    var engine = engine()
    var changes: [LevelChange] = []
    let price = Price(raw: 48_000_000)
    func bid(_ id: String, _ units: Int) {
      engine.rest(
        IncomingOrder(account: id, token: 0, side: .buy, limit: price, quantity: Quantity(units: units)), id: id,
        account: id, changes: &changes)
    }
    bid("first", 10)
    bid("second", 20)
    #expect(engine.ladders[0].quantity(.bid, at: price) == Quantity(units: 130))
    func sell(_ units: Int) -> [EngineFill] {
      engine.take(
        IncomingOrder(account: "t", token: 0, side: .sell, limit: price, quantity: Quantity(units: units)),
        changes: &changes)
    }
    #expect(sell(95).map(\.makerOrder) == [nil])
    let next = sell(20)
    #expect(next.map(\.makerOrder) == [nil, "first", "second"])
    #expect(next.map(\.quantity) == [Quantity(units: 5), Quantity(units: 10), Quantity(units: 5)])
    engine.setMaker(token: 0, .bid, price, Quantity(units: 40), changes: &changes)
    #expect(sell(15).map(\.makerOrder) == ["second"])
    #expect(!engine.hasOrders(market: 0))
    #expect(engine.ladders[0].quantity(.bid, at: price) == Quantity(units: 40))
  }

  @Test func `two buyers of opposite outcomes make shares, two sellers merge them`() {
    var engine = MatchingEngine(markets: 1)
    var changes: [LevelChange] = []
    let price = Price(raw: 40_000_000)
    engine.rest(
      IncomingOrder(account: "no", token: 1, side: .buy, limit: price, quantity: Quantity(units: 100)), id: "n",
      account: "no", changes: &changes)
    #expect(engine.ladders[0].bestAsk == price.complement)
    let fills = engine.take(
      IncomingOrder(account: "yes", token: 0, side: .buy, limit: price.complement, quantity: Quantity(units: 30)),
      changes: &changes)
    #expect(fills.map(\.makerOrder) == ["n"])
    #expect(engine.accounts.collateral == Money(dollars: 30))
    #expect(engine.accounts.cash(of: "no") == engine.accounts.startingCash - Money(dollars: 12))
    #expect(engine.accounts.cash(of: "yes") == engine.accounts.startingCash - Money(dollars: 18))
    #expect(engine.accounts.shares(of: "no", token: 1) == engine.accounts.startingShares + Quantity(units: 30))
    #expect(engine.accounts.imbalance == .zero)
  }

  @Test(arguments: 1...20)
  func `whatever is traded, books stay sorted and uncrossed, and cash and shares are conserved`(seed: UInt64) {
    var engine = engine()
    var dice = Dice(seed)
    var changes: [LevelChange] = []
    var live: [String] = []
    let fees = FeeSchedule(rate: Price(raw: 7_000_000), exponent: 1, takerOnly: true)
    for step in 0..<2000 {
      let order = IncomingOrder(
        account: "account\(dice.random.below(4))", token: dice.random.below(2),
        side: dice.random.below(2) == 0 ? .buy : .sell, limit: dice.price(), quantity: dice.quantity(), fees: fees)
      let book: BookSide = order.side == .buy ? .ask : .bid
      let held = engine.available(token: order.token, order.side, limit: order.limit)
      switch dice.random.below(4) {
      case 0:
        guard let best = engine.ladders[order.token].levels(book).last?.price else { break }
        let crosses = order.side == .buy ? order.limit >= best : order.limit <= best
        if !crosses {
          engine.setMaker(token: order.token, book.opposite2, order.limit, order.quantity, changes: &changes)
        }
      case 1:
        if let id = live.popLast() { _ = engine.cancel(id: id, market: 0, changes: &changes) }
      default:
        let fills = engine.take(order, changes: &changes)
        let filled = fills.reduce(Quantity.zero) { $0 + $1.quantity }
        #expect(filled == min(held, order.quantity))
        #expect(fills.allSatisfy { order.side == .buy ? $0.price <= order.limit : $0.price >= order.limit })
        let prices = fills.map(\.price)
        let ordered = order.side == .buy ? prices.sorted() : Array(prices.sorted().reversed())
        #expect(prices == ordered)
        if filled < order.quantity {
          var rest = order
          rest.quantity = order.quantity - filled
          engine.rest(rest, id: "\(step)", account: order.account ?? "", changes: &changes)
          live.append("\(step)")
        }
      }
      let ladder = engine.ladders[0]
      #expect(ladder.shownBid < ladder.shownAsk)
      #expect(zip(ladder.bids, ladder.bids.dropFirst()).allSatisfy { $0.price < $1.price })
      #expect(zip(ladder.asks, ladder.asks.dropFirst()).allSatisfy { $0.price > $1.price })
      #expect(MatchingEngine.mirror(ladder).bids == engine.ladders[1].bids)
      #expect((ladder.bids + ladder.asks).allSatisfy { $0.quantity.raw > 0 })
      #expect(engine.accounts.imbalance == .zero)
      #expect(engine.accounts.issued(token: 0) == engine.accounts.issued(token: 1))
      #expect(engine.accounts.issued(token: 0).raw == engine.accounts.collateral.raw)
    }
  }
}

extension BookSide {
  var opposite2: BookSide { self == .bid ? .ask : .bid }
}
