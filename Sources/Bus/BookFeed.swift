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
  private var sources: [Source] = []
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

    var source: Int? {
      switch self {
      case .market(let source), .book(let source): source
      case .other, .unknown: nil
      }
    }
  }

  private struct Source {
    /// The epoch of the last restart that was seen; 0 before the first.
    var epoch: UInt64 = 0
    /// Whether its whole state has come since it began.
    var isComplete = false
    /// This feed's book for each of its handles; −1 where there is none.
    var handles: [Int32] = []
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
    sources.append(Source())
    bookStreams.append(nil)
    isSilent.append(false)
    return sourceNames.count - 1
  }

  private func interrupt(_ source: Int, _ onBook: (BookIndex) -> Void) {
    counters.interruptions += 1
    for book in bookSource.indices where bookSource[book] == Int32(source) {
      cache.markStale(book)
      onBook(book)
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
    interrupt(source, onBook)
  }

  /// What a message that could not be read would have changed is not known.
  private func doubt(_ source: Int, _ subscriber: Subscriber, _ onBook: (BookIndex) -> Void) {
    interrupt(source, onBook)
    subscriber.doubtState()
  }

  // MARK: - Markets

  private func applyMarkets(_ reader: inout MessagePackReader, _ source: Int, _ onMarket: (Int) -> Void) -> Bool {
    do {
      for _ in 0..<(try reader.array()) {
        let message = try MarketMessage(&reader)
        onMarket(adopt(message, source))
      }
      return true
    } catch {
      malformed(error, "market")
      return false
    }
  }

  /// Takes a market that did not come over the bus, as replays and tests have them.
  ///
  /// - Returns: its place in `markets`.
  package func adopt(_ message: MarketMessage) -> Int { adopt(message, sourceNumber("")) }

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
      if market.isClosed {
        cache.close(book)
      } else if cache.header(book).state == .closed {
        cache.reset(book)
      }
      bind(handle, to: book, source)
    }
    return place
  }

  private func bind(_ handle: UInt32, to book: BookIndex, _ source: Int) {
    guard handle < 1 << 24 else { return }
    while sources[source].handles.count <= Int(handle) { sources[source].handles.append(-1) }
    sources[source].handles[Int(handle)] = Int32(book)
  }

  // MARK: - Books

  private func applyBooks(_ reader: inout MessagePackReader, _ source: Int, _ onBook: (BookIndex) -> Void) -> Bool {
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
      return true
    } catch {
      malformed(error, "book")
      return false
    }
  }

  @inline(__always) private func lookUp(_ handle: UInt64, _ source: Int) -> Int32 {
    guard handle < UInt64(sources[source].handles.count) else { return -1 }
    return sources[source].handles[Int(handle)]
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
      guard fields >= 3 else { throw .truncated }
      cache.setTick(Price(raw: try reader.integer()), of: book)
      try reader.skip(fields - 3)
    }
    counters.applied += 1
  }

  private func applyChange(
    _ book: BookIndex, fields: Int, _ reader: inout MessagePackReader
  ) throws(MessageError) {
    guard fields >= 4, (fields - 4) % 3 == 0 else { throw .outOfRange(field: "change") }
    let venueTime = try reader.time()
    let receivedAt = try reader.time()
    for _ in 0..<((fields - 4) / 3) {
      let side: BookSide = try reader.integer(in: 0...1, "side") == 0 ? .bid : .ask
      let price = Price(raw: try reader.integer())
      let quantity = Quantity(raw: try reader.integer())
      guard price.raw > 0, price.raw < fixedPointScale, quantity.raw >= 0 else { throw .outOfRange(field: "level") }
      let result = cache.apply(
        book, side: side, price: price, quantity: quantity, venueTime: venueTime, receivedAt: receivedAt)
      if result != .applied { counters.dropped += 1 }
    }
  }

  private func applySnapshot(
    _ book: BookIndex, fields: Int, _ reader: inout MessagePackReader
  ) throws(MessageError) {
    guard fields >= 7 else { throw .outOfRange(field: "snapshot") }
    let venueTime = try reader.time()
    let receivedAt = try reader.time()
    let tick = Price(raw: try reader.integer())
    try readLevels(&reader, &bids, rising: true)
    try readLevels(&reader, &asks, rising: false)
    try reader.skip(fields - 7)
    cache.setTick(tick, of: book)
    bids.withUnsafeBufferPointer { bids in
      asks.withUnsafeBufferPointer { asks in
        _ = cache.replace(book, bids: bids, asks: asks, venueTime: venueTime, receivedAt: receivedAt)
      }
    }
  }

  /// Reads one side, and checks what the cache relies on: prices between 0 and 1, worst first, no empty level.
  private func readLevels(
    _ reader: inout MessagePackReader, _ levels: inout [Level], rising: Bool
  ) throws(MessageError) {
    let count = try reader.array()
    guard count % 2 == 0 else { throw .outOfRange(field: "levels") }
    levels.removeAll(keepingCapacity: true)
    var last: Int64 = rising ? 0 : fixedPointScale
    for _ in 0..<count / 2 {
      let price = try reader.integer()
      let quantity = try reader.integer()
      guard price > 0, price < fixedPointScale, quantity > 0, rising ? price > last : price < last else {
        throw .outOfRange(field: "level")
      }
      last = price
      levels.append(Level(price: Price(raw: price), quantity: Quantity(raw: quantity)))
    }
  }

  private func malformed(_ error: any Error, _ kind: String) {
    counters.malformed += 1
    // The first in full, then every thousandth: a publisher that has gone mad must not fill the disk.
    guard counters.malformed % 1000 == 1 else { return }
    Log.warning(
      "message of the bus could not be read",
      ["kind": kind, "error": "\(error)", "times": "\(counters.malformed)"])
  }
}
