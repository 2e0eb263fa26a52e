import Foundation
import Market
import Simulating
import Testing
import Web

/// A subscriber that keeps what it was sent.
final class Listener {
  let venue: Venue
  let session: Int
  var texts: [String] = []
  /// Another session, whose texts are kept beside.
  var alsoKeeps = 0
  var othersTexts: [String] = []

  init(_ venue: Venue, _ channel: Simulator.Channel = .polymarketMarket) {
    self.venue = venue
    let opened = venue.simulator.open(channel)
    session = opened.session
    take(opened.1)
  }

  /// By the path that a client connects to.
  convenience init(_ venue: Venue, path: String, query: [(name: String, value: String)] = []) throws {
    let channel = venue.simulator.channel(of: HTTPServerRequest(path: path, query: query))
    self.init(venue, try #require(channel))
  }

  private func take(_ reaction: Simulator.Reaction) {
    switch reaction {
    case .reply(let bytes): texts.append(String(decoding: bytes, as: UTF8.self))
    case .replies(let replies): texts += replies.map { String(decoding: $0, as: UTF8.self) }
    case .nothing: break
    case .close(let code, _): texts.append("close \(code)")
    }
  }

  func say(_ text: String) {
    drain()
    take(Array(text.utf8).withUnsafeBytes { venue.simulator.receive($0, from: session) })
  }

  func drain() {
    _ = venue.simulator.drain { session, bytes, _ in
      if session == self.session { texts.append(String(decoding: bytes, as: UTF8.self)) }
      if session == alsoKeeps { othersTexts.append(String(decoding: bytes, as: UTF8.self)) }
    }
    for closing in venue.simulator.takeClosings() where closing.session == session {
      texts.append("close: \(closing.reason)")
      venue.simulator.close(session)
    }
  }

  func run(milliseconds: Int) {
    for _ in 0..<milliseconds {
      venue.now = venue.now.advanced(byNanoseconds: 1_000_000)
      venue.simulator.advance(to: venue.now)
      drain()
    }
  }

  func messages() throws -> [[String: Any]] {
    try texts.filter { $0.hasPrefix("{") || $0.hasPrefix("[") }.flatMap { text -> [[String: Any]] in
      let value = try JSONSerialization.jsonObject(with: Data(text.utf8))
      return value as? [[String: Any]] ?? [value as? [String: Any] ?? [:]]
    }
  }
}

@Suite struct ChannelTests {
  func subscribe(_ tokens: [String], custom: Bool = false) -> String {
    let list = tokens.map { "\"\($0)\"" }.joined(separator: ",")
    return "{\"assets_ids\":[\(list)],\"type\":\"market\",\"custom_feature_enabled\":\(custom)}"
  }

  @Test func `books come first as an array, and changes keep them equal to the venue's`() throws {
    let venue = try Venue {
      $0.updatesPerSecond = 5000
      $0.arbitragesPerSecond = Price(raw: 20 * fixedPointScale)
      $0.markets = 40
      $0.events = 8
      $0.opensMarkets = false
    }
    let world = venue.simulator.world
    let tokens = world.markets.filter { $0.isTradable && !$0.isPlaceholder }.flatMap(\.tokens)
    let listener = Listener(venue)
    listener.say(subscribe(tokens))
    #expect(listener.texts.count == 1 && listener.texts[0].hasPrefix("[{\"event_type\":\"book\""))
    listener.run(milliseconds: 3000)
    var books: [String: [String: [String: String]]] = [:]
    var best: [String: (String, String)] = [:]
    var kinds: [String: Int] = [:]
    var oneSided = 0
    for message in try listener.messages() {
      let kind = message["event_type"] as? String ?? ""
      kinds[kind, default: 0] += 1
      switch kind {
      case "book":
        var sides: [String: [String: String]] = [:]
        for side in ["bids", "asks"] {
          for level in message[side] as? [[String: String]] ?? [] {
            sides[side, default: [:]][level["price"] ?? ""] = level["size"]
          }
        }
        books[message["asset_id"] as? String ?? ""] = sides
      case "price_change":
        let changes = try #require(message["price_changes"] as? [[String: String]])
        if Set(changes.map { $0["asset_id"] ?? "" }).count == 1 { oneSided += 1 }
        for change in changes {
          let token = try #require(change["asset_id"])
          let side = change["side"] == "BUY" ? "bids" : "asks"
          let size = change["size"] ?? ""
          books[token]?[side, default: [:]][change["price"] ?? ""] = size == "0" ? nil : size
          best[token] = (change["best_bid"] ?? "", change["best_ask"] ?? "")
        }
      default: break
      }
    }
    #expect((kinds["price_change"] ?? 0) > 2500)
    #expect((kinds["last_trade_price"] ?? 0) > 100)
    #expect(oneSided > 10)
    let now = venue.simulator.world
    for token in tokens {
      let index = try #require(now.tokenOfID[token])
      let ladder = now.engine.ladders[index]
      let bids = Dictionary(uniqueKeysWithValues: ladder.bids.map { ($0.price.description, $0.quantity.description) })
      let asks = Dictionary(uniqueKeysWithValues: ladder.asks.map { ($0.price.description, $0.quantity.description) })
      #expect(books[token]?["bids"] ?? [:] == bids)
      #expect(books[token]?["asks"] ?? [:] == asks)
      if let (bid, ask) = best[token] {
        #expect(bid == ladder.shownBid.description && ask == ladder.shownAsk.description)
      }
    }
  }

  @Test func `PING is answered, nonsense is named, and unsubscribing ends it`() throws {
    let venue = try Venue { $0.updatesPerSecond = 5000 }
    let slot = try venue.slot()
    let listener = Listener(venue)
    listener.say("PING")
    listener.say("hello")
    listener.say(subscribe(["12"]))
    #expect(listener.texts == ["PONG", "INVALID OPERATION", "NO NEW ASSETS"])
    listener.say(subscribe([venue.token(slot)]))
    listener.say("{\"assets_ids\":[\"\(venue.token(slot, 1))\"],\"operation\":\"subscribe\"}")
    #expect(listener.texts.count == 5)
    let list = "\"\(venue.token(slot))\",\"\(venue.token(slot, 1))\""
    listener.say("{\"assets_ids\":[\(list)],\"operation\":\"unsubscribe\"}")
    let count = listener.texts.count
    listener.run(milliseconds: 500)
    #expect(listener.texts.count == count)
  }

  @Test func `who asked for it hears of new and resolved markets`() throws {
    let venue = try Venue { $0.updatesPerSecond = 0 }
    let with = Listener(venue)
    let without = Listener(venue)
    with.say(subscribe([venue.token(try venue.slot())], custom: true))
    without.say(subscribe([venue.token(try venue.slot())]))
    for _ in 0..<90 {
      venue.now = venue.now.advanced(bySeconds: 1)
      venue.simulator.advance(to: venue.now)
      with.drain()
    }
    let kinds = try with.messages().compactMap { $0["event_type"] as? String }
    #expect(kinds.contains("new_market") && kinds.contains("market_resolved"))
    let resolved = try #require(try with.messages().first { $0["event_type"] as? String == "market_resolved" })
    #expect(resolved["winning_asset_id"] is String && resolved["winning_outcome"] is String)
    #expect(try without.messages().allSatisfy { $0["event_type"] as? String == "book" })
  }

  @Test func `Binance's streams are subscribed, wrapped and bounded`() throws {
    let venue = try Venue()
    let listener = try Listener(
      venue, path: "/binance/stream", query: [(name: "streams", value: "btcusdt@trade")])
    listener.say(
      "{\"method\":\"SUBSCRIBE\",\"params\":[\"ethusdt@bookTicker\",\"btcusdt@kline_1m\",\"solusdt@ticker\"],\"id\":7}")
    #expect(listener.texts.last == "{\"result\":null,\"id\":7}")
    listener.say("{\"method\":\"SUBSCRIBE\",\"params\":[\"BTCUSDT@trade\"],\"id\":8}")
    #expect(listener.texts.last?.contains("\"code\":2") == true)
    listener.run(milliseconds: 61_000)
    let messages = try listener.messages()
    func data(_ stream: String) -> [[String: Any]] {
      messages.filter { $0["stream"] as? String == stream }.compactMap { $0["data"] as? [String: Any] }
    }
    #expect((230...250).contains(data("btcusdt@trade").count))
    #expect((230...250).contains(data("ethusdt@bookTicker").count))
    #expect((58...62).contains(data("solusdt@ticker").count))
    let trades = data("btcusdt@trade").compactMap { $0["t"] as? Int64 }
    #expect(zip(trades, trades.dropFirst()).allSatisfy { $1 == $0 + 1 })
    let candles = data("btcusdt@kline_1m").compactMap { $0["k"] as? [String: Any] }
    let closed = candles.filter { $0["x"] as? Bool == true }
    #expect(closed.count == 1 && candles.count > 25)
    let last = try #require(closed.first)
    let rows = try #require(
      try venue.json(
        "GET", "/binance/api/v3/klines",
        [("symbol", "BTCUSDT"), ("interval", "1m"), ("startTime", "\(last["t"] as? Int64 ?? 0)"), ("limit", "1")])
        as? [[Any]])
    #expect(rows.first?[4] as? String == last["c"] as? String && rows.first?[5] as? String == last["v"] as? String)
    for _ in 0..<7 { listener.say("{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":9}") }
    #expect(listener.texts.contains("close 1008"))
  }
}
