/// Which scanner found it.
public enum Strategy: String, CaseIterable, Sendable, Codable {
  /// Buy YES and NO of one market for less than 1, or sell both for more.
  case binary
  /// Trade all outcomes of a neg-risk event against each other.
  case negRisk
  /// YES on one venue, NO on another.
  case crossPlatform
  /// Spot price against an up/down market.
  case latency
  /// A jump of the trade price.
  case spike

  /// A number for the wire.
  public var code: UInt8 {
    switch self {
    case .binary: 0
    case .negRisk: 1
    case .crossPlatform: 2
    case .latency: 3
    case .spike: 4
    }
  }

  /// Made once: `allCases` makes a new array at each use.
  private static let byCode = allCases

  /// The strategy of a wire number, or nil where there is none.
  public init?(code: UInt8) {
    guard Int(code) < Strategy.byCode.count else { return nil }
    self = Strategy.byCode[Int(code)]
  }
}

/// One order of an opportunity.
public struct Leg: Hashable, Sendable, Codable {
  /// What is traded.
  public var instrument: InstrumentID
  /// The market that the instrument is an outcome of.
  public var marketID: String
  /// Buy or sell.
  public var side: Side
  /// The worst price that the quantity reaches in the book: the order's limit.
  public var limit: Price
  /// How many shares.
  public var quantity: Quantity
  /// What the levels together cost (or pay), before fees.
  public var notional: Money
  /// The venue's fee for it.
  public var fee: Money

  /// A leg by its parts.
  public init(
    instrument: InstrumentID, marketID: String, side: Side, limit: Price, quantity: Quantity, notional: Money,
    fee: Money
  ) {
    self.instrument = instrument
    self.marketID = marketID
    self.side = side
    self.limit = limit
    self.quantity = quantity
    self.notional = notional
    self.fee = fee
  }
}

/// Where an opportunity stands in its life.
public enum OpportunityState: UInt8, Sendable, Codable {
  /// Seen for the first time.
  case opened = 0
  /// Still there, with other figures.
  case changed = 1
  /// Gone.
  case closed = 2
}

/// A set of trades that pays more than it costs, at the depths and fees of this moment.
public struct Opportunity: Hashable, Sendable, Codable {
  /// Unique while the scanner runs: its start in the upper half, a count in the lower.
  public var id: UInt64
  /// Opened, changed or closed.
  public var state: OpportunityState
  /// Which scanner found it.
  public var strategy: Strategy
  /// The event, or the market where there is no event.
  public var eventID: String
  /// The trades; all of them, or none.
  public var legs: [Leg]
  /// What comes back for certain: complete sets at 1, sales at their proceeds.
  public var payout: Money
  /// What is paid for it, fees included.
  public var cost: Money
  /// When it was first seen.
  public var foundAt: Timestamp
  /// When these figures were computed.
  public var updatedAt: Timestamp
  /// The venue's time of the newest book behind it.
  public var venueTime: Timestamp

  /// An opportunity by its parts.
  public init(
    id: UInt64, state: OpportunityState, strategy: Strategy, eventID: String, legs: [Leg], payout: Money, cost: Money,
    foundAt: Timestamp, updatedAt: Timestamp, venueTime: Timestamp
  ) {
    self.id = id
    self.state = state
    self.strategy = strategy
    self.eventID = eventID
    self.legs = legs
    self.payout = payout
    self.cost = cost
    self.foundAt = foundAt
    self.updatedAt = updatedAt
    self.venueTime = venueTime
  }

  /// What remains when everything is paid.
  public var profit: Money { payout - cost }

  /// Profit for each dollar paid, as a fraction; 0 where nothing is paid.
  public var returnOnCost: Double { cost.raw > 0 ? Double(profit.raw) / Double(cost.raw) : 0 }
}
