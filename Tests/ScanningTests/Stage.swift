import Bus
import Market
import Scanning

/// Markets and books set by hand, and a scanner over them.
final class Stage {
  let feed = BookFeed()
  let scanner: Scanner
  var now = Timestamp(nanoseconds: 1_784_852_721_000_000_000)
  private var count = 0
  private var told: [Opportunity] = []

  init(
    minimumProfit: String = "0.01", quantityMax: String = "10000", suspiciousReturn: Double = 10,
    tradeAgeSeconds: Int64 = 604_800, bookAgeSeconds: Int64 = 10, closedMax: Int = 500,
    _ configure: (inout ScannerOptions) -> Void = { _ in }
  ) throws {
    var options = ScannerOptions()
    options.minimumProfit = try Money(minimumProfit)
    options.quantityMax = try Quantity(quantityMax)
    options.suspiciousReturn = suspiciousReturn
    options.suspiciousTradeAgeMaxNanoseconds = tradeAgeSeconds * 1_000_000_000
    options.bookAgeMaxNanoseconds = bookAgeSeconds * 1_000_000_000
    configure(&options)
    scanner = Scanner(feed: feed, options: options, board: OpportunityBoard(epoch: 7, closedMax: closedMax))
    scanner.board.onNews = { [weak self] in self?.told.append($0.opportunity) }
  }

  /// Adds a market; its books have no snapshot yet.
  @discardableResult func add(
    event: String? = nil, rate: String = "0", _ configure: (inout PredictionMarket) -> Void = { _ in }
  ) throws -> Int {
    count += 1
    let id = "m\(count)"
    var market = PredictionMarket(
      venue: .polymarket, id: id, eventID: event ?? id, question: id,
      outcomes: [Outcome(token: id + "-yes", name: "Yes"), Outcome(token: id + "-no", name: "No")],
      tick: try Price("0.001"))
    market.isNegRisk = event != nil
    market.fees = FeeSchedule(rate: try Price(rate), exponent: 1, takerOnly: true)
    configure(&market)
    let place = feed.adopt(MarketMessage(market: market, books: [UInt32(count * 2), UInt32(count * 2 + 1)]))
    scanner.marketChanged(place)
    return place
  }

  /// Announces a market again, with changes.
  func change(_ place: Int, _ configure: (inout PredictionMarket) -> Void) {
    var market = feed.markets[place]
    configure(&market)
    let books = feed.marketBooks[place]
    _ = feed.adopt(MarketMessage(market: market, books: books.map { UInt32($0 + 2) }))
    scanner.marketChanged(place)
  }

  func book(_ market: Int, _ outcome: Int) -> BookIndex { feed.marketBooks[market][outcome] }

  static func levels(_ rows: [(String, String)]) throws -> [Level] {
    try rows.map { Level(price: try Price($0.0), quantity: try Quantity($0.1)) }
  }

  /// Replaces a book; rows are price and quantity, best first.
  func set(
    _ market: Int, _ outcome: Int, bids: [(String, String)] = [], asks: [(String, String)] = [],
    receivedAt: Timestamp? = nil
  ) throws {
    let bids = try Stage.levels(bids.reversed())
    let asks = try Stage.levels(asks.reversed())
    let book = book(market, outcome)
    bids.withUnsafeBufferPointer { bids in
      asks.withUnsafeBufferPointer { asks in
        _ = feed.cache.replace(book, bids: bids, asks: asks, venueTime: now, receivedAt: receivedAt ?? now)
      }
    }
    scanner.bookChanged(book)
  }

  /// Tells the scanner of a trade.
  @discardableResult
  func trade(
    _ market: Int, _ outcome: Int, at time: Timestamp, price: String = "0.5", size: String? = "1"
  ) -> Trade {
    let owner = feed.markets[market]
    let trade = Trade(
      instrument: InstrumentID(venue: owner.venue, symbol: owner.outcomes[outcome].token),
      price: (try? Price(price)) ?? .zero, quantity: size.flatMap { try? Quantity($0) }, takerSide: .buy, time: time)
    scanner.traded(trade, of: book(market, outcome), now: now)
    return trade
  }

  /// Scans what has changed, and hands over what was told since the last time.
  @discardableResult func scan() -> [Opportunity] {
    scanner.scanDirty(now: now)
    return takeTold()
  }

  /// Scans everything, and hands over what was told since the last time.
  func scanAll() -> [Opportunity] {
    scanner.scanAll(now: now)
    return takeTold()
  }

  private func takeTold() -> [Opportunity] {
    defer { told.removeAll() }
    return told
  }

  /// The one opportunity that is open, or nil where there is none or more than one.
  func only() -> Opportunity? {
    scan()
    let open = scanner.board.openOpportunities
    return open.count == 1 ? open[0] : nil
  }
}
