package import Market

/// Where a market of the venue stands.
///
/// Exits: `open` → `ended` at its end date; `ended` → `resolved` some seconds later. `resolved` is final.
package enum MarketState: Hashable, Sendable {
  /// Its books are open.
  case open
  /// Past its end, not yet resolved: books empty, no orders taken.
  case ended
  /// The outcome that pays is known.
  case resolved(winner: Int)
}

/// What a market is about, and so how it ends.
package enum MarketSubject: Hashable, Sendable {
  /// One of the venue's ordinary markets.
  case ordinary
  /// A market that ends within minutes, one every ten seconds.
  case brief
  /// A coin's price at the end of a window against the price at its start.
  case upDown(Coin, opensAt: Timestamp)
}

/// The fees of a market, as Gamma names them.
package struct FeeKind: Hashable, Sendable {
  /// `crypto_fees_v2`; nil where there is no fee.
  package var name: String?
  package var rate: Price
  package var rebateRate: Price

  package init(name: String?, rate: Price, rebateRate: Price = Price(raw: 25_000_000)) {
    self.name = name
    self.rate = rate
    self.rebateRate = rebateRate
  }

  /// The schedule that a taker pays by.
  package var schedule: FeeSchedule {
    name == nil ? .none : FeeSchedule(rate: rate, exponent: 1, takerOnly: true)
  }

  static let none = FeeKind(name: nil, rate: .zero)
  static let crypto = FeeKind(name: "crypto_fees_v2", rate: Price(raw: 7_000_000), rebateRate: Price(raw: 20_000_000))
  static let finance = FeeKind(name: "finance_prices_fees", rate: Price(raw: 4_000_000))
  static let economics = FeeKind(name: "economics_fees", rate: Price(raw: 5_000_000))
  static let sports = FeeKind(name: "sports_fees_v2", rate: Price(raw: 5_000_000))
  static let politics = FeeKind(name: "politics_fees", rate: Price(raw: 4_000_000))
}

/// A market of the simulated venue.
package struct SimulatedMarket: Sendable {
  /// Gamma's id.
  package var id: Int64
  /// Which event it belongs to: an index.
  package var event: Int
  package var conditionID: String
  package var questionID: String
  package var slug: String
  package var question: String
  package var groupItemTitle = ""
  package var outcomes = ["Yes", "No"]
  /// The two token ids; none where the market is a placeholder that has not been opened.
  package var tokens: [String]
  package var tick: Price
  package var minimumSize = Quantity(units: 5)
  package var fees: FeeKind
  package var subject = MarketSubject.ordinary
  package var isPlaceholder = false
  /// Whether the venue calls it active, as it does even when it is closed.
  package var isActive = true
  /// Whether it is the "other" outcome of an augmented event.
  package var isOther = false
  package var startsAt: Timestamp
  package var endsAt: Timestamp
  /// When the venue reports the result.
  package var resolvesAt: Timestamp
  package var state = MarketState.open
  package var closedAt: Timestamp?
  /// The distance between the best prices that the market maker keeps, in ticks.
  package var spreadTicks = 2
  package var lastTrade: Price?
  package var lastTradeSide = Side.buy
  /// Traded in 24 hours and since the start, in dollars.
  package var volumeDay: Money = .zero
  package var volumeTotal: Money = .zero

  package init(
    id: Int64, event: Int, conditionID: String, questionID: String, slug: String, question: String, tokens: [String],
    tick: Price, fees: FeeKind, startsAt: Timestamp, endsAt: Timestamp, resolvesAt: Timestamp
  ) {
    self.id = id
    self.event = event
    self.conditionID = conditionID
    self.questionID = questionID
    self.slug = slug
    self.question = question
    self.tokens = tokens
    self.tick = tick
    self.fees = fees
    self.startsAt = startsAt
    self.endsAt = endsAt
    self.resolvesAt = resolvesAt
  }

  /// Whether it has books that are open.
  package var isTradable: Bool { state == .open && !tokens.isEmpty }

  /// Whether its result is out.
  package var isClosed: Bool {
    if case .resolved = state { return true }
    return false
  }

  /// The outcome that won, nil before.
  package var winner: Int? {
    if case .resolved(let winner) = state { return winner }
    return nil
  }
}

/// An event: one question with one or many markets.
package struct SimulatedEvent: Sendable {
  /// Gamma's id.
  package var id: Int64
  package var slug: String
  package var title: String
  package var category: String
  /// Its markets: indices.
  package var markets: [Int]
  /// Whether exactly one of its markets pays.
  package var isNegRisk = false
  /// Whether outcomes may still be added.
  package var isAugmented = false
  package var negRiskMarketID = ""
  package var startsAt: Timestamp
  package var endsAt: Timestamp

  package init(
    id: Int64, slug: String, title: String, category: String, markets: [Int], startsAt: Timestamp, endsAt: Timestamp
  ) {
    self.id = id
    self.slug = slug
    self.title = title
    self.category = category
    self.markets = markets
    self.startsAt = startsAt
    self.endsAt = endsAt
  }
}

/// A trade that the venue reports.
package struct PublicTrade: Sendable {
  package var market: Int
  package var outcome: Int
  package var price: Price
  package var quantity: Quantity
  package var side: Side
  package var time: Timestamp
  package var number: UInt64
}
