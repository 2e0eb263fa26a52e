public import Bus
internal import CLinux
public import Market

/// Finds arbitrage in the books of a feed: what has changed at once, everything now and then (S1).
///
/// It decides by the best prices alone which changes can matter, and hands those to the scanners as one batch. Pure but
/// for its own memory: books come from the feed, the time is passed in, finds go to the board. Belongs to one poll
/// loop.
public final class Scanner {
  /// The books and markets.
  public let feed: BookFeed
  /// What it may be told.
  public let options: ScannerOptions
  /// Which find has an opportunity open.
  public let board: OpportunityBoard
  /// What was left out, by reason.
  public private(set) var skips = SkipCounts()
  /// How many changes of books came.
  @usableFromInline var changeCount: UInt64 = 0
  private var placeCount: UInt64 = 0
  /// How many changes and places were looked at.
  public var scannedCount: UInt64 { changeCount &+ placeCount }
  /// When the present scan began.
  public private(set) var now = Timestamp(nanoseconds: 0)

  /// How often the full scan found an event's sums that were not what its books say: must stay 0.
  public var driftedSumCount: UInt64 { index.driftedSumCount }

  /// How many pairs have both markets here and may be traded, and how many were withdrawn.
  public var pairCounts: (active: Int, withdrawn: Int) { (crossPlatform.activeCount, crossPlatform.withdrawnCount) }

  let index: MarketIndex
  let scoring: Scoring
  /// The trades of each book.
  private(set) var activity: TradeActivity
  /// What coins cost, and how much that moves.
  private(set) var spot: SpotBoard
  let crossPlatform = CrossPlatformScanner()
  let latency = LatencyScanner()
  let spike = SpikeScanner()
  /// Venues that take no orders now (X4).
  private var closedVenues: Set<Venue> = []
  private let batch = DirtyBatch()
  /// Books whose change since the last scan may matter, in the order in which they came.
  @usableFromInline let changes = ChangedBooks()
  private lazy var scanners = Scanners.all(of: self)

  /// A scanner of a feed.
  public init(feed: BookFeed, options: ScannerOptions, board: OpportunityBoard) {
    self.feed = feed
    index = MarketIndex(feed: feed)
    self.options = options
    self.board = board
    scoring = Scoring(options: options)
    activity = TradeActivity(windowNanoseconds: options.activityWindowNanoseconds)
    spot = SpotBoard(options: options)
  }

  // MARK: - What comes in

  /// Takes a market that is new or has changed; its finds are looked at again.
  public func marketChanged(_ place: Int) {
    if let left = index.update(place) { batch.events.insert(left) }
    for scanner in scanners { scanner.marketChanged(place, self) }
    batch.markets.insert(place)
    batch.events.insert(Int(index.markets[place].event))
    for book in feed.marketBooks[place] where index.isWatched(book) { batch.books.insert(book) }
  }

  /// Takes a book that has changed; the next scan looks at it.
  ///
  /// One that the feed has not is passed over. Most changes cannot matter, which its best prices and its neighbour's tell
  /// by one comparison.
  @inlinable public func bookChanged(_ book: BookIndex) {
    changeCount &+= 1
    let (touches, count) = (feed.cache.touches, feed.cache.count)
    guard UInt(bitPattern: book) < UInt(bitPattern: count) else { return }
    let neighbour = touches[min(book ^ 1, count &- 1)]
    if touches[book].reasons(with: neighbour, marks: Touch.allMarks) != 0 { changes.append(book) }
  }

  /// Puts changed books where the scanners see them; what is known of each is brought some books ahead.
  private func sift() {
    let count = changes.count
    guard count > 0 else { return }
    let known = index.watches.count
    for number in 0..<min(count, 16) { index.watches.prefetch(min(changes[number], known)) }
    for number in 0..<count {
      if number + 16 < count { index.watches.prefetch(min(changes[number + 16], known)) }
      if number + 8 < count { index.prefetchSums(of: changes[number + 8]) }
      mark(changes[number])
    }
    changes.clear()
  }

  /// Puts a changed book where the scanners see it.
  @inline(__always) private func mark(_ book: BookIndex) {
    let market = index.market(of: book)
    guard market >= 0 else { return }
    let touch = feed.cache.touches[book]
    let marks = BookMark(rawValue: touch.mark)
    let sibling = marks.contains(.isApart) ? index.sibling(of: book) : book ^ 1
    if marks.contains(.hasFind) || touch.pays(with: feed.cache.touches[sibling]) {
      index.markets.prefetch(market)
      bh_prefetch(feed.cache.headerUnchecked(book))
      bh_prefetch(feed.cache.headerUnchecked(sibling))
      batch.markets.insert(market)
    }
    if marks.contains(.isLeg), index.follow(book, touch) { batch.events.insert(index.watches[book].event) }
    if marks.contains(.isWatched) { batch.books.insert(book) }
  }

  /// Takes a trade: what was too good to be true without one is looked at again, and it may be a spike.
  public func traded(_ trade: Trade, of book: BookIndex, now: Timestamp) {
    self.now = now
    guard activity.add(book, at: trade.time, now: now) else { return }
    spike.traded(trade, of: book, self)
    let market = index.market(of: book)
    guard market >= 0 else { return }
    batch.markets.insert(market)
    let event = Int(index.markets[market].event)
    if index.events[event].isNegRisk { batch.events.insert(event) }
  }

  /// Takes the best prices of a coin at an exchange.
  public func tickerChanged(_ ticker: Ticker, now: Timestamp) {
    if let coin = spot.take(ticker, now: now) { batch.coins.insert(coin) }
  }

  /// Takes a candle of a coin at an exchange: its ends are what windows open and close at.
  public func candleClosed(_ candle: Candle, of instrument: InstrumentID) { spot.take(candle, of: instrument) }

  /// Takes the pairs of markets of two venues that ask the same; those that are no longer among them are withdrawn.
  public func setPairs(_ pairs: [MarketPair]) {
    crossPlatform.setPairs(pairs, self)
  }

  /// Takes whether a venue takes orders: while it does not, finds there are held (X4).
  public func setVenue(_ venue: Venue, isOpen: Bool) {
    let changed = isOpen ? closedVenues.remove(venue) != nil : closedVenues.insert(venue).inserted
    if changed { board.refresh(self) }
  }

  // MARK: - Scans

  /// Looks at what has changed since the last time.
  public func scanDirty(now: Timestamp) {
    self.now = now
    if now.nanoseconds >= spike.nextEnd { spike.endOld(self) }
    sift()
    guard !batch.isEmpty else { return }
    for scanner in scanners { scanner.scan(batch, self) }
    batch.clear()
  }

  /// Looks at everything: the safety net.
  ///
  /// Opportunities that are no longer there are closed.
  public func scanAll(now: Timestamp) {
    self.now = now
    sift()
    batch.clear()
    for scanner in scanners { scanner.scanAll(self) }
  }

  /// When something ends without a change of any book, in nanoseconds since 1970.
  public var nextEnd: Int64 { spike.nextEnd }

  // MARK: - What the scanners use

  func count(_ reason: SkipReason) { skips.count(reason) }

  func countScanned(_ places: Int) { placeCount &+= UInt64(places) }

  func skip<Result>(_ reason: SkipReason) -> Result? {
    skips.count(reason)
    return nil
  }

  /// Whether a time is not longer ago than a limit; one in the future by more than it is no better.
  @inline(__always) func isFresh(_ time: Timestamp, within limitNanoseconds: Int64) -> Bool {
    now.nanoseconds(since: time).magnitude <= UInt64(limitNanoseconds)
  }

  /// Whether the market takes orders now and has not ended.
  @inline(__always) func isTradable(_ market: Int) -> Bool {
    index.markets[market].isOpen && index.markets[market].endsAt > now.nanoseconds
  }

  /// Whether a book is live and was confirmed lately; where it is not, the reason is counted.
  func isUsable(_ book: BookIndex, ageMax nanoseconds: Int64) -> Bool {
    let header = feed.cache.headerUnchecked(book).pointee
    guard header.state == .live else {
      skips.count(.bookNotLive)
      return false
    }
    guard isFresh(header.receivedAt, within: nanoseconds) else {
      skips.count(.bookTooOld)
      return false
    }
    return true
  }

  /// Begins to bring what is known of a market's books, which will be looked at soon.
  @inline(__always) func prefetchHeaders(ofMarket place: Int) {
    let market = index.markets[place]
    guard market.yes >= 0 else { return }
    bh_prefetch(feed.cache.headerUnchecked(Int(market.yes)))
    bh_prefetch(feed.cache.headerUnchecked(Int(market.no)))
  }

  /// Begins to bring the best levels of a market's books, of which all else is here.
  @inline(__always) func prefetchLevels(ofMarket place: Int) {
    let market = index.markets[place]
    guard market.yes >= 0 else { return }
    if let best = feed.cache.bestMemory(.ask, of: Int(market.yes)) { bh_prefetch(best) }
    if let best = feed.cache.bestMemory(.ask, of: Int(market.no)) { bh_prefetch(best) }
  }

  /// Calls `body` with the books, sides and fees of legs, on the stack.
  func withLegs<Result>(
    _ count: Int, side: BookSide, _ leg: (Int) -> FindLeg,
    body: (UnsafeBufferPointer<BookIndex>, UnsafeBufferPointer<SetLeg>) -> Result
  ) -> Result {
    withUnsafeTemporaryAllocation(of: BookIndex.self, capacity: count) { books in
      withUnsafeTemporaryAllocation(of: SetLeg.self, capacity: count) { sides in
        for number in 0..<count {
          let leg = leg(number)
          books.initializeElement(at: number, to: leg.book)
          sides.initializeElement(
            at: number, to: SetLeg(levels: feed.cache.side(side, of: leg.book), fees: index.markets[leg.market].fees))
        }
        return body(UnsafeBufferPointer(books), UnsafeBufferPointer(sides))
      }
    }
  }

  /// Sizes and prices a set, and drops it where it does not pay enough or is too good to be true.
  ///
  /// - Parameters:
  ///   - kind: what is traded.
  ///   - books: the legs' books.
  ///   - sides: the legs' levels and fees, in the same order.
  ///   - setValue: what one set pays, or costs where it is sold.
  ///   - edge: how much a set must earn at least, after fees.
  /// - Returns: the most profitable set; nil where there is none, and the reason is counted.
  func price(
    _ kind: OpportunityKind, books: UnsafeBufferPointer<BookIndex>, sides: UnsafeBufferPointer<SetLeg>,
    setValue: Price, edge: Price = .zero
  ) -> PricedSet? {
    for book in books where !feed.isTrustworthy(book) { return skip(.publisherSilent) }
    let isSell = kind.isSell
    let wanted = Price(raw: isSell ? setValue.raw + edge.raw : setValue.raw - edge.raw)
    var quote = SetWalker.best(
      sides, setValue: wanted, quantityMax: options.quantityMax, isSell: isSell)
    guard quote.quantity.raw > 0 else { return skip(.belowMinimum) }
    quote.fees += chainCost(kind, books)
    let value = Money(setValue, times: quote.quantity, rounding: isSell ? .up : .down)
    let cost = isSell ? value + quote.fees : quote.notional + quote.fees
    let profit = isSell ? quote.notional - cost : value - cost
    guard profit.raw > 0, profit >= options.minimumProfit else { return skip(.belowMinimum) }
    if Double(profit.raw) > options.suspiciousReturn * Double(cost.raw), !tradedLately(books) {
      return skip(.deadLiquidity)
    }
    return PricedSet(kind: kind, quote: quote, setValue: value)
  }

  /// What the operations on a chain cost that a set needs, whatever its size.
  private func chainCost(_ kind: OpportunityKind, _ books: UnsafeBufferPointer<BookIndex>) -> Money {
    guard !options.chainCosts.isFree else { return .zero }
    let venues = books.lazy.map { [index] in index.markets[index.market(of: $0)].venue }
    return options.chainCosts.cost(of: kind, legs: books.count, venues: venues, at: now)
  }

  private func tradedLately(_ books: UnsafeBufferPointer<BookIndex>) -> Bool {
    books.allSatisfy { book in
      let last = activity.lastTrade(of: book)
      return last.nanoseconds > 0 && isFresh(last, within: options.suspiciousTradeAgeMaxNanoseconds)
    }
  }

  /// Tells the board what a scan found in a place, or that it found nothing.
  ///
  /// - Parameters:
  ///   - place: where.
  ///   - set: what was found.
  ///   - find: makes the find of it, when it is new.
  func report(_ place: FindPlace, _ set: PricedSet?, _ find: (PricedSet) -> Find) {
    guard let set else { return board.update(place, nil, self) }
    if !board.holds(place, set) { board.update(place, find(set), self) }
  }

  /// The same where the set is all that there is to the find.
  ///
  /// - Parameters:
  ///   - place: where.
  ///   - set: what was found.
  ///   - legsMax: how many legs it has at most.
  ///   - legs: writes them, and returns how many there are; is asked only where the set is news.
  /// - Returns: whether an opportunity is open there now.
  @discardableResult
  func report(
    _ place: FindPlace, _ set: PricedSet?, legsMax: Int, _ legs: (PricedSet, UnsafeMutableBufferPointer<FindLeg>) -> Int
  ) -> Bool {
    guard let set else {
      board.update(place, nil, self)
      return false
    }
    guard !board.holds(place, set) else { return true }
    withUnsafeTemporaryAllocation(of: FindLeg.self, capacity: legsMax) { room in
      let count = legs(set, room)
      board.update(place, set, legs: UnsafeBufferPointer(rebasing: room[..<count]), self)
    }
    return true
  }

  /// Whether an order can go to all venues of a find, and why not.
  func hold(_ find: Find, _ score: OpportunityScore) -> HoldReason? {
    if !closedVenues.isEmpty {
      for leg in find.legs where closedVenues.contains(index.markets[leg.market].venue) { return .venueUnavailable }
    }
    return score.annualisedReturn < options.hurdleReturn ? .belowHurdle : nil
  }
}
