package import Bus
package import Market
internal import Venues

/// What became of a market that the catalogue lists.
package enum MarketChange: Equatable {
  case added, changed, closed, same
}

/// The catalogue: which markets there are, and which books.
extension PolymarketBooks {
  /// What is kept of each market in 56 bytes: there are tens of thousands.
  package struct Entry {
    /// Under which term it is owned.
    package internal(set) var term: UInt64
    /// The day's volume that was told last.
    var dayVolume: Money
    var endsAt: Timestamp?
    var isClosed: Bool
    /// Whether it was closed because two listings did not name it, rather than by the venue's word.
    var isMissing = false
    /// Whether it is this shard's; one that is not keeps its place, so that its handles stay its own.
    package internal(set) var isOwned = true
    var missedListings: UInt8 = 0
    /// How many listings running said that it belongs to another shard although the plan did not change.
    var foreignListings: UInt8 = 0
    private var bookCount: UInt8 = 0
    private var firstBook: Int32 = 0
    /// The market as it was last listed.
    var packed: PackedMarkets.Place
    private var tickRaw: Int32
    private var listedTickRaw: Int32

    init(_ listed: PackedListing, packed: PackedMarkets.Place, term: UInt64) {
      self.term = term
      self.packed = packed
      (dayVolume, endsAt, isClosed) = (listed.dayVolume, listed.endsAt, listed.isClosed)
      (tickRaw, listedTickRaw) = (Int32(listed.tick.raw), Int32(listed.tick.raw))
    }

    /// The books of its outcomes, in their order; none where it has no tokens yet.
    package internal(set) var books: Range<BookIndex> {
      get { Int(firstBook)..<Int(firstBook) + Int(bookCount) }
      set { (firstBook, bookCount) = (Int32(newValue.lowerBound), UInt8(newValue.count)) }
    }

    /// The tick that holds; the stream may have told a newer one than the catalogue.
    var tick: Price {
      get { Price(raw: Int64(tickRaw)) }
      set { tickRaw = Int32(newValue.raw) }
    }

    /// The tick that the catalogue last said.
    var listedTick: Price {
      get { Price(raw: Int64(listedTickRaw)) }
      set { listedTickRaw = Int32(newValue.raw) }
    }
  }

  /// The market of an entry as it stands now.
  package func market(_ place: Int) -> PredictionMarket {
    let entry = entries[place]
    var market = packed.market(entry.packed, tick: entry.tick)
    market.dayVolume = entry.dayVolume
    guard entry.isMissing else { return market }
    market.isClosed = true
    market.isAcceptingOrders = false
    return market
  }

  /// The entry of a market, or nil.
  func place(of id: String) -> Int? { index.place(of: id) { packed.id(entries[$0].packed) == id } }

  /// Takes a market of the catalogue; one that this shard has not, or not any more, is its own from here on, under the
  /// term.
  package func adopt(_ market: PredictionMarket, term: UInt64 = 0, _ batch: BookBatch) -> (
    place: Int, change: MarketChange
  ) {
    adopt(PackedListing(market), term: term, batch)
  }

  func adopt(_ listed: PackedListing, term: UInt64, _ batch: BookBatch) -> (place: Int, change: MarketChange) {
    guard let place = place(of: listed.id) else {
      let place = entries.count
      entries.append(Entry(listed, packed: packed.add(listed.packed), term: term))
      index.add(listed.id, at: place)
      ownedCount += 1
      addBooks(of: place)
      return (place, .added)
    }
    entries[place].missedListings = 0
    entries[place].foreignListings = 0
    guard entries[place].isOwned else { return takeBack(place, listed, term) }
    if entries[place].isMissing, !listed.isClosed { return reopen(place, listed) }
    let (knownTick, wasClosed) = (entries[place].tick, entries[place].isClosed)
    // The stream tells of a new tick at once; the catalogue follows later.
    let tick = listed.tick == entries[place].listedTick ? knownTick : listed.tick
    entries[place].listedTick = listed.tick
    guard
      tick != knownTick || !packed.isSame(entries[place].packed, listed.packed)
        || listed.dayVolume.isNews(after: entries[place].dayVolume), !wasClosed || listed.isClosed
    else {
      return (place, .same)
    }
    list(listed, at: place)
    if listed.isClosed, !wasClosed {
      entries[place].tick = tick
      closeBooks(of: place, batch)
      return (place, .closed)
    }
    if entries[place].books.isEmpty, listed.outcomeCount == 2 {
      // A placeholder that has got its tokens.
      entries[place].tick = tick
      addBooks(of: place)
      return (place, .added)
    }
    if tick != knownTick { setTick(tick, of: place, batch) }
    return (place, .changed)
  }

  /// Takes what a listing says of a market, but for the tick that holds.
  func list(_ listed: PackedListing, at place: Int) {
    entries[place].packed = packed.replace(entries[place].packed, listed.packed)
    entries[place].listedTick = listed.tick
    entries[place].dayVolume = listed.dayVolume
    entries[place].endsAt = listed.endsAt
    entries[place].isClosed = listed.isClosed
    guard packed.isWasteful else { return }
    var tidy = PackedMarkets()
    for place in entries.indices { entries[place].packed = tidy.add(entries[place].packed, of: packed) }
    packed = tidy
  }

  func addBooks(of place: Int) {
    let entry = entries[place]
    let outcomes = market(place).outcomes
    guard outcomes.count == 2 else { return }
    let first = cache.count
    for outcome in outcomes {
      let book = cache.add(tick: entry.tick)
      entryNumbers.append(Int32(place))
      bestPrices.add()
      if entry.isClosed {
        cache.close(book)
      } else {
        parser.bind(token: outcome.token, book: Int32(book), tick: entry.tick)
      }
    }
    entries[place].books = first..<cache.count
  }

  /// Takes back a market that was missing in listings and is there again.
  func reopen(_ place: Int, _ listed: PackedListing) -> (place: Int, change: MarketChange) {
    entries[place].isMissing = false
    list(listed, at: place)
    entries[place].tick = listed.tick
    for book in entries[place].books {
      cache.reset(book)
      cache.setTick(listed.tick, of: book)
      parser.bind(token: token(of: book), book: Int32(book), tick: listed.tick)
    }
    return (place, .added)
  }

  /// Takes a whole listing's ids: what is missing in two listings running is closed.
  ///
  /// - Returns: the markets that are closed now.
  package func sweepMissing(listed: Set<String>, _ batch: BookBatch) -> [Int] {
    var gone: [Int] = []
    for place in entries.indices where entries[place].isOwned && !entries[place].isClosed {
      guard !listed.contains(packed.id(entries[place].packed)) else { continue }
      entries[place].missedListings += 1
      guard entries[place].missedListings >= 2 else { continue }
      entries[place].isMissing = true
      entries[place].isClosed = true
      closeBooks(of: place, batch)
      gone.append(place)
    }
    return gone
  }

  func closeBooks(of place: Int, _ batch: BookBatch) {
    for book in entries[place].books {
      parser.unbind(token: token(of: book))
      cache.close(book)
      wanted.remove(book)
      droppedAt[book] = nil
      batch.closed(book: UInt32(book))
    }
  }

  /// A market has another grid of prices; its books are asked for anew.
  ///
  /// The venue says so for each token, and what the second one says is known by then.
  func setTick(_ tick: Price, of place: Int, _ batch: BookBatch) {
    entries[place].tick = tick
    for book in entries[place].books where cache.header(book).tick != tick {
      cache.setTick(tick, of: book)
      parser.bind(token: token(of: book), book: Int32(book), tick: tick)
      batch.tick(book: UInt32(book), tick)
      wanted.insert(book)
    }
  }
}

/// Finds entries by the ids of their markets without keeping the ids.
struct PlaceIndex {
  /// By a hash of the id; of ids with the same hash the first.
  private var places: [UInt32: Int32] = [:]
  /// Ids whose hash another id has.
  private var others: [String: Int] = [:]

  /// The place of an id, or nil; `isAt` tells whether the id is that of a place.
  func place(of id: String, isAt: (Int) -> Bool) -> Int? {
    guard let place = places[id.shortHash] else { return nil }
    return isAt(Int(place)) ? Int(place) : others[id]
  }

  /// Notes the place of an id that is not known yet.
  mutating func add(_ id: String, at place: Int) {
    if places[id.shortHash] == nil { places[id.shortHash] = Int32(place) } else { others[id] = place }
  }
}
