import Market
import Testing
import Venues
import Web

@Suite struct KrakenTests {
  private let now = time("2025-11-11T00:17:30Z")

  @Test func `the captured candles parse to the values of their text, the last one open`() async throws {
    guard let bytes = Shared.fixture("kraken/http_ohlc_trimmed.json") else { return }
    let venue = CannedVenue(body: bytes)
    let candles = try await venue.kraken.candles(
      symbol: "BTC/USDT", period: .minute, from: try Timestamp(seconds: 1_762_777_020),
      to: try Timestamp(seconds: 1_762_820_280), now: now)
    #expect(
      candles[3]
        == Candle(
          start: try Timestamp(seconds: 1_762_777_200), periodSeconds: 60, open: price("106038.1"),
          high: price("106044.3"), low: price("106038.1"), close: price("106040.1"),
          volume: Volume(quantity("0.08317981")), isClosed: true))
    #expect(candles[0].volume == Volume(raw: 0) && candles[0].close == price("106038.2"))
    #expect(candles.last?.start.seconds == 1_762_820_220)
    #expect(candles.map(\.isClosed) == Array(repeating: true, count: candles.count - 1) + [false])
    let request = try #require(venue.requests.first)
    #expect(request.path == "/0/public/OHLC" && request.query("pair") == ["XBTUSDT"])
    #expect(request.query("interval") == ["1"] && request.query("since") == ["1762777019"])
  }

  /// A venue that tells the newest 720 minutes whatever it is asked for.
  private static func forgetful(newest: Int) -> CannedVenue {
    CannedVenue { (_) throws(HTTPError) in
      let rows = (0...720).map { "[\(newest - 60 * (720 - $0)),\"1\",\"2\",\"0.5\",\"1.5\",\"1\",\"7\",3]" }
      return response(
        "{\"error\":[],\"result\":{\"XXBTZUSD\":[\(rows.joined(separator: ","))],\"last\":\(newest - 60)}}")
    }
  }

  @Test func `what the venue no longer tells is absent, never something else`() async throws {
    let newest = 1_762_820_220
    let venue = Self.forgetful(newest: newest)
    let oldest = try Timestamp(seconds: Int64(newest - 720 * 60))
    let error = await failure { () async throws(VenueError) in
      try await venue.kraken.candles(
        symbol: "BTC/USD", period: .minute, from: oldest.advanced(bySeconds: -6000), to: oldest, now: now)
    }
    #expect(error?.cause == .absent && error?.isRetriable == false)
    let partly = try await venue.kraken.candles(
      symbol: "BTC/USD", period: .minute, from: oldest.advanced(bySeconds: -6000), to: oldest.advanced(bySeconds: 120),
      now: now)
    #expect(partly.map(\.start) == [oldest, oldest.advanced(bySeconds: 60)])
  }

  @Test func `the captured ticker parses, with the lot volumes`() async throws {
    guard let bytes = Shared.fixture("kraken/http_ticker.json") else { return }
    let ticker = try await CannedVenue(body: bytes).kraken.ticker(symbol: "BTC/USDT", now: now)
    #expect(ticker.instrument == InstrumentID(venue: .kraken, symbol: "BTC/USDT"))
    #expect(ticker.bid == Level(price: price("105944.2"), quantity: quantity("1")))
    #expect(ticker.ask == Level(price: price("105944.3"), quantity: quantity("1")) && ticker.time == now)
  }

  @Test func `the captured trades parse, times to the last digit, and old ones are counted`() async throws {
    guard let bytes = Shared.fixture("kraken/http_trades_trimmed.json") else { return }
    let recent = try await CannedVenue(body: bytes).kraken.recentTrades(
      symbol: "BTC/USDT", filter: TradeAgeFilter(ageMaxSeconds: 3600), now: try Timestamp(seconds: 1_762_795_500))
    #expect(recent.trades.count == 5 && recent.tooOldCount > 0)
    #expect(
      recent.trades.first
        == Trade(
          instrument: InstrumentID(venue: .kraken, symbol: "BTC/USDT"), price: price("105433.6"),
          quantity: quantity("0.00027625"), takerSide: .buy,
          time: Timestamp(nanoseconds: 1_762_795_433_971_744_500), number: 10_218_208))
    #expect(recent.trades.last?.takerSide == .sell)
  }

  @Test(
    arguments: [
      ("EQuery:Unknown asset pair", false), ("EGeneral:Invalid arguments", false), ("EAPI:Rate limit exceeded", true),
      ("EGeneral:Too many requests", true), ("EGeneral:Temporary lockout", true), ("EService:Unavailable", true),
      ("EService:Busy", true), ("EGeneral:Internal error", true),
    ])
  func `an error of status 200 is an error`(_ text: String, _ isTemporary: Bool) async {
    let error = await failure { () async throws(VenueError) in
      try await CannedVenue("{\"error\":[\"\(text)\"]}").kraken.ticker(symbol: "BTC/USD", now: now)
    }
    #expect(error.map { "\($0)" } == "kraken ticker: \"\(text)\"")
    #expect(error?.cause == .refused(isTemporary: isTemporary) && error?.isRetriable == isTemporary)
  }

  @Test func `a warning refuses nothing, and an edge that fails is tried again`() async throws {
    let ticker = try await CannedVenue(
      "{\"error\":[\"WGeneral:Old\"],\"result\":{\"X\":{\"a\":[\"2\",\"1\",\"1\"],\"b\":[\"1\",\"1\",\"1\"]}}}"
    ).kraken.ticker(symbol: "BTC/USD", now: now)
    #expect(ticker.bid.price == price("1"))
    let error = await failure { () async throws(VenueError) in
      try await CannedVenue("<html>520</html>", status: 520).kraken.ticker(symbol: "BTC/USD", now: now)
    }
    #expect(error.map { "\($0)" } == "kraken ticker: HTTP 520" && error?.isRetriable == true)
  }

  @Test(
    arguments: [
      ("{\"error\":[],\"result\":{\"X\":[]}}", "result.last: expected a time in seconds, found nothing"),
      ("{\"error\":[],\"result\":{\"last\":1}}", "result: expected one pair, found 0"),
      ("{\"error\":[],\"result\":{\"X\":[],\"Y\":[],\"last\":1}}", "result: expected one pair, found 2"),
      (
        "{\"error\":[],\"result\":{\"X\":[[60,\"1\",\"2\",\"0.5\",\"1.5\",\"1\",\"-7\",3]],\"last\":1}}",
        "result.X[0][6]: expected no negative number, found -7"
      ),
      (
        "{\"error\":[],\"result\":{\"X\":[[61,\"1\",\"2\",\"0.5\",\"1.5\",\"1\",\"7\",3]],\"last\":1}}",
        "result.X[0][0]: expected the start of a candle of 1m, found 1970-01-01T00:01:01.000Z"
      ),
      ("{\"error\":[]}", "result: expected an object, found nothing"),
    ])
  func `a bad answer names its field`(_ body: String, _ expected: String) async {
    let error = await failure { () async throws(VenueError) in
      try await CannedVenue(body).kraken.candles(
        symbol: "X", period: .minute, from: Timestamp(nanoseconds: 0), to: now, now: now)
    }
    #expect(error.map { "\($0)" } == "kraken candles: " + expected)
  }
}
