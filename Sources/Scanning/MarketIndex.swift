public import Bus
internal import Market

/// An event with its markets, as the scanners need it.
public struct EventRecord: Sendable {
  /// The venue's id.
  public let id: String
  /// Where its markets stand in the feed.
  public internal(set) var markets: [Int] = []
  /// Whether exactly one outcome pays.
  public internal(set) var isNegRisk = false
  /// Whether the set of outcomes is open or has placeholders.
  public internal(set) var isOpenSet = false
}

/// A market's scan data in one cache line, flat: what the hot loop reads before it looks at a book.
@frozen public struct MarketRecord: Sendable {
  /// The YES book, −1 where the market has no two books.
  public var yes: Int32
  /// The NO book.
  public var no: Int32
  /// The event's place.
  public var event: Int32
  /// Whether the market is open and takes orders.
  public var isOpen: Bool
  /// Whether its event is a neg-risk one.
  public var isNegRisk: Bool
  /// When it ends, in nanoseconds since 1970; `Int64.max` where the venue does not say.
  public var endsAt: Int64
}

/// Event → markets → books, built as markets are announced and updated as they change.
public struct MarketIndex: Sendable {
  /// By the market's place in the feed.
  public private(set) var markets: [MarketRecord] = []
  /// All events.
  public private(set) var events: [EventRecord] = []
  private var eventPlace: [String: Int] = [:]

  /// An index without markets.
  public init() {}

  /// Takes a market that is new or has changed.
  ///
  /// - Parameters:
  ///   - place: its place in the feed; places come in order.
  ///   - feed: the feed.
  public mutating func update(_ place: Int, from feed: BookFeed) {
    let market = feed.markets[place]
    let books = feed.marketBooks[place]
    let key = "\(market.venue.rawValue)/\(market.eventID)"
    let event = eventPlace[key] ?? events.count
    if event == events.count {
      eventPlace[key] = event
      events.append(EventRecord(id: market.eventID))
    }
    while markets.count <= place {
      markets.append(
        MarketRecord(yes: -1, no: -1, event: -1, isOpen: false, isNegRisk: false, endsAt: Int64.max))
    }
    markets[place] = MarketRecord(
      yes: books.count == 2 ? Int32(books[0]) : -1, no: books.count == 2 ? Int32(books[1]) : -1,
      event: Int32(event), isOpen: !market.isClosed && market.isAcceptingOrders && !market.isPlaceholder,
      isNegRisk: market.isNegRisk, endsAt: market.endsAt?.nanoseconds ?? Int64.max)
    if !events[event].markets.contains(place) { events[event].markets.append(place) }
    events[event].isNegRisk = events[event].isNegRisk || market.isNegRisk
    events[event].isOpenSet = events[event].isOpenSet || market.isAugmented || market.isPlaceholder
  }
}
