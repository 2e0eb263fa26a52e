internal import Bus
internal import Daemon
internal import Market
internal import Venues

/// How often REST is asked beside the streams, and what has come of it.
struct SampleDesk {
  /// What was compared and polled; each has its counter.
  struct Counters {
    var books: UInt64 = 0
    var same: UInt64 = 0
    var moved: UInt64 = 0
    var different: UInt64 = 0
    var failed: UInt64 = 0
    var frozen: UInt64 = 0
    var polls: UInt64 = 0
    var failedPolls: UInt64 = 0
    var polledBooks: UInt64 = 0
  }

  /// How soon a stream that may be frozen is looked at again.
  static let doubtNanoseconds: Int64 = 5_000_000_000

  let sampleNanoseconds: Int64
  let sampleCount: Int
  let frozenNanoseconds: Int64
  let pollNanoseconds: Int64
  var counters = Counters()
  /// The books that REST is being asked for.
  var asked: [BookIndex] = []
  var nextSampleAt: Int64 = 0
  /// When the books of streams that may be frozen are compared again.
  var nextDoubtAt: Int64 = 0
  var pollQueue: [BookIndex] = []
  var pollsInFlight = 0

  /// - Parameters:
  ///   - settings: of the process.
  ///   - section: the venue's.
  init(settings: Settings, section: String) {
    func nanoseconds(_ key: String) -> Int64 { Int64(settings.integer(section, key)) * 1_000_000_000 }
    sampleNanoseconds = nanoseconds("sample_s")
    sampleCount = settings.integer(section, "sample_books")
    frozenNanoseconds = nanoseconds("frozen_s")
    pollNanoseconds = nanoseconds("poll_s")
  }

  /// For the process's health.
  var health: [String: Int64] {
    [
      "sampled_books": Int64(counters.books), "sampled_same": Int64(counters.same),
      "sampled_moved": Int64(counters.moved), "sampled_different": Int64(counters.different),
      "samples_failed": Int64(counters.failed), "frozen": Int64(counters.frozen), "polls": Int64(counters.polls),
      "polls_failed": Int64(counters.failedPolls), "polled_books": Int64(counters.polledBooks),
    ]
  }
}

/// An ingestor that asks REST for books beside its streams: a sample of them every so often, and all books of a stream
/// that is down (I8).
protocol SampledIngestingService: MarketIngestingService where Markets: SampledMarkets {
  var sampling: SampleDesk { get set }
  /// The request for some books.
  func fetch(_ books: [BookIndex]) -> @Sendable () async throws(VenueError) -> BookListing
  static func sampled(_ result: Result<BookListing, VenueError>) -> Letter
  static func polled(_ result: Result<BookListing, VenueError>) -> Letter
  /// The books of a stream, as far as REST is asked for them.
  func books(on index: Int) -> [BookIndex]
  /// Repairs a book that differs from what REST says, while its stream is open.
  func repair(_ book: BookIndex, _ snapshot: BookSnapshot)
}

/// Markets whose books can be compared with REST.
protocol SampledMarkets: ListedMarkets {
  /// The book that a snapshot is of; nil where it is not this shard's.
  func place(of snapshot: BookSnapshot) -> BookIndex?
  /// The best bid of a book, for people.
  func bestBid(of book: BookIndex) -> Price
  /// Takes a book that REST told, in the place of whatever is known.
  func correct(_ snapshot: BookSnapshot, receivedAt: Timestamp, _ batch: BookBatch)
  /// Books that are compared with REST.
  var sample: BookSample { get set }
  /// REST is asked for some books now.
  func ask(_ books: [BookIndex])
  func compare(_ snapshot: BookSnapshot, _ book: BookIndex, now: Int64) -> BookSample.Due
  func takeDue(now: Int64) -> [BookSample.Due]
}

extension PolymarketBooks: SampledMarkets {
  func bestBid(of book: BookIndex) -> Price { Price(raw: cache.touch(book).bid) }
  func ask(_ books: [BookIndex]) { sample.ask(books, in: cache) }
  func compare(_ snapshot: BookSnapshot, _ book: BookIndex, now: Int64) -> BookSample.Due {
    sample.compare(snapshot, book, in: cache, now: now)
  }
  func takeDue(now: Int64) -> [BookSample.Due] { sample.takeDue(in: cache, now: now) }
}

extension KalshiMarkets: SampledMarkets {
  func bestBid(of book: BookIndex) -> Price { Price(raw: cache.touch(book).bid) }
  func ask(_ books: [BookIndex]) { sample.ask(books, in: cache) }
  func compare(_ snapshot: BookSnapshot, _ book: BookIndex, now: Int64) -> BookSample.Due {
    sample.compare(snapshot, book, in: cache, now: now)
  }
  func takeDue(now: Int64) -> [BookSample.Due] { sample.takeDue(in: cache, now: now) }
}

extension SampledIngestingService {
  // MARK: - Consistency

  /// Compares some books with REST; those of a stream that may be frozen come first, and at once (X5).
  func sampleBooks(_ now: Int64) {
    for index in connections.indices { connections[index].stream.pace.count(now) }
    guard desk.isReady, sampling.asked.isEmpty else { return }
    let doubtful = connections.indices.filter { isDoubtful($0, now) }
    guard now >= (doubtful.isEmpty ? sampling.nextSampleAt : sampling.nextDoubtAt) else { return }
    let silent = doubtful.isEmpty ? connections.indices.filter { isSilent($0, now) } : doubtful
    sampling.nextSampleAt = now + sampling.sampleNanoseconds
    sampling.nextDoubtAt = now + min(SampleDesk.doubtNanoseconds, sampling.sampleNanoseconds)
    let from = silent.isEmpty ? connections.indices.filter { connections[$0].stream.state == .open } : silent
    let candidates = from.flatMap { books(on: $0) }.filter { markets.state(of: $0) == .live }
    guard !candidates.isEmpty else { return }
    var chosen: Set<BookIndex> = []
    for _ in 0..<sampling.sampleCount {
      chosen.insert(candidates[Int(loop.random.next() % UInt64(candidates.count))])
    }
    sampling.asked = Array(chosen)
    markets.ask(sampling.asked)
    request(sampling.asked, { Self.sampled($0) })
  }

  /// Judges books for whose stream the comparison has waited.
  func judgeSample(_ now: Int64) {
    guard markets.sample.isListening else { return }
    for due in markets.takeDue(now: now) { judge(due) }
  }

  private func request(_ books: [BookIndex], _ letter: @escaping @Sendable (Result<BookListing, VenueError>) -> Letter)
  {
    let (fetch, mailbox) = (fetch(books), mailbox)
    Task {
      do throws(VenueError) {
        mailbox.post(letter(.success(try await fetch())))
      } catch {
        mailbox.post(letter(.failure(error)))
      }
    }
  }

  /// Whether a stream that is open has brought nothing but signs of life for long.
  private func isSilent(_ index: Int, _ now: Int64) -> Bool {
    let stream = connections[index].stream
    return stream.state == .open && now - max(stream.dataAt, stream.openedAt) > sampling.frozenNanoseconds
  }

  /// Whether it has for too long beside the other streams and by its own pace; a burst that is over is no pace.
  private func isDoubtful(_ index: Int, _ now: Int64) -> Bool {
    let stream = connections[index].stream
    let silence = now - max(stream.dataAt, stream.openedAt)
    guard stream.state == .open, silence > sampling.frozenNanoseconds / 20, stream.pace.isStill(now) else {
      return false
    }
    let siblings = connections.indices.filter { $0 != index && connections[$0].stream.state == .open }
    return stream.pace.isDoubtful(beside: siblings.map { connections[$0].stream.pace }, now)
  }

  func take(sampled result: Result<BookListing, VenueError>) {
    let now = SystemClock.monotonicNanoseconds
    defer {
      markets.sample.giveUp(sampling.asked)
      sampling.asked = []
    }
    switch result {
    case .failure(let error):
      sampling.counters.failed += 1
      warn("sample cannot be fetched", sampling.counters.failed, error)
    case .success(let listing):
      for snapshot in listing.books {
        guard let book = markets.place(of: snapshot) else { continue }
        sampling.counters.books += 1
        judge(markets.compare(snapshot, book, now: now))
      }
    }
  }

  private func judge(_ due: BookSample.Due) {
    let (book, snapshot) = (due.book, due.snapshot)
    switch due.verdict {
    case .same: sampling.counters.same += 1
    case .moved: sampling.counters.moved += 1
    case .waiting: break
    case .different:
      sampling.counters.different += 1
      Log.warning(
        "book differs from REST",
        [
          "venue": venue.rawValue, "token": snapshot.instrument.symbol, "best": "\(markets.bestBid(of: book))",
          "rest": snapshot.bids.last.map { "\($0.price)" } ?? "none", "times": "\(sampling.counters.different)",
        ])
      repair(book, snapshot)
      publishBatch()
      let now = SystemClock.monotonicNanoseconds
      guard let index = connection(of: book), isSilent(index, now) || isDoubtful(index, now) else { return }
      sampling.counters.frozen += 1
      lose(index, "frozen: it answers, and REST moves")
    }
  }

  // MARK: - Polling while a stream is down

  /// Asks REST for all books of each stream that has been down for a moment, until it is back.
  func pollBooks(_ now: Int64) {
    for index in connections.indices {
      let stream = connections[index].stream
      guard stream.state != .open, stream.lostAt > 0, now - stream.lostAt > 2_000_000_000, now >= stream.pollDueAt
      else { continue }
      connections[index].stream.pollDueAt = now + sampling.pollNanoseconds
      if !sampling.pollQueue.contains(where: { connection(of: $0) == index }) {
        sampling.pollQueue += books(on: index)
      }
    }
    while sampling.pollsInFlight < 2, !sampling.pollQueue.isEmpty {
      let some = sampling.pollQueue.prefix(100).filter { isDown($0) }
      sampling.pollQueue.removeFirst(min(100, sampling.pollQueue.count))
      guard !some.isEmpty else { continue }
      sampling.pollsInFlight += 1
      sampling.counters.polls += 1
      request(some, { Self.polled($0) })
    }
  }

  private func isDown(_ book: BookIndex) -> Bool {
    connection(of: book).map { connections[$0].stream.state != .open } ?? false
  }

  func take(polled result: Result<BookListing, VenueError>) {
    sampling.pollsInFlight -= 1
    switch result {
    case .failure(let error):
      sampling.counters.failedPolls += 1
      warn("polling failed", sampling.counters.failedPolls, error)
    case .success(let listing):
      let now = SystemClock.now
      // A stream that is back tells more than an answer that was on its way.
      for snapshot in listing.books {
        guard let book = markets.place(of: snapshot), isDown(book) else { continue }
        sampling.counters.polledBooks += 1
        markets.correct(snapshot, receivedAt: now, desk.batch)
      }
      publishBatch()
    }
    pollBooks(SystemClock.monotonicNanoseconds)
  }

  private func warn(_ event: String, _ failures: UInt64, _ error: VenueError) {
    guard failures == 1 || failures % 10 == 0 else { return }
    Log.warning(event, ["venue": venue.rawValue, "failures": "\(failures)", "problem": "\(error)"])
  }
}
