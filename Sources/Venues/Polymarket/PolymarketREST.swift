internal import Daemon
public import Market

/// Polymarket over REST: Gamma for what is listed, the CLOB for books, the Data API for trades.
public struct PolymarketREST: MarketSource, BookSource, TradeSource {
  /// Where the three services are.
  public struct Endpoints: Sendable {
    /// Metadata: `https://gamma-api.polymarket.com` at the venue itself.
    public var gamma: Endpoint
    /// Books and orders: `https://clob.polymarket.com`.
    public var clob: Endpoint
    /// Trades and positions: `https://data-api.polymarket.com`.
    public var data: Endpoint

    /// The three endpoints.
    public init(gamma: Endpoint, clob: Endpoint, data: Endpoint) {
      self.gamma = gamma
      self.clob = clob
      self.data = data
    }
  }

  /// Events of one page; Gamma gives no more than 100.
  static let eventsPerPage = 100
  /// The most pages that are read: a venue that never ends is an error.
  static let pagesMax = 2000
  /// Books asked for in one request.
  static let booksPerRequest = 100

  let gamma: RESTConnection
  let clob: RESTConnection
  let data: RESTConnection
  private let verifiesHash: Bool
  /// What takes the terms of each market that a listing reads; nil where nobody wants them.
  public var takeTerms: TermsSink?

  /// A client of the three services.
  /// - Parameters:
  ///   - endpoints: where they are.
  ///   - transport: what carries the requests.
  ///   - verifiesHash: whether a book whose `hash` is wrong is refused.
  ///   - timeoutMilliseconds: how long one request may take.
  ///   - pacer: keeps the requests under the venue's limits.
  public init(
    endpoints: Endpoints, transport: VenueTransport, verifiesHash: Bool = true, timeoutMilliseconds: Int = 30_000,
    pacer: RequestPacer? = nil
  ) {
    func connection(_ endpoint: Endpoint, tellsState: Bool = false) -> RESTConnection {
      var connection = RESTConnection(
        venue: .polymarket, endpoint: endpoint, transport: transport, timeoutMilliseconds: timeoutMilliseconds)
      connection.pacer = pacer
      connection.tellsState = tellsState
      return connection
    }
    gamma = connection(endpoints.gamma)
    clob = connection(endpoints.clob, tellsState: true)
    data = connection(endpoints.data)
    self.verifiesHash = verifiesHash
  }

  /// Which venue it is.
  public var venue: Venue { .polymarket }

  // MARK: - Gamma

  /// All markets of all open events, by `/events/keyset`, or by `/events` where that is not there.
  public func markets() async throws(VenueError) -> MarketListing {
    var collector = MarketCollector()
    var cursor: String?
    let filter = [("active", "true"), ("closed", "false"), ("limit", "\(PolymarketREST.eventsPerPage)")]
    repeat {
      let page: GammaPage
      do {
        page = try await gamma.get(
          "events", "/events/keyset", query: filter + (cursor.map { [("after_cursor", $0)] } ?? []),
          GammaPage.keyset)
      } catch {
        // Older deployments (and only before the first page) page by offset.
        guard error.cause == .status(404), collector.listing.pageCount == 0 else { throw error }
        return try await marketsByOffset(filter)
      }
      collector.add(page)
      takeTerms?(page.terms)
      guard page.nextCursor == nil || page.nextCursor != cursor else {
        throw VenueError(
          venue: .polymarket, kind: "events", field: "next_cursor", problem: "the same cursor came twice")
      }
      cursor = page.nextCursor
      try PolymarketREST.checkPageCount(collector.listing.pageCount)
    } while cursor != nil
    return collector.listing
  }

  private func marketsByOffset(_ filter: [(String, String)]) async throws(VenueError) -> MarketListing {
    var collector = MarketCollector()
    var offset = 0
    while true {
      let page = try await gamma.get(
        "events", "/events",
        query: filter + [("offset", "\(offset)"), ("order", "id"), ("ascending", "true")], GammaPage.bare)
      collector.add(page)
      takeTerms?(page.terms)
      offset += page.eventCount
      // A short page is the end.
      if page.eventCount < PolymarketREST.eventsPerPage { return collector.listing }
      try PolymarketREST.checkPageCount(collector.listing.pageCount)
    }
  }

  private static func checkPageCount(_ count: Int) throws(VenueError) {
    guard count < pagesMax else {
      throw VenueError(venue: .polymarket, kind: "events", problem: "more than \(pagesMax) pages")
    }
  }

  /// One market by its condition id; nil where Gamma does not know it.
  public func market(id conditionID: String) async throws(VenueError) -> PredictionMarket? {
    // Without `closed`, Gamma gives open markets only.
    for closed in ["false", "true"] {
      let found = try await gamma.get(
        "market", "/markets", query: [("condition_ids", conditionID), ("closed", closed)]
      ) { wire throws(WireProblem) -> PredictionMarket? in
        for (index, row) in try wire.elements.enumerated() {
          do throws(WireProblem) {
            guard try row.optionalText("conditionId") == conditionID else { continue }
            return try PolymarketGamma.parseMarket(row)
          } catch {
            throw error.inside("[\(index)]")
          }
        }
        return nil
      }
      if let found { return found }
    }
    return nil
  }

  // MARK: - CLOB

  /// One book; nil where the token has none.
  public func book(token: String) async throws(VenueError) -> BookSnapshot? {
    let verifiesHash = verifiesHash
    do {
      return try await clob.get("book", "/book", query: [("token_id", token)]) {
        wire throws(WireProblem) -> BookSnapshot in
        let book = try PolymarketBook.parse(wire, verifiesHash: verifiesHash)
        guard book.instrument.symbol == token else {
          throw WireProblem("asset_id", "expected the token that was asked for, found another")
        }
        return book
      }
    } catch {
      // "No orderbook exists for the requested token id"
      if error.cause == .status(404) { return nil }
      throw error
    }
  }

  /// Many books, in batches of 100; a bad one is counted, and leaves the others.
  public func books(tokens: [String]) async throws(VenueError) -> BookListing {
    var listing = BookListing()
    var start = 0
    while start < tokens.count {
      let batch = tokens[start..<min(start + PolymarketREST.booksPerRequest, tokens.count)]
      start = batch.endIndex
      let body = "[" + batch.map { "{\"token_id\":\(jsonQuoted($0))}" }.joined(separator: ",") + "]"
      let verifiesHash = verifiesHash
      let rows = try await clob.post("books", "/books", body: body) {
        wire throws(WireProblem) in
        try PolymarketREST.parseBooks(wire, verifiesHash: verifiesHash)
      }
      listing.add(rows, asked: batch)
    }
    return listing
  }

  /// Reads an array of books: those that are good, and the problem of each of the others with its token.
  static func parseBooks(_ wire: Wire, verifiesHash: Bool) throws(WireProblem) -> [BookRow] {
    var rows: [BookRow] = []
    for (index, row) in try wire.elements.enumerated() {
      do throws(WireProblem) {
        rows.append(.good(try PolymarketBook.parse(row, verifiesHash: verifiesHash)))
      } catch {
        rows.append(.bad(error.inside("[\(index)]"), token: try? row.optionalText("asset_id")))
      }
    }
    return rows
  }

  // MARK: - Data API

  /// The last trades of a market (by condition id), filtered by age.
  public func recentTrades(
    symbol conditionID: String, filter: TradeAgeFilter, now: Timestamp
  ) async throws(VenueError) -> RecentTrades {
    let trades = try await data.get(
      "trades", "/trades", query: [("market", conditionID), ("limit", "500"), ("takerOnly", "true")],
      PolymarketREST.parseTrades)
    return RecentTrades(trades, filter: filter, now: now)
  }

  /// The most trades of one answer.
  public static let tradesMax = 10_000

  /// The newest trades of all markets.
  /// - Parameter limit: how many, at most `tradesMax`.
  /// - Returns: the trades, newest first, of whatever age.
  /// - Throws: `VenueError`.
  public func newestTrades(limit: Int) async throws(VenueError) -> [Trade] {
    try await data.get(
      "trades", "/trades", query: [("limit", "\(limit)"), ("takerOnly", "true")], PolymarketREST.parseTrades)
  }

  /// Reads the rows of `/trades`.
  ///
  /// `[{"side":"SELL","asset":"2174…","conditionId":"0xdd22…","size":5.4,"price":0.998,"timestamp":1729000180,…}]`
  ///
  /// Prices and sizes are numbers, means over several fills with the tail of a binary float: digits beyond the eighth
  /// decimal are dropped. Times are seconds.
  static func parseTrades(_ wire: Wire) throws(WireProblem) -> [Trade] {
    var trades: [Trade] = []
    for (index, row) in try wire.elements.enumerated() {
      do throws(WireProblem) {
        let trade = Trade(
          instrument: InstrumentID(venue: .polymarket, symbol: try row.text("asset")),
          price: Price(raw: try row.truncatedDecimal("price")),
          quantity: Quantity(raw: try row.truncatedDecimal("size")), takerSide: try row.side("side"),
          time: try row.seconds("timestamp"))
        try trade.check(price: "price", quantity: "size")
        trades.append(trade)
      } catch {
        throw error.inside("[\(index)]")
      }
    }
    return trades
  }
}

/// One page of events, taken apart.
struct GammaPage {
  /// The good markets.
  var markets: [PredictionMarket] = []
  /// What says how each of them is decided.
  var terms: [MarketTerms] = []
  /// The problems of the others.
  var rejected: [WireProblem] = []
  /// How many events the page had, good or bad.
  var eventCount = 0
  /// Where the next page begins; nil where this is the last.
  var nextCursor: String?

  /// `{"events":[…],"next_cursor":"…"}`; the last page has no cursor.
  static func keyset(_ wire: Wire) throws(WireProblem) -> GammaPage {
    var page = GammaPage()
    page.read(try wire.array("events"), prefix: "events")
    let cursor = try wire.optionalText("next_cursor") ?? ""
    page.nextCursor = cursor.isEmpty || page.eventCount == 0 ? nil : cursor
    return page
  }

  /// A bare array of events.
  static func bare(_ wire: Wire) throws(WireProblem) -> GammaPage {
    var page = GammaPage()
    page.read(try wire.elements, prefix: "")
    return page
  }

  private mutating func read(_ events: [Wire], prefix: String) {
    eventCount = events.count
    for (index, row) in events.enumerated() {
      let place = "\(prefix)[\(index)]\(PolymarketGamma.label(row))"
      do throws(WireProblem) {
        let event = try PolymarketGamma.parseEvent(row)
        markets += event.markets
        terms += event.terms
        rejected += event.rejected.map { $0.inside(place) }
      } catch {
        rejected.append(error.inside(place))
      }
    }
  }
}

/// Gathers pages, each market once: pages shift while events are opened and closed.
private struct MarketCollector {
  var listing = MarketListing()
  private var seen: Set<String> = []

  mutating func add(_ page: GammaPage) {
    listing.pageCount += 1
    for market in page.markets where seen.insert(market.id).inserted { listing.markets.append(market) }
    listing.rejected += page.rejected.map { $0.error(.polymarket, "events") }
  }
}

/// One row of an answer with many books.
enum BookRow {
  case good(BookSnapshot)
  case bad(WireProblem, token: String?)
}

extension BookListing {
  /// Sorts the rows of an answer: good, bad, and what was asked for and did not come.
  fileprivate mutating func add(_ rows: [BookRow], asked: ArraySlice<String>) {
    var missing = Set(asked)
    for row in rows {
      switch row {
      case .good(let book):
        if missing.remove(book.instrument.symbol) != nil { books.append(book) }
      case .bad(let problem, let token):
        if let token { missing.remove(token) }
        rejected.append(problem.error(.polymarket, "books"))
      }
    }
    self.missing += asked.filter { missing.contains($0) }
  }
}
