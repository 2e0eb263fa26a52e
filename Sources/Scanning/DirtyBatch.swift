internal import Market

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
  private var isDirty: UnsafeMutablePointer<Bool>
  private var places: UnsafeMutablePointer<Int32>
  private var capacity = 1024
  /// How many wait.
  private(set) var count = 0

  /// Nothing waits.
  init() {
    isDirty = .allocate(capacity: capacity)
    isDirty.initialize(repeating: false, count: capacity)
    places = .allocate(capacity: capacity)
  }

  deinit {
    isDirty.deallocate()
    places.deallocate()
  }

  /// Notes that a place waits.
  @inline(__always) func insert(_ place: Int) {
    if place >= capacity { grow(to: place + 1) }
    guard !isDirty[place] else { return }
    isDirty[place] = true
    places[count] = Int32(truncatingIfNeeded: place)
    count += 1
  }

  /// Whether a place waits.
  @inline(__always) func contains(_ place: Int) -> Bool { place < capacity && isDirty[place] }

  /// Those that wait, in the order in which they came.
  subscript(_ number: Int) -> Int { Int(places[number]) }

  /// Forgets those that wait.
  func clear() {
    for number in 0..<count { isDirty[Int(places[number])] = false }
    count = 0
  }

  /// Walks those that wait.
  func makeIterator() -> Iterator { Iterator(set: self) }

  /// One after the other; what is inserted meanwhile comes too.
  struct Iterator: IteratorProtocol {
    let set: DirtySet
    private var number = 0

    fileprivate init(set: DirtySet) { self.set = set }

    mutating func next() -> Int? {
      guard number < set.count else { return nil }
      number += 1
      return set[number - 1]
    }
  }

  private func grow(to wanted: Int) {
    let larger = Swift.max(capacity * 2, wanted)
    let newDirty = UnsafeMutablePointer<Bool>.allocate(capacity: larger)
    newDirty.initialize(repeating: false, count: larger)
    newDirty.update(from: isDirty, count: capacity)
    isDirty.deallocate()
    isDirty = newDirty
    // A place waits at most once, so as many as there are places are enough.
    let newPlaces = UnsafeMutablePointer<Int32>.allocate(capacity: larger)
    newPlaces.update(from: places, count: count)
    places.deallocate()
    places = newPlaces
    capacity = larger
  }
}

/// Books that have changed, in the order in which they came; nothing is allocated for one that fits.
final class ChangedBooks {
  private var books: UnsafeMutablePointer<Int32>
  private var capacity = 4096
  /// How many there are.
  private(set) var count = 0

  /// None.
  init() { books = .allocate(capacity: capacity) }

  deinit { books.deallocate() }

  /// Adds one.
  @inline(__always) func append(_ book: BookIndex) {
    if count == capacity { grow() }
    books[count] = Int32(truncatingIfNeeded: book)
    count += 1
  }

  /// One of them.
  subscript(_ number: Int) -> BookIndex { Int(books[number]) }

  /// Moves those that are wanted to the front, without a branch for each.
  /// - Returns: how many they are.
  @inline(__always) func keep(_ isWanted: (BookIndex) -> Bool) -> Int {
    var kept = 0
    for number in 0..<count {
      let book = books[number]
      books[kept] = book
      kept &+= isWanted(Int(book)) ? 1 : 0
    }
    return kept
  }

  /// Forgets all of them.
  func clear() { count = 0 }

  private func grow() {
    let larger = UnsafeMutablePointer<Int32>.allocate(capacity: capacity * 2)
    larger.update(from: books, count: count)
    books.deallocate()
    books = larger
    capacity *= 2
  }
}
