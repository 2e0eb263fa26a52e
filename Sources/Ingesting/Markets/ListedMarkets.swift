internal import Bus
internal import Market
internal import Venues

/// A market as a venue's catalogue describes it.
protocol ListedMarket: Sendable {
  var id: String { get }
  /// What decides which shard has it.
  var shardKey: String { get }
  var isClosed: Bool { get }
}

/// A market of an ingestor with its books.
protocol ListedEntry {
  associatedtype Books: RandomAccessCollection<BookIndex>

  /// The handles of its outcomes' books; none before it has any.
  var books: Books { get }
  var isClosed: Bool { get }
  /// When it ends; nil where the venue does not say.
  var endsAt: Timestamp? { get }
  /// Whether it is this shard's; one that is not keeps its place, so that its handles stay its own.
  var isOwned: Bool { get }
  /// The term under which it is owned.
  var term: UInt64 { get }
}

/// The markets of a venue's catalogue with their books: the core of an ingestor of prediction markets.
protocol ListedMarkets: AnyObject {
  associatedtype Listed: ListedMarket
  associatedtype Entry: ListedEntry

  var entries: [Entry] { get }
  var ownedCount: Int { get }
  /// Whether the venue said that its catalogue changed.
  var metadataChanged: Bool { get set }

  /// The market of an entry as it stands now.
  func market(_ place: Int) -> PredictionMarket
  /// The entry that a book belongs to.
  func entry(of book: BookIndex) -> Int
  /// What is known of a market, as the catalogue would say it.
  func listed(_ place: Int) -> Listed
  /// The place of a market that this shard has; nil where it has not.
  func ownedPlace(of id: String) -> Int?
  func adopt(_ listed: Listed, term: UInt64, _ batch: BookBatch) -> (place: Int, change: MarketChange)
  func sweepMissing(listed: Set<String>, _ batch: BookBatch) -> [Int]
  func isRefiled(_ place: Int) -> Bool
  func drop(_ place: Int, _ batch: BookBatch)
  func takeTrades() -> [Trade]

  var bookCount: Int { get }
  var liveBookCount: Int { get }
  func state(of book: BookIndex) -> BookState
  /// Writes a book that is live.
  /// - Returns: how many items were written.
  func writeSnapshot(of book: BookIndex, _ writer: MessagePackWriter) -> Int
}

extension BookCache {
  /// How many books are live.
  var liveCount: Int {
    var live = 0
    for book in 0..<count where headerUnchecked(book).pointee.state == .live { live += 1 }
    return live
  }

  /// Writes a book where it is live.
  /// - Returns: how many items were written.
  func writeIfLive(_ book: BookIndex, _ writer: MessagePackWriter) -> Int {
    guard header(book).state == .live else { return 0 }
    return writeBookSnapshot(book: UInt32(book), index: book, of: self, writer)
  }
}

extension PolymarketBooks.Entry: ListedEntry {}

extension PolymarketBooks: ListedMarkets {
  func listed(_ place: Int) -> PackedListing { PackedListing(market(place)) }
  var bookCount: Int { cache.count }
  var liveBookCount: Int { cache.liveCount }
  func state(of book: BookIndex) -> BookState { cache.header(book).state }
  func writeSnapshot(of book: BookIndex, _ writer: MessagePackWriter) -> Int { cache.writeIfLive(book, writer) }
}

extension KalshiMarket: ListedMarket {
  var id: String { market.id }
  var shardKey: String { market.shardKey }
  var isClosed: Bool { market.isClosed }
}

extension KalshiMarkets.Entry: ListedEntry {
  var isClosed: Bool { market.isClosed }
  var endsAt: Timestamp? { market.endsAt }
}

extension KalshiMarkets: ListedMarkets {
  func market(_ place: Int) -> PredictionMarket { entries[place].market }
  func entry(of book: BookIndex) -> Int { entryOfBook[book] }
  func listed(_ place: Int) -> KalshiMarket { KalshiMarket(market: entries[place].market, grid: entries[place].grid) }
  var bookCount: Int { cache.count }
  var liveBookCount: Int { cache.liveCount }
  func state(of book: BookIndex) -> BookState { cache.header(book).state }
  func writeSnapshot(of book: BookIndex, _ writer: MessagePackWriter) -> Int { cache.writeIfLive(book, writer) }
}
