internal import Market

/// When each book was last traded, and how often of late.
///
/// Recent trades are counted in two halves of the window, so that nothing is kept for each trade: between half of the
/// window and all of it is covered.
struct TradeActivity: ~Copyable {
  private struct Entry {
    var last: Int64 = 0
    var half: Int64 = 0
    var current: Int32 = 0
    var previous: Int32 = 0
  }

  private var entries = FlatArray<Entry>(filler: Entry())
  private let halfNanoseconds: Int64

  /// No trades.
  init(windowNanoseconds: Int64) { halfNanoseconds = max(1, windowNanoseconds / 2) }

  /// Takes a trade.
  /// - Returns: whether it is newer than what was known, and not of the future by more than the window.
  mutating func add(_ book: BookIndex, at time: Timestamp, now: Timestamp) -> Bool {
    guard time.nanoseconds(since: now) <= halfNanoseconds else { return false }
    entries.grow(to: book + 1)
    roll(book, to: time)
    let half = time.nanoseconds / halfNanoseconds
    if half == entries[book].half {
      entries[book].current += 1
    } else if half == entries[book].half - 1 {
      entries[book].previous += 1
    }
    guard time.nanoseconds >= entries[book].last else { return false }
    entries[book].last = time.nanoseconds
    return true
  }

  private func roll(_ book: BookIndex, to time: Timestamp) {
    let half = time.nanoseconds / halfNanoseconds
    guard half > entries[book].half else { return }
    entries[book].previous = half == entries[book].half + 1 ? entries[book].current : 0
    entries[book].current = 0
    entries[book].half = half
  }

  /// When a book was last traded; 1970 where no trade was heard of.
  func lastTrade(of book: BookIndex) -> Timestamp {
    Timestamp(nanoseconds: book < entries.count ? entries[book].last : 0)
  }

  /// How many trades of a book there were within the window, or a little less of it.
  func recentCount(of book: BookIndex, now: Timestamp) -> Int {
    guard book < entries.count else { return 0 }
    roll(book, to: now)
    return Int(entries[book].current) + Int(entries[book].previous)
  }
}
