/// A token bucket: so many units at once, and so many more each second.
///
/// A pure value; time is passed in, in nanoseconds of a monotonic clock. Shards of one venue share its budget: each
/// takes its part of the rate and of the burst.
public struct RateLimiter: Sendable {
  /// What a venue allows.
  public struct Budget: Hashable, Sendable {
    /// Units that come back in each second, in thousandths.
    public let milliUnitsPerSecond: Int64
    /// Units that may be spent at once.
    public let burst: Int64

    /// A budget of `units` in every `seconds`, of which `burst` at once.
    public init(units: Int64, perSeconds seconds: Int64, burst: Int64? = nil) {
      precondition(units > 0 && seconds > 0, "a budget of nothing")
      milliUnitsPerSecond = units * 1000 / seconds
      self.burst = max(1, burst ?? units)
    }

    /// The part that one of `count` shards may spend; never less than one unit at once.
    public func part(of count: Int) -> Budget {
      Budget(
        milliUnitsPerSecond: max(1, milliUnitsPerSecond / Int64(max(1, count))),
        burst: max(1, burst / Int64(max(1, count))))
    }

    private init(milliUnitsPerSecond: Int64, burst: Int64) {
      self.milliUnitsPerSecond = milliUnitsPerSecond
      self.burst = burst
    }
  }

  /// The budget; a change of the shard count changes it while it is in use.
  public var budget: Budget
  /// Requests that had to wait.
  public private(set) var delayed: UInt64 = 0
  /// When the bucket was last looked at.
  private var time: Int64
  /// What is in it, in thousandths of a unit; negative where requests wait for what is still to come.
  private var milliUnits: Int64
  private var blockedUntil: Int64 = 0

  /// A full bucket.
  public init(_ budget: Budget, now: Int64) {
    self.budget = budget
    time = now
    milliUnits = budget.burst * 1000
  }

  /// Takes what a request costs.
  /// - Parameters:
  ///   - cost: its units; more than the burst is taken as the burst.
  ///   - now: the time.
  /// - Returns: how long the request must wait before it is sent, in nanoseconds; 0 for not at all.
  public mutating func take(_ cost: Int64, now: Int64) -> Int64 {
    refill(now)
    milliUnits -= min(max(0, cost), budget.burst) * 1000
    // Units are whole thousandths: rounded up, so that the limit is never broken.
    let rate = budget.milliUnitsPerSecond
    let shortage = milliUnits < 0 ? (-milliUnits * 1_000_000_000 + rate - 1) / rate : 0
    let wait = max(shortage, blockedUntil - now, 0)
    if wait > 0 { delayed += 1 }
    return wait
  }

  /// Takes the venue's word that it has had enough: nothing is sent for so long.
  public mutating func block(nanoseconds: Int64, now: Int64) {
    blockedUntil = max(blockedUntil, now.addingReportingOverflow(max(0, nanoseconds)).partialValue)
  }

  private mutating func refill(_ now: Int64) {
    guard now > time else { return }
    let rate = budget.milliUnitsPerSecond
    let (product, overflow) = (now - time).multipliedReportingOverflow(by: rate)
    let gained = overflow ? budget.burst * 1000 : product / 1_000_000_000
    let full = budget.burst * 1000
    if milliUnits + gained >= full {
      milliUnits = full
      time = now
    } else {
      milliUnits += gained
      // What was too little for a thousandth counts next time.
      time += gained * 1_000_000_000 / rate
    }
  }
}
