internal import Synchronization

/// What an error says about the venue.
public struct GateVerdict: Hashable, Sendable {
  /// Whether the venue failed: a timeout, a lost connection, a 5xx, an answer that is none.
  ///
  /// A request that it refused for good reason is no failure of its.
  public var isVenueFault: Bool
  /// How long it asks us to wait, in nanoseconds; 0 where it does not.
  public var waitNanoseconds: Int64

  /// A verdict by its parts.
  public init(isVenueFault: Bool, waitNanoseconds: Int64 = 0) {
    self.isVenueFault = isVenueFault
    self.waitNanoseconds = waitNanoseconds
  }
}

/// A request that was not sent.
public enum GateClosed: Error, Hashable, CustomStringConvertible {
  /// The venue has failed too often.
  case breakerOpen(name: String)
  /// Its turn would come only after so long: the venue has had enough of us, or many others wait.
  case blocked(name: String, nanoseconds: Int64)

  /// For people.
  public var description: String {
    switch self {
    case .breakerOpen(let name): "\(name): the circuit breaker is open"
    case .blocked(let name, let nanoseconds):
      "\(name): no request is due for another \(nanoseconds / 1_000_000_000) s"
    }
  }
}

/// The way of all requests to one venue: its rate limit, then its circuit breaker, then the limit of one attempt.
///
/// Safe to use from any task.
public final class RequestGate<C: Clock<Duration>>: Sendable {
  private struct State {
    var limiters: [String: RateLimiter] = [:]
    var budget: RateLimiter.Budget
    var breaker: CircuitBreaker
    /// Until when the venue wants nothing, from any bucket: it counts by address.
    var blockedUntil: Int64 = 0
    var refused: UInt64 = 0
    var sent: UInt64 = 0
    var failed: UInt64 = 0
  }

  /// Whose it is, for messages.
  public let name: String
  private let clock: C
  private let start: C.Instant
  private let wall: @Sendable () -> Int64
  private let patienceNanoseconds: Int64
  private let state: Mutex<State>

  /// A gate.
  /// - Parameters:
  ///   - name: for messages.
  ///   - budget: what the venue allows.
  ///   - breaker: as it was before a restart, or a closed one.
  ///   - patienceSeconds: a request that would have to wait longer for its turn is not sent at all.
  ///   - clock: what waiting is measured by.
  ///   - wall: the time of day in nanoseconds since 1970, by which the breaker counts.
  public init(
    name: String, budget: RateLimiter.Budget, breaker: CircuitBreaker, patienceSeconds: Int64 = 60, clock: C,
    wall: @escaping @Sendable () -> Int64
  ) {
    self.name = name
    self.clock = clock
    self.wall = wall
    start = clock.now
    patienceNanoseconds = patienceSeconds * 1_000_000_000
    state = Mutex(State(budget: budget, breaker: breaker))
  }

  /// The breaker as it is.
  public var breaker: CircuitBreaker { state.withLock { $0.breaker } }
  /// How many requests were sent, how many of them failed, and how many were not sent.
  public var counts: (sent: UInt64, failed: UInt64, refused: UInt64) {
    state.withLock { ($0.sent, $0.failed, $0.refused) }
  }

  /// Gives all buckets another budget, such as a smaller part when there are more shards.
  public func setBudget(_ budget: RateLimiter.Budget) {
    state.withLock { state in
      state.budget = budget
      for key in Array(state.limiters.keys) { state.limiters[key]?.budget = budget }
    }
  }

  /// Sends a request when its turn has come.
  /// - Parameters:
  ///   - cost: what it costs in the venue's units.
  ///   - bucket: requests of one bucket share a budget; a venue that counts by pair has one for each.
  ///   - limitNanoseconds: how long the request itself may take; waiting for its turn does not count.
  ///   - verdict: what an error means.
  ///   - operation: the request; it is cancelled at its limit, and when the caller is.
  /// - Returns: what it returned.
  /// - Throws: `GateClosed` where it was not sent, `AttemptTimedOut`, `CancellationError`, or what it threw.
  public func pass<Value: Sendable>(
    cost: Int64 = 1, bucket: String = "", limitNanoseconds: Int64, verdict: @Sendable (any Error) -> GateVerdict,
    _ operation: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    let wait = try turn(cost: cost, bucket: bucket)
    if wait > 0 { try await clock.sleep(until: clock.now.advanced(by: .nanoseconds(wait)), tolerance: nil) }
    let isAdmitted = state.withLock { state in
      let isAdmitted = state.breaker.admits(now: wall())
      if isAdmitted { state.sent += 1 } else { state.refused += 1 }
      return isAdmitted
    }
    guard isAdmitted else { throw GateClosed.breakerOpen(name: name) }
    do {
      let value = try await limited(limitNanoseconds, clock: clock, operation)
      state.withLock { $0.breaker.succeed() }
      return value
    } catch {
      // Nobody waits for the answer any more: that says nothing about the venue.
      guard !Task.isCancelled else { throw error }
      note(error is AttemptTimedOut ? GateVerdict(isVenueFault: true) : verdict(error))
      throw error
    }
  }

  private func turn(cost: Int64, bucket: String) throws(GateClosed) -> Int64 {
    let now = monotonic
    let (wait, blocked): (Int64, Int64) = state.withLock { state in
      // A breaker that is open lets nobody wait for a turn that does not come.
      let isShut = state.breaker.state == .open && wall() < state.breaker.memory.openUntil
      let blocked = max(0, state.blockedUntil - now)
      guard !isShut, blocked <= patienceNanoseconds else {
        state.refused += 1
        return (0, isShut ? -1 : blocked)
      }
      var limiter = state.limiters[bucket] ?? RateLimiter(state.budget, now: now)
      let wait = max(limiter.take(cost, now: now), blocked)
      // Who would wait too long takes nothing, so that a queue never grows beyond that.
      guard wait <= patienceNanoseconds else {
        state.refused += 1
        return (0, wait)
      }
      state.limiters[bucket] = limiter
      return (wait, 0)
    }
    if blocked < 0 { throw .breakerOpen(name: name) }
    if blocked > 0 { throw .blocked(name: name, nanoseconds: blocked) }
    return wait
  }

  private func note(_ verdict: GateVerdict) {
    let now = monotonic
    state.withLock { state in
      if verdict.isVenueFault {
        state.failed += 1
        state.breaker.fail(now: wall())
      } else {
        state.breaker.succeed()
      }
      state.blockedUntil = max(
        state.blockedUntil, now.addingReportingOverflow(max(0, verdict.waitNanoseconds)).partialValue)
    }
  }

  private var monotonic: Int64 {
    let (seconds, attoseconds) = start.duration(to: clock.now).components
    return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
  }
}
