internal import Bus
internal import Daemon
internal import Market
internal import Venues

/// What an ingestor of prediction markets keeps beside its books: the catalogue's schedule, what other shards have, and
/// who is being told everything.
struct MarketDesk<Listed: Sendable> {
  let marketTopic: TopicHandle
  let bookTopic: TopicHandle
  let tradeTopic: TopicHandle
  let refreshNanoseconds: Int64
  /// What is published with the next message of books.
  let batch = BookBatch()

  /// The markets of the last listing that other shards have: what a new plan gives to this one is taken from here.
  var foreign: [Listed] = []
  /// A listing that came before the plan.
  var held: CatalogueListing<Listed>?
  /// Books that must be live, or known to be none, before the plan is confirmed.
  var unsettled: Set<BookIndex> = []
  /// Whether the first listing was adopted.
  var isReady = false
  var isListing = false
  var listingRequestedAt: Int64 = 0
  /// When the listing that was last adopted was asked for, in monotonic nanoseconds.
  var catalogueAt: Int64 = 0
  var nextListingAt: Int64 = 0
  var listingFailures = 0
  var listings: UInt64 = 0
  var refused: UInt64 = 0
  var taken: UInt64 = 0
  var dropped: UInt64 = 0
  var nextCheckAt: Int64 = 0
  /// When memory that a listing or a snapshot needed is given back; nil where there was none.
  var shrinkDueAt: Int64?
  var snapshots: [SnapshotInProgress] = []

  init<Letter>(_ loop: IngestingLoop<Letter>, refreshNanoseconds: Int64) {
    marketTopic = loop.topic(Topic.market)
    bookTopic = loop.topic(Topic.book)
    tradeTopic = loop.topic(Topic.trade)
    self.refreshNanoseconds = refreshNanoseconds
  }
}

/// What a catalogue lists, as the venue describes it.
struct CatalogueListing<Listed: Sendable>: Sendable {
  var markets: [Listed]
  /// Markets that were left out, each with its reason.
  var rejected: [VenueError]
  var pageCount: Int
}

/// How far a subscriber's snapshot has come.
struct SnapshotInProgress {
  let request: SnapshotRequest
  var nextMarket = 0
  var nextBook = 0
}

/// An ingestor of prediction markets: catalogue and streams in; markets, books and trades out on the bus.
protocol MarketIngestingService: IngestingService {
  associatedtype Markets: ListedMarkets

  var markets: Markets { get }
  var desk: MarketDesk<Markets.Listed> { get set }
  var history: HistoryDesk { get set }

  /// The request for the whole catalogue.
  var listing: @Sendable () async throws(VenueError) -> CatalogueListing<Markets.Listed> { get }
  static func listed(_ result: Result<CatalogueListing<Markets.Listed>, VenueError>) -> Letter
  /// The request for all that was traded at the venue since then.
  func fetchTrades(since: Timestamp) -> @Sendable () async throws(VenueError) -> FetchedTrades
  static func caughtUp(_ result: Result<FetchedTrades, VenueError>, _ missed: MissedTrades) -> Letter
  /// Which stream watches a book; nil where none does.
  func connection(of book: BookIndex) -> Int?
  /// Spreads markets over streams.
  func watch(_ places: [Int])
  /// Stops watching markets that have closed, or are another shard's.
  func unwatch(_ places: [Int])
  /// What is done ten times a second, beside the streams and the catalogue.
  func work(_ now: Int64)
  /// What is done once a second.
  func check(_ now: Int64)
  /// What the venue's own code has counted.
  var counted: [String: Int64] { get }
}

extension MarketIngestingService {
  var isReady: Bool { desk.isReady }
  var statusText: String { "\(shards.title)\(markets.ownedCount) markets" }
  var holding: (name: String, count: Int) { ("markets", markets.ownedCount) }

  func tick(_ now: Int64) {
    if let listing = desk.held, shards.isSettled(now) {
      desk.held = nil
      adopt(listing)
    }
    keepConnections(now)
    confirmPlan(now)
    // A venue that tells of many changes is asked at most so much sooner than the interval says.
    let gap = max(0, desk.refreshNanoseconds - 2_000_000_000)
    if now >= desk.nextListingAt || markets.metadataChanged, !desk.isListing, now >= desk.nextListingAt - gap {
      requestListing(now)
    }
    if now >= desk.nextCheckAt {
      desk.nextCheckAt = now + 1_000_000_000
      check(now)
      writeHistory()
      catchUp(now)
      // A sign of life, even when no book changes: a subscriber sees a gap at its end within a second.
      desk.batch.publish(on: publisher, desk.bookTopic)
      publishHealth(ownHealth)
      if let due = desk.shrinkDueAt, now >= due {
        desk.shrinkDueAt = nil
        Footprint.shrink()
      }
    }
    work(now)
  }

  /// Gives memory back when what has just been done is over, and not again until then.
  func shrinkLater() { desk.shrinkDueAt = SystemClock.monotonicNanoseconds + 3_000_000_000 }

  private var ownHealth: [String: Int64] {
    var values = counted
    values["markets"] = Int64(markets.ownedCount)
    values["books"] = Int64(markets.bookCount)
    values["books_live"] = Int64(markets.liveBookCount)
    values["books_unsettled"] = Int64(desk.unsettled.count)
    values["listings"] = Int64(desk.listings)
    values["markets_refused"] = Int64(desk.refused)
    values["markets_taken"] = Int64(desk.taken)
    values["markets_dropped"] = Int64(desk.dropped)
    return values.merging(history.health(SystemClock.now)) { $1 }
  }

  // MARK: - Publishing

  /// From now on the first part of a long burst goes out when a later moment of the venue's begins.
  func publishAtMomentEnds() { desk.batch.onMomentEnd = { [unowned self] in publishBatch() } }

  func publishBatch() {
    if desk.batch.itemCount > 0 { desk.batch.publish(on: publisher, desk.bookTopic) }
    publish(markets.takeTrades())
  }

  func publish(_ trades: [Trade]) {
    guard !trades.isEmpty else { return }
    publisher.publish(desk.tradeTopic) { TradeMessage.encode(trades, $0) }
    keepHistory(trades)
  }

  func publishMarkets(_ places: [Int]) {
    history.places += places
    var rest = places[...]
    while !rest.isEmpty {
      let part = rest.prefix(200)
      rest = rest.dropFirst(200)
      publisher.publish(desk.marketTopic) { writeMarkets(part, $0) }
    }
  }

  private func writeMarkets(_ places: some Sequence<Int>, _ writer: MessagePackWriter) {
    let owned = places.filter { markets.entries[$0].isOwned }
    writer.array(owned.count)
    for place in owned {
      let entry = markets.entries[place]
      MarketMessage(
        market: markets.market(place), books: entry.books.map { UInt32($0) }, term: entry.term,
        program: shards.plan.program
      ).encode(writer)
    }
  }

  func welcome(_ request: SnapshotRequest) { desk.snapshots.append(SnapshotInProgress(request: request)) }

  /// Sends the state to whoever joined: a part in each turn of the loop, so that the streams go on meanwhile.
  func continueWork() -> Bool {
    guard var snapshot = desk.snapshots.first else { return false }
    if snapshot.nextMarket < markets.entries.count {
      let end = min(snapshot.nextMarket + 200, markets.entries.count)
      publisher.publishSnapshot(snapshot.request, desk.marketTopic) { writeMarkets(snapshot.nextMarket..<end, $0) }
      snapshot.nextMarket = end
    } else if snapshot.nextBook < markets.bookCount {
      var items = 0
      publisher.publishSnapshot(snapshot.request, desk.bookTopic) { writer in
        let count = writer.openArray()
        while snapshot.nextBook < markets.bookCount, items < 200 {
          items += markets.writeSnapshot(of: snapshot.nextBook, writer)
          snapshot.nextBook += 1
        }
        writer.patchArray(items, at: count)
      }
    } else {
      publishVenue(to: snapshot.request)
      publisher.endSnapshot(snapshot.request)
      desk.snapshots.removeFirst()
      shrinkLater()
      return !desk.snapshots.isEmpty
    }
    desk.snapshots[0] = snapshot
    return true
  }
}
