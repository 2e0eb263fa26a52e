import Foundation
import Market
import TestSupport
import Testing

/// Kalshi's rounding, against vectors that were worked out by its documentation.
@Suite struct OrderFeesTests {
  struct Vectors: Decodable {
    struct Case: Decodable, CustomTestStringConvertible, Sendable {
      struct Fill: Decodable, Sendable {
        struct Expected: Decodable, Sendable {
          let tradeFee, alignedChange, roundingFee, rebate, accumulatorAfter, netFee, balanceChange: String
        }
        let action, price, count: String
        let rate: String?
        let expected: Expected
      }
      let name, balancePrecision: String
      let fills: [Fill]
      let totalNetFee: String
      var testDescription: String { name }
    }
    let cases: [Case]
  }

  /// All files of vectors whose name speaks of fees.
  static let cases: [Vectors.Case] = {
    guard let folder = Places.shared?.appending(path: "venues/vectors"),
      let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path)
    else { return [] }
    return names.filter { $0.contains("fees") && $0.hasSuffix(".json") }.sorted().flatMap { name in
      (try? JSONDecoder().decode(Vectors.self, from: Data(contentsOf: folder.appending(path: name))))?.cases ?? []
    }
  }()

  @Test(.enabled(if: !cases.isEmpty, "no vectors of fees: see BULKHEAD_SHARED"), arguments: cases)
  func `each fill of an order costs what the venue's documentation says`(_ vector: Vectors.Case) throws {
    let autumn = try Timestamp(rfc3339: "2026-10-01T00:00:00Z")
    var rounding = FeeRounding.of(.kalshi, at: autumn)
    rounding.balanceStep = try Money(vector.balancePrecision)
    func schedule(_ rate: String) throws -> FeeSchedule {
      FeeSchedule(rate: try Price(rate), exponent: 1, takerOnly: false, rounding: rounding)
    }
    var order = OrderFees(try schedule("0.07"))
    for (place, fill) in vector.fills.enumerated() {
      if let rate = fill.rate { order.schedule = try schedule(rate) }
      let cost = order.take(
        fill.action == "buy" ? .buy : .sell, price: try Price(fill.price), quantity: try Quantity(fill.count))
      let expected = fill.expected
      #expect(cost.tradeFee == (try Money(expected.tradeFee)), "fill \(place)")
      #expect(cost.roundingFee == (try Money(expected.roundingFee)), "fill \(place)")
      #expect(cost.rebate == (try Money(expected.rebate)), "fill \(place)")
      #expect(cost.balanceChange == (try Money(expected.balanceChange)), "fill \(place)")
      #expect(cost.balanceChange - cost.rebate == (try Money(expected.alignedChange)), "fill \(place)")
      #expect(cost.fee == (try Money(expected.netFee)), "fill \(place)")
      #expect(order.accumulated == (try Money(expected.accumulatorAfter)), "fill \(place)")
    }
    #expect(order.total == (try Money(vector.totalNetFee)))
  }

  @Test func `what is rounded away is never lost, whatever the fills`() {
    var random = SeededRandom(seed: 11)
    let autumn = Timestamp(nanoseconds: 1_790_000_000_000_000_000)
    let schedule = FeeSchedule(
      rate: Price(raw: 7_000_000), exponent: 1, takerOnly: true, rounding: .of(.kalshi, at: autumn))
    for _ in 0..<2000 {
      var order = OrderFees(schedule)
      var balance = Money.zero
      var value = Int64(0)
      var fees = Money.zero
      for _ in 0..<Int.random(in: 1...9, using: &random) {
        let side: Side = Bool.random(using: &random) ? .buy : .sell
        let price = Int64.random(in: 1...9999, using: &random) * 10_000
        let count = Int64.random(in: 1...100_000, using: &random)
        let cost = order.take(side, price: Price(raw: price), quantity: Quantity(raw: count * 1_000_000))
        balance += cost.balanceChange
        value += (side == .buy ? -1 : 1) * price * count / 100
        fees += cost.fee
        #expect(cost.fee.raw >= 0 && cost.balanceChange.raw % 1_000_000 == 0)
        #expect(order.accumulated.raw >= 0)
      }
      #expect(order.total == fees && balance.raw == value - fees.raw)
    }
  }

  @Test func `a venue's rounding holds from its date`() throws {
    let spring = FeeRounding.of(.kalshi, at: try Timestamp(rfc3339: "2026-08-31T23:59:59Z"))
    let autumn = FeeRounding.of(.kalshi, at: try Timestamp(rfc3339: "2026-09-01T00:00:00Z"))
    #expect(try spring.feeStep == Money("0.0001") && autumn.feeStep == Money("0.000001"))
    #expect(try spring.balanceStep == Money("0.01") && autumn.balanceStep == Money("0.01"))
    #expect(FeeRounding.of(.polymarket, at: Timestamp(nanoseconds: 1_790_000_000_000_000_000)) == .polymarket)
    // One fill of a whole contract costs the next cent.
    var order = OrderFees(FeeSchedule(rate: try Price("0.07"), exponent: 1, takerOnly: true, rounding: autumn))
    #expect(try order.take(.buy, price: Price("0.5"), quantity: Quantity("1")).fee == Money("0.02"))
  }
}
