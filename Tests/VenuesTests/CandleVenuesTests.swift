import Market
import Testing
import Venues
import Web

@Suite struct BinanceTests {
  private let now = time("2021-10-22T23:12:30Z")

  @Test func `the captured klines parse to the values of their text`() async throws {
    guard let bytes = Shared.fixture("binance/rest_klines.json") else { return }
    let venue = CannedVenue(body: bytes)
    let start = try Timestamp(milliseconds: 1_634_943_780_000)
    let candles = try await venue.binance.candles(
      symbol: "BTCUSDT", periodSeconds: 60, from: start, to: start.advanced(bySeconds: 600), now: now)
    #expect(candles.count == 10)
    #expect(
      candles.first
        == Candle(
          start: start, periodSeconds: 60, open: price("60685.22"), high: price("60729.84"), low: price("60670.90"),
          close: price("60719.27"), volume: Volume(quantity("21.63272")), isClosed: true))
    #expect(candles[9].close == price("60739.85") && candles[9].volume == Volume(quantity("0.04734")))
    // The last candle of the capture ends at 23:12:59.999.
    #expect(candles.map(\.isClosed) == Array(repeating: true, count: 9) + [false])
    let request = try #require(venue.requests.first)
    #expect(request.path == "/api/v3/klines" && request.query("interval") == ["1m"])
    #expect(request.query("startTime") == ["1634943780000"] && request.query("endTime") == ["1634944379999"])
    #expect(venue.requests.count == 1)
  }

  @Test func `spans beyond a thousand rows are paged`() async throws {
    let start = try Timestamp(milliseconds: 1_634_943_780_000)
    let venue = CannedVenue { (request) throws(HTTPError) in
      let from = Int64(request.query("startTime")[0]) ?? 0
      let to = Int64(request.query("endTime")[0]) ?? 0
      let rows = stride(from: (from + 59_999) / 60_000 * 60_000, through: to, by: 60_000).prefix(1000).map {
        "[\($0),\"1\",\"2\",\"0.5\",\"1.5\",\"7\",\($0 + 59_999)]"
      }
      return response("[" + rows.joined(separator: ",") + "]")
    }
    let candles = try await venue.binance.candles(
      symbol: "BTCUSDT", periodSeconds: 60, from: start, to: start.advanced(bySeconds: 60 * 2500), now: now)
    #expect(candles.map(\.start) == (0..<2500).map { start.advanced(bySeconds: 60 * $0) })
    #expect(venue.requests.count == 3)
  }

  @Test func `a month is as long as its row says`() async throws {
    let row = "[1633046400000,\"1\",\"2\",\"0.5\",\"1.5\",\"7\",1635724799999]"
    let candles = try await CannedVenue("[\(row)]").binance.candles(
      symbol: "BTCUSDT", period: .month, from: time("2021-10-01T00:00:00Z"), to: time("2021-11-01T00:00:00Z"),
      now: now)
    #expect(candles.first?.periodSeconds == 31 * 86_400 && candles.first?.isClosed == false)
  }

  @Test(
    arguments: [
      ("[0,\"1\",\"2\",\"x\",\"1.5\",\"7\",59999]", "[1][3]: expected a decimal number, found \"x\""),
      ("[60000,\"1\",\"2\",\"0.5\",\"2.5\",\"7\",119999]", "[1][4]: expected a price between 0.5 and 2, found 2.5"),
      ("[60000,\"1\",\"0.4\",\"0.5\",\"0.5\",\"7\",119999]", "[1][2]: expected a high of 0.5 at least, found 0.4"),
      ("[60000,\"1\",\"2\",\"0\",\"0.5\",\"7\",119999]", "[1][3]: expected a low above 0, found 0"),
      ("[60000,\"1\",\"2\",\"0.5\",\"1.5\",\"-7\",119999]", "[1][5]: expected no negative number, found -7"),
      (
        "[0,\"1\",\"2\",\"0.5\",\"1.5\",\"7\",59999]",
        "[1][0]: expected rising times, found 1970-01-01T00:00:00.000Z after 1970-01-01T00:00:00.000Z"
      ),
      (
        "[60000,\"1\",\"2\",\"0.5\",\"1.5\",\"7\",60999]",
        "[1][6]: expected the end of the period, found 1970-01-01T00:01:00.999Z for a start at 1970-01-01T00:01:00.000Z"
      ),
      ("[60000]", "[1]: expected at least 7 values, found 1"),
      ("{}", "[1]: expected an array, found an object"),
    ])
  func `a bad kline is named`(_ row: String, _ expected: String) async {
    let venue = CannedVenue("[[0,\"1\",\"2\",\"0.5\",\"1.5\",\"7\",59999],\(row)]")
    let error = await failure { () async throws(VenueError) in
      try await venue.binance.candles(
        symbol: "X", periodSeconds: 60, from: Timestamp(nanoseconds: 0),
        to: Timestamp(nanoseconds: 600_000_000_000), now: now)
    }
    #expect(error.map { "\($0)" } == "binance candles: " + expected)
  }

  @Test func `a period that the venue does not have is impossible`() async {
    let error = await failure { () async throws(VenueError) in
      try await CannedVenue("[]").binance.candles(symbol: "X", periodSeconds: 61, from: now, to: now, now: now)
    }
    #expect(error?.cause == .impossible && error?.isRetriable == false)
  }

  @Test func `the captured ticker parses`() async throws {
    guard let bytes = Shared.fixture("binance/rest_book_ticker.json") else { return }
    let ticker = try await CannedVenue(body: bytes).binance.ticker(symbol: "BTCUSDT", now: now)
    #expect(ticker.bid == Level(price: price("60741.67"), quantity: quantity("0.3658")))
    #expect(ticker.ask == Level(price: price("60741.68"), quantity: quantity("0.45178")))
    #expect(ticker.time == now && ticker.instrument.symbol == "BTCUSDT")
  }

  @Test func `the captured trades parse, and old ones are counted`() async throws {
    guard let bytes = Shared.fixture("binance/rest_trades.json") else { return }
    let newest = try Timestamp(milliseconds: 1_634_942_950_067)
    let recent = try await CannedVenue(body: bytes).binance.recentTrades(
      symbol: "BTCUSDT", filter: TradeAgeFilter(ageMaxSeconds: 300), now: newest)
    #expect(recent.trades.count == 10 && recent.tooOldCount == 0)
    #expect(
      recent.trades.first
        == Trade(
          instrument: InstrumentID(venue: .binance, symbol: "BTCUSDT"), price: price("60650"),
          quantity: quantity("0.02924"), takerSide: .sell, time: try Timestamp(milliseconds: 1_634_942_949_263),
          number: 1_111_468_873))
    #expect(recent.trades[1].takerSide == .buy)
    let late = try await CannedVenue(body: bytes).binance.recentTrades(
      symbol: "BTCUSDT", filter: TradeAgeFilter(ageMaxSeconds: 300), now: newest.advanced(bySeconds: 300))
    #expect(late.trades.count == 1 && late.tooOldCount == 9)
  }

  @Test func `the venue's own words and its patience are told`() async {
    let venue = CannedVenue(
      "{\"code\":-1003,\"msg\":\"Too many requests.\"}", status: 429, headers: ["Retry-After": "7"])
    let error = await failure { () async throws(VenueError) in try await venue.binance.ticker(symbol: "X", now: now) }
    #expect(error?.retryAfterSeconds == 7 && error?.isRetriable == true)
    #expect(
      error.map { "\($0)" }
        == "binance ticker: HTTP 429: code -1003, \"Too many requests.\" (retry after 7 s)")
    let refused = await failure { () async throws(VenueError) in
      try await CannedVenue("{\"code\":-1121,\"msg\":\"Invalid symbol.\"}", status: 400).binance.ticker(
        symbol: "X", now: now)
    }
    #expect(refused?.isRetriable == false)
  }
}

@Suite struct CoinbaseTests {
  private let now = time("2024-03-13T11:05:00Z")

  @Test func `the captured candle parses: low and high stand before open`() async throws {
    guard let bytes = Shared.fixture("coinbase/rest_candles.json") else { return }
    let start = try Timestamp(seconds: 1_710_327_600)
    let candles = try await CannedVenue(body: bytes).coinbase.candles(
      symbol: "BTC-USD", periodSeconds: 60, from: start, to: start.advanced(bySeconds: 60), now: now)
    #expect(
      candles == [
        Candle(
          start: start, periodSeconds: 60, open: price("73243.33"), high: price("73402.47"), low: price("73241.5"),
          close: price("73370.65"), volume: Volume(quantity("1.56794406")), isClosed: true)
      ])
  }

  @Test func `pages of three hundred are joined, oldest first, and what is missing stays missing`() async throws {
    let venue = CannedVenue { (request) throws(HTTPError) in
      let from = Int64(request.query("start")[0]) ?? 0
      let to = Int64(request.query("end")[0]) ?? 0
      guard (to - from) / 60 < 300 else { return response("{\"message\":\"too many\"}", status: 400) }
      // Newest first, one row before the span, no trades in every seventh minute.
      let rows = stride(from: from - 60, through: to, by: 60).filter { $0 / 60 % 7 != 0 }.reversed().map {
        "[\($0),0.5,2,1,1.5,1e-05]"
      }
      return response("[" + rows.joined(separator: ",") + "]")
    }
    let start = try Timestamp(seconds: 6_000_000)
    let candles = try await venue.coinbase.candles(
      symbol: "BTC-USD", periodSeconds: 60, from: start, to: start.advanced(bySeconds: 60 * 700), now: now)
    let expected = (0..<700).map { start.advanced(bySeconds: 60 * $0) }.filter { $0.seconds / 60 % 7 != 0 }
    #expect(candles.map(\.start) == expected)
    #expect(venue.requests.count == 3)
    #expect(candles.first?.volume == Volume(raw: 1000))
  }

  @Test func `the captured ticker parses`() async throws {
    guard let bytes = Shared.fixture("coinbase/rest_ticker.json") else { return }
    let venue = CannedVenue(body: bytes)
    let ticker = try await venue.coinbase.ticker(symbol: "BTC-USD", now: now)
    #expect(ticker.bid.price == price("73360.34") && ticker.ask.price == price("73369.19"))
    #expect(ticker.time == time("2024-03-13T11:10:41.270099Z"))
    #expect(venue.requests.first?.path == "/products/BTC-USD/ticker")
    #expect(venue.requests.first?.headers["User-Agent"] == "bulkhead")
  }

  @Test(
    arguments: [
      ("[60,0.5,2,1,1.5]", "[0]: expected at least 6 values, found 5"),
      ("[61,0.5,2,1,1.5,1]", "[0][0]: expected the start of a candle of 1m, found 1970-01-01T00:01:01.000Z"),
      ("[60,2,0.5,1,1.5,1]", "[0][2]: expected a high of 2 at least, found 0.5"),
      ("[60,0.5,2,1,null,1]", "[0][4]: expected a decimal number, found null"),
    ])
  func `a bad candle is named`(_ row: String, _ expected: String) async {
    let error = await failure { () async throws(VenueError) in
      try await CannedVenue("[\(row)]").coinbase.candles(
        symbol: "X", periodSeconds: 60, from: Timestamp(nanoseconds: 0), to: now, now: now)
    }
    #expect(error.map { "\($0)" } == "coinbase candles: " + expected)
  }

  @Test func `the venue's own words are told`() async {
    let error = await failure { () async throws(VenueError) in
      try await CannedVenue("{\"message\":\"NotFound\"}", status: 404).coinbase.ticker(symbol: "X", now: now)
    }
    #expect(error.map { "\($0)" } == "coinbase ticker: HTTP 404: \"NotFound\"")
  }
}
