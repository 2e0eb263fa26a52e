import Foundation
import Market
import Simulating
import TestSupport
import Testing
import Web

/// A simulator and what it answers, as Foundation reads JSON.
final class Venue {
  let simulator: Simulator
  var now = moment

  init(_ change: (inout SimulatorOptions) -> Void = { _ in }) throws {
    var options = SimulatorOptions()
    options.markets = 300
    options.events = 60
    options.arbitragesPerSecond = .zero
    options.decoysPerSecond = .zero
    change(&options)
    simulator = try Simulator(options: options, now: moment)
  }

  func send(
    _ method: String, _ path: String, _ query: [(String, String)] = [], body: String = "", headers: HTTPHeaders = [:]
  ) -> HTTPServerResponse {
    simulator.answer(
      HTTPServerRequest(
        method: method, path: path, query: query.map { (name: $0.0, value: $0.1) }, headers: headers,
        body: Array(body.utf8)), at: now)
  }

  func json(
    _ method: String, _ path: String, _ query: [(String, String)] = [], body: String = "", status: Int = 200,
    headers: HTTPHeaders = [:]
  ) throws -> Any {
    let answer = send(method, path, query, body: body, headers: headers)
    #expect(answer.status == status, "\(method) \(path): \(String(decoding: answer.body.prefix(300), as: UTF8.self))")
    return try JSONSerialization.jsonObject(with: Data(answer.body), options: .fragmentsAllowed)
  }

  func object(_ path: String, _ query: [(String, String)] = [], status: Int = 200) throws -> [String: Any] {
    try #require(try json("GET", path, query, status: status) as? [String: Any])
  }

  func list(_ path: String, _ query: [(String, String)] = []) throws -> [[String: Any]] {
    try #require(try json("GET", path, query) as? [[String: Any]])
  }

  /// An ordinary market of a kind.
  func slot(where isMeant: (SimulatedMarket) -> Bool = { _ in true }) throws -> Int {
    try #require(
      simulator.world.markets.indices.first {
        let market = simulator.world.markets[$0]
        return market.isTradable && !market.isPlaceholder && market.subject == .ordinary && isMeant(market)
      })
  }

  func token(_ slot: Int, _ outcome: Int = 0) -> String { simulator.world.markets[slot].tokens[outcome] }
}

@Suite struct GammaTests {
  @Test func `markets come with the documented members, lists as texts of JSON`() throws {
    let venue = try Venue()
    let slot = try venue.slot { $0.fees.name != nil }
    let id = venue.simulator.world.markets[slot].id
    let market = try venue.object("/polymarket/gamma/markets/\(id)")
    for name in [
      "conditionId", "questionID", "slug", "question", "outcomes", "outcomePrices", "clobTokenIds", "endDate",
      "endDateIso", "volume", "liquidity", "feeType",
    ] { #expect(market[name] is String, "\(name)") }
    for name in [
      "orderPriceMinTickSize", "orderMinSize", "bestBid", "bestAsk", "spread", "volume24hr", "volumeNum",
      "liquidityNum",
    ] { #expect(market[name] is NSNumber, "\(name)") }
    for name in ["active", "closed", "archived", "acceptingOrders", "enableOrderBook", "negRisk", "feesEnabled"] {
      #expect(market[name] is Bool, "\(name)")
    }
    let tokens = try JSONSerialization.jsonObject(with: Data((market["clobTokenIds"] as? String ?? "").utf8))
    #expect(tokens as? [String] == venue.simulator.world.markets[slot].tokens)
    let schedule = try #require(market["feeSchedule"] as? [String: Any])
    #expect(schedule["rate"] is NSNumber && schedule["exponent"] as? Int == 1)
    #expect((market["events"] as? [[String: Any]])?.first?["id"] is String)
  }

  @Test func `a placeholder has no tokens and shows 0 and 1`() throws {
    let venue = try Venue()
    let market = try #require(venue.simulator.world.markets.first { $0.isPlaceholder && $0.tokens.isEmpty })
    let answer = try venue.object("/polymarket/gamma/markets/\(market.id)")
    #expect(answer["clobTokenIds"] == nil)
    #expect(answer["bestBid"] as? Int == 0 && answer["bestAsk"] as? Int == 1)
    let event = venue.simulator.world.events[market.event]
    let nested = try venue.object("/polymarket/gamma/events/\(event.id)")
    #expect(nested["enableNegRisk"] as? Bool == true && nested["negRiskAugmented"] as? Bool == true)
    #expect((nested["markets"] as? [Any])?.count == event.markets.count)
  }

  @Test(arguments: ["markets", "events"])
  func `paging reaches everything once, by offset and by cursor`(kind: String) throws {
    let venue = try Venue()
    let expected = kind == "markets" ? venue.simulator.world.listing.count : venue.simulator.world.eventListing.count
    var byOffset: [String] = []
    while true {
      let page = try venue.list("/polymarket/gamma/\(kind)", [("limit", "70"), ("offset", "\(byOffset.count)")])
      byOffset += page.compactMap { $0["id"] as? String }
      if page.count < 70 { break }
    }
    var byCursor: [String] = []
    var cursor: String?
    repeat {
      let query = [("limit", "100")] + (cursor.map { [("after_cursor", $0)] } ?? [])
      let page = try venue.object("/polymarket/gamma/\(kind)/keyset", query)
      byCursor += try #require(page[kind] as? [[String: Any]]).compactMap { $0["id"] as? String }
      cursor = page["next_cursor"] as? String
    } while cursor != nil
    #expect(byOffset.count == expected && Set(byOffset).count == expected)
    #expect(byCursor == byOffset)
  }

  @Test func `filters choose, and lists with commas are refused`() throws {
    let venue = try Venue()
    let open = try venue.list("/polymarket/gamma/markets", [("closed", "false"), ("limit", "500")])
    #expect(open.allSatisfy { $0["closed"] as? Bool == false })
    let closed = try venue.list("/polymarket/gamma/markets", [("closed", "true"), ("limit", "500")])
    #expect(!closed.isEmpty)
    for market in closed {
      #expect(["[\"1\", \"0\"]", "[\"0\", \"1\"]"].contains(market["outcomePrices"] as? String))
      #expect(market["umaResolutionStatus"] as? String == "resolved" && market["bestBid"] == nil)
    }
    let some = open.prefix(3).compactMap { $0["conditionId"] as? String }
    let found = try venue.list("/polymarket/gamma/markets", some.map { ("condition_ids", $0) })
    #expect(Set(found.compactMap { $0["conditionId"] as? String }) == Set(some))
    let refused = venue.send("GET", "/polymarket/gamma/markets", [("condition_ids", some.joined(separator: ","))])
    #expect(refused.status == 422)
    let token = venue.token(try venue.slot())
    #expect(try venue.list("/polymarket/gamma/markets", [("clob_token_ids", token)]).count == 1)
    #expect(venue.send("GET", "/polymarket/gamma/markets/999").status == 404)
  }
}

@Suite struct ClobTests {
  @Test func `a book is in the venue's order and its hash verifies`() throws {
    let venue = try Venue()
    let slot = try venue.slot()
    let answer = venue.send("GET", "/polymarket/clob/book", [("token_id", venue.token(slot))])
    #expect(answer.status == 200)
    let book = try #require(JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any])
    func prices(_ side: String) -> [Double] {
      (book[side] as? [[String: String]] ?? []).compactMap { $0["price"].flatMap(Double.init) }
    }
    #expect(prices("bids") == prices("bids").sorted() && !prices("bids").isEmpty)
    #expect(prices("asks") == prices("asks").sorted().reversed() && !prices("asks").isEmpty)
    #expect((prices("bids").last ?? 1) < (prices("asks").last ?? 0))
    #expect(try verifies(answer.body))
    #expect(book["neg_risk"] is Bool && book["tick_size"] is String && book["min_order_size"] as? String == "5")
  }

  @Test func `the hash of a captured book is recomputed`() throws {
    let shared =
      ProcessInfo.processInfo.environment["BULKHEAD_SHARED"] ?? Places.package.appending(path: "../shared").path
    let path = shared + "/venues/fixtures/polymarket/rest_book_2026_07.json"
    guard let bytes = FileManager.default.contents(atPath: path) else { return }
    #expect(try verifies(Array(bytes)))
    var changed = bytes
    changed.replace(Data("10118.15".utf8), with: Data("10118.16".utf8))
    #expect(try !verifies(Array(changed)))
  }

  /// Whether the SHA-1 of the text with an empty hash is the hash that it states.
  func verifies(_ body: [UInt8]) throws -> Bool {
    let text = String(decoding: body, as: UTF8.self)
    let marker = try #require(text.range(of: "\"hash\":\""))
    let stated = String(text[marker.upperBound...].prefix(40))
    let emptied = text.replacingOccurrences(of: stated, with: "").trimmingCharacters(in: .whitespacesAndNewlines)
    return String(decoding: BookHash.digest(of: Array(emptied.utf8)), as: UTF8.self) == stated
  }

  @Test func `batches, prices and spreads agree with the book`() throws {
    let venue = try Venue()
    let slot = try venue.slot()
    let token = venue.token(slot)
    let ladder = venue.simulator.world.engine.ladders[slot * 2]
    let bid = try venue.object("/polymarket/clob/price", [("token_id", token), ("side", "BUY")])
    let ask = try venue.object("/polymarket/clob/price", [("token_id", token), ("side", "SELL")])
    #expect(bid["price"] as? String == ladder.shownBid.description)
    #expect(ask["price"] as? String == ladder.shownAsk.description)
    let spread = try venue.object("/polymarket/clob/spread", [("token_id", token)])
    #expect(spread["spread"] as? String == (ladder.shownAsk - ladder.shownBid).description)
    let body = "[{\"token_id\":\"\(token)\"},{\"token_id\":\"\(venue.token(slot, 1))\"},{\"token_id\":\"7\"}]"
    let books = try #require(try venue.json("POST", "/polymarket/clob/books", body: body) as? [[String: Any]])
    #expect(books.map { $0["asset_id"] as? String } == [token, venue.token(slot, 1)])
    let middles = try #require(try venue.json("POST", "/polymarket/clob/midpoints", body: body) as? [String: String])
    #expect(middles.count == 2)
    let unknown = try venue.object("/polymarket/clob/book", [("token_id", "7")], status: 404)
    #expect(unknown["error"] as? String == "No orderbook exists for the requested token id")
    #expect(try venue.json("GET", "/polymarket/clob/time") is NSNumber)
    #expect(try venue.object("/polymarket/clob/tick-size", [("token_id", token)])["minimum_tick_size"] is NSNumber)
    #expect(try venue.object("/polymarket/clob/neg-risk", [("token_id", token)])["neg_risk"] is Bool)
  }

  @Test func `markets page by cursor to the end`() throws {
    let venue = try Venue { $0.markets = 1500 }
    for path in ["markets", "simplified-markets", "sampling-markets"] {
      var cursor = "MA=="
      var seen: [String] = []
      while cursor != "LTE=" {
        let page = try venue.object("/polymarket/clob/\(path)", [("next_cursor", cursor)])
        seen += try #require(page["data"] as? [[String: Any]]).compactMap { $0["condition_id"] as? String }
        cursor = try #require(page["next_cursor"] as? String)
      }
      #expect(Set(seen).count == seen.count && seen.count > 1000)
    }
    let market = venue.simulator.world.markets[try venue.slot()]
    let one = try venue.object("/polymarket/clob/markets/\(market.conditionID)")
    #expect((one["tokens"] as? [[String: Any]])?.map { $0["token_id"] as? String } == market.tokens)
    let short = try venue.object("/polymarket/clob/clob-markets/\(market.conditionID)")
    #expect(short["mts"] is NSNumber && (short["t"] as? [Any])?.count == 2)
    #expect(venue.send("GET", "/polymarket/clob/markets/0x1").status == 404)
  }

  @Test func `history ends at the present price and refuses long spans`() throws {
    let venue = try Venue()
    let token = venue.token(try venue.slot())
    let history = try venue.object("/polymarket/clob/prices-history", [("market", token), ("interval", "1d")])
    let points = try #require(history["history"] as? [[String: Any]])
    #expect(points.count > 100 && points.last?["p"] is NSNumber)
    let end = moment.seconds
    let long = venue.send(
      "GET", "/polymarket/clob/prices-history",
      [("market", token), ("startTs", "\(end - 1_300_000)"), ("endTs", "\(end)")])
    #expect(long.status == 400)
  }

  @Test func `the data interface tells trades whatever their age`() throws {
    let venue = try Venue()
    let slot = try venue.slot()
    let market = venue.simulator.world.markets[slot]
    let trades = try venue.list("/polymarket/data/trades", [("market", market.conditionID)])
    let trade = try #require(trades.first)
    #expect(trade["conditionId"] as? String == market.conditionID)
    #expect(trade["price"] is NSNumber && trade["size"] is NSNumber && trade["timestamp"] is NSNumber)
    #expect((trade["timestamp"] as? Int ?? 0) < Int(moment.seconds) - 500)
    let all = try venue.list("/polymarket/data/trades", [("limit", "10")])
    #expect(all.count == 10)
    #expect(venue.send("GET", "/polymarket/data/trades", [("limit", "20000")]).status == 400)
  }
}

@Suite struct SpotProtocolTests {
  @Test func `Binance's candles come oldest first, the open one last`() throws {
    let venue = try Venue()
    let path = "/binance/api/v3/klines"
    let rows = try #require(
      try venue.json("GET", path, [("symbol", "BTCUSDT"), ("interval", "1m"), ("limit", "1000")]) as? [[Any]])
    #expect(rows.count == 1000)
    let times = rows.compactMap { $0.first as? Int64 }
    #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 == 60_000 })
    #expect((rows.last?[6] as? Int64 ?? 0) >= moment.milliseconds)
    #expect(rows[0][1] is String && rows[0][8] is NSNumber && rows[0].count == 12)
    let start = times[10]
    let some = try #require(
      try venue.json(
        "GET", path,
        [("symbol", "BTCUSDT"), ("interval", "1m"), ("startTime", "\(start)"), ("endTime", "\(start + 120_000)")])
        as? [[Any]])
    #expect(some.compactMap { $0.first as? Int64 } == [start, start + 60_000, start + 120_000])
    #expect(some[0][4] as? String == rows[10][4] as? String)
    let week = try #require(
      try venue.json("GET", path, [("symbol", "SOLUSDT"), ("interval", "1w"), ("limit", "3")]) as? [[Any]])
    #expect(week.compactMap { $0.first as? Int64 }.allSatisfy { ($0 / 86_400_000 + 3) % 7 == 0 })
    let refused = try venue.object(path, [("symbol", "XXX"), ("interval", "1m")], status: 400)
    #expect(refused["code"] as? Int == -1121)
    #expect(try venue.object(path, [("symbol", "BTCUSDT"), ("interval", "2m")], status: 400)["code"] as? Int == -1120)
  }

  @Test func `Binance's prices and trades have the documented members`() throws {
    let venue = try Venue()
    let price = try venue.object("/binance/api/v3/ticker/price", [("symbol", "ETHUSDT")])
    #expect(price["symbol"] as? String == "ETHUSDT" && price["price"] is String)
    let book = try venue.object("/binance/api/v3/ticker/bookTicker", [("symbol", "ETHUSDT")])
    #expect(Double(book["bidPrice"] as? String ?? "") ?? 1 < Double(book["askPrice"] as? String ?? "") ?? 0)
    #expect(try venue.list("/binance/api/v3/ticker/price").count == 8)
    #expect(try venue.list("/binance/api/v3/ticker/price", [("symbols", "[\"BTCUSDT\",\"SOLUSDT\"]")]).count == 2)
    let trades = try venue.list("/binance/api/v3/trades", [("symbol", "BTCUSDT"), ("limit", "5")])
    let ids = trades.compactMap { $0["id"] as? Int64 }
    #expect(ids.count == 5 && ids == ids.sorted())
    #expect(trades[0]["isBuyerMaker"] is Bool && trades[0]["qty"] is String)
    #expect(try venue.object("/binance/api/v3/ticker/24hr", [("symbol", "BTCUSDT")])["highPrice"] is String)
    #expect(try venue.object("/binance/api/v3/time")["serverTime"] as? Int64 == moment.milliseconds)
    #expect(try venue.object("/binance/api/v3/exchangeInfo")["rateLimits"] is [Any])
  }

  @Test func `Coinbase's candles come newest first, low and high before open and close`() throws {
    let venue = try Venue()
    let path = "/coinbase/products/BTC-USD/candles"
    let rows = try #require(try venue.json("GET", path, [("granularity", "60")]) as? [[NSNumber]])
    #expect(rows.count == 300)
    let times = rows.map { $0[0].int64Value }
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 - $1 == 60 })
    #expect(rows.allSatisfy { $0[1].doubleValue <= $0[3].doubleValue && $0[2].doubleValue >= $0[4].doubleValue })
    let iso = Timestamp(nanoseconds: times[20] * 1_000_000_000).description
    let one = try #require(
      try venue.json("GET", path, [("granularity", "60"), ("start", iso), ("end", iso)]) as? [[NSNumber]])
    #expect(one.count == 1 && one[0] == rows[20])
    #expect(venue.send("GET", path, [("granularity", "120")]).status == 400)
    let long = [("granularity", "60"), ("start", "\(times[0] - 60_000)"), ("end", "\(times[0])")]
    #expect(venue.send("GET", path, long).status == 400)
    #expect(try venue.object("/coinbase/products/XXX-USD/ticker", status: 404)["message"] as? String == "NotFound")
    #expect(try venue.object("/coinbase/products/SOL-USD/ticker")["trade_id"] is NSNumber)
    let trades = try venue.list("/coinbase/products/ETH-USD/trades", [("limit", "5")])
    let ids = trades.compactMap { $0["trade_id"] as? Int64 }
    #expect(ids.count == 5 && ids == ids.sorted().reversed())
  }

  @Test func `the exchanges close up-down windows as the venue resolves them`() throws {
    let venue = try Venue { $0.closedListedSeconds = 7200 }
    var checked = 0
    for market in venue.simulator.world.markets where market.isClosed {
      guard case .upDown(let coin, let opensAt) = market.subject else { continue }
      func close(_ time: Timestamp) throws -> (binance: Double, coinbase: Double) {
        let binance = try #require(
          try venue.json(
            "GET", "/binance/api/v3/klines",
            [
              ("symbol", coin.symbol + "USDT"), ("interval", "1m"), ("startTime", "\(time.milliseconds - 60_000)"),
              ("limit", "1"),
            ]) as? [[Any]])
        let start = "\(time.seconds - 60)"
        let coinbase = try #require(
          try venue.json(
            "GET", "/coinbase/products/\(coin.symbol)-USD/candles",
            [("granularity", "60"), ("start", start), ("end", start)]) as? [[NSNumber]])
        return (Double(binance[0][4] as? String ?? "") ?? 0, coinbase[0][4].doubleValue)
      }
      let first = try close(opensAt)
      let last = try close(market.endsAt)
      #expect(market.winner == (last.binance >= first.binance - 1e-9 ? 0 : 1))
      #expect(market.winner == (last.coinbase >= first.coinbase - 1e-9 ? 0 : 1))
      checked += 1
      if checked > 60 { break }
    }
    #expect(checked > 60)
  }
}
