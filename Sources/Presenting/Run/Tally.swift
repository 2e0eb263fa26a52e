public import Bus
public import Market

/// Compares what the scanner found with what the simulator planted, for each strategy.
///
/// A planted window counts as found when an opportunity of its kind and of the same market (of both markets of a pair, of
/// the event, of the token) was open in it. One that was told up to `toleranceNanoseconds` after its end counts too, if
/// its books are of the window. An opportunity counts as false when no planted window of its event or market is near;
/// one that takes a decoy for real is counted apart. The order in which messages of different publishers arrive does not
/// matter: nothing is judged before `result` asks, or a minute has passed.
public struct Tally: Sendable {
  /// Shorter windows are listed apart.
  public static let windowMinNanoseconds: Int64 = 20_000_000
  /// How long after a window a find of it may be told, and how near to one an opportunity must be.
  public static let toleranceNanoseconds: Int64 = 250_000_000
  /// How long what is over is kept.
  public static let keptNanoseconds: Int64 = 60_000_000_000

  /// What the comparison came to for one strategy, or for all.
  public struct Score: Hashable, Sendable {
    /// Windows that have ended or were found, without those that were too short.
    public var planted = 0
    /// Those that were found.
    public var found = 0
    /// Those that ended unfound.
    public var missed = 0
    /// Windows that ended before anybody could be expected to see them.
    public var tooShort = 0
    /// Opportunities near no planted window; 0 where nothing was ever planted.
    public var falseFinds = 0
    /// How many opportunities were opened.
    public var opened = 0
    /// From the begin of each window that was found to its find, in nanoseconds, sorted.
    public var latencies: [Int64] = []

    /// Nothing planted, nothing found.
    public init() {}

    /// The latency that a share of all finds did not exceed (nearest rank); nil where there are none.
    public func latency(percentile: Int) -> Int64? {
      guard !latencies.isEmpty else { return nil }
      let rank = (latencies.count * percentile + 99) / 100
      return latencies[min(max(rank, 1), latencies.count) - 1]
    }

    mutating func add(_ other: Score) {
      planted += other.planted
      found += other.found
      missed += other.missed
      tooShort += other.tooShort
      falseFinds += other.falseFinds
      opened += other.opened
      latencies += other.latencies
    }
  }

  /// What the comparison came to.
  public struct Result: Hashable, Sendable {
    /// Whether anything was ever planted; otherwise there is nothing to compare with.
    public var hasPlanted = false
    /// The strategies of which something was planted or opened.
    public var scores: [Strategy: Score] = [:]
    /// Decoys that have ended, or were reported.
    public var decoys = 0
    /// Decoys that were taken for real.
    public var decoysReported = 0

    /// Nothing planted, nothing found.
    public init() {}

    /// All strategies together.
    public var total: Score {
      var total = Score()
      for score in scores.values { total.add(score) }
      total.latencies.sort()
      return total
    }
  }

  struct Window: Sendable {
    var arbitrage: PlantedArbitrage
    /// Found by an opportunity that is no longer kept: when that was told.
    var foundEarlierAt: Timestamp?

    /// A market where it is in one, else the event.
    var key: String { arbitrage.marketIDs.first ?? arbitrage.eventID }
    var keys: [String] { ([arbitrage.eventID] + arbitrage.marketIDs).filter { !$0.isEmpty } }
  }

  struct Span: Sendable {
    var id: UInt64
    var kind: OpportunityKind
    var keys: Set<String>
    var tokens: [String]
    var foundAt: Timestamp
    var venueTime: Timestamp
    var closedAt: Timestamp?
    /// Near a window that is no longer kept.
    var wasPlanted = false
  }

  private var windows: [UInt64: Window] = [:]
  private var spans: [UInt64: Span] = [:]
  private var windowsByKey: [String: [UInt64]] = [:]
  private var spansByKey: [String: [UInt64]] = [:]
  private var judged = Result()

  /// Nothing planted, nothing found.
  public init() {}

  /// Takes the begin or the end of a planted arbitrage.
  public mutating func add(_ arbitrage: PlantedArbitrage) {
    judged.hasPlanted = true
    if windows[arbitrage.id] != nil {
      // An end that overtook its begin stays an end.
      if arbitrage.endedAt != nil { windows[arbitrage.id]?.arbitrage = arbitrage }
      return
    }
    let window = Window(arbitrage: arbitrage)
    windows[arbitrage.id] = window
    for key in window.keys { windowsByKey[key, default: []].append(arbitrage.id) }
  }

  /// Takes an opportunity that opened, changed or closed.
  public mutating func add(_ opportunity: Opportunity) {
    if spans[opportunity.id] == nil {
      judged.scores[opportunity.strategy, default: Score()].opened += 1
      var keys = Set(opportunity.legs.map(\.marketID))
      keys.insert(opportunity.eventID)
      keys.remove("")
      spans[opportunity.id] = Span(
        id: opportunity.id, kind: opportunity.kind, keys: keys, tokens: opportunity.legs.map(\.instrument.symbol),
        foundAt: opportunity.foundAt, venueTime: opportunity.venueTime)
      for key in keys { spansByKey[key, default: []].append(opportunity.id) }
    }
    if opportunity.state == .closed { spans[opportunity.id]?.closedAt = opportunity.updatedAt }
  }

  /// Ends everything that is open: the scanner started anew, and will tell what is still there under new numbers.
  public mutating func scannerRestarted(at time: Timestamp) {
    for id in spans.keys where spans[id]?.closedAt == nil { spans[id]?.closedAt = time }
  }

  /// Ends every window: the simulator started anew, with another market.
  ///
  /// Its numbers begin again, so what is planted is judged at once.
  public mutating func simulatorRestarted(at time: Timestamp) {
    for id in windows.keys where windows[id]?.arbitrage.endedAt == nil { windows[id]?.arbitrage.endedAt = time }
    for id in Array(windows.keys) { dropWindow(id) }
  }

  /// How many opportunities are open.
  public var openCount: Int { spans.values.reduce(0) { $0 + ($1.closedAt == nil ? 1 : 0) } }

  /// What the comparison comes to at this moment.
  ///
  /// A window that ended, or an opportunity that opened, less than the tolerance before `now` is not held against
  /// anybody yet: the message that belongs to it may be under way.
  public func result(now: Timestamp) -> Result {
    var result = judged
    for window in windows.values { judge(window, now: now, into: &result) }
    for span in spans.values where isFalse(span, now: now) {
      result.scores[span.kind.strategy, default: Score()].falseFinds += 1
    }
    for strategy in result.scores.keys {
      if !result.hasPlanted { result.scores[strategy]?.falseFinds = 0 }
      result.scores[strategy]?.latencies.sort()
    }
    return result
  }

  /// Judges what was over a minute ago, and forgets it; call it now and then.
  public mutating func compact(now: Timestamp) {
    let limit = now.advanced(byNanoseconds: -Self.keptNanoseconds)
    for (id, window) in windows {
      if let ended = window.arbitrage.endedAt, ended < limit { dropWindow(id) }
    }
    for (id, span) in spans {
      if let closed = span.closedAt, closed < limit { dropSpan(id, now: now) }
    }
  }

  private mutating func dropWindow(_ id: UInt64) {
    guard let window = windows[id], let ended = window.arbitrage.endedAt else { return }
    judge(window, now: ended.advanced(byNanoseconds: Self.toleranceNanoseconds * 2), into: &judged)
    for key in window.keys {
      for span in spansByKey[key] ?? [] {
        if let known = spans[span], Self.excuses(window, known) { spans[span]?.wasPlanted = true }
      }
      windowsByKey[key]?.removeAll { $0 == id }
      if windowsByKey[key]?.isEmpty == true { windowsByKey[key] = nil }
    }
    windows[id] = nil
  }

  private mutating func dropSpan(_ id: UInt64, now: Timestamp) {
    guard let span = spans[id] else { return }
    if isFalse(span, now: now) { judged.scores[span.kind.strategy, default: Score()].falseFinds += 1 }
    for key in span.keys {
      for window in windowsByKey[key] ?? [] {
        guard let known = windows[window], Self.isFind(span, of: known) else { continue }
        windows[window]?.foundEarlierAt = min(known.foundEarlierAt ?? span.foundAt, span.foundAt)
      }
      spansByKey[key]?.removeAll { $0 == id }
      if spansByKey[key]?.isEmpty == true { spansByKey[key] = nil }
    }
    spans[id] = nil
  }

  private func judge(_ window: Window, now: Timestamp, into result: inout Result) {
    let arbitrage = window.arbitrage
    var foundAt = window.foundEarlierAt
    for id in spansByKey[window.key] ?? [] {
      guard let span = spans[id], Self.isFind(span, of: window) else { continue }
      foundAt = min(foundAt ?? span.foundAt, span.foundAt)
    }
    let isOver = arbitrage.endedAt.map { now.nanoseconds(since: $0) > Self.toleranceNanoseconds } ?? false
    guard !arbitrage.isDecoy else {
      if isOver || foundAt != nil { result.decoys += 1 }
      if foundAt != nil { result.decoysReported += 1 }
      return
    }
    var score = result.scores[arbitrage.kind.strategy] ?? Score()
    defer { result.scores[arbitrage.kind.strategy] = score }
    if let ended = arbitrage.endedAt, ended.nanoseconds(since: arbitrage.startedAt) < Self.windowMinNanoseconds {
      score.tooShort += 1
      return
    }
    if let foundAt {
      score.planted += 1
      score.found += 1
      let latency = foundAt.nanoseconds(since: arbitrage.startedAt)
      // What was open long before says nothing about how fast a find is.
      if latency >= -Self.toleranceNanoseconds { score.latencies.append(max(0, latency)) }
    } else if isOver {
      score.planted += 1
      score.missed += 1
    }
  }

  private func isFalse(_ span: Span, now: Timestamp) -> Bool {
    guard !span.wasPlanted, now.nanoseconds(since: span.foundAt) > Self.toleranceNanoseconds else { return false }
    for key in span.keys {
      for id in windowsByKey[key] ?? [] {
        if let window = windows[id], Self.excuses(window, span) { return false }
      }
    }
    return true
  }

  /// Whether an opportunity was open at some time of a window, or a little before or after it.
  private static func isNear(_ span: Span, _ arbitrage: PlantedArbitrage) -> Bool {
    if let ended = arbitrage.endedAt, span.foundAt.nanoseconds(since: ended) > toleranceNanoseconds { return false }
    guard let closed = span.closedAt else { return true }
    return arbitrage.startedAt.nanoseconds(since: closed) <= toleranceNanoseconds
  }

  /// Whether an opportunity is not false because of a window: it is near, or takes the decoy for real, which is counted.
  private static func excuses(_ window: Window, _ span: Span) -> Bool {
    window.arbitrage.isDecoy ? isFind(span, of: window) : isNear(span, window.arbitrage)
  }

  private static func isFind(_ span: Span, of window: Window) -> Bool {
    let arbitrage = window.arbitrage
    guard fits(span, arbitrage) else { return false }
    if let closed = span.closedAt, closed < arbitrage.startedAt { return false }
    guard let ended = arbitrage.endedAt, span.foundAt > ended else { return true }
    guard span.foundAt.nanoseconds(since: ended) <= toleranceNanoseconds else { return false }
    return span.venueTime <= ended
      && span.venueTime.nanoseconds(since: arbitrage.startedAt) >= -toleranceNanoseconds
  }

  /// Whether an opportunity trades what was planted.
  private static func fits(_ span: Span, _ arbitrage: PlantedArbitrage) -> Bool {
    // Where books mirror each other, buying NO of an event's outcomes is selling their YES.
    let isSale = arbitrage.kind == .negRiskSellYes && span.kind == .negRiskConvert
    guard span.kind == arbitrage.kind || isSale else { return false }
    guard arbitrage.token.isEmpty || span.tokens.contains(arbitrage.token) else { return false }
    guard !arbitrage.marketIDs.isEmpty else { return span.keys.contains(arbitrage.eventID) }
    return arbitrage.marketIDs.allSatisfy(span.keys.contains)
  }
}
