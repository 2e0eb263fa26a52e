import Bus
import Daemon
import Market
import TestSupport
import Testing

/// A publisher with one market of two books, and a feed that follows it.
private final class Source {
  let publisher: Publisher
  let marketTopic: TopicHandle
  let bookTopic: TopicHandle
  let batch = BookBatch()
  var cache = BookCache()
  var markets: [MarketMessage] = []

  init(_ bench: Bench, highWaterMark: Int = 100_000) throws {
    publisher = try bench.publisher("p", highWaterMark: highWaterMark)
    marketTopic = publisher.topic("market/polymarket/p")
    bookTopic = publisher.topic("book/polymarket/p")
  }

  /// Adds a market whose books have the next two handles.
  func add(_ id: String) {
    let tick = Price(raw: 1_000_000)
    let market = PredictionMarket(
      venue: .polymarket, id: id, eventID: id, question: id,
      outcomes: [Outcome(token: id + "-yes", name: "Yes"), Outcome(token: id + "-no", name: "No")], tick: tick)
    markets.append(
      MarketMessage(market: market, books: [UInt32(cache.add(tick: tick)), UInt32(cache.add(tick: tick))]))
  }

  func publishMarkets() {
    publisher.publish(marketTopic) { writer in encodeList(markets, writer, MarketMessage.encode) }
  }

  func set(_ book: BookIndex, bid: Int64, ask: Int64) {
    let bids = [Level(price: Price(raw: bid * 1_000_000), quantity: Quantity(units: 10))]
    let asks = [Level(price: Price(raw: ask * 1_000_000), quantity: Quantity(units: 10))]
    bids.withUnsafeBufferPointer { bids in
      asks.withUnsafeBufferPointer { asks in
        _ = cache.replace(
          book, bids: bids, asks: asks, venueTime: Timestamp(nanoseconds: 1), receivedAt: Timestamp(nanoseconds: 2))
      }
    }
  }

  func publishBook(_ book: BookIndex) {
    batch.snapshot(book: UInt32(book), index: book, of: cache)
    batch.publish(on: publisher, bookTopic)
  }

  func answer() {
    publisher.processSubscriptions { request in
      publisher.publishSnapshot(request, marketTopic) { encodeList(markets, $0, MarketMessage.encode) }
      publisher.publishSnapshot(request, bookTopic) { writer in
        let start = writer.openArray()
        var items = 0
        for book in 0..<cache.count where cache.header(book).state == .live {
          items += writeBookSnapshot(book: UInt32(book), index: book, of: cache, writer)
        }
        writer.patchArray(items, at: start)
      }
      publisher.endSnapshot(request)
    }
  }
}

@Suite(.serialized) struct BookFeedTests {
  private let bench = Bench()
  private let feed = BookFeed()

  private func subscriber(highWaterMark: Int = 100_000) throws -> Subscriber {
    try bench.subscriber("s", to: ["p"], topics: [Topic.market, Topic.book], highWaterMark: highWaterMark)
  }

  private func follow(_ subscriber: Subscriber) {
    subscriber.receive(limit: 100_000) { event in
      feed.handle(event, from: subscriber, onMarket: { _ in }, onBook: { _ in })
    }
  }

  private func poller(_ subscriber: Subscriber) -> Poller {
    let poller = Poller()
    poller.add(subscriber)
    return poller
  }

  private func state(_ token: String) -> BookState? {
    feed.bookPlace(InstrumentID(venue: .polymarket, symbol: token)).map { feed.cache.header($0).state }
  }

  private func bestBid(_ token: String) -> Int64? {
    feed.bookPlace(InstrumentID(venue: .polymarket, symbol: token)).map { feed.cache.touch($0).bid / 1_000_000 }
  }

  @Test func `a late feed gets every book from the publisher's memory`() throws {
    let source = try Source(bench)
    source.add("a")
    source.set(0, bid: 40, ask: 42)
    source.set(1, bid: 58, ask: 60)
    let subscriber = try subscriber()
    #expect(
      wait(poller(subscriber), until: { feed.liveBookCount == 2 }) {
        source.answer()
        follow(subscriber)
      })
    #expect(bestBid("a-yes") == 40 && bestBid("a-no") == 58)
    #expect(feed.owners[1].market == 0 && feed.owners[1].outcome == 1)
    #expect(feed.marketPlace("a", venue: .polymarket) == 0)

    source.batch.beginChange(book: 0, venueTime: Timestamp(nanoseconds: 3), receivedAt: Timestamp(nanoseconds: 4))
    source.batch.change(side: .bid, price: Price(raw: 41_000_000), quantity: Quantity(units: 1))
    source.batch.endChange()
    source.batch.stale(book: 1)
    source.batch.publish(on: source.publisher, source.bookTopic)
    #expect(wait(poller(subscriber), until: { bestBid("a-yes") == 41 }) { follow(subscriber) })
    #expect(state("a-no") == .stale)
    source.batch.tick(book: 0, Price(raw: 100_000))
    source.batch.closed(book: 1)
    source.batch.publish(on: source.publisher, source.bookTopic)
    #expect(wait(poller(subscriber), until: { state("a-no") == .closed }) { follow(subscriber) })
    #expect(state("a-yes") == .stale)
    #expect(feed.cache.header(0).tick == Price(raw: 100_000))
    #expect(feed.counters.malformed == 0 && feed.counters.unknownBook == 0)
  }

  @Test func `a gap makes the books stale until the snapshot has come`() throws {
    let source = try Source(bench, highWaterMark: 10)
    source.add("a")
    source.set(0, bid: 40, ask: 42)
    let subscriber = try subscriber(highWaterMark: 10)
    #expect(
      wait(poller(subscriber), until: { feed.liveBookCount == 1 }) {
        source.answer()
        follow(subscriber)
      })
    // Nobody reads: far more than the queues and the socket's buffers hold.
    for _ in 0..<200_000 {
      for _ in 0..<8 { source.batch.snapshot(book: 0, index: 0, of: source.cache) }
      source.batch.publish(on: source.publisher, source.bookTopic)
    }
    source.set(0, bid: 30, ask: 35)
    var sawStale = false
    #expect(
      wait(poller(subscriber), until: { feed.counters.interruptions > 0 && sawStale }) {
        source.batch.publish(on: source.publisher, source.bookTopic)
        follow(subscriber)
        sawStale = sawStale || state("a-yes") == .stale
      })
    #expect(
      wait(poller(subscriber), until: { state("a-yes") == .live && bestBid("a-yes") == 30 }) {
        source.answer()
        follow(subscriber)
      })
  }

  @Test(arguments: [false, true])
  func `a restarted publisher's handles never touch the books of others`(marketIsHeardFirst: Bool) throws {
    var source: Source? = try Source(bench)
    source?.add("a")
    source?.add("b")
    for book in 0..<4 { source?.set(book, bid: 40, ask: 42) }
    let subscriber = try subscriber()
    #expect(
      wait(poller(subscriber), until: { feed.liveBookCount == 4 }) {
        source?.answer()
        follow(subscriber)
      })
    source = nil
    // The same markets the other way round: handle 0 was a's, and is b's.
    source = try Source(bench)
    source?.add("b")
    source?.add("a")
    source?.set(0, bid: 10, ask: 12)
    source?.set(2, bid: 20, ask: 22)
    #expect(
      wait(poller(subscriber), until: { feed.counters.interruptions > 0 && bestBid("b-yes") == 10 }) {
        // A change of a book before its market is announced belongs to nothing.
        if !marketIsHeardFirst { source?.publishBook(0) }
        source?.answer()
        follow(subscriber)
      })
    #expect(
      wait(poller(subscriber), until: { bestBid("a-yes") == 20 }) {
        source?.answer()
        follow(subscriber)
      })
    #expect(state("a-yes") == .live && state("b-yes") == .live)
    #expect(state("a-no") == .stale && state("b-no") == .stale)
    #expect(bestBid("a-no") == 40)
    #expect(feed.counters.interruptions == 1)
  }

  @Test func `a closed market opens again where its publisher says so`() throws {
    let source = try Source(bench)
    source.add("a")
    source.set(0, bid: 40, ask: 42)
    let subscriber = try subscriber()
    #expect(
      wait(poller(subscriber), until: { feed.liveBookCount == 1 }) {
        source.answer()
        follow(subscriber)
      })
    source.markets[0].market.isClosed = true
    source.publishMarkets()
    #expect(wait(poller(subscriber), until: { state("a-yes") == .closed }) { follow(subscriber) })
    source.publishBook(0)
    source.markets[0].market.question = "ended"
    source.publishMarkets()
    #expect(wait(poller(subscriber), until: { feed.markets[0].question == "ended" }) { follow(subscriber) })
    #expect(state("a-yes") == .closed)
    source.markets[0].market.isClosed = false
    source.publishMarkets()
    source.publishBook(0)
    #expect(wait(poller(subscriber), until: { state("a-yes") == .live }) { follow(subscriber) })
  }

  @Test func `a message that cannot be read makes the books stale, and the state is asked for`() throws {
    let source = try Source(bench)
    source.add("a")
    source.set(0, bid: 40, ask: 42)
    let subscriber = try subscriber()
    #expect(
      wait(poller(subscriber), until: { feed.liveBookCount == 1 }) {
        source.answer()
        follow(subscriber)
      })
    // A snapshot whose bids fall: it would break the order that the cache relies on.
    source.publisher.publish(source.bookTopic) { writer in
      writer.array(1)
      writer.array(7)
      for value: Int64 in [1, 0, 5, 5, 1_000_000] { writer.integer(value) }
      writer.array(4)
      for value: Int64 in [42_000_000, 1, 41_000_000, 1] { writer.integer(value) }
      writer.array(0)
    }
    #expect(wait(poller(subscriber), until: { feed.counters.malformed == 1 }) { follow(subscriber) })
    #expect(state("a-yes") == .stale)
    #expect(
      wait(poller(subscriber), until: { state("a-yes") == .live }) {
        source.answer()
        follow(subscriber)
      })
  }

  @Test func `an unknown handle after the whole state has come asks for it again`() throws {
    let source = try Source(bench)
    source.add("a")
    source.set(0, bid: 40, ask: 42)
    let subscriber = try subscriber()
    var isWhole = false
    #expect(
      wait(poller(subscriber), until: { isWhole }) {
        source.answer()
        subscriber.receive { event in
          feed.handle(event, from: subscriber, onMarket: { _ in }, onBook: { _ in })
          if case .snapshotEnd = event { isWhole = true }
        }
      })
    // Its market was announced, but the message was lost.
    source.add("b")
    source.set(2, bid: 1, ask: 3)
    source.publishBook(2)
    #expect(
      wait(poller(subscriber), until: { bestBid("b-yes") == 1 }) {
        source.answer()
        follow(subscriber)
      })
    #expect(feed.counters.unknownBook == 1)
  }

  @Test func `mutated book messages never crash a feed`() throws {
    let source = try Source(bench)
    source.add("a")
    let subscriber = try subscriber()
    #expect(
      wait(poller(subscriber), until: { !feed.markets.isEmpty }) {
        source.answer()
        follow(subscriber)
      })
    let writer = MessagePackWriter()
    writer.array(3)
    source.set(0, bid: 40, ask: 42)
    writeBookSnapshot(book: 0, index: 0, of: source.cache, writer)
    writer.array(7)
    for value: Int64 in [0, 0, 5, 6, 1, 41_000_000, 100] { writer.integer(value) }
    writer.array(3)
    for value: Int64 in [4, 1, 1_000_000] { writer.integer(value) }
    let form = Array(writer.written)
    var random = SeededRandom(seed: 9)
    for round in 0..<50 {
      for _ in 0..<1000 {
        var mutated = form
        for _ in 0..<Int.random(in: 0...3, using: &random) {
          mutated[Int.random(in: 0..<form.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        mutated.withUnsafeBytes { bytes in
          source.publisher.publish(source.bookTopic) { $0.raw(bytes) }
        }
      }
      let applied = feed.counters.applied
      #expect(wait(poller(subscriber), until: { feed.counters.applied > applied }) { follow(subscriber) }, "\(round)")
      for book in 0..<feed.cache.count {
        for (side, isRising) in [(BookSide.bid, true), (.ask, false)] {
          let prices = feed.cache.side(side, of: book).map(\.price)
          #expect(zip(prices, prices.dropFirst()).allSatisfy { isRising ? $0 < $1 : $0 > $1 })
          #expect(prices.allSatisfy { $0.raw > 0 && $0 < .one })
        }
      }
    }
    #expect(feed.counters.malformed > 1000)
  }
}
