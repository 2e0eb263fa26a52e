import Market
import Testing
import Venues
import Web

@Suite struct PolymarketGammaTests {
  /// A market that is open and in order; each test changes what it is about.
  private func market(_ id: Int, more: String = "", tokens: String? = nil) -> String {
    let tokens = tokens ?? "\"[\\\"\(id)1\\\", \\\"\(id)2\\\"]\""
    return """
      {"id":"\(id)","conditionId":"0x\(id)","question":"Q\(id)?","outcomes":"[\\"Yes\\", \\"No\\"]",\
      "clobTokenIds":\(tokens),"orderPriceMinTickSize":0.01,"orderMinSize":5,"active":true,"closed":false,\
      "acceptingOrders":true,"negRisk":true,"feesEnabled":false\(more)}
      """
  }

  private func event(_ markets: [String], more: String = "") -> String {
    "{\"id\":\"77\",\"enableNegRisk\":true,\"negRiskAugmented\":false\(more),\"markets\":["
      + markets.joined(separator: ",") + "]}"
  }

  private func listing(_ event: String) async throws -> MarketListing {
    try await CannedVenue("{\"events\":[\(event)]}").polymarket.markets()
  }

  @Test func `the captured events parse to the values of their text`() async throws {
    guard let bytes = Shared.fixture("polymarket/gamma_events_2026_07.json") else { return }
    let page = "{\"events\":" + String(decoding: bytes, as: UTF8.self) + "}"
    let listing = try await CannedVenue(page).polymarket.markets()
    #expect(listing.rejected.isEmpty)
    #expect(listing.markets.count == 8)
    let open = try #require(listing.markets.first { $0.question == "Kraken IPO by December 31, 2026?" })
    #expect(open.id == "0xced0cb8725bad43d78fda0cd0e5fa9e31804625cb3502b2c7897f8e8f7fa9e1f")
    #expect(open.eventID == "16183")
    #expect(open.outcomes.map(\.name) == ["Yes", "No"])
    #expect(open.outcomes[0].token == "34626184950254225208692030156208941308358060420950772251072421141618169142241")
    #expect(open.outcomes[1].token == "28557614648090529004584076028720900603196666949274543515794672175624115225556")
    #expect(open.tick == price("0.01"))
    #expect(open.minimumQuantity == quantity("5"))
    #expect(open.fees == FeeSchedule(rate: price("0.04"), exponent: 1, takerOnly: true))
    #expect(open.endsAt == time("2027-01-01T05:00:00Z"))
    #expect(!open.isNegRisk && !open.isAugmented && !open.isPlaceholder && !open.isClosed && open.isAcceptingOrders)
    #expect(open.isTradable(at: time("2026-08-01T00:00:00Z")))
    #expect(!open.isTradable(at: time("2027-01-01T05:00:00Z")))
    #expect(open.payouts == nil && open.winner == nil && open.upDown == nil)

    let resolved = try #require(listing.markets.first { $0.question == "Kraken IPO in 2025?" })
    #expect(resolved.isClosed && !resolved.isAcceptingOrders)
    #expect(resolved.payouts == [.zero, .one])
    #expect(resolved.winner == 1)

    let placeholder = try #require(listing.markets.first { $0.question == "Kraken IPO by June 30, 2026?" })
    #expect(placeholder.isPlaceholder && placeholder.outcomes.isEmpty)
    #expect(placeholder.id == "gamma:1642124")
    #expect(!placeholder.isTradable(at: time("2026-01-01T00:00:00Z")))
    #expect(listing.markets.filter(\.isPlaceholder).count == 1)
    #expect(listing.markets.filter { $0.payouts != nil }.count == 5)
  }

  @Test func `the captured crypto market has its terms, its fee and its winner`() async throws {
    guard let bytes = Shared.fixture("polymarket/gamma_market_crypto5m_2026_07.json") else { return }
    let id = "0x74bcc52b900802871a7abf25da0cae16bf0811ae09031265a88e0cc3abdaf721"
    let text = String(decoding: bytes, as: UTF8.self)
    let venue = CannedVenue { (request) throws(HTTPError) in
      response(request.query("closed") == ["true"] ? "[\(text)]" : "[]")
    }
    let market = try #require(try await venue.polymarket.market(id: id))
    #expect(venue.requests.allSatisfy { $0.path == "/gamma/markets" && $0.query("condition_ids") == [id] })
    #expect(market.outcomes.map(\.name) == ["Up", "Down"])
    #expect(
      market.upDown
        == UpDownTerms(
          coin: "BTC", opensAt: time("2026-07-24T00:20:00Z"), closesAt: time("2026-07-24T00:25:00Z")))
    #expect(market.fees == FeeSchedule(rate: price("0.07"), exponent: 1, takerOnly: true))
    #expect(market.payouts == [.one, .zero] && market.winner == 0)
    #expect(market.isClosed && market.tick == price("0.001") && market.eventID == id)
  }

  @Test func `a market that nobody knows is nothing`() async throws {
    #expect(try await CannedVenue("[]").polymarket.market(id: "0x1") == nil)
  }

  @Test(arguments: ["gamma_active_500_2026-02-07", "gamma_closed_500"])
  func `a captured list parses whole`(_ name: String) async throws {
    guard let bytes = try Shared.unzipped("data/pm_markets/\(name).json.gz") else { return }
    let root = try JSONDocument(bytes).root
    var augmented = 0
    for row in root.elements {
      let id = try #require(row["conditionId"]?.string)
      // Each market alone, as `/markets` gives it.
      let venue = CannedVenue("[" + json(row) + "]")
      let market = try #require(try await venue.polymarket.market(id: id))
      #expect(market.isClosed == (name == "gamma_closed_500"))
      #expect(market.eventID == (row["events"]?[0]?["id"]?.string ?? id))
      #expect(market.outcomes.count == (row["clobTokenIds"] == nil ? 0 : try tokens(row)))
      augmented += market.isAugmented ? 1 : 0
    }
    #expect(root.count == 500)
    #expect(augmented == (name == "gamma_closed_500" ? 0 : 344))
  }

  private func tokens(_ row: JSONValue) throws -> Int {
    try JSONDocument(try #require(row["clobTokenIds"]?.string)).root.count
  }

  /// A value as text again.
  private func json(_ value: JSONValue) -> String {
    var writer = JSONWriter()
    write(value, &writer)
    return writer.text
  }

  private func write(_ value: JSONValue, _ writer: inout JSONWriter) {
    switch value.kind {
    case .null: writer.null()
    case .bool: writer.value(value.bool ?? false)
    case .number: writer.value(number: value.numberText ?? "")
    case .string: writer.value(value.string ?? "")
    case .array: writer.array { inner in for element in value.elements { write(element, &inner) } }
    case .object:
      writer.object { inner in
        for (key, member) in value.members {
          inner.key(key)
          write(member, &inner)
        }
      }
    }
  }

  @Test func `one broken market is counted and named, and opens the set of the others`() async throws {
    let good = try await listing(event([market(1), market(2)]))
    #expect(good.markets.count == 2 && good.rejected.isEmpty && good.markets.allSatisfy { !$0.isAugmented })
    let broken = market(3).replacing("0.01", with: "\"fine\"")
    let listing = try await self.listing(event([market(1), broken, market(2)]))
    #expect(listing.markets.map(\.id) == ["0x1", "0x2"])
    #expect(
      listing.rejected.map { "\($0)" } == [
        "polymarket events: events[0](id 77).markets[1](id 3).orderPriceMinTickSize: "
          + "expected a decimal number, found \"fine\""
      ])
    #expect(listing.markets.allSatisfy { $0.isAugmented })
  }

  @Test func `a broken event leaves the other events`() async throws {
    let listing = try await CannedVenue("{\"events\":[{\"markets\":[]},7,\(event([market(1)]))]}").polymarket.markets()
    #expect(listing.markets.map(\.id) == ["0x1"])
    #expect(
      listing.rejected.map { "\($0)" } == [
        "polymarket events: events[0].id: expected a string, found nothing",
        "polymarket events: events[1]: expected an object, found 7",
      ])
  }

  @Test func `augmented events, placeholders and others are marked`() async throws {
    let augmented = try await listing(
      "{\"id\":\"1\",\"enableNegRisk\":true,\"negRiskAugmented\":true,\"markets\":[\(market(1)),\(market(2, more: ",\"negRiskOther\":true"))]}"
    )
    #expect(augmented.markets.map(\.isAugmented) == [true, true])
    #expect(augmented.markets.map(\.isPlaceholder) == [false, true])
    let inactive = market(3).replacing("\"active\":true", with: "\"active\":false")
    let placeholders = try await listing(event([inactive, market(4, tokens: "null"), market(5, tokens: "\"[]\"")]))
    #expect(placeholders.markets.map(\.isPlaceholder) == [true, true, true])
  }

  @Test func `an event with two neg-risk sets is no complete set`() async throws {
    let listing = try await self.listing(
      event([market(1, more: ",\"negRiskMarketID\":\"0xa\""), market(2, more: ",\"negRiskMarketID\":\"0xb\"")]))
    #expect(listing.markets.allSatisfy { $0.isAugmented })
  }

  @Test func `fees that are on without a schedule are unknown, not none`() async throws {
    let on = market(1).replacing("\"feesEnabled\":false", with: "\"feesEnabled\":true,\"feeType\":\"sports_fees_v2\"")
    let unknown = try await listing(event([on]))
    #expect(unknown.markets.isEmpty)
    #expect(unknown.rejected.first?.field == "events[0](id 77).markets[0](id 1).feeSchedule")
    let none = on.replacing("\"sports_fees_v2\"", with: "null")
    #expect(try await listing(event([none])).markets.first?.fees == FeeSchedule.none)
    let odd = on.replacing("\"feeType\"", with: "\"feeSchedule\":{\"rate\":0.25,\"exponent\":1.5},\"feeType\"")
    #expect(
      try await listing(event([odd])).rejected.first?.problem == "expected a whole number from 1 to 8, found 1.5")
    let square = odd.replacing("1.5", with: "2,\"takerOnly\":false")
    #expect(
      try await listing(event([square])).markets.first?.fees
        == FeeSchedule(rate: price("0.25"), exponent: 2, takerOnly: false))
  }

  @Test(
    arguments: [
      ("\"[\\\"1\\\"]\"", "clobTokenIds: expected 2 tokens, one for each outcome, found 1"),
      ("\"[\\\"1\\\", \\\"1\\\"]\"", "clobTokenIds: the same token stands there twice"),
      ("\"[\\\"1\\\", \\\"x\\\"]\"", "clobTokenIds[1]: expected a decimal token id, found \"x\""),
      ("\"[1, 2]\"", "clobTokenIds[0]: expected a string, found 1"),
      ("\"oops\"", "clobTokenIds: expected a JSON array in a string, found \"oops\""),
      ("true", "clobTokenIds: expected an array, found true"),
    ])
  func `bad tokens are named`(_ tokens: String, _ expected: String) async throws {
    let listing = try await self.listing(event([market(1, tokens: tokens)]))
    #expect(
      listing.rejected.map { "\($0)" } == ["polymarket events: events[0](id 77).markets[0](id 1)." + expected])
  }

  @Test func `only a resolved market pays, and payouts add up to one`() async throws {
    let closed = { (status: String, prices: String) in
      self.market(1, more: ",\"umaResolutionStatus\":\"\(status)\",\"outcomePrices\":\"\(prices)\"")
        .replacing("\"closed\":false", with: "\"closed\":true")
    }
    let split = try await listing(event([closed("resolved", "[\\\"0.5\\\", \\\"0.5\\\"]")]))
    #expect(split.markets.first?.payouts == [price("0.5"), price("0.5")] && split.markets.first?.winner == nil)
    let old = try await listing(event([closed("resolved", "[\\\"0\\\", \\\"0\\\"]")]))
    #expect(old.markets.first != nil && old.markets.first?.payouts == nil)
    let proposed = try await listing(event([closed("proposed", "[\\\"1\\\", \\\"0\\\"]")]))
    #expect(proposed.markets.first != nil && proposed.markets.first?.payouts == nil)
    let wrong = try await listing(event([closed("resolved", "[\\\"1\\\", \\\"1\\\"]")]))
    #expect(wrong.rejected.first?.problem == "expected payouts that add up to 1, found \"1, 1\"")
  }

  @Test(
    arguments: [
      ("btc-updown-15m-1784852400", "x", "BTC"), ("bitcoin-up-or-down-july-23-8pm-et", "x", "BTC"),
      ("xrp-up-or-down-july-23-8pm-et", "x", "XRP"), ("no-help", "Ethereum Up or Down - July 23", "ETH"),
      ("no-help", "Something else", nil), ("the-weather-up-or-down-today", "x", nil),
    ] as [(String, String, String?)])
  func `the coin comes from the slug or the question`(_ slug: String, _ question: String, _ coin: String?) async throws
  {
    let text = market(
      1, more: ",\"eventStartTime\":\"2026-07-24T00:20:00Z\",\"endDate\":\"2026-07-24T00:25:00Z\",\"slug\":\"\(slug)\""
    ).replacing("Q1?", with: question).replacing("Yes", with: "Up").replacing("No", with: "Down")
    #expect(try await listing(event([text])).markets.first?.upDown?.coin == coin)
  }
}
