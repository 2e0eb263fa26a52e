internal import Daemon
public import Market
internal import Resilience
internal import Synchronization

/// The breaker of the requests to one base URL of a venue, the same one for all processes of a run directory (R7).
///
/// Its whole state is one number in the memory of `SharedBuckets`, which is exchanged atomically, so that it outlives a
/// restart and no process waits for another: the time until which it is open or since which a probe is out, whether that is
/// so, failures in a row, and how often it opened. Requests that ask how the venue is pass it, and close it when they are
/// answered.
final class RequestBreaker: Sendable {
  private static let all = Mutex<[Venue: [String: RequestBreaker]]>([:])
  private static let failuresMaxEver = 1023

  let venue: Venue
  private let buckets: SharedBuckets
  private let bucket: UInt64
  private let policy: CircuitBreaker.Policy
  private let clock: RequestPacer.Clock
  private let counts = Mutex((refused: Int64(0), openings: Int64(0)))

  init(
    _ venue: Venue, _ endpoint: Endpoint, _ buckets: SharedBuckets, _ policy: CircuitBreaker.Policy,
    _ clock: RequestPacer.Clock
  ) {
    self.venue = venue
    self.buckets = buckets
    self.policy = policy
    self.clock = clock
    bucket = Rendezvous.hash("breaker\n" + endpoint.setting)
    let name = RequestBreaker.name(endpoint)
    RequestBreaker.all.withLock { $0[venue, default: [:]][name] = self }
  }

  /// The last part of the address that says something: `clob` of `simulator:/polymarket/clob`, `gamma-api` of
  /// `https://gamma-api.polymarket.com`.
  static func name(_ endpoint: Endpoint) -> String {
    let text = endpoint.setting
    let part =
      endpoint.isSimulated
      ? text.split(separator: "/").dropFirst().last { !$0.hasPrefix("v") && $0 != "trade-api" }
      : text.split(separator: "/").dropFirst().first?.split(whereSeparator: { ".:".contains($0) }).first
    let kept = (part ?? "rest").map { $0.isLetter || $0.isNumber ? $0 : "_" }
    return String(kept).lowercased()
  }

  // MARK: - Requests

  /// Lets a request through.
  /// - Throws: `VenueError`, `heldBack`, while it is open.
  func pass(_ kind: String) throws(VenueError) {
    let now = clock.wall()
    var isAdmitted = true
    change { isAdmitted = $0.admits(now: now) }
    guard !isAdmitted else { return }
    counts.withLock { $0.refused += 1 }
    let left = max(0, breaker.memory.openUntil - now)
    throw VenueError(
      venue: venue, kind: kind, problem: "not sent: the venue has failed again and again", cause: .heldBack,
      retryAfterSeconds: Int((left + 999_999_999) / 1_000_000_000))
  }

  /// A request was answered.
  /// - Parameter isProbe: whether it was sent although the breaker is open.
  func succeeded(isProbe: Bool) {
    change { breaker in
      if isProbe { breaker = CircuitBreaker(policy) } else { breaker.succeed() }
    }
  }

  /// A request has failed.
  func failed(_ error: VenueError) {
    let now = clock.wall()
    switch error.cause {
    case .unreachable, .status(408), .status(425), .status(500...): break
    // A limit is what the pacer is for; what was not sent, or nobody waits for, tells nothing.
    case .heldBack, .cancelled, .impossible, .status(418), .status(429), .refused(isTemporary: true):
      return change { $0.withdraw() }
    case .malformed, .status, .refused, .absent: return change { $0.succeed() }
    }
    var hasOpened = false
    change { breaker in
      let before = breaker.state
      breaker.fail(now: now)
      hasOpened = breaker.state == .open && before != .open
    }
    guard hasOpened else { return }
    counts.withLock { $0.openings += 1 }
    let seconds = (breaker.memory.openUntil - now) / 1_000_000_000
    Log.warning(
      "requests to the venue are stopped", ["venue": venue.rawValue, "for_s": "\(seconds)", "problem": "\(error)"])
  }

  // MARK: - State

  private var breaker: CircuitBreaker { RequestBreaker.unpacked(buckets.value(of: bucket), policy) }

  private func change(_ body: (inout CircuitBreaker) -> Void) {
    buckets.change(bucket) { word in
      var breaker = RequestBreaker.unpacked(word, policy)
      body(&breaker)
      return RequestBreaker.packed(breaker)
    }
  }

  /// Milliseconds since 1970 above 17 bits: 10 of failures, 6 of openings, 1 for a probe.
  private static func packed(_ breaker: CircuitBreaker) -> Int64 {
    let memory = breaker.memory
    let isProbing = memory.probeSince > 0
    let time = (isProbing ? memory.probeSince : memory.openUntil) / 1_000_000
    let failures = Int64(min(memory.failures, failuresMaxEver))
    return time << 17 | failures << 7 | Int64(min(memory.openings, 63)) << 1 | (isProbing ? 1 : 0)
  }

  private static func unpacked(_ word: Int64, _ policy: CircuitBreaker.Policy) -> CircuitBreaker {
    guard word > 0 else { return CircuitBreaker(policy) }
    let time = (word >> 17) * 1_000_000
    let memory = CircuitBreaker.Memory(
      failures: Int(word >> 7 & 1023), openings: Int(word >> 1 & 63), openUntil: time,
      probeSince: word & 1 == 1 ? time : 0)
    return CircuitBreaker(policy, memory: memory)
  }

  /// The state of this process's breakers of a venue: 0 closed, 1 open, 2 half-open, with how often they opened and how
  /// many requests they held back.
  static func values(_ venue: Venue) -> [String: Int64] {
    var values: [String: Int64] = [:]
    for (name, breaker) in all.withLock({ $0[venue] ?? [:] }) {
      let state = breaker.breaker.state
      let counts = breaker.counts.withLock { $0 }
      values["breaker_\(name)"] = state == .closed ? 0 : state == .open ? 1 : 2
      values["breaker_\(name)_openings"] = counts.openings
      values["breaker_\(name)_refused"] = counts.refused
    }
    return values
  }
}

/// The breakers of requests, for the health of a process.
public enum RequestBreakers {
  /// Each breaker of a venue that this process has: `breaker_NAME` is 0 closed, 1 open, 2 half-open; `…_openings` is how
  /// often it opened here, `…_refused` how many requests it held back here.
  public static func values(_ venue: Venue) -> [String: Int64] { RequestBreaker.values(venue) }
}
