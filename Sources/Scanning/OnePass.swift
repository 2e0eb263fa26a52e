internal import Bus
internal import Daemon
internal import Market
internal import Venues

/// One pass over all markets by hand (S14): markets and books over REST, one scan, one report.
///
/// Latency and spike need streams and are left out, which the report says.
struct OnePass {
  /// What the command line asks for.
  struct Request {
    /// At most so many markets of each venue, the most traded first; nil for all.
    var limit: Int?
    /// Which venues.
    var venues: [Venue] = [.polymarket, .kalshi]
    /// The file to which the report goes.
    var report = ""

    /// Reads `--report FILE`, `--limit N` and `--venue NAME`, which may stand several times.
    ///
    /// - Throws: `ConfigurationError` where something else stands there, or the report is missing.
    init(_ arguments: [String]) throws(ConfigurationError) {
      var rest = arguments[...]
      var chosen: [Venue] = []
      while let argument = rest.popFirst() {
        let value = rest.popFirst() ?? ""
        switch (argument, Int(value), Venue(rawValue: value)) {
        case ("--report", _, _) where !value.isEmpty: report = value
        case ("--limit", let number?, _) where number > 0: limit = number
        case ("--venue", _, let venue?) where venue == .polymarket || venue == .kalshi: chosen.append(venue)
        default:
          throw ConfigurationError(
            file: "command line",
            problem: "expected --report FILE, --limit N or --venue polymarket or kalshi, found \(argument) \(value)")
        }
      }
      guard !report.isEmpty else { throw ConfigurationError(file: "command line", problem: "expected --report FILE") }
      if !chosen.isEmpty { venues = chosen }
    }
  }

  /// How many batches of books are asked for at once.
  private static let batchesAtOnce = 4
  private static let tokensPerBatch = 100

  private let scanner: Scanner
  private let pairs: [MarketPair]
  private var report = ScanReport()

  init(options: ScannerOptions, pairs: [MarketPair]) {
    // What was confirmed by REST in this pass is fresh, however long the pass takes.
    var options = options
    options.bookAgeMaxNanoseconds = max(options.bookAgeMaxNanoseconds, 3_600_000_000_000)
    scanner = Scanner(feed: BookFeed(), options: options, board: OpportunityBoard(epoch: 0))
    self.pairs = pairs
  }

  /// Fetches, scans, reports.
  ///
  /// - Parameters:
  ///   - request: what is looked at.
  ///   - sources: the venues that have markets and books.
  /// - Returns: what was found, what was left out, and what was looked at.
  mutating func run(_ request: Request, _ sources: [any MarketSource & BookSource]) async -> ScanReport {
    for source in sources where request.venues.contains(source.venue) {
      do throws(VenueError) {
        try await read(source, limit: request.limit)
      } catch {
        report.notes.append("\(source.venue.rawValue) was left out: \(error)")
      }
    }
    let now = SystemClock.now
    scanner.setPairs(pairs)
    scanner.scanAll(now: now)
    report.opportunities = scanner.board.openOpportunities
    for reason in SkipReason.allCases where scanner.skips[reason] > 0 {
      report.skips.append((reason.name, Int64(scanner.skips[reason])))
    }
    report.figures.append(("pairs", Int64(pairs.count)))
    report.notes.append("latency and spike need the streams of a running group; one pass does not look for them")
    return report
  }

  private mutating func read(_ source: any MarketSource & BookSource, limit: Int?) async throws(VenueError) {
    let started = SystemClock.monotonicNanoseconds
    let listing = try await source.markets()
    let now = SystemClock.now
    let markets = chosen(listing.markets.filter { $0.outcomes.count == 2 }, limit: limit)
    var tokens: [String] = []
    for market in markets where market.isTradable(at: now) { tokens += market.outcomes.map(\.token) }
    let books = try await OnePass.books(of: tokens, source)
    take(markets, books.books)
    let name = source.venue.rawValue
    report.figures += [
      ("\(name)_markets_listed", Int64(listing.markets.count)), ("\(name)_markets", Int64(markets.count)),
      ("\(name)_markets_rejected", Int64(listing.rejected.count)), ("\(name)_books", Int64(books.books.count)),
      ("\(name)_books_missing", Int64(books.missing.count)), ("\(name)_books_rejected", Int64(books.rejected.count)),
      ("\(name)_milliseconds", (SystemClock.monotonicNanoseconds - started) / 1_000_000),
    ]
  }

  /// The most traded markets, with all others of their events: a part of an event is no event.
  private func chosen(_ markets: [PredictionMarket], limit: Int?) -> [PredictionMarket] {
    guard let limit, limit < markets.count else { return markets }
    let ranked = markets.sorted { $0.dayVolume != $1.dayVolume ? $0.dayVolume > $1.dayVolume : $0.id < $1.id }
    let events = Dictionary(grouping: markets, by: \.eventID)
    var taken: [PredictionMarket] = []
    var seen: Set<String> = []
    for market in ranked where taken.count < limit && seen.insert(market.eventID).inserted {
      taken += events[market.eventID] ?? []
    }
    return taken
  }

  /// Books in batches, several at once; the venue's limits are kept by its client.
  private static func books(
    of tokens: [String], _ source: any MarketSource & BookSource
  ) async throws(VenueError) -> BookListing {
    let batches = stride(from: 0, to: tokens.count, by: tokensPerBatch).map {
      Array(tokens[$0..<min($0 + tokensPerBatch, tokens.count)])
    }
    return await withTaskGroup(of: BookListing.self) { group in
      var next = batches.makeIterator()
      func start() {
        guard let batch = next.next() else { return }
        group.addTask {
          do throws(VenueError) {
            return try await source.books(tokens: batch)
          } catch {
            var failed = BookListing()
            failed.missing = batch
            failed.rejected = [error]
            return failed
          }
        }
      }
      for _ in 0..<batchesAtOnce { start() }
      var all = BookListing()
      for await part in group {
        all.books += part.books
        all.missing += part.missing
        all.rejected += part.rejected
        start()
      }
      return all
    }
  }

  private func take(_ markets: [PredictionMarket], _ books: [BookSnapshot]) {
    let now = SystemClock.now
    let feed = scanner.feed
    var handle = UInt32(feed.owners.count)
    for market in markets {
      let place = feed.adopt(MarketMessage(market: market, books: [handle, handle + 1]))
      handle += 2
      scanner.marketChanged(place)
    }
    for book in books {
      guard let place = feed.bookPlace(book.instrument) else { continue }
      book.bids.withUnsafeBufferPointer { bids in
        book.asks.withUnsafeBufferPointer { asks in
          _ = feed.cache.replace(place, bids: bids, asks: asks, venueTime: book.venueTime, receivedAt: now)
        }
      }
      scanner.bookChanged(place)
    }
  }
}
