public import Market
public import Store

/// Instruments that together pay a fixed amount whatever happens, one share of each.
public struct CompleteSet: Hashable, Sendable {
  /// The instruments, at least two.
  public var instruments: [InstrumentID]
  /// What one share of each pays together.
  public var worth: Money

  /// A set by its instruments and worth.
  public init(instruments: [InstrumentID], worth: Money) {
    self.instruments = instruments
    self.worth = worth
  }

  /// The outcomes of one market: one of them pays 1.
  public init(of market: PredictionMarket) {
    instruments = market.outcomes.map { InstrumentID(venue: market.venue, symbol: $0.token) }
    worth = .one
  }

  /// The sets that all markets of a neg-risk event form: every YES pays 1 together, every NO pays one less than there
  /// are markets.
  /// - Parameter markets: all markets of the event; none that is augmented or a placeholder, so that exactly one
  ///   resolves to YES.
  /// - Returns: the two sets; none where the markets are no such event.
  public static func ofNegRiskEvent(_ markets: [PredictionMarket]) -> [CompleteSet] {
    let isComplete = markets.allSatisfy {
      $0.isNegRisk && !$0.isAugmented && !$0.isPlaceholder && $0.outcomes.count == 2
    }
    guard markets.count >= 2, isComplete else { return [] }
    return [0, 1].map { outcome in
      CompleteSet(
        instruments: markets.map { $0.instrument(ofOutcome: outcome) },
        worth: Money(dollars: outcome == 0 ? 1 : markets.count - 1))
    }
  }
}

/// The best prices at which shares could be sold and bought back now.
public struct Quote: Hashable, Sendable {
  /// The best bid; nil where none is known.
  public var bid: Price?
  /// The best ask; nil where none is known.
  public var ask: Price?

  /// A quote by its prices.
  public init(bid: Price?, ask: Price?) {
    self.bid = bid
    self.ask = ask
  }
}

/// What a position is worth.
public struct ValuedPosition: Hashable, Sendable {
  /// The position.
  public var position: Position
  /// How many of its shares are part of complete sets.
  public var inSets: Quantity
  /// What the position is worth: its part of complete sets, and the rest at what it would fetch now.
  public var value: Money

  /// What would be gained if it were turned into money at this value.
  public var unrealised: Money { value - position.cost }
}

/// Values the positions of one strategy.
public enum Valuation {
  /// Values positions: complete sets at what they pay for certain, the rest at the best bid (a short rest at the best
  /// ask), and at cost where there is none.
  ///
  /// Every rounding is down. The worth of a set is divided evenly between its instruments.
  /// - Parameters:
  ///   - positions: positions of one strategy.
  ///   - sets: the complete sets that may be among them; an earlier one takes its shares first.
  ///   - quote: the best prices of an instrument.
  /// - Returns: the positions in their order, with their values.
  public static func value(
    _ positions: [Position], sets: [CompleteSet], quote: (InstrumentID) -> Quote
  ) -> [ValuedPosition] {
    var loose: [InstrumentID: Int64] = [:]
    for position in positions { loose[position.key.instrument] = position.quantity.raw }
    var setValue: [InstrumentID: Int128] = [:]
    for set in sets {
      let held = set.instruments.map { loose[$0] ?? 0 }
      // Sets that were sold are owed just as surely as those that are held are paid.
      let count: Int64
      if let least = held.min(), least > 0 {
        count = least
      } else if let most = held.max(), most < 0 {
        count = most
      } else {
        continue
      }
      let worth = Bookkeeper.roundedDown(Int128(count) * Int128(set.worth.raw))
      let members = Int128(set.instruments.count)
      for (index, instrument) in set.instruments.enumerated() {
        loose[instrument, default: 0] -= count
        setValue[instrument, default: 0] += worth / members + (index == 0 ? worth % members : 0)
      }
    }
    return positions.map { position in
      let rest = loose[position.key.instrument] ?? 0
      let value = (setValue[position.key.instrument] ?? 0) + looseValue(position, rest, quote)
      return ValuedPosition(
        position: position, inSets: Quantity(raw: position.quantity.raw - rest), value: Money(clamping: value))
    }
  }

  private static func looseValue(_ position: Position, _ rest: Int64, _ quote: (InstrumentID) -> Quote) -> Int128 {
    guard rest != 0 else { return 0 }
    let quote = quote(position.key.instrument)
    if let price = rest > 0 ? quote.bid : quote.ask {
      return Bookkeeper.roundedDown(Int128(price.raw) * Int128(rest))
    }
    return Int128(position.cost.raw) * Int128(rest) / Int128(position.quantity.raw)
  }
}

extension Money {
  /// The nearest amount that fits: for values that are shown, never for amounts that are booked.
  init(clamping raw: Int128) { self.init(raw: Int64(clamping: raw)) }
}

/// Profit and loss of one strategy.
public struct StrategyProfit: Hashable, Sendable {
  /// Which strategy.
  public var strategy: Strategy
  /// What was realised by sales and settlements, before fees.
  public var realised: Money
  /// What the open positions are worth beyond their cost.
  public var unrealised: Money
  /// The fees.
  public var fees: Money
}

/// Profit and loss of everything: `equity = deposits + realised + unrealised − fees − rounding`.
public struct ProfitSummary: Hashable, Sendable {
  /// The money that we have.
  public var cash: Money
  /// What was paid in.
  public var deposits: Money
  /// The value of all positions.
  public var positionValue: Money
  /// What rounding against us has cost.
  public var rounding: Money
  /// The strategies that ever traded, in the order of their codes.
  public var strategies: [StrategyProfit]

  /// What was realised, before fees.
  public var realised: Money { Money(clamping: strategies.reduce(0) { $0 + Int128($1.realised.raw) }) }
  /// What the open positions are worth beyond their cost.
  public var unrealised: Money { Money(clamping: strategies.reduce(0) { $0 + Int128($1.unrealised.raw) }) }
  /// The fees.
  public var fees: Money { Money(clamping: strategies.reduce(0) { $0 + Int128($1.fees.raw) }) }
  /// What we would have if everything were turned into money now.
  public var equity: Money { Money(clamping: Int128(cash.raw) + Int128(positionValue.raw)) }

  /// Brings the ledger's balances and the values of the positions together.
  /// - Parameters:
  ///   - balances: what the accounts hold.
  ///   - positions: all positions with their values.
  public init(balances: [LedgerAccount: Int64], positions: [ValuedPosition]) {
    cash = Money(raw: balances[.cash] ?? 0)
    deposits = -Money(raw: balances[.deposits] ?? 0)
    rounding = Money(raw: balances[.rounding] ?? 0)
    positionValue = Money(clamping: positions.reduce(0) { $0 + Int128($1.value.raw) })
    strategies = Strategy.allCases.compactMap { strategy in
      var profit = StrategyProfit(strategy: strategy, realised: .zero, unrealised: .zero, fees: .zero)
      var isUsed = false
      for venue in Venue.allCases {
        if let gained = balances[.realised(strategy, venue)] {
          profit.realised -= Money(raw: gained)
          isUsed = true
        }
        if let paid = balances[.fees(strategy, venue)] {
          profit.fees += Money(raw: paid)
          isUsed = true
        }
      }
      for valued in positions where valued.position.key.strategy == strategy {
        profit.unrealised += valued.unrealised
        isUsed = true
      }
      return isUsed ? profit : nil
    }
  }
}
