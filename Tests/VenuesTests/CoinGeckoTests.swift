import Market
import Testing
import Venues
import Web

@Suite struct CoinGeckoTests {
  @Test func `the documented price parses, with the venue's own time`() async throws {
    guard let bytes = Shared.fixture("coingecko/simple_price_docs.json") else { return }
    let venue = CannedVenue(body: bytes)
    let point = try await venue.coingecko.price(symbol: "bitcoin")
    #expect(point.price == price("76975") && point.time.seconds == 1_779_092_258)
    #expect(point.instrument == InstrumentID(venue: .coingecko, symbol: "bitcoin"))
    #expect(venue.requests.first?.query("include_last_updated_at") == ["true"])
  }

  @Test func `the documented range parses, its digits cut at the eighth decimal`() async throws {
    guard let bytes = Shared.fixture("coingecko/market_chart_range_docs.json") else { return }
    let venue = CannedVenue(body: bytes)
    let first = try Timestamp(milliseconds: 1_779_027_899_041)
    let points = try await venue.coingecko.prices(
      symbol: "bitcoin", from: first, to: first.advanced(bySeconds: 3600))
    #expect(points.map(\.price) == [price("77953.82550382"), price("78052.87543398")])
    #expect(points.map(\.time.milliseconds) == [1_779_027_899_041, 1_779_028_199_661])
    #expect(venue.requests.first?.path == "/api/v3/coins/bitcoin/market_chart/range")
    let later = try await venue.coingecko.prices(
      symbol: "bitcoin", from: first.advanced(bySeconds: 1), to: first.advanced(bySeconds: 3600))
    #expect(later.count == 1)
  }

  @Test(arguments: ["{}", "{\"bitcoin\":{\"usd\":null,\"last_updated_at\":null}}"])
  func `a coin without a price is absent`(_ body: String) async {
    let error = await failure { () async throws(VenueError) in
      try await CannedVenue(body).coingecko.price(symbol: "bitcoin")
    }
    #expect(error?.cause == .absent && error?.field == "bitcoin")
  }

  @Test(
    arguments: [
      (404, "{\"error\":\"coin not found\"}", "HTTP 404: \"coin not found\"", false, nil),
      (
        429, "{\"status\":{\"error_code\":429,\"error_message\":\"too often\",\"timestamp\":\"\"}}",
        "HTTP 429: code 429, \"too often\"", true, 60
      ),
      (
        401, "{\"error\":{\"status\":{\"error_code\":10012,\"error_message\":\"too old\"}}}",
        "HTTP 401: code 10012, \"too old\"", false, nil
      ),
      (500, "", "HTTP 500", true, nil),
    ] as [(Int, String, String, Bool, Int?)])
  func `each of the error bodies is understood`(
    _ status: Int, _ body: String, _ problem: String, _ isRetriable: Bool, _ patience: Int?
  ) async {
    let error = await failure { () async throws(VenueError) in
      try await CannedVenue(body, status: status).coingecko.price(symbol: "bitcoin")
    }
    #expect(error?.problem == problem)
    #expect(error?.isRetriable == isRetriable && error?.retryAfterSeconds == patience)
  }
}
