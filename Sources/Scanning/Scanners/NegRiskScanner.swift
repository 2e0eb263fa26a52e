internal import Bus
internal import Market

/// All outcomes of a neg-risk event: exactly one of them pays 1 (S5).
///
/// - Buy YES of all where `Σ ask(YES) + fees < 1`: one of them pays 1.
/// - Sell YES of all where `Σ bid(YES) − fees > 1`: a full set of YES costs 1 to make (split each market, convert all
///   NO but keep the collateral).
/// - Buy NO of k outcomes where `Σ ask(NO) + fees < k − 1`: at most one of the k loses. An outcome belongs to the best
///   choice exactly if its NO costs less than 1 with its fee. Books that mirror each other show the last two together;
///   the better one is reported.
///
/// An event whose set of outcomes is open, or not whole here, is left out. An outcome that is already resolved to NO
/// pays nothing and is no leg; one that is resolved to YES ends the event.
///
/// Example: three outcomes ask 0.30, 0.33 and 0.32 with 50 shares each, no fees: 50 sets cost 47.50 and pay 50:
/// profit 2.50.
enum NegRiskScanner {
  /// Looks at one event; sums of the best prices decide in most cases.
  static func scan(_ place: Int, _ context: Scanner) -> Find? {
    let event = context.index.events[place]
    guard event.isNegRisk, event.markets.count >= 2 else { return nil }
    var legCount = 0
    var asks: Int64 = 0
    var bids: Int64 = 0
    var noGain: Int64 = 0
    for market in event.markets {
      let record = context.index.markets[market]
      guard record.yes >= 0, record.isOpen || !isLost(market, context) else { continue }
      let yes = context.feed.cache.headerUnchecked(Int(record.yes)).pointee
      let no = context.feed.cache.headerUnchecked(Int(record.no)).pointee
      legCount += 1
      // No ask counts as 1: the sum of many "none" would overflow.
      asks += min(yes.bestAsk, fixedPointScale)
      bids += yes.bestBid
      noGain += max(0, fixedPointScale - no.bestAsk)
    }
    guard legCount >= 2 else { return nil }
    let buys = asks < fixedPointScale
    let sells = bids > fixedPointScale
    let converts = noGain > fixedPointScale
    guard buys || sells || converts else { return nil }
    guard !event.isOpenSet else { return context.skip(.openOutcomeSet) }
    guard let legs = legs(of: event, context: context) else { return nil }
    var best: Find?
    for find in [
      buys ? buyYes(place, legs, context) : nil, sells ? sellYes(place, legs, context) : nil,
      converts ? buyNo(place, legs, context) : nil,
    ] {
      guard let find else { continue }
      if let known = best, known.profit >= find.profit { continue }
      best = find
    }
    return best
  }

  private static func isLost(_ market: Int, _ context: Scanner) -> Bool {
    let market = context.feed.markets[market]
    return market.isClosed && market.winner == 1
  }

  /// The YES legs of all outcomes that can still win; nil where the event cannot be traded as a whole.
  private static func legs(of event: EventRecord, context: Scanner) -> [FindLeg]? {
    var legs: [FindLeg] = []
    for market in event.markets where !isLost(market, context) {
      let record = context.index.markets[market]
      guard record.yes >= 0 else {
        context.count(.incompleteEvent)
        return nil
      }
      guard record.isOpen, context.index.endsAt[market] > context.now.nanoseconds else {
        context.count(context.feed.markets[market].winner == 0 ? .resolvedEvent : .notTradable)
        return nil
      }
      legs.append(FindLeg(market: market, outcome: 0, book: Int(record.yes)))
    }
    return legs
  }

  private static func areLive(_ legs: [FindLeg], _ context: Scanner) -> Bool {
    for leg in legs where context.feed.cache.headerUnchecked(leg.book).pointee.state != .live {
      context.count(.bookNotLive)
      return false
    }
    return true
  }

  private static func buyYes(_ place: Int, _ legs: [FindLeg], _ context: Scanner) -> Find? {
    guard areLive(legs, context) else { return nil }
    let sides = context.sides(.ask, of: legs)
    return context.find(.negRiskBuyYes, place: place, legs: legs, sides: sides, setValue: .one)
  }

  private static func sellYes(_ place: Int, _ legs: [FindLeg], _ context: Scanner) -> Find? {
    guard areLive(legs, context) else { return nil }
    let sides = context.sides(.bid, of: legs)
    return context.find(.negRiskSellYes, place: place, legs: legs, sides: sides, setValue: .one)
  }

  private static func buyNo(_ place: Int, _ yesLegs: [FindLeg], _ context: Scanner) -> Find? {
    var legs: [FindLeg] = []
    for leg in yesLegs {
      let no = Int(context.index.markets[leg.market].no)
      let header = context.feed.cache.headerUnchecked(no).pointee
      let ask = Price(raw: header.bestAsk)
      guard ask.raw < fixedPointScale else { continue }
      let fee = context.feed.markets[leg.market].fees.takerFeePerShare(price: ask)
      guard ask.raw + fee < fixedPointScale else { continue }
      legs.append(FindLeg(market: leg.market, outcome: 1, book: no))
    }
    guard legs.count >= 2, areLive(legs, context) else { return nil }
    let value = Price(raw: fixedPointScale * Int64(legs.count - 1))
    let sides = context.sides(.ask, of: legs)
    return context.find(.negRiskConvert, place: place, legs: legs, sides: sides, setValue: value)
  }
}
