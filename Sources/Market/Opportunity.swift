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

/// What kind of set an opportunity trades, and in which direction.
public enum OpportunityKind: UInt8, CaseIterable, Sendable, Codable {
  /// Buy YES and NO of one market.
  case binaryBuy = 0
  /// Split a set and sell YES and NO of one market.
  case binarySell = 1
  /// Buy YES of every outcome of an event.
  case negRiskBuyYes = 2
  /// Sell YES of every outcome of an event.
  case negRiskSellYes = 3
  /// Buy NO of several outcomes of an event: they convert to cash and the YES of the others.
  case negRiskConvert = 4
  /// Buy the first outcome on one venue and its opposite on another.
  case crossFirst = 5
  /// Buy the second outcome on one venue and its opposite on another.
  case crossSecond = 6
  /// Buy Up, which the spot price makes likelier than it costs.
  case latencyUp = 7
  /// Buy Down, likewise.
  case latencyDown = 8
  /// Buy what a jump of the trade price has left behind.
  case spike = 9

  /// Which scanner finds it.
  public var strategy: Strategy {
    switch self {
    case .binaryBuy, .binarySell: .binary
    case .negRiskBuyYes, .negRiskSellYes, .negRiskConvert: .negRisk
    case .crossFirst, .crossSecond: .crossPlatform
    case .latencyUp, .latencyDown: .latency
    case .spike: .spike
    }
  }

  /// Whether the legs are sold.
  public var isSell: Bool { self == .binarySell || self == .negRiskSellYes }

  /// Its name in tables and on the wire of scripts.
  public var name: String { "\(self)" }
}

/// Why an opportunity is shown and must not be executed.
public enum HoldReason: UInt8, CaseIterable, Sendable, Codable {
  /// Its return for a year of locked capital is below the hurdle rate (X7).
  case belowHurdle = 0
  /// A venue of it takes no orders now (X4).
  case venueUnavailable = 1
  /// A price behind it has become too old while it was open; `Opportunity.staleReason` says which (R4).
  case stalePrice = 2

  /// Its name in tables and on the wire of scripts.
  public var name: String { "\(self)" }
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
  /// The event, or the market where there is no event.
  public var eventID: String
  /// The trades; all of them, or none.
  public var legs: [Leg]
  /// What comes back: complete sets at 1, sales at their proceeds; where nothing is certain, what is expected.
  public var payout: Money
  /// What is paid for it, fees included.
  public var cost: Money
  /// When it was first seen.
  public var foundAt: Timestamp
  /// When these figures were computed.
  public var updatedAt: Timestamp
  /// The venue's time of the newest book behind it.
  public var venueTime: Timestamp
  /// What it trades.
  public var kind: OpportunityKind
  /// How it ranks, and why.
  public var score = OpportunityScore()
  /// How likely the payout is, from 0 to 1: 1 for sets that pay for certain.
  public var probability = 1.0
  /// When the capital is back at the latest; nil where no venue says.
  public var endsAt: Timestamp?
  /// Why it must not be executed; nil where it may be.
  public var hold: HoldReason?
  /// Where the price outside of the books came from, such as `binance`; empty where there is none (`mark_src`).
  public var markSource = ""
  /// Why that price is stale; empty where it is fresh.
  public var staleReason = ""
  /// The trade price that gave rise to it, which its book must confirm before an order (I6); nil for all but spikes.
  public var triggerPrice: Price?

  /// An opportunity by its parts.
  public init(
    id: UInt64, state: OpportunityState, kind: OpportunityKind, eventID: String, legs: [Leg], payout: Money,
    cost: Money, foundAt: Timestamp, updatedAt: Timestamp, venueTime: Timestamp
  ) {
    self.id = id
    self.state = state
    self.kind = kind
    self.eventID = eventID
    self.legs = legs
    self.payout = payout
    self.cost = cost
    self.foundAt = foundAt
    self.updatedAt = updatedAt
    self.venueTime = venueTime
  }

  /// Which scanner found it.
  public var strategy: Strategy { kind.strategy }

  /// What remains when everything is paid.
  public var profit: Money { payout - cost }

  /// How long it has been open, or was, in nanoseconds.
  public func lifetimeNanoseconds(now: Timestamp) -> Int64 {
    max(0, (state == .closed ? updatedAt : now).nanoseconds(since: foundAt))
  }

  /// Profit for each dollar paid, as a fraction; 0 where nothing is paid.
  public var returnOnCost: Double { cost.raw > 0 ? Double(profit.raw) / Double(cost.raw) : 0 }
}

extension Opportunity {
  /// The order in which opportunities are shown: the best score first, equal ones in the order in which they were found.
  public static func ranksBefore(_ left: Opportunity, _ right: Opportunity) -> Bool {
    left.score.total != right.score.total ? left.score.total > right.score.total : left.id < right.id
  }
}
