internal import Bus
internal import Market

/// An event with its markets, as the scanners need it.
struct EventRecord {
  /// The venue's id.
  let id: String
  /// Where its markets stand in the feed.
  var markets: [Int] = []
  /// Whether exactly one outcome pays.
  var isNegRisk = false
  /// Whether the set of outcomes is open or has placeholders.
  var isOpenSet = false
}

/// A market's scan data in 16 bytes, flat: what the hot loop reads before it looks at a book.
struct MarketRecord {
  /// The YES book, −1 where the market has no two books.
  var yes: Int32
  /// The NO book.
  var no: Int32
  /// The event's place.
  var event: Int32
  /// Whether the market is open and takes orders.
  var isOpen: Bool
  /// Whether its event is a neg-risk one.
  var isNegRisk: Bool
  /// Whether it waits to be scanned.
  var isDirty: Bool
  /// Whether it has an opportunity open.
  var hasFind: Bool
}

/// Event → markets → books, built as markets are announced and updated as they change.
///
/// Records lie in memory of their own, so that a scan reads them without a look-up. Belongs to one poll loop.
final class MarketIndex {
  /// By the market's place in the feed.
  private(set) var markets: UnsafeMutablePointer<MarketRecord>
  /// How many markets there are.
  private(set) var marketCount = 0
  /// Markets that wait to be scanned, each once: as many as there is room for markets.
  private var dirty: UnsafeMutablePointer<Int32>
  private(set) var dirtyCount = 0
  private var capacity = 1024
  /// The market of each book; −1 where none is known.
  private var marketOfBook: [Int32] = []
  /// The fees of each market.
  private(set) var fees: [FeeSchedule] = []
  /// When each market ends, in nanoseconds since 1970; `Int64.max` where the venue does not say.
  private(set) var endsAt: [Int64] = []
  /// All events.
  private(set) var events: [EventRecord] = []
  /// The events in which exactly one outcome pays.
  private(set) var negRiskEvents: [Int] = []
  private var eventPlace: [String: Int] = [:]

  /// An index without markets.
  init() {
    markets = .allocate(capacity: capacity)
    dirty = .allocate(capacity: capacity)
  }

  deinit {
    markets.deallocate()
    dirty.deallocate()
  }

  /// The market of a book, or −1.
  @inline(__always) func market(of book: BookIndex) -> Int {
    book < marketOfBook.count ? Int(marketOfBook[book]) : -1
  }

  /// Notes that a market waits to be scanned.
  @inline(__always) func markDirty(_ place: Int) {
    guard !markets[place].isDirty else { return }
    markets[place].isDirty = true
    dirty[dirtyCount] = Int32(truncatingIfNeeded: place)
    dirtyCount += 1
  }

  /// Takes one of the markets that wait; `clearDirty` follows when all are taken.
  @inline(__always) func takeDirty(_ number: Int) -> Int {
    let place = Int(dirty[number])
    markets[place].isDirty = false
    return place
  }

  /// Forgets what waits, once all of it is taken.
  func clearDirty() { dirtyCount = 0 }

  /// Notes whether a market has an opportunity open.
  func setHasFind(_ value: Bool, _ place: Int) { markets[place].hasFind = value }

  /// Takes a market that is new or has changed.
  ///
  /// - Parameters:
  ///   - place: its place in the feed; places come in order.
  ///   - feed: the feed.
  func update(_ place: Int, from feed: BookFeed) {
    let market = feed.markets[place]
    let books = feed.marketBooks[place]
    let key = "\(market.venue.rawValue)/\(market.eventID)"
    let event = eventPlace[key] ?? events.count
    if event == events.count {
      eventPlace[key] = event
      events.append(EventRecord(id: market.eventID))
    }
    addMarkets(through: place)
    markets[place].yes = books.count == 2 ? Int32(books[0]) : -1
    markets[place].no = books.count == 2 ? Int32(books[1]) : -1
    markets[place].event = Int32(event)
    markets[place].isOpen = !market.isClosed && market.isAcceptingOrders && !market.isPlaceholder
    fees[place] = market.fees
    endsAt[place] = market.endsAt?.nanoseconds ?? Int64.max
    for book in books {
      while marketOfBook.count <= book { marketOfBook.append(-1) }
      marketOfBook[book] = Int32(place)
    }
    if !events[event].markets.contains(place) { events[event].markets.append(place) }
    events[event].isOpenSet = events[event].isOpenSet || market.isAugmented || market.isPlaceholder
    if market.isNegRisk, !events[event].isNegRisk {
      events[event].isNegRisk = true
      negRiskEvents.append(event)
    }
    for other in events[event].markets { markets[other].isNegRisk = events[event].isNegRisk }
  }

  private func addMarkets(through place: Int) {
    if place >= capacity {
      let larger = max(capacity * 2, place + 1)
      let newMarkets = UnsafeMutablePointer<MarketRecord>.allocate(capacity: larger)
      newMarkets.moveInitialize(from: markets, count: marketCount)
      markets.deallocate()
      markets = newMarkets
      let newDirty = UnsafeMutablePointer<Int32>.allocate(capacity: larger)
      newDirty.moveInitialize(from: dirty, count: dirtyCount)
      dirty.deallocate()
      dirty = newDirty
      capacity = larger
    }
    while marketCount <= place {
      let none = MarketRecord(
        yes: -1, no: -1, event: -1, isOpen: false, isNegRisk: false, isDirty: false, hasFind: false)
      (markets + marketCount).initialize(to: none)
      fees.append(.none)
      endsAt.append(Int64.max)
      marketCount += 1
    }
  }
}
