import Market
import TestSupport
import Testing

/// What a book ought to hold: two dictionaries, and the state.
private struct NaiveBook {
  var bids: [Int64: Int64] = [:]
  var asks: [Int64: Int64] = [:]
  var state = BookState.empty

  init(state: BookState = .empty) { self.state = state }

  func levels(_ side: BookSide) -> [Level] {
    let all = (side == .bid ? bids : asks).map { Level(price: Price(raw: $0.key), quantity: Quantity(raw: $0.value)) }
    return all.sorted { side == .bid ? $0.price < $1.price : $0.price > $1.price }
  }

  mutating func set(_ side: BookSide, _ price: Int64, _ quantity: Int64) {
    let value = quantity == 0 ? nil : quantity
    if side == .bid { bids[price] = value } else { asks[price] = value }
  }
}

struct BookCacheTests {
  private func level(_ price: Int64, _ quantity: Int64) -> Level {
    Level(price: Price(raw: price), quantity: Quantity(raw: quantity))
  }

  private func time(_ count: Int) -> Timestamp { Timestamp(nanoseconds: Int64(count)) }

  @discardableResult private func replace(
    _ cache: inout BookCache, _ book: BookIndex, bids: [Level], asks: [Level], at count: Int = 1
  ) -> Bool {
    bids.withUnsafeBufferPointer { bids in
      asks.withUnsafeBufferPointer { asks in
        cache.replace(book, bids: bids, asks: asks, venueTime: time(count), receivedAt: time(count + 1))
      }
    }
  }

  private func expect(_ cache: borrowing BookCache, _ book: BookIndex, _ naive: NaiveBook, _ step: Int) {
    let header = cache.header(book)
    let bids = Array(cache.side(.bid, of: book))
    let asks = Array(cache.side(.ask, of: book))
    #expect(header.state == naive.state, "step \(step)")
    #expect(bids == naive.levels(.bid), "step \(step)")
    #expect(asks == naive.levels(.ask), "step \(step)")
    #expect(cache.touch(book).bid == (naive.bids.keys.max() ?? 0), "step \(step)")
    #expect(cache.touch(book).ask == (naive.asks.keys.min() ?? Touch.noAsk), "step \(step)")
    #expect(Int(header.bidCount) == bids.count && Int(header.askCount) == asks.count, "step \(step)")
  }

  @Test func `a cache agrees with dictionaries over random operations`() {
    var random = SeededRandom(seed: 6)
    // Small at first, so that headers and levels grow under the test's hands.
    var cache = BookCache(books: 1)
    var naive: [NaiveBook] = []
    for step in 0..<100_000 {
      if naive.count < 40, naive.isEmpty || Int.random(in: 0..<500, using: &random) == 0 {
        let added = cache.add(tick: Price(raw: 1))
        #expect(added == naive.count)
        naive.append(NaiveBook())
      }
      let book = Int.random(in: 0..<naive.count, using: &random)
      let side: BookSide = Bool.random(using: &random) ? .bid : .ask
      switch Int.random(in: 0..<1000, using: &random) {
      case 0..<900:
        // Books differ in width, so that all size classes are met.
        let price = Int64.random(in: 1...Int64(4 << (book % 9)), using: &random)
        let quantity = Int.random(in: 0..<4, using: &random) == 0 ? 0 : Int64.random(in: 1...1000, using: &random)
        let result = cache.apply(
          book, side: side, price: Price(raw: price), quantity: Quantity(raw: quantity), venueTime: time(step),
          receivedAt: time(step))
        #expect(result == (naive[book].state == .live ? .applied : .dropped))
        if naive[book].state == .live { naive[book].set(side, price, quantity) }
      case 900..<980:
        var next = NaiveBook(state: .live)
        for _ in 0..<Int.random(in: 0..<(8 << (book % 7)), using: &random) {
          next.set(.bid, Int64.random(in: 1...2000, using: &random), Int64.random(in: 1...9, using: &random))
          next.set(.ask, Int64.random(in: 1...2000, using: &random), Int64.random(in: 1...9, using: &random))
        }
        let isTaken = replace(&cache, book, bids: next.levels(.bid), asks: next.levels(.ask), at: step)
        #expect(isTaken == (naive[book].state != .closed))
        if isTaken { naive[book] = next }
      case 980..<988:
        cache.markStale(book)
        if naive[book].state == .live { naive[book].state = .stale }
      case 988..<992:
        cache.close(book)
        naive[book] = NaiveBook(state: .closed)
      case 992..<996:
        cache.reset(book)
        naive[book] = NaiveBook()
      default:
        let tick = Price(raw: Int64.random(in: 1...3, using: &random))
        let isNew = cache.header(book).tick != tick
        if isNew, naive[book].state == .live { naive[book].state = .stale }
        cache.setTick(tick, of: book)
      }
      expect(cache, book, naive[book], step)
      if step % 1000 == 0 { for other in naive.indices { expect(cache, other, naive[other], step) } }
    }
  }

  @Test(arguments: [BookState.empty, .stale, .closed])
  func `a delta for a book that is not live is dropped and changes nothing`(state: BookState) {
    var cache = BookCache()
    let book = cache.add(tick: Price(raw: 1_000_000))
    if state == .stale {
      replace(&cache, book, bids: [level(1, 5)], asks: [level(3, 5)])
      cache.markStale(book)
    } else if state == .closed {
      cache.close(book)
    }
    let before = cache.header(book)
    let best = cache.touch(book).bid
    let result = cache.apply(
      book, side: .bid, price: Price(raw: 2), quantity: Quantity(raw: 9), venueTime: time(9), receivedAt: time(9))
    let after = cache.header(book)
    #expect(result == .dropped)
    #expect(after.state == state && cache.touch(book).bid == best && after.bidCount == before.bidCount)
    #expect(after.venueTime == before.venueTime && after.receivedAt == before.receivedAt)
  }

  @Test func `a side grows to its limit, and one level more makes the book stale`() {
    var cache = BookCache(books: 1)
    let book = cache.add(tick: Price(raw: 1))
    replace(&cache, book, bids: [], asks: [])
    for price in 1...BookCache.levelsPerSideMax {
      let result = cache.apply(
        book, side: .ask, price: Price(raw: Int64(price)), quantity: Quantity(raw: 1), venueTime: time(1),
        receivedAt: time(1))
      #expect(result == .applied)
    }
    let best = cache.best(.ask, of: book)
    #expect(best == level(1, 1))
    let result = cache.apply(
      book, side: .ask, price: Price(raw: 99_999), quantity: Quantity(raw: 1), venueTime: time(1), receivedAt: time(1))
    let state = cache.header(book).state
    let count = cache.side(.ask, of: book).count
    #expect(result == .full)
    #expect(state == .stale)
    #expect(count == BookCache.levelsPerSideMax)
  }

  @Test func `a copy of several books has one time and does not change with them`() {
    var cache = BookCache()
    let first = cache.add(tick: Price(raw: 1))
    let second = cache.add(tick: Price(raw: 1))
    replace(&cache, first, bids: [level(1, 7)], asks: [level(3, 8)])
    let time = Timestamp(nanoseconds: 42)
    let copy = cache.snapshot(of: [second, first], at: time)
    replace(&cache, first, bids: [], asks: [])
    #expect(copy.time == time && copy.books.map(\.book) == [second, first])
    #expect(copy.books.map(\.state) == [.empty, .live] && !copy.isLive)
    #expect(copy.books[1].bids == [level(1, 7)] && copy.books[1].asks == [level(3, 8)])
    #expect(copy.books[0].bids.isEmpty && copy.books[0].asks.isEmpty)
  }

  @Test func `a snapshot that is too long is refused and leaves the book stale`() {
    var cache = BookCache()
    let book = cache.add(tick: Price(raw: 1))
    replace(&cache, book, bids: [level(1, 1)], asks: [])
    let isTaken = replace(
      &cache, book, bids: (1...BookCache.levelsPerSideMax + 1).map { level(Int64($0), 1) }, asks: [])
    let state = cache.header(book).state
    #expect(!isTaken)
    #expect(state == .stale)
  }

  @Test func `blocks of closed books serve others`() {
    var cache = BookCache(books: 16)
    let first = cache.add(tick: Price(raw: 1))
    let second = cache.add(tick: Price(raw: 1))
    let levels = (1...100).map { level(Int64($0), Int64($0)) }
    replace(&cache, first, bids: levels, asks: [])
    let memory = cache.side(.bid, of: first).baseAddress
    cache.close(first)
    replace(&cache, second, bids: levels, asks: [])
    let reused = cache.side(.bid, of: second).baseAddress
    let kept = Array(cache.side(.bid, of: second))
    let isGone = cache.side(.bid, of: first).isEmpty
    #expect(reused == memory)
    #expect(kept == levels)
    #expect(isGone)
  }
}

struct DepthTests {
  @Test func `a sweep agrees with a brute force that takes unit by unit`() {
    var random = SeededRandom(seed: 7)
    for _ in 0..<20_000 {
      var prices = Set<Int64>()
      for _ in 0..<Int.random(in: 0...8, using: &random) { prices.insert(Int64.random(in: 1...20, using: &random)) }
      let side: BookSide = Bool.random(using: &random) ? .ask : .bid
      let sorted = prices.sorted { side == .ask ? $0 > $1 : $0 < $1 }
      let levels = sorted.map {
        Level(price: Price(raw: $0), quantity: Quantity(raw: Int64.random(in: 1...6, using: &random)))
      }
      let wanted = Int64.random(in: 0...30, using: &random)
      let limit = Bool.random(using: &random) ? Int64.random(in: 1...20, using: &random) : nil
      var units: [Int64] = []
      for level in levels.reversed() {
        if let limit, side == .ask ? level.price.raw > limit : level.price.raw < limit { continue }
        units += Array(repeating: level.price.raw, count: Int(level.quantity.raw))
      }
      let taken = units.prefix(Int(wanted))
      let sweep = levels.withUnsafeBufferPointer {
        Depth.sweep($0, quantity: Quantity(raw: wanted), limit: limit.map { Price(raw: $0) }, book: side)
      }
      #expect(sweep.quantity.raw == Int64(taken.count))
      #expect(sweep.product == taken.reduce(Int128(0)) { $0 + Int128($1) })
      #expect(sweep.worst.raw == taken.last ?? 0)
      #expect(sweep.averagePrice?.raw == (taken.isEmpty ? nil : taken.reduce(0, +) / Int64(taken.count)))
    }
  }
}
