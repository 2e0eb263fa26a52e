public import Market

/// Where a Kalshi market is in its life, as answers call it (the filter of a request uses other words).
public enum KalshiStatus: String, Hashable, Sendable, CaseIterable {
  case initialized, inactive, active, closed, determined, disputed, amended, finalized

  /// Whether it takes orders.
  public var isOpen: Bool { self == .active }

  /// Whether trading is over.
  public var isOver: Bool {
    switch self {
    case .initialized, .inactive, .active: false
    case .closed, .determined, .disputed, .amended, .finalized: true
    }
  }
}

/// A Kalshi market: what all venues have, and what only this one says.
public struct KalshiMarket: Hashable, Sendable {
  /// As every venue's markets are described; its `tick` is the finest step of `grid`.
  public var market: PredictionMarket
  /// Where it is in its life.
  public var status: KalshiStatus
  /// The prices that it takes.
  public var grid: PriceGrid
  /// The best bid for YES; nil where there is none (the venue writes 0).
  public var yesBid: Level?
  /// The best offer of YES; nil where there is none (the venue writes 1).
  public var yesAsk: Level?
  /// The last price of YES; nil where it was never traded (the venue writes 0).
  public var lastPrice: Price?
  /// What was traded in all its life, in contracts.
  public var volume: Quantity?
  /// What was traded in the last 24 hours, in contracts.
  public var volume24h: Quantity?
  /// Contracts that are held.
  public var openInterest: Quantity?
  /// How the strikes are to be read, such as `greater` or `between`; nil where it has none.
  public var strikeType: String?
  /// The lower strike, exactly as it was written.
  public var floorStrike: String?
  /// The upper strike, likewise.
  public var capStrike: String?
  /// When trading begins.
  public var opensAt: Timestamp?
  /// When the venue expects to know the result.
  public var expectedExpirationAt: Timestamp?
  /// `yes`, `no`, `scalar`, or empty where it is not known.
  public var result: String
  /// What YES pays, once it is known.
  public var settlementValue: Price?
  /// The rules, first and second part.
  public var rules: [String]
  /// What tells it from the event's other markets, such as `$74,300 or above`.
  public var subtitle = ""

  /// What says how it is decided, as it was listed.
  public var terms: MarketTerms {
    let strike = [strikeType, floorStrike, capStrike].compactMap(\.self).filter { !$0.isEmpty }
    return MarketTerms(
      venue: .kalshi, id: market.id, eventID: market.eventID, title: market.question, subtitle: subtitle,
      strike: strike.joined(separator: " "), rules: rules.filter { !$0.isEmpty }.joined(separator: "\n\n"),
      closesAt: market.endsAt, outcomes: market.outcomes.map(\.name)
    ).sealed()
  }

  /// What NO's best bid is: the best offer of YES, turned round.
  public var noBid: Level? { yesAsk.map { Level(price: $0.price.complement, quantity: $0.quantity) } }
  /// What NO's best offer is: the best bid for YES, turned round.
  public var noAsk: Level? { yesBid.map { Level(price: $0.price.complement, quantity: $0.quantity) } }
}

extension KalshiMarket {
  /// A market of which only what all venues have is known.
  public init(market: PredictionMarket, grid: PriceGrid) {
    self.init(
      market: market, status: market.isClosed ? .closed : market.isAcceptingOrders ? .active : .inactive, grid: grid,
      result: "", rules: [])
  }
}

/// How a series or an event charges.
public struct KalshiFees: Hashable, Sendable {
  /// Such as `quadratic`, `quadratic_with_maker_fees`, `flat`.
  public var type: String
  /// What the formula is multiplied by.
  public var multiplier: Price

  /// Fees by their parts.
  public init(type: String, multiplier: Price) {
    self.type = type
    self.multiplier = multiplier
  }

  /// What holds where the venue has not said: the ordinary formula, because fees that are unknown are not zero.
  public static let ordinary = KalshiFees(type: "quadratic", multiplier: .one)

  /// The formula's rates, and from when they hold; documentation, "Fees", 2026.
  private static let rates: [(from: Timestamp, taker: Int64, maker: Int64)] = [
    (Timestamp(nanoseconds: 0), taker: 7_000_000, maker: 1_750_000)
  ]

  /// What a taker pays at a time: `0.07 · C · P · (1 − P) · multiplier`.
  ///
  /// `flat` has no formula in the documentation; it is planned as the ordinary one.
  public func schedule(at time: Timestamp) -> FeeSchedule {
    let rates = Self.rates.last { $0.from <= time }
    return FeeSchedule(
      rate: rate(rates?.taker ?? 0), exponent: 1, takerOnly: !hasMakerFees, rounding: .of(.kalshi, at: time))
  }

  /// What a maker pays at a time: `0.0175 · C · P · (1 − P) · multiplier` where the series charges makers.
  public func makerSchedule(at time: Timestamp) -> FeeSchedule {
    let rates = Self.rates.last { $0.from <= time }
    return FeeSchedule(
      rate: hasMakerFees ? rate(rates?.maker ?? 0) : .zero, exponent: 1, takerOnly: false,
      rounding: .of(.kalshi, at: time))
  }

  private var hasMakerFees: Bool { type.contains("maker_fees") || type.contains("combo_maker") }

  /// Rounded up: a fee is never planned too low.
  private func rate(_ raw: Int64) -> Price {
    let scale = Int128(fixedPointScale)
    return Price(raw: Int64((Int128(raw) * Int128(multiplier.raw) + scale - 1) / scale))
  }
}

/// A Kalshi series: what recurring events have in common.
public struct KalshiSeries: Hashable, Sendable {
  /// The venue's name of it.
  public var ticker: String
  /// For people.
  public var title: String
  /// Such as `Crypto`.
  public var category: String
  /// Such as `hourly`.
  public var frequency: String
  /// What it charges.
  public var fees: KalshiFees
}

/// A Kalshi event: markets about one question.
public struct KalshiEvent: Hashable, Sendable {
  /// The venue's name of it.
  public var ticker: String
  /// The series that it belongs to.
  public var seriesTicker: String
  /// For people.
  public var title: String
  /// For people, the second line.
  public var subtitle: String
  /// Such as `Crypto`.
  public var category: String
  /// Whether at most one of its markets can resolve to YES; that one of them will is not promised.
  public var isMutuallyExclusive: Bool
  /// Its markets that could be read.
  public var markets: [KalshiMarket]
}
