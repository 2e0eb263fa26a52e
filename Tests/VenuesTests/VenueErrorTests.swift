import Foundation
import Market
import Testing
import Venues
import Web

@Suite struct VenueErrorTests {
  @Test(arguments: [408, 418, 425, 429, 500, 502, 503, 504])
  func `statuses that pass are retriable`(_ status: Int) {
    #expect(VenueError(venue: .binance, kind: "x", problem: "", cause: .status(status)).isRetriable)
  }

  @Test(arguments: [400, 401, 403, 404, 422, 451])
  func `statuses that stay are not`(_ status: Int) {
    #expect(!VenueError(venue: .binance, kind: "x", problem: "", cause: .status(status)).isRetriable)
  }

  @Test func `a transport that fails says so, without the query`() async {
    let venue = CannedVenue { (_) throws(HTTPError) in
      throw HTTPError(.timeout, operation: "GET http://venue/x", underlyingCode: 28, detail: "Timeout was reached")
    }
    let error = await failure { () async throws(VenueError) in
      try await venue.binance.ticker(symbol: "SECRET", now: Timestamp(nanoseconds: 0))
    }
    #expect(error?.cause == .unreachable && error?.isRetriable == true)
    #expect(error.map { "\($0)".contains("SECRET") } == false)
  }

  @Test func `cancelling is told apart`() async {
    let venue = CannedVenue { (_) throws(HTTPError) in throw HTTPError(.cancelled, operation: "GET x") }
    let error = await failure { () async throws(VenueError) in
      try await venue.binance.ticker(symbol: "X", now: Timestamp(nanoseconds: 0))
    }
    #expect(error?.cause == .cancelled && error?.isRetriable == false)
  }

  @Test func `outside text in an error is short and on one line`() async {
    let text = "{\"error\":\"" + String(repeating: "a\\n", count: 5000) + "\"}"
    let error = await failure { () async throws(VenueError) in
      try await CannedVenue(text, status: 400).polymarket.book(token: "7")
    }
    let description = error.map { "\($0)" } ?? ""
    #expect(description.count < 260 && !description.contains("\n"))
  }

  @Test func `symbols are escaped in queries`() async throws {
    let venue = CannedVenue(
      "{\"symbol\":\"A&B\",\"bidPrice\":\"1\",\"bidQty\":\"1\",\"askPrice\":\"2\",\"askQty\":\"1\"}")
    _ = try await venue.binance.ticker(symbol: "A&B=ä", now: Timestamp(nanoseconds: 0))
    #expect(venue.requests.first?.url == "http://venue/api/v3/ticker/bookTicker?symbol=A%26B%3D%C3%A4")
  }
}

@Suite struct EndpointTests {
  @Test func `an address stands as it is`() throws {
    #expect(try Endpoint("https://api.binance.com/", runDirectory: "/r").resolve(.binance) == "https://api.binance.com")
  }

  @Test func `the simulator's address is read again at each connection`() throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "endpoint-\(UUID())").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let endpoint = Endpoint("simulator:/polymarket/gamma", runDirectory: directory)
    #expect(throws: VenueError.self) { try endpoint.resolve(.polymarket) }
    do { _ = try endpoint.resolve(.polymarket) } catch { #expect(error.isRetriable) }
    for port in [4711, 4712] {
      try "127.0.0.1:\(port)\n".write(toFile: directory + "/simulator.address", atomically: true, encoding: .utf8)
      #expect(try endpoint.resolve(.polymarket) == "http://127.0.0.1:\(port)/polymarket/gamma")
      #expect(
        try Endpoint("simulator-ws:/binance/ws", runDirectory: directory).resolve(.binance)
          == "ws://127.0.0.1:\(port)/binance/ws")
    }
    let faults = directory + "/simulator.faults"
    try FileManager.default.createDirectory(atPath: faults, withIntermediateDirectories: true)
    try "https://127.0.0.1:4713\n".write(toFile: faults + "/polymarket", atomically: true, encoding: .utf8)
    #expect(try endpoint.resolve(.polymarket) == "https://127.0.0.1:4713/polymarket/gamma")
    let stream = Endpoint("simulator-ws:/polymarket/ws/market", runDirectory: directory)
    #expect(try stream.resolve(.polymarket) == "wss://127.0.0.1:4713/polymarket/ws/market")
    let other = Endpoint("simulator:/binance", runDirectory: directory)
    #expect(try other.resolve(.binance) == "http://127.0.0.1:4712/binance")
    try FileManager.default.removeItem(atPath: faults)
    #expect(try endpoint.resolve(.polymarket) == "http://127.0.0.1:4712/polymarket/gamma")
    try "nonsense".write(toFile: directory + "/simulator.address", atomically: true, encoding: .utf8)
    #expect(throws: VenueError.self) { try endpoint.resolve(.polymarket) }
  }
}

@Suite struct VenuesTests {
  @Test func `each venue offers what it has`() {
    let venue = CannedVenue("{}")
    let venues = Venues([venue.polymarket, venue.binance, venue.coinbase])
    #expect(venues.withCandles == [.binance, .coinbase])
    #expect(venues.markets(.polymarket) != nil && venues.books(.polymarket) != nil && venues.trades(.polymarket) != nil)
    #expect(venues.markets(.binance) == nil && venues.candles(.polymarket) == nil && venues.prices(.coinbase) == nil)
    #expect(venues.tickers(.binance) != nil && venues.tickers(.kalshi) == nil)
  }
}

@Suite struct CoinPairTests {
  @Test func `each venue has its own name for a pair`() throws {
    let pair = try #require(CoinPair("BTC/USD"))
    let names = Venue.allCases.map { pair.symbol(at: $0) }
    #expect(names == [nil, nil, "BTCUSDT", "BTC-USD", "BTC/USD", "BTC-USDT", "BTCUSDT", "bitcoin"])
    #expect(CoinPair("ETH/BTC")?.symbol(at: .okx) == "ETH-BTC" && CoinPair("ETH/BTC")?.symbol(at: .coingecko) == nil)
    let names2 = PairNames(exceptions: [.kraken: [pair: "XBT/USD"], .okx: [pair: "-"]])
    #expect(names2.symbol(pair, at: .kraken) == "XBT/USD" && names2.symbol(pair, at: .okx) == nil)
    #expect(names2.symbol(pair, at: .bybit) == "BTCUSDT")
  }

  @Test(arguments: ["", "BTC", "BTC/", "/USD", "btc/usd", "BTC/USD/EUR", "B/USD", "BTC-USD", "BTC/UŞD"])
  func `what is no pair is none`(_ text: String) { #expect(CoinPair(text) == nil) }
}
