internal import Bus
internal import Daemon
internal import Market
internal import Venues

extension PolymarketIngestingService {
  // MARK: - Catalogue

  func requestListing(_ now: Int64) {
    isListing = true
    nextListingAt = now + options.refreshNanoseconds
    listingRequestedAt = now
    books.metadataChanged = false
    let rest = self.rest
    let mailbox = self.mailbox
    Task {
      do throws(VenueError) {
        mailbox.post(.listing(.success(try await rest.markets())))
      } catch {
        mailbox.post(.listing(.failure(error)))
      }
    }
  }

  func take(listing result: Result<MarketListing, VenueError>) {
    isListing = false
    switch result {
    case .failure(let error):
      listingFailures += 1
      let wait = StreamConnection.backoffNanoseconds(failures: listingFailures, random: random.next())
      nextListingAt = SystemClock.monotonicNanoseconds + min(wait, options.refreshNanoseconds)
      if listingFailures == 1 || listingFailures % 10 == 0 {
        Log.warning("catalogue cannot be read", ["failures": "\(listingFailures)", "problem": "\(error)"])
      }
    case .success(let listing):
      listingFailures = 0
      listings += 1
      refusedListings += UInt64(listing.rejected.count)
      for error in listing.rejected.prefix(3) { Log.warning("market left out", ["problem": "\(error)"]) }
      if shards.isSettled(SystemClock.monotonicNanoseconds) { adopt(listing) } else { heldListing = listing }
    }
  }

  func adopt(_ listing: MarketListing) {
    var changed: [Int] = []
    var added: [BookIndex] = []
    var gone: [BookIndex] = []
    var refiled: [Int] = []
    var ids: Set<String> = []
    foreign.removeAll(keepingCapacity: true)
    for market in listing.markets {
      ids.insert(market.id)
      let owned = books.ownedPlace(of: market.id)
      let term = shards.term(ofKey: market.shardKey)
      if !isOwn(market, term: term, isKnown: owned != nil) {
        foreign.append(market)
        // While others take, what they are to have stays here.
        guard let owned, shards.plan.phase == .take || !books.isRefiled(owned) else {
          if let owned { refiled.append(owned) }
          continue
        }
      }
      let (place, change) = books.adopt(market, term: term ?? 0, batch)
      switch change {
      case .same: continue
      case .added:
        if !market.isClosed { added += books.entries[place].books }
      case .changed: break
      case .closed: gone += books.entries[place].books
      }
      changed.append(place)
    }
    // A listing with markets that could not be read says nothing about those that it does not name.
    if listing.rejected.isEmpty {
      for place in books.sweepMissing(listed: ids, batch) {
        changed.append(place)
        gone += books.entries[place].books
      }
    }
    // The handles first: no book is told before its market is.
    publishMarkets(changed)
    publishBatch()
    watch(added)
    unwatch(gone)
    drop(refiled)
    catalogueAt = listingRequestedAt
    keepConnections(SystemClock.monotonicNanoseconds)
    guard !isReady else { return }
    unsettled.formUnion(added)
    isReady = true
    Log.info(
      "catalogue read",
      [
        "markets": "\(books.ownedCount)", "books": "\(books.cache.count)", "pages": "\(listing.pageCount)",
        "connections": "\(connections.count)", "shard": "\(shards.shard)/\(shards.plan.count)",
      ])
    context.notifyReady(status: statusText)
  }

  // MARK: - Books by REST

  /// Fetches books that want a snapshot, a few requests at a time.
  func requestWantedBooks() {
    while booksInFlight < 4, !books.wanted.isEmpty {
      let now = SystemClock.monotonicNanoseconds
      let some = books.takeWanted(limit: 100).filter { isWatched($0, since: now) }
      guard !some.isEmpty else { continue }
      for book in some { askedAt[book] = now }
      booksInFlight += 1
      let tokens = some.map { books.tokens[$0] }
      let rest = self.rest
      let mailbox = self.mailbox
      Task {
        do throws(VenueError) {
          mailbox.post(.books(.success(try await rest.books(tokens: tokens)), asked: some, requestedAt: now))
        } catch {
          mailbox.post(.books(.failure(error), asked: some, requestedAt: now))
        }
      }
    }
  }

  /// Whether the stream has watched a book since then, so that no change between is missing.
  private func isWatched(_ book: BookIndex, since time: Int64) -> Bool {
    guard book < connectionOfBook.count, connectionOfBook[book] >= 0, watchedAt[book] <= time else { return false }
    let connection = connections[connectionOfBook[book]]
    return connection.state == .open && connection.openedAt <= time
  }

  func take(books result: Result<BookListing, VenueError>, asked: [BookIndex], requestedAt: Int64) {
    booksInFlight -= 1
    switch result {
    case .failure(let error): Log.warning("books cannot be fetched", ["problem": "\(error)"])
    case .success(let listing):
      let now = SystemClock.now
      restBooks += UInt64(listing.books.count)
      for error in listing.rejected.prefix(3) { Log.warning("book refused", ["problem": "\(error)"]) }
      for snapshot in listing.books {
        if let book = books.place(of: snapshot), isWatched(book, since: requestedAt) {
          books.take(snapshot, receivedAt: now, batch)
        } else {
          unwatchedBooks += 1
        }
      }
      // The venue has no book for some tokens: nothing more comes of them.
      for book in asked where !books.wanted.contains(book) { unsettled.remove(book) }
      publishBatch()
    }
    // Those that are still not live are found by the check of every second.
  }
}
