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

  @Test func `a difference counts only where the stream had its time and did not tell`() {
    var cache = BookCache(books: 4)
    let book = cache.add(tick: Price(raw: 1_000_000))
    var sample = BookSample(graceNanoseconds: 100)
    let empty = sample.compare(snapshot(bid: 40, at: 5), book, in: cache, now: 0)
    #expect(empty == .moved)
    put(40, at: 5, &cache, book)
    let same = sample.compare(snapshot(bid: 40, at: 9), book, in: cache, now: 0)
    #expect(same == .same)
    let older = sample.compare(snapshot(bid: 41, at: 4), book, in: cache, now: 0)
    #expect(older == .moved, "the cache is newer")

    let late = sample.compare(snapshot(bid: 41, at: 9), book, in: cache, now: 0)
    #expect(late == .waiting)
    let early = sample.takeDue(in: cache, now: 99).count
    #expect(early == 0)
    put(41, at: 9, &cache, book)
    let caughtUp = sample.takeDue(in: cache, now: 100).map(\.verdict)
    #expect(caughtUp == [.same])

    let wrong = sample.compare(snapshot(bid: 42, at: 12), book, in: cache, now: 200)
    #expect(wrong == .waiting)
    let different = sample.takeDue(in: cache, now: 300).map(\.verdict)
    #expect(different == [.different])
    let nothing = sample.takeDue(in: cache, now: 400).count
    #expect(nothing == 0, "told once")

    let atOnce = sample.compare(snapshot(bid: 43, at: 9), book, in: cache, now: 500)
    #expect(atOnce == .different, "both are of the same moment")
  }
}
