internal import Bus
internal import Market

extension Scanner {
  /// The opportunity that a find is, with all that an executor needs.
  func opportunity(_ find: Find, id: UInt64, state: OpportunityState, foundAt: Timestamp) -> Opportunity {
    var legs: [Leg] = []
    legs.reserveCapacity(find.legs.count)
    var venueTime = Timestamp(nanoseconds: 0)
    for leg in find.legs {
      let quote = LegQuote(side(of: leg, find), quantity: find.quote.quantity, rounding: find.kind.isSell ? .down : .up)
      venueTime = max(venueTime, feed.cache.header(leg.book).venueTime)
      legs.append(
        Leg(
          instrument: feed.markets[leg.market].instrument(ofOutcome: leg.outcome),
          marketID: feed.markets[leg.market].id, side: find.kind.isSell ? .sell : .buy, limit: quote.worst,
          quantity: find.quote.quantity, notional: quote.notional, fee: quote.fee))
    }
    var opportunity = Opportunity(
      id: id, state: state, kind: find.kind, eventID: feed.markets[find.legs[0].market].eventID, legs: legs,
      payout: find.payout, cost: find.cost, foundAt: foundAt, updatedAt: now, venueTime: venueTime)
    opportunity.score = scoring.score(facts(find, legs), find)
    opportunity.probability = find.probability
    opportunity.endsAt = endsAt(find)
    opportunity.hold = hold(find, opportunity.score)
    opportunity.markSource = find.markSource
    opportunity.triggerPrice = find.triggerPrice
    return opportunity
  }

  private func side(of leg: FindLeg, _ find: Find) -> SetLeg {
    SetLeg(levels: feed.cache.side(find.kind.isSell ? .bid : .ask, of: leg.book), fees: index.markets[leg.market].fees)
  }

  /// The end of the market that ends last; nil where a venue does not say it of one of them.
  private func endsAt(_ find: Find) -> Timestamp? {
    let last = find.legs.map { index.markets[$0.market].endsAt }.max() ?? Int64.max
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
