import Market
import TestSupport
import Testing

struct MoneyTests {
  @Test func `a product is exact where it fits, and rounded against us where it does not`() {
    let third = Price(raw: 33_333_333)
    #expect(Money(third, times: Quantity(raw: 1), rounding: .up).raw == 1)
    #expect(Money(third, times: Quantity(raw: 1), rounding: .down).raw == 0)
    #expect(Money(third, times: Quantity(raw: -1), rounding: .up).raw == 0)
    #expect(Money(third, times: Quantity(raw: -1), rounding: .down).raw == -1)
    #expect(Money(Price(raw: 50_000_000), times: Quantity(units: 3), rounding: .up).raw == 150_000_000)
    #expect(Money(Price(raw: 50_000_000), times: Quantity(units: 3), rounding: .down).raw == 150_000_000)
  }

  @Test func `products agree with a 128-bit oracle in both directions`() {
    var random = SeededRandom(seed: 3)
    for _ in 0..<100_000 {
      let price = Int64.random(in: -100_000_000...100_000_000, using: &random)
      let quantity = Int64.random(in: -1_000_000_000_000...1_000_000_000_000, using: &random)
      let exact = Int128(price) * Int128(quantity)
      let down = Money(Price(raw: price), times: Quantity(raw: quantity), rounding: .down)
      let up = Money(Price(raw: price), times: Quantity(raw: quantity), rounding: .up)
      #expect(Int128(down.raw) * 100_000_000 <= exact)
      #expect(Int128(down.raw + 1) * 100_000_000 > exact)
      #expect(Int128(up.raw) * 100_000_000 >= exact)
      #expect(Int128(up.raw - 1) * 100_000_000 < exact)
    }
  }

  @Test func `a tick is a grid, and zero is none`() {
    #expect(Price(raw: 48_000_000).isOnGrid(Price(raw: 1_000_000)))
    #expect(!Price(raw: 48_100_000).isOnGrid(Price(raw: 1_000_000)))
    #expect(!Price(raw: 48_000_000).isOnGrid(.zero))
    #expect(Price(raw: 48_000_000).complement == Price(raw: 52_000_000))
  }
}

struct FeeScheduleTests {
  /// `shares · rate · p · (1 − p)`, by hand.
  @Test(arguments: [
    ["0.07", "0.5", "100", "1.75"],  // 100 · 0.07 · 0.25
    ["0.07", "0.5", "1", "0.0175"],
    ["0.07", "0.3", "10", "0.147"],  // 10 · 0.07 · 0.21
    ["0.07", "0.01", "1", "0.0007"],  // 0.07 · 0.0099 = 0.000693
    ["0.07", "0.001", "1", "0.00007"],  // 0.07 · 0.000999 = 0.00006993
    ["0.07", "0.999", "0.01", "0.00001"],  // 0.0000006993
    ["0.03", "0.4", "33.33", "0.23998"],  // 33.33 · 0.0072 = 0.239976
    ["1", "0.5", "100000000", "25000000"],
    ["0", "0.5", "100", "0"], ["0.07", "0", "100", "0"], ["0.07", "1", "100", "0"], ["0.07", "0.5", "0", "0"],
  ])
  func `a taker's fee has five decimals, rounded up`(row: [String]) throws {
    let schedule = FeeSchedule(rate: try Price(row[0]), exponent: 1, takerOnly: true)
    #expect(try schedule.takerFee(price: Price(row[1]), quantity: Quantity(row[2])) == Money(row[3]))
  }

  @Test func `an exponent raises p · (1 − p)`() throws {
    let schedule = FeeSchedule(rate: try Price("0.25"), exponent: 2, takerOnly: true)
    // 0.25 · 0.25² = 0.015625
    #expect(schedule.takerFeePerShare(price: try Price("0.5")) == 1_562_500)
    #expect(try schedule.takerFee(price: try Price("0.5"), quantity: try Quantity("8")) == Money("0.125"))
  }

  @Test func `fees are rounded up from the exact product, and never below it`() {
    var random = SeededRandom(seed: 4)
    for _ in 0..<50_000 {
      let rate = Int64.random(in: 1...100_000_000, using: &random)
      let price = Int64.random(in: 1..<100_000_000, using: &random)
      let quantity = Int64.random(in: 1...100_000_000_000_000, using: &random)
      let schedule = FeeSchedule(rate: Price(raw: rate), exponent: 1, takerOnly: true)
      let exact = Int128(rate) * Int128(price) * Int128(100_000_000 - price)
      let unit = Int128(schedule.takerFeePerShare(price: Price(raw: price)))
      #expect(unit * 10_000_000_000_000_000 >= exact)
      #expect((unit - 1) * 10_000_000_000_000_000 < exact)
      let fee = Int128(schedule.takerFee(price: Price(raw: price), quantity: Quantity(raw: quantity)).raw)
      #expect(fee % 1000 == 0)
      // exact · quantity is at most 2.5 · 10³⁷, in units of 10⁻³²; a step of the fee is 10⁻⁵.
      let product = exact * Int128(quantity)
      #expect(fee / 1000 == (product + 999_999_999_999_999_999_999_999_999) / 1_000_000_000_000_000_000_000_000_000)
    }
  }
}
