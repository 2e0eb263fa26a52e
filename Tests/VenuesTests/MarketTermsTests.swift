import Market
import Testing
import Venues
import Web

@Suite struct MarketTermsTests {
  private let terms = MarketTerms(
    venue: .kalshi, id: "K1", eventID: "E", title: "Rain?", subtitle: "5 cm", strike: "greater 5",
    rules: "If it rains.",
    source: "NWS", closesAt: Timestamp(nanoseconds: 1_784_852_721_000_000_000))

  @Test func `the digest is the first half of a SHA-256 of all texts with their lengths`() {
    // printf '5:Rain?4:5 cm9:greater 512:If it rains.3:NWS10:17848527213:Yes2:No' | sha256sum
    #expect(MarketTerms.digest(of: terms) == 0x31e42b763cfd33c1)
  }

  @Test func `whatever decides a market changes the digest, and its ids do not`() {
    let digest = MarketTerms.digest(of: terms)
    let changes: [(inout MarketTerms) -> Void] = [
      { $0.title += "!" }, { $0.subtitle = "" }, { $0.strike = "greater 6" }, { $0.rules = "If it snows." },
      { $0.source = "" }, { $0.closesAt = nil }, { $0.closesAt = $0.closesAt?.advanced(bySeconds: 1) },
      { $0.outcomes = ["No", "Yes"] }, { ($0.title, $0.subtitle) = ("Rain?5", " cm") },
    ]
    for change in changes {
      var other = terms
      change(&other)
      #expect(MarketTerms.digest(of: other) != digest)
    }
    var renamed = terms
    (renamed.id, renamed.eventID, renamed.digest) = ("K2", "F", 9)
    #expect(MarketTerms.digest(of: renamed) == digest)
  }

  private func gamma(_ more: String) -> String {
    """
    {"events":[{"id":"77","markets":[{"id":"1","conditionId":"0x1","question":"Rain?","outcomes":"[\\"Yes\\", \\"No\\"]",\
    "clobTokenIds":"[\\"11\\", \\"12\\"]","orderPriceMinTickSize":0.01,"active":true,"closed":false,\
    "acceptingOrders":true,"feesEnabled":false\(more)}]}]}
    """
  }

  private final class Taken: @unchecked Sendable {
    // Sound: the listing calls from one task, and the test reads after it.
    var terms: [MarketTerms] = []
  }

  @Test func `a listing of Polymarket hands over what decides each market, and keeps its digest alone`() async throws {
    let more =
      #","description":"If it rains.","resolutionSource":"NWS","groupItemTitle":"5 cm","volume24hr":1234.567890123"#
    var rest = CannedVenue(gamma(more)).polymarket
    let taken = Taken()
    rest.takeTerms = { taken.terms += $0 }
    let market = try #require(try await rest.markets().markets.first)
    let terms = try #require(taken.terms.first)
    #expect(
      terms.rules == "If it rains." && terms.source == "NWS" && terms.subtitle == "5 cm" && terms.title == "Rain?")
    #expect(terms.id == "0x1" && terms.eventID == "77" && terms.outcomes == ["Yes", "No"])
    #expect(market.termsDigest == terms.digest && terms.digest == MarketTerms.digest(of: terms) && terms.digest != 0)
    #expect(market.dayVolume == (try Money("1234.56789012")))
  }

  @Test func `a volume that cannot be read is none, and costs no market`() async throws {
    for volume in ["null", "\"many\"", "-5"] {
      let listing = try await CannedVenue(gamma(",\"volume24hr\":\(volume)")).polymarket.markets()
      #expect(listing.markets.map(\.dayVolume) == [.zero])
    }
  }

  @Test func `a market of Kalshi has its terms, its volume, and its grid where that is not uniform`() async throws {
    func page(_ ranges: String) -> String {
      """
      {"markets":[{"ticker":"K1","event_ticker":"E","title":"Rain?","yes_sub_title":"5 cm","status":"active",\
      "close_time":"2026-07-25T06:00:00Z","floor_strike":5,"strike_type":"greater","rules_primary":"If it rains.",\
      "rules_secondary":"Or snows.","volume_24h_fp":"12.50","price_ranges":[\(ranges)]}],"cursor":""}
      """
    }
    let uniform = try await CannedVenue(page(#"{"start":"0.0000","end":"1.0000","step":"0.0100"}"#)).kalshi()
      .listMarkets()
    let market = try #require(uniform.markets.first)
    #expect(market.terms.rules == "If it rains.\n\nOr snows." && market.terms.strike == "greater 5")
    #expect(market.terms.subtitle == "5 cm" && market.market.termsDigest == market.terms.digest)
    #expect(market.market.dayVolume == (try Money("12.5")) && market.market.grid == nil)
    let tapered = try await CannedVenue(
      page(#"{"start":"0.0000","end":"0.1000","step":"0.0010"},{"start":"0.1000","end":"1.0000","step":"0.0100"}"#)
    ).kalshi().listMarkets()
    #expect(tapered.markets.first?.market.grid == tapered.markets.first?.grid)
    #expect(tapered.markets.first?.market.grid?.ranges.count == 2)
  }
}
