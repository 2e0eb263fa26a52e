internal import Bus
internal import Market

/// The books of the bus, as the checks and the paper broker see them.
final class FeedBooks: MarketBooks {
  /// Markets and books of all ingestors.
  let feed = BookFeed()
  private var eventMarkets: [String: [Int]] = [:]
  private var eventOfMarket: [String] = []

  /// Notes the event of a market that is new or has changed.
  func marketChanged(_ place: Int) {
    let market = feed.markets[place]
    let key = "\(market.venue.rawValue)/\(market.eventID)"
    while eventOfMarket.count <= place { eventOfMarket.append("") }
    guard eventOfMarket[place] != key else { return }
    eventMarkets[eventOfMarket[place]]?.removeAll { $0 == place }
    eventOfMarket[place] = key
    eventMarkets[key, default: []].append(place)
  }

  func market(_ id: String, venue: Venue) -> PredictionMarket? {
    feed.marketPlace(id, venue: venue).map { feed.markets[$0] }
  }

  func markets(ofEvent id: String, venue: Venue) -> [PredictionMarket] {
    (eventMarkets["\(venue.rawValue)/\(id)"] ?? []).map { feed.markets[$0] }
  }

  func book(_ instrument: InstrumentID) -> BookIndex? { feed.bookPlace(instrument) }

  /// A book whose publisher is not heard any more is stale, whatever was known last.
  func header(_ book: BookIndex) -> BookHeader {
    var header = feed.cache.header(book)
    if header.state == .live, !feed.isTrustworthy(book) { header.state = .stale }
    return header
  }

  func levels(_ side: BookSide, of book: BookIndex) -> UnsafeBufferPointer<Level> { feed.cache.side(side, of: book) }
}
