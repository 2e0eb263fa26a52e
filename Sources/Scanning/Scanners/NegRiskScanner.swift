internal import Bus
internal import Market

/// All outcomes of a neg-risk event: exactly one of them pays 1 (S5).
///
/// `Scanning.docc/NegRisk.md` has the formula, when it is real and when not, and an example that is also a test.
final class NegRiskScanner: MarketScanner {
  func scan(_ batch: DirtyBatch, _ engine: Scanner) {
    for place in batch.events where engine.index.events[place].isNegRisk { look(place, engine) }
  }

  func scanAll(_ engine: Scanner) {
    for place in engine.index.negRiskEvents {
      engine.index.verify(place)
      if engine.index.sums[place].isCandidate { look(place, engine) }
    }
    engine.countScanned(engine.index.negRiskEvents.count)
  }

  private func look(_ place: Int, _ engine: Scanner) {
    let markets = engine.index.events[place].markets
    let isOpen = engine.report(FindPlace(.negRisk, place), best(place, engine), legsMax: markets.count) { set, legs in
      fill(legs, markets, set.kind, engine)
    }
    engine.index.setHasFind(isOpen, event: place)
  }

  /// The most profitable set of an event; nothing is allocated for it.
  private func best(_ place: Int, _ engine: Scanner) -> PricedSet? {
    let sums = engine.index.sums[place]
    guard sums.legs >= 2 else { return nil }
    let buys = sums.asks < fixedPointScale
    let sells = sums.bids > fixedPointScale
    let converts = sums.noGain > fixedPointScale
    guard buys || sells || converts else { return nil }
    guard !engine.index.events[place].isOpenSet else { return engine.skip(.openOutcomeSet) }
    guard isWhole(place, engine) else { return nil }
    var best: PricedSet?
    if buys { best = better(best, set(.negRiskBuyYes, place, engine)) }
    if sells { best = better(best, set(.negRiskSellYes, place, engine)) }
    if converts { best = better(best, set(.negRiskConvert, place, engine)) }
    return best
  }

  private func better(_ left: PricedSet?, _ right: PricedSet?) -> PricedSet? {
    guard let left, let right else { return left ?? right }
    return right.profit > left.profit ? right : left
  }

  /// Whether every outcome that can still win is tradable here.
  private func isWhole(_ place: Int, _ engine: Scanner) -> Bool {
    let index = engine.index
    for market in index.events[place].markets {
      let record = index.markets[market]
      guard record.isOpen || !MarketIndex.isLost(engine.feed.markets[market]) else { continue }
      guard record.yes >= 0 else {
        engine.count(.incompleteEvent)
        return false
      }
      guard engine.isTradable(market) else {
        engine.count(engine.feed.markets[market].winner == 0 ? .resolvedEvent : .notTradable)
        return false
      }
    }
    return true
  }

  /// The book of a leg, if the outcome of a market is one for this kind of set.
  private func leg(_ market: Int, _ kind: OpportunityKind, _ engine: Scanner) -> FindLeg? {
    let record = engine.index.markets[market]
    // Of an event that is whole, what is not open is lost.
    guard record.yes >= 0, record.isOpen else { return nil }
    guard kind == .negRiskConvert else { return FindLeg(market: market, outcome: 0, book: Int(record.yes)) }
    let ask = engine.feed.cache.touches[Int(record.no)].ask
    guard ask < fixedPointScale,
      ask + engine.index.markets[market].fees.takerFeePerShare(price: Price(raw: ask)) < fixedPointScale
    else { return nil }
    return FindLeg(market: market, outcome: 1, book: Int(record.no))
  }

  /// Writes the legs of a set.
  /// - Returns: how many there are.
  private func fill(
    _ legs: UnsafeMutableBufferPointer<FindLeg>, _ markets: [Int], _ kind: OpportunityKind, _ engine: Scanner
  ) -> Int {
    var count = 0
    for market in markets {
      guard let leg = leg(market, kind, engine) else { continue }
      legs.initializeElement(at: count, to: leg)
      count += 1
    }
    return count
  }

  private func set(_ kind: OpportunityKind, _ place: Int, _ engine: Scanner) -> PricedSet? {
    let markets = engine.index.events[place].markets
    return withUnsafeTemporaryAllocation(of: FindLeg.self, capacity: markets.count) { legs in
      let count = fill(legs, markets, kind, engine)
      for leg in legs[..<count] where engine.feed.cache.headerUnchecked(leg.book).pointee.state != .live {
        return engine.skip(.bookNotLive)
      }
      guard count >= 2 else { return nil }
      let value = kind == .negRiskConvert ? fixedPointScale * Int64(count - 1) : fixedPointScale
      return engine.withLegs(count, side: kind.isSell ? .bid : .ask) {
        legs[$0]
      } body: { books, sides in
        engine.price(kind, books: books, sides: sides, setValue: Price(raw: value))
      }
    }
  }
}

extension PricedSet {
  /// What remains when everything is paid.
  var profit: Money {
    kind.isSell ? quote.notional - quote.fees - setValue : setValue - quote.notional - quote.fees
  }
}
