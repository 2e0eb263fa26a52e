internal import Market

/// What the venue has said of each book's best prices beside its last change, to compare the book with.
///
/// What happens at one moment may come as several messages, and each of them tells the best prices after the last: in
/// between, book and word differ. So they are compared when a later change comes, or when nothing has come for a while.
/// In a recording of twelve tokens over a quarter of an hour (7 June 2026, without the books at its beginning), it is so for
/// ten of them at each of 134,804 moments, and at 1,436 the word is of levels from before. The other two are one market,
/// whose books are wrong from a change on that the recorder has not got.
struct BestPrices {
  /// Eight bytes for each book: prices of 10⁻⁸ up to 1 fit.
  private struct Told {
    var bid: Int32
    var ask: Int32
  }

  /// The venue has not said anything since the book was replaced by its stream.
  private static let nothing = Told(bid: -1, ask: -1)
  /// The book is one of REST, and no change has come since.
  private static let rest = Told(bid: -2, ask: -2)

  private var told: [Told] = []

  /// Takes up another book, which the venue has not spoken of.
  mutating func add() { told.append(Self.nothing) }

  /// Whatever was said is about another book than this.
  mutating func forget(_ book: BookIndex, isOfREST: Bool) { told[book] = isOfREST ? Self.rest : Self.nothing }

  /// Whether a book is one of REST on which no change of the stream has followed.
  func isOfREST(_ book: BookIndex) -> Bool { told[book].bid == Self.rest.bid }

  /// Takes what a change says; −1 where it does not say.
  @inline(__always) mutating func tell(_ book: BookIndex, bid: Int32, ask: Int32) {
    told[book] = Told(bid: bid, ask: ask)
  }

  /// Whether a book has the best prices that were told of it.
  @inline(__always) func hold(_ book: BookIndex, _ touch: Touch) -> Bool {
    let (bid, ask) = (Int64(told[book].bid), Int64(told[book].ask))
    if bid >= 0, bid != touch.bid { return false }
    guard ask >= 0 else { return true }
    // A side without a level has 0 or 1 for its price.
    let isEmpty = ask == 0 || ask == Price.one.raw
    return isEmpty ? touch.ask == Touch.noAsk : ask == touch.ask
  }
}
