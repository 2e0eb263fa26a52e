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

  let index = MarketIndex()
  /// The last trade of each book, in nanoseconds since 1970; 0 where none was heard of.
  private var lastTrade: [Int64] = []
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
    index.markDirty(place)
    dirtyEvents.insert(Int(index.markets[place].event))
  }

  /// Takes a book that has changed.
  public func bookChanged(_ book: BookIndex) {
    let market = index.market(of: book)
    guard market >= 0 else { return }
    index.markDirty(market)
    let event = Int(index.markets[market].event)
    if index.events[event].isNegRisk { dirtyEvents.insert(event) }
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
    var next = 0
    while next < index.dirtyCount {
      let place = index.takeDirty(next)
      if BinaryScanner.isCandidate(index.markets[place], feed.cache.touches) { scanMarket(place) }
      next += 1
    }
    index.clearDirty()
    scannedCount &+= UInt64(next)
    next = 0
    while next < dirtyEvents.count {
      scanEvent(dirtyEvents.take(next))
      next += 1
    }
    dirtyEvents.clear()
  }

  /// Scans everything: the safety net.
  ///
  /// Opportunities whose market or event no longer shows them are closed.
  public func scanAll(now: Timestamp) {
    self.now = now
    for number in 0..<index.dirtyCount { _ = index.takeDirty(number) }
    index.clearDirty()
    for number in 0..<dirtyEvents.count { _ = dirtyEvents.take(number) }
    dirtyEvents.clear()
    let touches = feed.cache.touches
    let markets = index.markets
    for place in 0..<index.marketCount where BinaryScanner.isCandidate(markets[place], touches) { scanMarket(place) }
    scannedCount &+= UInt64(index.marketCount)
    for place in index.negRiskEvents { scanEvent(place) }
  }

  /// Looks at one market of which the best prices say that it may pay, or that has an opportunity open.
  private func scanMarket(_ place: Int) {
    let priced = BinaryScanner.scan(place, self)
    if let priced, board.holds(.market, place, priced) { return }
    let find = priced.map {
      Find(kind: $0.kind, place: place, quote: $0.quote, setValue: $0.setValue, legs: BinaryScanner.legs(place, self))
    }
    guard find != nil || board.isOpen(.market, place) else { return }
    board.update(.market, place, find, self)
    index.setHasFind(board.isOpen(.market, place), place)
  }

  private func scanEvent(_ place: Int) {
    scannedCount &+= 1
    let find = NegRiskScanner.scan(place, self)
    if find != nil || board.isOpen(.event, place) { board.update(.event, place, find, self) }
  }

  // MARK: - What the scanners use

  func count(_ reason: SkipReason) { skips.count(reason) }

  func skip<Result>(_ reason: SkipReason) -> Result? {
    skips.count(reason)
    return nil
  }

  func sides(_ side: BookSide, of legs: [FindLeg]) -> [SetLeg] {
    legs.map { SetLeg(levels: feed.cache.side(side, of: $0.book), fees: feed.markets[$0.market].fees) }
  }

  /// A find of the legs, where they pay enough.
  func find(_ kind: OpportunityKind, place: Int, legs: [FindLeg], sides: [SetLeg], setValue: Price) -> Find? {
    let books = legs.map(\.book)
    let priced = books.withUnsafeBufferPointer { books in
      sides.withUnsafeBufferPointer { price(kind, books: books, sides: $0, setValue: setValue) }
    }
    return priced.map { Find(kind: kind, place: place, quote: $0.quote, setValue: $0.setValue, legs: legs) }
  }

  /// Sizes and prices a set, and drops it where it does not pay enough or is too good to be true.
  func price(
    _ kind: OpportunityKind, books: UnsafeBufferPointer<BookIndex>, sides: UnsafeBufferPointer<SetLeg>, setValue: Price
  ) -> PricedSet? {
    for book in books where !feed.isTrustworthy(book) { return skip(.publisherSilent) }
    let size = SetWalker.size(
      sides, setValue: setValue, quantityMax: options.quantityMax, isSell: kind.isSell)
    guard size.raw > 0 else { return skip(.belowMinimum) }
    let quote = SetWalker.quote(sides, quantity: size, rounding: kind.isSell ? .down : .up)
    let value = Money(setValue, times: size, rounding: kind.isSell ? .up : .down)
    let cost = kind.isSell ? value + quote.fees : quote.notional + quote.fees
    let profit = kind.isSell ? quote.notional - cost : value - cost
    guard profit.raw > 0, profit >= options.minimumProfit else { return skip(.belowMinimum) }
    if Double(profit.raw) > options.suspiciousReturn * Double(cost.raw), !tradedLately(books) {
      return skip(.deadLiquidity)
    }
    return PricedSet(kind: kind, quote: quote, setValue: value)
  }

  private func tradedLately(_ books: UnsafeBufferPointer<BookIndex>) -> Bool {
    books.allSatisfy { book in
      book < lastTrade.count && lastTrade[book] > 0
        && now.nanoseconds - lastTrade[book] <= options.suspiciousTradeAgeMaxNanoseconds
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
      id: id, state: state, kind: find.kind, eventID: market.eventID, legs: legs,
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

  /// How many wait.
  var count: Int { places.count }

  /// Takes one of those that wait; `clear` follows when all are taken.
  mutating func take(_ number: Int) -> Int {
    isDirty[places[number]] = false
    return places[number]
  }

  mutating func clear() { places.removeAll(keepingCapacity: true) }
}
