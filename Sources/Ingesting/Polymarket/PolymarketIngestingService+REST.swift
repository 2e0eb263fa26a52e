internal import Daemon
internal import Market
internal import Venues

extension PolymarketIngestingService {
  var listing: @Sendable () async throws(VenueError) -> CatalogueListing<PackedListing> {
    var rest = self.rest
    rest.takeTerms = history.terms.take
    return { [rest] () async throws(VenueError) in
      let listing = try await rest.markets()
      return CatalogueListing(
        markets: listing.markets.map { PackedListing($0) }, rejected: listing.rejected, pageCount: listing.pageCount)
    }
  }

  func fetch(_ books: [BookIndex]) -> @Sendable () async throws(VenueError) -> BookListing {
    let (rest, tokens) = (rest, books.map { markets.token(of: $0) })
    return { () async throws(VenueError) in try await rest.books(tokens: tokens) }
  }

  func repair(_ book: BookIndex, _ snapshot: BookSnapshot) {
    markets.correct(snapshot, receivedAt: SystemClock.now, desk.batch)
  }

  func fetchTrades(since: Timestamp) -> @Sendable () async throws(VenueError) -> FetchedTrades {
    let rest = self.rest
    return { () async throws(VenueError) in
      // The venue has no filter by time, and pages shift while they are read: a small answer, or the largest.
      let some = try await rest.newestTrades(limit: 1000)
      if some.count < 1000 || some.contains(where: { $0.time < since }) {
        return FetchedTrades(trades: some, isComplete: true)
      }
      let all = try await rest.newestTrades(limit: PolymarketREST.tradesMax)
      let isComplete = all.count < PolymarketREST.tradesMax || all.contains { $0.time < since }
      return FetchedTrades(trades: all, isComplete: isComplete)
    }
  }

  // MARK: - Books that want a snapshot

  /// Fetches books that want a snapshot, a few requests at a time.
  func requestWantedBooks() {
    while booksInFlight < 4, !markets.wanted.isEmpty {
      let now = SystemClock.monotonicNanoseconds
      let some = markets.takeWanted(limit: 100).filter { isWatched($0, since: now) }
      guard !some.isEmpty else { continue }
      for book in some { askedAt[book] = now }
      booksInFlight += 1
      let (fetch, mailbox) = (fetch(some), mailbox)
      Task {
        do throws(VenueError) {
          mailbox.post(.books(.success(try await fetch()), asked: some, requestedAt: now))
        } catch {
          mailbox.post(.books(.failure(error), asked: some, requestedAt: now))
        }
      }
    }
  }

  /// Whether the stream has watched a book since then, so that no change between is missing.
  private func isWatched(_ book: BookIndex, since time: Int64) -> Bool {
    guard let index = connection(of: book), watches[book].isOlder(than: time) else { return false }
    let stream = connections[index].stream
    return stream.state == .open && stream.openedAt <= time
  }

  func take(books result: Result<BookListing, VenueError>, asked: [BookIndex], requestedAt: Int64) {
    booksInFlight -= 1
    switch result {
    case .failure(let error):
      Log.warning("books cannot be fetched", ["problem": "\(error)"])
      // The venue has not said that it has none: the next check asks again.
      for book in asked { askedAt[book] = nil }
    case .success(let listing):
      let now = SystemClock.now
      restBooks += UInt64(listing.books.count)
      for error in listing.rejected.prefix(3) { Log.warning("book refused", ["problem": "\(error)"]) }
      for snapshot in listing.books {
        if let book = markets.place(of: snapshot), isWatched(book, since: requestedAt) {
          markets.take(snapshot, receivedAt: now, desk.batch)
        } else {
          unwatchedBooks += 1
        }
      }
      // What was refused is there, and may be read the next time.
      guard listing.rejected.isEmpty else {
        for book in asked where markets.state(of: book) != .live { askedAt[book] = nil }
        return publishBatch()
      }
      // The venue has no book for some tokens: nothing more comes of them.
      for book in asked where !markets.wanted.contains(book) { desk.unsettled.remove(book) }
      publishBatch()
    }
    // Those that are still not live are found by the check of every second.
  }
}
