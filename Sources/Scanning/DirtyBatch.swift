public import Market

/// What has changed since the last scan, each place once.
///
/// Only what a look at the best prices leaves in question comes in: markets and events whose touches show a profit or
/// that have an opportunity open, and books that a scanner watches for other reasons.
final class DirtyBatch {
  /// Markets whose two books may pay together.
  let markets = DirtySet()
  /// Neg-risk events whose outcomes may pay together.
  let events = DirtySet()
  /// Changed books of markets that are paired, follow a coin, or have just had a spike.
  let books = DirtySet()
  /// Coins whose spot price has changed.
  let coins = DirtySet()

  /// Whether there is nothing to look at.
  @inline(__always) var isEmpty: Bool {
    markets.count == 0 && events.count == 0 && books.count == 0 && coins.count == 0
  }

  /// Forgets everything, when all of it was looked at.
  func clear() {
    markets.clear()
    events.clear()
    books.clear()
    coins.clear()
  }
}

/// Places that wait to be looked at, each once; nothing is allocated for one that fits.
final class DirtySet: Sequence {
  private var isDirty = FlatArray<Bool>(filler: false)
  private var places = FlatArray<Int32>(filler: 0)
  /// How many wait.
  private(set) var count = 0

  /// Notes that a place waits.
  @inline(__always) func insert(_ place: Int) {
    if place >= isDirty.count {
      isDirty.grow(to: place + 1)
      // A place waits at most once, so as many as there are places are enough.
      places.grow(to: place + 1)
    }
    guard !isDirty[place] else { return }
    isDirty[place] = true
    places[count] = Int32(truncatingIfNeeded: place)
    count += 1
  }

  /// Whether a place waits.
  @inline(__always) func contains(_ place: Int) -> Bool { place < isDirty.count && isDirty[place] }

  /// One of those that wait.
  @inline(__always) subscript(_ number: Int) -> Int { Int(places[number]) }

  /// Forgets those that wait.
  func clear() {
    for number in 0..<count { isDirty[Int(places[number])] = false }
    count = 0
  }

  /// Walks those that wait, in the order in which they came.
  func makeIterator() -> Iterator { Iterator(set: self) }

  /// One after the other; what is inserted meanwhile comes too.
  struct Iterator: IteratorProtocol {
    let set: DirtySet
    private var number = 0

    fileprivate init(set: DirtySet) { self.set = set }

    mutating func next() -> Int? {
      guard number < set.count else { return nil }
      number += 1
      return Int(set.places[number - 1])
    }
  }
}

/// Books whose change may matter, in the order in which they came; nothing is allocated for one that fits.
@usableFromInline final class ChangedBooks {
  private var books = FlatArray<Int32>(filler: 0)
  // Those of `books`, where callers of other modules can have them inlined.
  @usableFromInline var base: UnsafeMutablePointer<Int32>
  @usableFromInline var capacity = 4096
  /// How many there are.
  @usableFromInline var count = 0

  /// None.
  init() {
    books.grow(to: capacity)
    base = books.base
  }

  /// Adds one.
  @inlinable func append(_ book: BookIndex) {
    if count == capacity { grow() }
    base[count] = Int32(truncatingIfNeeded: book)
    count += 1
  }

  /// One of them.
  subscript(_ number: Int) -> BookIndex { Int(base[number]) }

  /// Forgets all of them.
  func clear() { count = 0 }

  @usableFromInline func grow() {
    capacity *= 2
    books.grow(to: capacity)
    base = books.base
  }
}
