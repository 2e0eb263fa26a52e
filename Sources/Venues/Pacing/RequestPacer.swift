public import Daemon
public import Market
internal import Resilience
internal import Synchronization

/// Keeps the requests to one venue under its limits: all clients of a venue in one process pass the same one.
///
/// A request waits until its cost may be spent. What the venue says of waiting (`Retry-After`) holds for all: requests
/// wait it out where that is short, and fail at once where it is long, so that whoever asks can ask elsewhere.
public final class RequestPacer: Sendable {
  /// Where time comes from, and how it passes.
  public struct Clock: Sendable {
    /// Nanoseconds that never step back.
    public let now: @Sendable () -> Int64
    /// Waits so many nanoseconds; ends early, with an error, where the task is cancelled.
    public let sleep: @Sendable (Int64) async throws(CancellationError) -> Void

    /// A clock by its functions.
    public init(
      now: @escaping @Sendable () -> Int64, sleep: @escaping @Sendable (Int64) async throws(CancellationError) -> Void
    ) {
      self.now = now
      self.sleep = sleep
    }

    /// The machine's.
    public static let system = Clock(now: { SystemClock.monotonicNanoseconds }) {
      nanoseconds throws(CancellationError) in
      do { try await Task.sleep(nanoseconds: UInt64(max(0, nanoseconds))) } catch { throw CancellationError() }
    }
  }

  /// What it has seen.
  public struct Counters: Hashable, Sendable {
    /// Requests that were let through.
    public var passed: UInt64 = 0
    /// Requests that had to wait.
    public var delayed: UInt64 = 0
    /// Requests that failed because the venue had asked for more patience than they have.
    public var heldBack: UInt64 = 0
    /// How often the venue has asked to wait.
    public var blocks: UInt64 = 0
  }

  /// So long a request waits for the end of what the venue has asked for.
  static let patienceNanoseconds: Int64 = 5_000_000_000
  /// So many values of a query are counted apart; with more the oldest state is forgotten.
  private static let bucketsMax = 4096

  private struct State {
    var limiters: [String: RateLimiter] = [:]
    var shardCount = 1
    var blockedUntil: Int64 = .min
    var counters = Counters()
  }

  private let venue: Venue
  private let table: RateTable
  private let sharePercent: Int64
  private let clock: Clock
  private let state: Mutex<State>

  /// A pacer of one process.
  /// - Parameters:
  ///   - venue: whose limits.
  ///   - table: the limits.
  ///   - sharePercent: how much of them this process may spend, 1 to 100: others at the same address spend, too.
  ///   - clock: where time comes from.
  public init(venue: Venue, table: RateTable? = nil, sharePercent: Int = 100, clock: Clock = .system) {
    precondition((1...100).contains(sharePercent), "a share of \(sharePercent) %")
    self.venue = venue
    self.table = table ?? RateTable.of(venue)
    self.sharePercent = Int64(sharePercent)
    self.clock = clock
    state = Mutex(State())
  }

  private struct Place: Hashable {
    var venue: Venue
    var endpoint: Endpoint
  }

  private static let shared = Mutex<[Place: RequestPacer]>([:])

  /// The process's pacer of a venue at one place; the first one to ask decides the share.
  static func shared(_ venue: Venue, at endpoint: Endpoint, sharePercent: Int) -> RequestPacer {
    shared.withLock { pacers in
      let place = Place(venue: venue, endpoint: endpoint)
      if let known = pacers[place] { return known }
      let pacer = RequestPacer(venue: venue, sharePercent: sharePercent)
      pacers[place] = pacer
      return pacer
    }
  }

  /// The process's pacer of a venue at one place, with the share that the settings name.
  public static func shared(_ venue: Venue, at endpoint: Endpoint, settings: Settings) -> RequestPacer {
    shared(venue, at: endpoint, sharePercent: settings.integer("bulkhead", "request_share_percent"))
  }

  /// What it has seen.
  public var counters: Counters { state.withLock { $0.counters } }

  /// Divides the share by how many shards ask the venue; may change at any time.
  public func share(among shardCount: Int) {
    state.withLock { state in
      guard state.shardCount != max(1, shardCount) else { return }
      state.shardCount = max(1, shardCount)
      // The parts are smaller or larger from here on; what has been spent is forgotten.
      state.limiters = [:]
    }
  }

  /// Waits until a request may be sent.
  /// - Parameters:
  ///   - kind: named in errors.
  ///   - path: the path after the base URL.
  ///   - query: the members of the query.
  /// - Throws: `VenueError`: `cancelled`, or retriable where the venue has asked for a longer wait.
  func pass(_ kind: String, path: String, query: [(String, String)]) async throws(VenueError) {
    let (limit, units) = table.cost(ofPath: path)
    var key = limit.name
    if let name = limit.countsApartBy { key += "\n" + (query.first { $0.0 == name }?.1 ?? "") }
    var wait = try state.withLock { state throws(VenueError) in
      let now = clock.now()
      try refuseIfBlocked(kind, &state, now)
      if state.limiters.count >= Self.bucketsMax { state.limiters.removeAll() }
      let wait = state.limiters[key, default: RateLimiter(budget(limit, state.shardCount), now: now)].take(
        units, now: now)
      state.counters.passed += 1
      if wait > 0 { state.counters.delayed += 1 }
      return max(wait, state.blockedUntil > now ? state.blockedUntil - now : 0)
    }
    // Others may have been told to wait meanwhile.
    while wait > 0 {
      do { try await clock.sleep(wait) } catch {
        throw VenueError(venue: venue, kind: kind, problem: "cancelled before it was sent", cause: .cancelled)
      }
      wait = try state.withLock { state throws(VenueError) in
        let now = clock.now()
        try refuseIfBlocked(kind, &state, now)
        return state.blockedUntil > now ? state.blockedUntil - now : 0
      }
    }
  }

  private func refuseIfBlocked(_ kind: String, _ state: inout State, _ now: Int64) throws(VenueError) {
    guard state.blockedUntil > now, state.blockedUntil - now > Self.patienceNanoseconds else { return }
    let seconds = Int((state.blockedUntil - now + 999_999_999) / 1_000_000_000)
    state.counters.heldBack += 1
    throw VenueError(
      venue: venue, kind: kind, problem: "not sent: the venue has asked to be left alone",
      cause: .refused(isTemporary: true), retryAfterSeconds: seconds)
  }

  /// Takes the venue's refusal: nothing is sent for as long as it says, or its habit is.
  func take(_ error: VenueError) {
    var seconds = error.retryAfterSeconds
    if seconds == nil, case .status(429) = error.cause { seconds = table.patienceSeconds }
    guard let seconds, seconds > 0, error.isRetriable else { return }
    let until = clock.now() + Int64(min(seconds, 7 * 86_400)) * 1_000_000_000
    state.withLock { state in
      state.blockedUntil = max(state.blockedUntil, until)
      state.counters.blocks += 1
    }
  }

  /// So much of a limit that burst and refill together never exceed it within any window.
  private func budget(_ limit: RateTable.Limit, _ shardCount: Int) -> RateLimiter.Budget {
    let burst = limit.burst * sharePercent / 100
    let refill = max(1, (limit.isBucket ? limit.units : limit.units - limit.burst) * sharePercent)
    return RateLimiter.Budget(units: refill, perSeconds: limit.seconds * 100, burst: max(1, burst)).part(of: shardCount)
  }
}
