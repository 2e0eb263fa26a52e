public import Market

/// The last good answer to one question, and what may be done with it while no new one comes.
///
/// A pure value: fresh → stale, while the age is within the limit → hold; any success makes it fresh.
public struct LastGood<Value: Sendable>: Sendable {
  /// What may be used now.
  public enum Answer: Sendable {
    /// The newest answer, from a fetch that succeeded.
    case fresh(Value)
    /// The last good one; `reason` says why there is no newer one.
    case stale(Value, since: Timestamp, reason: String)
    /// Nothing that may be traded on.
    case hold(reason: String)
  }

  /// What a change calls for.
  public enum Notice: Hashable, Sendable {
    /// Fetches have failed so many times in a row: tell people.
    case alert(failures: Int)
    /// A fetch succeeded after so many failures.
    case recovered(failures: Int)
  }

  /// How old the last good answer may be, in nanoseconds.
  public let ageMaxNanoseconds: Int64
  /// After so many failures in a row an alert is sent, once.
  public let failuresMax: Int
  /// Failures in a row.
  public private(set) var failures = 0
  private var value: Value?
  private var time = Timestamp(nanoseconds: 0)
  private var reason = "never fetched"

  /// Nothing known yet.
  /// - Parameters:
  ///   - ageMaxSeconds: how old the last good answer may be.
  ///   - failuresMax: after so many failures in a row an alert is sent.
  public init(ageMaxSeconds: Int64 = 600, failuresMax: Int = 3) {
    ageMaxNanoseconds = ageMaxSeconds * 1_000_000_000
    self.failuresMax = failuresMax
  }

  /// Takes a good answer.
  /// - Returns: what is to be told; nil for nothing.
  public mutating func succeed(_ value: Value, at time: Timestamp) -> Notice? {
    defer { failures = 0 }
    self.value = value
    self.time = time
    return failures > 0 ? .recovered(failures: failures) : nil
  }

  /// Takes a failure.
  /// - Returns: what is to be told; nil for nothing.
  public mutating func fail(_ reason: String) -> Notice? {
    failures += 1
    self.reason = reason
    return failures == failuresMax ? .alert(failures: failures) : nil
  }

  /// What may be used at a moment.
  public func answer(at now: Timestamp) -> Answer {
    guard let value else { return .hold(reason: reason) }
    let age = now.nanoseconds(since: time)
    // The limit holds for a success too: a fetcher that has died says nothing of its failures.
    guard age <= ageMaxNanoseconds else {
      return .hold(
        reason: "the last good answer is \(age / 1_000_000_000) s old: \(failures > 0 ? reason : "no fetch")")
    }
    return failures == 0 ? .fresh(value) : .stale(value, since: time, reason: reason)
  }
}
