/// A token bucket: so many units at once, and so many more each second.
///
/// Its whole state is one number, the moment at which the bucket will be full (the virtual scheduling form of the generic
/// cell rate algorithm, ITU-T I.371): where a process keeps it in memory that others see, they share the bucket without a
/// lock. A pure value; time is passed in, in nanoseconds of a monotonic clock.
public struct RateLimiter: Hashable, Sendable {
  /// What a request may do.
  public struct Turn: Hashable, Sendable {
    /// The state after it.
    public let fullAt: Int64
    /// How long it must wait before it is sent, in nanoseconds; 0 for not at all.
    public let waitNanoseconds: Int64
  }

  /// Units that may be spent at once.
  public let burst: Int64
  /// What one unit takes to come back, rounded up, so that the limit is never broken.
  private let nanosecondsPerUnit: Int64

  /// A bucket of `units` in every `seconds`, of which `burst` at once.
  ///
  /// Traps on a budget of nothing, and beyond 10⁹ units or 10⁶ seconds.
  public init(units: Int64, perSeconds seconds: Int64, burst: Int64? = nil) {
    precondition((1...1_000_000_000).contains(units) && (1...1_000_000).contains(seconds), "a budget of nothing")
    nanosecondsPerUnit = (seconds * 1_000_000_000 + units - 1) / units
    self.burst = max(1, burst ?? units)
  }

  /// How long an empty bucket takes to fill, in nanoseconds.
  public var fillNanoseconds: Int64 { burst * nanosecondsPerUnit }

  /// Takes what a request costs.
  /// - Parameters:
  ///   - cost: its units; more than the burst is taken as the burst.
  ///   - fullAt: the state; a moment that has passed is a full bucket.
  ///   - now: the time.
  /// - Returns: the state after it, and how long the request must wait.
  public func take(_ cost: Int64, fullAt: Int64, now: Int64) -> Turn {
    let next = max(fullAt, now) + min(max(0, cost), burst) * nanosecondsPerUnit
    return Turn(fullAt: next, waitNanoseconds: max(0, next - now - fillNanoseconds))
  }
}
