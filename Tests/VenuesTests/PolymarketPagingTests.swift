import Market
import Testing
import Venues
import Web

@Suite struct PolymarketPagingTests {
  /// Events `from..<to` of one market each.
  private static func events(_ range: Range<Int>) -> String {
    "["
      + range.map { id in
        """
        {"id":"\(id)","markets":[{"id":"\(id)","conditionId":"0x\(id)","outcomes":"[\\"Yes\\",\\"No\\"]",\
        "clobTokenIds":"[\\"\(id)1\\",\\"\(id)2\\"]","orderPriceMinTickSize":0.01,"acceptingOrders":true}]}
        """
      }.joined(separator: ",") + "]"
  }

  @Test func `keyset pages are read until there is no cursor`() async throws {
    let venue = CannedVenue { (request) throws(HTTPError) in
      switch request.query("after_cursor").first {
      case nil: response("{\"events\":\(Self.events(0..<100)),\"next_cursor\":\"a+b=\"}")
      case "a+b=": response("{\"events\":\(Self.events(90..<190)),\"next_cursor\":\"c\"}")
      default: response("{\"events\":\(Self.events(190..<200))}")
      }
    }
    let listing = try await venue.polymarket.markets()
    #expect(listing.pageCount == 3)
    #expect(listing.markets.map(\.id) == (0..<200).map { "0x\($0)" })
    #expect(venue.requests.allSatisfy { $0.path == "/gamma/events/keyset" })
    #expect(venue.requests.allSatisfy { $0.query("active") == ["true"] && $0.query("closed") == ["false"] })
  }

  @Test func `where keyset is not there, offsets are used until a short page`() async throws {
    let venue = CannedVenue { (request) throws(HTTPError) in
      guard request.path == "/gamma/events" else { return response("{\"error\":\"not found\"}", status: 404) }
      let offset = Int(request.query("offset").first ?? "") ?? 0
      return response(Self.events(offset..<min(offset + 100, 250)))
    }
    let listing = try await venue.polymarket.markets()
    #expect(listing.markets.count == 250 && listing.pageCount == 3)
  }

  @Test func `a page that fails in the middle fails the listing`() async {
    let venue = CannedVenue { (request) throws(HTTPError) in
      guard request.query("after_cursor").isEmpty else { return response("busy", status: 503) }
      return response("{\"events\":\(Self.events(0..<100)),\"next_cursor\":\"a\"}")
    }
    let error = await failure { () async throws(VenueError) in try await venue.polymarket.markets() }
    #expect(error?.cause == .status(503) && error?.isRetriable == true)
  }

  @Test func `a cursor that does not move is an error`() async {
    let page = "{\"events\":\(Self.events(0..<1)),\"next_cursor\":\"a\"}"
    let error = await failure { () async throws(VenueError) in try await CannedVenue(page).polymarket.markets() }
    #expect(error.map { "\($0)" } == "polymarket events: next_cursor: the same cursor came twice")
  }

  @Test func `trades are filtered by their own time`() async throws {
    let now = time("2026-07-24T00:10:00Z")
    let rows = [now.seconds, now.seconds - 300, now.seconds - 301, now.seconds - 5_184_000].map { second in
      """
      {"side":"SELL","asset":"2174","conditionId":"0xdd","size":5.4,"price":0.99799999999999999,"timestamp":\(second)}
      """
    }
    let venue = CannedVenue("[" + rows.joined(separator: ",") + "]")
    let recent = try await venue.polymarket.recentTrades(
      symbol: "0xdd", filter: TradeAgeFilter(ageMaxSeconds: 300), now: now)
    #expect(recent.trades.count == 2 && recent.tooOldCount == 2)
    let first = try #require(recent.trades.first)
    #expect(first.price == price("0.99799999") && first.quantity == quantity("5.4"))
    #expect(first.takerSide == .sell && first.time == now && first.instrument.symbol == "2174")
    #expect(venue.requests.first?.path == "/data/trades" && venue.requests.first?.query("market") == ["0xdd"])
  }

  @Test func `positions are read until a short page`() async throws {
    let venue = CannedVenue { (request) throws(HTTPError) in
      let offset = Int(request.query("offset").first ?? "") ?? 0
      let rows = (offset..<min(offset + 500, 501)).map { number in
        #"{"asset":"\#(number)","conditionId":"0xdd","size":5.4,"avgPrice":0.48199999999999998,"outcome":"Yes"}"#
      }
      return response("[" + rows.joined(separator: ",") + "]")
    }
    let positions = try await venue.polymarket.positions(user: "0xabc")
    #expect(positions.map(\.instrument.symbol) == (0..<501).map(String.init))
    #expect(positions.last?.quantity == quantity("5.4") && positions.last?.averagePrice == price("0.48199999"))
    #expect(positions.allSatisfy { $0.marketID == "0xdd" })
    #expect(venue.requests.map { $0.query("offset") } == [["0"], ["500"]])
    #expect(venue.requests.allSatisfy { $0.path == "/data/positions" && $0.query("user") == ["0xabc"] })
  }

  @Test func `a trade in milliseconds where seconds belong is refused`() async {
    let venue = CannedVenue(
      "[{\"side\":\"BUY\",\"asset\":\"1\",\"size\":5,\"price\":0.5,\"timestamp\":1784852400000}]")
    let error = await failure { () async throws(VenueError) in
      try await venue.polymarket.recentTrades(
        symbol: "0x1", filter: TradeAgeFilter(ageMaxSeconds: 300), now: Timestamp(nanoseconds: 0))
    }
    #expect(
      error.map { "\($0)" }
        == "polymarket trades: [0].timestamp: expected a time in seconds, found 1784852400000")
  }
}
