package import Bus
internal import Daemon
package import Market
package import Venues

/// What was seen and what was refused; each has its counter.
package struct KalshiCounters {
  package var messages: UInt64 = 0
  package var snapshots: UInt64 = 0
  package var changes: UInt64 = 0
  /// Changes that were under way for more than a second.
  package var late: UInt64 = 0
  package var trades: UInt64 = 0
  package var oldTrades: UInt64 = 0
  package var blockTrades: UInt64 = 0
  package var unknownMarkets: UInt64 = 0
  package var droppedChanges: UInt64 = 0
  package var impossibleChanges: UInt64 = 0
  package var offGrid: UInt64 = 0
  package var gaps: UInt64 = 0
  package var repetitions: UInt64 = 0
  package var ignored: UInt64 = 0
  package var refused: [String: UInt64] = [:]
}

/// The markets of Kalshi's catalogue with their books: the pure core of the ingestor.
///
/// The venue has one book of bids for each market; here are two, one for each outcome, each the other's mirror. Catalogue
/// entries and what the fold of a connection tells come in; the books change, and what changed is written into a batch.
package final class KalshiMarkets {
  package struct Entry {
    package var market: PredictionMarket
    package var grid: PriceGrid
    /// The books of YES and NO; none before the market has any.
    package var books: [BookIndex] = []
    /// Whether it is this shard's; one that is not keeps its place, so that its handles stay its own.
    package var isOwned = true
    /// The term under which it is owned.
    package var term: UInt64 = 0
    var missedListings = 0
    /// How many listings running said that it belongs to another shard although the plan did not change.
    var foreignListings = 0
    /// Whether it was closed because two listings did not name it, rather than by the venue's word.
    var isMissing = false
  }

  package private(set) var cache = BookCache(books: 4096, isSmall: true)
  package private(set) var entries: [Entry] = []
  package private(set) var entryOfBook: [Int] = []
  package private(set) var counters = KalshiCounters()
  /// How many markets are this shard's.
  package private(set) var ownedCount = 0
  /// Whether the venue said that its catalogue changed.
  package var metadataChanged = false
  /// Books that are compared with REST.
  ///
  /// It tells no time. Every message of the stream has its number, so that a change which is missing is found by that:
  /// what is left to find is a stream that has frozen.
  package var sample = BookSample(graceNanoseconds: 3_000_000_000, clock: .ours)
  private var places: [String: Int] = [:]
  private var trades: [Trade] = []
  private let tradeAge: TradeAgeFilter

  package init(tradeAge: TradeAgeFilter) { self.tradeAge = tradeAge }

  /// The place of a market that this shard has, or nil.
  package func ownedPlace(of ticker: String) -> Int? {
    guard let place = places[ticker], entries[place].isOwned else { return nil }
    return place
  }

  // MARK: - Catalogue

  /// Takes a market of the catalogue; one that this shard has not is its own from here on, under the term.
  package func adopt(
    _ listed: KalshiMarket, term: UInt64 = 0, _ batch: BookBatch
  ) -> (place: Int, change: MarketChange) {
    var market = listed.market
    guard let place = places[market.id] else {
      let place = entries.count
      var entry = Entry(market: market, grid: listed.grid)
      entry.term = term
      entries.append(entry)
      places[market.id] = place
      ownedCount += 1
      addBooks(place)
      return (place, .added)
    }
    entries[place].missedListings = 0
    entries[place].foreignListings = 0
    if !entries[place].isOwned || (entries[place].isMissing && !market.isClosed) {
      if !entries[place].isOwned { ownedCount += 1 }
      entries[place].isOwned = true
      entries[place].isMissing = false
      entries[place].term = term
      entries[place].market = market
      entries[place].grid = listed.grid
      for book in entries[place].books {
        cache.reset(book)
        cache.setTick(market.tick, of: book)
        if market.isClosed { cache.close(book) }
      }
      return (place, .added)
    }
    let known = entries[place].market
    entries[place].grid = listed.grid
    if !market.dayVolume.isNews(after: known.dayVolume) { market.dayVolume = known.dayVolume }
    guard market != known, !(known.isClosed && !market.isClosed) else { return (place, .same) }
    entries[place].market = market
    if market.isClosed {
      close(place, batch)
      return (place, .closed)
    }
    if market.tick != known.tick { setTick(market.tick, place, batch) }
    return (place, .changed)
  }

  private func addBooks(_ place: Int) {
    let market = entries[place].market
    for _ in KalshiOutcome.allCases {
      let book = cache.add(tick: market.tick)
      entries[place].books.append(book)
      entryOfBook.append(place)
      if market.isClosed { cache.close(book) }
    }
  }

  private func close(_ place: Int, _ batch: BookBatch) {
    for book in entries[place].books where cache.header(book).state != .closed {
      cache.close(book)
      batch.closed(book: UInt32(book))
    }
  }

  private func setTick(_ tick: Price, _ place: Int, _ batch: BookBatch) {
    for book in entries[place].books {
      cache.setTick(tick, of: book)
      batch.tick(book: UInt32(book), tick)
    }
  }

  /// Takes a whole listing's tickers: what is missing in two listings running is closed.
  /// - Returns: the markets that are closed now.
  package func sweepMissing(listed: Set<String>, _ batch: BookBatch) -> [Int] {
    var gone: [Int] = []
    for place in entries.indices where entries[place].isOwned && !entries[place].market.isClosed {
      guard !listed.contains(entries[place].market.id) else { continue }
      entries[place].missedListings += 1
      guard entries[place].missedListings >= 2 else { continue }
      entries[place].isMissing = true
      entries[place].market.isClosed = true
      entries[place].market.isAcceptingOrders = false
      close(place, batch)
      gone.append(place)
    }
    return gone
  }

  /// Notes that the venue has filed a market of this shard so that another one is to have it.
  /// - Returns: whether two listings running have said so: by then the other one has it, too.
  package func isRefiled(_ place: Int) -> Bool {
    entries[place].foreignListings += 1
    return entries[place].foreignListings >= 2
  }

  /// Drops a market that another shard has: its books are withdrawn.
  package func drop(_ place: Int, _ batch: BookBatch) {
    guard entries[place].isOwned else { return }
    entries[place].isOwned = false
    ownedCount -= 1
    for book in entries[place].books {
      cache.reset(book)
      batch.withdrawn(book: UInt32(book))
    }
  }

  // MARK: - Messages

  /// Takes one message of a connection, after `fold` has taken it or by it.
  /// - Parameters:
  ///   - message: what came.
  ///   - fold: the connection's books.
  ///   - receivedAt: when it came.
  ///   - batch: where changes go.
  package func take(
    _ message: KalshiStreamMessage, _ fold: inout KalshiBooks, receivedAt: Timestamp, _ batch: BookBatch
  ) {
    counters.messages += 1
    if case .delta(let delta) = message.body, let time = delta.time,
      receivedAt.nanoseconds(since: time) > 1_000_000_000
    {
      counters.late += 1
    }
    let gaps = fold.counters.gaps
    let change = fold.take(message)
    if fold.counters.gaps != gaps {
      counters.gaps += 1
      for ticker in fold.wanted { distrust(ticker, batch) }
    }
    switch change {
    case .replaced(let ticker): replace(ticker, fold, receivedAt, batch)
    case .changed(let ticker, let outcome, let price, let total):
      let venueTime = fold.books[ticker]?.venueTime ?? receivedAt
      self.change(ticker, outcome, price, total, venueTime, receivedAt, batch)
    case .dropped: counters.droppedChanges += 1
    case .impossible(let ticker, let problem):
      counters.impossibleChanges += 1
      note("orderbook_delta", "msg.delta_fp", problem)
      distrust(ticker, batch)
    case .repeated: counters.repetitions += 1
    case .none: take(message.body, receivedAt, batch)
    }
  }

  private func take(_ body: KalshiStreamMessage.Body, _ receivedAt: Timestamp, _ batch: BookBatch) {
    switch body {
    case .trade(let trade):
      guard ownedPlace(of: trade.ticker) != nil else {
        counters.unknownMarkets += 1
        return
      }
      guard !trade.isBlock else {
        counters.blockTrades += 1
        return
      }
      guard tradeAge.accepts(trade.time, now: receivedAt) else {
        counters.oldTrades += 1
        return
      }
      counters.trades += 1
      trades.append(trade.common)
    case .lifecycle(let lifecycle):
      metadataChanged = true
      guard let place = ownedPlace(of: lifecycle.ticker), let grid = lifecycle.grid else { return }
      entries[place].grid = grid
      entries[place].market.grid = grid == PriceGrid(step: grid.finestStep) ? nil : grid
      guard grid.finestStep != entries[place].market.tick else { return }
      entries[place].market.tick = grid.finestStep
      setTick(grid.finestStep, place, batch)
    case .fees: metadataChanged = true
    case .ignored: counters.ignored += 1
    default: break
    }
  }

  private func replace(_ ticker: String, _ fold: KalshiBooks, _ receivedAt: Timestamp, _ batch: BookBatch) {
    guard let place = ownedPlace(of: ticker), let levels = fold.books[ticker]?.levels else {
      counters.unknownMarkets += 1
      return
    }
    replace(place, levels, receivedAt, batch)
  }

  private func replace(_ place: Int, _ levels: KalshiLevels, _ receivedAt: Timestamp, _ batch: BookBatch) {
    let grid = entries[place].grid
    guard
      (levels.yes + levels.no.map { Level(price: $0.price.complement, quantity: $0.quantity) })
        .allSatisfy({ grid.contains($0.price) })
    else { return offGrid(entries[place].market.id, batch) }
    counters.snapshots += 1
    for (outcome, book) in zip(KalshiOutcome.allCases, entries[place].books) {
      let taken = levels.bids(outcome).withUnsafeBufferPointer { bids in
        levels.asks(outcome).withUnsafeBufferPointer { asks in
          cache.replace(book, bids: bids, asks: asks, venueTime: receivedAt, receivedAt: receivedAt)
        }
      }
      if taken { batch.snapshot(book: UInt32(book), index: book, of: cache) }
    }
  }

  /// The book that a snapshot of REST is of; nil where its market is not this shard's.
  package func place(of snapshot: BookSnapshot) -> BookIndex? {
    guard let place = ownedPlace(of: snapshot.marketID),
      let (_, outcome) = KalshiOutcome.parse(token: snapshot.instrument.symbol),
      let index = KalshiOutcome.allCases.firstIndex(of: outcome), index < entries[place].books.count
    else { return nil }
    return entries[place].books[index]
  }

  /// Takes a book of YES that REST told, in the place of whatever is known, for both outcomes: the stream is down.
  package func correct(_ snapshot: BookSnapshot, receivedAt: Timestamp, _ batch: BookBatch) {
    guard let book = place(of: snapshot), cache.header(book).state != .closed else { return }
    let no = snapshot.asks.map { Level(price: $0.price.complement, quantity: $0.quantity) }
    replace(entryOfBook[book], KalshiLevels(yes: snapshot.bids, no: no), receivedAt, batch)
  }

  private func change(
    _ ticker: String, _ outcome: KalshiOutcome, _ price: Price, _ total: Quantity, _ venueTime: Timestamp,
    _ receivedAt: Timestamp, _ batch: BookBatch
  ) {
    guard let place = ownedPlace(of: ticker) else {
      counters.unknownMarkets += 1
      return
    }
    guard entries[place].grid.contains(outcome == .yes ? price : price.complement) else {
      return offGrid(ticker, batch)
    }
    counters.changes += 1
    for (each, book) in zip(KalshiOutcome.allCases, entries[place].books) where cache.header(book).state == .live {
      let side: BookSide = each == outcome ? .bid : .ask
      let shown = each == outcome ? price : price.complement
      batch.beginChange(book: UInt32(book), venueTime: venueTime, receivedAt: receivedAt)
      let result = cache.apply(
        book, side: side, price: shown, quantity: total, venueTime: venueTime, receivedAt: receivedAt)
      batch.change(side: side, price: shown, quantity: total)
      batch.endChange()
      if result == .full { distrust(ticker, batch) }
    }
  }

  private func offGrid(_ ticker: String, _ batch: BookBatch) {
    counters.offGrid += 1
    metadataChanged = true
    note("orderbook_delta", "msg.price_dollars", "is off the market's grid")
    distrust(ticker, batch)
  }

  /// A message could not be read: whatever it would have changed is not known.
  package func refuse(_ error: VenueError) { note(error.kind, error.field, error.problem) }

  private func note(_ kind: String, _ field: String, _ problem: String) {
    let seen = counters.refused["\(kind) \(field)", default: 0]
    counters.refused["\(kind) \(field)"] = seen + 1
    // The first of a kind in full, then every thousandth: a venue that has gone mad must not fill the disk.
    guard seen % 1000 == 0 else { return }
    Log.warning(
      "message refused",
      ["venue": "kalshi", "kind": kind, "field": field, "problem": problem, "times": "\(seen + 1)"])
  }

  /// Marks a market's books stale, and says so.
  package func distrust(_ ticker: String, _ batch: BookBatch) {
    guard let place = ownedPlace(of: ticker) else { return }
    for book in entries[place].books where cache.header(book).state == .live {
      cache.markStale(book)
      batch.stale(book: UInt32(book))
    }
  }

  /// Takes the trades since the last take.
  package func takeTrades() -> [Trade] {
    defer { trades.removeAll(keepingCapacity: true) }
    return trades
  }
}
