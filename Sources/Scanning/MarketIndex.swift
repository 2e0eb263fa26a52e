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

/// A market's scan data, flat: 72 bytes.
struct MarketRecord {
  /// The YES book, −1 where the market has no two books.
  var yes: Int32 = -1
  /// The NO book.
  var no: Int32 = -1
  /// The event's place.
  var event: Int32 = -1
  /// Whether the market is open and takes orders.
  var isOpen = false
  /// Where it trades.
  var venue = Venue.polymarket
  /// When it ends, in nanoseconds since 1970; `Int64.max` where the venue does not say.
  var endsAt = Int64.max
  /// Its fees.
  var fees = FeeSchedule.none
  /// What was traded of it in a day.
  var dayVolume = Money.zero
}

/// What is known of a book apart from its prices, in 16 bytes: what a change of it concerns.
struct BookWatch {
  /// The ask that the event's sum holds of it, at most 1.
  var seenAsk = Int32(fixedPointScale)
  /// The bid that the event's sum holds of it.
  var seenBid: Int32 = 0
  /// The market, −1 where it has no two books.
  var market: Int32 = -1
  /// Twice the neg-risk event of which it is a leg, and one more where it is the second outcome's; −1 where there is
  /// none.
  var leg: Int32 = -1

  /// The neg-risk event of which it is a leg; below 0 where there is none.
  @inline(__always) var event: Int { Int(leg >> 1) }
}

/// Why each change of a book is worth a look, whatever the prices: the bits of `Touch.mark`.
struct BookMark: OptionSet, Sendable {
  let rawValue: UInt8

  /// Its market has a binary opportunity open.
  static let hasFind = BookMark(rawValue: 1)
  /// Another scanner wants to hear of each change.
  static let isWatched = BookMark(rawValue: 2)
  /// It is a leg of a neg-risk event, whose sums follow it.
  static let isLeg = BookMark(rawValue: 4)
  /// The book of its market's other outcome is not its neighbour, as it is elsewhere: 2n and 2n + 1.
  static let isApart = BookMark(rawValue: 8)
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
  /// All events.
  private(set) var events: [EventRecord] = []
  /// The events in which exactly one outcome pays.
  private(set) var negRiskEvents: [Int] = []
  private var eventPlace: [String: Int] = [:]
  /// How often the full scan found sums that were not what the books say: must stay 0.
  private(set) var driftedSumCount: UInt64 = 0
  private let feed: BookFeed

  /// An index of a feed's markets.
  init(feed: BookFeed) { self.feed = feed }

  /// How many markets there are.
  var marketCount: Int { markets.count }

  /// The market of a book, or −1.
  @inline(__always) func market(of book: BookIndex) -> Int {
    book < watches.count ? Int(watches[book].market) : -1
  }

  /// The book of the other outcome of a book's market, which has two.
  @inline(__always) func sibling(of book: BookIndex) -> BookIndex {
    let market = markets[Int(watches[book].market)]
    return Int(market.yes) == book ? Int(market.no) : Int(market.yes)
  }

  /// Begins to bring the sums that a changed book concerns; its own record is here already.
  @inline(__always) func prefetchSums(of book: BookIndex) {
    guard book < watches.count, watches[book].leg >= 0 else { return }
    sums.prefetch(watches[book].event)
  }

  /// Whether a scanner wants to hear of each change of a book.
  func isWatched(_ book: BookIndex) -> Bool { marks(of: book).contains(.isWatched) }

  /// Notes whether a market has a binary opportunity open.
  func setHasFind(_ value: Bool, market place: Int) {
    let market = markets[place]
    guard market.yes >= 0, marks(of: Int(market.yes)).contains(.hasFind) != value else { return }
    set(.hasFind, value, Int(market.yes))
    set(.hasFind, value, Int(market.no))
  }

  /// Notes whether an event has an opportunity open.
  func setHasFind(_ value: Bool, event place: Int) { sums[place].hasFind = value }

  /// Notes whether a scanner wants to hear of each change of a book.
  func setWatched(_ value: Bool, _ book: BookIndex) { set(.isWatched, value, book) }

  private func marks(of book: BookIndex) -> BookMark { BookMark(rawValue: feed.cache.touch(book).mark) }

  private func set(_ mark: BookMark, _ value: Bool, _ book: BookIndex) {
    let marks = marks(of: book)
    feed.cache.setMark((value ? marks.union(mark) : marks.subtracting(mark)).rawValue, of: book)
  }

  private func setLeg(of event: Int?, outcome: Int, _ book: BookIndex) {
    watches[book].leg = Int32(event.map { $0 * 2 + outcome } ?? -1)
    set(.isLeg, event != nil, book)
  }

  /// Takes a market that is new or has changed.
  ///
  /// - Parameter place: its place in the feed.
  /// - Returns: the event that it has left, where the venue has moved it to another one.
  func update(_ place: Int) -> Int? {
    let market = feed.markets[place]
    let books = feed.marketBooks[place]
    markets.grow(to: place + 1)
    let event = eventNumber(market)
    let left = leave(place, for: event)
    markets[place].event = Int32(event)
    markets[place].isOpen = !market.isClosed && market.isAcceptingOrders && !market.isPlaceholder
    markets[place].venue = market.venue
    markets[place].fees = market.fees
    markets[place].dayVolume = market.dayVolume
    markets[place].endsAt = market.endsAt?.nanoseconds ?? Int64.max
    if books.count == 2 {
      markets[place].yes = Int32(books[0])
      markets[place].no = Int32(books[1])
      for book in books {
        watches.grow(to: book + 1)
        watches[book].market = Int32(place)
        set(.isApart, books[0] ^ 1 != books[1], book)
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
    if events[event].isNegRisk { addUp(event) }
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
  private func leave(_ place: Int, for event: Int) -> Int? {
    let old = Int(markets[place].event)
    guard old >= 0, old != event else { return nil }
    events[old].markets.removeAll { $0 == place }
    if markets[place].yes >= 0 {
      setLeg(of: nil, outcome: 0, Int(markets[place].yes))
      setLeg(of: nil, outcome: 1, Int(markets[place].no))
    }
    if events[old].isNegRisk { addUp(old) }
    return old
  }

  /// Whether an outcome is resolved to NO, so that it pays nothing and is no leg.
  static func isLost(_ market: PredictionMarket) -> Bool { market.isClosed && market.winner == 1 }

  /// Adds an event's sums up anew from the books.
  func addUp(_ event: Int) {
    var new = EventSums()
    new.hasFind = sums[event].hasFind
    for place in events[event].markets {
      let record = markets[place]
      guard record.yes >= 0 else { continue }
      let isLeg = record.isOpen || !MarketIndex.isLost(feed.markets[place])
      for (outcome, book) in [Int(record.yes), Int(record.no)].enumerated() {
        setLeg(of: isLeg ? event : nil, outcome: outcome, book)
        let touch = feed.cache.touch(book)
        watches[book].seenAsk = Int32(min(touch.ask, fixedPointScale))
        watches[book].seenBid = Int32(touch.bid)
      }
      guard isLeg else { continue }
      new.legs += 1
      new.asks += Int64(watches[Int(record.yes)].seenAsk)
      new.bids += Int64(watches[Int(record.yes)].seenBid)
      new.noGain += fixedPointScale - Int64(watches[Int(record.no)].seenAsk)
    }
    sums[event] = new
  }

  /// Adds an event's sums up anew, and counts where they were wrong.
  func verify(_ event: Int) {
    let old = sums[event]
    addUp(event)
    let new = sums[event]
    if (old.asks, old.bids, old.noGain, old.legs) != (new.asks, new.bids, new.noGain, new.legs) { driftedSumCount += 1 }
  }

  /// Takes the difference that a changed leg makes for its event.
  /// - Returns: whether the event's best prices are worth a look.
  @inline(__always) func follow(_ book: BookIndex, _ touch: Touch) -> Bool {
    let watch = watches.base + book
    let event = sums.base + watch.pointee.event
    let ask = min(touch.ask, fixedPointScale)
    let askChange = ask - Int64(watch.pointee.seenAsk)
    if watch.pointee.leg & 1 == 0 {
      event.pointee.asks += askChange
      event.pointee.bids += touch.bid - Int64(watch.pointee.seenBid)
      watch.pointee.seenBid = Int32(truncatingIfNeeded: touch.bid)
    } else {
      event.pointee.noGain -= askChange
    }
    watch.pointee.seenAsk = Int32(truncatingIfNeeded: ask)
    return event.pointee.isCandidate
  }
}
