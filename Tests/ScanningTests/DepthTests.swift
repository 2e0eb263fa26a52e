import Market
import Scanning
import TestSupport
import Testing

/// Sweeps against sums made share by share, and the most profitable size against every size there is.
struct DepthTests {
  private func book(_ random: inout SeededRandom, isAsk: Bool) -> [Level] {
    var price = Int64.random(in: 100...500, using: &random)
    var levels: [Level] = []
    for _ in 0..<Int.random(in: 0...6, using: &random) {
      levels.append(
        Level(
          price: Price(raw: price * 100_000),
          quantity: Quantity(raw: Int64.random(in: 1...30, using: &random) * 1_000_000)))
      price += (isAsk ? 1 : -1) * Int64.random(in: 1...20, using: &random)
      if price < 1 || price > 999 { break }
    }
    return levels.reversed()
  }

  /// The price of each hundredth of a share, best first.
  private func units(_ levels: [Level]) -> [Int64] {
    levels.reversed().flatMap { Array(repeating: $0.price.raw, count: Int($0.quantity.raw / 1_000_000)) }
  }

  @Test(arguments: [BookSide.ask, .bid])
  func `what a sweep costs is the sum of its levels to the last unit, and never more than the book holds`(
    side: BookSide
  ) {
    var random = SeededRandom(seed: side == .ask ? 41 : 42)
    for _ in 0..<100_000 {
      let levels = book(&random, isAsk: side == .ask)
      let prices = units(levels)
      let wanted = Int.random(in: 0...120, using: &random)
      let quantity = Quantity(raw: Int64(wanted) * 1_000_000)
      levels.withUnsafeBufferPointer { levels in
        let there = min(wanted, prices.count)
        let sweep = Depth.sweep(levels, quantity: quantity, book: side)
        #expect(sweep.quantity.raw == Int64(there) * 1_000_000)
        let sum = prices.prefix(there).reduce(Int128(0)) { $0 + Int128($1) * 1_000_000 }
        #expect(sweep.product == sum)
        #expect(sweep.worst.raw == (there > 0 ? prices[there - 1] : 0))
        let isWhole = wanted <= prices.count
        let cost = isWhole ? Money(raw: Int64((sum + 99_999_999) / 100_000_000)) : nil
        #expect(Depth.sweepCost(levels, quantity: quantity) == cost)
        #expect(
          Depth.worstFillPrice(levels, quantity: quantity)?.raw == (isWhole && there > 0 ? prices[there - 1] : nil))
        #expect(
          Depth.effectivePrice(levels, quantity: quantity)?.raw
            == (isWhole && there > 0 ? Int64(sum / Int128(there) / 1_000_000) : nil))
        let limit = Price(raw: Int64.random(in: 1...999, using: &random) * 100_000)
        let within = prices.prefix { side == .ask ? $0 <= limit.raw : $0 >= limit.raw }.count
        #expect(Depth.sweepDepth(levels, limit: limit, book: side).raw == Int64(within) * 1_000_000)
      }
    }
  }

  @Test func `more never costs less for each share, and depth grows with the limit`() {
    var random = SeededRandom(seed: 43)
    for _ in 0..<20_000 {
      let levels = book(&random, isAsk: true)
      levels.withUnsafeBufferPointer { levels in
        var last = Price.zero
        var lastCost = Money.zero
        for size in stride(from: Int64(1), through: 120, by: 7) {
          let quantity = Quantity(raw: size * 1_000_000)
          guard let price = Depth.effectivePrice(levels, quantity: quantity),
            let cost = Depth.sweepCost(levels, quantity: quantity)
          else { break }
          #expect(price >= last && cost > lastCost)
          (last, lastCost) = (price, cost)
        }
        var depth = Quantity.zero
        for limit in stride(from: Int64(0), through: 1000, by: 50) {
          let there = Depth.sweepDepth(levels, limit: Price(raw: limit * 100_000))
          #expect(there >= depth)
          depth = there
        }
      }
    }
  }

  @Test(arguments: [false, true])
  func `with a venue that rounds to cents no end of a level earns more than what is found`(isSell: Bool) {
    let kalshi = FeeSchedule(
      rate: Price(raw: 7_000_000), exponent: 1, takerOnly: true,
      rounding: .of(.kalshi, at: Timestamp(nanoseconds: 1_795_000_000_000_000_000)))
    var random = SeededRandom(seed: isSell ? 44 : 45)
    var found = 0
    for _ in 0..<20_000 {
      // Whole shares: what parts of one could earn is less than the cent to which is rounded.
      let first = book(&random, isAsk: !isSell).map {
        Level(price: $0.price, quantity: Quantity(raw: $0.quantity.raw * 100))
      }
      let second = book(&random, isAsk: !isSell).map {
        Level(price: $0.price, quantity: Quantity(raw: $0.quantity.raw * 100))
      }
      let value = Price(raw: Int64.random(in: 400...1100, using: &random) * 100_000)
      first.withUnsafeBufferPointer { first in
        second.withUnsafeBufferPointer { second in
          let legs = [SetLeg(levels: first, fees: .none), SetLeg(levels: second, fees: kalshi)]
          legs.withUnsafeBufferPointer { legs in
            let best = SetWalker.best(legs, setValue: value, quantityMax: Quantity(units: 1000), isSell: isSell)
            let profit = best.profit(setValue: value, isSell: isSell)
            #expect(best.quantity.raw == 0 || profit.raw > 0)
            if best.quantity.raw > 0 { found += 1 }
            var total = Set<Int64>()
            for side in [first, second] {
              var sum: Int64 = 0
              for level in side.reversed() {
                sum += level.quantity.raw
                total.insert(sum)
              }
            }
            let held = min(first.reduce(0) { $0 + $1.quantity.raw }, second.reduce(0) { $0 + $1.quantity.raw })
            for size in total where size <= held {
              let other = SetWalker.quote(legs, quantity: Quantity(raw: size), rounding: isSell ? .down : .up)
              #expect(other.profit(setValue: value, isSell: isSell) <= max(profit, .zero))
            }
          }
        }
      }
    }
    #expect(found > 500)
  }
}
