package import Market
package import Venues

/// The comparison of cached books with REST (I8): a difference counts only where the stream had the time to tell of it.
///
/// A pure value; times are nanoseconds of the monotonic clock. By the venue's clock busy books are compared, too: what the
/// stream says of a book from the question on is kept, and applied to the answer. By ours a book that has changed since
/// the question tells nothing; that is enough where the stream's numbers show every message that is missing.
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

  /// A book whose time is over, with its verdict and what it ought to be.
  package struct Due {
    package let book: BookIndex
    package let verdict: Verdict
    /// What REST said, and what the stream has said since.
    package let snapshot: BookSnapshot
  }

  private struct Change {
    let time: Timestamp
    let side: BookSide
    let level: Level
  }

  /// What is known of a book since it was asked for.
  private struct Question {
    /// The venue's time of the book when it was asked for.
    let since: Timestamp
    var changes: [Change] = []
    /// The venue's time of the newest change.
    var newest: Timestamp
    var answer: BookSnapshot?
    var dueAt: Int64 = 0
  }

  /// How many changes of one book are kept; one that has more is not compared this time.
  package static var changesMax: Int { 8192 }

  private let graceNanoseconds: Int64
  private let clock: Clock
  private var questions: [BookIndex: Question] = [:]

  /// A sample without books.
  /// - Parameters:
  ///   - graceNanoseconds: how long the stream may take to tell what REST tells.
  ///   - clock: whose time the snapshots carry.
  package init(graceNanoseconds: Int64, clock: Clock = .venue) {
    self.graceNanoseconds = graceNanoseconds
    self.clock = clock
  }

  /// Whether changes of any book are kept.
  package var isListening: Bool { !questions.isEmpty }

  /// Books are asked for now; one that waits already is not put off.
  package mutating func ask(_ books: [BookIndex], in cache: borrowing BookCache) {
    for book in books where questions[book] == nil {
      let time = cache.header(book).venueTime
      questions[book] = Question(since: time, newest: time)
    }
  }

  /// Takes a change that the stream has told.
  package mutating func note(_ book: BookIndex, _ side: BookSide, _ level: Level, at time: Timestamp) {
    guard let kept = questions[book]?.changes.count else { return }
    guard kept < Self.changesMax else { return forget(book) }
    questions[book]?.changes.append(Change(time: time, side: side, level: level))
    questions[book]?.newest = time
  }

  /// A book was replaced or is in doubt: what was asked about it is void.
  package mutating func forget(_ book: BookIndex) {
    if !questions.isEmpty { questions[book] = nil }
  }

  /// There is no answer for those books that do not wait.
  package mutating func giveUp(_ books: [BookIndex]) {
    for book in books where questions[book]?.answer == nil { questions[book] = nil }
  }

  /// Compares a book with what REST has just said of it.
  /// - Returns: the verdict; where it is `different`, with what the book ought to be.
  package mutating func compare(_ snapshot: BookSnapshot, _ book: BookIndex, in cache: borrowing BookCache, now: Int64)
    -> Due
  {
    guard questions[book] != nil else {
      let isSame = cache.header(book).state == .live && isSame(snapshot, book, in: cache)
      return Due(book: book, verdict: isSame ? .same : .moved, snapshot: snapshot)
    }
    // One that waits already is judged by what it waits for.
    if questions[book]?.answer == nil {
      questions[book]?.answer = snapshot
      // Of the same moment: the stream is not behind by more than the rest of that moment.
      let isOfOneMoment = clock == .venue && cache.header(book).venueTime == snapshot.venueTime
      questions[book]?.dueAt = now + (isOfOneMoment ? graceNanoseconds / 6 : graceNanoseconds)
    }
    return judge(book, snapshot, in: cache, now: now)
  }

  /// Looks again at books that wait.
  ///
  /// - Returns: each whose time is over with its verdict, and what it ought to be.
  package mutating func takeDue(in cache: borrowing BookCache, now: Int64) -> [Due] {
    var due: [Due] = []
    for book in Array(questions.keys) {
      guard let snapshot = questions[book]?.answer else { continue }
      let one = judge(book, snapshot, in: cache, now: now)
      if one.verdict != .waiting { due.append(one) }
    }
    return due
  }

  // MARK: - Judging

  private mutating func judge(
    _ book: BookIndex, _ snapshot: BookSnapshot, in cache: borrowing BookCache, now: Int64
  ) -> Due {
    guard let question = questions[book], let answer = question.answer else {
      return Due(book: book, verdict: .moved, snapshot: snapshot)
    }
    var rebuilt = answer
    var verdict =
      clock == .venue
      ? verdict(question, answer, book, in: cache, &rebuilt) : verdict(answer, book, in: cache)
    if verdict == .waiting, now >= question.dueAt { verdict = .different }
    if verdict != .waiting { questions[book] = nil }
    return Due(book: book, verdict: verdict, snapshot: rebuilt)
  }

  /// By the venue's clock.
  private func verdict(
    _ question: Question, _ answer: BookSnapshot, _ book: BookIndex, in cache: borrowing BookCache,
    _ rebuilt: inout BookSnapshot
  ) -> Verdict {
    guard cache.header(book).state == .live else { return .moved }
    // What happened between the answer's time and the question was not kept.
    guard answer.venueTime >= question.since else { return isSame(answer, book, in: cache) ? .same : .moved }
    rebuilt = Self.rebuild(answer, question, from: answer.venueTime)
    if isSame(rebuilt, book, in: cache) { return .same }
    // A change says what is there now, so that one which the answer has already does no harm: where the venue's times of
    // REST and of the stream are not quite the same, this is right as well.
    let whole = Self.rebuild(answer, question, from: question.since)
    if isSame(whole, book, in: cache) { return .same }
    // The stream has told all of the answer's moment where it has told of a later one.
    return question.newest > answer.venueTime ? .different : .waiting
  }

  /// By ours.
  private func verdict(_ answer: BookSnapshot, _ book: BookIndex, in cache: borrowing BookCache) -> Verdict {
    let header = cache.header(book)
    guard header.state == .live else { return .moved }
    if isSame(answer, book, in: cache) { return .same }
    return header.receivedAt > answer.venueTime ? .moved : .waiting
  }

  private func isSame(_ snapshot: BookSnapshot, _ book: BookIndex, in cache: borrowing BookCache) -> Bool {
    cache.side(.bid, of: book).elementsEqual(snapshot.bids) && cache.side(.ask, of: book).elementsEqual(snapshot.asks)
  }

  /// What a book is when all changes from a moment on are applied to what REST said.
  private static func rebuild(_ answer: BookSnapshot, _ question: Question, from time: Timestamp) -> BookSnapshot {
    let changes = question.changes.filter { $0.time >= time }
    guard !changes.isEmpty else { return answer }
    var scratch = BookCache(books: 1)
    let book = scratch.add(tick: .zero)
    answer.bids.withUnsafeBufferPointer { bids in
      answer.asks.withUnsafeBufferPointer { asks in
        _ = scratch.replace(book, bids: bids, asks: asks, venueTime: answer.venueTime, receivedAt: answer.venueTime)
      }
    }
    for change in changes {
      _ = scratch.apply(
        book, side: change.side, price: change.level.price, quantity: change.level.quantity, venueTime: change.time,
        receivedAt: change.time)
    }
    var rebuilt = answer
    rebuilt.bids = Array(scratch.side(.bid, of: book))
    rebuilt.asks = Array(scratch.side(.ask, of: book))
    rebuilt.venueTime = max(answer.venueTime, question.newest)
    return rebuilt
  }
}
