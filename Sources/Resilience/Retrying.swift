internal import Daemon
internal import Synchronization

/// Where the tasks of this room run.
///
/// A task that nobody awaits does not inherit its maker's executor, so it is handed on here.
package enum TaskPlace {
  /// The executor; nil, as always outside a simulated time, for the program's own threads.
  @TaskLocal package static var executor: (any TaskExecutor)?
}

/// An attempt that took longer than its profile allows.
public struct AttemptTimedOut: Error, Hashable, CustomStringConvertible {
  /// The limit, in nanoseconds.
  public let limitNanoseconds: Int64

  /// For people.
  public var description: String { "no answer within \(limitNanoseconds / 1_000_000) ms" }
}

/// Tries something until it succeeds, by a profile.
///
/// - Parameters:
///   - profile: how often, and how long between.
///   - subject: what stands in the log, such as a symbol.
///   - clock: what pauses and limits are measured by.
///   - verdict: what an error means; `AttemptTimedOut` is always worth another attempt.
///   - operation: one attempt; it is cancelled when its limit has passed.
/// - Returns: what the first attempt that succeeded returned.
/// - Throws: the last attempt's error, or `CancellationError` where the caller was cancelled.
public func retrying<Value: Sendable, C: Clock<Duration>>(
  _ profile: RetryProfile, subject: String, clock: C,
  verdict: @Sendable (any Error) -> RetryVerdict,
  operation: @escaping @Sendable () async throws -> Value
) async throws -> Value {
  var attempt = 1
  while true {
    do {
      return try await limited(profile.attemptLimitNanoseconds, clock: clock, operation)
    } catch let error {
      try Task.checkCancellation()
      let decision = error is AttemptTimedOut ? .retry : verdict(error)
      guard decision != .giveUp, let planned = profile.pause(after: attempt, random: .random(in: 0...UInt64.max)) else {
        throw error
      }
      var pause = planned
      if case .wait(let least) = decision { pause = max(planned, least) }
      Log.warning(
        "DATA_RETRY \(subject) attempt \(attempt)/\(profile.attemptsMax), retry in \(pause / 1_000_000) ms: \(error)")
      try await clock.sleep(until: clock.now.advanced(by: .nanoseconds(pause)), tolerance: nil)
      attempt += 1
    }
  }
}

/// Runs something, and cancels it when its limit has passed.
///
/// - Parameters:
///   - limitNanoseconds: how long it may take.
///   - clock: what that is measured by.
///   - operation: what is run.
/// - Returns: what it returned.
/// - Throws: `AttemptTimedOut`, or what the operation threw.
public func limited<Value: Sendable, C: Clock<Duration>>(
  _ limitNanoseconds: Int64, clock: C, _ operation: @escaping @Sendable () async throws -> Value
) async throws -> Value {
  let outcome = Rendezvous<Value>()
  let work = Task(executorPreference: TaskPlace.executor) {
    do { outcome.settle(.success(try await operation())) } catch { outcome.settle(.failure(error)) }
  }
  let timer = Task(executorPreference: TaskPlace.executor) {
    try await clock.sleep(until: clock.now.advanced(by: .nanoseconds(limitNanoseconds)), tolerance: nil)
    outcome.settle(.failure(AttemptTimedOut(limitNanoseconds: limitNanoseconds)))
  }
  defer {
    work.cancel()
    timer.cancel()
  }
  return try await withTaskCancellationHandler {
    try await outcome.value()
  } onCancel: {
    outcome.settle(.failure(CancellationError()))
  }
}

/// Where one task waits for the first of several to say something; what comes later is dropped.
///
/// A task group would wait for those that were cancelled, too, however long they take to notice.
final class Rendezvous<Value: Sendable>: Sendable {
  private enum State {
    case open
    case waiting(CheckedContinuation<Value, any Error>)
    case settled(Result<Value, any Error>)
    case taken
  }

  private let state = Mutex(State.open)

  /// Says it; the first one counts.
  func settle(_ result: Result<Value, any Error>) {
    let waiting: CheckedContinuation<Value, any Error>? = state.withLock { state in
      switch state {
      case .open:
        state = .settled(result)
        return nil
      case .waiting(let continuation):
        state = .taken
        return continuation
      case .settled, .taken: return nil
      }
    }
    waiting?.resume(with: result)
  }

  /// Waits for the first word; once only.
  func value() async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      let result: Result<Value, any Error>? = state.withLock { state in
        switch state {
        case .open:
          state = .waiting(continuation)
          return nil
        case .settled(let result):
          state = .taken
          return result
        case .waiting, .taken: preconditionFailure("two wait for one word")
        }
      }
      if let result { continuation.resume(with: result) }
    }
  }
}
