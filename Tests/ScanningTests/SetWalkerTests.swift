import Market
import Scanning
import TestSupport
import Testing

struct SetWalkerTests {
  /// One leg in hundredths of a share: the price and the fee of each, best first.
  private func bestSize(_ legs: [SetLeg], _ value: Price, _ quantityMax: Quantity, isSell: Bool) -> Quantity {
    legs.withUnsafeBufferPointer {
      SetWalker.size($0, setValue: value, quantityMax: quantityMax, isSell: isSell)
    }
  }

  private func units(_ levels: [Level], _ fees: FeeSchedule, sign: Int64) -> [Int64] {
    levels.reversed().flatMap { level in
      Array(
        repeating: level.price.raw + sign * fees.takerFeePerShare(price: level.price),
        count: Int(level.quantity.raw / 1_000_000))
    }
  }

  private func levels(_ isSell: Bool, hundredths: Bool, _ random: inout SeededRandom) -> [Level] {
    var prices = Set<Int64>()
    let center = Int64.random(in: 200...500, using: &random)
    for _ in 0..<Int.random(in: 0...5, using: &random) {
      prices.insert(min(999, max(1, center + Int64.random(in: -60...60, using: &random))))
    }
    let sorted = prices.sorted { isSell ? $0 < $1 : $0 > $1 }
    return sorted.map { price in
      let quantity = Int64.random(in: 1...40, using: &random) * 1_000_000
      let odd = hundredths ? 0 : Int64.random(in: 0..<1_000_000, using: &random)
      return Level(price: Price(raw: price * 100_000), quantity: Quantity(raw: quantity + odd))
    }
  }

  private func with<Result>(_ legs: [[Level]], _ fees: FeeSchedule, _ body: ([SetLeg]) -> Result) -> Result {
    func nest(_ index: Int, _ done: [SetLeg]) -> Result {
      guard index < legs.count else { return body(done) }
      return legs[index].withUnsafeBufferPointer { nest(index + 1, done + [SetLeg(levels: $0, fees: fees)]) }
    }
    return nest(0, [])
  }

  @Test(arguments: [false, true])
  func `the size is where the marginal set stops paying`(isSell: Bool) {
    var random = SeededRandom(seed: isSell ? 10 : 11)
    var found = 0
    for _ in 0..<100_000 {
      let legs = (0..<Int.random(in: 2...4, using: &random)).map { _ in
        levels(isSell, hundredths: true, &random)
      }
      let fees = FeeSchedule(
        rate: Price(raw: Bool.random(using: &random) ? 0 : Int64.random(in: 0...10_000_000, using: &random)),
        exponent: 1, takerOnly: true)
      let value = Price(raw: Int64.random(in: 600...1800, using: &random) * 100_000)
      let most = Int64.random(in: 1...150, using: &random)
      // Hundredth by hundredth: each costs no less than the one before it.
      let stacks = legs.map { units($0, fees, sign: isSell ? -1 : 1) }
      var expected: Int64 = 0
      while expected < most, stacks.allSatisfy({ Int(expected) < $0.count }) {
        let marginal = stacks.reduce(Int64(0)) { $0 + $1[Int(expected)] }
        guard isSell ? marginal > value.raw : marginal < value.raw else { break }
        expected += 1
      }
      let size = with(legs, fees) { legs in
        let quantityMax = Quantity(raw: most * 1_000_000)
        return bestSize(legs, value, quantityMax, isSell: isSell)
      }
      #expect(size.raw == expected * 1_000_000)
      guard expected > 0 else { continue }
      found += 1
      let quote = with(legs, fees) { legs in
        legs.withUnsafeBufferPointer {
          SetWalker.quote($0, quantity: size, rounding: isSell ? .down : .up)
        }
      }
      var notional = Money.zero
      var fee = Money.zero
      for leg in legs {
        // To the last unit: each level's part at its own price, and its fee rounded up by itself.
        var left = size.raw
        var product: Int128 = 0
        for level in leg.reversed() where left > 0 {
          let part = min(left, level.quantity.raw)
          product += Int128(level.price.raw) * Int128(part)
          fee += fees.takerFee(price: level.price, quantity: Quantity(raw: part))
          left -= part
        }
        #expect(left == 0)
        notional += Money(product: product, rounding: isSell ? .down : .up)
      }
      #expect(quote.notional == notional && quote.fees == fee && quote.quantity == size)
    }
    #expect(found > 1000)
  }

  @Test func `sizes are whole hundredths and never more than the books hold`() {
    var random = SeededRandom(seed: 12)
    for _ in 0..<100_000 {
      let legs = (0..<Int.random(in: 2...4, using: &random)).map { _ in
        levels(false, hundredths: false, &random)
      }
      let quantityMax = Quantity(raw: Int64.random(in: 1...200_000_000, using: &random))
      let size = with(legs, .none) { bestSize($0, Price(raw: 300_000_000), quantityMax, isSell: false) }
      let held = legs.map { $0.reduce(Int64(0)) { $0 + $1.quantity.raw } }.min() ?? 0
      #expect(size.raw % 1_000_000 == 0)
      #expect(size.raw <= held && size <= quantityMax)
      // Everything pays here, so nothing is left but less than a hundredth.
      #expect(min(held, quantityMax.raw) - size.raw < 1_000_000)
    }
  }
}
