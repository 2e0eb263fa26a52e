public import Market

/// Which opportunities are open, so that each is told once when it opens, when it changes and when it is gone.
public final class OpportunityBoard {
  private struct Entry {
    var find: Find
    var opportunity: Opportunity
  }

  private var entries: [FindPlace: Entry] = [:]
  private var nextCount: UInt64 = 1
  private let epoch: UInt64
  /// What has not been published yet, in order.
  private var pending: [Opportunity] = []
  /// Those that are over, newest last; at most twice `closedMax`.
  public private(set) var closed: [Opportunity] = []
  private let closedMax: Int
  /// How many were ever opened.
  public private(set) var openedCount: UInt64 = 0
  /// How long those were open that are over, by strategy.
  public private(set) var lifetimes: [Strategy: LifetimeCounts] = [:]

  /// A board without opportunities.
  ///
  /// - Parameters:
  ///   - epoch: the scanner's start in seconds since 1970: the upper half of each id.
  ///   - closedMax: how many that are over are remembered at least.
  public init(epoch: UInt64, closedMax: Int = 500) {
    self.epoch = epoch
    self.closedMax = closedMax
  }

  /// Whether the open opportunity is this very set, so that there is nothing to tell.
  func holds(_ place: FindPlace, _ set: PricedSet) -> Bool {
    guard let slot = entries.index(forKey: place) else { return false }
    return entries.values[slot].find.isSame(as: set)
  }

  /// Takes what a scan found, or that it found nothing.
  func update(_ place: FindPlace, _ find: Find?, _ engine: Scanner) {
    let known = entries[place]
    if let known, let find, known.find.kind == find.kind, known.find.legs == find.legs {
      guard known.find != find else { return }
      tell(
        place, find,
        engine.opportunity(find, id: known.opportunity.id, state: .changed, foundAt: known.opportunity.foundAt))
      return
    }
    if let known { close(place, known, engine.now) }
    guard let find else { return }
    let id = epoch << 32 | nextCount
    nextCount += 1
    openedCount += 1
    tell(place, find, engine.opportunity(find, id: id, state: .opened, foundAt: engine.now))
  }

  private func tell(_ place: FindPlace, _ find: Find, _ opportunity: Opportunity) {
    entries[place] = Entry(find: find, opportunity: opportunity)
    pending.append(opportunity)
  }

  private func close(_ place: FindPlace, _ entry: Entry, _ now: Timestamp) {
    var gone = entry.opportunity
    gone.state = .closed
    gone.updatedAt = now
    entries[place] = nil
    pending.append(gone)
    closed.append(gone)
    if closed.count > closedMax * 2 { closed.removeFirst(closed.count - closedMax) }
    lifetimes[gone.strategy, default: LifetimeCounts()].add(gone.lifetimeNanoseconds(now: now))
  }

  /// Tells those again whose hold has changed.
  func refresh(_ engine: Scanner) {
    for (place, entry) in entries {
      let hold = engine.hold(entry.find, entry.opportunity.score)
      guard hold != entry.opportunity.hold else { continue }
      var changed = entry.opportunity
      changed.hold = hold
      changed.state = .changed
      changed.updatedAt = engine.now
      tell(place, entry.find, changed)
    }
  }

  /// The open opportunities, the best score first; equal ones in the order in which they were found.
  public var openOpportunities: [Opportunity] {
    entries.values.map(\.opportunity).sorted(by: Opportunity.ranksBefore)
  }

  /// How many are open.
  public var openCount: Int { entries.count }

  /// Hands over what waits to be published.
  public func drain(_ body: (Opportunity) -> Void) {
    guard !pending.isEmpty else { return }
    for opportunity in pending { body(opportunity) }
    pending.removeAll(keepingCapacity: true)
  }
}

/// How long opportunities were open, in classes that double: below 1 ms, 2 ms, 4 ms and so on.
public struct LifetimeCounts: Sendable {
  private static let classCount = 32
  private var counts = [UInt64](repeating: 0, count: classCount)
  /// How many there were.
  public private(set) var total: UInt64 = 0

  /// None.
  public init() {}

  /// Counts one, by its nanoseconds.
  public mutating func add(_ nanoseconds: Int64) {
    let milliseconds = UInt64(max(0, nanoseconds)) / 1_000_000
    let place = min(UInt64.bitWidth - milliseconds.leadingZeroBitCount, Self.classCount - 1)
    counts[place] += 1
    total += 1
  }

  /// The upper end of the class in which the median lies, in milliseconds; 0 where there are none.
  public var medianMilliseconds: Int64 {
    var seen: UInt64 = 0
    for (place, count) in counts.enumerated() {
      seen += count
      if count > 0, seen * 2 >= total { return 1 << Int64(place) }
    }
    return 0
  }
}
