public import Market

/// One market's book as the stream tells it: a snapshot replaces, a delta changes.
///
/// empty → live by a snapshot; live → stale by a gap, or by a delta that cannot be; stale → live by a snapshot. Deltas
/// are dropped and counted unless the book is live. A pure value.
public struct KalshiBook: Hashable, Sendable {
  /// How far it can be trusted.
  public private(set) var state = BookState.empty
  /// The bids as they stand.
  public private(set) var levels = KalshiLevels()
  /// How many deltas were dropped because there was no book to change.
  public private(set) var droppedDeltas = 0
  /// The venue's time of the last change; nil before the first that had one.
  public private(set) var venueTime: Timestamp?

  /// A book that nothing is known of.
  public init() {}

  /// What became of a delta.
  public enum Outcome: Hashable, Sendable {
    /// The level now holds so much; zero where it is gone.
    case applied(Quantity)
    /// There was no book to change.
    case dropped
    /// It cannot be: something was missed, and the book is stale.
    case impossible(String)
  }

  /// Replaces the book.
  public mutating func apply(_ snapshot: KalshiSnapshot) {
    levels = snapshot.levels
    state = .live
  }

  /// Changes one level.
  ///
  /// At the venue no size is ever negative, no level is reduced that is not there, and nobody's bid for YES meets one for
  /// NO: a delta that says otherwise means that a message was missed.
  public mutating func apply(_ delta: KalshiDelta) -> Outcome {
    guard state == .live else {
      droppedDeltas += 1
      return .dropped
    }
    let result = delta.outcome == .yes ? Self.change(&levels.yes, delta) : Self.change(&levels.no, delta)
    switch result {
    case .applied:
      if let time = delta.time { venueTime = time }
      guard levels.isCrossed else { return result }
      state = .stale
      return .impossible("the bids for YES and for NO meet")
    case .impossible: state = .stale
    case .dropped: break
    }
    return result
  }

  /// Says that something was missed.
  public mutating func markStale() {
    if state == .live { state = .stale }
  }

  /// Forgets the book: the connection is another one.
  public mutating func reset() {
    levels = KalshiLevels()
    state = .empty
  }

  private static func change(_ bids: inout [Level], _ delta: KalshiDelta) -> Outcome {
    // From the best, where most changes land.
    var place = bids.count
    while place > 0, bids[place - 1].price > delta.price { place -= 1 }
    let isThere = place > 0 && bids[place - 1].price == delta.price
    let before = isThere ? bids[place - 1].quantity.raw : 0
    let (size, overflow) = before.addingReportingOverflow(delta.change.raw)
    guard !overflow else { return .impossible("the size at \(delta.price) is too large") }
    guard size >= 0 else {
      return .impossible(
        isThere ? "the size at \(delta.price) would be below 0" : "there is no level at \(delta.price) to reduce")
    }
    if size == 0 {
      if isThere { bids.remove(at: place - 1) }
    } else if isThere {
      bids[place - 1].quantity = Quantity(raw: size)
    } else {
      guard bids.count < KalshiLevels.levelsPerSideMax else { return .impossible("too many levels") }
      bids.insert(Level(price: delta.price, quantity: Quantity(raw: size)), at: place)
    }
    return .applied(Quantity(raw: size))
  }
}

/// The books of one connection: folds its messages, and finds what is missing by their numbers.
///
/// Numbers count for each subscription, over all of its markets and its answers. A gap makes every book of that
/// subscription stale: ask for snapshots of `wanted`. A pure value; `reconnected` when the connection is another one.
public struct KalshiBooks: Sendable {
  /// How messages' numbers are taken.
  public enum Numbering: Hashable, Sendable {
    /// All messages of each subscription: a number that is left out is a gap, one that was there is a repetition.
    case complete
    /// A part of them, such as a recording of one market: gaps are normal, and a number that goes back is a reconnection.
    case partial
  }

  /// What a message did.
  public enum Change: Hashable, Sendable {
    /// This market's book was replaced.
    case replaced(String)
    /// A level of this market's book changed to a new total.
    case changed(String, KalshiOutcome, price: Price, total: Quantity)
    /// The delta was dropped: the market has no live book.
    case dropped(String)
    /// The message was there before, and is passed over.
    case repeated
    /// The book is stale: the delta cannot be.
    case impossible(String, problem: String)
    /// It is no message of books.
    case none
  }

  /// Gaps and repetitions, counted.
  public struct Counters: Hashable, Sendable {
    /// Numbers that were left out, each run once.
    public var gaps = 0
    /// Messages that had been there before.
    public var repetitions = 0
    /// Snapshots that were taken.
    public var snapshots = 0
    /// Deltas that were applied.
    public var deltas = 0
    /// Deltas without a live book.
    public var droppedDeltas = 0
    /// Deltas that cannot be.
    public var impossibleDeltas = 0
    /// Connections after the first.
    public var reconnections = 0
  }

  private let numbering: Numbering
  private var lastSequence: [Int64: Int64] = [:]
  private var marketsOfSubscription: [Int64: Set<String>] = [:]
  /// The books by market.
  public private(set) var books: [String: KalshiBook] = [:]
  /// What was counted.
  public private(set) var counters = Counters()
  /// Markets whose book is stale, so that a snapshot of them is wanted.
  public private(set) var wanted: Set<String> = []

  /// No books.
  public init(numbering: Numbering = .complete) { self.numbering = numbering }

  /// Takes a message.
  /// - Returns: what it did; a gap that it uncovered has already made the books of its subscription stale.
  public mutating func take(_ message: KalshiStreamMessage) -> Change {
    guard checkSequence(message) else { return .repeated }
    switch message.body {
    case .snapshot(let snapshot):
      if let sid = message.sid { marketsOfSubscription[sid, default: []].insert(snapshot.ticker) }
      books[snapshot.ticker, default: KalshiBook()].apply(snapshot)
      wanted.remove(snapshot.ticker)
      counters.snapshots += 1
      return .replaced(snapshot.ticker)
    case .delta(let delta):
      if let sid = message.sid { marketsOfSubscription[sid, default: []].insert(delta.ticker) }
      switch books[delta.ticker, default: KalshiBook()].apply(delta) {
      case .applied(let total):
        counters.deltas += 1
        return .changed(delta.ticker, delta.outcome, price: delta.price, total: total)
      case .dropped:
        counters.droppedDeltas += 1
        wanted.insert(delta.ticker)
        return .dropped(delta.ticker)
      case .impossible(let problem):
        counters.impossibleDeltas += 1
        wanted.insert(delta.ticker)
        return .impossible(delta.ticker, problem: problem)
      }
    case .unsubscribed:
      if let sid = message.sid { forget(subscription: sid) }
      return .none
    default: return .none
    }
  }

  /// Another connection: numbers begin anew, and each market waits for its snapshot.
  public mutating func reconnected() {
    lastSequence = [:]
    marketsOfSubscription = [:]
    wanted = []
    counters.reconnections += 1
    for ticker in books.keys { books[ticker]?.reset() }
  }

  /// A subscription has ended: the books that came by it are no longer kept up.
  public mutating func forget(subscription sid: Int64) {
    lastSequence[sid] = nil
    for ticker in marketsOfSubscription.removeValue(forKey: sid) ?? [] { books[ticker]?.reset() }
  }

  /// Says that a market's book is wrong: a snapshot of it is wanted.
  public mutating func distrust(market ticker: String) {
    books[ticker]?.markStale()
    wanted.insert(ticker)
  }

  /// Forgets a market.
  public mutating func forget(market ticker: String) {
    books[ticker] = nil
    wanted.remove(ticker)
    for sid in marketsOfSubscription.keys { marketsOfSubscription[sid]?.remove(ticker) }
  }

  /// Whether the message is new.
  private mutating func checkSequence(_ message: KalshiStreamMessage) -> Bool {
    guard let sid = message.sid, let sequence = message.seq else { return true }
    guard let last = lastSequence.updateValue(sequence, forKey: sid) else { return true }
    if sequence > 0, sequence - 1 == last { return true }
    if sequence <= last {
      guard numbering == .partial, sequence < last else {
        lastSequence[sid] = last
        counters.repetitions += 1
        return false
      }
      counters.reconnections += 1
      for ticker in marketsOfSubscription[sid] ?? [] { books[ticker]?.reset() }
      return true
    }
    guard numbering == .complete else { return true }
    counters.gaps += 1
    for ticker in marketsOfSubscription[sid] ?? [] {
      books[ticker]?.markStale()
      wanted.insert(ticker)
    }
    return true
  }
}
