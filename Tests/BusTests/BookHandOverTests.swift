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

  func announce(term: UInt64, program: String = "") {
    var market = PredictionMarket(
      venue: .polymarket, id: "m", eventID: "e", question: name,
      outcomes: [Outcome(token: "yes", name: "Yes"), Outcome(token: "no", name: "No")], tick: Price(raw: 1_000_000))
    market.isClosed = isClosed
    let message = MarketMessage(market: market, books: [UInt32(book), UInt32(book + 1)], term: term, program: program)
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
  func change(bid: Int64, _ quantity: Int = 1, at time: Int64) {
    batch.beginChange(
      book: UInt32(book), venueTime: Timestamp(nanoseconds: time), receivedAt: Timestamp(nanoseconds: time))
    batch.change(side: .bid, price: Price(raw: bid * 1_000_000), quantity: Quantity(units: quantity))
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
  private var bid: Int64 { feed.cache.touch(place).bid / 1_000_000 }

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

  // MARK: - Two lines

  /// `new` tells of the same books beside `old`, as a process of another program.
  private func accompany(bid: Int64 = 40, at time: Int64 = 10) throws {
    new.announce(term: 0, program: "other")
    new.snapshot(bid: bid, at: time)
    try hear(new)
    #expect(feed.counters.handedOver == 0)
  }

  @Test func `of two lines the first copy of each update is applied, whoever brings it`() throws {
    try accompany()
    new.change(bid: 41, at: 11)
    try hear(new)
    #expect(bid == 41)
    old.change(bid: 41, at: 11)
    old.change(bid: 42, at: 12)
    try hear(old)
    #expect(bid == 42 && feed.counters.repeated == 1)
    new.change(bid: 42, at: 12)
    try hear(new)
    #expect(bid == 42 && feed.counters.repeated == 2)
    // One line has missed an update: the other brings it, late as it is.
    old.change(bid: 44, at: 14)
    try hear(old)
    new.change(bid: 43, at: 13)
    try hear(new)
    #expect(feed.cache.side(.bid, of: place).map { $0.price.raw / 1_000_000 } == [40, 41, 42, 43, 44])
    #expect(feed.cache.header(place).venueTime == Timestamp(nanoseconds: 14))
    #expect(!wentStale.isSeen && feed.counters.dropped == 0 && feed.counters.foreign == 0)
  }

  @Test func `nothing that one line says again brings back what is over`() throws {
    try accompany()
    old.change(bid: 41, at: 11)
    old.change(bid: 41, 0, at: 11)
    old.change(bid: 42, at: 12)
    old.change(bid: 42, 0, at: 13)
    try hear(old)
    #expect(bid == 40)
    for (price, quantity, time) in [(41, 1, 11), (41, 0, 11), (42, 1, 12), (42, 0, 13)] as [(Int64, Int, Int64)] {
      new.change(bid: price, quantity, at: time)
      try hear(new)
      #expect(bid == 40)
    }
    // A whole book of before keeps what came since, and one of after is not changed by what is older.
    old.change(bid: 43, at: 14)
    try hear(old)
    new.snapshot(bid: 40, at: 13)
    try hear(new)
    #expect(bid == 43)
    old.snapshot(bid: 39, at: 20)
    try hear(old)
    new.change(bid: 45, at: 19)
    try hear(new)
    #expect(bid == 39)
    new.change(bid: 45, at: 20)
    try hear(new)
    #expect(bid == 45 && !wentStale.isSeen)
  }

  @Test func `far more changes of one moment than are remembered are all applied, and none twice`() throws {
    try accompany()
    for price in Int64(1)...39 { old.change(bid: price, at: 11) }
    for price in Int64(1)...39 { old.change(bid: price, 0, at: 12) }
    for price in Int64(41)...90 { old.change(bid: price, at: 12) }
    try hear(old)
    #expect(feed.cache.header(place).bidCount == 51)
    for price in Int64(1)...39 { new.change(bid: price, at: 11) }
    try hear(new)
    #expect(feed.cache.header(place).bidCount == 51)
  }

  @Test func `the death of either line leaves the book live, and of both stale`() throws {
    try accompany()
    old.say { $0.stale(book: $1) }
    try hear(old)
    #expect(state == .live)
    old.change(bid: 50, at: 11)
    try hear(old)
    #expect(bid == 40 && feed.counters.dropped == 1, "what is in doubt is not whole until its whole book has come")
    new.change(bid: 41, at: 11)
    try hear(new)
    #expect(bid == 41)
    old.snapshot(bid: 41, at: 11)
    try hear(old)
    new.say { $0.stale(book: $1) }
    try hear(new)
    #expect(state == .live)
    old.change(bid: 42, at: 12)
    try hear(old)
    #expect(bid == 42 && !wentStale.isSeen)
    old.say { $0.withdrawn(book: $1) }
    try hear(old)
    #expect(state == .stale)
    new.snapshot(bid: 43, at: 13)
    try hear(new)
    #expect(state == .live && bid == 43 && feed.isTrustworthy(place))
  }

  @Test func `a publisher that is gone for good leaves the book to the other line, and comes back`() throws {
    try accompany()
    feed.forget(publisher: "old") { _ in }
    #expect(state == .live && feed.isTrustworthy(place))
    new.change(bid: 41, at: 11)
    try hear(new)
    #expect(bid == 41)
    old.announce(term: 1)
    old.snapshot(bid: 41, at: 11)
    old.change(bid: 42, at: 12)
    try hear(old)
    #expect(bid == 42)
    feed.forget(publisher: "new") { _ in }
    #expect(state == .live && bid == 42)
    feed.forget(publisher: "old") { _ in }
    #expect(state == .stale)
  }

  @Test func `a new grid is told by whoever hears it first, and the book ends when its owner says so`() throws {
    try accompany()
    let finer = Price(raw: 100_000)
    new.say { $0.tick(book: $1, finer) }
    try hear(new)
    #expect(state == .stale && feed.cache.header(place).tick == finer)
    new.cache.setTick(finer, of: new.book)
    new.snapshot(bid: 44, at: 12)
    try hear(new)
    #expect(state == .live && bid == 44)
    old.say { $0.tick(book: $1, finer) }
    try hear(old)
    #expect(state == .live)
    old.cache.setTick(finer, of: old.book)
    old.snapshot(bid: 44, at: 12)
    try hear(old)
    new.say { $0.closed(book: $1) }
    try hear(new)
    #expect(state == .live && bid == 44)
    old.say { $0.closed(book: $1) }
    try hear(old)
    #expect(state == .closed)
  }
}
