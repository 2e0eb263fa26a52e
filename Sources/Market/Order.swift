/// How long an order may wait.
public enum TimeInForce: String, Sendable, Codable {
  /// Fill what is there, cancel the rest.
  case fak = "FAK"
  /// All at once or nothing.
  case fok = "FOK"
  /// Rest until it is cancelled.
  case gtc = "GTC"
}

/// Where an order stands.
///
/// Exits: `journalled` → `sent` | `rejected`; `sent` → `filled` | `partlyFilled` | `unfilled` | `rejected` | `unknown`;
/// `unknown` → any of the final ones, once the venue has said. The others are final.
public enum OrderState: String, Sendable, Codable {
  /// Durable in the journal, not yet sent.
  case journalled
  /// Sent, no answer yet.
  case sent
  /// All of it was filled.
  case filled
  /// A part was filled, the rest cancelled.
  case partlyFilled
  /// Nothing was filled.
  case unfilled
  /// The venue (or a check of ours) refused it.
  case rejected
  /// The answer was lost: it may have had an effect.
  case unknown

  /// Whether nothing more will come.
  public var isFinal: Bool { self != .journalled && self != .sent && self != .unknown }
}

/// An order, as the journal keeps it.
public struct Order: Hashable, Sendable, Codable {
  /// Our own id, made before sending: the key under which the venue can be asked.
  public var id: String
  /// The opportunity that it belongs to.
  public var opportunityID: UInt64
  /// Which scanner found that.
  public var strategy: Strategy
  /// What is traded.
  public var instrument: InstrumentID
  /// The market that the instrument is an outcome of.
  public var marketID: String
  /// Buy or sell.
  public var side: Side
  /// The worst price that is accepted.
  public var limit: Price
  /// How many shares are asked for.
  public var quantity: Quantity
  /// How long it may wait.
  public var timeInForce: TimeInForce
  /// Where it stands.
  public var state: OrderState
  /// How many shares were filled.
  public var filled: Quantity
  /// Whether it undoes a surplus leg.
  public var isUnwind: Bool
  /// When it was journalled.
  public var createdAt: Timestamp
  /// When it last changed.
  public var updatedAt: Timestamp
  /// Why it was refused; empty otherwise.
  public var reason: String

  /// A new order, journalled and unfilled.
  public init(
    id: String, opportunityID: UInt64, strategy: Strategy, instrument: InstrumentID, marketID: String, side: Side,
    limit: Price, quantity: Quantity, timeInForce: TimeInForce, isUnwind: Bool, createdAt: Timestamp
  ) {
    self.id = id
    self.opportunityID = opportunityID
    self.strategy = strategy
    self.instrument = instrument
    self.marketID = marketID
    self.side = side
    self.limit = limit
    self.quantity = quantity
    self.timeInForce = timeInForce
    self.isUnwind = isUnwind
    self.createdAt = createdAt
    state = .journalled
    filled = .zero
    updatedAt = createdAt
    reason = ""
  }
}

/// What one order got at one price.
public struct Fill: Hashable, Sendable, Codable {
  /// The journal's number of it: rising, without gaps; 0 before it is journalled.
  public var sequence: Int64
  /// The order that was filled.
  public var orderID: String
  /// Which scanner found the opportunity behind it.
  public var strategy: Strategy
  /// What was traded.
  public var instrument: InstrumentID
  /// The market that the instrument is an outcome of.
  public var marketID: String
  /// Bought or sold.
  public var side: Side
  /// At which price.
  public var price: Price
  /// How many shares.
  public var quantity: Quantity
  /// The venue's fee.
  public var fee: Money
  /// When.
  public var time: Timestamp

  /// A fill by its parts, not yet journalled.
  public init(
    orderID: String, strategy: Strategy, instrument: InstrumentID, marketID: String, side: Side, price: Price,
    quantity: Quantity, fee: Money, time: Timestamp
  ) {
    sequence = 0
    self.orderID = orderID
    self.strategy = strategy
    self.instrument = instrument
    self.marketID = marketID
    self.side = side
    self.price = price
    self.quantity = quantity
    self.fee = fee
    self.time = time
  }

  /// price × quantity, rounded against us.
  public var notional: Money { Money(price, times: quantity, rounding: side == .buy ? .up : .down) }
}
