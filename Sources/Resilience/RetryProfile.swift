/// How often something is tried, and how long between the tries; all durations in nanoseconds.
public struct RetryProfile: Hashable, Sendable {
  /// How many attempts there are, the first among them; at least 1.
  public var attemptsMax: Int
  /// The pause after the first attempt; each further pause is `factor` times as long.
  public var pauseFirstNanoseconds: Int64
  /// By how much a pause grows.
  public var factor: Int64
  /// The longest pause, jitter not counted.
  public var pauseMaxNanoseconds: Int64
  /// How much is added to a pause at most, at random.
  public var jitterMaxNanoseconds: Int64
  /// After so long an attempt counts as failed, and is cancelled.
  public var attemptLimitNanoseconds: Int64

  /// A profile by its parts.
  public init(
    attemptsMax: Int, pauseFirstNanoseconds: Int64, factor: Int64, pauseMaxNanoseconds: Int64,
    jitterMaxNanoseconds: Int64, attemptLimitNanoseconds: Int64
  ) {
    precondition(attemptsMax >= 1 && factor >= 1, "a retry profile without an attempt")
    self.attemptsMax = attemptsMax
    self.pauseFirstNanoseconds = pauseFirstNanoseconds
    self.factor = factor
    self.pauseMaxNanoseconds = pauseMaxNanoseconds
    self.jitterMaxNanoseconds = jitterMaxNanoseconds
    self.attemptLimitNanoseconds = attemptLimitNanoseconds
  }

  /// Three attempts, 2 s and 4 s apart, each of at most 30 s.
  public static let patient = RetryProfile(
    attemptsMax: 3, pauseFirstNanoseconds: 2_000_000_000, factor: 2, pauseMaxNanoseconds: 60_000_000_000,
    jitterMaxNanoseconds: 0, attemptLimitNanoseconds: 30_000_000_000)

  /// Three attempts for market data: 100 ms · 2ⁿ and up to 100 ms of jitter apart, at most 1 s.
  public static let fast = RetryProfile(
    attemptsMax: 3, pauseFirstNanoseconds: 100_000_000, factor: 2, pauseMaxNanoseconds: 1_000_000_000,
    jitterMaxNanoseconds: 100_000_000, attemptLimitNanoseconds: 30_000_000_000)

  /// The pause after an attempt that failed.
  /// - Parameters:
  ///   - attempt: which one, from 1.
  ///   - random: where the jitter comes from.
  /// - Returns: nanoseconds; nil where there is no further attempt.
  public func pause(after attempt: Int, random: UInt64) -> Int64? {
    guard attempt < attemptsMax else { return nil }
    var pause = pauseFirstNanoseconds
    for _ in 1..<max(attempt, 1) where pause < pauseMaxNanoseconds {
      let (grown, overflow) = pause.multipliedReportingOverflow(by: factor)
      pause = overflow ? pauseMaxNanoseconds : grown
    }
    pause = min(pause, pauseMaxNanoseconds)
    guard jitterMaxNanoseconds > 0 else { return pause }
    return pause + Int64(random % UInt64(jitterMaxNanoseconds + 1))
  }
}

/// What is to be done after an attempt that failed.
public enum RetryVerdict: Hashable, Sendable {
  /// Try again after the profile's pause: a timeout, a lost connection, a 5xx.
  case retry
  /// Try again, but not before so many nanoseconds: a 429 or 418 with `Retry-After`.
  case wait(nanoseconds: Int64)
  /// Do not try again: what was asked for was wrong.
  case giveUp
}
