/// Keeps requests from a venue that has failed again and again, and probes whether it is back.
///
/// closed → open, after `failuresMax` failures in a row → half-open, when the pause is over: one request probes →
/// closed, when it succeeds, or open again, for twice as long up to the longest pause. A pure value; time is passed in,
/// in nanoseconds since 1970, so that an open breaker survives a restart.
public struct CircuitBreaker: Hashable, Sendable {
  /// Where it stands.
  public enum State: String, Hashable, Sendable {
    /// Requests pass.
    case closed
    /// Requests are refused.
    case open
    /// One request is out as a probe; others are refused.
    case halfOpen = "half-open"
  }

  /// When it opens, and for how long; durations in nanoseconds.
  public struct Policy: Hashable, Sendable {
    /// So many failures in a row open it.
    public var failuresMax: Int
    /// The first pause.
    public var pauseNanoseconds: Int64
    /// The longest pause.
    public var pauseMaxNanoseconds: Int64
    /// A probe that has not come back after so long counts as failed.
    public var probeLimitNanoseconds: Int64

    /// A policy; the defaults suit a venue's REST interface.
    public init(
      failuresMax: Int = 5, pauseNanoseconds: Int64 = 10_000_000_000, pauseMaxNanoseconds: Int64 = 300_000_000_000,
      probeLimitNanoseconds: Int64 = 60_000_000_000
    ) {
      self.failuresMax = failuresMax
      self.pauseNanoseconds = pauseNanoseconds
      self.pauseMaxNanoseconds = pauseMaxNanoseconds
      self.probeLimitNanoseconds = probeLimitNanoseconds
    }
  }

  /// What of a breaker is kept over a restart.
  public struct Memory: Hashable, Sendable {
    /// Failures in a row.
    public var failures: Int
    /// How often it opened in a row.
    public var openings: Int
    /// Until when it is open, in nanoseconds since 1970; 0 where it is closed.
    public var openUntil: Int64
    /// Since when a probe is out, in nanoseconds since 1970; 0 where none is.
    public var probeSince: Int64

    /// A memory by its parts.
    public init(failures: Int, openings: Int, openUntil: Int64, probeSince: Int64 = 0) {
      self.probeSince = probeSince
      self.failures = failures
      self.openings = openings
      self.openUntil = openUntil
    }
  }

  /// When it opens, and for how long.
  public let policy: Policy
  /// Where it stands.
  public private(set) var state = State.closed
  private var failures = 0
  private var openings = 0
  private var openUntil: Int64 = 0
  private var probeSince: Int64 = 0

  /// A closed one, or one as it was before a restart.
  public init(_ policy: Policy, memory: Memory? = nil) {
    self.policy = policy
    guard let memory else { return }
    failures = memory.failures
    openings = memory.openings
    openUntil = memory.openUntil
    probeSince = memory.probeSince
    state = openUntil == 0 ? .closed : probeSince > 0 ? .halfOpen : .open
  }

  /// What is kept over a restart.
  public var memory: Memory {
    Memory(
      failures: failures, openings: openings, openUntil: openUntil, probeSince: state == .halfOpen ? probeSince : 0)
  }

  /// Asks whether a request may be sent; one that may is to be reported by `succeed` or `fail`.
  public mutating func admits(now: Int64) -> Bool {
    switch state {
    case .closed: return true
    case .open where now >= openUntil:
      state = .halfOpen
      probeSince = now
      return true
    case .halfOpen where now - probeSince >= policy.probeLimitNanoseconds:
      probeSince = now
      return true
    case .open, .halfOpen: return false
    }
  }

  /// A request has succeeded.
  public mutating func succeed() {
    // A late answer to a request of before does not close it: only its probe does.
    guard state != .open else { return }
    state = .closed
    failures = 0
    openings = 0
    openUntil = 0
  }

  /// A request has failed.
  public mutating func fail(now: Int64) {
    switch state {
    case .open: return
    case .halfOpen: open(now)
    case .closed:
      failures += 1
      if failures >= policy.failuresMax { open(now) }
    }
  }

  /// A request that was admitted has told nothing: where it was the probe, the next one is.
  public mutating func withdraw() {
    if state == .halfOpen { state = .open }
  }

  private mutating func open(_ now: Int64) {
    let doublings = min(openings, 30)
    let (grown, overflow) = policy.pauseNanoseconds.multipliedReportingOverflow(by: 1 << doublings)
    openings += 1
    openUntil = now + (overflow ? policy.pauseMaxNanoseconds : min(grown, policy.pauseMaxNanoseconds))
    state = .open
  }
}
