internal import Market

/// One leg with what we know of it ourselves.
struct CheckedLeg {
  /// The leg as the scanner found it.
  var leg: Leg
  /// Its market.
  var market: PredictionMarket
  /// Its book.
  var book: BookIndex
  /// The side of its book that it trades against, without what we have taken, worst first.
  var levels: [Level]

  /// Which outcome of its market it is; nil where the market has no such outcome.
  var outcome: Int? { market.outcomes.firstIndex { $0.token == leg.instrument.symbol } }
}

/// What a complete set is worth, computed here from the markets alone: the scanner's word is not enough.
enum SetValue {
  /// What one share of each leg together is worth for certain; nil where that is not certain.
  ///
  /// - Both outcomes of one market: 1.
  /// - YES of every outcome of a closed neg-risk event that can still win: 1.
  /// - NO of k outcomes of a closed neg-risk event, bought: k − 1, since at most one of them loses.
  static func certain(_ legs: [CheckedLeg], _ books: some MarketBooks) -> Price? {
    guard let first = legs.first, let firstOutcome = first.outcome else { return nil }
    if legs.count == 2, legs[1].market.id == first.market.id, legs[1].market.venue == first.market.venue {
      guard let second = legs[1].outcome, second != firstOutcome, first.market.outcomes.count == 2 else { return nil }
      return .one
    }
    guard legs.count >= 2, isClosedSet(legs), legs.allSatisfy({ $0.outcome == firstOutcome }) else { return nil }
    // Whoever sells NO of several outcomes may owe all of them, if another one wins.
    if firstOutcome == 1 { return first.leg.side == .buy ? Price(raw: fixedPointScale * Int64(legs.count - 1)) : nil }
    let legMarkets = Set(legs.map(\.market.id))
    for market in books.markets(ofEvent: first.market.eventID, venue: first.market.venue)
    where market.isNegRisk && !legMarkets.contains(market.id) {
      // An outcome that is lost already pays nothing, and is no leg; any other is missing.
      guard market.isClosed, market.winner == 1 else { return nil }
    }
    return .one
  }

  /// Whether the legs are distinct markets of one neg-risk event whose set of outcomes is closed.
  private static func isClosedSet(_ legs: [CheckedLeg]) -> Bool {
    let first = legs[0].market
    return Set(legs.map(\.market.id)).count == legs.count
      && legs.allSatisfy { leg in
        leg.market.isNegRisk && !leg.market.isAugmented && !leg.market.isPlaceholder
          && leg.market.venue == first.venue && leg.market.eventID == first.eventID
      }
  }
}
