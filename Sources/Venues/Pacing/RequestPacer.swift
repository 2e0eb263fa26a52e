public import Daemon
public import Market
internal import Resilience
internal import Synchronization

/// Keeps the requests to one venue under its limits: the one place where a venue's budget is spent.
///
/// All clients of a venue at one place and of one run directory spend from the same buckets, in whatever process they are
/// and however many shards there are (`SharedBuckets`). A request waits until its cost may be spent. What the venue says
/// of waiting (`Retry-After`, a ban) holds for all: requests wait it out where that is short, and fail at once where it is
/// long, so that whoever asks can ask elsewhere.
public final class RequestPacer: Sendable {
  /// Where time comes from, and how it passes.
  public struct Clock: Sendable {
    /// Nanoseconds that never step back, the same in all processes.
    public let now: @Sendable () -> Int64
    /// Nanoseconds since 1970: a ban outlives a reboot.
    public let wall: @Sendable () -> Int64
    /// Waits so many nanoseconds; ends early, with an error, where the task is cancelled.
    public let sleep: @Sendable (Int64) async throws(CancellationError) -> Void

    /// A clock by its functions.
    public init(
      now: @escaping @Sendable () -> Int64, wall: @escaping @Sendable () -> Int64,
      sleep: @escaping @Sendable (Int64) async throws(CancellationError) -> Void
    ) {
      self.now = now
      self.wall = wall
      self.sleep = sleep
    }

    /// The machine's.
    public static let system = Clock(
      now: { SystemClock.monotonicNanoseconds }, wall: { SystemClock.now.nanoseconds }
    ) { nanoseconds throws(CancellationError) in
      do { try await Task.sleep(nanoseconds: UInt64(max(0, nanoseconds))) } catch { throw CancellationError() }
    }
  }

  /// What this process has seen.
  public struct Counters: Hashable, Sendable {
    /// Requests that were let through.
    public var passed: UInt64 = 0
    /// Requests that had to wait.
    public var delayed: UInt64 = 0
    /// Requests that were not sent, because they would have had to wait for too long.
    public var heldBack: UInt64 = 0
    /// How often the venue has asked to wait.
    public var blocks: UInt64 = 0
  }

  /// So long a request waits for the end of what the venue has asked for.
  static let patienceNanoseconds: Int64 = 5_000_000_000
  /// A venue that asks for more is asked again after so long.
  private static let blockMaxNanoseconds: Int64 = 7 * 86_400 * 1_000_000_000

  private let venue: Venue
  private let table: RateTable
  private let sharePercent: Int64
  private let clock: Clock
  private let buckets: SharedBuckets
  private let breakerPolicy: CircuitBreaker.Policy?
  private let breakers = Mutex<[Endpoint: RequestBreaker]>([:])
  private let state = Mutex(Counters())

  /// A pacer.
  /// - Parameters:
  ///   - venue: whose limits.
  ///   - sharePercent: how much of them may be spent, 1 to 100: others at the same address spend, too.
  ///   - path: the file by which it shares its buckets with others; nil where it has them for itself.
  ///   - clock: where time comes from.
  /// - Throws: `SystemError` where the file cannot be used.
  public convenience init(
    venue: Venue, sharePercent: Int = 100, sharedAt path: String, clock: Clock = .system
  ) throws(SystemError) {
    self.init(venue, sharePercent, try SharedBuckets(path: path), clock)
  }

  /// One that also has breakers, by the settings.
  convenience init(
    venue: Venue, sharePercent: Int, sharedAt path: String, breakers policy: CircuitBreaker.Policy,
    clock: Clock = .system
  ) throws(SystemError) {
    self.init(venue, sharePercent, try SharedBuckets(path: path), clock, policy)
  }

  /// A pacer that shares its buckets with nobody.
  public convenience init(venue: Venue, sharePercent: Int = 100, clock: Clock = .system) {
    self.init(venue, sharePercent, SharedBuckets(), clock)
  }

  private init(
    _ venue: Venue, _ sharePercent: Int, _ buckets: SharedBuckets, _ clock: Clock,
    _ breakerPolicy: CircuitBreaker.Policy? = nil
  ) {
    self.breakerPolicy = breakerPolicy
    precondition((1...100).contains(sharePercent), "a share of \(sharePercent) %")
    self.venue = venue
    table = RateTable.of(venue)
    self.sharePercent = Int64(sharePercent)
    self.clock = clock
    self.buckets = buckets
  }

  private struct Place: Hashable {
    var venue: Venue
    var endpoint: Endpoint
  }

  private static let shared = Mutex<[Place: RequestPacer]>([:])

  /// The process's pacer of a venue at one place, which shares its buckets with all processes of the run directory.
  /// - Parameters:
  ///   - venue: whose limits.
  ///   - endpoint: the place, and the run directory.
  ///   - settings: say how much of the limits may be spent.
  /// - Returns: the pacer, the same each time.
  public static func shared(_ venue: Venue, at endpoint: Endpoint, settings: Settings) -> RequestPacer {
    shared.withLock { pacers in
      let place = Place(venue: venue, endpoint: endpoint)
      if let known = pacers[place] { return known }
      let share = settings.integer("bulkhead", "request_share_percent")
      let pacer: RequestPacer
      do throws(SystemError) {
        let folder = endpoint.runDirectory + "/limits"
        try FilePaths.makeDirectories(folder, mode: 0o700)
        let hash = String(Rendezvous.hash(endpoint.setting), radix: 16)
        let file = "\(folder)/\(venue.rawValue)-\(hash)"
        pacer = try RequestPacer(venue: venue, sharePercent: share, sharedAt: file, breakers: breakers(settings))
      } catch {
        // Better too slow than banned: so much that a handful of processes stay within the limit.
        Log.warning(
          "the venue's request limit is not shared with other processes: a fifth of it is used",
          ["venue": venue.rawValue, "problem": "\(error)"])
        pacer = RequestPacer(venue: venue, sharePercent: max(1, share / 5))
      }
      pacers[place] = pacer
      return pacer
    }
  }

  private static func breakers(_ settings: Settings) -> CircuitBreaker.Policy {
    func nanoseconds(_ key: String) -> Int64 { Int64(settings.integer("bulkhead", key)) * 1_000_000_000 }
    return CircuitBreaker.Policy(
      failuresMax: settings.integer("bulkhead", "breaker_failures_max"),
      pauseNanoseconds: nanoseconds("breaker_pause_s"), pauseMaxNanoseconds: nanoseconds("breaker_pause_max_s"))
  }

  /// The breaker of the requests to a base URL; nil where there are to be none.
  func breaker(of endpoint: Endpoint) -> RequestBreaker? {
    guard let breakerPolicy else { return nil }
    return breakers.withLock { breakers in
      if let known = breakers[endpoint] { return known }
      let breaker = RequestBreaker(venue, endpoint, buckets, breakerPolicy, clock)
      breakers[endpoint] = breaker
      return breaker
    }
  }

  /// What this process has seen.
  public var counters: Counters { state.withLock { $0 } }

  /// Waits until a request may be sent.
  /// - Parameters:
  ///   - kind: named in errors.
  ///   - path: the path after the base URL.
  ///   - query: the members of the query.
  /// - Throws: `VenueError`: `cancelled`, or `heldBack` where that would take too long.
  func pass(_ kind: String, path: String, query: [(String, String)]) async throws(VenueError) {
    let (limit, units) = table.cost(ofPath: path)
    var key = limit.name
    if let name = limit.countsApartBy { key += "\n" + (query.first { $0.0 == name }?.1 ?? "") }
    var wait = try remainingBlock(kind)
    let turn = buckets.take(
      units, bucket: Rendezvous.hash(key), limiter: limiter(limit), now: clock.now(),
      waitMaxNanoseconds: table.waitMaxSeconds * 1_000_000_000)
    guard turn.isTaken else { throw heldBack(kind, "its turn comes too late", turn.waitNanoseconds) }
    wait = max(wait, turn.waitNanoseconds)
    let isDelayed = wait > 0
    // Others may have been told to wait meanwhile.
    while wait > 0 {
      do { try await clock.sleep(wait) } catch {
        throw VenueError(venue: venue, kind: kind, problem: "cancelled before it was sent", cause: .cancelled)
      }
      wait = try remainingBlock(kind)
    }
    state.withLock { counters in
      counters.passed += 1
      if isDelayed { counters.delayed += 1 }
    }
  }

  /// How long the venue still wants nothing, in nanoseconds; 0 where it takes requests.
  private func remainingBlock(_ kind: String) throws(VenueError) -> Int64 {
    let remaining = buckets.blockedUntil - clock.wall()
    guard remaining > 0, remaining <= Self.blockMaxNanoseconds else { return 0 }
    guard remaining <= Self.patienceNanoseconds else {
      throw heldBack(kind, "the venue has asked to be left alone", remaining)
    }
    return remaining
  }

  private func heldBack(_ kind: String, _ reason: String, _ nanoseconds: Int64) -> VenueError {
    state.withLock { $0.heldBack += 1 }
    return VenueError(
      venue: venue, kind: kind, problem: "not sent: \(reason)", cause: .heldBack,
      retryAfterSeconds: Int((nanoseconds + 999_999_999) / 1_000_000_000))
  }

  /// Takes the venue's refusal: nothing is sent for as long as it says, or its habit is.
  func take(_ error: VenueError) {
    var seconds = error.retryAfterSeconds
    if seconds == nil {
      switch error.cause {
      case .status(429): seconds = table.patienceSeconds
      case .status(418): seconds = RateTable.banSeconds
      default: break
      }
    }
    guard let seconds, seconds > 0, error.isRetriable else { return }
    let now = clock.wall()
    let (asked, overflow) = Int64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    let duration = overflow ? Self.blockMaxNanoseconds : min(asked, Self.blockMaxNanoseconds)
    buckets.block(until: now + duration, now: now, durationMax: Self.blockMaxNanoseconds)
    state.withLock { $0.blocks += 1 }
  }

  /// So much of a limit that burst and refill together never exceed it within any window.
  private func limiter(_ limit: RateTable.Limit) -> RateLimiter {
    let burst = limit.burst * sharePercent / 100
    let refill = max(1, (limit.isBucket ? limit.units : limit.units - limit.burst) * sharePercent)
    return RateLimiter(units: refill, perSeconds: limit.seconds * 100, burst: max(1, burst))
  }
}
