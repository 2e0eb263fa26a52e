import Market
import Testing
import Venues
import Web

@Suite struct PolymarketBookTests {
  static let token = "27146956652877944551877724690365745048289675287536243265951843487691050802191"
  static let token2024 = "23360939988679364027624185518382759743328544433592111535569478055890815567848"

  private func book(
    bids: String = "", asks: String = "", tick: String = "\"0.01\"", more: String = ""
  ) -> String {
    """
    {"market":"0xaa","asset_id":"7","timestamp":"1784958701198","hash":"","bids":[\(bids)],"asks":[\(asks)],\
    "min_order_size":"5","tick_size":\(tick),"neg_risk":false,"last_trade_price":""\(more)}
    """
  }

  private func problem(_ text: String) async -> String? {
    await failure { () async throws(VenueError) in try await CannedVenue(text).polymarket.book(token: "7") }
      .map { "\($0)" }
  }

  @Test func `the book of 2026 parses to the values of its text, and bears its hash`() async throws {
    guard let bytes = Shared.fixture("polymarket/rest_book_2026_07.json") else { return }
    let book = try #require(try await CannedVenue(body: bytes).polymarket.book(token: Self.token))
    #expect(book.instrument == InstrumentID(venue: .polymarket, symbol: Self.token))
    #expect(book.marketID == "0x7d0aaf81bbd3fd73b6a1651cce08a452c0cbf9c0cbb4520ce0f981065b639d88")
    #expect(book.bids == [Level(price: price("0.001"), quantity: quantity("10118.15"))])
    #expect(book.asks.count == 62)
    #expect(book.asks.first == Level(price: price("0.999"), quantity: quantity("216.96")))
    #expect(book.asks.last == Level(price: price("0.004"), quantity: quantity("2698.62")))
    #expect(book.asks[37] == Level(price: price("0.567"), quantity: quantity("270")))
    #expect(book.tick == price("0.001"))
    #expect(book.venueTime.milliseconds == 1_784_958_701_198)
  }

  @Test func `the book of 2024 bears the short hash`() async throws {
    guard let bytes = Shared.fixture("polymarket/rest_book_2024.json") else { return }
    let book = try #require(try await CannedVenue(body: bytes).polymarket.book(token: Self.token2024))
    #expect(book.bids.map(\.price) == ["0.01", "0.06", "0.08", "0.09", "0.1"].map { price($0) })
    #expect(book.asks.map(\.price) == ["0.98", "0.5", "0.47", "0.46", "0.38", "0.2", "0.14"].map { price($0) })
    #expect(book.asks[4].quantity == quantity("192.3"))
    #expect(book.tick == nil)
  }

  @Test func `one changed digit breaks the hash, in both forms`() async throws {
    for (name, token) in [
      ("polymarket/rest_book_2026_07.json", Self.token), ("polymarket/rest_book_2024.json", Self.token2024),
    ] {
      guard let bytes = Shared.fixture(name) else { return }
      let changed = String(decoding: bytes, as: UTF8.self).replacing("\"5000", with: "\"5001")
      let error = await failure { () async throws(VenueError) in
        try await CannedVenue(changed).polymarket.book(token: token)
      }
      #expect(error?.field == "hash")
      let unchecked = PolymarketREST(
        endpoints: CannedVenue.endpoints, transport: CannedVenue(changed).transport, verifiesHash: false)
      #expect(try await unchecked.book(token: token) != nil)
    }
  }

  @Test func `the hash checker tells the forms apart, from raw slices`() {
    let bids = "[{\"price\":\"0.5\",\"size\":\"1\"}]"
    // Made with sha1sum from the texts that the documentation describes.
    let short = "370def72a2f2e48f89b02cfc5f436190c045e629"
    let long = "d61873335cdd6bc2c5db3ec685cb721c9dbf802f"
    func form(_ hash: String, isNegRisk: Bool? = true) -> BookHash.Form? {
      withSlices(["0xaa", "7", "1", bids, "[]", hash, "5", "0.010", ""]) { slices in
        var checker = BookHash()
        var text = BookHashText(
          market: slices[0], asset: slices[1], timestamp: slices[2], bids: slices[3], asks: slices[4], extra: nil)
        if let isNegRisk {
          text.extra = .init(
            minimumSize: slices[6], tickSize: slices[7], isNegRisk: isNegRisk, lastTradePrice: slices[8])
        }
        return checker.form(of: text, claimed: slices[5])
      }
    }
    #expect(form(short) == .short)
    #expect(form(short, isNegRisk: nil) == .short)
    #expect(form(long) == .long)
    #expect(form(long, isNegRisk: false) == nil)
    #expect(form(long, isNegRisk: nil) == nil)
    #expect(form("") == nil)
    #expect(form(String(repeating: "0", count: 40)) == nil)
  }

  @Test func `an empty book is a book`() async throws {
    let book = try await CannedVenue(book()).polymarket.book(token: "7")
    #expect(book?.bids.isEmpty == true && book?.asks.isEmpty == true)
  }

  @Test func `a token without a book is nothing, not an error`() async throws {
    let venue = CannedVenue("{\"error\":\"No orderbook exists for the requested token id\"}", status: 404)
    #expect(try await venue.polymarket.book(token: "7") == nil)
  }

  @Test func `levels are sorted worst first, and empty levels left out`() async throws {
    let text = book(
      bids: "{\"price\":\".4\",\"size\":\"1\"},{\"price\":\"0.20\",\"size\":\"2\"},{\"price\":\"0.3\",\"size\":\"0\"}",
      asks: "{\"price\":\"0.5\",\"size\":\"3\"},{\"price\":\"0.7\",\"size\":\"4\"}")
    let book = try #require(try await CannedVenue(text).polymarket.book(token: "7"))
    #expect(book.bids.map(\.price) == [price("0.2"), price("0.4")])
    #expect(book.asks.map(\.price) == [price("0.7"), price("0.5")])
  }

  @Test(
    arguments: [
      ("{\"price\":\"abc\",\"size\":\"1\"}", "bids[1].price: expected a decimal number, found \"abc\""),
      ("{\"price\":\"0.2\",\"size\":\"-1\"}", "bids[1].size: expected no negative number, found -1"),
      ("{\"price\":\"0.205\",\"size\":\"1\"}", "bids[1].price: expected a multiple of the tick 0.01, found 0.205"),
      ("{\"price\":\"0\",\"size\":\"1\"}", "bids[1].price: expected a price between 0 and 1, found 0"),
      ("{\"price\":\"1\",\"size\":\"1\"}", "bids[1].price: expected a price between 0 and 1, found 1"),
      ("{\"price\":\"0.2\"}", "bids[1].size: expected a decimal number, found nothing"),
      ("{\"price\":null,\"size\":\"1\"}", "bids[1].price: expected a decimal number, found nothing"),
      ("{\"price\":[],\"size\":\"1\"}", "bids[1].price: expected a decimal number, found an array"),
      (
        "{\"price\":\"0.2\",\"size\":\"99999999999999999999\"}",
        "bids[1].size: expected a number below 92233720368, found \"99999999999999999999\""
      ),
      (
        "{\"price\":\"0.2\",\"size\":\"0.123456789\"}",
        "bids[1].size: expected at most 8 decimals, found \"0.123456789\""
      ),
      ("7", "bids[1]: expected an object, found 7"),
      ("{\"price\":\"0.1\",\"size\":\"1\"}", "bids: the price 0.1 stands there twice"),
      (
        "{\"price\":\"0.6\",\"size\":\"1\"}", "bids: the book is crossed: best bid 0.6, best ask 0.6"
      ),
    ])
  func `a bad level is named`(_ level: String, _ expected: String) async {
    let text = book(bids: "{\"price\":\"0.1\",\"size\":\"1\"}," + level, asks: "{\"price\":\"0.6\",\"size\":\"1\"}")
    #expect(await problem(text) == "polymarket book: " + expected)
  }

  @Test func `bad members of the book are named`() async {
    #expect(await problem("[]") == "polymarket book: expected an object, found an array")
    #expect(await problem("{}") == "polymarket book: market: expected a string, found nothing")
    #expect(await problem("{") == "polymarket book: the answer is no JSON that we take: JSON: malformed")
    #expect(
      await problem(book(tick: "\"2\"")) == "polymarket book: tick_size: expected a grid between 0 and 1, found 2")
    #expect(
      await problem(book().replacing("\"7\"", with: "\"8\""))
        == "polymarket book: asset_id: expected the token that was asked for, found another")
    #expect(
      await problem(book().replacing("\"1784958701198\"", with: "\"soon\""))
        == "polymarket book: timestamp: expected a time in milliseconds, found \"soon\"")
    #expect(
      await problem(book().replacing("\"bids\":[]", with: "\"bids\":{}"))
        == "polymarket book: bids: expected an array, found an object")
  }

  @Test func `books are asked for in batches of a hundred, and a bad one leaves the others`() async throws {
    let tokens = (0..<250).map { String($0) }
    let venue = CannedVenue { (request) throws(HTTPError) in
      let asked = String(decoding: request.body ?? [], as: UTF8.self).split(separator: "\"").filter { Int($0) != nil }
      let books = asked.filter { $0 != "17" }.map { token in
        let bid = token == "5" ? "x" : "0.1"
        return """
          {"market":"0xaa","asset_id":"\(token)","timestamp":"1","bids":[{"price":"\(bid)","size":"1"}],"asks":[]}
          """
      }
      return response("[" + books.joined(separator: ",") + "]")
    }
    let listing = try await venue.polymarket.books(tokens: tokens)
    #expect(venue.requests.map(\.method) == ["POST", "POST", "POST"])
    #expect(venue.requests.allSatisfy { $0.path == "/clob/books" })
    #expect(listing.books.count == 248)
    #expect(listing.missing == ["17"])
    #expect(
      listing.rejected.map { "\($0)" } == [
        "polymarket books: [5].bids[0].price: expected a decimal number, found \"x\""
      ])
  }
}

/// Calls `body` with a raw slice for each text.
func withSlices<Result>(_ texts: [String], _ body: ([UnsafeRawBufferPointer]) -> Result) -> Result {
  let all = Array(texts.joined().utf8)
  return all.withUnsafeBytes { bytes in
    var start = 0
    return body(
      texts.map { text in
        defer { start += text.utf8.count }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<(start + text.utf8.count)])
      })
  }
}
