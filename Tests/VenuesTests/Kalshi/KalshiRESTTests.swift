import Foundation
import Market
import Testing
import Venues
import Web

extension CannedVenue {
  func kalshi(
    signer: KalshiSigner? = nil, clock: @escaping @Sendable () -> Timestamp = { Timestamp(nanoseconds: 0) }
  ) -> KalshiREST {
    KalshiREST(
      endpoint: Endpoint("http://venue/trade-api/v2", runDirectory: "/nowhere"), transport: transport, signer: signer,
      clock: clock)
  }
}

@Suite struct KalshiRESTTests {
  private static func market(_ ticker: String, _ members: String = "") -> String {
    """
    {"ticker":"\(ticker)","event_ticker":"E-1","title":"T","status":"active",\
    "price_ranges":[{"start":"0.0000","end":"1.0000","step":"0.0100"}]\(members.isEmpty ? "" : ",")\(members)}
    """
  }

  @Test func `real markets parse to what their text says`() async throws {
    for name in Shared.fixtures(in: "kalshi", named: { $0.hasPrefix("rest_markets") }) {
      let bytes = try #require(Shared.fixture("kalshi/" + name))
      let raw = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
      let venue = CannedVenue { (request) throws(HTTPError) in
        request.query("cursor").isEmpty ? HTTPResponse(status: 200, body: bytes) : response("{\"markets\":[]}")
      }
      let listing = try await venue.kalshi().listMarkets(status: "open")
      #expect(venue.requests.last?.query("cursor") == [raw["cursor"] as? String ?? ""])
      #expect(listing.rejected.isEmpty && listing.pageCount == 2)
      try compare(listing.markets, try #require(raw["markets"] as? [[String: Any]]))
    }
  }

  @Test func `real events bring their markets`() async throws {
    for name in Shared.fixtures(in: "kalshi", named: { $0.hasPrefix("rest_events") }) {
      let bytes = try #require(Shared.fixture("kalshi/" + name))
      let raw = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
      let venue = CannedVenue { (request) throws(HTTPError) in
        request.query("cursor").isEmpty ? HTTPResponse(status: 200, body: bytes) : response("{\"events\":[]}")
      }
      let listing = try await venue.kalshi().events(status: "open")
      #expect(listing.rejected.isEmpty)
      let events = try #require(raw["events"] as? [[String: Any]])
      #expect(listing.events.count == events.count)
      for (event, expected) in zip(listing.events, events) {
        #expect(event.ticker == expected["event_ticker"] as? String)
        #expect(event.seriesTicker == expected["series_ticker"] as? String)
        #expect(event.isMutuallyExclusive == expected["mutually_exclusive"] as? Bool)
        try compare(event.markets, try #require(expected["markets"] as? [[String: Any]]))
      }
    }
  }

  private func compare(_ markets: [KalshiMarket], _ expected: [[String: Any]]) throws {
    #expect(markets.count == expected.count)
    for (market, raw) in zip(markets, expected) {
      func text(_ key: String) -> String { raw[key] as? String ?? "" }
      func quote(_ key: String) -> Level? {
        let value = price(text(key + "_dollars"))
        return value.raw == 0 || value == .one
          ? nil : Level(price: value, quantity: quantity(text(key + "_size_fp")))
      }
      #expect(market.market.id == text("ticker") && market.market.eventID == text("event_ticker"))
      #expect(market.yesBid == quote("yes_bid") && market.yesAsk == quote("yes_ask"))
      // The NO quotes are the mirror.
      #expect(market.noBid?.price == (text("no_bid_dollars") == "0.0000" ? nil : price(text("no_bid_dollars"))))
      #expect(market.noAsk?.price == (text("no_ask_dollars") == "1.0000" ? nil : price(text("no_ask_dollars"))))
      #expect(market.lastPrice == (text("last_price_dollars") == "0.0000" ? nil : price(text("last_price_dollars"))))
      #expect(market.volume == quantity(text("volume_fp")) && market.openInterest == quantity(text("open_interest_fp")))
      #expect(market.market.endsAt == time(text("close_time")) && market.opensAt == time(text("open_time")))
      #expect(market.status.rawValue == text("status") && market.market.isAcceptingOrders)
      #expect(market.market.tick == price("0.01"))
    }
  }

  @Test func `a settled market has a winner and no quotes`() async throws {
    guard let bytes = Shared.fixture("kalshi/rest_event_settled_2026_08.json") else { return }
    let event = try #require(try await CannedVenue(body: bytes).kalshi().event(ticker: "KXGOLD15M-26AUG101900"))
    let market = try #require(event.markets.first)
    #expect(market.market.isClosed && !market.market.isAcceptingOrders && market.status == .finalized)
    #expect(market.market.winner == 0 && market.market.payouts == [.one, .zero])
    #expect(market.yesBid == nil && market.yesAsk == nil && market.noBid == nil && market.noAsk == nil)
    #expect(market.floorStrike == "4395.85" && market.strikeType == "greater_or_equal" && market.capStrike == nil)
    #expect(market.lastPrice == price("0.99") && market.volume24h == .zero)
  }

  @Test func `a result that may be disputed is none`() async throws {
    let text =
      "{\"market\":" + Self.market("A", "\"result\":\"no\"").replacingOccurrences(of: "active", with: "determined")
      + "}"
    let market = try #require(try await CannedVenue(text).kalshi().market(ticker: "A"))
    #expect(
      market.market.isClosed && market.market.winner == nil && market.market.payouts == nil && market.result == "no")
  }

  @Test func `tapered grids are taken as they are`() async throws {
    let members = """
      "price_level_structure":"tapered_deci_cent","price_ranges":[{"start":"0.9000","end":"1.0000","step":"0.0010"},\
      {"start":"0.0000","end":"0.1000","step":"0.0010"},{"start":"0.1000","end":"0.9000","step":"0.0100"}]
      """
    let text = "{\"market\":{\"ticker\":\"A\",\"status\":\"active\",\(members)}}"
    let market = try #require(try await CannedVenue(text).kalshi().market(ticker: "A"))
    #expect(market.market.tick == price("0.001"))
    for (text, isOn) in [
      ("0.05", true), ("0.051", true), ("0.451", false), ("0.45", true), ("0.999", true), ("0.0515", false),
    ] {
      #expect(market.grid.contains(price(text)) == isOn, "\(text)")
    }
    #expect(market.grid.rounded(price("0.455"), .down) == price("0.45"))
    #expect(market.grid.rounded(price("0.455"), .up) == price("0.46"))
    #expect(market.grid.rounded(price("0.0455"), .down) == price("0.045"))
    #expect(market.grid.rounded(price("1.01"), .up) == nil && market.grid.rounded(price("-0.01"), .down) == nil)
    #expect(market.grid.complement.contains(price("0.951")) && !market.grid.complement.contains(price("0.451")))
  }

  @Test(arguments: [
    ("[{\"start\":\"0\",\"end\":\"1\",\"step\":\"0\"}]", "price_ranges"),
    ("[{\"start\":\"0\",\"end\":\"1\",\"step\":\"0.3\"}]", "price_ranges"),
    ("[{\"start\":\"0\",\"end\":\"2\",\"step\":\"0.1\"}]", "price_ranges[0].end"),
    (
      "[{\"start\":\"0\",\"end\":\"0.6\",\"step\":\"0.1\"},{\"start\":\"0.5\",\"end\":\"1\",\"step\":\"0.1\"}]",
      "price_ranges"
    ),
  ])
  func `a grid that cannot be is refused`(_ ranges: String, _ field: String) async {
    let text = "{\"market\":{\"ticker\":\"A\",\"status\":\"active\",\"price_ranges\":\(ranges)}}"
    let error = await failure { () async throws(VenueError) in try await CannedVenue(text).kalshi().market(ticker: "A")
    }
    #expect(error?.field == "market." + field && error?.kind == "market")
  }

  @Test func `a bad market leaves the others, and names its field`() async throws {
    let text = """
      {"markets":[\(Self.market("A")),\(Self.market("B", "\"yes_bid_dollars\":\"abc\"")),\(Self.market("C"))],"cursor":""}
      """
    let listing = try await CannedVenue(text).kalshi().listMarkets()
    #expect(listing.markets.map(\.market.id) == ["A", "C"])
    #expect(
      listing.rejected.map(\.description)
        == ["kalshi markets: markets[1](B).yes_bid_dollars: expected a decimal number, found \"abc\""])
  }

  @Test func `pages end where the cursor is empty or missing, and never by going round`() async throws {
    for end in [",\"cursor\":\"\"", ""] {
      let venue = CannedVenue { (request) throws(HTTPError) in
        switch request.query("cursor") {
        case []: response("{\"markets\":[\(Self.market("A"))],\"cursor\":\"x\"}")
        case ["x"]: response("{\"markets\":[],\"cursor\":\"y/+=\"}")
        default: response("{\"markets\":[\(Self.market("B"))]\(end)}")
        }
      }
      let listing = try await venue.kalshi().listMarkets()
      #expect(listing.markets.map(\.market.id) == ["A", "B"] && listing.pageCount == 3)
      #expect(venue.requests.last?.query("cursor") == ["y/+="])
    }
    let error = await failure { () async throws(VenueError) in
      try await CannedVenue("{\"markets\":[],\"cursor\":\"x\"}").kalshi().listMarkets()
    }
    #expect(error?.field == "cursor")
  }

  @Test func `a one-sided book is read from the real answer`() async throws {
    guard let bytes = Shared.fixture("kalshi/rest_orderbook_one_sided_2026_07.json") else { return }
    let rest = CannedVenue(body: bytes).kalshi()
    let yes = try #require(try await rest.book(token: "KXBTCD-26JUL2502-T74299.99:yes"))
    #expect(yes.bids.isEmpty && yes.asks.count == 10)
    #expect(yes.asks.last == Level(price: price("0.01"), quantity: quantity("73469")))
    #expect(yes.asks.first == Level(price: price("0.59"), quantity: quantity("1")))
    let no = try #require(try await rest.book(token: "KXBTCD-26JUL2502-T74299.99:no"))
    #expect(no.asks.isEmpty && no.bids.last == Level(price: price("0.99"), quantity: quantity("73469")))
    #expect(no.marketID == "KXBTCD-26JUL2502-T74299.99")
  }

  @Test func `books are asked for by markets, a hundred at a time`() async throws {
    let venue = CannedVenue { (request) throws(HTTPError) in
      let rows = request.query("tickers").filter { $0 != "M7" }.map { ticker in
        let yes = ticker == "M9" ? "[[\"1.5\",\"1\"]]" : "[[\"0.4\",\"1\"]]"
        return "{\"ticker\":\"\(ticker)\",\"orderbook_fp\":{\"yes_dollars\":\(yes),\"no_dollars\":[[\"0.5\",\"2\"]]}}"
      }
      return response("{\"orderbooks\":[\(rows.joined(separator: ","))]}")
    }
    let tokens = (0..<150).flatMap { ["M\($0):yes", "M\($0):no"] } + ["nonsense"]
    let listing = try await venue.kalshi().books(tokens: tokens)
    #expect(venue.requests.map { $0.query("tickers").count } == [100, 50])
    #expect(listing.books.count == 296 && Set(listing.missing) == ["M7:yes", "M7:no", "nonsense"])
    #expect(listing.rejected.map(\.field) == ["orderbooks[8].orderbook_fp.yes_dollars[0][0]"])
  }

  @Test(arguments: [
    (
      "{\"orderbook_fp\":{\"yes_dollars\":[[\"0.6\",\"1\"]],\"no_dollars\":[[\"0.4\",\"1\"]]}}",
      "orderbook_fp.yes_dollars"
    ),
    ("{\"orderbook_fp\":{\"yes_dollars\":[[\"0.6\",\"-1\"]]}}", "orderbook_fp.yes_dollars[0][1]"),
    ("{\"orderbook_fp\":{\"no_dollars\":[[\"0.6\"]]}}", "orderbook_fp.no_dollars[0]"),
    ("{\"orderbook_fp\":{\"no_dollars\":[[\"0.6\",\"1\"],[\"0.60\",\"1\"]]}}", "orderbook_fp.no_dollars"),
    ("{\"orderbook_fp\":{\"no_dollars\":[[\"0.6\",\"99999999999999999999\"]]}}", "orderbook_fp.no_dollars[0][1]"),
    ("{\"orderbook\":{}}", "orderbook_fp"),
  ])
  func `a bad book is refused with its field`(_ text: String, _ field: String) async {
    let error = await failure { () async throws(VenueError) in try await CannedVenue(text).kalshi().book(token: "A:yes")
    }
    #expect(error?.field == field && error?.kind == "orderbook")
  }

  @Test func `real trades parse, and those outside of the book are left out`() async throws {
    guard let bytes = Shared.fixture("kalshi/rest_trades_2026_07.json") else { return }
    let now = time("2026-07-25T05:52:00Z")
    let filter = TradeAgeFilter(ageMaxSeconds: 300)
    let recent = try await CannedVenue(body: bytes).kalshi().recentTrades(symbol: "X:yes", filter: filter, now: now)
    #expect(recent.trades.count == 3 && recent.tooOldCount == 0)
    #expect(
      recent.trades[0]
        == Trade(
          instrument: InstrumentID(venue: .kalshi, symbol: "KXETH15M-26JUL250200-00:yes"), price: price("0.38"),
          quantity: quantity("12.61"), takerSide: .buy, time: time("2026-07-25T05:51:39.54467Z")))
    let block = String(decoding: bytes, as: UTF8.self).replacingOccurrences(
      of: "\"is_block_trade\":false", with: "\"is_block_trade\":true")
    #expect(try await CannedVenue(block).kalshi().recentTrades(symbol: "X", filter: filter, now: now).trades.isEmpty)
  }

  @Test func `a real series tells its fees`() async throws {
    guard let bytes = Shared.fixture("kalshi/rest_series_2026_07.json") else { return }
    let series = try #require(try await CannedVenue(body: bytes).kalshi().series(ticker: "KXBTCD"))
    #expect(series.ticker == "KXBTCD" && series.fees == .ordinary && series.category == "Crypto")
    let now = time("2026-09-22T00:00:00Z")
    let rounding = FeeRounding(feeStep: Money(raw: 100), balanceStep: Money(raw: 1_000_000))
    #expect(
      series.fees.schedule(at: now)
        == FeeSchedule(rate: price("0.07"), exponent: 1, takerOnly: true, rounding: rounding))
    let half = KalshiFees(type: "quadratic_with_maker_fees", multiplier: price("0.5")).schedule(at: now)
    #expect(half.rate == price("0.035") && !half.takerOnly)
  }

  @Test func `positions, orders, fills and the balance are read with their signs`() async throws {
    let venue = CannedVenue { (request) throws(HTTPError) in
      switch request.path {
      case "/trade-api/v2/portfolio/positions":
        response(
          """
          {"cursor":"","market_positions":[{"ticker":"A","position_fp":"100.00","market_exposure_dollars":"50.0000"},\
          {"ticker":"B","position_fp":"-3.50","market_exposure_dollars":"1.7500","realized_pnl_dollars":"-2.5000"},\
          {"ticker":"C","position_fp":"0.00","market_exposure_dollars":"0.0000"}]}
          """)
      case "/trade-api/v2/portfolio/balance": response("{\"balance\":12345,\"portfolio_value\":200,\"updated_ts\":1}")
      case "/trade-api/v2/portfolio/orders":
        response(
          """
          {"cursor":"","orders":[{"order_id":"o","client_order_id":"c","ticker":"A","status":"canceled",\
          "book_side":"ask","no_price_dollars":"0.4400","initial_count_fp":"10.00","fill_count_fp":"2.50",\
          "remaining_count_fp":"0.00","taker_fees_dollars":"0.020000","maker_fees_dollars":"0.010000",\
          "taker_fill_cost_dollars":"1.100000","maker_fill_cost_dollars":"0.000000","last_update_reason":"ExpiryCancel"}]}
          """)
      default:
        response(
          """
          {"cursor":"","fills":[{"fill_id":"f","order_id":"o","ticker":"A","count_fp":"2.50","outcome_side":"no",\
          "yes_price_dollars":"0.5600","no_price_dollars":"0.4400","is_taker":true,"fee_cost":"0.020000",\
          "created_time":"2026-07-25T05:51:39.5Z"}]}
          """)
      }
    }
    let rest = venue.kalshi()
    let positions = try await rest.positions()
    #expect(positions.map(\.instrument.symbol) == ["A:yes", "B:no"])
    #expect(positions.map(\.quantity) == [quantity("100"), quantity("3.5")])
    #expect(positions.map(\.averagePrice) == [price("0.5"), price("0.5")])
    #expect(try await rest.balance().balance.description == "123.45")
    let order = try #require(try await rest.orders().first)
    #expect(order.status == .canceled && order.filledCount == quantity("2.5") && order.outcome == .no)
    #expect(order.yesPrice == price("0.56") && order.fees.description == "0.03" && order.cost?.description == "1.1")
    let fill = try #require(try await rest.fills().first)
    #expect(fill.outcome == .no && fill.yesPrice == price("0.56") && fill.time == time("2026-07-25T05:51:39.5Z"))
  }

  @Test(arguments: [
    (
      "{\"code\":\"invalid_order\",\"message\":\"bad\",\"details\":\"\",\"service\":\"x\"}", 400,
      ["invalid_order", "bad"]
    ),
    (
      "{\"error\":{\"code\":\"fill_or_kill_insufficient_resting_volume\",\"message\":\"killed\"}}", 409,
      ["fill_or_kill_insufficient_resting_volume", "killed"]
    ),
    ("{\"error\":\"too many requests\"}", 429, ["too many requests"]),
    ("<html>", 502, ["502"]),
  ])
  func `the venue's words are in the error`(_ text: String, _ status: Int, _ words: [String]) async {
    let error = await failure { () async throws(VenueError) in
      try await CannedVenue(text, status: status).kalshi().series(ticker: "A")
    }
    for word in words { #expect(error?.problem.contains(word) == true) }
    #expect(error?.isRetriable == (status == 429 || status >= 500))
  }

  @Test func `what the venue does not know is nil`() async throws {
    let venue = CannedVenue("{\"error\":{\"code\":\"not_found\",\"message\":\"not found\"}}", status: 404)
    #expect(try await venue.kalshi().market(id: "A") == nil)
    #expect(try await venue.kalshi().book(token: "A:yes") == nil)
    #expect(try await venue.kalshi().series(ticker: "A") == nil)
    #expect(try await venue.kalshi().allSeries() == nil)
  }
}
