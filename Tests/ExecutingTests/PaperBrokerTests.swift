import Executing
import Market
import Testing

@Suite struct PaperBrokerTests {
  @Test func `a purchase walks the levels up to its limit, and the rest is cancelled`() {
    let books = binaryBooks()
    var broker = PaperBroker()
    let result = broker.fill(order("m-no", .buy, limit: "0.55", "100"), books, now: start)
    #expect(result.order.state == .partlyFilled && result.order.filled == quantity("60"))
    #expect(result.fills.map(\.price) == [price("0.55")] && result.fills.map(\.quantity) == [quantity("60")])
    let rest = broker.fill(order("m-no", .buy, limit: "0.60", "100"), books, now: start)
    #expect(rest.fills.map(\.price) == [price("0.58")] && rest.order.filled == quantity("100"))
    #expect(rest.order.state == .filled)
    let nothing = broker.fill(order("m-no", .buy, limit: "0.60", "1"), books, now: start)
    #expect(nothing.order.state == .unfilled && nothing.fills.isEmpty)
  }

  @Test func `fees are charged for each level, rounded up to five decimals`() {
    let books = binaryBooks(fees: FeeSchedule(rate: price("0.07"), exponent: 1, takerOnly: true))
    var broker = PaperBroker()
    let result = broker.fill(order("m-no", .buy, limit: "0.58", "100"), books, now: start)
    // 60 · 0.07 · 0.55 · 0.45 = 1.0395 and 40 · 0.07 · 0.58 · 0.42 = 0.68208.
    #expect(result.fills.map(\.fee) == [money("1.0395"), money("0.68208")])
    #expect(result.fills.map(\.notional) == [money("33"), money("23.2")])
  }

  @Test func `what was taken stays taken until the level changes`() {
    let books = binaryBooks()
    var broker = PaperBroker()
    #expect(broker.fill(order("m-yes", .buy, limit: "0.40", "70"), books, now: start).order.filled == quantity("70"))
    #expect(broker.fill(order("m-yes", .buy, limit: "0.40", "70"), books, now: start).order.filled == quantity("30"))
    // The same book again is no change.
    broker.bookChanged(books.book(instrument("m-yes")) ?? -1, books)
    books.set("m-yes", bids: [("0.39", "500")], asks: [("0.40", "100")])
    #expect(broker.fill(order("m-yes", .buy, limit: "0.40", "70"), books, now: start).order.filled == .zero)
    books.set("m-yes", bids: [("0.39", "500")], asks: [("0.40", "90")])
    #expect(broker.fill(order("m-yes", .buy, limit: "0.40", "70"), books, now: start).order.filled == quantity("70"))
  }

  @Test func `a level that was gone in between is new, also when it comes back as it was`() {
    let books = binaryBooks()
    var broker = PaperBroker()
    _ = broker.fill(order("m-yes", .buy, limit: "0.40", "70"), books, now: start)
    books.set("m-yes", bids: [("0.39", "500")])
    broker.bookChanged(books.book(instrument("m-yes")) ?? -1, books)
    books.set("m-yes", bids: [("0.39", "500")], asks: [("0.40", "100")])
    #expect(broker.fill(order("m-yes", .buy, limit: "0.40", "70"), books, now: start).order.filled == quantity("70"))
  }

  @Test func `what was taken from one outcome is taken from the mirror of the other`() {
    let books = TestBooks()
    books.add("m")
    books.set("m-yes", asks: [("0.40", "100")])
    books.set("m-no", bids: [("0.60", "100"), ("0.59", "50")])
    var broker = PaperBroker()
    _ = broker.fill(order("m-yes", .buy, limit: "0.40", "80"), books, now: start)
    let sale = broker.fill(order("m-no", .sell, limit: "0.60", "100"), books, now: start)
    #expect(sale.order.filled == quantity("20"))
  }

  @Test func `a sale walks the bids down to its limit`() {
    let books = TestBooks()
    books.add("m")
    books.set("m-yes", bids: [("0.50", "10"), ("0.48", "10"), ("0.45", "10")])
    var broker = PaperBroker()
    let result = broker.fill(order("m-yes", .sell, limit: "0.48", "30"), books, now: start)
    #expect(result.fills.map(\.price) == [price("0.50"), price("0.48")] && result.order.filled == quantity("20"))
  }

  @Test func `all or nothing is all or nothing`() {
    let books = binaryBooks()
    var broker = PaperBroker()
    let killed = broker.fill(order("m-no", .buy, limit: "0.55", "61", timeInForce: .fok), books, now: start)
    #expect(killed.order.state == .unfilled && killed.fills.isEmpty)
    let filled = broker.fill(order("m-no", .buy, limit: "0.55", "60", timeInForce: .fok), books, now: start)
    #expect(filled.order.state == .filled)
  }

  @Test func `orders that the venue would refuse are refused`() {
    let books = binaryBooks()
    var broker = PaperBroker()
    #expect(broker.fill(order("m-no", .buy, limit: "0.555", "1"), books, now: start).order.state == .rejected)
    #expect(broker.fill(order("x-no", .buy, limit: "0.55", "1"), books, now: start).order.state == .rejected)
    books.markStale("m-no")
    #expect(broker.fill(order("m-no", .buy, limit: "0.55", "1"), books, now: start).order.state == .unfilled)
    books.add("m") { $0.isClosed = true }
    #expect(broker.fill(order("m-no", .buy, limit: "0.55", "1"), books, now: start).order.state == .rejected)
  }

  @Test func `on random books fills never exceed limit, depth or size, and cost the sum of their levels`() {
    var random = SeededRandom(state: 7)
    for _ in 0..<500 {
      let books = TestBooks()
      books.add("m", fees: FeeSchedule(rate: price("0.02"), exponent: 1, takerOnly: true))
      var levels: [(String, String)] = []
      var cents = Int.random(in: 2...30, using: &random)
      for _ in 0..<Int.random(in: 0...8, using: &random) {
        levels.append((Price(raw: Int64(cents) * 1_000_000).description, "\(Int.random(in: 1...500, using: &random))"))
        cents += Int.random(in: 1...8, using: &random)
      }
      books.set("m-yes", asks: levels)
      var broker = PaperBroker()
      var taken: [Price: Quantity] = [:]
      for number in 0..<4 {
        let limit = Price(raw: Int64.random(in: 1...99, using: &random) * 1_000_000)
        let size = Quantity(units: Int.random(in: 1...600, using: &random))
        var wanted = order("m-yes", .buy, limit: limit.description, size.description, id: "\(number)")
        wanted.limit = limit
        let result = broker.fill(wanted, books, now: start)
        let sum = result.fills.reduce(Quantity.zero) { $0 + $1.quantity }
        #expect(sum == result.order.filled && sum <= size)
        #expect(result.fills.allSatisfy { $0.price <= limit && $0.quantity.raw > 0 })
        #expect(result.fills.map(\.price) == result.fills.map(\.price).sorted())
        for fill in result.fills { taken[fill.price, default: .zero] += fill.quantity }
        // All that is left at the limit or better is nothing, or the order was filled.
        let left = levels.filter { price($0.0) <= limit }.reduce(Quantity.zero) {
          $0 + quantity($1.1) - (taken[price($1.0)] ?? .zero)
        }
        #expect(result.order.state == .filled || left == .zero)
      }
      for (text, size) in levels { #expect((taken[price(text)] ?? .zero) <= quantity(size)) }
    }
  }
}

/// A generator that gives the same numbers in every run (SplitMix64).
struct SeededRandom: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
