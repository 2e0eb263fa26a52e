package import Bus
internal import CLinux
internal import Daemon
package import Market
package import Venues

/// What was seen and what was refused; each has its counter.
package struct PolymarketCounters {
  package var frames: UInt64 = 0
  package var snapshots: UInt64 = 0
  package var changes: UInt64 = 0
  /// Messages that were under way for more than a second.
  package var late: UInt64 = 0
  package var trades: UInt64 = 0
  package var oldTrades: UInt64 = 0
  package var tradesWithoutSize: UInt64 = 0
  package var unknownTokens: UInt64 = 0
  package var droppedChanges: UInt64 = 0
  package var hashMismatches: UInt64 = 0
  package var crossedByChange: UInt64 = 0
  /// Books whose best prices were not what the venue said of them.
  package var bestMismatches: UInt64 = 0
  /// Changes that are older than the book as REST has told it, which has them already.
  package var oldChanges: UInt64 = 0
  /// Changes that are older than one before them: what lies between is not known.
  package var reordered: UInt64 = 0
  package var oldSnapshots: UInt64 = 0
  package var ignored: UInt64 = 0
  package var refused: [String: UInt64] = [:]
}

/// The books of all markets of the catalogue, kept by the stream's messages: the pure core of the ingestor.
///
/// Frames and catalogue entries come in; the books change, and what changed is written into a batch for the bus.
/// Whatever may have made a book wrong marks it stale, and asks for a snapshot of it.
package final class PolymarketBooks {
  package internal(set) var cache = BookCache(books: 4096)
  package internal(set) var entries: [Entry] = []
  /// How many of them are this shard's.
  package internal(set) var ownedCount = 0
  var entryNumbers: [Int32] = []
  package private(set) var counters = PolymarketCounters()
  /// Books that want a snapshot by REST.
  package internal(set) var wanted: Set<BookIndex> = []
  /// Trades since the last take.
  private var trades: [Trade] = []
  /// Those of them that came without a size, with their books.
  private var sizelessTrades: [(trade: Trade, book: BookIndex)] = []
  /// The venue's time of the newest change that was dropped for a book that is not live: a snapshot must be as new.
  var droppedAt: [BookIndex: Timestamp] = [:]
  /// Whether the venue said that its catalogue changed.
  package var metadataChanged = false
  /// Books that are compared with REST.
  package var sample = BookSample(graceNanoseconds: 3_000_000_000)
  var bestPrices = BestPrices()

  let parser = PolymarketStreamParser()
  var packed = PackedMarkets()
  var index = PlaceIndex()
  private var bookHash: BookHash
  private let verifiesHash: Bool
  private let tradeAge: TradeAgeFilter

  package init(verifiesHash: Bool, tradeAge: TradeAgeFilter) {
    self.verifiesHash = verifiesHash
    self.tradeAge = tradeAge
    bookHash = BookHash()
  }

  /// The entry that a book belongs to.
  package func entry(of book: BookIndex) -> Int { Int(entryNumbers[book]) }

  /// The token that a book is of.
  package func token(of book: BookIndex) -> String {
    let entry = entries[self.entry(of: book)]
    return packed.token(entry.packed, outcome: book - entry.books.lowerBound)
  }

  // MARK: - Frames

  /// Takes one frame of the stream.
  ///
  /// - Parameters:
  ///   - frame: its text, with 64 readable bytes behind it.
  ///   - receivedAt: when it came.
  ///   - batch: where changes go.
  /// - Returns: false where the frame was no JSON, so that every book of its connection may be wrong.
  package func take(_ frame: UnsafeRawBufferPointer, receivedAt: Timestamp, _ batch: BookBatch) -> Bool {
    counters.frames += 1
    var isReadable = true
    parser.expect(books: UnsafeRawPointer(cache.headerUnchecked(0)), stride: MemoryLayout<BookHeader>.stride)
    parser.parse(frame) { event in
      switch event {
      case .changes(let venueTime, let changes):
        if receivedAt.nanoseconds(since: venueTime) > 1_000_000_000 { counters.late += 1 }
        apply(changes, venueTime, receivedAt, batch)
      case .book(let book, let venueTime, let bids, let asks, let tick, let text, let claimed):
        guard book >= 0 else {
          counters.unknownTokens += 1
          return
        }
        if let tick, tick != cache.header(Int(book)).tick { setTick(tick, of: entry(of: Int(book)), batch) }
        if verifiesHash, bookHash.form(of: text, claimed: claimed) == nil {
          counters.hashMismatches += 1
          distrust(Int(book), batch)
          return
        }
        replace(Int(book), bids, asks, venueTime, receivedAt, batch)
      case .trade(let book, let venueTime, let price, let quantity, let side):
        take(book, venueTime, price, quantity, side, receivedAt)
      case .tick(let book, let tick):
        if book >= 0 { setTick(tick, of: entry(of: Int(book)), batch) }
      case .metadataChanged: metadataChanged = true
      case .ignored: counters.ignored += 1
      case .refused(let fault, let field, let market):
        refuse(fault, field, market, batch)
        if fault == .badJSON || place(of: market) == nil { isReadable = false }
      }
    }
    return isReadable
  }

  private func apply(
    _ changes: UnsafeBufferPointer<StreamLevelChange>, _ venueTime: Timestamp, _ receivedAt: Timestamp,
    _ batch: BookBatch
  ) {
    var index = 0
    var overflowing: BookIndex?
    for change in changes where change.book >= 0 {
      if let best = cache.bestMemory(change.side == 0 ? .bid : .ask, of: Int(change.book)) { bh_prefetch(best) }
    }
    while index < changes.count {
      let book = Int(changes[index].book)
      var end = index + 1
      while end < changes.count, changes[end].book == changes[index].book { end += 1 }
      defer { index = end }
      guard book >= 0 else {
        counters.unknownTokens += 1
        continue
      }
      guard isInOrder(book, venueTime, batch) else {
        counters.droppedChanges += UInt64(end - index)
        droppedAt[book] = max(venueTime, droppedAt[book] ?? venueTime)
        continue
      }
      guard venueTime >= cache.headerUnchecked(book).pointee.venueTime else {
        counters.oldChanges += UInt64(end - index)
        continue
      }
      batch.beginChange(book: UInt32(book), venueTime: venueTime, receivedAt: receivedAt)
      for place in index..<end {
        let change = changes[place]
        let side: BookSide = change.side == 0 ? .bid : .ask
        let result = cache.apply(
          book, side: side, price: change.price, quantity: change.quantity, venueTime: venueTime,
          receivedAt: receivedAt)
        if result == .full { overflowing = book }
        batch.change(side: side, price: change.price, quantity: change.quantity)
        if sample.isListening {
          sample.note(book, side, Level(price: change.price, quantity: change.quantity), at: venueTime)
        }
      }
      batch.endChange()
      bestPrices.tell(book, bid: changes[end - 1].bestBid, ask: changes[end - 1].bestAsk)
      if let full = overflowing {
        overflowing = nil
        distrust(full, batch)
      }
      counters.changes += UInt64(end - index)
    }
    // Only now: a message may name the sides of a book in turn, and cross it on the way.
    for change in changes where change.book >= 0 {
      let touch = cache.touch(Int(change.book))
      guard touch.bid >= touch.ask, cache.header(Int(change.book)).state == .live else { continue }
      counters.crossedByChange += 1
      distrust(Int(change.book), batch)
    }
  }

  /// Whether a change may be applied: the book is live, and has what the venue has said of it until now.
  @inline(__always) private func isInOrder(_ book: BookIndex, _ venueTime: Timestamp, _ batch: BookBatch) -> Bool {
    let header = cache.headerUnchecked(book)
    guard header.pointee.state == .live else { return false }
    if venueTime == header.pointee.venueTime { return true }
    if venueTime < header.pointee.venueTime {
      if bestPrices.isOfREST(book) { return true }
      counters.reordered += 1
    } else {
      if bestPrices.hold(book, cache.touches[book]) { return true }
      counters.bestMismatches += 1
    }
    distrust(book, batch)
    return false
  }

  /// Compares the books of a stream with what the venue has said of their best prices, where nothing has come since.
  package func checkBestPrices(_ books: [BookIndex], quietSince: Timestamp, _ batch: BookBatch) {
    for book in books {
      let header = cache.headerUnchecked(book)
      guard header.pointee.state == .live, header.pointee.receivedAt < quietSince else { continue }
      guard !bestPrices.hold(book, cache.touches[book]) else { continue }
      counters.bestMismatches += 1
      distrust(book, batch)
    }
  }

  private func replace(
    _ book: BookIndex, isOfREST: Bool = false, _ bids: UnsafeBufferPointer<Level>, _ asks: UnsafeBufferPointer<Level>,
    _ venueTime: Timestamp, _ receivedAt: Timestamp, _ batch: BookBatch
  ) {
    guard cache.header(book).state != .closed else { return }
    counters.snapshots += 1
    guard cache.replace(book, bids: bids, asks: asks, venueTime: venueTime, receivedAt: receivedAt) else {
      return distrust(book, batch)
    }
    wanted.remove(book)
    droppedAt[book] = nil
    sample.forget(book)
    bestPrices.forget(book, isOfREST: isOfREST)
    batch.snapshot(book: UInt32(book), index: book, of: cache)
  }

  private func take(
    _ book: Int32, _ venueTime: Timestamp, _ price: Price, _ quantity: Quantity?, _ side: Side,
    _ receivedAt: Timestamp
  ) {
    guard book >= 0 else {
      counters.unknownTokens += 1
      return
    }
    guard tradeAge.accepts(venueTime, now: receivedAt) else {
      counters.oldTrades += 1
      return
    }
    counters.trades += 1
    let instrument = InstrumentID(venue: .polymarket, symbol: token(of: Int(book)))
    let trade = Trade(instrument: instrument, price: price, quantity: quantity, takerSide: side, time: venueTime)
    guard quantity == nil else { return trades.append(trade) }
    counters.tradesWithoutSize += 1
    sizelessTrades.append((trade, Int(book)))
  }

  private func refuse(_ fault: StreamFault, _ field: String, _ market: String, _ batch: BookBatch) {
    let name = field.prefix { $0 != "[" }
    let key = "\(name) \(fault.explanation)"
    let seen = counters.refused[key, default: 0]
    counters.refused[key] = seen + 1
    // The first of a kind in full, then every thousandth: a venue that has gone mad must not fill the disk.
    if seen % 1000 == 0 {
      Log.warning(
        "message refused",
        [
          "venue": "polymarket", "kind": "stream", "field": field, "problem": fault.explanation, "market": market,
          "times": "\(seen + 1)",
        ])
    }
    if let place = place(of: market) {
      for book in entries[place].books { distrust(book, batch) }
    }
  }

  /// Marks a book stale, says so, and asks for a snapshot.
  private func distrust(_ book: BookIndex, _ batch: BookBatch) {
    guard cache.header(book).state != .closed else { return }
    cache.markStale(book)
    sample.forget(book)
    batch.stale(book: UInt32(book))
    wanted.insert(book)
  }

  /// What the stream said of these books was not understood: none of them can be trusted.
  package func distrust(_ books: [BookIndex], _ batch: BookBatch) {
    for book in books where cache.header(book).state == .live { distrust(book, batch) }
  }

  /// The stream of these books is gone.
  ///
  /// They are stale until it is back and brings them: a snapshot by REST would miss every change until then, so none is
  /// asked for.
  package func streamLost(_ books: [BookIndex], _ batch: BookBatch) {
    distrust(books, batch)
    for book in books { wanted.remove(book) }
  }

  /// The book that a snapshot is of, or nil where it is not known here.
  package func place(of snapshot: BookSnapshot) -> BookIndex? {
    guard let place = ownedPlace(of: snapshot.marketID) else { return nil }
    return entries[place].books.first { token(of: $0) == snapshot.instrument.symbol }
  }

  /// Takes a book that was fetched by REST; one that the stream has replaced meanwhile stays.
  ///
  /// A snapshot that is older than a change which was dropped meanwhile would bring back what is no longer there: it is
  /// thrown away, and asked for again.
  package func take(_ snapshot: BookSnapshot, receivedAt: Timestamp, _ batch: BookBatch) {
    guard let book = place(of: snapshot) else { return }
    let place = entry(of: book)
    guard cache.header(book).state != .live else { return }
    if let dropped = droppedAt[book], dropped > snapshot.venueTime {
      counters.oldSnapshots += 1
      wanted.insert(book)
      return
    }
    if let tick = snapshot.tick, tick != cache.header(book).tick { setTick(tick, of: place, batch) }
    snapshot.bids.withUnsafeBufferPointer { bids in
      snapshot.asks.withUnsafeBufferPointer { asks in
        replace(book, isOfREST: true, bids, asks, snapshot.venueTime, receivedAt, batch)
      }
    }
  }

  /// Takes a book that REST told, in the place of whatever is known: the stream has been proved wrong, or is down.
  package func correct(_ snapshot: BookSnapshot, receivedAt: Timestamp, _ batch: BookBatch) {
    guard let book = place(of: snapshot), cache.header(book).state != .closed else { return }
    if let tick = snapshot.tick, tick != cache.header(book).tick { setTick(tick, of: entry(of: book), batch) }
    snapshot.bids.withUnsafeBufferPointer { bids in
      snapshot.asks.withUnsafeBufferPointer { asks in
        replace(book, isOfREST: true, bids, asks, snapshot.venueTime, receivedAt, batch)
      }
    }
  }

  /// Asks for snapshots of books that ought to be live and are not.
  package func wantMissing(_ books: [BookIndex]) {
    for book in books {
      let state = cache.header(book).state
      if state == .empty || state == .stale { wanted.insert(book) }
    }
  }

  /// Takes up to `limit` books that want a snapshot; each is asked for again only after it is wanted again.
  package func takeWanted(limit: Int) -> [BookIndex] {
    let some = Array(wanted.prefix(limit))
    for book in some { wanted.remove(book) }
    return some
  }

  /// Whether there are trades of which the size is not known.
  package var hasSizelessTrades: Bool { !sizelessTrades.isEmpty }

  /// Takes the trades without a size since the last take, each with its book.
  package func takeSizelessTrades() -> [(trade: Trade, book: BookIndex)] {
    defer { sizelessTrades.removeAll(keepingCapacity: true) }
    return sizelessTrades
  }

  /// Takes the trades since the last take, but those without a size.
  package func takeTrades() -> [Trade] {
    guard !trades.isEmpty else { return [] }
    defer { trades.removeAll(keepingCapacity: true) }
    return trades
  }
}
