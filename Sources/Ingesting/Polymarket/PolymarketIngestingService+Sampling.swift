internal import Daemon
internal import Market
internal import Venues

/// What REST says beside the streams: a sample of books every so often, and all books of a stream that is down (I8).
extension PolymarketIngestingService {
  // MARK: - Consistency

  /// Compares some books with REST; those of a stream that has said nothing for long come first (X5).
  func sampleBooks(_ now: Int64) {
    for (book, verdict, snapshot) in sample.takeDue(in: books.cache, now: now) { judge(book, verdict, snapshot) }
    guard isReady, now >= nextSampleAt, !isSampling else { return }
    nextSampleAt = now + options.sampleNanoseconds
    let silent = connections.indices.filter { isSilent($0, now) }
    let from = silent.isEmpty ? connections.indices.filter { connections[$0].state == .open } : silent
    let candidates = from.flatMap { connections[$0].books }.filter { books.cache.header($0).state == .live }
    guard !candidates.isEmpty else { return }
    var chosen: Set<BookIndex> = []
    for _ in 0..<options.sampleCount {
      chosen.insert(candidates[Int(random.next() % UInt64(candidates.count))])
    }
    isSampling = true
    let tokens = chosen.map { books.tokens[$0] }
    let (rest, mailbox) = (self.rest, self.mailbox)
    Task {
      do throws(VenueError) {
        mailbox.post(.sampled(.success(try await rest.books(tokens: tokens))))
      } catch {
        mailbox.post(.sampled(.failure(error)))
      }
    }
  }

  /// Whether a stream that is open has brought nothing but answers to pings for long.
  private func isSilent(_ index: Int, _ now: Int64) -> Bool {
    let connection = connections[index]
    guard connection.state == .open else { return false }
    return now - max(connection.dataAt, connection.openedAt) > options.frozenNanoseconds
  }

  func take(sampled result: Result<BookListing, VenueError>) {
    isSampling = false
    let now = SystemClock.monotonicNanoseconds
    switch result {
    case .failure(let error):
      samples.failed += 1
      if samples.failed == 1 || samples.failed % 10 == 0 {
        Log.warning("sample cannot be fetched", ["failures": "\(samples.failed)", "problem": "\(error)"])
      }
    case .success(let listing):
      for snapshot in listing.books {
        guard let book = books.place(of: snapshot) else { continue }
        samples.books += 1
        judge(book, sample.compare(snapshot, book, in: books.cache, now: now), snapshot)
      }
    }
  }

  private func judge(_ book: BookIndex, _ verdict: BookSample.Verdict, _ snapshot: BookSnapshot) {
    switch verdict {
    case .same: samples.same += 1
    case .moved: samples.moved += 1
    case .waiting: break
    case .different:
      samples.different += 1
      let header = books.cache.header(book)
      Log.warning(
        "book differs from REST",
        [
          "venue": "polymarket", "token": books.tokens[book], "best": "\(Price(raw: header.bestBid))",
          "rest": snapshot.bids.last.map { "\($0.price)" } ?? "none", "times": "\(samples.different)",
        ])
      books.correct(snapshot, receivedAt: SystemClock.now, batch)
      publishBatch()
      let now = SystemClock.monotonicNanoseconds
      guard book < connectionOfBook.count, connectionOfBook[book] >= 0, isSilent(connectionOfBook[book], now) else {
        return
      }
      samples.frozen += 1
      lose(connectionOfBook[book], "frozen: it answers, and REST moves")
    }
  }

  // MARK: - Polling while a stream is down

  /// Asks REST for all books of each stream that has been down for a moment, until it is back.
  func pollBooks(_ now: Int64) {
    for index in connections.indices where connections[index].state != .open && connections[index].lostAt > 0 {
      guard now - connections[index].lostAt > 2_000_000_000, now >= connections[index].pollDueAt else { continue }
      connections[index].pollDueAt = now + options.pollNanoseconds
      if pollQueue.isEmpty || !pollQueue.contains(where: { connectionOfBook[$0] == index }) {
        pollQueue += connections[index].books
      }
    }
    while pollsInFlight < 2, !pollQueue.isEmpty {
      let some = pollQueue.prefix(100).filter { isDown($0) }
      pollQueue.removeFirst(min(100, pollQueue.count))
      guard !some.isEmpty else { continue }
      pollsInFlight += 1
      samples.polls += 1
      let tokens = some.map { books.tokens[$0] }
      let (rest, mailbox) = (self.rest, self.mailbox)
      Task {
        do throws(VenueError) {
          mailbox.post(.polled(.success(try await rest.books(tokens: tokens))))
        } catch {
          mailbox.post(.polled(.failure(error)))
        }
      }
    }
  }

  private func isDown(_ book: BookIndex) -> Bool {
    guard book < connectionOfBook.count, connectionOfBook[book] >= 0 else { return false }
    return connections[connectionOfBook[book]].state != .open
  }

  func take(polled result: Result<BookListing, VenueError>) {
    pollsInFlight -= 1
    switch result {
    case .failure(let error):
      samples.failedPolls += 1
      if samples.failedPolls == 1 || samples.failedPolls % 10 == 0 {
        Log.warning("polling failed", ["failures": "\(samples.failedPolls)", "problem": "\(error)"])
      }
    case .success(let listing):
      let now = SystemClock.now
      // A stream that is back tells more than an answer that was on its way.
      for snapshot in listing.books {
        guard let book = books.place(of: snapshot), isDown(book) else { continue }
        samples.polledBooks += 1
        books.correct(snapshot, receivedAt: now, batch)
      }
      publishBatch()
    }
    pollBooks(SystemClock.monotonicNanoseconds)
  }
}

/// What was compared and polled; each has its counter.
struct SampleCounters {
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
