import Ingesting
import ManualTime
import Market
import Resilience
import Synchronization
import Testing
import Venues

/// Venues by a script, and a clock that stands still until it is told to go on.
private final class Stage: Sendable {
  struct Call: Sendable, Equatable {
    let venue: Venue
    let count: Int64
  }

  let clock = ManualClock()
  let calls = Mutex<[Call]>([])
  let behaviour = Mutex<[Venue: @Sendable (Int) async throws -> Price]>([:])
  private let attempts = Mutex<[Venue: Int]>([:])
  private let start: Timestamp

  init() throws { start = try Timestamp(rfc3339: "2026-07-24T10:00:05Z") }

  var now: Timestamp {
    let (seconds, attoseconds) = clock.now.offset.components
    return start.advanced(byNanoseconds: seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }

  func advance(seconds: Int) async throws {
    let until = clock.now.advanced(by: .seconds(seconds))
    try await clock.run { [clock] in try await clock.sleep(until: until, tolerance: nil) }
  }

  func set(_ venue: Venue, _ body: @escaping @Sendable (Int) async throws -> Price) {
    behaviour.withLock { $0[venue] = body }
  }

  private func price(_ venue: Venue) async throws -> Price {
    let number = attempts.withLock { attempts in
      attempts[venue, default: 0] += 1
      return attempts[venue, default: 0]
    }
    guard let body = behaviour.withLock({ $0[venue] }) else { return Price(raw: 100 * fixedPointScale) }
    return try await body(number)
  }

  func gate(_ venue: Venue) -> RequestGate<ManualClock> {
    RequestGate(
      name: venue.rawValue, breaker: CircuitBreaker(.init(failuresMax: 1000)), clock: clock
    ) { [self] in now.nanoseconds }
  }

  func history(_ venues: [Venue] = [.binance, .coinbase, .kraken], count: Int = 60) -> PriceHistory<ManualClock> {
    let sources = venues.map { venue in
      HistorySource(venue: venue, gate: gate(venue)) { [self] _, span in
        let count = span.upperBound.nanoseconds(since: span.lowerBound) / 60_000_000_000
        calls.withLock { $0.append(Call(venue: venue, count: count)) }
        let price = try await price(venue)
        return (0..<count).map { number in
          Candle(
            start: span.lowerBound.advanced(bySeconds: number * 60), periodSeconds: 60, open: price, high: price,
            low: price, close: price, volume: Volume(raw: 1), isClosed: true)
        }
      }
    }
    let point = PointSource(venue: .coingecko, gate: gate(.coingecko)) { [self] _ in
      calls.withLock { $0.append(Call(venue: .coingecko, count: 0)) }
      return (try await price(.coingecko), now)
    }
    return PriceHistory(
      policy: .init(candleCount: count), sources: sources, points: [point], clock: clock
    ) { [self] in now }
  }

  func ask(_ history: PriceHistory<ManualClock>, reference: Price? = nil) async throws -> RaceOutcome<PriceAnswer> {
    try await clock.run { try await history.answer("BTC", reference: reference) }
  }

  static func unreachable(_ venue: Venue) -> VenueError {
    VenueError(venue: venue, kind: "candles", problem: "timed out", cause: .unreachable)
  }
}

@Suite struct PriceHistoryTests {
  @Test func `a history is fetched once, and then only what is new or still young`() async throws {
    let stage = try Stage()
    let history = stage.history()
    #expect(try await stage.ask(history).value.candles.count == 60)
    #expect(try await stage.ask(history).value.candles.count == 60)
    #expect(stage.calls.withLock { $0 } == [.init(venue: .binance, count: 60)])
    try await stage.advance(seconds: 60)
    let outcome = try await stage.ask(history)
    #expect(outcome.value.time == stage.now.floored(toSeconds: 60) && outcome.source == "binance")
    // Those that were younger than five minutes, and the new one.
    #expect(stage.calls.withLock { $0 }.last == .init(venue: .binance, count: 5))
    try await stage.advance(seconds: 60)
    _ = try await stage.ask(history)
    // All but two came back unchanged: they are final.
    #expect(stage.calls.withLock { $0 }.last == .init(venue: .binance, count: 2))
  }

  @Test func `at least 95 per cent of candles are not fetched, in a history each minute`() async throws {
    let stage = try Stage()
    let history = stage.history()
    for _ in 0..<240 {
      _ = try await stage.ask(history)
      try await stage.advance(seconds: 60)
    }
    let counts = history.counts
    #expect(counts.wanted == 240 * 60)
    #expect(counts.fetched * 20 <= counts.wanted, "\(counts)")
  }

  @Test func `the primary is tried three times, then all others are asked at once`() async throws {
    let stage = try Stage()
    let history = stage.history()
    for venue in [Venue.binance, .coinbase] { stage.set(venue) { _ in throw Stage.unreachable(venue) } }
    let outcome = try await stage.ask(history)
    #expect(outcome.source == "kraken" || outcome.source == "coingecko")
    #expect(stage.calls.withLock { $0.filter { $0.venue == .binance }.count } == 3)
    #expect(stage.clock.now.offset == .seconds(6), "2 s and 4 s of pauses")
    #expect(history.counts.fallbacks == 1)
  }

  @Test func `a timeout is retried, and a primary that is back needs no fallback`() async throws {
    let stage = try Stage()
    let history = stage.history()
    stage.set(.binance) { [clock = stage.clock] number in
      if number < 3 { try await clock.sleep(until: clock.now.advanced(by: .seconds(3600)), tolerance: nil) }
      return .one
    }
    let outcome = try await stage.ask(history)
    #expect(outcome.source == "binance" && stage.clock.now.offset == .seconds(66))
  }

  @Test func `what was asked wrongly is not asked again, and an invalid answer does not win`() async throws {
    let stage = try Stage()
    let history = stage.history()
    stage.set(.binance) { _ in
      throw VenueError(venue: .binance, kind: "candles", problem: "Invalid symbol", cause: .status(400))
    }
    stage.set(.coinbase) { _ in Price(raw: 7) }
    stage.set(.kraken) { [clock = stage.clock] _ in
      try await clock.sleep(until: clock.now.advanced(by: .seconds(5)), tolerance: nil)
      return .one
    }
    stage.set(.coingecko) { _ in throw Stage.unreachable(.coingecko) }
    let outcome = try await stage.ask(history, reference: .one)
    #expect(outcome.source == "kraken")
    #expect(outcome.failures.map(\.source).contains("coinbase"))
    #expect(stage.calls.withLock { $0.filter { $0.venue == .binance }.count } == 1)
  }

  @Test func `a price without candles serves where there is nothing better`() async throws {
    let stage = try Stage()
    let history = stage.history([.binance])
    stage.set(.binance) { _ in throw Stage.unreachable(.binance) }
    let outcome = try await stage.ask(history)
    #expect(outcome.source == "coingecko" && outcome.value.candles.isEmpty)
    stage.set(.coingecko) { _ in throw Stage.unreachable(.coingecko) }
    await #expect(throws: AllSourcesFailed.self) { try await stage.ask(history) }
    #expect(history.counts.failures == 1)
  }

  @Test func `candles that were fetched for another reason are not fetched again`() async throws {
    let stage = try Stage()
    let history = stage.history(count: 2)
    let end = stage.now.floored(toSeconds: 60)
    let candles = (1...2).map { number in
      Candle(
        start: end.advanced(bySeconds: Int64(number - 3) * 60), periodSeconds: 60, open: .one, high: .one, low: .one,
        close: .one, volume: Volume(raw: 1), isClosed: true)
    }
    history.keep(candles, coin: "BTC", venue: .binance)
    #expect(try await stage.ask(history).value.candles == candles)
    #expect(stage.calls.withLock { $0 }.isEmpty)
  }
}

@Suite struct PricingBoardTests {
  private let start = Timestamp(nanoseconds: 1_784_852_700_000_000_000)
  private func good(_ price: Int64) -> Result<RaceOutcome<PriceAnswer>, any Error> {
    .success(
      RaceOutcome(
        value: PriceAnswer(price: Price(raw: price), time: start, candles: []), source: "kraken", failures: []))
  }
  private let bad: Result<RaceOutcome<PriceAnswer>, any Error> = .failure(
    AllSourcesFailed(failures: [SourceFailure(source: "binance", reason: "HTTP 503")]))

  @Test func `fresh, then stale with its reason, then hold, and back again`() {
    var board = PricingBoard(coins: ["BTC", "ETH"], ageMaxSeconds: 600, failuresMax: 3)
    var (snapshot, notices) = board.take(["BTC": good(5), "ETH": good(7)], now: start)
    #expect(snapshot.line == "SNAPSHOT_1_COMPLETE: 2 fresh, 0 stale, 0 failed out of 2 symbols" && notices.isEmpty)
    #expect(board.reference("BTC", now: start.advanced(bySeconds: 600)) == Price(raw: 5))
    for cycle in 1...10 as ClosedRange<Int64> {
      (snapshot, notices) = board.take(["BTC": bad, "ETH": good(7)], now: start.advanced(bySeconds: 60 * cycle))
      #expect(snapshot.line == "SNAPSHOT_\(cycle + 1)_COMPLETE: 1 fresh, 1 stale, 0 failed out of 2 symbols")
      let stale = snapshot.prices.first { $0.coin == "BTC" }
      #expect(stale?.staleReason?.contains("HTTP 503") == true && stale?.source == "kraken")
      #expect(notices.contains { $0.line.hasPrefix("STALE_PRICING_USED BTC") && $0.isWarning })
      #expect(notices.contains { $0.alertSubject == "prices/BTC" } == (cycle == 3))
    }
    (snapshot, notices) = board.take(["BTC": bad, "ETH": good(7)], now: start.advanced(bySeconds: 601))
    #expect(snapshot.line == "SNAPSHOT_12_PARTIAL: 1 fresh, 0 stale, 1 failed out of 2 symbols")
    #expect(snapshot.held.map(\.coin) == ["BTC"] && notices.contains { $0.line.hasPrefix("PRICING_HOLD BTC") })
    #expect(board.reference("BTC", now: start.advanced(bySeconds: 601)) == nil)
    (snapshot, notices) = board.take(["BTC": good(6), "ETH": good(7)], now: start.advanced(bySeconds: 660))
    #expect(snapshot.freshCount == 2)
    #expect(notices.map(\.line) == ["DATA_RECOVERY BTC: prices are back after 11 failures"])
  }

  @Test func `a coin that was never asked for in time has failed`() {
    var board = PricingBoard(coins: ["BTC"], ageMaxSeconds: 600, failuresMax: 3)
    let (snapshot, _) = board.take([:], now: start)
    #expect(snapshot.held.map(\.coin) == ["BTC"])
    #expect(snapshot.line == "SNAPSHOT_1_PARTIAL: 0 fresh, 0 stale, 1 failed out of 1 symbols")
  }
}
