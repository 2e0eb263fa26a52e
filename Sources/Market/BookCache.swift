/// Order books of many instruments in flat memory: one for each token (I3).
///
/// Levels lie worst first, so that the best is last, where most changes land, and where the venue's own order puts it.
/// A snapshot replaces, a delta changes; a delta for a book without a snapshot is dropped. Memory is 48 bytes for each
/// book and 16 for each level, in blocks that are at most a quarter too large; nothing is allocated for a change that
/// fits its block. Not thread-safe: it belongs to one poll loop.
public struct BookCache: ~Copyable {
  @usableFromInline var headers: UnsafeMutablePointer<BookHeader>
  @usableFromInline var levels: UnsafeMutablePointer<Level>
  @usableFromInline var touchStore: UnsafeMutablePointer<Touch>
  /// Whether what is not used is not to be resident, at the price of more steps to each book.
  private let isSmall: Bool
  private var headerCapacity: Int
  private var levelCapacity: Int
  private var levelsUsed = 0
  /// Released blocks by size class, each a stack of starts.
  private var free: [[Int32]] = Array(repeating: [], count: 49)
  /// How many books there are.
  public private(set) var count = 0

  /// The most levels that one side may have: a grid of 0.0001 has 9,999.
  public static var levelsPerSideMax: Int { 16_384 }

  /// A cache without books.
  /// - Parameters:
  ///   - books: for how many there is room before it grows.
  ///   - isSmall: whether memory is worth more than time: pages are small then, so that each look at a book takes longer.
  public init(books: Int = 1024, isSmall: Bool = false) {
    self.isSmall = isSmall
    headerCapacity = max(books, 16)
    levelCapacity = headerCapacity * 16
    headers = FlatMemory.allocate(headerCapacity, of: BookHeader.self, isSmall: isSmall)
    touchStore = FlatMemory.allocate(headerCapacity, of: Touch.self)
    levels = FlatMemory.allocate(levelCapacity, of: Level.self, isSmall: isSmall)
  }

  deinit {
    FlatMemory.deallocate(headers)
    FlatMemory.deallocate(touchStore)
    FlatMemory.deallocate(levels)
  }

  /// Adds an empty book.
  /// - Parameter tick: the grid of its prices.
  /// - Returns: its place, counted from 0 without gaps.
  public mutating func add(tick: Price) -> BookIndex {
    if count == headerCapacity {
      let larger = FlatMemory.allocate(headerCapacity * 2, of: BookHeader.self, isSmall: isSmall)
      larger.moveInitialize(from: headers, count: count)
      FlatMemory.deallocate(headers)
      headers = larger
      let touches = FlatMemory.allocate(headerCapacity * 2, of: Touch.self)
      touches.moveInitialize(from: touchStore, count: count)
      FlatMemory.deallocate(touchStore)
      touchStore = touches
      headerCapacity *= 2
    }
    var header = BookHeader()
    header.tick = tick
    (headers + count).initialize(to: header)
    (touchStore + count).initialize(to: Touch())
    count += 1
    return count - 1
  }

  /// What is known of a book apart from its levels.
  ///
  /// Traps where there is no such book.
  @inlinable public func header(_ book: BookIndex) -> BookHeader {
    precondition(book >= 0 && book < count, "no book \(book)")
    return headers[book]
  }

  /// The header of a book that is known to exist; for scans that checked the range before the loop.
  @inlinable public func headerUnchecked(_ book: BookIndex) -> UnsafePointer<BookHeader> {
    UnsafePointer(headers + book)
  }

  /// The best prices of a book, whatever its state.
  ///
  /// Traps where there is no such book.
  @inlinable public func touch(_ book: BookIndex) -> Touch {
    precondition(book >= 0 && book < count, "no book \(book)")
    return touchStore[book]
  }

  /// The best prices of all books, whatever their state, in the order of the books.
  ///
  /// Valid until the next book is added.
  @inlinable public var touches: UnsafePointer<Touch> { UnsafePointer(touchStore) }

  /// Notes something of a book beside its best prices, for whoever scans them: five bits that stay whatever becomes of the
  /// book.
  public mutating func setMark(_ mark: UInt8, of book: BookIndex) {
    precondition(book >= 0 && book < count && mark <= Touch.allMarks, "no book \(book), or no mark \(mark)")
    touchStore[book].set(mark: mark)
  }

  /// One side of a book, worst level first.
  ///
  /// Valid until the next change of any book.
  @inlinable public func side(_ side: BookSide, of book: BookIndex) -> UnsafeBufferPointer<Level> {
    precondition(book >= 0 && book < count, "no book \(book)")
    let header = headers + book
    let start = side == .bid ? header.pointee.bidStart : header.pointee.askStart
    let levelCount = Int(side == .bid ? header.pointee.bidCount : header.pointee.askCount)
    guard levelCount > 0 else { return UnsafeBufferPointer(start: nil, count: 0) }
    return UnsafeBufferPointer(start: levels + Int(start), count: levelCount)
  }

  /// Where the best level of a side lies, for whoever begins to bring it from memory; nil where the side is empty.
  ///
  /// Valid until the next change of any book.
  @inlinable public func bestMemory(_ side: BookSide, of book: BookIndex) -> UnsafePointer<Level>? {
    let levels = self.side(side, of: book)
    return levels.baseAddress.map { $0 + levels.count - 1 }
  }

  /// The best level of a side, or nil where it is empty.
  public func best(_ side: BookSide, of book: BookIndex) -> Level? { self.side(side, of: book).last }

  /// Copies several books as they stand together at one moment (I3).
  ///
  /// - Parameters:
  ///   - books: which ones.
  ///   - time: the moment, for all of them.
  /// - Returns: the copies, in the order asked for.
  public func snapshot(of books: [BookIndex], at time: Timestamp) -> BooksSnapshot {
    BooksSnapshot(
      time: time,
      books: books.map { book in
        BooksSnapshot.Book(
          book: book, state: header(book).state, bids: Array(side(.bid, of: book)), asks: Array(side(.ask, of: book)))
      })
  }

  /// Replaces a book: it is live from here on.
  ///
  /// Both sides worst first; the caller has checked their order.
  /// - Parameters:
  ///   - book: the book.
  ///   - bids: prices rising, quantities above zero.
  ///   - asks: prices falling, quantities above zero.
  ///   - venueTime: the venue's time of the snapshot.
  ///   - receivedAt: when it came.
  /// - Returns: whether it was taken; one that does not fit leaves the book stale, and a closed book stays closed.
  public mutating func replace(
    _ book: BookIndex, bids: UnsafeBufferPointer<Level>, asks: UnsafeBufferPointer<Level>, venueTime: Timestamp,
    receivedAt: Timestamp
  ) -> Bool {
    precondition(book >= 0 && book < count, "no book \(book)")
    guard headers[book].state != .closed else { return false }
    guard bids.count <= BookCache.levelsPerSideMax, asks.count <= BookCache.levelsPerSideMax else {
      headers[book].state = .stale
      return false
    }
    store(bids, side: .bid, of: book)
    store(asks, side: .ask, of: book)
    headers[book].venueTime = venueTime
    headers[book].receivedAt = receivedAt
    headers[book].state = .live
    touchStore[book].set(bid: bestBid(book), ask: bestAsk(book))
    return true
  }

  /// Sets the total quantity at one price; zero removes the level.
  /// - Returns: what became of it; a dropped delta changes nothing.
  public mutating func apply(
    _ book: BookIndex, side: BookSide, price: Price, quantity: Quantity, venueTime: Timestamp, receivedAt: Timestamp
  ) -> DeltaResult {
    precondition(book >= 0 && book < count, "no book \(book)")
    let header = headers + book
    guard header.pointee.state == .live else { return .dropped }
    let isBid = side == .bid
    let levelCount = Int(isBid ? header.pointee.bidCount : header.pointee.askCount)
    let start = Int(isBid ? header.pointee.bidStart : header.pointee.askStart)
    // From the touch, where most changes land.
    var place = levelCount
    let base = levels + max(start, 0)
    if isBid {
      while place > 0, base[place - 1].price.raw > price.raw { place -= 1 }
    } else {
      while place > 0, base[place - 1].price.raw < price.raw { place -= 1 }
    }
    if place > 0, base[place - 1].price.raw == price.raw {
      if quantity.raw != 0 {
        base[place - 1].quantity = quantity
      } else {
        (base + place - 1).update(from: base + place, count: levelCount - place)
        setCount(levelCount - 1, side: side, of: book)
      }
    } else if quantity.raw != 0 {
      guard insert(Level(price: price, quantity: quantity), at: place, side: side, of: book) else {
        header.pointee.state = .stale
        return .full
      }
    }
    header.pointee.venueTime = venueTime
    header.pointee.receivedAt = receivedAt
    // The other side is not brought from memory for it.
    if isBid { touchStore[book].set(bid: bestBid(book)) } else { touchStore[book].set(ask: bestAsk(book)) }
    return .applied
  }

  /// Says that a book cannot be trusted until its next snapshot.
  public mutating func markStale(_ book: BookIndex) {
    precondition(book >= 0 && book < count, "no book \(book)")
    if headers[book].state == .live { headers[book].state = .stale }
  }

  /// Ends a book and gives its levels back.
  public mutating func close(_ book: BookIndex) {
    precondition(book >= 0 && book < count, "no book \(book)")
    release(headers[book].bidStart, sizeClass: headers[book].bidClass)
    release(headers[book].askStart, sizeClass: headers[book].askClass)
    let tick = headers[book].tick
    headers[book] = BookHeader()
    headers[book].tick = tick
    headers[book].state = .closed
    touchStore[book].set(bid: 0, ask: Touch.noAsk)
  }

  /// Forgets a book's levels and opens it again, for a publisher that starts anew.
  public mutating func reset(_ book: BookIndex) {
    close(book)
    headers[book].state = .empty
  }

  /// Changes a book's grid: its levels may stand off the new one, so it is stale until the next snapshot.
  public mutating func setTick(_ tick: Price, of book: BookIndex) {
    precondition(book >= 0 && book < count, "no book \(book)")
    guard headers[book].tick != tick else { return }
    headers[book].tick = tick
    markStale(book)
  }

  // MARK: - Blocks of levels

  /// Four classes in each doubling: 4, 5, 6, 7, 8, 10, 12, 14, 16, 20 and so on up to 16,384.
  private static func capacity(ofClass sizeClass: UInt8) -> Int {
    (4 + Int(sizeClass & 3)) << Int(sizeClass >> 2)
  }

  /// The smallest class whose blocks have room for so many levels.
  private static func sizeClass(for wanted: Int) -> UInt8 {
    guard wanted > 4 else { return 0 }
    let doublings = Int.bitWidth - 3 - (wanted - 1).leadingZeroBitCount
    let quarter = (wanted - 1) >> doublings
    return UInt8(doublings * 4 + quarter - 3)
  }

  private mutating func allocate(_ wanted: Int) -> (start: Int32, sizeClass: UInt8) {
    let sizeClass = BookCache.sizeClass(for: wanted)
    if let start = free[Int(sizeClass)].popLast() { return (start, sizeClass) }
    let size = BookCache.capacity(ofClass: sizeClass)
    if levelsUsed + size > levelCapacity {
      let capacity = max(levelCapacity + levelCapacity / 2, levelsUsed + size)
      let larger = FlatMemory.allocate(capacity, of: Level.self, isSmall: isSmall)
      larger.moveInitialize(from: levels, count: levelsUsed)
      FlatMemory.deallocate(levels)
      levels = larger
      levelCapacity = capacity
    }
    (levels + levelsUsed).initialize(repeating: Level(price: .zero, quantity: .zero), count: size)
    levelsUsed += size
    return (Int32(levelsUsed - size), sizeClass)
  }

  private mutating func release(_ start: Int32, sizeClass: UInt8) {
    guard start >= 0 else { return }
    free[Int(sizeClass)].append(start)
  }

  private func room(_ side: BookSide, of book: BookIndex) -> Int {
    let header = headers[book]
    let (start, sizeClass) = side == .bid ? (header.bidStart, header.bidClass) : (header.askStart, header.askClass)
    return start < 0 ? 0 : BookCache.capacity(ofClass: sizeClass)
  }

  private mutating func setBlock(_ block: (start: Int32, sizeClass: UInt8), side: BookSide, of book: BookIndex) {
    if side == .bid {
      headers[book].bidStart = block.start
      headers[book].bidClass = block.sizeClass
    } else {
      headers[book].askStart = block.start
      headers[book].askClass = block.sizeClass
    }
  }

  private func setCount(_ levelCount: Int, side: BookSide, of book: BookIndex) {
    if side == .bid {
      headers[book].bidCount = UInt16(levelCount)
    } else {
      headers[book].askCount = UInt16(levelCount)
    }
  }

  private mutating func store(_ new: UnsafeBufferPointer<Level>, side: BookSide, of book: BookIndex) {
    if room(side, of: book) < new.count {
      let header = headers[book]
      release(
        side == .bid ? header.bidStart : header.askStart, sizeClass: side == .bid ? header.bidClass : header.askClass)
      setBlock(allocate(new.count), side: side, of: book)
    }
    setCount(new.count, side: side, of: book)
    guard new.count > 0, let source = new.baseAddress else { return }
    let start = Int(side == .bid ? headers[book].bidStart : headers[book].askStart)
    (levels + start).update(from: source, count: new.count)
  }

  private mutating func insert(_ level: Level, at place: Int, side: BookSide, of book: BookIndex) -> Bool {
    let levelCount = Int(side == .bid ? headers[book].bidCount : headers[book].askCount)
    if levelCount == room(side, of: book) {
      guard levelCount < BookCache.levelsPerSideMax else { return false }
      let header = headers[book]
      let old = side == .bid ? header.bidStart : header.askStart
      let block = allocate(levelCount + 1)
      if old >= 0 { (levels + Int(block.start)).update(from: levels + Int(old), count: levelCount) }
      release(old, sizeClass: side == .bid ? header.bidClass : header.askClass)
      setBlock(block, side: side, of: book)
    }
    let base = levels + Int(side == .bid ? headers[book].bidStart : headers[book].askStart)
    (base + place + 1).update(from: base + place, count: levelCount - place)
    base[place] = level
    setCount(levelCount + 1, side: side, of: book)
    return true
  }

  @inline(__always) private func bestBid(_ book: BookIndex) -> Int64 {
    let count = Int(headers[book].bidCount)
    return count > 0 ? levels[Int(headers[book].bidStart) + count - 1].price.raw : 0
  }

  @inline(__always) private func bestAsk(_ book: BookIndex) -> Int64 {
    let count = Int(headers[book].askCount)
    return count > 0 ? levels[Int(headers[book].askStart) + count - 1].price.raw : Touch.noAsk
  }
}
