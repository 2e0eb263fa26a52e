public import Bus
public import Market

/// An execution that has passed every check: the only thing of which orders are made.
public struct RiskApproved: Sendable {
  /// What is executed.
  public let opportunity: Opportunity
  /// How many shares of each leg; at most the opportunity's.
  public let quantity: Quantity
  /// The legs' orders, one for each leg, in the opportunity's order.
  public let orders: [Order]
  /// What makes the shares that are sold, where they are not held: purchases that together cost 1 for each set.
  public let split: [Order]
  /// What operations on a venue's chain cost; `outlay` and `profit` have counted it.
  public let chainCost: Money
  /// The money that it may take.
  public let outlay: Money
  /// What is left in the end, on the books of this moment.
  public let profit: Money
  /// What one share of each leg is worth together; nil where that is not certain.
  public let setValue: Price?
  /// The events that it touches.
  public let events: Set<String>
  /// The legs' markets.
  public let markets: [PredictionMarket]

  fileprivate init(
    opportunity: Opportunity, quantity: Quantity, orders: [Order], split: [Order], chainCost: Money,
    outlay: Money, profit: Money, setValue: Price?, events: Set<String>, markets: [PredictionMarket]
  ) {
    self.opportunity = opportunity
    self.quantity = quantity
    self.orders = orders
    self.split = split
    self.chainCost = chainCost
    self.outlay = outlay
    self.profit = profit
    self.setValue = setValue
    self.events = events
    self.markets = markets
  }

  /// Whether its legs are sold.
  public var isSale: Bool { orders[0].side == .sell }
}

/// What the checks look at besides the opportunity and the books.
public struct CheckContext {
  /// The limits.
  public var options: ExecutorOptions
  /// Cash and shares.
  public var portfolio: Portfolio
  /// What we have taken from the books.
  public var liquidity: Liquidity
  /// Opportunities that were executed.
  public var executed: Set<UInt64> = []
  /// Events in which an execution is under way.
  public var busyEvents: Set<String> = []
  /// Whether the trading breaker is open.
  public var isBreakerOpen = false
  /// Whether a person has stopped all trading.
  public var isKilled = false
  /// Whether the journal can be written.
  public var canJournal = true
  /// The venues that take no new orders.
  public var closedVenues: [Venue: ClosedVenue] = [:]

  /// A context in which nothing is under way.
  public init(options: ExecutorOptions, portfolio: Portfolio, liquidity: Liquidity = Liquidity()) {
    self.options = options
    self.portfolio = portfolio
    self.liquidity = liquidity
  }
}

/// The checks before every execution, and the sizing among them (E1).
public enum SafetyChecks {
  /// Checks an opportunity, and makes its orders.
  /// - Parameters:
  ///   - opportunity: what the scanner found.
  ///   - context: limits, account and what is under way.
  ///   - books: our own books.
  ///   - now: the time of day.
  /// - Returns: the approved execution, perhaps smaller than what was found.
  /// - Throws: the first check that it does not pass.
  public static func approve(
    _ opportunity: Opportunity, _ context: CheckContext, _ books: some MarketBooks, now: Timestamp
  ) throws(Rejection) -> RiskApproved {
    try checkAdmission(opportunity, context, now)
    try checkShape(opportunity, context.options)
    try checkVenues(opportunity, context)
    let legs = try checkedLegs(opportunity, context, books, now)
    try checkBookPrice(opportunity, legs, context.options, books)
    let events = Set(legs.map { "\($0.market.venue.rawValue)/\($0.market.eventID)" })
    if let busy = events.first(where: { context.busyEvents.contains($0) }) { throw .eventBusy(busy) }
    let setValue = SetValue.certain(legs, books)
    switch opportunity.strategy {
    case .binary, .negRisk: if setValue == nil { throw .incompleteSet }
    case .crossPlatform, .latency, .spike: break
    }
    var sizing = Sizing(opportunity: opportunity, legs: legs, options: context.options, setValue: setValue)
    let inventory = try sizing.inventory(context.portfolio)
    // Shares that are held need nothing made.
    if inventory.needsSplit || legs[0].leg.side == .buy {
      sizing.chainCost = context.options.chainCosts.cost(
        of: opportunity.kind, legs: legs.count, venues: legs.map(\.market.venue), at: now)
    }
    var quantity = min(opportunity.quantity, inventory.quantityMax)
    quantity = sizing.floored(min(quantity, try sizing.depth(quantity)))
    let room = context.portfolio.room(
      events: events, kelly: opportunity.probability < 1 ? opportunity.score.kelly : nil, options: context.options)
    quantity = try sizing.affordable(quantity, room: room, needsSplit: inventory.needsSplit)
    let sweeps = try sizing.sweeps(quantity)
    let profit = try sizing.checkEdge(sweeps, quantity)
    return RiskApproved(
      opportunity: opportunity, quantity: quantity,
      orders: legs.indices.map { order(opportunity, $0, limit: sweeps[$0].worst, quantity: quantity, now) },
      split: inventory.needsSplit ? split(opportunity, quantity: quantity, now) : [],
      chainCost: sizing.chainCost, outlay: sizing.outlay(sweeps, quantity, needsSplit: inventory.needsSplit),
      profit: profit, setValue: setValue, events: events, markets: legs.map(\.market))
  }

  private static func checkAdmission(
    _ opportunity: Opportunity, _ context: CheckContext, _ now: Timestamp
  ) throws(Rejection) {
    if context.isKilled { throw .killSwitch }
    if context.isBreakerOpen { throw .breakerOpen }
    if !context.canJournal { throw .journalUnavailable }
    if opportunity.state == .closed { throw .closed }
    if let reason = opportunity.hold { throw .held(reason) }
    if !context.options.strategies.contains(opportunity.strategy) { throw .strategyOff(opportunity.strategy) }
    if context.executed.contains(opportunity.id) { throw .alreadyExecuted }
    let age = now.nanoseconds(since: opportunity.updatedAt)
    let limit = context.options.ttlNanoseconds(of: opportunity.strategy)
    // A time far in the future is no better than one in the past.
    if age.magnitude > UInt64(limit) {
      throw .expired(ageMilliseconds: age / 1_000_000, limitMilliseconds: limit / 1_000_000)
    }
  }

  private static func checkShape(_ opportunity: Opportunity, _ options: ExecutorOptions) throws(Rejection) {
    let legs = opportunity.legs
    guard let first = legs.first else { throw .malformed("no legs") }
    if legs.count > options.legsMax { throw .tooManyLegs(legs.count, limit: options.legsMax) }
    guard first.quantity.raw > 0 else { throw .malformed("a quantity of \(first.quantity)") }
    guard legs.allSatisfy({ $0.quantity == first.quantity }) else { throw .malformed("legs of different size") }
    guard legs.allSatisfy({ $0.side == first.side }) else { throw .malformed("legs of both sides") }
    guard Set(legs.map(\.instrument)).count == legs.count else { throw .malformed("one instrument in two legs") }
    guard legs.allSatisfy({ $0.limit.raw > 0 && $0.limit <= .one && $0.notional.raw >= 0 && $0.fee.raw >= 0 })
    else { throw .malformed("a price or an amount out of range") }
    guard opportunity.profit.raw > 0 else { throw .malformed("a profit of \(opportunity.profit)") }
  }

  /// One leg that cannot be sent is enough: the others would have to be undone.
  private static func checkVenues(_ opportunity: Opportunity, _ context: CheckContext) throws(Rejection) {
    for leg in opportunity.legs {
      let venue = leg.instrument.venue
      if let closed = context.closedVenues[venue] { throw .venueNotOpen(venue, closed) }
    }
  }

  /// What a trade price triggered is only real where the book of its first leg is near that price (I6).
  private static func checkBookPrice(
    _ opportunity: Opportunity, _ legs: [CheckedLeg], _ options: ExecutorOptions, _ books: some MarketBooks
  ) throws(Rejection) {
    guard let triggerPrice = opportunity.triggerPrice else {
      if opportunity.strategy == .spike { throw .malformed("a spike without the price that triggered it") }
      return
    }
    guard let first = legs.first else { return }
    let check = BookPriceCheck(
      expected: triggerPrice, bestBid: books.levels(.bid, of: first.book).last?.price,
      deviationMax: options.bookPriceDeviationMax)
    if !check.isWithin { throw .bookPriceOff(first.leg.instrument, check) }
  }

  private static func checkedLegs(
    _ opportunity: Opportunity, _ context: CheckContext, _ books: some MarketBooks, _ now: Timestamp
  ) throws(Rejection) -> [CheckedLeg] {
    var legs: [CheckedLeg] = []
    for leg in opportunity.legs {
      guard let market = books.market(leg.marketID, venue: leg.instrument.venue) else {
        throw .marketUnknown(leg.marketID)
      }
      guard market.isTradable(at: now) else { throw .marketClosed(market.id) }
      guard let book = books.book(leg.instrument),
        market.outcomes.contains(where: { $0.token == leg.instrument.symbol })
      else { throw .marketUnknown("\(leg.instrument)") }
      let header = books.header(book)
      guard header.state == .live,
        now.nanoseconds(since: header.receivedAt) <= context.options.priceAgeMaxNanoseconds
      else { throw .pricesStale(leg.instrument) }
      let levels = context.liquidity.levels(leg.side.opposingBookSide, of: book, in: books)
      legs.append(CheckedLeg(leg: leg, market: market, book: book, levels: levels))
    }
    return legs
  }

  private static func order(
    _ opportunity: Opportunity, _ place: Int, limit: Price, quantity: Quantity, _ now: Timestamp
  ) -> Order {
    let leg = opportunity.legs[place]
    return Order(
      id: OrderID.leg(place, of: opportunity.id), opportunityID: opportunity.id, strategy: opportunity.strategy,
      instrument: leg.instrument, marketID: leg.marketID, side: leg.side, limit: limit, quantity: quantity,
      timeInForce: .fak, isUnwind: false, createdAt: now)
  }

  /// Complete sets for 1 each, written as purchases of each outcome at equal parts of 1.
  private static func split(_ opportunity: Opportunity, quantity: Quantity, _ now: Timestamp) -> [Order] {
    let count = Int64(opportunity.legs.count)
    let part = fixedPointScale / count
    return opportunity.legs.enumerated().map { place, leg in
      let price = place == 0 ? fixedPointScale - part * (count - 1) : part
      var order = Order(
        id: OrderID.split(place, of: opportunity.id), opportunityID: opportunity.id, strategy: opportunity.strategy,
        instrument: leg.instrument, marketID: leg.marketID, side: .buy, limit: Price(raw: price),
        quantity: quantity, timeInForce: .fok, isUnwind: false, createdAt: now)
      order.reason = "split"
      return order
    }
  }
}

/// Our own ids of orders: made from the opportunity's, so that the journal itself refuses to hold one twice.
public enum OrderID {
  /// The order of a leg.
  public static func leg(_ place: Int, of opportunity: UInt64) -> String { "\(prefix(opportunity))l\(place)" }
  /// The purchase of a leg's shares by splitting.
  public static func split(_ place: Int, of opportunity: UInt64) -> String { "\(prefix(opportunity))s\(place)" }
  /// An attempt to sell a leg's surplus.
  public static func unwind(_ place: Int, attempt: Int, of opportunity: UInt64) -> String {
    "\(prefix(opportunity))u\(place).\(attempt)"
  }

  /// What an order is for: `l`, `s` or `u`, and the place of its leg; nil where the id is not one of ours.
  public static func role(_ id: String) -> (kind: Character, place: Int)? {
    guard let tail = id.split(separator: "-").last, let kind = tail.first, "lsu".contains(kind),
      let place = Int(tail.dropFirst().prefix { $0 != "." })
    else { return nil }
    return (kind, place)
  }

  private static func prefix(_ opportunity: UInt64) -> String {
    let hex = String(opportunity, radix: 16)
    return "bh-" + String(repeating: "0", count: 16 - hex.count) + hex + "-"
  }
}

extension Opportunity {
  /// How many shares of each leg; zero where there are no legs.
  var quantity: Quantity { legs.first?.quantity ?? .zero }
}
