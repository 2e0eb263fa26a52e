import Foundation
import Market
import Testing
import Venues

/// Payloads of the documented forms that no recording has.
@Suite struct VariantTests {
  private func text(_ venue: Venue, _ name: String) throws -> String {
    String(decoding: try #require(Shared.fixture("\(venue.rawValue)/\(name)")), as: UTF8.self)
  }

  @Test func `a sequence number at the end of its range is no reason to die`() throws {
    var books = KalshiBooks(numbering: .complete)
    func delta(_ sequence: Int64) throws -> KalshiStreamMessage {
      try KalshiStreamParser.parse(
        #"{"type":"orderbook_delta","sid":1,"seq":\#(sequence),"msg":{"market_ticker":"M","price_dollars":"0.5","#
          + #""delta_fp":"1.00","side":"yes","ts_ms":1786401938602}}"#)
    }
    _ = books.take(try delta(.max))
    _ = books.take(try delta(.max))
    _ = books.take(try delta(1))
    #expect(books.counters.repetitions == 2 && books.counters.gaps == 0)
  }

  @Test func `an event is an event, alone and in a list`() throws {
    guard let bytes = Shared.fixture("polymarket/gamma_events_2026_07.json") else { return }
    let named = try DecodingTests.lines(.polymarket, "events", bytes)
    let detected = try DecodingTests.lines(.polymarket, "auto", bytes)
    #expect(detected.lines.first?["kind"] as? String == "events")
    #expect(detected.lines.first as NSDictionary? == named.lines.first as NSDictionary?)
    let all = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [[String: Any]])
    let alone = try JSONSerialization.data(withJSONObject: try #require(all.first))
    let lines = try DecodingTests.lines(.polymarket, "auto", Array(alone)).lines
    #expect(lines.first?["kind"] as? String == "events" && (lines.first?["count"] as? Int ?? 0) > 0)
  }

  @Test func `a candle of a stream that does not say whose it is is refused`() throws {
    let message =
      #"{"arg":{"channel":"candle1m"},"data":[["1597026360000","2","3","1","2","5","10","10","1"]]}"#
    let (lines, failures) = try DecodingTests.lines(.okx, "stream", message)
    #expect(lines.count == 1 && failures.map(\.field) == ["arg.instId"] && failures.first?.kind == "candle")
  }

  @Test(arguments: [
    ("new_market", "outcomes", #""outcomes":["Yes","No"]"#, #""outcomes":[]"#),
    (
      "new_market", "order_price_min_tick_size", #""order_price_min_tick_size":"0.01""#,
      #""order_price_min_tick_size":"-1""#
    ),
  ])
  func `a notice of a market that cannot be true is refused by its field`(
    _ kind: String, _ field: String, _ good: String, _ bad: String
  ) throws {
    let message =
      #"{"event_type":"new_market","id":"1","question":"?","market":"0x1","assets_ids":["1","2"],"#
      + #""outcomes":["Yes","No"],"order_price_min_tick_size":"0.01","timestamp":"1766790415550"}"#
    #expect(try DecodingTests.lines(.polymarket, "stream", message).failures.isEmpty)
    let spoilt = message.replacingOccurrences(of: good, with: bad)
    #expect(spoilt != message)
    let failures = try DecodingTests.lines(.polymarket, "stream", spoilt).failures
    #expect(failures.map(\.field) == [field] && failures.first?.kind == kind)
  }

  @Test func `a list of markets names the outcomes where they are missing, and a negative minimum`() throws {
    let market =
      #"{"id":"1","conditionId":"0x1","question":"?","outcomes":"[\"Yes\",\"No\"]","clobTokenIds":"[\"1\",\"2\"]","#
      + #""orderPriceMinTickSize":0.01,"orderMinSize":5,"closed":false,"active":true}"#
    #expect(try DecodingTests.lines(.polymarket, "market", market).failures.isEmpty)
    let nameless = market.replacingOccurrences(of: #""outcomes":"[\"Yes\",\"No\"]","#, with: "")
    #expect(try DecodingTests.lines(.polymarket, "market", nameless).failures.map(\.field) == ["outcomes"])
    guard Shared.fixture("polymarket/rest_clob_market_2024.json") != nil else { return }
    let clob = try text(.polymarket, "rest_clob_market_2024.json")
    let spoilt = clob.replacingOccurrences(
      of: #""minimum_order_size":\s*5"#, with: #""minimum_order_size":-5"#, options: .regularExpression)
    #expect(spoilt != clob)
    #expect(
      try DecodingTests.lines(.polymarket, "clob_market", spoilt).failures.map(\.field) == ["minimum_order_size"])
  }

  @Test func `a time of the user channel that is none is refused, and a trade without makers is a trade`() throws {
    let trade =
      #"{"id":"t","taker_order_id":"0x2","market":"0x1","asset_id":"1","side":"BUY","size":"5","price":"0.489","#
      + #""status":"CONFIRMED","match_time":"1726043102","last_update":"","trader_side":"TAKER"}"#
    let (lines, failures) = try DecodingTests.lines(.polymarket, "auto", trade)
    #expect(failures.isEmpty && lines.first?["kind"] as? String == "trade")
    #expect(lines.first?["matched_ms"] as? Int == 1_726_043_102_000)
    let spoilt = trade.replacingOccurrences(of: #""1726043102""#, with: "{}")
    #expect(try DecodingTests.lines(.polymarket, "user", spoilt).failures.map(\.field) == ["match_time"])
  }

  @Test func `Binance's day and Bybit's last price are understood`() throws {
    let day =
      #"{"e":"24hrTicker","E":1672515782136,"s":"BNBBTC","b":"0.0024","B":"10","a":"0.0026","A":"100","c":"0.0025"}"#
    let (ticker, failures) = try DecodingTests.lines(.binance, "stream", day)
    #expect(failures.isEmpty && ticker.first?["kind"] as? String == "ticker")
    #expect(ticker.first?["bid"] as? [String] == ["0.0024", "10"])
    #expect(ticker.first?["time_ms"] as? Int == 1_672_515_782_136)
    let spot =
      #"{"topic":"tickers.BTCUSDT","ts":1673853746003,"type":"snapshot","cs":2588407389,"#
      + #""data":{"symbol":"BTCUSDT","lastPrice":"21109.77","volume24h":"6780.866843"}}"#
    let price = try DecodingTests.lines(.bybit, "stream", spot).lines
    #expect(price.first?["kind"] as? String == "price" && price.first?["price"] as? String == "21109.77")
  }
}
