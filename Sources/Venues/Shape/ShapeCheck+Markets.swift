internal import Market

extension PolymarketREST {
  /// Events, a book of one of their tokens alone and with others, and trades.
  func look(_ look: ShapeLook) async {
    var tokens: [String] = []
    await look.at("events") { () async throws(VenueError) in
      let page = try await gamma.get(
        "events", "/events/keyset", query: [("active", "true"), ("closed", "false"), ("limit", "5")], GammaPage.keyset)
      tokens = page.markets.filter(\.isAcceptingOrders).prefix(3).flatMap { $0.outcomes.map(\.token) }
      return .of(page.markets.count, page.rejected.map { $0.error(.polymarket, "events") })
    }
    if let token = tokens.first {
      await look.at("book") { () async throws(VenueError) in try await book(token: token) == nil ? .empty : .good }
      await look.at("books") { () async throws(VenueError) in
        let listing = try await books(tokens: tokens)
        return .of(listing.books.count, listing.rejected)
      }
    } else {
      for kind in ["book", "books"] { look.skip(kind, "no market is known whose book could be asked for") }
    }
    await look.at("trades") { () async throws(VenueError) in
      try await newestTrades(limit: 20).isEmpty ? .empty : .good
    }
    await look.at("time") { () async throws(VenueError) in
      try await status()
      return .good
    }
  }
}

extension KalshiREST {
  /// Events with their markets, books of some of them, trades, and the exchange's own state.
  func look(_ look: ShapeLook) async {
    var tickers: [String] = []
    await look.at("events") { () async throws(VenueError) in
      let page = try await connection.get(
        "events", "/events", query: [("limit", "5"), ("with_nested_markets", "true"), ("status", "open")]
      ) { wire throws(WireProblem) in try KalshiREST.parseEvents(wire) { _ in .ordinary } }
      let markets = page.events.flatMap(\.markets).map(\.market)
      tickers = markets.filter { !$0.isClosed }.prefix(3).map(\.id)
      return .of(markets.count, page.rejected)
    }
    if tickers.isEmpty {
      look.skip("orderbooks", "no market is known whose book could be asked for")
    } else {
      await look.at("orderbooks") { () async throws(VenueError) in
        let listing = try await books(tokens: tickers.map { KalshiOutcome.yes.token(ofMarket: $0) })
        return .of(listing.books.count, listing.rejected)
      }
    }
    await look.at("trades") { () async throws(VenueError) in
      let trades = try await connection.get("trades", "/markets/trades", query: [("limit", "20")]) {
        wire throws(WireProblem) in try KalshiREST.parseTrades(wire)
      }
      return trades.isEmpty ? .empty : .good
    }
    await look.at("exchange_status") { () async throws(VenueError) in
      try await status()
      return .good
    }
  }
}

extension ShapeLook.Content {
  /// Rows that were good, and the problems of the others.
  static func of(_ goodCount: Int, _ rejected: [VenueError]) -> Self {
    if let first = rejected.first { return .partly(goodCount: goodCount, badCount: rejected.count, first) }
    return goodCount == 0 ? .empty : .good
  }
}
