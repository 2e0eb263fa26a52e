public import Bus
public import Market

/// Finds arbitrage in the books of a feed: dirty markets and events at once, everything now and then (S1).
///
/// Pure but for its own memory: books come from the feed, the time is passed in, finds go to the board. Belongs to one
/// poll loop.
public final class Scanner {
  /// The books and markets.
  public let feed: BookFeed
  /// What it may be told.
  public let options: ScannerOptions
  /// Which find has an opportunity open.
  public let board: OpportunityBoard
  /// What was left out, by reason.
  public private(set) var skips = SkipCounts()
  /// How many markets and events were looked at.
  public private(set) var scannedCount: UInt64 = 0
  /// When the present scan began.
  public private(set) var now = Timestamp(nanoseconds: 0)

  private(set) var index = MarketIndex()
  private let walker = SetWalker()
  /// The last trade of each book, in nanoseconds since 1970; 0 where none was heard of.
  private var lastTrade: [Int64] = []
  private var dirtyMarkets = DirtySet()
  private var dirtyEvents = DirtySet()

  /// A scanner of a feed.
  public init(feed: BookFeed, options: ScannerOptions, board: OpportunityBoard) {
    self.feed = feed
    self.options = options
    self.board = board
  }

  /// Takes a market that is new or has changed; its finds are looked at again.
  public func marketChanged(_ place: Int) {
    index.update(place, from: feed)
    dirtyMarkets.insert(place)
    dirtyEvents.insert(Int(index.markets[place].event))
  }

  /// Takes a book that has changed.
  public func bookChanged(_ book: BookIndex) {
    let market = feed.owners[book].market
    guard market < index.markets.count else { return }
    dirtyMarkets.insert(market)
    let record = index.markets[market]
    if index.events[Int(record.event)].isNegRisk { dirtyEvents.insert(Int(record.event)) }
  }

  /// Takes the time of a trade of a book: what was too good to be true without it is looked at again.
  public func traded(_ book: BookIndex, at time: Timestamp) {
    while lastTrade.count <= book { lastTrade.append(0) }
    guard time.nanoseconds > lastTrade[book] else { return }
    lastTrade[book] = time.nanoseconds
    bookChanged(book)
  }

  /// Scans what has changed since the last scan.
  public func scanDirty(now: Timestamp) {
    self.now = now
    dirtyMarkets.drain { scanMarket($0) }
    dirtyEvents.drain { scanEvent($0) }
  }

  /// Scans everything: the safety net.
  ///
  /// Opportunities whose market or event no longer shows them are closed.
  public func scanAll(now: Timestamp) {
    self.now = now
    dirtyMarkets.drain { _ in }
    dirtyEvents.drain { _ in }
    for place in index.markets.indices { scanMarket(place) }
    for place in index.events.indices where index.events[place].isNegRisk { scanEvent(place) }
  }

  /// Looks at one market: the sum of the best prices decides nearly always.
  @inline(__always) private func scanMarket(_ place: Int) {
    scannedCount &+= 1
    let find = BinaryScanner.scan(place, self)
    if find != nil || board.isOpen(.market, place) { board.update(.market, place, find, self) }
  }

  private func scanEvent(_ place: Int) {
    scannedCount &+= 1
    let find = NegRiskScanner.scan(place, self)
    if find != nil || board.isOpen(.event, place) { board.update(.event, place, find, self) }
  }

  // MARK: - What the scanners use

  func count(_ reason: SkipReason) { skips.count(reason) }

  func skip(_ reason: SkipReason) -> Find? {
    skips.count(reason)
    return nil
  }

  func sides(_ side: BookSide, of legs: [FindLeg]) -> [SetLeg] {
    legs.map { SetLeg(levels: feed.cache.side(side, of: $0.book), fees: feed.markets[$0.market].fees) }
  }

  /// Sizes and prices a set, and drops it where it does not pay enough or is too good to be true.
  func find(_ kind: FindKind, place: Int, legs: [FindLeg], sides: [SetLeg], setValue: Price) -> Find? {
    guard legs.allSatisfy({ feed.isTrustworthy($0.book) }) else { return skip(.publisherSilent) }
    let size =
      kind.isSell
      ? walker.sellSize(sides, cost: setValue, quantityMax: options.quantityMax)
      : walker.buySize(sides, payout: setValue, quantityMax: options.quantityMax)
    guard size.raw > 0 else { return skip(.belowMinimum) }
    let quote = walker.quote(sides, quantity: size, rounding: kind.isSell ? .down : .up)
    let value = Money(setValue, times: size, rounding: kind.isSell ? .up : .down)
    let find = Find(kind: kind, place: place, quote: quote, setValue: value, legs: legs)
    guard find.profit.raw > 0, find.profit >= options.minimumProfit else { return skip(.belowMinimum) }
    let cost = kind.isSell ? value + quote.fees : quote.notional + quote.fees
    if Double(find.profit.raw) > options.suspiciousReturn * Double(cost.raw), !tradedLately(legs) {
      return skip(.deadLiquidity)
    }
    return find
  }

  private func tradedLately(_ legs: [FindLeg]) -> Bool {
    legs.allSatisfy { leg in
      leg.book < lastTrade.count && lastTrade[leg.book] > 0
        && now.nanoseconds - lastTrade[leg.book] <= options.suspiciousTradeAgeMaxNanoseconds
    }
  }

  /// The opportunity that a find is, with all that an executor needs.
  func opportunity(_ find: Find, id: UInt64, state: OpportunityState, foundAt: Timestamp) -> Opportunity {
    var legs: [Leg] = []
    legs.reserveCapacity(find.legs.count)
    var venueTime = Timestamp(nanoseconds: 0)
    for leg in find.legs {
      let market = feed.markets[leg.market]
      let levels = feed.cache.side(find.kind.isSell ? .bid : .ask, of: leg.book)
      let quote = LegQuote(
        SetLeg(levels: levels, fees: market.fees), quantity: find.quote.quantity,
        rounding: find.kind.isSell ? .down : .up)
      venueTime = max(venueTime, feed.cache.header(leg.book).venueTime)
      legs.append(
        Leg(
          instrument: InstrumentID(venue: market.venue, symbol: market.outcomes[leg.outcome].token),
          marketID: market.id, side: find.kind.isSell ? .sell : .buy, limit: quote.worst,
          quantity: find.quote.quantity, notional: quote.notional, fee: quote.fee))
    }
    let market = feed.markets[find.legs[0].market]
    let isSell = find.kind.isSell
    return Opportunity(
      id: id, state: state, strategy: find.kind.strategy, eventID: market.eventID, legs: legs,
      payout: isSell ? find.quote.notional : find.setValue,
      cost: (isSell ? find.setValue : find.quote.notional) + find.quote.fees, foundAt: foundAt, updatedAt: now,
      venueTime: venueTime)
  }
}

/// Places that wait to be looked at, each once.
struct DirtySet {
  private var isDirty: [Bool] = []
  private var places: [Int] = []

  mutating func insert(_ place: Int) {
    while isDirty.count <= place { isDirty.append(false) }
    guard !isDirty[place] else { return }
    isDirty[place] = true
    places.append(place)
  }

  mutating func drain(_ body: (Int) -> Void) {
    var next = 0
    while next < places.count {
      let place = places[next]
      isDirty[place] = false
      body(place)
      next += 1
    }
    places.removeAll(keepingCapacity: true)
  }
}
