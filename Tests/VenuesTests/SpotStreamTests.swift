import Foundation
import Market
import Testing
import Venues
import Web

/// What a message of a stream said, and the error after it.
struct Heard {
  var events: [SpotStreamEvent] = []
  var error: VenueError?
}

/// When a message came.
let receipt = time("2026-07-24T12:00:00Z")

func hear(_ format: inout any SpotStreamFormat, _ text: String) -> Heard {
  hear(&format, Array(text.utf8))
}

func hear(_ format: inout any SpotStreamFormat, _ bytes: [UInt8]) -> Heard {
  var heard = Heard()
  do {
    try bytes.withUnsafeBytes { try format.read($0, receivedAt: receipt) { heard.events.append($0) } }
  } catch {
    heard.error = error as? VenueError
  }
  return heard
}

func stream(_ venue: Venue, _ index: Int = 0) -> any SpotStreamFormat { Venues.streams(of: venue)[index] }

func instrument(_ venue: Venue, _ symbol: String) -> InstrumentID { InstrumentID(venue: venue, symbol: symbol) }

func level(_ text: String, _ size: String) -> Level { Level(price: price(text), quantity: quantity(size)) }

@Suite struct StreamRequestTests {
  @Test(
    arguments: [
      (
        Venue.binance, 0, ["BTCUSDT"],
        [
          "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@trade\",\"btcusdt@bookTicker\",\"btcusdt@kline_1m\"],\"id\":7}"
        ], 1
      ),
      (
        .coinbase, 0, ["BTC-USD", "ETH-USD"],
        [
          "{\"type\":\"subscribe\",\"product_ids\":[\"BTC-USD\",\"ETH-USD\"],"
            + "\"channels\":[\"ticker\",\"matches\",\"heartbeat\"]}"
        ], 1
      ),
      (
        .kraken, 0, ["BTC/USD"],
        [
          "{\"method\":\"subscribe\",\"params\":{\"channel\":\"ticker\",\"event_trigger\":\"bbo\",\"symbol\":[\"BTC/USD\"]},"
            + "\"req_id\":7}",
          "{\"method\":\"subscribe\",\"params\":{\"channel\":\"trade\",\"snapshot\":false,\"symbol\":[\"BTC/USD\"]},"
            + "\"req_id\":8}",
          "{\"method\":\"subscribe\",\"params\":{\"channel\":\"ohlc\",\"interval\":1,\"symbol\":[\"BTC/USD\"]},\"req_id\":9}",
        ], 3
      ),
      (
        .okx, 0, ["BTC-USDT"],
        [
          "{\"id\":\"7\",\"op\":\"subscribe\",\"args\":[{\"channel\":\"tickers\",\"instId\":\"BTC-USDT\"},"
            + "{\"channel\":\"trades\",\"instId\":\"BTC-USDT\"}]}"
        ], 2
      ),
      (
        .okx, 1, ["BTC-USDT"],
        ["{\"id\":\"7\",\"op\":\"subscribe\",\"args\":[{\"channel\":\"candle1m\",\"instId\":\"BTC-USDT\"}]}"], 1
      ),
      (
        .bybit, 0, ["BTCUSDT"],
        [
          "{\"req_id\":\"7\",\"op\":\"subscribe\","
            + "\"args\":[\"orderbook.1.BTCUSDT\",\"publicTrade.BTCUSDT\",\"kline.1.BTCUSDT\"]}"
        ], 1
      ),
    ] as [(Venue, Int, [String], [String], Int)])
  func `each venue is asked in its own words`(
    _ venue: Venue, _ index: Int, _ symbols: [String], _ requests: [String], _ answers: Int
  ) {
    #expect(stream(venue, index).subscriptions(symbols, firstID: 7) == requests)
    #expect(stream(venue, index).answers(toSubscribing: symbols.count) == answers)
  }

  @Test(arguments: [Venue.binance, .coinbase, .kraken, .okx, .bybit])
  func `many symbols are asked for in requests that the venue takes`(_ venue: Venue) throws {
    for format in Venues.streams(of: venue) {
      let symbols = (0..<format.symbolsPerConnectionMax).map { "COIN\($0)" }
      let requests = format.subscriptions(symbols, firstID: 1)
      let all = requests.joined()
      #expect(symbols.allSatisfy { all.contains($0) || all.contains($0.lowercased()) })
      #expect(requests.allSatisfy { $0.utf8.count < 64_000 })
      for request in requests { _ = try JSONDocument(request) }
      if venue == .bybit {
        #expect(try requests.allSatisfy { try JSONDocument($0).root["args"]?.count ?? 99 <= 10 })
        #expect(format.answers(toSubscribing: symbols.count) == requests.count)
        #expect(all.utf8.count < 21_000 + requests.count * 60)
      }
      if venue == .binance { #expect(symbols.count * 3 <= 1024) }
      #expect(format.unsubscriptions(["COIN1"], firstID: 1).joined().lowercased().contains("unsubscribe"))
    }
  }

  @Test func `there are streams for the exchanges alone, at their paths`() {
    #expect(Venues.streams(of: .coingecko).isEmpty && Venues.streams(of: .polymarket).isEmpty)
    #expect(Venues.streams(of: .okx).map(\.path) == ["/ws/v5/public", "/ws/v5/business"])
    #expect(stream(.bybit).path == "/v5/public/spot" && stream(.kraken).path == "/v2")
    #expect(stream(.okx).ping?.text == "ping" && stream(.binance).ping == nil)
  }
}

@Suite struct CoinbaseStreamTests {
  @Test func `a ticker is read, and one without a bid is none`() {
    var format = stream(.coinbase)
    let text =
      "{\"type\":\"ticker\",\"sequence\":1,\"product_id\":\"ETH-USD\",\"price\":\"1285.22\",\"best_bid\":\"1285.04\","
      + "\"best_bid_size\":\"0.46688654\",\"best_ask\":\"1285.27\",\"best_ask_size\":\"1.5663704\",\"side\":\"buy\","
      + "\"time\":\"2022-10-19T23:28:22.061769Z\",\"trade_id\":370843401,\"last_size\":\"11.4396987\"}"
    let ticker = Ticker(
      instrument: instrument(.coinbase, "ETH-USD"), bid: level("1285.04", "0.46688654"),
      ask: level("1285.27", "1.5663704"), time: time("2022-10-19T23:28:22.061769Z"))
    #expect(hear(&format, text).events == [.ticker(ticker)])
    #expect(hear(&format, text.replacing("1285.04", with: "")).events == [.ignored])
  }

  @Test func `the side of a match is the maker's, and the last match of before is not new`() {
    var format = stream(.coinbase)
    let text =
      "{\"type\":\"match\",\"trade_id\":10,\"sequence\":50,\"maker_order_id\":\"a\",\"taker_order_id\":\"b\","
      + "\"time\":\"2014-11-07T08:19:27.028459Z\",\"product_id\":\"BTC-USD\",\"size\":\"5.23512\",\"price\":\"400.23\","
      + "\"side\":\"sell\"}"
    let trade = Trade(
      instrument: instrument(.coinbase, "BTC-USD"), price: price("400.23"), quantity: quantity("5.23512"),
      takerSide: .buy, time: time("2014-11-07T08:19:27.028459Z"), number: 10)
    #expect(hear(&format, text).events == [.trade(trade)])
    #expect(hear(&format, text.replacing("\"match\"", with: "\"last_match\"")).events == [.ignored])
    #expect(hear(&format, text.replacing("5.23512", with: "-1")).error?.field == "size")
    #expect(hear(&format, text.replacing("\"price\"", with: "\"prize\"")).error?.field == "price")
  }

  @Test func `what is no data is told apart`() {
    var format = stream(.coinbase)
    #expect(hear(&format, "{\"type\":\"heartbeat\",\"sequence\":90,\"product_id\":\"BTC-USD\"}").events == [.alive])
    #expect(hear(&format, "{\"type\":\"subscriptions\",\"channels\":[]}").events == [.accepted])
    #expect(hear(&format, "{\"type\":\"snapshot\"}").events == [.ignored])
    let refused = hear(&format, "{\"type\":\"error\",\"message\":\"Failed to subscribe\",\"reason\":\"no such\"}")
      .events
    guard case .refused(let error) = refused.first else {
      Issue.record("\(refused)")
      return
    }
    #expect("\(error)" == "coinbase subscription: \"Failed to subscribe\": \"no such\"")
    #expect(hear(&format, "{}").error?.field == "type")
    #expect(hear(&format, "pong").error?.kind == "stream")
  }
}

@Suite struct KrakenStreamTests {
  @Test func `the ticker of the fixture is read`() {
    guard let bytes = Shared.fixture("kraken/ws_ticker_snapshot.json") else { return }
    var format = stream(.kraken)
    let ticker = Ticker(
      instrument: instrument(.kraken, "BTC/USD"), bid: level("105944.2", "2.5"), ask: level("105944.3", "3.2"),
      time: time("2022-12-25T09:30:59.123456Z"))
    #expect(hear(&format, bytes).events == [.ticker(ticker)])
  }

  @Test func `the trades of the fixture are read, and those of a snapshot are not new`() {
    guard let bytes = Shared.fixture("kraken/ws_trade_update.json") else { return }
    var format = stream(.kraken)
    let first = Trade(
      instrument: instrument(.kraken, "BTC/USD"), price: price("105944.2"), quantity: quantity("0.00027625"),
      takerSide: .buy, time: time("2023-10-06T17:35:55.440295Z"), number: 10_218_208)
    let second = Trade(
      instrument: instrument(.kraken, "BTC/USD"), price: price("105910.5"), quantity: quantity("0.0001246"),
      takerSide: .sell, time: time("2023-10-06T17:35:56.123456Z"), number: 10_218_209)
    #expect(hear(&format, bytes).events == [.trade(first), .trade(second)])
    let snapshot = String(decoding: bytes, as: UTF8.self).replacing("\"update\"", with: "\"snapshot\"")
    #expect(hear(&format, snapshot).events == [.ignored])
    // The good one is told although the other is bad.
    let bad = hear(&format, String(decoding: bytes, as: UTF8.self).replacing("0.00027625", with: "-1"))
    #expect(bad.events == [.trade(second)] && bad.error?.field == "data[0].qty")
  }

  private func candle(_ start: String, close: String) -> String {
    "{\"symbol\":\"BTC/USD\",\"open\":1,\"high\":3,\"low\":1,\"close\":\(close),\"volume\":2.5,\"interval\":1,"
      + "\"interval_begin\":\"\(start)\",\"timestamp\":\"2026-07-24T00:00:00Z\"}"
  }

  private func message(_ candles: String...) -> String {
    "{\"channel\":\"ohlc\",\"type\":\"update\",\"data\":[\(candles.joined(separator: ","))]}"
  }

  @Test func `a candle is final when the next one begins`() {
    var format = stream(.kraken)
    func event(_ start: String, _ close: String, _ isClosed: Bool) -> SpotStreamEvent {
      .candle(
        symbol: "BTC/USD",
        Candle(
          start: time(start), periodSeconds: 60, open: price("1"), high: price("3"), low: price("1"),
          close: price(close), volume: Volume(quantity("2.5")), isClosed: isClosed))
    }
    let (first, second) = ("2026-07-24T00:00:00.000000000Z", "2026-07-24T00:01:00.000000000Z")
    #expect(hear(&format, message(candle(first, close: "2"))).events == [event(first, "2", false)])
    #expect(hear(&format, message(candle(first, close: "3"))).events == [event(first, "3", false)])
    #expect(
      hear(&format, message(candle(second, close: "1"))).events
        == [event(first, "3", true), event(second, "1", false)])
    #expect(hear(&format, message(candle(first, close: "2"))).events == [.ignored])
    format.reset()
    let both = hear(&format, message(candle(first, close: "2"), candle(second, close: "2"))).events
    #expect(both == [event(first, "2", false), event(first, "2", true), event(second, "2", false)])
  }

  @Test func `the candle of the fixture is read`() {
    guard let bytes = Shared.fixture("kraken/ws_ohlc_update.json") else { return }
    var format = stream(.kraken)
    let candle = Candle(
      start: time("2023-10-04T16:25:00Z"), periodSeconds: 60, open: price("106038.2"), high: price("106044.3"),
      low: price("106038.1"), close: price("106040.1"), volume: Volume(quantity("30927.68066226")), isClosed: false)
    #expect(hear(&format, bytes).events == [.candle(symbol: "BTC/USD", candle)])
  }

  @Test func `answers and signs of life are told apart`() {
    var format = stream(.kraken)
    for name in ["ws_pong", "ws_subscribe_response"] {
      guard let bytes = Shared.fixture("kraken/\(name).json") else { return }
      #expect(hear(&format, bytes).events == [name == "ws_pong" ? .alive : .accepted])
    }
    #expect(hear(&format, "{\"channel\":\"heartbeat\"}").events == [.alive])
    #expect(hear(&format, "{\"channel\":\"status\",\"type\":\"update\",\"data\":[]}").events == [.alive])
    let refused = hear(
      &format,
      "{\"method\":\"subscribe\",\"success\":false,\"error\":\"Currency pair not supported XXX/USD\",\"symbol\":\"XXX/USD\"}"
    )
    guard case .refused(let error) = refused.events.first else {
      Issue.record("\(refused)")
      return
    }
    #expect("\(error)" == "kraken subscription: XXX/USD: \"Currency pair not supported XXX/USD\"")
  }

  @Test(arguments: [
    (
      "{\"channel\":\"ticker\",\"data\":[{\"symbol\":\"A\",\"bid\":2,\"ask\":1,\"bid_qty\":1,\"ask_qty\":1}]}",
      "ticker", "data[0].bid"
    ),
    ("{\"channel\":\"ticker\",\"data\":[{\"symbol\":\"A\",\"bid\":1e99,\"ask\":1}]}", "ticker", "data[0].bid"),
    ("{\"channel\":\"ticker\",\"data\":{}}", "ticker", "data"),
    ("{\"channel\":\"trade\",\"data\":[]}", "trade", "type"),
    ("{\"channel\":\"ohlc\",\"data\":[{\"symbol\":\"A\",\"interval\":7}]}", "candle", "data[0].interval"),
    (
      "{\"channel\":\"ohlc\",\"data\":[{\"symbol\":\"A\",\"interval\":9223372036854775807}]}", "candle",
      "data[0].interval"
    ),
    (
      "{\"channel\":\"ohlc\",\"data\":[{\"symbol\":\"A\",\"interval\":1,\"interval_begin\":\"2026-07-24T00:00:01Z\"}]}",
      "candle", "data[0].interval_begin"
    ),
    ("{\"method\":7}", "subscription", "method"), ("[]", "stream", ""), ("", "stream", ""),
  ])
  func `bad input is refused by kind and field`(_ text: String, _ kind: String, _ field: String) {
    var format = stream(.kraken)
    let error = hear(&format, text).error
    #expect(error?.venue == .kraken && error?.kind == kind && error?.field == field)
  }
}

@Suite struct OKXStreamTests {
  @Test func `the fixtures are read`() throws {
    var format = stream(.okx)
    guard let tickers = Shared.fixture("okx/ws_tickers.json"), let trades = Shared.fixture("okx/ws_trades.json"),
      let candles = Shared.fixture("okx/ws_candle.json")
    else { return }
    let ticker = Ticker(
      instrument: instrument(.okx, "BTC-USDT"), bid: level("8888.88", "5"), ask: level("9999.99", "11"),
      time: try Timestamp(milliseconds: 1_597_026_383_085))
    #expect(hear(&format, tickers).events == [.ticker(ticker)])
    let trade = Trade(
      instrument: instrument(.okx, "BTC-USD"), price: price("42219.9"), quantity: quantity("0.12060306"),
      takerSide: .buy, time: try Timestamp(milliseconds: 1_630_048_897_897), number: 130_639_474)
    #expect(hear(&format, trades).events == [.trade(trade)])
    // A bar by the time of Hong Kong, which stands on no grid.
    let candle = Candle(
      start: try Timestamp(milliseconds: 1_597_026_383_085), periodSeconds: 86_400, open: price("8533.02"),
      high: price("8553.74"), low: price("8527.17"), close: price("8548.26"), volume: Volume(quantity("45247")),
      isClosed: true)
    #expect(hear(&format, candles).events == [.candle(symbol: "BTC-USDT", candle)])
    // One of a minute has to.
    let minute = String(decoding: candles, as: UTF8.self).replacing("candle1D", with: "candle1m")
    #expect(hear(&format, minute).error?.field == "data[0][0]")
  }

  @Test func `an empty price means that there is none`() {
    var format = stream(.okx)
    let text =
      "{\"arg\":{\"channel\":\"tickers\",\"instId\":\"A-B\"},\"data\":[{\"instId\":\"A-B\",\"bidPx\":\"\",\"bidSz\":\"\","
      + "\"askPx\":\"1\",\"askSz\":\"1\",\"ts\":\"1\"}]}"
    #expect(hear(&format, text).events == [.ignored])
    #expect(hear(&format, text.replacing("\"bidPx\":\"\",", with: "")).error?.field == "data[0].bidPx")
  }

  @Test func `answers, notices and pong are told apart`() {
    var format = stream(.okx)
    #expect(hear(&format, "pong").events == [.alive])
    #expect(
      hear(
        &format,
        "{\"id\":\"1512\",\"event\":\"subscribe\",\"arg\":{\"channel\":\"trades\",\"instId\":\"BTC-USDT\"},\"connId\":\"a\"}"
      ).events == [.accepted])
    #expect(hear(&format, "{\"event\":\"notice\",\"code\":\"64008\",\"msg\":\"soon\"}").events == [.closing])
    #expect(hear(&format, "{\"event\":\"channel-conn-count\"}").events == [.ignored])
    let refused = hear(&format, "{\"event\":\"error\",\"code\":\"60012\",\"msg\":\"Invalid request\"}").events
    guard case .refused(let error) = refused.first else {
      Issue.record("\(refused)")
      return
    }
    #expect("\(error)" == "okx subscription: code 60012, \"Invalid request\"")
    #expect(hear(&format, "{\"data\":[]}").error?.field == "arg")
    #expect(hear(&format, "{\"arg\":{\"channel\":\"trades\"}}").error?.field == "data")
  }
}

@Suite struct BybitStreamTests {
  @Test func `the fixtures are read`() throws {
    var format = stream(.bybit)
    guard let trades = Shared.fixture("bybit/ws_public_trade_docs.json"),
      let candles = Shared.fixture("bybit/ws_kline_docs.json"),
      let spot = Shared.fixture("bybit/ws_ticker_spot_docs.json")
    else { return }
    let trade = Trade(
      instrument: instrument(.bybit, "BTCUSDT"), price: price("16578.5"), quantity: quantity("0.001"), takerSide: .buy,
      time: try Timestamp(milliseconds: 1_672_304_486_865))
    #expect(hear(&format, trades).events == [.trade(trade)])
    let candle = Candle(
      start: try Timestamp(milliseconds: 1_672_324_800_000), periodSeconds: 300, open: price("16649.5"),
      high: price("16677"), low: price("16608"), close: price("16677"), volume: Volume(quantity("2.081")),
      isClosed: false)
    #expect(hear(&format, candles).events == [.candle(symbol: "BTCUSDT", candle)])
    #expect(hear(&format, spot).events == [.ignored])
  }

  @Test func `a ticker's delta has only what changed`() throws {
    guard let snapshot = Shared.fixture("bybit/ws_ticker_linear.json") else { return }
    var format = stream(.bybit)
    let delta =
      "{\"topic\":\"tickers.BTCUSDT\",\"type\":\"delta\",\"data\":{\"symbol\":\"BTCUSDT\",\"bid1Size\":\"7\","
      + "\"ask1Price\":\"17217\"},\"ts\":1673272861999}"
    #expect(hear(&format, delta).events == [.ignored])
    func ticker(_ bid: Level, _ ask: Level, _ milliseconds: Int64) throws -> SpotStreamEvent {
      .ticker(
        Ticker(
          instrument: instrument(.bybit, "BTCUSDT"), bid: bid, ask: ask, time: try Timestamp(milliseconds: milliseconds)
        ))
    }
    #expect(
      hear(&format, snapshot).events == [
        try ticker(level("17215.5", "84.489"), level("17216", "83.02"), 1_673_272_861_686)
      ])
    #expect(
      hear(&format, delta).events == [try ticker(level("17215.5", "7"), level("17217", "83.02"), 1_673_272_861_999)])
    #expect(hear(&format, delta.replacing("\"17217\"", with: "\"\"")).events == [.ignored])
    format.reset()
    #expect(hear(&format, delta).events == [.ignored])
  }

  private func book(_ type: String, _ bids: String, _ asks: String, update: Int = 5) -> String {
    "{\"topic\":\"orderbook.1.BTCUSDT\",\"type\":\"\(type)\",\"ts\":1672304484978,\"data\":{\"s\":\"BTCUSDT\",\"b\":[\(bids)],"
      + "\"a\":[\(asks)],\"u\":\(update),\"seq\":7961638724},\"cts\":1672304484976}"
  }

  @Test func `the book of one level is kept through its deltas`() throws {
    var format = stream(.bybit)
    func ticker(_ bid: Level, _ ask: Level) throws -> SpotStreamEvent {
      .ticker(
        Ticker(
          instrument: instrument(.bybit, "BTCUSDT"), bid: bid, ask: ask,
          time: try Timestamp(milliseconds: 1_672_304_484_978)))
    }
    #expect(hear(&format, book("delta", "[\"1\",\"1\"]", "[\"2\",\"1\"]")).events == [.ignored])
    #expect(
      hear(&format, book("snapshot", "[\"16493.50\",\"0.006\"]", "[\"16611.00\",\"0.029\"]")).events
        == [try ticker(level("16493.5", "0.006"), level("16611", "0.029"))])
    #expect(
      hear(&format, book("delta", "[\"16493.50\",\"0\"],[\"16494\",\"3\"]", "")).events
        == [try ticker(level("16494", "3"), level("16611", "0.029"))])
    #expect(hear(&format, book("delta", "", "[\"16611\",\"0\"]")).events == [.ignored])
    #expect(
      hear(&format, book("delta", "", "[\"16612\",\"1\"]")).events
        == [try ticker(level("16494", "3"), level("16612", "1"))])
    // After a restart of the venue a delta with the number 1 is whole.
    #expect(hear(&format, book("delta", "[\"5\",\"1\"]", "", update: 1)).events == [.ignored])
  }

  @Test func `what a bad message leaves is no base for the next one`() {
    var format = stream(.bybit)
    _ = hear(&format, book("snapshot", "[\"10\",\"1\"]", "[\"11\",\"1\"]"))
    #expect(hear(&format, book("delta", "[\"12\",\"1\"]", "")).error?.field == "data.b")
    #expect(hear(&format, book("delta", "[\"10\",\"2\"]", "")).events == [.ignored])
    #expect(hear(&format, book("snapshot", "[\"10\",\"-2\"]", "")).error?.field == "data.b[0][1]")
    #expect(hear(&format, book("huh", "", "")).error?.field == "type")
  }

  @Test func `answers are told apart`() {
    var format = stream(.bybit)
    guard let accepted = Shared.fixture("bybit/ws_subscription_ack.json"),
      let failure = Shared.fixture("bybit/ws_subscription_failure.json")
    else { return }
    #expect(hear(&format, accepted).events == [.accepted])
    guard case .refused(let error) = hear(&format, failure).events.first else {
      Issue.record("not refused")
      return
    }
    #expect("\(error)" == "bybit subscription: \"Invalid topic: invalid.topic.BTCUSDT\"")
    #expect(
      hear(&format, "{\"success\":true,\"ret_msg\":\"pong\",\"conn_id\":\"x\",\"op\":\"ping\"}").events == [.alive])
    #expect(hear(&format, "{\"op\":\"pong\",\"args\":[\"1672916271846\"]}").events == [.alive])
    #expect(hear(&format, "{}").error?.field == "op")
  }
}
