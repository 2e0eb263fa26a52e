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

  /// Whose time tells which of two books is the newer one.
  package enum Clock: Sendable {
    /// The venue's: it stamps what it sends by REST and by the stream.
    case venue
    /// Ours: what REST says is as old as the question, and a change as new as its arrival.
    case ours
  }

  /// A book whose time is over, with its verdict and what REST said.
  package struct Due {
    package let book: BookIndex
    package let verdict: Verdict
    package let snapshot: BookSnapshot
  }

  private struct Waiting {
    let snapshot: BookSnapshot
    let dueAt: Int64
  }

  private let graceNanoseconds: Int64
  private let clock: Clock
  private var waiting: [BookIndex: Waiting] = [:]

  /// A sample without books.
  /// - Parameters:
  ///   - graceNanoseconds: how long the stream may take to tell what REST tells.
  ///   - clock: whose time the snapshots carry.
  package init(graceNanoseconds: Int64, clock: Clock = .venue) {
    self.graceNanoseconds = graceNanoseconds
    self.clock = clock
  }

  /// Compares a book with what REST has just said of it.
  package mutating func compare(_ snapshot: BookSnapshot, _ book: BookIndex, in cache: borrowing BookCache, now: Int64)
    -> Verdict
  {
    let verdict = verdict(snapshot, book, in: cache)
    // By the venue's own clock both are of the same moment: a busy book would never stand still until it is looked at again.
    // Where the stream still has a change of that very moment to tell, it may tell it after the correction as well.
    if verdict == .waiting, clock == .venue, cache.header(book).venueTime == snapshot.venueTime { return .different }
    // One that waits already is not put off by being chosen again.
    if verdict == .waiting, waiting[book] == nil {
      waiting[book] = Waiting(snapshot: snapshot, dueAt: now + graceNanoseconds)
    }
    return verdict
  }

  /// Looks again at books whose time is over.
  ///
  /// - Returns: each with its verdict, and what REST said.
  package mutating func takeDue(in cache: borrowing BookCache, now: Int64) -> [Due] {
    var due: [Due] = []
    for (book, one) in waiting where one.dueAt <= now {
      let verdict = verdict(one.snapshot, book, in: cache)
      due.append(Due(book: book, verdict: verdict == .waiting ? .different : verdict, snapshot: one.snapshot))
    }
    for one in due { waiting[one.book] = nil }
    return due
  }

  private func verdict(
    _ snapshot: BookSnapshot, _ book: BookIndex, in cache: borrowing BookCache
  ) -> Verdict {
    let header = cache.header(book)
    guard header.state == .live else { return .moved }
    if cache.side(.bid, of: book).elementsEqual(snapshot.bids), cache.side(.ask, of: book).elementsEqual(snapshot.asks)
    {
      return .same
    }
    let changedAt = clock == .venue ? header.venueTime : header.receivedAt
    return changedAt > snapshot.venueTime ? .moved : .waiting
  }
}
