import Foundation
import Market
import Synchronization
import TestSupport
import Testing
import Venues
import Web

/// What the processes of one machine spend together.
@Suite struct SharedBudgetTests {
  private let now = time("2026-07-24T00:00:00Z")
  private let endpoint = Endpoint("http://venue", runDirectory: "/nowhere")
  private let filter = TradeAgeFilter(ageMaxSeconds: 1)

  private func coinbase(
    _ scratch: ScratchDirectory, _ clock: SleepingClock, _ venue: VenueTransport
  ) throws -> CoinbaseREST {
    let pacer = try RequestPacer(venue: .coinbase, sharedAt: scratch.path + "/coinbase", clock: clock.clock)
    return CoinbaseREST(endpoint: endpoint, transport: venue, pacer: pacer)
  }

  @Test func `any number of shards stays within the venue's limit, also those that come later`() async throws {
    let scratch = ScratchDirectory()
    let clock = SleepingClock()
    let sent = Mutex<[Int64]>([])
    let transport = VenueTransport { (_) throws(HTTPError) in
      sent.withLock { $0.append(clock.now) }
      return response("[]")
    }
    var shards = [try coinbase(scratch, clock, transport)]
    for round in 0..<400 {
      // Each has the file open for itself, as processes have.
      if round % 100 == 99 { shards.append(try coinbase(scratch, clock, transport)) }
      _ = try await shards[round % shards.count].recentTrades(symbol: "A", filter: filter, now: now)
    }
    let times = sent.withLock { $0 }
    #expect(times.count == 400 && shards.count == 5)
    for (index, start) in times.enumerated() {
      // A bucket of 15 that is filled with 10 in each second: what the venue itself counts by.
      #expect(times[index...].prefix { $0 < start + 1_000_000_000 }.count <= 25)
      #expect(times[index...].prefix { $0 < start + 10_000_000_000 }.count <= 115)
    }
    // And they get what there is: (400 − 15) ÷ 10.
    #expect(clock.now == 38_500_000_000)
  }

  @Test func `what one is told of waiting holds for all, and for who starts anew`() async throws {
    let scratch = ScratchDirectory()
    let clock = SleepingClock()
    let angry = CannedVenue { (_) throws(HTTPError) in HTTPResponse(status: 418, headers: ["Retry-After": "60"]) }
    let content = CannedVenue("[]")
    let first = try coinbase(scratch, clock, angry.transport)
    let second = try coinbase(scratch, clock, content.transport)
    _ = await failure { () async throws(VenueError) in
      try await first.recentTrades(symbol: "A", filter: filter, now: now)
    }
    for shard in [second, try coinbase(scratch, clock, content.transport)] {
      let error = await failure { () async throws(VenueError) in
        try await shard.recentTrades(symbol: "A", filter: filter, now: now)
      }
      #expect(error?.cause == .heldBack && error?.retryAfterSeconds == 60 && error?.isRetriable == true)
    }
    #expect(content.requests.isEmpty)
    clock.advance(seconds: 56)
    _ = try await second.recentTrades(symbol: "A", filter: filter, now: now)
    #expect(clock.now == 60_000_000_000 && content.requests.count == 1)
  }

  @Test func `many threads at once take no unit twice`() async throws {
    let scratch = ScratchDirectory()
    // Time stands still: what is not refused goes at once or waits, and nobody gets what another has.
    let waits = Mutex<[Int64]>([])
    let clock = RequestPacer.Clock(now: { 1_000_000_000 }, wall: { 0 }) { nanoseconds throws(CancellationError) in
      waits.withLock { $0.append(nanoseconds) }
    }
    let path = scratch.path + "/binance"
    let endpoint = endpoint
    let (now, filter) = (now, filter)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          guard let pacer = try? RequestPacer(venue: .binance, sharedAt: path, clock: clock) else { return }
          let venue = BinanceREST(endpoint: endpoint, transport: CannedVenue("[]").transport, pacer: pacer)
          for _ in 0..<10 { _ = try? await venue.recentTrades(symbol: "A", filter: filter, now: now) }
        }
      }
    }
    // 80 requests of 25 units, 600 at once: 56 wait, each for a moment of its own.
    let all = waits.withLock { $0 }.sorted()
    #expect(all.count == 56 && Set(all).count == 56)
    let longest: Int64 = 56 * 25 * 11_111_112
    #expect(all.max() == longest)
  }

  @Test func `a request whose turn would come too late is not sent and takes nothing`() async throws {
    let clock = RequestPacer.Clock(now: { 0 }, wall: { 0 }) { _ throws(CancellationError) in }
    let canned = CannedVenue("{\"bitcoin\":{\"usd\":1,\"last_updated_at\":1}}")
    let pacer = RequestPacer(venue: .coingecko, clock: clock)
    let venue = CoinGeckoREST(endpoint: endpoint, transport: canned.transport, pacer: pacer)
    // Ten at once, and two more within the 6 s for which a request to this venue waits.
    for _ in 0..<12 { _ = try await venue.price(symbol: "bitcoin") }
    for _ in 0..<5 {
      let error = await failure { () async throws(VenueError) in try await venue.price(symbol: "bitcoin") }
      #expect(error?.cause == .heldBack && error?.retryAfterSeconds == 9)
    }
    #expect(canned.requests.count == 12)
    #expect(pacer.counters.heldBack == 5 && pacer.counters.passed == 12 && pacer.counters.delayed == 2)
  }

  @Test func `memory of a clock before a reboot holds nobody up`() async throws {
    let scratch = ScratchDirectory()
    let late = SleepingClock()
    late.advance(seconds: 90 * 86_400)
    let transport = CannedVenue("[]").transport
    let before = try coinbase(scratch, late, transport)
    for _ in 0..<20 { _ = try await before.recentTrades(symbol: "A", filter: filter, now: now) }
    let clock = SleepingClock()
    let after = try coinbase(scratch, clock, transport)
    for _ in 0..<15 { _ = try await after.recentTrades(symbol: "A", filter: filter, now: now) }
    #expect(clock.slept.isEmpty)
  }

  @Test(
    arguments: [
      ("7", 7), ("0", 0), ("-1", nil), ("soon", nil), ("", nil),
      ("Fri, 24 Jul 2026 00:01:30 GMT", 90), ("Friday, 24-Jul-26 00:01:30 GMT", 90), ("Fri Jul 24 00:01:30 2026", 90),
      ("Thu, 23 Jul 2026 00:00:00 GMT", 0), ("Fri, 24 Jul 2026 00:01:30", nil), ("Fri, 24 Foo 2026 00:01:30 GMT", nil),
    ] as [(String, Int?)])
  func `Retry-After is a number of seconds or a moment`(_ text: String, _ seconds: Int?) async throws {
    let canned = CannedVenue { (_) throws(HTTPError) in
      HTTPResponse(status: 503, headers: ["Retry-After": text, "Date": "Fri, 24 Jul 2026 00:00:00 GMT"])
    }
    let venue = BinanceREST(endpoint: endpoint, transport: canned.transport)
    let error = await failure { () async throws(VenueError) in
      try await venue.recentTrades(symbol: "A", filter: filter, now: now)
    }
    #expect(error?.retryAfterSeconds == seconds)
  }
}
