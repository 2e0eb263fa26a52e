import Dispatch
import Glibc
import Ingesting
import ManualTime
import Market
import Resilience
import Synchronization
import Venues

/// `resilience.*`: a simulated day of price histories with the policies of the real process, a clock that is moved by
/// hand, and venues that fail by a seeded script.
enum ResilienceBenchmark {
  static let names =
    ["1m", "5m", "15m"].flatMap { ["resilience.saved.candles.\($0)", "resilience.saved.requests.\($0)"] } + [
      "resilience.failure_rate", "resilience.usable_cycles",
    ]

  static func run(_ bench: Bench) throws -> [Figure] {
    var figures: [Figure] = []
    for (name, period) in [("1m", 60), ("5m", 300), ("15m", 900)] as [(String, Int64)]
    where bench.wants("resilience.saved.candles.\(name)") || bench.wants("resilience.saved.requests.\(name)") {
      let day = Day(periodSeconds: period, failsPercent: 0)
      let counts = waiting { try await day.run(cycles: 1440) }.counts
      let candles = 100 * (1 - Double(counts.fetched) / Double(max(1, counts.wanted)))
      let requests = 100 * (1 - Double(counts.requests) / Double(max(1, counts.histories)))
      figures.append(
        Figure(
          "resilience.saved.candles.\(name)", "%", better: .higher, ours: [candles],
          note: "of \(counts.wanted) candles \(counts.fetched) were fetched; at least 95 is wanted"))
      figures.append(
        Figure(
          "resilience.saved.requests.\(name)", "%", better: .higher, ours: [requests],
          note: "\(counts.requests) requests for \(counts.histories) histories of 60 candles, one each minute"))
    }
    guard bench.wants("resilience.failure_rate") || bench.wants("resilience.usable_cycles") else { return figures }
    let day = Day(periodSeconds: 60, failsPercent: 18)
    let result = waiting { try await day.run(cycles: 1440) }
    figures.append(
      Figure(
        "resilience.failure_rate", "%", better: .lower,
        ours: [100 * Double(result.counts.failures) / Double(max(1, result.counts.histories))],
        note:
          "\(result.counts.failures) of \(result.counts.histories) histories that nobody had; 18 % of the primary's "
          + "requests time out, 5 % of the fallbacks' fail; \(result.counts.fallbacks) by a fallback; < 0.1 is wanted"))
    figures.append(
      Figure(
        "resilience.usable_cycles", "%", better: .higher,
        ours: [100 * Double(result.usable) / Double(max(1, result.cycles))],
        note: "\(result.usable) of \(result.cycles) cycles had all prices, fresh or younger than 600 s; 99.9 is wanted")
    )
    return figures
  }

  /// Runs a task from the benchmark's own thread, which has nothing else to do.
  private static func waiting(_ body: @escaping @Sendable () async throws -> DayResult) -> DayResult {
    let result = Mutex(DayResult())
    let isDone = DispatchSemaphore(value: 0)
    Task {
      let value = (try? await body()) ?? DayResult()
      result.withLock { $0 = value }
      isDone.signal()
    }
    isDone.wait()
    return result.withLock { $0 }
  }
}

/// What a day came to.
private struct DayResult: Sendable {
  var counts = PriceHistory<ManualClock>.Counts()
  var cycles = 0
  var usable = 0
}

/// A day of one coin's price histories, one each minute.
private final class Day: Sendable {
  private let clock = ManualClock()
  private let periodSeconds: Int64
  private let failsPercent: UInt64
  private let random = Mutex<UInt64>(7)
  private let start = Timestamp(nanoseconds: 1_784_852_705_000_000_000)

  init(periodSeconds: Int64, failsPercent: UInt64) {
    self.periodSeconds = periodSeconds
    self.failsPercent = failsPercent
  }

  private var now: Timestamp {
    let (seconds, attoseconds) = clock.now.offset.components
    return start.advanced(byNanoseconds: seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }

  /// The next of a seeded row (SplitMix64), 0 to 99.
  private func percent() -> UInt64 {
    random.withLock { state in
      state &+= 0x9E37_79B9_7F4A_7C15
      var mixed = state
      mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
      return (mixed ^ (mixed >> 31)) % 100
    }
  }

  private func source(_ venue: Venue) -> HistorySource<ManualClock> {
    let gate = RequestGate(
      name: venue.rawValue,
      breaker: CircuitBreaker(CircuitBreaker.Policy()), clock: clock
    ) { [self] in now.nanoseconds }
    return HistorySource(venue: venue, gate: gate) { [self] _, span in
      let isPrimary = venue == .binance
      if failsPercent > 0, percent() < (isPrimary ? failsPercent : 5) {
        // The primary hangs until its limit; the others say at once that they cannot.
        guard isPrimary else {
          throw VenueError(venue: venue, kind: "candles", problem: "HTTP 503", cause: .status(503))
        }
        try await clock.sleep(until: clock.now.advanced(by: .seconds(3600)), tolerance: nil)
      }
      let count = span.upperBound.nanoseconds(since: span.lowerBound) / 1_000_000_000 / periodSeconds
      return (0..<count).map { number in
        Candle(
          start: span.lowerBound.advanced(bySeconds: number * periodSeconds), periodSeconds: periodSeconds,
          open: .one, high: .one, low: .one, close: .one, volume: Volume(raw: 1), isClosed: true)
      }
    }
  }

  func run(cycles: Int) async throws -> DayResult {
    let history = PriceHistory(
      policy: .init(periodSeconds: periodSeconds), sources: [.binance, .coinbase, .kraken, .okx, .bybit].map(source),
      points: [], clock: clock
    ) { [self] in now }
    var board = PricingBoard(coins: ["BTC"], ageMaxSeconds: 600, failuresMax: 3)
    var result = DayResult()
    for cycle in 1...cycles {
      let reference = board.reference("BTC", now: now)
      let answer: Result<RaceOutcome<PriceAnswer>, any Error>
      do {
        answer = .success(try await clock.run { try await history.answer("BTC", reference: reference) })
      } catch {
        answer = .failure(error)
      }
      let (snapshot, _) = board.take(["BTC": answer], now: now)
      result.cycles += 1
      if snapshot.held.isEmpty { result.usable += 1 }
      // The next minute; one that took longer is followed at once.
      let next = ManualClock.Instant(offset: .seconds(60 * cycle))
      if next > clock.now { try await clock.run { [clock] in try await clock.sleep(until: next, tolerance: nil) } }
    }
    result.counts = history.counts
    return result
  }
}
