import Market
import Synchronization
import Testing
import Venues
import Web

/// A clock that passes when somebody sleeps, and notes for how long.
final class SleepingClock: Sendable {
  private let state = Mutex<(now: Int64, slept: [Int64])>((0, []))
  private static let beginning: Int64 = 1_784_852_700_000_000_000

  var now: Int64 { state.withLock { $0.now } }
  var slept: [Int64] { state.withLock { $0.slept } }

  func advance(seconds: Int64) { state.withLock { $0.now += seconds * 1_000_000_000 } }

  var clock: RequestPacer.Clock {
    RequestPacer.Clock(now: { self.now }, wall: { self.now + Self.beginning }) {
      nanoseconds throws(CancellationError) in
      guard !Task.isCancelled else { throw CancellationError() }
      self.state.withLock {
        $0.now += nanoseconds
        $0.slept.append(nanoseconds)
      }
    }
  }
}

@Suite struct RequestPacerTests {
  private let ticker =
    "{\"error\":[],\"result\":{\"X\":{\"a\":[\"2\",\"1\",\"1\"],\"b\":[\"1\",\"1\",\"1\"]}}}"
  private let now = time("2026-07-24T00:00:00Z")
  private let endpoint = Endpoint("http://venue", runDirectory: "/nowhere")

  @Test func `no window holds more requests than the venue allows`() async throws {
    let clock = SleepingClock()
    let sent = Mutex<[Int64]>([])
    let transport = VenueTransport { (_) throws(HTTPError) in
      sent.withLock { $0.append(clock.now) }
      return response("{\"code\":\"0\",\"data\":[]}")
    }
    let pacer = RequestPacer(venue: .okx, clock: clock.clock)
    let okx = OKXREST(endpoint: endpoint, transport: transport, pacer: pacer)
    for _ in 0..<200 {
      _ = try await okx.recentTrades(symbol: "A", filter: TradeAgeFilter(ageMaxSeconds: 1), now: now)
      _ = try await okx.candles(
        symbol: "A", period: .minute, from: now, to: now.advanced(bySeconds: 60), now: now)
    }
    // Candles: 40 in 2 s; the trades between them cost nothing of that.
    let times = sent.withLock { $0 }.enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
    for (index, start) in times.enumerated() {
      let inWindow = times[index...].prefix { $0 < start + 2_000_000_000 }.count
      #expect(inWindow <= 40)
    }
    #expect(times.count == 200 && pacer.counters.delayed > 100)
    #expect(clock.now > 15_000_000_000 && clock.now < 25_000_000_000)
  }

  @Test func `a share is all that is spent`() async throws {
    func seconds(share: Int) async throws -> Double {
      let clock = SleepingClock()
      let pacer = RequestPacer(venue: .coinbase, sharePercent: share, clock: clock.clock)
      let venue = CoinbaseREST(
        endpoint: endpoint, transport: CannedVenue("[]").transport, pacer: pacer)
      for _ in 0..<100 {
        _ = try await venue.recentTrades(symbol: "A", filter: TradeAgeFilter(ageMaxSeconds: 1), now: now)
      }
      return Double(clock.now) / 1e9
    }
    // 15 at once, then 10 in each second.
    #expect(try await seconds(share: 100) == 8.5)
    #expect(abs(try await seconds(share: 50) - 18.6) < 0.05)
  }

  @Test func `pairs count apart where the venue counts them apart`() async throws {
    let clock = SleepingClock()
    let pacer = RequestPacer(venue: .kraken, clock: clock.clock)
    let venue = KrakenREST(endpoint: endpoint, transport: CannedVenue(ticker).transport, pacer: pacer)
    for pair in 0..<50 { _ = try await venue.ticker(symbol: "C\(pair)/USD", now: now) }
    #expect(clock.slept.isEmpty)
    for _ in 0..<5 { _ = try await venue.ticker(symbol: "C0/USD", now: now) }
    #expect(clock.now == 4_000_000_000)
  }

  @Test func `what costs more waits longer`() async throws {
    let clock = SleepingClock()
    let venue = BinanceREST(
      endpoint: endpoint, transport: CannedVenue("[]").transport,
      pacer: RequestPacer(venue: .binance, clock: clock.clock))
    for _ in 0..<24 {
      _ = try await venue.recentTrades(symbol: "A", filter: TradeAgeFilter(ageMaxSeconds: 1), now: now)
    }
    #expect(clock.now == 0)
    for _ in 0..<36 {
      _ = try await venue.recentTrades(symbol: "A", filter: TradeAgeFilter(ageMaxSeconds: 1), now: now)
    }
    // 36 · 25 units at 5,400 in a minute.
    #expect(clock.now / 1_000_000 == 10_000)
  }

  @Test func `what the venue says of waiting holds for all requests`() async throws {
    let clock = SleepingClock()
    let isAngry = Mutex(true)
    let canned = CannedVenue { (_) throws(HTTPError) in
      guard isAngry.withLock({ $0 }) else { return response("[]") }
      return HTTPResponse(status: 429, headers: ["Retry-After": "3"])
    }
    let pacer = RequestPacer(venue: .binance, clock: clock.clock)
    let venue = BinanceREST(endpoint: endpoint, transport: canned.transport, pacer: pacer)
    let filter = TradeAgeFilter(ageMaxSeconds: 1)
    let error = await failure { () async throws(VenueError) in
      try await venue.recentTrades(symbol: "A", filter: filter, now: now)
    }
    #expect(error?.retryAfterSeconds == 3 && clock.now == 0)
    isAngry.withLock { $0 = false }
    _ = try await venue.recentTrades(symbol: "B", filter: filter, now: now)
    #expect(clock.now == 3_000_000_000 && pacer.counters.blocks == 1)
  }

  @Test func `a long wait fails at once and sends nothing`() async throws {
    let clock = SleepingClock()
    let canned = CannedVenue("access too frequent", status: 403)
    let pacer = RequestPacer(venue: .bybit, clock: clock.clock)
    let venue = BybitREST(endpoint: endpoint, transport: canned.transport, pacer: pacer)
    _ = await failure { () async throws(VenueError) in try await venue.ticker(symbol: "A", now: now) }
    let error = await failure { () async throws(VenueError) in try await venue.ticker(symbol: "A", now: now) }
    #expect(error?.isRetriable == true && error?.retryAfterSeconds == 600)
    #expect(canned.requests.count == 1 && pacer.counters.heldBack == 1)
    clock.advance(seconds: 600)
    _ = await failure { () async throws(VenueError) in try await venue.ticker(symbol: "A", now: now) }
    #expect(canned.requests.count == 2)
  }

  @Test func `who waits can be cancelled`() async throws {
    // Time stands still, and whoever sleeps does so until told otherwise.
    let clock = RequestPacer.Clock(now: { 0 }, wall: { 0 }) { _ throws(CancellationError) in
      do { try await Task.sleep(for: .seconds(3600)) } catch { throw CancellationError() }
    }
    let pacer = RequestPacer(venue: .coingecko, clock: clock)
    let canned = CannedVenue("{\"bitcoin\":{\"usd\":1,\"last_updated_at\":1}}")
    let venue = CoinGeckoREST(endpoint: endpoint, transport: canned.transport, pacer: pacer)
    for _ in 0..<10 { _ = try await venue.price(symbol: "bitcoin") }
    let waiting = Task { await failure { () async throws(VenueError) in try await venue.price(symbol: "bitcoin") } }
    waiting.cancel()
    #expect(await waiting.value?.cause == .cancelled)
    #expect(canned.requests.count == 10)
  }
}
