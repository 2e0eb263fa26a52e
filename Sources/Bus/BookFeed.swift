internal import Daemon
public import Market

/// Where a book of the feed belongs.
public struct BookOwner: Hashable, Sendable {
  /// The market's place in `BookFeed.markets`.
  public let market: Int
  /// Which outcome of it.
  public let outcome: Int
}

/// Follows `market/…` and `book/…` of all ingestors: every market, and every book, as the venue has them.
///
/// Gaps and restarts make the books of that publisher stale until its snapshot has come; a change for a book that is
/// not known or not live is dropped and counted. The same code serves scanner and executor, so that both see the same.
///
/// Each book belongs to one publisher; while it is handed over two tell of it. The one that announces it under the
/// higher term, or later under the same, owns it as soon as its snapshot is at least as new as what is known; until
/// then the book stays with the old one, and from then on the old one's items are passed over and counted. A book that
/// is handed over so is never stale and never goes back in time.
///
/// Where two programs watch a venue, each book has companions: of each update the first copy is applied, and the book
/// is live as long as one of them has all of it.
public final class BookFeed {
  /// Counters of what came and what was dropped.
  public struct Counters: Sendable {
    /// Items applied.
    public var applied: UInt64 = 0
    /// Changes for a book that is not live here.
    public var dropped: UInt64 = 0
    /// Items for a handle that was never announced.
    public var unknownBook: UInt64 = 0
    /// Messages that could not be read to the end.
    public var malformed: UInt64 = 0
    /// Gaps and restarts.
    public var interruptions: UInt64 = 0
    /// Items of a publisher that does not own the book.
    public var foreign: UInt64 = 0
    /// Levels of changes that another line of publishers had told before.
    public var repeated: UInt64 = 0
    /// Books that have passed from one publisher to another.
    public var handedOver: UInt64 = 0
  }

  /// The books.
  public var cache: BookCache
  /// All markets that were ever announced, in the order in which they came.
  public internal(set) var markets: [PredictionMarket] = []
  /// This feed's books of each market, in the order of its outcomes.
  public internal(set) var marketBooks: [[BookIndex]] = []
  /// Where each book belongs.
  public internal(set) var owners: [BookOwner] = []
  /// What came and what was dropped.
  public internal(set) var counters = Counters()

  var marketIndex: [String: Int] = [:]
  var bookIndex: [InstrumentID: BookIndex] = [:]
  private var streamKinds: [StreamKind] = []
  private var sourceNames: [String] = []
  var sources: [Source] = []
  /// The source that owns each book; −1 where its owner has withdrawn it and no other has taken it yet.
  var bookSource: [Int32] = []
  /// The term under which it owns it.
  var bookTerm: [UInt64] = []
  /// Who is about to own a book that another source still owns.
  var claims: [BookIndex: Claim] = [:]
  /// The program of a book's owners, by its number in `lines`; publishers of another one are companions.
  var bookLine: [Int32] = []
  private var lines: [String] = []
  /// Who else tells of a book, where there is anybody.
  var companions: [BookIndex: Companions] = [:]
  /// The books of claims as their sources tell them.
  var shadows = BookCache(books: 16)
  var freeShadows: [BookIndex] = []
  /// The stream of books of each source, once it was heard.
  private var bookStreams: [StreamHandle?] = []
  private var isSilent: [Bool] = []
  var bids: [Level] = []
  var asks: [Level] = []

  private enum StreamKind {
    case unknown, other
    case market(source: Int)
    case book(source: Int)

    var source: Int? {
      switch self {
      case .market(let source), .book(let source): source
      case .other, .unknown: nil
      }
    }
  }

  struct Source {
    /// The epoch of the last restart that was seen; 0 before the first.
    var epoch: UInt64 = 0
    /// Whether its whole state has come since it began.
    var isComplete = false
    /// This feed's book for each of its handles; −1 where there is none.
    var handles: [Int32] = []
    /// The term under which it announced each handle.
    var terms: [UInt64] = []
  }

  /// A feed without markets.
  public init() { cache = BookCache(books: 8192) }

  /// The place of a market in `markets`, or nil where it was never announced.
  public func marketPlace(_ id: String, venue: Venue) -> Int? { marketIndex["\(venue.rawValue)/\(id)"] }

  /// Applies one event of the subscriber; events of other topics are left alone.
  ///
  /// - Parameters:
  ///   - event: what the subscriber told.
  ///   - subscriber: who told it.
  ///   - onMarket: is told each market that is new or has changed, by its place.
  ///   - onBook: is told each book that has changed, by its place; several times where several items touch it.
  public func handle(
    _ event: BusEvent, from subscriber: Subscriber, onMarket: (Int) -> Void, onBook: (BookIndex) -> Void
  ) {
    switch event {
    case .message(let stream, _, _, var reader):
      switch kind(stream, subscriber) {
      case .market(let source):
        if !applyMarkets(&reader, source, onMarket) { doubt(source, subscriber, onBook) }
      case .book(let source):
        let unknown = counters.unknownBook
        if !applyBooks(&reader, source, onBook) {
          doubt(source, subscriber, onBook)
        } else if counters.unknownBook != unknown, sources[source].isComplete {
          // The market that announced it was lost, and nothing has been heard of that topic since.
          subscriber.doubtState()
        }
      case .other, .unknown: break
      }
    case .gap(let stream, _):
      if let source = kind(stream, subscriber).source { interrupt(source, onBook) }
    case .restarted(let stream):
      if let source = kind(stream, subscriber).source { restart(source, subscriber.epoch(of: stream), onBook) }
    case .snapshotEnd(let publisher):
      // A source's name is `VENUE/PUBLISHER`.
      for source in sourceNames.indices where sourceNames[source].hasSuffix("/" + publisher) {
        sources[source].isComplete = true
      }
    }
  }

  /// The book of a token, or nil where none was announced.
  public func bookPlace(_ instrument: InstrumentID) -> BookIndex? { bookIndex[instrument] }

  /// How many books are live.
  public var liveBookCount: Int {
    var live = 0
    for book in 0..<cache.count where cache.headerUnchecked(book).pointee.state == .live { live += 1 }
    return live
  }

  /// Finds out which publishers have gone silent; a living one is heard every second.
  ///
  /// - Parameters:
  ///   - subscriber: who listens.
  ///   - now: monotonic nanoseconds.
  ///   - limitNanoseconds: the longest silence of a living publisher.
  public func checkSilence(_ subscriber: Subscriber, now: Int64, limitNanoseconds: Int64) {
    for source in bookStreams.indices {
      guard let stream = bookStreams[source] else { continue }
      isSilent[source] = now - subscriber.lastHeard(stream) > limitNanoseconds
    }
  }

  /// Whether a book can be traded on: live, and its publisher is heard.
  public func isTrustworthy(_ book: BookIndex) -> Bool {
    guard cache.header(book).state == .live else { return false }
    // One that is between two publishers is trusted: the next one has told its state already.
    if bookSource[book] < 0 || !isSilent[Int(bookSource[book])] { return true }
    guard !companions.isEmpty, let others = companions[book]?.others else { return false }
    return others.contains { $0.isWhole && !isSilent[Int($0.source)] }
  }

  /// The number of a program's line.
  func lineNumber(_ program: String) -> Int32 {
    if let known = lines.firstIndex(of: program) { return Int32(known) }
    lines.append(program)
    return Int32(lines.count - 1)
  }

  private func kind(_ stream: StreamHandle, _ subscriber: Subscriber) -> StreamKind {
    while streamKinds.count <= stream.index { streamKinds.append(.unknown) }
    if case .unknown = streamKinds[stream.index] {
      let topic = subscriber.topic(of: stream)
      let publisher = String(topic.drop { $0 != "/" }.dropFirst())
      if topic.hasPrefix(Topic.market) {
        streamKinds[stream.index] = .market(source: sourceNumber(publisher))
      } else if topic.hasPrefix(Topic.book) {
        let source = sourceNumber(publisher)
        bookStreams[source] = stream
        streamKinds[stream.index] = .book(source: source)
      } else {
        streamKinds[stream.index] = .other
      }
    }
    return streamKinds[stream.index]
  }

  func sourceNumber(_ publisher: String) -> Int {
    if let known = sourceNames.firstIndex(of: publisher) { return known }
    sourceNames.append(publisher)
    sources.append(Source())
    bookStreams.append(nil)
    isSilent.append(false)
    return sourceNames.count - 1
  }

  private func interrupt(_ source: Int, _ onBook: (BookIndex) -> Void) {
    counters.interruptions += 1
    voidClaims(of: source, wholly: false)
    doubtCopies(of: source, wholly: false, onBook)
    for book in bookSource.indices where bookSource[book] == Int32(source) {
      ownerIsInDoubt(book)
      onBook(book)
    }
  }

  /// Forgets a publisher that is gone for good; what it still owned is stale.
  ///
  /// One of that name that comes later is taken as a new one.
  /// - Parameters:
  ///   - publisher: the process's name.
  ///   - onBook: is told each book that has changed, by its place.
  public func forget(publisher: String, onBook: (BookIndex) -> Void) {
    // A source's name is `VENUE/PUBLISHER`.
    for source in sourceNames.indices where sourceNames[source].hasSuffix("/" + publisher) {
      sources[source] = Source()
      bookStreams[source] = nil
      isSilent[source] = false
      voidClaims(of: source, wholly: true)
      doubtCopies(of: source, wholly: true, onBook)
      for book in bookSource.indices where bookSource[book] == Int32(source) {
        ownerIsInDoubt(book)
        if bookSource[book] == Int32(source) { bookSource[book] = -1 }
        onBook(book)
      }
    }
  }

  /// Handles are valid for one epoch: the snapshot announces them anew.
  ///
  /// Each topic of the publisher tells of the same restart, the second one when markets of the new epoch may be here.
  private func restart(_ source: Int, _ epoch: UInt64, _ onBook: (BookIndex) -> Void) {
    guard sources[source].epoch != epoch else { return }
    sources[source].epoch = epoch
    sources[source].isComplete = false
    sources[source].handles.removeAll(keepingCapacity: true)
    sources[source].terms.removeAll(keepingCapacity: true)
    voidClaims(of: source, wholly: true)
    interrupt(source, onBook)
  }

  /// What a message that could not be read would have changed is not known.
  private func doubt(_ source: Int, _ subscriber: Subscriber, _ onBook: (BookIndex) -> Void) {
    interrupt(source, onBook)
    subscriber.doubtState()
  }

  func malformed(_ error: any Error, _ kind: String) {
    counters.malformed += 1
    // The first in full, then every thousandth: a publisher that has gone mad must not fill the disk.
    guard counters.malformed % 1000 == 1 else { return }
    Log.warning(
      "message of the bus could not be read",
      ["kind": kind, "error": "\(error)", "times": "\(counters.malformed)"])
  }
}
