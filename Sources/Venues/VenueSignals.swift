internal import Daemon
public import Market
internal import Synchronization

/// What a venue's answers say of whether it takes orders (X4): a value with the time passed in.
///
/// A word counts by the kind of request that brought it, until the same kind is answered otherwise or it is too old; that
/// no answer comes counts for all kinds together.
public struct VenueSignalBoard: Sendable {
  /// What the answers say.
  public struct Word: Hashable, Sendable {
    /// Never `open`.
    public let state: VenueState
    /// For people.
    public let reason: String

    /// A word by its parts.
    public init(_ state: VenueState, _ reason: String) {
      self.state = state
      self.reason = reason
    }
  }

  /// So many requests in a row without an answer: the venue cannot be reached.
  public static let failuresMax = 2
  /// A word that is not repeated for so long is over, in nanoseconds.
  public static let wordNanoseconds: Int64 = 10_000_000_000

  private var words: [String: (word: Word, at: Int64)] = [:]
  private var failures = 0
  private var lastFailure = ""

  /// Nothing heard yet.
  public init() {}

  /// A request was answered as it ought to be.
  public mutating func answered(_ kind: String) {
    words[kind] = nil
    failures = 0
  }

  /// An answer says by its contents that the venue takes no orders.
  public mutating func said(_ word: Word, by kind: String, now: Int64) {
    failures = 0
    words[kind] = (word, now)
  }

  /// A request has failed.
  public mutating func failed(_ error: VenueError, now: Int64) {
    if let word = VenueSignalBoard.word(of: error) { return said(word, by: error.kind, now: now) }
    switch error.cause {
    case .unreachable, .status(500...):
      failures += 1
      lastFailure = "\(error)"
    case .heldBack, .cancelled, .impossible: break
    // Whoever refuses is there.
    case .malformed, .status, .refused, .absent: answered(error.kind)
    }
  }

  /// What holds now; nil where nothing speaks against orders.
  public func word(now: Int64) -> Word? {
    let fresh = words.values.filter { now - $0.at <= VenueSignalBoard.wordNanoseconds }
    if let newest = fresh.max(by: { $0.at < $1.at }) { return newest.word }
    return failures >= VenueSignalBoard.failuresMax ? Word(.unreachable, lastFailure) : nil
  }

  /// What a refusal says of the venue as a whole; nil where it is about the request alone.
  ///
  /// Polymarket answers 425 while its matching engine starts, and 503 with `post_only_mode`, "cancel-only" or "trading
  /// disabled" in other troubles; Kalshi speaks of a paused exchange.
  public static func word(of error: VenueError) -> Word? {
    if error.cause == .status(425) || error.problem.hasPrefix("HTTP 425") {
      return Word(.restarting, "\(error)")
    }
    switch error.cause {
    case .status(503), .refused: break
    default: return nil
    }
    let text = error.problem.lowercased()
    if text.contains("post_only_mode") || text.contains("post-only mode") { return Word(.postOnly, "\(error)") }
    let marks = ["cancel-only", "cancel only", "trading disabled", "trading is disabled", "trading is paused"]
    let isPaused = marks.contains { text.contains($0) } || text.contains("exchange_paused")
    return isPaused ? Word(.paused, "\(error)") : nil
  }
}

/// The words of all venues, as this process has heard them: whoever asks over REST leaves them here.
public enum VenueSignals {
  private static let boards = Mutex<[Venue: VenueSignalBoard]>([:])

  /// What a venue's answers say now; nil where nothing speaks against orders.
  public static func word(of venue: Venue) -> VenueSignalBoard.Word? {
    let now = SystemClock.monotonicNanoseconds
    return boards.withLock { $0[venue]?.word(now: now) }
  }

  static func answered(_ venue: Venue, _ kind: String) {
    boards.withLock { $0[venue, default: VenueSignalBoard()].answered(kind) }
  }

  static func failed(_ error: VenueError) {
    let now = SystemClock.monotonicNanoseconds
    boards.withLock { $0[error.venue, default: VenueSignalBoard()].failed(error, now: now) }
  }

  static func said(_ venue: Venue, _ word: VenueSignalBoard.Word, by kind: String) {
    let now = SystemClock.monotonicNanoseconds
    boards.withLock { $0[venue, default: VenueSignalBoard()].said(word, by: kind, now: now) }
  }
}
