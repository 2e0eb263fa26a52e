import Bus
import Daemon
import Market
import TestSupport
import Testing

/// One of several publishers of the same market.
private final class Shard {
  let name: String
  let publisher: Publisher
  let marketTopic: TopicHandle
  let bookTopic: TopicHandle
  let batch = BookBatch()
  var cache = BookCache()
  var isClosed = false

  init(_ bench: Bench, _ name: String) throws {
    self.name = name
    publisher = try bench.publisher(name)
    marketTopic = publisher.topic("market/polymarket/\(name)")
    bookTopic = publisher.topic("book/polymarket/\(name)")
    // Handles differ between publishers.
    for _ in 0..<(name == "old" ? 2 : 5) { _ = cache.add(tick: Price(raw: 1_000_000)) }
  }

  /// The handle of the one book that tests look at.
  var book: BookIndex { cache.count - 2 }

  func announce(term: UInt64) {
    var market = PredictionMarket(
      venue: .polymarket, id: "m", eventID: "e", question: name,
      outcomes: [Outcome(token: "yes", name: "Yes"), Outcome(token: "no", name: "No")], tick: Price(raw: 1_000_000))
    market.isClosed = isClosed
    let message = MarketMessage(market: market, books: [UInt32(book), UInt32(book + 1)], term: term)
    publisher.publish(marketTopic) { encodeList([message], $0, MarketMessage.encode) }
  }

  func snapshot(bid: Int64, at time: Int64) {
    let bids = [Level(price: Price(raw: bid * 1_000_000), quantity: Quantity(units: 10))]
    bids.withUnsafeBufferPointer { bids in
      _ = cache.replace(
        book, bids: bids, asks: UnsafeBufferPointer(start: nil, count: 0), venueTime: Timestamp(nanoseconds: time),
        receivedAt: Timestamp(nanoseconds: time))
    }
    batch.snapshot(book: UInt32(book), index: book, of: cache)
    batch.publish(on: publisher, bookTopic)
  }

  /// A better bid, so that the best bid tells which changes have come.
  func change(bid: Int64, at time: Int64) {
    batch.beginChange(
      book: UInt32(book), venueTime: Timestamp(nanoseconds: time), receivedAt: Timestamp(nanoseconds: time))
    batch.change(side: .bid, price: Price(raw: bid * 1_000_000), quantity: Quantity(units: 1))
    batch.endChange()
    batch.publish(on: publisher, bookTopic)
  }

  func say(_ body: (BookBatch, UInt32) -> Void) {
    body(batch, UInt32(book))
    batch.publish(on: publisher, bookTopic)
  }
}

/// A book passes from `old` to `new`; each step is heard before the next is made.
@Suite(.serialized) struct BookHandOverTests {
  private let bench = Bench()
  private let feed = BookFeed()
  private let old: Shard
  private let new: Shard
  private let subscriber: Subscriber
  private let poller = Poller()

  init() throws {
    old = try Shard(bench, "old")
    new = try Shard(bench, "new")
    subscriber = try bench.subscriber("s", to: ["old", "new"], topics: [Topic.market, Topic.book])
    poller.add(subscriber)
    // Both are connected when both have been asked for their state.
    var asked = 0
    let isConnected = wait(poller, until: { asked == 2 }) {
      for shard in [old, new] { shard.publisher.processSubscriptions { _ in asked += 1 } }
    }
    try #require(isConnected)
    old.announce(term: 1)
    old.snapshot(bid: 40, at: 10)
    try hear(old)
  }

  /// Waits until all that a shard has said was heard; a message without items comes last.
  private func hear(_ shard: Shard) throws {
    shard.batch.publish(on: shard.publisher, shard.bookTopic)
    let target = shard.publisher.sequence(of: shard.bookTopic)
    var heard = 0
    let count = Int(target) - (sequences[shard.name] ?? 0)
    let isHeard = wait(poller, until: { heard >= count }) {
      subscriber.receive { event in
        feed.handle(event, from: subscriber, onMarket: { _ in }, onBook: { _ in wentStale.note(state) })
        if case .message(let stream, _, _, _) = event, subscriber.topic(of: stream) == "book/polymarket/\(shard.name)" {
          heard += 1
        }
      }
    }
    sequences[shard.name] = Int(target)
    try #require(isHeard)
  }

  private final class Sequences {
    var byName: [String: Int] = [:]
    subscript(name: String) -> Int? {
      get { byName[name] }
      set { byName[name] = newValue }
    }
  }

  private final class Stale {
    var isSeen = false
    func note(_ state: BookState?) { if state == .stale { isSeen = true } }
  }

  private let sequences = Sequences()
  private let wentStale = Stale()

  private var place: BookIndex { feed.bookPlace(InstrumentID(venue: .polymarket, symbol: "yes")) ?? 0 }
  private var state: BookState? {
    feed.bookPlace(InstrumentID(venue: .polymarket, symbol: "yes")).map { feed.cache.header($0).state }
  }
  private var bid: Int64 { feed.cache.header(place).bestBid / 1_000_000 }

  @Test func `a newer whole book takes over, and the old owner is passed over`() throws {
    new.announce(term: 2)
    new.snapshot(bid: 45, at: 11)
    try hear(new)
    #expect(bid == 45)
    #expect(feed.counters.handedOver == 1)
    old.change(bid: 60, at: 12)
    old.say { $0.stale(book: $1) }
    old.say { $0.closed(book: $1) }
    old.snapshot(bid: 61, at: 13)
    old.announce(term: 1)
    old.say { $0.withdrawn(book: $1) }
    try hear(old)
    #expect(bid == 45 && state == .live)
    #expect(feed.counters.foreign == 4)
    #expect(feed.markets[0].question == "new")
    new.change(bid: 46, at: 14)
    try hear(new)
    #expect(bid == 46)
    #expect(!wentStale.isSeen && feed.counters.dropped == 0 && feed.counters.unknownBook == 0)
  }

  @Test func `an older whole book waits until it has caught up`() throws {
    old.change(bid: 41, at: 20)
    try hear(old)
    new.announce(term: 2)
    new.snapshot(bid: 40, at: 15)
    try hear(new)
    #expect(bid == 41 && feed.counters.handedOver == 0)
    old.change(bid: 42, at: 30)
    try hear(old)
    #expect(bid == 42)
    // As new as what is known, but another change of that time is missing.
    new.change(bid: 41, at: 30)
    try hear(new)
    #expect(bid == 42 && feed.counters.handedOver == 0)
    new.change(bid: 43, at: 31)
    try hear(new)
    #expect(bid == 43 && feed.counters.handedOver == 1)
    #expect(!wentStale.isSeen)
  }

  @Test func `two copies of one time are the same when their levels are`() throws {
    new.announce(term: 2)
    new.snapshot(bid: 40, at: 10)
    try hear(new)
    #expect(feed.counters.handedOver == 1)
  }

  @Test func `the old owner may go before the new one has caught up`() throws {
    old.change(bid: 44, at: 20)
    try hear(old)
    new.announce(term: 2)
    new.snapshot(bid: 40, at: 15)
    try hear(new)
    old.say { $0.withdrawn(book: $1) }
    try hear(old)
    #expect(bid == 44 && state == .live)
    #expect(feed.isTrustworthy(place))
    new.change(bid: 44, at: 20)
    try hear(new)
    #expect(bid == 44 && feed.counters.handedOver == 1)
    new.change(bid: 45, at: 21)
    try hear(new)
    #expect(bid == 45)
    #expect(!wentStale.isSeen)
  }

  @Test func `a book that nobody tells of is stale until somebody does`() throws {
    old.say { $0.withdrawn(book: $1) }
    try hear(old)
    #expect(state == .stale)
    new.announce(term: 2)
    new.snapshot(bid: 39, at: 5)
    try hear(new)
    #expect(state == .live && bid == 39)
  }

  @Test func `an announcement under a lower term changes nothing`() throws {
    new.announce(term: 0)
    new.snapshot(bid: 45, at: 11)
    new.change(bid: 46, at: 12)
    try hear(new)
    #expect(bid == 40 && feed.counters.foreign == 2 && feed.counters.handedOver == 0)
    #expect(feed.markets[0].question == "old")
  }

  @Test func `a claimant's copy takes over at once when the owner's is in doubt`() throws {
    old.change(bid: 44, at: 20)
    try hear(old)
    new.announce(term: 2)
    new.snapshot(bid: 43, at: 19)
    try hear(new)
    old.say { $0.stale(book: $1) }
    try hear(old)
    #expect(state == .live && bid == 43 && feed.counters.handedOver == 1)
  }

  @Test func `a claimant that goes back leaves the book with its owner`() throws {
    old.change(bid: 41, at: 20)
    try hear(old)
    new.announce(term: 2)
    new.snapshot(bid: 40, at: 15)
    new.say { $0.withdrawn(book: $1) }
    try hear(new)
    new.change(bid: 50, at: 40)
    try hear(new)
    old.change(bid: 42, at: 41)
    try hear(old)
    #expect(bid == 42 && state == .live)
    #expect(feed.counters.unknownBook == 1)
  }

  @Test func `when a publisher is gone only what it owns is stale`() throws {
    new.announce(term: 2)
    new.snapshot(bid: 45, at: 11)
    try hear(new)
    feed.forget(publisher: "old") { _ in }
    #expect(state == .live)
    new.change(bid: 46, at: 12)
    try hear(new)
    #expect(bid == 46)
    feed.forget(publisher: "new") { _ in }
    #expect(state == .stale)
    // Its next announcement is taken as of a new one.
    new.announce(term: 3)
    new.snapshot(bid: 47, at: 13)
    try hear(new)
    #expect(state == .live && bid == 47)
  }

  @Test func `a market that has ended has ended, whoever tells it`() throws {
    new.isClosed = true
    new.announce(term: 2)
    try hear(new)
    #expect(state == .closed && feed.markets[0].isClosed)
    old.announce(term: 1)
    old.change(bid: 50, at: 30)
    try hear(old)
    #expect(state == .closed && feed.markets[0].isClosed)
  }
}
