package import Market
package import Resilience
internal import Synchronization
internal import Venues

/// A place that candles can be had from, with the way there.
package struct HistorySource<C: Clock<Duration>>: Sendable {
  /// Who it is.
  package let venue: Venue
  /// The way of its requests.
  package let gate: RequestGate<C>
  /// Fetches the candles of a coin that start in a span, oldest first.
  package let fetch: @Sendable (_ coin: String, _ span: Range<Timestamp>) async throws -> [Candle]

  /// A source by its parts.
  package init(
    venue: Venue, gate: RequestGate<C>,
    fetch: @escaping @Sendable (_ coin: String, _ span: Range<Timestamp>) async throws -> [Candle]
  ) {
    self.venue = venue
    self.gate = gate
    self.fetch = fetch
  }
}

/// A place that tells a price without candles.
package struct PointSource<C: Clock<Duration>>: Sendable {
  /// Who it is.
  package let venue: Venue
  /// The way of its requests.
  package let gate: RequestGate<C>
  /// Fetches the newest price of a coin, with its time.
  package let fetch: @Sendable (_ coin: String) async throws -> (price: Price, time: Timestamp)

  /// A source by its parts.
  package init(
    venue: Venue, gate: RequestGate<C>,
    fetch: @escaping @Sendable (_ coin: String) async throws -> (price: Price, time: Timestamp)
  ) {
    self.venue = venue
    self.gate = gate
    self.fetch = fetch
  }
}

/// What is known of a coin's price at one moment.
package struct PriceAnswer: Sendable, Equatable {
  /// The newest price.
  package var price: Price
  /// For which moment it holds: the end of its candle, or the venue's own time.
  package var time: Timestamp
  /// The candles, oldest first; none from a venue that has no candles.
  package var candles: [Candle]

  /// An answer by its parts.
  package init(price: Price, time: Timestamp, candles: [Candle]) {
    self.price = price
    self.time = time
    self.candles = candles
  }
}

/// The price history of coins: cache, then the primary with its retries, then a race of all others (R1–R3).
package final class PriceHistory<C: Clock<Duration>>: Sendable {
  /// How histories are fetched.
  package struct Policy: Sendable {
    /// The length of a candle in seconds.
    package var periodSeconds: Int64
    /// How many closed candles make a history.
    package var candleCount: Int
    /// The retries of the primary.
    package var primary: RetryProfile
    /// The retries of each fallback.
    package var fallback: RetryProfile
    /// How long cached candles live.
    package var lifetimes: CandleCache<Candle?>.Lifetimes
    /// How far a price may be from the last good one, in per cent.
    package var deviationMaxPercent: Int64
    /// How old a price without candles may be, in seconds.
    package var pointAgeMaxSeconds: Int64 = 300

    /// A policy by its parts.
    package init(
      periodSeconds: Int64 = 60, candleCount: Int = 60, primary: RetryProfile = .patient,
      fallback: RetryProfile = .fast, lifetimes: CandleCache<Candle?>.Lifetimes = .init(),
      deviationMaxPercent: Int64 = 20
    ) {
      self.periodSeconds = periodSeconds
      self.candleCount = candleCount
      self.primary = primary
      self.fallback = fallback
      self.lifetimes = lifetimes
      self.deviationMaxPercent = deviationMaxPercent
    }
  }

  /// What was asked of the cache, and what of the venues.
  package struct Counts: Sendable, Equatable {
    /// Candles that were wanted.
    package var wanted: UInt64 = 0
    /// Candles that were asked of a venue.
    package var fetched: UInt64 = 0
    /// Histories that were wanted.
    package var histories: UInt64 = 0
    /// Requests, retries not counted.
    package var requests: UInt64 = 0
    /// Answers of a fallback.
    package var fallbacks: UInt64 = 0
    /// Histories that nobody had.
    package var failures: UInt64 = 0

    /// Nothing yet.
    package init() {}
  }

  private struct State {
    var cache: CandleCache<Candle?>
    var counts = Counts()
  }

  private let policy: Policy
  private let sources: [HistorySource<C>]
  private let points: [PointSource<C>]
  private let clock: C
  private let wall: @Sendable () -> Timestamp
  private let state: Mutex<State>

  /// - Parameters:
  ///   - policy: how histories are fetched.
  ///   - sources: the primary first.
  ///   - points: take part in the race, for want of something better.
  ///   - clock: what pauses and limits are measured by.
  ///   - wall: the time of day.
  package init(
    policy: Policy, sources: [HistorySource<C>], points: [PointSource<C>], clock: C,
    wall: @escaping @Sendable () -> Timestamp
  ) {
    precondition(!sources.isEmpty, "a price history without a source")
    self.policy = policy
    self.sources = sources
    self.points = points
    self.clock = clock
    self.wall = wall
    state = Mutex(State(cache: CandleCache(lifetimes: policy.lifetimes)))
  }

  /// What happened so far.
  package var counts: Counts { state.withLock { $0.counts } }

  /// The history of a coin up to the candle that closed last.
  /// - Parameters:
  ///   - coin: such as `BTC`.
  ///   - reference: the last good price, young enough to compare with; nil where there is none.
  /// - Returns: the answer, who gave it, and who failed before.
  /// - Throws: `AllSourcesFailed`, or `CancellationError`.
  package func answer(_ coin: String, reference: Price?) async throws -> RaceOutcome<PriceAnswer> {
    let end = wall().floored(toSeconds: policy.periodSeconds)
    let span = end.advanced(bySeconds: -policy.periodSeconds * Int64(policy.candleCount))..<end
    state.withLock { $0.counts.histories += 1 }
    let all = sources.enumerated().map { index, source in
      Source(source.venue.rawValue) { [self] in
        try await history(coin, span, of: source, index == 0 ? policy.primary : policy.fallback)
      }
    }
    let lasts = points.map { source in
      Source(source.venue.rawValue) { [self] in try await point(coin, of: source) }
    }
    do {
      let outcome = try await firstValid(primary: all[0], fallbacks: Array(all.dropFirst()) + lasts) { [self] in
        problem($0, end: end, reference: reference)
      }
      if outcome.source != all[0].name { state.withLock { $0.counts.fallbacks += 1 } }
      return outcome
    } catch {
      if error is AllSourcesFailed { state.withLock { $0.counts.failures += 1 } }
      throw error
    }
  }

  /// Takes candles that were fetched for another reason.
  package func keep(_ candles: [Candle], coin: String, venue: Venue) {
    let now = wall()
    state.withLock { state in
      for candle in candles where candle.isClosed && candle.periodSeconds == policy.periodSeconds {
        state.cache.store(
          candle, exchange: venue, symbol: coin, timeframeSeconds: policy.periodSeconds, at: candle.start,
          isClosed: true, now: now)
      }
    }
  }

  private func history(
    _ coin: String, _ span: Range<Timestamp>, of source: HistorySource<C>, _ profile: RetryProfile
  ) async throws -> PriceAnswer {
    let (known, missing) = look(coin, span, source.venue)
    guard let first = missing.first, let last = missing.last else { return try Self.answer(known) }
    // One request for all: a second one for a hole costs more than the candles between.
    let wanted = first..<last.advanced(bySeconds: policy.periodSeconds)
    let asked = wanted.upperBound.nanoseconds(since: first) / 1_000_000_000 / policy.periodSeconds
    state.withLock { state in
      state.counts.requests += 1
      state.counts.fetched += UInt64(asked)
    }
    let fetched = try await fetching(source, profile, clock: clock, subject: coin) { [coin] in
      try await source.fetch(coin, wanted)
    }
    let fresh = fetched.filter { $0.isClosed && wanted.contains($0.start) }
    store(fresh, coin, wanted, source.venue)
    let kept = known.filter { !wanted.contains($0.start) }
    return try Self.answer((kept + fresh).sorted { $0.start < $1.start })
  }

  private func look(_ coin: String, _ span: Range<Timestamp>, _ venue: Venue) -> ([Candle], missing: [Timestamp]) {
    let now = wall()
    return state.withLock { state in
      var known: [Candle] = []
      var missing: [Timestamp] = []
      var start = span.lowerBound
      while start < span.upperBound {
        let entry = state.cache.candle(
          exchange: venue, symbol: coin, timeframeSeconds: policy.periodSeconds, at: start, now: now)
        switch entry {
        case .some(.some(let candle)): known.append(candle)
        case .some(.none): break
        case .none: missing.append(start)
        }
        state.counts.wanted += 1
        start = start.advanced(bySeconds: policy.periodSeconds)
      }
      return (known, missing)
    }
  }

  private func store(_ candles: [Candle], _ coin: String, _ span: Range<Timestamp>, _ venue: Venue) {
    guard let newest = candles.last?.start else { return }
    let now = wall()
    let byStart = Dictionary(candles.map { ($0.start, $0) }) { first, _ in first }
    state.withLock { state in
      var start = span.lowerBound
      // A period before the newest candle that has none had no trades, which is known, too.
      while start < span.upperBound, start <= newest {
        state.cache.store(
          byStart[start], exchange: venue, symbol: coin, timeframeSeconds: policy.periodSeconds, at: start,
          isClosed: true, now: now)
        start = start.advanced(bySeconds: policy.periodSeconds)
      }
    }
  }

  private func point(_ coin: String, of source: PointSource<C>) async throws -> PriceAnswer {
    state.withLock { $0.counts.requests += 1 }
    let point = try await fetching(
      HistorySource(venue: source.venue, gate: source.gate) { _, _ in [] }, policy.fallback, clock: clock,
      subject: coin
    ) {
      let (price, time) = try await source.fetch(coin)
      return PriceAnswer(price: price, time: time, candles: [])
    }
    return point
  }

  private static func answer(_ candles: [Candle]) throws -> PriceAnswer {
    guard let last = candles.last else { throw NoCandles() }
    return PriceAnswer(
      price: last.close, time: last.start.advanced(bySeconds: last.periodSeconds), candles: candles)
  }

  /// What is wrong with an answer; nil for a good one.
  private func problem(_ answer: PriceAnswer, end: Timestamp, reference: Price?) -> String? {
    guard answer.price.raw > 0 else { return "a price of \(answer.price)" }
    let age = end.nanoseconds(since: answer.time) / 1_000_000_000
    let ageMax = answer.candles.isEmpty ? policy.pointAgeMaxSeconds : 2 * policy.periodSeconds
    guard age <= ageMax else { return "the newest price is of \(answer.time)" }
    if let reference {
      let difference = Int128((answer.price.raw - reference.raw).magnitude)
      guard difference * 100 <= Int128(reference.raw) * Int128(policy.deviationMaxPercent) else {
        return "a price of \(answer.price) where \(reference) was the last good one"
      }
    }
    return nil
  }
}

/// A venue that answered without a candle.
struct NoCandles: Error, CustomStringConvertible {
  var description: String { "no closed candle" }
}

/// Sends a request through its source's gate, with retries.
package func fetching<Value: Sendable, C: Clock<Duration>>(
  _ source: HistorySource<C>, _ profile: RetryProfile, clock: C, subject: String,
  _ operation: @escaping @Sendable () async throws -> Value
) async throws -> Value {
  // The gate limits each attempt.
  var patient = profile
  patient.attemptLimitNanoseconds = 3_600_000_000_000
  return try await retrying(patient, subject: subject, clock: clock, verdict: VenueFaults.retryVerdict) {
    do {
      return try await source.gate.pass(
        limitNanoseconds: profile.attemptLimitNanoseconds, verdict: VenueFaults.gateVerdict, operation)
    } catch let error as AttemptTimedOut {
      throw timedOut(error, source.venue)
    }
  }
}
