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
  }

  /// The books.
  public var cache: BookCache
  /// All markets that were ever announced, in the order in which they came.
  public private(set) var markets: [PredictionMarket] = []
  /// This feed's books of each market, in the order of its outcomes.
  public private(set) var marketBooks: [[BookIndex]] = []
  /// Where each book belongs.
  public private(set) var owners: [BookOwner] = []
  /// What came and what was dropped.
  public private(set) var counters = Counters()

  private var marketIndex: [String: Int] = [:]
  private var bookIndex: [InstrumentID: BookIndex] = [:]
  private var streamKinds: [StreamKind] = []
  private var sourceNames: [String] = []
  /// For each source, this feed's book for each of its handles; −1 where there is none.
  private var handles: [[Int32]] = []
  /// The source of each book.
  private var bookSource: [Int32] = []
  /// The stream of books of each source, once it was heard.
  private var bookStreams: [StreamHandle?] = []
  private var isSilent: [Bool] = []
  private var bids: [Level] = []
  private var asks: [Level] = []

  private enum StreamKind {
    case unknown, other
    case market(source: Int)
    case book(source: Int)
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
      case .market(let source): applyMarkets(&reader, source, onMarket)
      case .book(let source): applyBooks(&reader, source, onBook)
      case .other, .unknown: break
      }
    case .gap(let stream, _): interrupt(kind(stream, subscriber), restarted: false, onBook)
    case .restarted(let stream): interrupt(kind(stream, subscriber), restarted: true, onBook)
    case .snapshotEnd: break
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
    cache.header(book).state == .live && !isSilent[Int(bookSource[book])]
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

  private func sourceNumber(_ publisher: String) -> Int {
    if let known = sourceNames.firstIndex(of: publisher) { return known }
    sourceNames.append(publisher)
    handles.append([])
    bookStreams.append(nil)
    isSilent.append(false)
    return sourceNames.count - 1
  }

  private func interrupt(_ kind: StreamKind, restarted: Bool, _ onBook: (BookIndex) -> Void) {
    let source: Int
    switch kind {
    case .market(let number), .book(let number): source = number
    case .other, .unknown: return
    }
    counters.interruptions += 1
    for book in bookSource.indices where bookSource[book] == Int32(source) {
      cache.markStale(book)
      onBook(book)
    }
    // Handles are valid for one epoch: the snapshot announces them anew.
    if restarted { handles[source].removeAll(keepingCapacity: true) }
  }

  // MARK: - Markets

  private func applyMarkets(_ reader: inout MessagePackReader, _ source: Int, _ onMarket: (Int) -> Void) {
    do {
      for _ in 0..<(try reader.array()) {
        let message = try MarketMessage(&reader)
        onMarket(adopt(message, source))
      }
    } catch {
      malformed(error, "market")
    }
  }

  private func adopt(_ message: MarketMessage, _ source: Int) -> Int {
    let market = message.market
    let key = "\(market.venue.rawValue)/\(market.id)"
    let place: Int
    if let known = marketIndex[key] {
      place = known
      markets[place] = market
    } else {
      place = markets.count
      markets.append(market)
      marketBooks.append([])
      marketIndex[key] = place
    }
    for (outcome, handle) in message.books.enumerated() {
      if marketBooks[place].count <= outcome {
        let book = cache.add(tick: market.tick)
        marketBooks[place].append(book)
        owners.append(BookOwner(market: place, outcome: outcome))
        bookSource.append(Int32(source))
        if outcome < market.outcomes.count {
          bookIndex[InstrumentID(venue: market.venue, symbol: market.outcomes[outcome].token)] = book
        }
      }
      let book = marketBooks[place][outcome]
      bookSource[book] = Int32(source)
      cache.setTick(market.tick, of: book)
      if market.isClosed { cache.close(book) }
      bind(handle, to: book, source)
    }
    return place
  }

  private func bind(_ handle: UInt32, to book: BookIndex, _ source: Int) {
    guard handle < 1 << 24 else { return }
    while handles[source].count <= Int(handle) { handles[source].append(-1) }
    handles[source][Int(handle)] = Int32(book)
  }

  // MARK: - Books

  private func applyBooks(_ reader: inout MessagePackReader, _ source: Int, _ onBook: (BookIndex) -> Void) {
    do {
      let count = try reader.array()
      for _ in 0..<count {
        let fields = try reader.array(atLeast: 2)
        let code = try reader.unsigned()
        let handle = try reader.unsigned()
        guard let item = BookItem(rawValue: code) else {
          try reader.skip(fields - 2)
          continue
        }
        let book = lookUp(handle, source)
        guard book >= 0 else {
          counters.unknownBook += 1
          try reader.skip(fields - 2)
          continue
        }
        try apply(item, Int(book), fields: fields, &reader)
        onBook(Int(book))
      }
    } catch {
      malformed(error, "book")
    }
  }

  @inline(__always) private func lookUp(_ handle: UInt64, _ source: Int) -> Int32 {
    guard handle < UInt64(handles[source].count) else { return -1 }
    return handles[source][Int(handle)]
  }

  private func apply(
    _ item: BookItem, _ book: BookIndex, fields: Int, _ reader: inout MessagePackReader
  ) throws(MessageError) {
    switch item {
    case .change: try applyChange(book, fields: fields, &reader)
    case .snapshot: try applySnapshot(book, fields: fields, &reader)
    case .stale:
      cache.markStale(book)
      try reader.skip(fields - 2)
    case .closed:
      cache.close(book)
      try reader.skip(fields - 2)
    case .tick:
      cache.setTick(Price(raw: try reader.integer()), of: book)
      try reader.skip(fields - 3)
    }
    counters.applied += 1
  }

  private func applyChange(
    _ book: BookIndex, fields: Int, _ reader: inout MessagePackReader
  ) throws(MessageError) {
    guard fields >= 4, (fields - 4) % 3 == 0 else { throw .outOfRange(field: "change") }
    let venueTime = Timestamp(nanoseconds: try reader.integer())
    let receivedAt = Timestamp(nanoseconds: try reader.integer())
    for _ in 0..<((fields - 4) / 3) {
      let side: BookSide = try reader.unsigned() == 0 ? .bid : .ask
      let price = Price(raw: try reader.integer())
      let quantity = Quantity(raw: try reader.integer())
      guard price.raw > 0, quantity.raw >= 0 else { throw .outOfRange(field: "level") }
      let result = cache.apply(
        book, side: side, price: price, quantity: quantity, venueTime: venueTime, receivedAt: receivedAt)
      if result != .applied { counters.dropped += 1 }
    }
  }

  private func applySnapshot(
    _ book: BookIndex, fields: Int, _ reader: inout MessagePackReader
  ) throws(MessageError) {
    guard fields >= 7 else { throw .outOfRange(field: "snapshot") }
    let venueTime = Timestamp(nanoseconds: try reader.integer())
    let receivedAt = Timestamp(nanoseconds: try reader.integer())
    let tick = Price(raw: try reader.integer())
    try readLevels(&reader, &bids)
    try readLevels(&reader, &asks)
    try reader.skip(fields - 7)
    cache.setTick(tick, of: book)
    bids.withUnsafeBufferPointer { bids in
      asks.withUnsafeBufferPointer { asks in
        _ = cache.replace(book, bids: bids, asks: asks, venueTime: venueTime, receivedAt: receivedAt)
      }
    }
  }

  private func readLevels(_ reader: inout MessagePackReader, _ levels: inout [Level]) throws(MessageError) {
    let count = try reader.array()
    guard count % 2 == 0 else { throw .outOfRange(field: "levels") }
    levels.removeAll(keepingCapacity: true)
    for _ in 0..<count / 2 {
      levels.append(Level(price: Price(raw: try reader.integer()), quantity: Quantity(raw: try reader.integer())))
    }
  }

  private func malformed(_ error: any Error, _ kind: String) {
    counters.malformed += 1
    Log.warning("message of the bus could not be read", ["kind": kind, "error": "\(error)"])
  }
}
