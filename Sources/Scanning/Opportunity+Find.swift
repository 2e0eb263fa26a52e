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
    opportunity.venueTime = Timestamp(nanoseconds: 0)
    for (number, leg) in find.legs.enumerated() {
      let quote = LegQuote(side(of: leg, find), quantity: find.quote.quantity, rounding: find.kind.isSell ? .down : .up)
      opportunity.venueTime = max(opportunity.venueTime, feed.cache.header(leg.book).venueTime)
      opportunity.legs[number].limit = quote.worst
      opportunity.legs[number].quantity = find.quote.quantity
      opportunity.legs[number].notional = quote.notional
      opportunity.legs[number].fee = quote.fee
    }
    opportunity.payout = find.payout
    opportunity.cost = find.cost
    opportunity.updatedAt = now
    opportunity.score = scoring.score(facts(find, opportunity.legs), find)
    opportunity.probability = find.probability
    opportunity.endsAt = endsAt(find)
    opportunity.hold = hold(find, opportunity.score)
    opportunity.markSource = find.markSource
    opportunity.staleReason = ""
    opportunity.triggerPrice = find.triggerPrice
  }

  private func side(of leg: FindLeg, _ find: Find) -> SetLeg {
    SetLeg(levels: feed.cache.side(find.kind.isSell ? .bid : .ask, of: leg.book), fees: index.markets[leg.market].fees)
  }

  /// The end of the market that ends last; nil where a venue does not say it of one of them.
  private func endsAt(_ find: Find) -> Timestamp? {
    let last = find.legs.reduce(Int64.min) { max($0, index.markets[$1.market].endsAt) }
    return last == Int64.max ? nil : Timestamp(nanoseconds: last)
  }

  /// What is seen of a find, of which its score is made.
  private func facts(_ find: Find, _ legs: [Leg]) -> Scoring.Facts {
    var facts = Scoring.Facts()
    for (leg, order) in zip(find.legs, legs) {
      let book: BookSide = find.kind.isSell ? .bid : .ask
      let levels = feed.cache.side(book, of: leg.book)
      let there = Depth.sweepDepth(levels, limit: order.limit, book: book)
      facts.depthRatio = min(facts.depthRatio, Double(there.raw) / Double(max(1, order.quantity.raw)))
      facts.dayVolume = min(facts.dayVolume, feed.markets[leg.market].dayVolume)
      facts.recentTradeCount = min(facts.recentTradeCount, activity.recentCount(of: leg.book, now: now))
    }
    facts.lockedSeconds = lockedSeconds(find)
    return facts
  }

  /// How long the capital is locked: until what is held becomes cash again.
  ///
  /// Both outcomes of one market are merged, and what is sold is cash at once; all else waits for the last market's end
  /// and its resolution.
  private func lockedSeconds(_ find: Find) -> Int64? {
    switch find.kind {
    case .binaryBuy, .binarySell, .negRiskSellYes: return options.mergeSeconds
    case .negRiskBuyYes, .negRiskConvert, .crossFirst, .crossSecond, .latencyUp, .latencyDown, .spike:
      guard let end = endsAt(find) else { return nil }
      return max(0, end.nanoseconds(since: now) / 1_000_000_000) + options.resolutionSeconds
    }
  }
}
