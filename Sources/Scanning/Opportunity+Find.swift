internal import Bus
internal import Market

extension Scanner {
  /// The opportunity that a find is, with all that an executor needs.
  func opportunity(_ find: Find, id: UInt64) -> Opportunity {
    let legs = find.legs.map { leg in
      Leg(
        instrument: feed.markets[leg.market].instrument(ofOutcome: leg.outcome), marketID: feed.markets[leg.market].id,
        side: find.kind.isSell ? .sell : .buy, limit: .zero, quantity: .zero, notional: .zero, fee: .zero)
    }
    var opportunity = Opportunity(
      id: id, state: .opened, kind: find.kind, eventID: feed.markets[find.legs[0].market].eventID, legs: legs,
      payout: find.payout, cost: find.cost, foundAt: now, updatedAt: now, venueTime: now)
    refresh(&opportunity, find)
    return opportunity
  }

  /// Brings what books, prices and the time make of an opportunity up to date; its legs are those of the find.
  func refresh(_ opportunity: inout Opportunity, _ find: Find) {
    let book: BookSide = find.kind.isSell ? .bid : .ask
    let quantity = find.quote.quantity
    var facts = Scoring.Facts()
    var venueTime: Int64 = 0
    for number in find.legs.indices {
      let leg = find.legs[number]
      let market = index.markets.base + leg.market
      let levels = feed.cache.side(book, of: leg.book)
      let quote = LegQuote(
        SetLeg(levels: levels, fees: market.pointee.fees), quantity: quantity, rounding: find.kind.isSell ? .down : .up)
      opportunity.legs[number].limit = quote.worst
      opportunity.legs[number].quantity = quantity
      opportunity.legs[number].notional = quote.notional
      opportunity.legs[number].fee = quote.fee
      venueTime = max(venueTime, feed.cache.headerUnchecked(leg.book).pointee.venueTime.nanoseconds)
      let there = Depth.sweepDepth(levels, limit: quote.worst, book: book)
      facts.depthRatio = min(facts.depthRatio, Double(there.raw) / Double(max(1, quantity.raw)))
      facts.dayVolume = min(facts.dayVolume, market.pointee.dayVolume)
      facts.recentTradeCount = min(facts.recentTradeCount, activity.recentCount(of: leg.book, now: now))
    }
    let end = endsAt(find)
    facts.lockedSeconds = lockedSeconds(find, endsAt: end)
    opportunity.venueTime = Timestamp(nanoseconds: venueTime)
    opportunity.payout = find.payout
    opportunity.cost = find.cost
    opportunity.updatedAt = now
    opportunity.score = scoring.score(facts, find)
    opportunity.probability = find.probability
    opportunity.endsAt = end
    opportunity.hold = hold(find, opportunity.score)
    opportunity.markSource = find.markSource
    opportunity.staleReason = ""
    opportunity.triggerPrice = find.triggerPrice
  }

  /// The end of the market that ends last; nil where a venue does not say it of one of them.
  private func endsAt(_ find: Find) -> Timestamp? {
    let last = find.legs.reduce(Int64.min) { max($0, index.markets[$1.market].endsAt) }
    return last == Int64.max ? nil : Timestamp(nanoseconds: last)
  }

  /// How long the capital is locked: until what is held becomes cash again.
  ///
  /// Both outcomes of one market are merged, and what is sold is cash at once; all else waits for the last market's end
  /// and its resolution.
  private func lockedSeconds(_ find: Find, endsAt: Timestamp?) -> Int64? {
    switch find.kind {
    case .binaryBuy, .binarySell, .negRiskSellYes: return options.mergeSeconds
    case .negRiskBuyYes, .negRiskConvert, .crossFirst, .crossSecond, .latencyUp, .latencyDown, .spike:
      guard let end = endsAt else { return nil }
      return max(0, end.nanoseconds(since: now) / 1_000_000_000) + options.resolutionSeconds
    }
  }
}
