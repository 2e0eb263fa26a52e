public import Market
package import Store

extension Strategy {
  /// Whether its sets pay a known amount; those of two venues, and single outcomes, do not.
  var paysForCertain: Bool {
    switch self {
    case .binary, .negRisk: true
    case .crossPlatform, .latency, .spike: false
    }
  }
}

/// What a former run has left at risk in a market.
public struct FormerRisk: Hashable, Sendable {
  /// What was paid for shares whose payout is not certain.
  public var open: Money
  /// What was paid for shares that could not be sold.
  public var stuck: Money

  /// A risk by its parts.
  package init(open: Money = .zero, stuck: Money = .zero) {
    self.open = open
    self.stuck = stuck
  }

  /// The risks of a journal and a ledger.
  ///
  /// - Parameters:
  ///   - ledger: the ledger's positions.
  ///   - fills: the journal's fills after them, in order.
  ///   - stuck: the positions that a person has still to deal with; they are among the others, too.
  /// - Returns: the risks by `VENUE/MARKET`.
  package static func byMarket(ledger: [Position], fills: [Fill], stuck: [StuckPosition]) -> [String: FormerRisk] {
    var risks: [String: FormerRisk] = [:]
    for position in stuck {
      risks[key(position.instrument, position.marketID), default: FormerRisk()].stuck += position.cost
    }
    for strategy in Strategy.allCases where !strategy.paysForCertain {
      var held: [InstrumentID: Portfolio.Position] = [:]
      for position in ledger where position.key.strategy == strategy {
        held[position.key.instrument] = Portfolio.Position(
          marketID: position.marketID, quantity: position.quantity, cost: position.cost)
      }
      var account = Portfolio(cash: .zero, positions: held)
      for fill in fills where fill.strategy == strategy { account.apply(fill) }
      for (instrument, position) in account.positions {
        let unsold = stuck.filter { $0.strategy == strategy && $0.instrument == instrument }
        let open = unsold.reduce(position.cost) { $0 - $1.cost }
        if open.raw > 0 { risks[key(instrument, position.marketID), default: FormerRisk()].open += open }
      }
    }
    return risks
  }

  private static func key(_ instrument: InstrumentID, _ market: String) -> String {
    "\(instrument.venue.rawValue)/\(market)"
  }
}
