import Foundation
import Market
import Simulating
import Testing
import Web

@Suite struct WireTests {
  @Test func `Coinbase tells an old match first, then tickers, matches and heartbeats`() throws {
    let venue = try Venue()
    let listener = try Listener(venue, path: "/coinbase/feed")
    listener.say(
      "{\"type\":\"subscribe\",\"product_ids\":[\"BTC-USD\",\"ETH-USD\"],\"channels\":[\"ticker\",\"matches\",\"heartbeat\"]}"
    )
    var kinds = try listener.messages().compactMap { $0["type"] as? String }
    #expect(kinds.first == "subscriptions" && kinds.filter { $0 == "last_match" }.count == 2)
    listener.run(milliseconds: 10_000)
    let messages = try listener.messages()
    kinds = messages.compactMap { $0["type"] as? String }
    #expect((78...82).contains(kinds.filter { $0 == "match" }.count))
    #expect((18...22).contains(kinds.filter { $0 == "heartbeat" }.count))
    let matches = messages.filter { $0["type"] as? String == "match" && $0["product_id"] as? String == "BTC-USD" }
    let ids = matches.compactMap { $0["trade_id"] as? Int64 }
    #expect(zip(ids, ids.dropFirst()).allSatisfy { $1 == $0 + 1 })
    let trades = try venue.list("/coinbase/products/BTC-USD/trades", [("limit", "5")])
    let match = try #require(matches.last { $0["trade_id"] as? Int64 == trades[0]["trade_id"] as? Int64 })
    #expect(match["side"] as? String == trades[0]["side"] as? String)
    #expect(match["size"] as? String == trades[0]["size"] as? String)
    let ticker = try #require(
      messages.last {
        $0["type"] as? String == "ticker" && $0["trade_id"] as? Int64 == match["trade_id"] as? Int64
          && $0["product_id"] as? String == "BTC-USD"
      })
    #expect(ticker["side"] as? String != match["side"] as? String)
    listener.say("{\"type\":\"subscribe\",\"product_ids\":[\"XXX-USD\"],\"channels\":[\"ticker\"]}")
    #expect(listener.texts.last?.contains("XXX-USD is not a valid product") == true)
  }

  @Test func `who says nothing is closed by Coinbase after five seconds and by OKX after thirty`() throws {
    let venue = try Venue()
    let coinbase = try Listener(venue, path: "/coinbase/feed")
    let okx = try Listener(venue, path: "/okx/ws/v5/public")
    let bybit = try Listener(venue, path: "/bybit/v5/public/spot")
    for _ in 0..<400 {
      venue.now = venue.now.advanced(byNanoseconds: 100_000_000)
      venue.simulator.advance(to: venue.now)
      _ = venue.simulator.drain { _, _, _ in }
      for closing in venue.simulator.takeClosings() {
        for listener in [coinbase, okx, bybit] where listener.session == closing.session {
          listener.texts.append("\(venue.now.nanoseconds(since: moment) / 1_000_000_000)")
          venue.simulator.close(closing.session)
        }
      }
    }
    #expect(coinbase.texts == ["5"] && okx.texts == ["30"] && bybit.texts.isEmpty)
  }

  @Test func `Kraken greets, answers for each symbol, and sends heartbeats when it has nothing to say`() throws {
    let venue = try Venue()
    let listener = try Listener(venue, path: "/kraken/v2")
    #expect(listener.texts.first?.hasPrefix("{\"channel\":\"status\",\"type\":\"update\"") == true)
    listener.run(milliseconds: 3500)
    #expect(listener.texts.filter { $0 == "{\"channel\":\"heartbeat\"}" }.count >= 2)
    listener.texts = []
    listener.say(
      "{\"method\":\"subscribe\",\"params\":{\"channel\":\"ticker\",\"symbol\":[\"BTC/USD\",\"XXX/USD\",\"DOGE/USDT\"]},\"req_id\":3}"
    )
    let answers = try listener.messages().filter { $0["method"] as? String == "subscribe" }
    #expect(answers.count == 3 && answers.filter { $0["success"] as? Bool == true }.count == 2)
    #expect(answers.allSatisfy { $0["req_id"] as? Int == 3 && $0["time_in"] is String })
    #expect(answers[1]["error"] as? String == "Currency pair not supported XXX/USD")
    #expect(try listener.messages().filter { $0["type"] as? String == "snapshot" }.count == 2)
    listener.say("{\"method\":\"ping\",\"req_id\":42}")
    #expect(try listener.messages().last?["method"] as? String == "pong")
    listener.texts = []
    listener.say(
      "{\"method\":\"subscribe\",\"params\":{\"channel\":\"trade\",\"symbol\":[\"BTC/USD\"],\"snapshot\":true}}")
    listener.say("{\"method\":\"subscribe\",\"params\":{\"channel\":\"ohlc\",\"symbol\":[\"BTC/USD\"],\"interval\":1}}")
    listener.run(milliseconds: 61_000)
    let messages = try listener.messages()
    let snapshot = try #require(
      messages.first { $0["channel"] as? String == "trade" && $0["type"] as? String == "snapshot" })
    #expect((snapshot["data"] as? [Any])?.count == 50)
    let candles = messages.filter { $0["channel"] as? String == "ohlc" && $0["type"] as? String == "update" }
      .compactMap { ($0["data"] as? [[String: Any]])?.first }
    let starts = candles.compactMap { $0["interval_begin"] as? String }
    #expect(Set(starts).count == 2 && starts.allSatisfy { $0.hasSuffix(":00.000000000Z") })
    #expect(candles.allSatisfy { $0["close"] is NSNumber && $0["volume"] is NSNumber })
    #expect(!messages.contains { $0["channel"] as? String == "heartbeat" })
  }

  @Test func `OKX answers ping with pong, keeps candles on business, and says what it does not know`() throws {
    let venue = try Venue()
    let listener = try Listener(venue, path: "/okx/ws/v5/public")
    listener.say("ping")
    #expect(listener.texts == ["pong"])
    listener.say(
      "{\"id\":\"7\",\"op\":\"subscribe\",\"args\":[{\"channel\":\"trades\",\"instId\":\"BTC-USDT\"},{\"channel\":\"candle1m\",\"instId\":\"BTC-USDT\"}]}"
    )
    #expect(listener.texts[1].hasPrefix("{\"id\":\"7\",\"event\":\"subscribe\",\"arg\":{\"channel\":\"trades\""))
    #expect(listener.texts[2].contains("\"code\":\"60018\""))
    listener.say("hello")
    #expect(listener.texts.last?.contains("\"60012\"") == true)
    listener.texts = []
    listener.run(milliseconds: 5000)
    #expect((19...21).contains(listener.texts.count))
    let business = try Listener(venue, path: "/okx/ws/v5/business")
    business.say("{\"op\":\"subscribe\",\"args\":[{\"channel\":\"candle1m\",\"instId\":\"BTC-USDT\"}]}")
    business.texts = []
    business.run(milliseconds: 61_000)
    let rows = try business.messages().compactMap { ($0["data"] as? [[String]])?.first }
    #expect(rows.count > 55 && rows.filter { $0[8] == "1" }.count == 1)
  }

  @Test func `Bybit takes ten topics, refuses all for one that is wrong, and tells the best prices as changes`() throws
  {
    let venue = try Venue()
    let listener = try Listener(venue, path: "/bybit/v5/public/spot")
    listener.say("{\"op\":\"ping\"}")
    #expect(try listener.messages().last?["ret_msg"] as? String == "pong")
    listener.say("{\"req_id\":\"1\",\"op\":\"subscribe\",\"args\":[\"publicTrade.BTCUSDT\",\"tickers.NOPE\"]}")
    #expect(listener.texts.last?.contains("\"success\":false,\"ret_msg\":\"Invalid topic: tickers.NOPE\"") == true)
    let many = (0..<11).map { _ in "\"tickers.BTCUSDT\"" }.joined(separator: ",")
    listener.say("{\"op\":\"subscribe\",\"args\":[\(many)]}")
    #expect(listener.texts.last?.contains("args size >10") == true)
    listener.texts = []
    listener.say(
      "{\"req_id\":\"2\",\"op\":\"subscribe\",\"args\":[\"publicTrade.BTCUSDT\",\"tickers.BTCUSDT\",\"kline.1.BTCUSDT\",\"orderbook.1.BTCUSDT\"]}"
    )
    listener.run(milliseconds: 61_000)
    let messages = try listener.messages()
    func data(_ topic: String) -> [[String: Any]] { messages.filter { $0["topic"] as? String == topic } }
    #expect((240...248).contains(data("publicTrade.BTCUSDT").count))
    let book = data("orderbook.1.BTCUSDT")
    #expect(
      book.first?["type"] as? String == "snapshot" && book.dropFirst().allSatisfy { $0["type"] as? String == "delta" })
    var bids: [String: String] = [:]
    for message in book {
      let levels = (message["data"] as? [String: Any])?["b"] as? [[String]] ?? []
      for level in levels { bids[level[0]] = level[1] == "0" ? nil : level[1] }
      #expect(bids.count == 1)
    }
    let closed = data("kline.1.BTCUSDT").compactMap { ($0["data"] as? [[String: Any]])?.first }
      .filter { $0["confirm"] as? Bool == true }
    #expect(closed.count == 1)
    let rows = try venue.rows(
      "/bybit/v5/market/kline",
      [
        ("category", "spot"), ("symbol", "BTCUSDT"), ("interval", "1"), ("start", "\(closed[0]["start"] ?? 0)"),
        ("limit", "1"),
      ], at: "result", "list")
    #expect(rows[0][4] as? String == closed[0]["close"] as? String)
    #expect(rows[0][5] as? String == closed[0]["volume"] as? String)
  }
}
