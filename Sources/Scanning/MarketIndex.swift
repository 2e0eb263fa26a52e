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

/// A market's scan data in 16 bytes, flat.
struct MarketRecord {
  /// The YES book, −1 where the market has no two books.
  var yes: Int32 = -1
  /// The NO book.
  var no: Int32 = -1
  /// The event's place.
  var event: Int32 = -1
  /// Whether the market is open and takes orders.
  var isOpen = false
}

/// What is watched in a book: one half of a cache line, all that a change of it needs to be told apart from those that
/// cannot matter.
struct BookWatch {
  /// The ask that the event's sum holds of it, at most 1.
  var seenAsk: Int64 = fixedPointScale
  /// The bid that the event's sum holds of it.
  var seenBid: Int64 = 0
  /// The book of the market's other outcome.
  var sibling: Int32 = -1
  /// The market, −1 where it has no two books.
  var market: Int32 = -1
  /// The neg-risk event of which it is a leg; −1 where there is none.
  var event: Int32 = -1
  /// Whether it is the first outcome's.
  var isFirst = true
  /// Whether its market has a binary opportunity open.
  var hasFind = false
  /// Whether another scanner wants to hear of each change.
  var isWatched = false

  /// Whether each change is worth a look, whatever the prices: 0 where it is not.
  @inline(__always) var reasons: UInt8 { (hasFind ? 1 : 0) | (isWatched ? 1 : 0) | (event >= 0 ? 1 : 0) }
}

/// The sums of the best prices over all outcomes of a neg-risk event.
struct EventSums {
  /// Of the YES asks, each at most 1: many "none" do not overflow.
  var asks: Int64 = 0
  /// Of the YES bids.
  var bids: Int64 = 0
  /// Of what each NO costs less than 1.
  var noGain: Int64 = 0
  /// How many outcomes they are of.
  var legs: Int32 = 0
  /// Whether the event has an opportunity open.
  var hasFind = false

  /// Whether the best prices alone show a profit.
  @inline(__always) var isCandidate: Bool {
    legs >= 2 && (asks < fixedPointScale || bids > fixedPointScale || noGain > fixedPointScale) || hasFind
  }
}

/// Book → market → event, built as markets are announced and updated as they change.
///
/// Records lie in memory of their own, so that a change of a book is looked up without hashing, and an event's sums are
/// kept up to date by the difference that a change makes: what a change costs does not grow with the markets or the
/// outcomes. Belongs to one poll loop.
final class MarketIndex {
  /// By the market's place in the feed.
  private(set) var markets = FlatArray<MarketRecord>(filler: MarketRecord())
  /// By book.
  private(set) var watches = FlatArray<BookWatch>(filler: BookWatch())
  /// By the event's place.
  private(set) var sums = FlatArray<EventSums>(filler: EventSums())
  /// The fees of each market.
  private(set) var fees: [FeeSchedule] = []
  /// When each market ends, in nanoseconds since 1970; `Int64.max` where the venue does not say.
  private(set) var endsAt: [Int64] = []
  /// All events.
  private(set) var events: [EventRecord] = []
  /// The events in which exactly one outcome pays.
  private(set) var negRiskEvents: [Int] = []
  private var eventPlace: [String: Int] = [:]
  /// How often the full scan found sums that were not what the books say: must stay 0.
  private(set) var driftedSumCount: UInt64 = 0

  /// How many markets there are.
  var marketCount: Int { markets.count }

  /// The market of a book, or −1.
  @inline(__always) func market(of book: BookIndex) -> Int {
    book < watches.count ? Int(watches[book].market) : -1
  }

  /// Notes whether a market has a binary opportunity open.
  func setHasFind(_ value: Bool, market place: Int) {
    guard markets[place].yes >= 0 else { return }
    watches[Int(markets[place].yes)].hasFind = value
    watches[Int(markets[place].no)].hasFind = value
  }

  /// Notes whether an event has an opportunity open.
  func setHasFind(_ value: Bool, event place: Int) { sums[place].hasFind = value }

  /// Notes whether a scanner wants to hear of each change of a book.
  func setWatched(_ value: Bool, _ book: BookIndex) {
    if book < watches.count { watches[book].isWatched = value }
  }

  /// Takes a market that is new or has changed.
  ///
  /// - Parameters:
  ///   - place: its place in the feed.
  ///   - feed: the feed.
  /// - Returns: the event that it has left, where the venue has moved it to another one.
  func update(_ place: Int, from feed: BookFeed) -> Int? {
    let market = feed.markets[place]
    let books = feed.marketBooks[place]
    markets.grow(to: place + 1)
    while fees.count <= place {
      fees.append(.none)
      endsAt.append(Int64.max)
    }
    let event = eventNumber(market)
    let left = leave(place, for: event, feed)
    markets[place].event = Int32(event)
    markets[place].isOpen = !market.isClosed && market.isAcceptingOrders && !market.isPlaceholder
    fees[place] = market.fees
    endsAt[place] = market.endsAt?.nanoseconds ?? Int64.max
    if books.count == 2 {
      markets[place].yes = Int32(books[0])
      markets[place].no = Int32(books[1])
      for outcome in 0..<2 {
        watches.grow(to: books[outcome] + 1)
        watches[books[outcome]].market = Int32(place)
        watches[books[outcome]].sibling = Int32(books[1 - outcome])
        watches[books[outcome]].isFirst = outcome == 0
      }
    }
    if !events[event].markets.contains(place) { events[event].markets.append(place) }
    events[event].isOpenSet = events[event].markets.contains {
      feed.markets[$0].isAugmented || feed.markets[$0].isPlaceholder
    }
    if market.isNegRisk, !events[event].isNegRisk {
      events[event].isNegRisk = true
      negRiskEvents.append(event)
    }
    if events[event].isNegRisk { addUp(event, feed) }
    return left
  }

  private func eventNumber(_ market: PredictionMarket) -> Int {
    let key = "\(market.venue.rawValue)/\(market.eventID)"
    if let known = eventPlace[key] { return known }
    let number = events.count
    eventPlace[key] = number
    events.append(EventRecord(id: market.eventID))
    sums.grow(to: number + 1)
    return number
  }

  /// A market that the venue has moved to another event is no outcome of the old one.
  private func leave(_ place: Int, for event: Int, _ feed: BookFeed) -> Int? {
    let old = Int(markets[place].event)
    guard old >= 0, old != event else { return nil }
    events[old].markets.removeAll { $0 == place }
    for book in [markets[place].yes, markets[place].no] where book >= 0 { watches[Int(book)].event = -1 }
    if events[old].isNegRisk { addUp(old, feed) }
    return old
  }

  /// Whether an outcome is resolved to NO, so that it pays nothing and is no leg.
  static func isLost(_ market: PredictionMarket) -> Bool { market.isClosed && market.winner == 1 }

  /// Adds an event's sums up anew from the books.
  func addUp(_ event: Int, _ feed: BookFeed) {
    var new = EventSums()
    new.hasFind = sums[event].hasFind
    let touches = feed.cache.touches
    for place in events[event].markets {
      let record = markets[place]
      guard record.yes >= 0 else { continue }
      let isLeg = record.isOpen || !MarketIndex.isLost(feed.markets[place])
      for book in [Int(record.yes), Int(record.no)] {
        watches[book].event = isLeg ? Int32(event) : -1
        watches[book].seenAsk = min(touches[book].ask, fixedPointScale)
        watches[book].seenBid = touches[book].bid
      }
      guard isLeg else { continue }
      new.legs += 1
      new.asks += watches[Int(record.yes)].seenAsk
      new.bids += watches[Int(record.yes)].seenBid
      new.noGain += fixedPointScale - watches[Int(record.no)].seenAsk
    }
    sums[event] = new
  }

  /// Adds an event's sums up anew, and counts where they were wrong.
  func verify(_ event: Int, _ feed: BookFeed) {
    let old = sums[event]
    addUp(event, feed)
    let new = sums[event]
    if (old.asks, old.bids, old.noGain, old.legs) != (new.asks, new.bids, new.noGain, new.legs) { driftedSumCount += 1 }
  }

  /// Takes the difference that a changed book makes for its event.
  /// - Returns: whether the event's best prices are worth a look.
  @inline(__always) func touch(_ watch: UnsafeMutablePointer<BookWatch>, _ touch: Touch) -> Bool {
    let event = sums.base + Int(watch.pointee.event)
    let ask = min(touch.ask, fixedPointScale)
    if watch.pointee.isFirst {
      event.pointee.asks += ask - watch.pointee.seenAsk
      event.pointee.bids += touch.bid - watch.pointee.seenBid
      watch.pointee.seenBid = touch.bid
    } else {
      event.pointee.noGain += watch.pointee.seenAsk - ask
    }
    watch.pointee.seenAsk = ask
    return event.pointee.isCandidate
  }
}

/// An array in memory of its own that only grows: an element is read and changed in place, without checks of who else
/// looks at the array.
struct FlatArray<Element>: ~Copyable {
  private(set) var base: UnsafeMutablePointer<Element>
  private(set) var count = 0
  private var capacity = 64
  private let filler: Element

  /// Nothing; new elements are `filler`.
  init(filler: Element) {
    self.filler = filler
    base = .allocate(capacity: capacity)
  }

  deinit {
    base.deinitialize(count: count)
    base.deallocate()
  }

  /// Makes room for so many elements.
  mutating func grow(to wanted: Int) {
    guard wanted > count else { return }
    if wanted > capacity {
      let larger = max(capacity * 2, wanted)
      let memory = UnsafeMutablePointer<Element>.allocate(capacity: larger)
      memory.moveInitialize(from: base, count: count)
      base.deallocate()
      base = memory
      capacity = larger
    }
    (base + count).initialize(repeating: filler, count: wanted - count)
    count = wanted
  }

  /// An element; the caller knows that it is there.
  subscript(_ place: Int) -> Element {
    @inline(__always) get { base[place] }
    @inline(__always) nonmutating _modify { yield &base[place] }
  }
}
