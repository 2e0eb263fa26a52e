import Ingesting
import Market
import Testing
import Venues

@Suite struct BookSampleTests {
  private func time(_ seconds: Int64) -> Timestamp { Timestamp(nanoseconds: seconds * 1_000_000_000) }
  private func level(_ cents: Int64) -> Level { Level(price: Price(raw: cents * 1_000_000), quantity: .one) }

  private func snapshot(bid: Int64, at seconds: Int64) -> BookSnapshot {
    BookSnapshot(
      instrument: InstrumentID(venue: .polymarket, symbol: "1"), marketID: "0x1", bids: [level(bid)],
      asks: [level(60)], venueTime: time(seconds), tick: nil)
  }

  private func put(_ bid: Int64, at seconds: Int64, _ cache: inout BookCache, _ book: BookIndex) {
    [level(bid)].withUnsafeBufferPointer { bids in
      [level(60)].withUnsafeBufferPointer { asks in
        _ = cache.replace(book, bids: bids, asks: asks, venueTime: time(seconds), receivedAt: time(seconds))
      }
    }
  }

  /// A change as the stream tells it.
  private func change(
    _ bid: Int64, _ quantity: Quantity = .one, at seconds: Int64, _ cache: inout BookCache, _ sample: inout BookSample
  ) {
    let level = Level(price: level(bid).price, quantity: quantity)
    sample.note(0, .bid, level, at: time(seconds))
    _ = cache.apply(
      0, side: .bid, price: level.price, quantity: quantity, venueTime: time(seconds), receivedAt: time(seconds))
  }

  @Test func `a difference counts only where the stream had its time and did not tell`() {
    var cache = BookCache(books: 4)
    let book = cache.add(tick: Price(raw: 1_000_000))
    var sample = BookSample(graceNanoseconds: 600)
    func ask(_ bid: Int64, at seconds: Int64, now: Int64) -> BookSample.Verdict {
      sample.ask([book], in: cache)
      return sample.compare(snapshot(bid: bid, at: seconds), book, in: cache, now: now).verdict
    }
    #expect(ask(40, at: 5, now: 0) == .moved, "there is no book yet")
    put(40, at: 5, &cache, book)
    #expect(ask(40, at: 9, now: 0) == .same)
    #expect(ask(41, at: 4, now: 0) == .moved, "the cache is newer than all that was kept")

    #expect(ask(41, at: 9, now: 0) == .waiting)
    let early = sample.takeDue(in: cache, now: 599).count
    #expect(early == 0)
    put(41, at: 9, &cache, book)
    let caughtUp = sample.takeDue(in: cache, now: 599).map(\.verdict)
    #expect(caughtUp == [.same])

    #expect(ask(42, at: 12, now: 700) == .waiting)
    let different = sample.takeDue(in: cache, now: 1300).map(\.verdict)
    #expect(different == [.different])
    let nothing = sample.takeDue(in: cache, now: 1400).count
    #expect(nothing == 0, "told once")

    #expect(ask(43, at: 9, now: 2000) == .waiting)
    let soon = sample.takeDue(in: cache, now: 2100).map(\.verdict)
    #expect(soon == [.different], "both are of the same moment: the rest of it is here soon")
  }

  @Test func `a book that changes all the time is compared by what the stream told since the question`() throws {
    var cache = BookCache(books: 4)
    let book = cache.add(tick: Price(raw: 1_000_000))
    put(40, at: 5, &cache, book)
    var sample = BookSample(graceNanoseconds: 600)
    // One that is right: REST's answer lies between two changes.
    sample.ask([book], in: cache)
    change(41, at: 6, &cache, &sample)
    change(42, at: 8, &cache, &sample)
    let between = BookSnapshot(
      instrument: InstrumentID(venue: .polymarket, symbol: "1"), marketID: "0x1", bids: [level(40), level(41)],
      asks: [level(60)], venueTime: time(7), tick: nil)
    let right = sample.compare(between, book, in: cache, now: 0)
    #expect(right.verdict == .same)

    // One that has lost a change: the next one after the answer shows it at once, and the repair has what came since.
    sample.ask([book], in: cache)
    change(43, at: 9, &cache, &sample)
    var truth = between
    truth.bids = [40, 42, 43].map(level)
    truth.venueTime = time(10)
    let early = sample.compare(truth, book, in: cache, now: 0)
    #expect(early.verdict == .waiting)
    change(43, .zero, at: 11, &cache, &sample)
    let due = sample.takeDue(in: cache, now: 1)
    #expect(due.map(\.verdict) == [.different])
    let repaired = try #require(due.first?.snapshot)
    #expect(repaired.bids == [40, 42].map(level) && repaired.venueTime == time(11))
  }

  @Test func `where REST's time is not the stream's, a change that the answer has already is no difference`() {
    var cache = BookCache(books: 4)
    let book = cache.add(tick: Price(raw: 1_000_000))
    put(40, at: 5, &cache, book)
    var sample = BookSample(graceNanoseconds: 600)
    sample.ask([book], in: cache)
    change(41, at: 6, &cache, &sample)
    change(42, at: 9, &cache, &sample)
    // It says that it is of 7, and does not have the change of 6.
    let answer = sample.compare(snapshot(bid: 40, at: 7), book, in: cache, now: 0)
    #expect(answer.verdict == .same)
  }

  @Test func `what was asked is void when the book is replaced, there is no answer, or too much happens meanwhile`() {
    var cache = BookCache(books: 4)
    let book = cache.add(tick: Price(raw: 1_000_000))
    put(40, at: 5, &cache, book)
    var sample = BookSample(graceNanoseconds: 600)
    sample.ask([book], in: cache)
    sample.forget(book)
    #expect(!sample.isListening)
    let replaced = sample.compare(snapshot(bid: 41, at: 9), book, in: cache, now: 0)
    #expect(replaced.verdict == .moved)

    sample.ask([book], in: cache)
    sample.giveUp([book])
    #expect(!sample.isListening)

    sample.ask([book], in: cache)
    for _ in 0...BookSample.changesMax { change(41, at: 6, &cache, &sample) }
    let busy = sample.compare(snapshot(bid: 39, at: 9), book, in: cache, now: 0)
    #expect(busy.verdict == .moved && !sample.isListening)
  }

  @Test func `by our clock a book that has changed since the question tells nothing`() {
    var cache = BookCache(books: 4)
    let book = cache.add(tick: Price(raw: 1_000_000))
    put(40, at: 5, &cache, book)
    var sample = BookSample(graceNanoseconds: 600, clock: .ours)
    func ask(_ bid: Int64, at seconds: Int64) -> BookSample.Verdict {
      sample.ask([book], in: cache)
      return sample.compare(snapshot(bid: bid, at: seconds), book, in: cache, now: 0).verdict
    }
    #expect(ask(40, at: 9) == .same)
    #expect(ask(41, at: 4) == .moved)
    #expect(ask(41, at: 9) == .waiting)
    let due = sample.takeDue(in: cache, now: 600).map(\.verdict)
    #expect(due == [.different])
  }
}
