public import Bus
internal import CLinux
public import Market

/// An opportunity that is open, or has just been closed; changed where it stands, for it is large.
public final class OpenOpportunity {
  /// It as it was told last.
  public fileprivate(set) var opportunity: Opportunity
  fileprivate var find: Find
  fileprivate let place: FindPlace
  fileprivate let names: OpportunityNames

  fileprivate init(_ place: FindPlace, _ find: Find, _ opportunity: Opportunity) {
    self.place = place
    self.find = find
    self.opportunity = opportunity
    names = OpportunityNames(opportunity)
  }

  /// Which scanner found it.
  public var strategy: Strategy { place.strategy }

  /// Writes it as `Opportunity.encode` does.
  public func encode(_ writer: MessagePackWriter) { opportunity.encode(writer, names) }
}

/// Which opportunities are open, so that each is told once when it opens, when it changes and when it is gone.
public final class OpportunityBoard {
  /// Where the entry of each place of one strategy stands; −1 where nothing is open.
  private final class Slots {
    var ofNumber = FlatArray<Int32>(filler: -1)
  }

  /// What is open; nil where a slot is free.
  private var entries: [OpenOpportunity?] = []
  private var freeSlots: [Int] = []
  /// By the strategy's code.
  private let slots = Strategy.allCases.map { _ in Slots() }
  /// What is looked at first of each slot, apart from all else: most scans find what is open already.
  private struct Told {
    /// The set that was told.
    var set = PricedSet.none
    /// Where what is open lies, to be brought from memory: its figures, its legs, its names.
    var address: UnsafeRawPointer?
    var legs: UnsafeRawPointer?
    var names: UnsafeRawPointer?
  }

  private var told = FlatArray<Told>(filler: Told())
  /// How many are open.
  public private(set) var openCount = 0
  private var nextCount: UInt64 = 1
  private let epoch: UInt64
  /// Is told each opportunity as soon as it opens, changes or is gone, in the middle of a scan: one does not wait for the
  /// next.
  public var onNews: ((OpenOpportunity) -> Void)?
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

  /// Where the entry of a place stands; −1 where nothing is open there.
  @inline(__always) private func slot(_ place: FindPlace) -> Int {
    let slots = slots[Int(place.strategy.code)]
    return place.number < slots.ofNumber.count ? Int(slots.ofNumber[place.number]) : -1
  }

  /// Whether the open opportunity is this very set, so that there is nothing to tell.
  func holds(_ place: FindPlace, _ set: PricedSet) -> Bool {
    let slot = slot(place)
    return slot >= 0 && told[slot].set == set
  }

  /// Takes what a scan found, or that it found nothing.
  func update(_ place: FindPlace, _ find: Find?, _ engine: Scanner) {
    let slot = slot(place)
    if slot >= 0, let known = entries[slot] {
      if let find, known.find.kind == find.kind, known.find.legs == find.legs {
        guard known.find != find || known.opportunity.hold == .stalePrice else { return }
        known.find = find
        return renew(known, slot, engine)
      }
      close(known, slot, engine.now)
    }
    guard let find else { return }
    let id = epoch << 32 | nextCount
    nextCount += 1
    openedCount += 1
    let entry = OpenOpportunity(place, find, engine.opportunity(find, id: id))
    let taken = takeSlot(place)
    entries[taken] = entry
    told[taken].address = UnsafeRawPointer(Unmanaged.passUnretained(entry).toOpaque())
    told[taken].legs = entry.opportunity.legs.withUnsafeBytes(\.baseAddress)
    told[taken].names = entry.names.memory
    tell(entry, taken)
  }

  /// Takes a set that a scan found, which is all that there is to its find; nothing is allocated where it is open already.
  func update(_ place: FindPlace, _ set: PricedSet, legs: UnsafeBufferPointer<FindLeg>, _ engine: Scanner) {
    let slot = slot(place)
    guard slot >= 0, let known = entries[slot], known.find.kind == set.kind, known.find.legs.elementsEqual(legs) else {
      return update(place, Find(set, legs: Array(legs)), engine)
    }
    known.find.quote = set.quote
    known.find.setValue = set.setValue
    renew(known, slot, engine)
  }

  private func renew(_ entry: OpenOpportunity, _ slot: Int, _ engine: Scanner) {
    entry.opportunity.state = .changed
    engine.refresh(&entry.opportunity, entry.find)
    tell(entry, slot)
  }

  // What is open in a place that will be looked at soon is brought in three steps, each of which needs the one before.

  /// Begins to bring the number of a place's slot.
  @inline(__always) func prefetchSlot(_ place: FindPlace) {
    let slots = slots[Int(place.strategy.code)]
    if place.number < slots.ofNumber.count { slots.ofNumber.prefetch(place.number) }
  }

  /// Begins to bring what was told of it last.
  @inline(__always) func prefetchTold(_ place: FindPlace) {
    let slot = slot(place)
    if slot >= 0 { told.prefetch(slot) }
  }

  /// Begins to bring the opportunity: its figures, the first legs and the names are in six, four and four lines of memory.
  @inline(__always) func prefetchOpen(_ place: FindPlace) {
    let slot = slot(place)
    guard slot >= 0 else { return }
    prefetch(told[slot].address, lines: 6)
    // Before an array's elements stands who holds it.
    prefetch(told[slot].legs.map { $0 - 32 }, lines: 4)
    prefetch(told[slot].names, lines: 4)
  }

  @inline(__always) private func prefetch(_ memory: UnsafeRawPointer?, lines: Int) {
    guard let memory else { return }
    for line in 0..<lines { bh_prefetch(memory + line * 64) }
  }

  /// Holds what is open in a place, because a price behind it has become too old: it may be good, and nobody knows.
  ///
  /// - Parameters:
  ///   - place: where.
  ///   - reason: which price, and how old it is.
  ///   - now: the time of day.
  func holdAsStale(_ place: FindPlace, _ reason: String, now: Timestamp) {
    let slot = slot(place)
    guard slot >= 0, let entry = entries[slot], entry.opportunity.hold != .stalePrice else { return }
    tell(entry, slot, hold: .stalePrice, staleReason: reason, now: now)
    // The same set with a fresh price is news.
    told[slot].set = .none
  }

  private func takeSlot(_ place: FindPlace) -> Int {
    let slot = freeSlots.popLast() ?? entries.count
    if slot == entries.count { entries.append(nil) }
    told.grow(to: entries.count)
    let slots = slots[Int(place.strategy.code)]
    slots.ofNumber.grow(to: place.number + 1)
    slots.ofNumber[place.number] = Int32(slot)
    openCount += 1
    return slot
  }

  private func tell(_ entry: OpenOpportunity, _ slot: Int) {
    told[slot].set = entry.find.set
    onNews?(entry)
  }

  /// Tells an entry again whose hold has changed.
  private func tell(
    _ entry: OpenOpportunity, _ slot: Int, hold: HoldReason?, staleReason: String = "", now: Timestamp
  ) {
    entry.opportunity.hold = hold
    entry.opportunity.staleReason = staleReason
    entry.opportunity.state = .changed
    entry.opportunity.updatedAt = now
    tell(entry, slot)
  }

  private func close(_ entry: OpenOpportunity, _ slot: Int, _ now: Timestamp) {
    entry.opportunity.state = .closed
    entry.opportunity.updatedAt = now
    entries[slot] = nil
    told[slot] = Told()
    freeSlots.append(slot)
    slots[Int(entry.place.strategy.code)].ofNumber[entry.place.number] = -1
    openCount -= 1
    let gone = entry.opportunity
    closed.append(gone)
    if closed.count > closedMax * 2 { closed.removeFirst(closed.count - closedMax) }
    lifetimes[gone.strategy, default: LifetimeCounts()].add(gone.lifetimeNanoseconds(now: now))
    onNews?(entry)
  }

  /// Tells those again whose hold has changed.
  func refresh(_ engine: Scanner) {
    for slot in entries.indices {
      guard let entry = entries[slot], entry.opportunity.hold != .stalePrice else { continue }
      let hold = engine.hold(entry.find, entry.opportunity.score)
      if hold != entry.opportunity.hold { tell(entry, slot, hold: hold, now: engine.now) }
    }
  }

  /// The open opportunities, the best score first; equal ones in the order in which they were found.
  public var openOpportunities: [Opportunity] {
    entries.compactMap { $0?.opportunity }.sorted(by: Opportunity.ranksBefore)
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
