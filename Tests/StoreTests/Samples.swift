import Market

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

let yes = InstrumentID(venue: .polymarket, symbol: "111")
let no = InstrumentID(venue: .polymarket, symbol: "222")
let noon = Timestamp(nanoseconds: 1_750_000_000_000_000_000)

func price(_ text: String) throws -> Price { try Price(text) }
func quantity(_ text: String) throws -> Quantity { try Quantity(text) }
func money(_ text: String) throws -> Money { try Money(text) }

func sampleOrder(_ id: String, at time: Timestamp = noon) throws -> Order {
  Order(
    id: id, opportunityID: .max - 7, strategy: .negRisk, instrument: yes, marketID: "0xabc", side: .buy,
    limit: try price("0.48"), quantity: try quantity("100"), timeInForce: .fak, isUnwind: false, createdAt: time)
}

func sampleFill(of order: Order, price text: String = "0.48", quantity size: String) throws -> Fill {
  Fill(
    orderID: order.id, strategy: order.strategy, instrument: order.instrument, marketID: order.marketID,
    side: order.side, price: try price(text), quantity: try quantity(size), fee: try money("0.12345"), time: noon)
}
