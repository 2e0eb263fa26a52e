import Market
import Testing
import Venues
import Web

@Suite struct OKXTests {
  private let now = time("2025-05-13T00:00:00Z")

  @Test func `the captured candles parse to the values of their text, oldest first`() async throws {
    guard let bytes = Shared.fixture("okx/http_get_candlesticks_full.json") else { return }
    let start = try Timestamp(milliseconds: 1_747_093_980_000)
    let candles = try await CannedVenue(body: bytes).okx.candles(
      symbol: "BTC-USDT", period: .minute, from: start, to: start.advanced(bySeconds: 120), now: now)
    #expect(
      candles.first
        == Candle(
          start: start, periodSeconds: 60, open: price("102806"), high: price("102820.5"), low: price("102783.1"),
          close: price("102806.1"), volume: Volume(quantity("7164.04")), isClosed: true))
    #expect(candles.count == 2 && candles[1].close == price("102820.4"))
  }

  /// Answers as the venue does: newest first, `after` and `before` exclusive, and the recent candles only so far back.
  private static func exchange(now: Timestamp, length: Int64, rowsMax: Int = 300) -> CannedVenue {
    CannedVenue { (request) throws(HTTPError) in
      let after = Int64(request.query("after")[0]) ?? 0
      let before = Int64(request.query("before")[0]) ?? 0
      let isHistory = request.path == "/api/v5/market/history-candles"
      let step = length * 1000
      let open = now.milliseconds / step * step
      let oldest = isHistory ? 0 : open - 1439 * step
      let newest = min((after - 1) / step * step, isHistory ? open - step : open)
      let rows = stride(from: newest, through: max(oldest, before + 1), by: Int(-step)).prefix(rowsMax).map {
        "[\"\($0)\",\"1\",\"2\",\"0.5\",\"1.5\",\"7\",\"8\",\"9\",\"\($0 == open ? 0 : 1)\"]"
      }
      return response("{\"code\":\"0\",\"msg\":\"\",\"data\":[\(rows.joined(separator: ","))]}")
    }
  }

  @Test(arguments: [300, 100])
  func `pages are joined, beyond the recent candles from the history`(_ rowsMax: Int) async throws {
    let venue = Self.exchange(now: now.advanced(bySeconds: 30), length: 60, rowsMax: rowsMax)
    let from = now.advanced(bySeconds: -60 * 2000)
    let candles = try await venue.okx.candles(
      symbol: "BTC-USDT", period: .minute, from: from, to: now.advanced(bySeconds: 60),
      now: now.advanced(bySeconds: 30))
    #expect(candles.map(\.start) == (0...Int64(2000)).map { from.advanced(bySeconds: 60 * $0) })
    #expect(candles.map(\.isClosed) == Array(repeating: true, count: 2000) + [false])
    let paths = venue.requests.map(\.path)
    #expect(Set(paths) == ["/api/v5/market/candles", "/api/v5/market/history-candles"])
    #expect(venue.requests.allSatisfy { $0.query("limit") == ["300"] && $0.query("bar") == ["1m"] })
    #expect(venue.requests.count == (rowsMax == 300 ? 7 : 21))
  }

  @Test func `long candles are asked for by UTC, and those of Hong Kong are refused`() async throws {
    let venue = Self.exchange(now: now, length: 86_400)
    let candles = try await venue.okx.candles(
      symbol: "BTC-USDT", period: .day, from: now.advanced(bySeconds: -86_400 * 3), to: now, now: now)
    #expect(candles.count == 3 && venue.requests.first?.query("bar") == ["1Dutc"])
    let error = await failure { () async throws(VenueError) in
      try await CannedVenue(
        "{\"code\":\"0\",\"data\":[[\"1747065600000\",\"1\",\"2\",\"0.5\",\"1.5\",\"7\",\"8\",\"9\",\"1\"]]}"
      ).okx.candles(symbol: "BTC-USDT", period: .day, from: now.advanced(bySeconds: -86_400), to: now, now: now)
    }
    #expect(error?.field == "data[0][0]")
  }

  @Test func `the captured trades parse, oldest first, and old ones are counted`() async throws {
    guard let bytes = Shared.fixture("okx/http_get_trades.json") else { return }
    let newest = try Timestamp(milliseconds: 1_747_087_163_557)
    let recent = try await CannedVenue(body: bytes).okx.recentTrades(
      symbol: "BTC-USDT", filter: TradeAgeFilter(ageMaxSeconds: 300), now: newest)
    #expect(
      recent.trades.last
        == Trade(
          instrument: InstrumentID(venue: .okx, symbol: "BTC-USDT"), price: price("102537.9"),
          quantity: quantity("0.00013669"), takerSide: .sell, time: newest, number: 734_864_333))
    #expect(recent.trades.map(\.takerSide) == [.buy, .sell])
    let late = try await CannedVenue(body: bytes).okx.recentTrades(
      symbol: "BTC-USDT", filter: TradeAgeFilter(ageMaxSeconds: 300), now: newest.advanced(bySeconds: 60 * 86_400))
    #expect(late.trades.isEmpty && late.tooOldCount == 2)
  }

  @Test(
    arguments: [
      ("50011", 429, true, 2), ("50013", 503, true, 2), ("50001", 503, true, nil), ("50026", 200, true, nil),
      ("51001", 200, false, nil), ("51000", 400, false, nil),
    ] as [(String, Int, Bool, Int?)])
  func `the code says whether it may be tried again`(
    _ code: String, _ status: Int, _ isTemporary: Bool, _ patience: Int?
  ) async {
    let error = await failure { () async throws(VenueError) in
      try await CannedVenue("{\"code\":\"\(code)\",\"msg\":\"no\",\"data\":[]}", status: status).okx.ticker(
        symbol: "X", now: now)
    }
    #expect(error?.cause == .refused(isTemporary: isTemporary) && error?.isRetriable == isTemporary)
    #expect(error?.retryAfterSeconds == patience)
    #expect(error?.problem == (status == 200 ? "" : "HTTP \(status): ") + "code \(code), \"no\"")
  }
}
