/// The fee of a market: `shares · rate · (p · (1 − p))^exponent`, as Polymarket and Kalshi both have it.
public struct FeeSchedule: Hashable, Sendable, Codable {
  /// The rate as a decimal number, such as 0.07.
  public var rate: Price
  /// The exponent; 1 in all schedules seen in 2026.
  public var exponent: Int
  /// Whether only takers pay.
  public var takerOnly: Bool
  /// How the venue rounds.
  public var rounding: FeeRounding

  /// A schedule by its parts.
  public init(rate: Price, exponent: Int, takerOnly: Bool, rounding: FeeRounding = .polymarket) {
    self.rate = rate
    self.exponent = exponent
    self.takerOnly = takerOnly
    self.rounding = rounding
  }

  /// No fee at all.
  public static let none = FeeSchedule(rate: .zero, exponent: 1, takerOnly: true)

  /// The taker's fee for one fill, rounded up to the venue's step (the direction is ours: against us).
  ///
  /// Sources: Polymarket documentation, "Fees": `fee = shares · rate · (p · (1 − p))^exponent`, 5 decimals; Kalshi
  /// documentation, "Fee Rounding", the trade fee. What rounding of balances costs there is `OrderFees`' business.
  /// - Parameters:
  ///   - price: the price of the fill, between 0 and 1.
  ///   - quantity: the shares filled.
  /// - Returns: the fee in the collateral.
  @inlinable public func takerFee(price: Price, quantity: Quantity) -> Money {
    let unit = exactFeePerShare(price: price)
    guard unit > 0, quantity.raw > 0 else { return .zero }
    // Whole shares and the rest apart: their product with 24 decimals would not fit 128 bits together.
    let scale = Int128(fixedPointScale)
    let (whole, part) = Int128(quantity.raw).quotientAndRemainder(dividingBy: scale)
    let (partFee, lost) = (unit * part).quotientAndRemainder(dividingBy: scale)
    let (steps, rest) = (unit * whole + partFee).quotientAndRemainder(
      dividingBy: Int128(rounding.feeStep.raw) * 10_000_000_000_000_000)
    return Money(raw: (Int64(steps) + (rest > 0 || lost > 0 ? 1 : 0)) * rounding.feeStep.raw)
  }

  /// The taker's fee for one share in units of 10⁻⁸, rounded up: what the marginal share of a sweep pays.
  @inlinable public func takerFeePerShare(price: Price) -> Int64 {
    Int64((exactFeePerShare(price: price) + 9_999_999_999_999_999) / 10_000_000_000_000_000)
  }

  /// The fee for one share in units of 10⁻²⁴: exact for the exponent 1, rounded up for others.
  ///
  /// p · (1 − p) has 16 decimals and is ¼ at most; with rates up to 10 every product here fits 128 bits.
  @inlinable func exactFeePerShare(price: Price) -> Int128 {
    guard rate.raw > 0, price.raw > 0, price.raw < fixedPointScale else { return 0 }
    return exactPositiveFee(price)
  }

  // Apart, so that the many markets without a fee cost no call.
  @usableFromInline func exactPositiveFee(_ price: Price) -> Int128 {
    let spread = Int128(price.raw) * Int128(fixedPointScale - price.raw)
    var unit = Int128(rate.raw) * spread
    var left = exponent
    while left > 1 {
      unit = ((unit + 9_999) / 10_000 * spread + 999_999_999_999) / 1_000_000_000_000
      left -= 1
    }
    return unit
  }
}

/// One outcome of a market: what a token of it pays 1 for.
public struct Outcome: Hashable, Sendable, Codable {
  /// The venue's id of the token.
  public var token: String
  /// The outcome's name, such as `Yes`, `Up` or a team.
  public var name: String

  /// An outcome by its token and name.
  public init(token: String, name: String) {
    self.token = token
    self.name = name
  }
}

/// How an up/down market is settled: by a coin's price at its end against its price at its start.
public struct UpDownTerms: Hashable, Sendable, Codable {
  /// The coin, such as `BTC`.
  public var coin: String
  /// When the window opens: the first price.
  public var opensAt: Timestamp
  /// When the window closes: the second price.
  public var closesAt: Timestamp

  /// Terms by coin and window.
  public init(coin: String, opensAt: Timestamp, closesAt: Timestamp) {
    self.coin = coin
    self.opensAt = opensAt
    self.closesAt = closesAt
  }
}

/// A binary prediction market: two outcomes, of which one pays 1.
public struct PredictionMarket: Hashable, Sendable, Codable {
  /// Where it is traded.
  public var venue: Venue
  /// The venue's id: a condition id, a ticker.
  public var id: String
  /// The event it belongs to; markets of one event share it.
  public var eventID: String
  /// The question that it asks.
  public var question: String
  /// The first outcome (YES, Up), then the second (NO, Down).
  public var outcomes: [Outcome]
  /// The grid of prices.
  public var tick: Price
  /// The least quantity of a resting order.
  public var minimumQuantity: Quantity
  /// What a taker pays.
  public var fees: FeeSchedule
  /// When it ends; nil where the venue does not say.
  public var endsAt: Timestamp?
  /// Whether it takes part in a neg-risk event: exactly one of the event's outcomes pays.
  public var isNegRisk: Bool
  /// Whether the event's set of outcomes is open (augmented), so that "buy every YES" is no complete set.
  public var isAugmented: Bool
  /// Whether this is a placeholder or the "other" outcome, whose price means nothing.
  public var isPlaceholder: Bool
  /// Whether the venue takes orders for it now.
  public var isAcceptingOrders: Bool
  /// Whether it is closed.
  public var isClosed: Bool
  /// The index of the outcome that won, once resolved; nil before, and for a split resolution.
  public var winner: Int?
  /// What each outcome pays, once resolved; nil before.
  public var payouts: [Price]?
  /// Terms, where this is an up/down market.
  public var upDown: UpDownTerms?
  /// The first eight bytes of the SHA-256 of all that says how it is decided: title, rules, source, close time; 0 where
  /// the venue's text is not known.
  ///
  /// Who has approved it as equal to another market has approved this text, and no other (X6).
  public var termsDigest: UInt64
  /// What was traded in the last day as the venue tells it, in dollars, a contract counting as 1; zero where it does not
  /// say.
  ///
  /// It is told anew when it has changed by a quarter.
  public var dayVolume: Money
  /// The prices that it takes, where `tick` alone does not say it.
  public var grid: PriceGrid?

  /// A market by its ids and outcomes, with everything else at its plainest; set what the venue says.
  public init(venue: Venue, id: String, eventID: String, question: String, outcomes: [Outcome], tick: Price) {
    self.venue = venue
    self.id = id
    self.eventID = eventID
    self.question = question
    self.outcomes = outcomes
    self.tick = tick
    minimumQuantity = .zero
    fees = .none
    isNegRisk = false
    isAugmented = false
    isPlaceholder = false
    isAcceptingOrders = true
    isClosed = false
    termsDigest = 0
    dayVolume = .zero
  }

  /// What an outcome is called where it is traded.
  ///
  /// Traps where there is no such outcome.
  @inlinable public func instrument(ofOutcome outcome: Int) -> InstrumentID {
    InstrumentID(venue: venue, symbol: outcomes[outcome].token)
  }

  /// Whether it may be scanned and traded at `now`: open, taking orders, and not past its end (S2).
  public func isTradable(at now: Timestamp) -> Bool {
    guard !isClosed, isAcceptingOrders, outcomes.count == 2, !isPlaceholder else { return false }
    guard let endsAt else { return true }
    return endsAt > now
  }
}
