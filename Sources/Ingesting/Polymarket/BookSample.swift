package import Market
package import Venues

/// The comparison of cached books with REST (I8): a difference counts only where the stream had the time to tell of it.
///
/// A pure value; times are nanoseconds of the monotonic clock. A book that differs is looked at again a little later:
/// what the stream has brought meanwhile explains the difference, and what it has not brought is one.
package struct BookSample: Sendable {
  /// What is to be done about a book.
  package enum Verdict: Hashable, Sendable {
    /// The cache says what REST says.
    case same
    /// The cache is newer than REST's answer, or is no longer live: nothing can be said.
    case moved
    /// They differ, and the stream may still be on its way.
    case waiting
    /// They differ, and the stream has not told of it.
    case different
  }

  private struct Waiting {
    let snapshot: BookSnapshot
    let dueAt: Int64
  }

  private let graceNanoseconds: Int64
  private var waiting: [BookIndex: Waiting] = [:]

  /// A sample without books.
  /// - Parameter graceNanoseconds: how long the stream may take to tell what REST tells.
  package init(graceNanoseconds: Int64) { self.graceNanoseconds = graceNanoseconds }

  /// Compares a book with what REST has just said of it.
  package mutating func compare(_ snapshot: BookSnapshot, _ book: BookIndex, in cache: borrowing BookCache, now: Int64)
    -> Verdict
  {
    let verdict = Self.verdict(snapshot, book, in: cache)
    // One that waits already is not put off by being chosen again.
    if verdict == .waiting, waiting[book] == nil {
      waiting[book] = Waiting(snapshot: snapshot, dueAt: now + graceNanoseconds)
    }
    return verdict
  }

  /// Looks again at books whose time is over.
  ///
  /// - Returns: each with its verdict, and what REST said.
  package mutating func takeDue(
    in cache: borrowing BookCache, now: Int64
  ) -> [(book: BookIndex, verdict: Verdict, snapshot: BookSnapshot)] {
    var due: [(book: BookIndex, verdict: Verdict, snapshot: BookSnapshot)] = []
    for (book, one) in waiting where one.dueAt <= now {
      let verdict = Self.verdict(one.snapshot, book, in: cache)
      due.append((book, verdict == .waiting ? .different : verdict, one.snapshot))
    }
    for (book, _, _) in due { waiting[book] = nil }
    return due
  }

  private static func verdict(
    _ snapshot: BookSnapshot, _ book: BookIndex, in cache: borrowing BookCache
  ) -> Verdict {
    let header = cache.header(book)
    guard header.state == .live else { return .moved }
    if cache.side(.bid, of: book).elementsEqual(snapshot.bids), cache.side(.ask, of: book).elementsEqual(snapshot.asks)
    {
      return .same
    }
    return header.venueTime > snapshot.venueTime ? .moved : .waiting
  }
}
