import Market
import Testing
import Venues
import Web

@Suite struct BybitTests {
  private let now = time("2023-01-20T00:00:00Z")

  private static func exchange(now: Timestamp) -> CannedVenue {
    CannedVenue { (request) throws(HTTPError) in
      let start = Int64(request.query("start")[0]) ?? 0
      let end = Int64(request.query("end")[0]) ?? 0
      guard request.query("category") == ["spot"] else { return response("{\"retCode\":10001}") }
      let newest = min(end, now.milliseconds) / 60_000 * 60_000
      let rows = stride(from: newest, through: start / 60_000 * 60_000, by: -60_000).prefix(1000).map {
        "[\"\($0)\",\"1\",\"2\",\"0.5\",\"1.5\",\"7\",\"9\"]"
      }
      return response(
        "{\"retCode\":0,\"retMsg\":\"OK\",\"result\":{\"symbol\":\"BTCUSDT\",\"category\":\"spot\",\"list\":["
          + rows.joined(separator: ",") + "]},\"time\":\(now.milliseconds)}")
    }
  }

  @Test func `pages of a thousand are joined, and the candle of now is open`() async throws {
    let moment = now.advanced(bySeconds: 30)
    let venue = Self.exchange(now: moment)
    let from = now.advanced(bySeconds: -60 * 2500)
    let candles = try await venue.bybit.candles(
      symbol: "BTCUSDT", period: .minute, from: from, to: now.advanced(bySeconds: 3600), now: moment)
    #expect(candles.map(\.start) == (0...2500).map { from.advanced(bySeconds: 60 * $0) })
    #expect(candles.map(\.isClosed) == Array(repeating: true, count: 2500) + [false])
    #expect(venue.requests.count == 3)
  }

  @Test func `the documented candles are of another category, and refused for spot`() async throws {
    guard let bytes = Shared.fixture("bybit/rest_kline_inverse_docs.json") else { return }
    let error = await failure { () async throws(VenueError) in
      try await CannedVenue(body: bytes).bybit.candles(
        symbol: "BTCUSD", period: .hour, from: Timestamp(nanoseconds: 0), to: now, now: now)
    }
    #expect(error.map { "\($0)" } == "bybit candles: result.category: expected spot, found \"inverse\"")
  }

  @Test func `the documented ticker parses`() async throws {
    guard let bytes = Shared.fixture("bybit/rest_tickers_spot_docs.json") else { return }
    let ticker = try await CannedVenue(body: bytes).bybit.ticker(symbol: "BTCUSDT", now: now)
    #expect(ticker.bid == Level(price: price("20517.96"), quantity: quantity("2")))
    #expect(ticker.ask == Level(price: price("20527.77"), quantity: quantity("1.862172")))
    #expect(ticker.time.milliseconds == 1_673_859_087_947)
  }

  @Test func `the documented trade parses`() async throws {
    guard let bytes = Shared.fixture("bybit/rest_recent_trade_spot_docs.json") else { return }
    let moment = try Timestamp(milliseconds: 1_672_052_955_758)
    let venue = CannedVenue(body: bytes)
    let recent = try await venue.bybit.recentTrades(
      symbol: "BTCUSDT", filter: TradeAgeFilter(ageMaxSeconds: 300), now: moment)
    #expect(
      recent.trades == [
        Trade(
          instrument: InstrumentID(venue: .bybit, symbol: "BTCUSDT"), price: price("16618.49"),
          quantity: quantity("0.00012"), takerSide: .buy, time: moment)
      ])
    #expect(venue.requests.first?.query("limit") == ["60"])
  }

  @Test(
    arguments: [
      (200, "{\"retCode\":10001,\"retMsg\":\"Not supported symbols\",\"result\":{}}", false, nil),
      (200, "{\"retCode\":10006,\"retMsg\":\"Too many visits!\",\"result\":null}", true, 5),
      (200, "{\"retCode\":10016,\"retMsg\":\"Server error\"}", true, nil),
      (403, "access too frequent", true, 600), (503, "", true, nil), (404, "", false, nil),
    ] as [(Int, String, Bool, Int?)])
  func `a refusal says whether and when it may be tried again`(
    _ status: Int, _ body: String, _ isRetriable: Bool, _ patience: Int?
  ) async {
    let error = await failure { () async throws(VenueError) in
      try await CannedVenue(body, status: status).bybit.ticker(symbol: "BTCUSDT", now: now)
    }
    #expect(error?.isRetriable == isRetriable && error?.retryAfterSeconds == patience)
    if body.hasPrefix("{") { #expect(error?.problem.contains("retCode 100") == true) }
  }
}
