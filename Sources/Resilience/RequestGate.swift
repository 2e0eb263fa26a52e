internal import Synchronization

/// What an error says about the venue.
public enum GateVerdict: Hashable, Sendable {
  /// The venue failed: a timeout, a lost connection, a 5xx, an answer that is none.
  case failed
  /// It answered: a request that it refused for good reason is no failure of its.
  case answered
  /// It was not asked: the request was held back on our side.
  case notSent
}

/// A request that was not sent, because the venue has failed too often.
public struct BreakerOpen: Error, Hashable, CustomStringConvertible {
  /// The venue's name.
  public let name: String

  /// An error by the venue's name.
  public init(name: String) { self.name = name }

  /// For people.
  public var description: String { "\(name): the circuit breaker is open" }
}

/// The way of all requests to one venue: its circuit breaker, then the limit of one attempt.
///
/// How many requests a venue gets is not decided here but where they are sent, by what each of them costs. Safe to use
/// from any task.
public final class RequestGate<C: Clock<Duration>>: Sendable {
  private struct State {
    var breaker: CircuitBreaker
    var refused: UInt64 = 0
    var sent: UInt64 = 0
    var failed: UInt64 = 0
  }

  /// Whose it is, for messages.
  public let name: String
  private let clock: C
  private let wall: @Sendable () -> Int64
  private let state: Mutex<State>

  /// A gate.
  /// - Parameters:
  ///   - name: for messages.
  ///   - breaker: as it was before a restart, or a closed one.
  ///   - clock: what the limit of an attempt is measured by.
  ///   - wall: the time of day in nanoseconds since 1970, by which the breaker counts.
  public init(name: String, breaker: CircuitBreaker, clock: C, wall: @escaping @Sendable () -> Int64) {
    self.name = name
    self.clock = clock
    self.wall = wall
    state = Mutex(State(breaker: breaker))
  }

  /// The breaker as it is.
  public var breaker: CircuitBreaker { state.withLock { $0.breaker } }
  /// How many requests were sent, how many of them failed, and how many were not sent.
  public var counts: (sent: UInt64, failed: UInt64, refused: UInt64) {
    state.withLock { ($0.sent, $0.failed, $0.refused) }
  }

  /// Sends a request where the breaker lets it.
  /// - Parameters:
  ///   - limitNanoseconds: how long it may take.
  ///   - verdict: what an error means.
  ///   - operation: the request; it is cancelled at its limit, and when the caller is.
  /// - Returns: what it returned.
  /// - Throws: `BreakerOpen` where it was not sent, `AttemptTimedOut`, `CancellationError`, or what it threw.
  public func pass<Value: Sendable>(
    limitNanoseconds: Int64, verdict: @Sendable (any Error) -> GateVerdict,
    _ operation: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    let isAdmitted = state.withLock { state in
      let isAdmitted = state.breaker.admits(now: wall())
      if isAdmitted { state.sent += 1 } else { state.refused += 1 }
      return isAdmitted
    }
    guard isAdmitted else { throw BreakerOpen(name: name) }
    do {
      let value = try await limited(limitNanoseconds, clock: clock, operation)
      state.withLock { $0.breaker.succeed() }
      return value
    } catch {
      // Nobody waits for the answer any more: that says nothing about the venue.
      note(Task.isCancelled ? nil : error is AttemptTimedOut ? .failed : verdict(error))
      throw error
    }
  }

  private func note(_ verdict: GateVerdict?) {
    state.withLock { state in
      switch verdict {
      case .failed:
        state.failed += 1
        state.breaker.fail(now: wall())
      case .answered: state.breaker.succeed()
      case .notSent:
        state.sent -= 1
        state.refused += 1
        state.breaker.withdraw()
      case nil: state.breaker.withdraw()
      }
    }
  }
}
