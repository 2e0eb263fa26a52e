internal import Daemon
internal import Market
internal import Venues

extension KalshiIngestingService {
  var listing: @Sendable () async throws(VenueError) -> CatalogueListing<KalshiMarket> {
    let (rest, terms) = (rest, history.terms)
    return { () async throws(VenueError) in
      let listing = try await rest.events(status: "open")
      var markets = listing.events.flatMap(\.markets)
      terms.take(markets.map(\.terms))
      // The texts are not kept beside the books.
      for index in markets.indices { markets[index].rules = [] }
      return CatalogueListing(
        markets: markets, rejected: listing.rejected, pageCount: listing.pageCount)
    }
  }

  /// The venue's answer has no time: what it says is as old as the question.
  func fetch(_ books: [BookIndex]) -> @Sendable () async throws(VenueError) -> BookListing {
    let tokens = books.map { KalshiOutcome.yes.token(ofMarket: ticker(of: $0)) }
    let rest = self.rest
    return { () async throws(VenueError) in
      let askedAt = SystemClock.now
      var listing = try await rest.books(tokens: tokens)
      for index in listing.books.indices { listing.books[index].venueTime = askedAt }
      return listing
    }
  }

  /// Asks the stream for the whole book: what REST says cannot be put in order with the stream's changes.
  func repair(_ book: BookIndex, _ snapshot: BookSnapshot) {
    guard let index = connection(of: book) else { return }
    connections[index].fold.distrust(market: snapshot.marketID)
    markets.distrust(snapshot.marketID, desk.batch)
  }

  func fetchTrades(since: Timestamp) -> @Sendable () async throws(VenueError) -> FetchedTrades {
    let rest = self.rest
    return { () async throws(VenueError) in
      let trades = try await rest.allTrades(from: since, to: SystemClock.now.advanced(bySeconds: 1))
      return FetchedTrades(trades: trades.filter { !$0.isBlock }.map(\.common), isComplete: true)
    }
  }

  private func ticker(of book: BookIndex) -> String { markets.market(markets.entry(of: book)).id }

  // MARK: - Fees

  /// Asks what the series charge, at the start and every hour.
  func requestSeries(_ now: Int64) {
    nextSeriesAt = now + 3_600_000_000_000
    let (rest, mailbox) = (rest, mailbox)
    Task {
      do throws(VenueError) {
        mailbox.post(.series(.success(try await rest.allSeries())))
      } catch {
        mailbox.post(.series(.failure(error)))
      }
    }
  }

  func take(series result: Result<[KalshiSeries]?, VenueError>) {
    switch result {
    case .success(let series):
      fees.take(series ?? [])
      // The markets that are here were read with the ordinary fees.
      if desk.isReady, series?.isEmpty == false { markets.metadataChanged = true }
    case .failure(let error):
      nextSeriesAt = SystemClock.monotonicNanoseconds + 60_000_000_000
      Log.warning("fees cannot be read", ["venue": "kalshi", "problem": "\(error)"])
    }
  }
}
