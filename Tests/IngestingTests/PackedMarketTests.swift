import Bus
import Ingesting
import Market
import TestSupport
import Testing
import Venues

/// Markets as they come out of the catalogue, where they are kept packed.
@Suite struct PackedMarketTests {
  private func kept(_ market: PredictionMarket) -> PredictionMarket {
    let books = PolymarketBooks(verifiesHash: false, tradeAge: TradeAgeFilter(ageMaxSeconds: 300))
    _ = books.adopt(market, BookBatch())
    return books.market(0)
  }

  private func market(id: String, tokens: [String]) throws -> PredictionMarket {
    PredictionMarket(
      venue: .polymarket, id: id, eventID: "16167", question: "Will „Ξ“ be above 3,000 €?",
      outcomes: tokens.map { Outcome(token: $0, name: "outcome \($0.prefix(3))") }, tick: try Price("0.001"))
  }

  @Test(arguments: [
    "", "0", "00", "7", "0x", "0x7", "0xabc", "0xABC", "0Xabc", "x", "0x0x", "12ab", "12g", "-1", "１２", "market",
    "71321045679252212594626385532706912750332728571942532289631379312455583992563",
    "0xe3b423dfad8c22ff75c9899c4e8176f628cf4ad4caa00481764d320e7415f7a9",
  ])
  func `an id of any form comes out as it went in`(_ text: String) throws {
    let whole = try market(id: text, tokens: [text, text + "1"])
    #expect(kept(whole) == whole)
    let books = PolymarketBooks(verifiesHash: false, tradeAge: TradeAgeFilter(ageMaxSeconds: 300))
    _ = books.adopt(whole, BookBatch())
    #expect(books.token(of: 0) == text && books.token(of: 1) == text + "1")
  }

  @Test func `every field of a market comes out as it went in`() throws {
    var whole = try market(id: "0x12", tokens: ["1", "2"])
    whole.minimumQuantity = try Quantity("5")
    whole.fees = FeeSchedule(rate: try Price("0.07"), exponent: 2, takerOnly: false)
    whole.endsAt = Timestamp(nanoseconds: 1_784_852_721_123_456_789)
    whole.isNegRisk = true
    whole.isAugmented = true
    whole.isPlaceholder = true
    whole.isAcceptingOrders = false
    whole.winner = 1
    whole.payouts = [try Price("0.5"), try Price("0.5")]
    whole.upDown = UpDownTerms(
      coin: "BTC", opensAt: Timestamp(nanoseconds: 1), closesAt: Timestamp(nanoseconds: 2))
    whole.termsDigest = .max
    whole.dayVolume = try Money("1234.5")
    #expect(kept(whole) == whole)
    whole.isClosed = true
    #expect(kept(whole) == whole)
  }

  @Test func `a market that two listings did not name is closed, whatever was listed`() throws {
    let books = PolymarketBooks(verifiesHash: false, tradeAge: TradeAgeFilter(ageMaxSeconds: 300))
    _ = books.adopt(try market(id: "7", tokens: ["1", "2"]), BookBatch())
    _ = books.sweepMissing(listed: [], BookBatch())
    #expect(!books.market(0).isClosed && books.market(0).isAcceptingOrders)
    #expect(books.sweepMissing(listed: [], BookBatch()) == [0])
    #expect(books.market(0).isClosed && !books.market(0).isAcceptingOrders)
  }
}

/// When a market is announced anew for what was traded in it.
@Suite struct DayVolumeTests {
  private func changes(_ volumes: [String]) throws -> [Bool] {
    let books = PolymarketBooks(verifiesHash: false, tradeAge: TradeAgeFilter(ageMaxSeconds: 300))
    let kalshi = KalshiMarkets(tradeAge: TradeAgeFilter(ageMaxSeconds: 300))
    return try volumes.map { volume in
      var market = PredictionMarket(
        venue: .polymarket, id: "1", eventID: "2", question: "?",
        outcomes: ["3", "4"].map { Outcome(token: $0, name: $0) }, tick: try Price("0.01"))
      market.dayVolume = try Money(volume)
      let first = books.adopt(market, BookBatch()).change
      let second = kalshi.adopt(KalshiMarket(market: market, grid: PriceGrid(step: market.tick)), BookBatch()).change
      #expect(first == second, "\(volume)")
      #expect(books.market(0).dayVolume == kalshi.entries[0].market.dayVolume)
      return first != .same
    }
  }

  @Test func `a volume is news when it has changed by a quarter of what was told, and by ten dollars`() throws {
    #expect(
      try changes(["1000", "1100", "1249", "1250", "1500", "937", "0"]) == [
        true, false, false, true, false, true, true,
      ])
    #expect(try changes(["0", "9", "10", "19", "20"]) == [true, false, true, false, true])
  }
}
