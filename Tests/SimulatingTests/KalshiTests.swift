import Foundation
import Market
import Simulating
import Testing
import Web

/// A book that is folded from a subscriber's messages, in hundredths of contracts by cents.
private struct FoldedBook {
  var sides: [String: [Int: Int]] = [:]

  static func hundredths(_ text: Any?) -> Int { Int(((Double(text as? String ?? "") ?? .nan) * 100).rounded()) }

  mutating func take(_ message: [String: Any]) {
    let content = message["msg"] as? [String: Any] ?? [:]
    if message["type"] as? String == "orderbook_snapshot" {
      sides = [:]
      for side in ["yes", "no"] {
        for level in content["\(side)_dollars_fp"] as? [[String]] ?? [] {
          sides[side, default: [:]][FoldedBook.hundredths(level[0])] = FoldedBook.hundredths(level[1])
        }
      }
    } else {
      let side = content["side"] as? String ?? ""
      let price = FoldedBook.hundredths(content["price_dollars"])
      let size = (sides[side]?[price] ?? 0) + FoldedBook.hundredths(content["delta_fp"])
      #expect(size >= 0)
      sides[side, default: [:]][price] = size == 0 ? nil : size
    }
    let best = (sides["yes"]?.keys.max() ?? 0) + (sides["no"]?.keys.max() ?? 0)
    #expect(best < 100, "crossed")
  }
}

@Suite struct KalshiTests {
  let path = "/kalshi/trade-api/v2"

  func make(_ change: (inout SimulatorOptions) -> Void = { _ in }) throws -> Venue {
    try Venue {
      $0.updatesPerSecond = 2000
      $0.markets = 200
      $0.events = 60
      change(&$0)
    }
  }

  func open(_ venue: Venue, _ count: Int = 20) throws -> [String] {
    let answer = try venue.object(path + "/markets", [("status", "open"), ("limit", "\(count)")])
    return try #require(answer["markets"] as? [[String: Any]]).compactMap { $0["ticker"] as? String }
  }

  @Test func `a share of Polymarket's events is listed under similar names, and paging reaches each market once`()
    throws
  {
    let venue = try make()
    var tickers: [String] = []
    var titles: [String] = []
    var cursor = ""
    repeat {
      let page = try venue.object(path + "/markets", [("limit", "7"), ("cursor", cursor)])
      let markets = try #require(page["markets"] as? [[String: Any]])
      tickers += markets.compactMap { $0["ticker"] as? String }
      titles += markets.compactMap { $0["title"] as? String }
      cursor = try #require(page["cursor"] as? String)
    } while !cursor.isEmpty
    #expect(tickers.count > 20 && Set(tickers).count == tickers.count)
    let world = venue.simulator.world
    let questions = Set(world.markets.map { $0.question.lowercased() } + world.events.map { $0.title.lowercased() })
    #expect(titles.allSatisfy { !$0.isEmpty && !questions.contains($0.lowercased()) }, "in the same words")
    var events: [[String: Any]] = []
    cursor = ""
    repeat {
      let page = try venue.object(
        path + "/events", [("limit", "5"), ("cursor", cursor), ("with_nested_markets", "true")])
      events += try #require(page["events"] as? [[String: Any]])
      cursor = try #require(page["cursor"] as? String)
    } while !cursor.isEmpty
    #expect(events.reduce(0) { $0 + (($1["markets"] as? [Any])?.count ?? 0) } == tickers.count)
    let series = try #require(events.first?["series_ticker"] as? String)
    #expect(
      (try venue.object(path + "/series/\(series)")["series"] as? [String: Any])?["fee_type"] as? String == "quadratic")
    let event = try #require(events.first?["event_ticker"] as? String)
    #expect(try venue.object(path + "/events/\(event)")["markets"] is [Any])
    #expect(try venue.object(path + "/markets/NOPE", status: 404)["error"] is [String: Any])
  }

  @Test func `changes keep the books of a subscription equal to the venue's, and are numbered without a gap`() throws {
    let venue = try make {
      $0.arbitragesPerSecond = Price(raw: 20 * fixedPointScale)
      $0.plantKinds = [.crossFirst, .crossSecond]
      $0.plantsUnwatched = true
    }
    let listener = try Listener(venue, path: "/kalshi/trade-api/ws/v2")
    let tickers = try open(venue)
    let list = tickers.map { "\"\($0)\"" }.joined(separator: ",")
    listener.say(
      "{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"orderbook_delta\",\"trade\",\"ticker\"],\"market_tickers\":[\(list)]}}"
    )
    listener.run(milliseconds: 20_000)
    let messages = try listener.messages()
    #expect(messages.prefix(3).allSatisfy { $0["type"] as? String == "subscribed" })
    let books = messages.filter { ($0["type"] as? String)?.hasPrefix("orderbook") == true }
    #expect(books.count > 300)
    #expect(books.compactMap { $0["seq"] as? Int } == Array(1...books.count))
    var folded: [String: FoldedBook] = [:]
    for message in books {
      let ticker = try #require((message["msg"] as? [String: Any])?["market_ticker"] as? String)
      folded[ticker, default: FoldedBook()].take(message)
    }
    for ticker in tickers {
      let answer = try venue.object(path + "/markets/\(ticker)/orderbook")
      let book = try #require(answer["orderbook_fp"] as? [String: [[String]]])
      for side in ["yes", "no"] {
        let levels = try #require(book["\(side)_dollars"])
        let prices = levels.map { FoldedBook.hundredths($0[0]) }
        #expect(prices == prices.sorted())
        let sizes = Dictionary(uniqueKeysWithValues: zip(prices, levels.map { FoldedBook.hundredths($0[1]) }))
        #expect(sizes == folded[ticker]?.sides[side] ?? [:])
      }
    }
    let trades = messages.filter { $0["type"] as? String == "trade" }
    #expect(trades.count > 5 && trades.compactMap { $0["seq"] as? Int } == Array(1...trades.count))
    #expect(messages.contains { $0["type"] as? String == "ticker" && $0["seq"] == nil })
    let told = try #require(trades.last?["msg"] as? [String: Any])
    let list2 = try venue.object(path + "/markets/trades", [("limit", "1000")])
    let known = try #require(list2["trades"] as? [[String: Any]]).map { $0["trade_id"] as? String }
    #expect(known.contains(told["trade_id"] as? String))
  }

  @Test func `subscriptions are changed, listed and ended, and errors are told by their codes`() throws {
    let venue = try make()
    let listener = try Listener(venue, path: "/kalshi/trade-api/ws/v2")
    let tickers = try open(venue, 3)
    func codes(_ text: String) throws -> Int? {
      listener.texts = []
      listener.say(text)
      return (try listener.messages().last?["msg"] as? [String: Any])?["code"] as? Int
    }
    #expect(try codes("{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"nope\"]}}") == 8)
    #expect(try codes("{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"orderbook_delta\"]}}") == 14)
    #expect(try codes("{\"id\":1,\"cmd\":\"dance\",\"params\":{}}") == 5)
    #expect(try codes("{\"id\":1,\"cmd\":\"unsubscribe\",\"params\":{\"sids\":[9]}}") == 7)
    listener.say(
      "{\"id\":2,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"orderbook_delta\"],\"market_tickers\":[\"\(tickers[0])\"]}}"
    )
    listener.texts = []
    listener.say(
      "{\"id\":3,\"cmd\":\"update_subscription\",\"params\":{\"sids\":[1],\"market_tickers\":[\"\(tickers[1])\"],\"action\":\"add_markets\"}}"
    )
    var messages = try listener.messages()
    #expect(messages.map { $0["type"] as? String } == ["ok", "orderbook_snapshot"])
    #expect(messages.compactMap { $0["seq"] as? Int } == [2, 3])
    listener.texts = []
    listener.say(
      "{\"id\":4,\"cmd\":\"update_subscription\",\"params\":{\"sids\":[1],\"market_tickers\":[\"\(tickers[0])\"],\"action\":\"get_snapshot\"}}"
    )
    #expect(try listener.messages().map { $0["type"] as? String } == ["orderbook_snapshot"])
    listener.texts = []
    listener.say("{\"id\":5,\"cmd\":\"unsubscribe\",\"params\":{\"sids\":[1]}}")
    listener.run(milliseconds: 3000)
    messages = try listener.messages()
    #expect(messages.count == 1 && messages[0]["type"] as? String == "unsubscribed")
  }

  @Test func `a market that ends is told, and its book comes empty twice`() throws {
    let venue = try make()
    let listener = try Listener(venue, path: "/kalshi/trade-api/ws/v2")
    let all = try #require(
      try venue.object(path + "/markets", [("status", "open"), ("limit", "1000")])["markets"] as? [[String: Any]])
    let soon = try #require(
      all.filter { ($0["event_ticker"] as? String)?.contains("5M") == true }
        .min { ($0["close_time"] as? String ?? "") < ($1["close_time"] as? String ?? "") })
    let ticker = try #require(soon["ticker"] as? String)
    listener.say(
      "{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"orderbook_delta\"],\"market_tickers\":[\"\(ticker)\"]}}"
    )
    listener.say("{\"id\":2,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"market_lifecycle_v2\"]}}")
    for _ in 0..<400 {
      venue.now = venue.now.advanced(bySeconds: 1)
      venue.simulator.advance(to: venue.now)
      listener.drain()
    }
    let messages = try listener.messages()
    let empty = messages.filter { message in
      let content = message["msg"] as? [String: Any]
      return message["type"] as? String == "orderbook_snapshot" && content?["yes_dollars_fp"] == nil
        && content?["no_dollars_fp"] == nil && content?["market_ticker"] as? String == ticker
    }
    #expect(empty.count == 2)
    let kinds = messages.compactMap { message -> String? in
      let content = message["msg"] as? [String: Any]
      return content?["market_ticker"] as? String == ticker ? content?["event_type"] as? String : nil
    }
    #expect(kinds == ["determined", "settled"])
    #expect(messages.contains { ($0["msg"] as? [String: Any])?["event_type"] as? String == "created" })
    let market = try #require(try venue.object(path + "/markets/\(ticker)")["market"] as? [String: Any])
    #expect(market["status"] as? String == "finalized" && ["yes", "no"].contains(market["result"] as? String))
  }

  @Test func `a stream without a signature, an old one and a wrong one are refused, a right one is not`() throws {
    let folder = ProcessInfo.processInfo.environment["BULKHEAD_SHARED"] ?? "../shared"
    guard let data = FileManager.default.contents(atPath: folder + "/venues/vectors/kalshi_signing.json") else {
      print("skipped: no signing vectors in \(folder)/venues/vectors")
      return
    }
    let vectors = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let key = try #require(vectors["publicKeyPem"] as? String)
    let cases = try #require(vectors["verify"] as? [[String: Any]])
    let venue = try Venue { $0.kalshiPublicKey = key }
    var checked = 0
    for vector in cases where vector["method"] as? String == "GET" {
      let path = "/kalshi" + (vector["signedPath"] as? String ?? "")
      let headers = try #require(vector["headers"] as? [String: String])
      let milliseconds = try #require(vector["timestampMs"] as? Int64)
      var fields = HTTPHeaders()
      for (name, value) in headers { fields.append(name, value) }
      let now = Timestamp(nanoseconds: milliseconds * 1_000_000)
      func refusal(_ fields: HTTPHeaders, _ path: String, _ now: Timestamp) -> Int? {
        venue.simulator.refusal(HTTPServerRequest(path: path, headers: fields), .kalshi, at: now)?.status
      }
      #expect(refusal(fields, path, now) == nil)
      #expect(refusal(fields, path + "x", now) == 401)
      #expect(refusal(fields, path, now.advanced(bySeconds: 3600)) == 401)
      #expect(refusal(HTTPHeaders(), path, now) == 401)
      checked += 1
    }
    #expect(checked > 0)
  }
}
