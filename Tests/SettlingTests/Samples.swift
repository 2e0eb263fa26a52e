import Foundation
import Market
import Settling
import Store

/// A generator of repeatable numbers (SplitMix64), so that a failing case can be run again.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}

/// 2025-06-15 15:15 UTC: the start of a minute, and of a quarter of an hour.
let noon = Timestamp(nanoseconds: 1_750_000_500_000_000_000)
let yes = InstrumentID(venue: .polymarket, symbol: "yes")
let no = InstrumentID(venue: .polymarket, symbol: "no")

func price(_ text: String) throws -> Price { try Price(text) }
func quantity(_ text: String) throws -> Quantity { try Quantity(text) }
func money(_ text: String) throws -> Money { try Money(text) }

/// A market of the outcomes `yes` and `no`, or of `ID-yes` and `ID-no`.
func sampleMarket(_ id: String = "m", upDown: UpDownTerms? = nil) throws -> PredictionMarket {
  let prefix = id == "m" ? "" : id + "-"
  var market = PredictionMarket(
    venue: .polymarket, id: id, eventID: "e", question: "Question \(id)?",
    outcomes: [Outcome(token: prefix + "yes", name: "Yes"), Outcome(token: prefix + "no", name: "No")],
    tick: try price("0.01"))
  market.upDown = upDown
  market.endsAt = upDown?.closesAt
  return market
}

/// A fill such as `buy yes 100 @ 0.48 fee 0.5`.
func fill(
  _ sequence: Int64, _ side: Side, _ instrument: InstrumentID, _ size: String, at limit: String, fee: String = "0",
  market: String = "m", strategy: Strategy = .binary
) throws -> Fill {
  var fill = Fill(
    orderID: "o\(sequence)", strategy: strategy, instrument: instrument, marketID: market, side: side,
    price: try price(limit), quantity: try quantity(size), fee: try money(fee), time: noon)
  fill.sequence = sequence
  return fill
}

extension LedgerTransaction {
  /// The entries as `account amount` lines, for comparison with an example written by hand.
  var lines: Set<String> { Set(entries.map { "\($0.account.name) \(Money(raw: $0.amount))" }) }
}

extension Journal {
  /// Records the order of each fill and the fill itself, as the executor would.
  func execute(_ fills: [Fill]) throws {
    for fill in fills {
      var order = Order(
        id: fill.orderID, opportunityID: 1, strategy: fill.strategy, instrument: fill.instrument,
        marketID: fill.marketID, side: fill.side, limit: fill.price, quantity: fill.quantity, timeInForce: .fak,
        isUnwind: false, createdAt: fill.time)
      try record(orders: [order])
      order.state = .filled
      order.filled = fill.quantity
      try update(order: order, fills: [fill])
    }
  }
}
