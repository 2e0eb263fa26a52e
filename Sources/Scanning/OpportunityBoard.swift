public import Market

/// Which opportunities are open, so that each is told once when it opens, when it changes and when it is gone.
public final class OpportunityBoard {
  /// What a find is about.
  public enum Scope: Sendable {
    /// One market: binary finds.
    case market
    /// One event: neg-risk finds.
    case event
  }

  private struct Entry {
    var find: Find
    var opportunity: Opportunity
  }

  private var open: [Bool] = []
  private var openEvents: [Bool] = []
  private var entries: [UInt64: Entry] = [:]
  private var nextCount: UInt64 = 1
  private let epoch: UInt64
  /// What has not been published yet, in order.
  private var pending: [Opportunity] = []
  /// Those that are over, newest last; at most twice `closedMax`.
  public private(set) var closed: [Opportunity] = []
  private let closedMax: Int
  /// How many were ever opened.
  public private(set) var openedCount: UInt64 = 0

  /// A board without opportunities.
  ///
  /// - Parameters:
  ///   - epoch: the scanner's start in seconds since 1970: the upper half of each id.
  ///   - closedMax: how many that are over are remembered at least.
  public init(epoch: UInt64, closedMax: Int = 500) {
    self.epoch = epoch
    self.closedMax = closedMax
  }

  /// Whether there is an open opportunity of a market or an event.
  @inline(__always) func isOpen(_ scope: Scope, _ place: Int) -> Bool {
    scope == .market ? place < open.count && open[place] : place < openEvents.count && openEvents[place]
  }

  /// Whether the open opportunity is this very set, so that there is nothing to tell.
  func holds(_ scope: Scope, _ place: Int, _ set: PricedSet) -> Bool {
    guard isOpen(scope, place), let slot = entries.index(forKey: key(scope, place)) else { return false }
    return entries.values[slot].find.isSame(as: set)
  }

  private func setOpen(_ scope: Scope, _ place: Int, _ value: Bool) {
    if scope == .market {
      while open.count <= place { open.append(false) }
      open[place] = value
    } else {
      while openEvents.count <= place { openEvents.append(false) }
      openEvents[place] = value
    }
  }

  private func key(_ scope: Scope, _ place: Int) -> UInt64 {
    UInt64(place) << 1 | (scope == .market ? 0 : 1)
  }

  /// Takes what a scan found, or that it found nothing.
  func update(_ scope: Scope, _ place: Int, _ find: Find?, _ scanner: Scanner) {
    let key = key(scope, place)
    let known = entries[key]
    if let known, let find, known.find.kind == find.kind {
      guard known.find != find else { return }
      let changed = scanner.opportunity(
        find, id: known.opportunity.id, state: .changed, foundAt: known.opportunity.foundAt)
      entries[key] = Entry(find: find, opportunity: changed)
      pending.append(changed)
      return
    }
    if let known {
      var gone = known.opportunity
      gone.state = .closed
      gone.updatedAt = scanner.now
      entries[key] = nil
      pending.append(gone)
      closed.append(gone)
      if closed.count > closedMax * 2 { closed.removeFirst(closed.count - closedMax) }
      setOpen(scope, place, false)
    }
    guard let find else { return }
    let id = epoch << 32 | nextCount
    nextCount += 1
    openedCount += 1
    let opened = scanner.opportunity(find, id: id, state: .opened, foundAt: scanner.now)
    entries[key] = Entry(find: find, opportunity: opened)
    pending.append(opened)
    setOpen(scope, place, true)
  }

  /// The open opportunities, the most profitable first; equal ones by id.
  public var openOpportunities: [Opportunity] {
    entries.values.map(\.opportunity).sorted {
      $0.profit != $1.profit ? $0.profit > $1.profit : $0.id < $1.id
    }
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
