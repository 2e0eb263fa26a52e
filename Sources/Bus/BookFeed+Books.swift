internal import CLinux
internal import Market

extension BookFeed {
  func applyBooks(_ reader: inout MessagePackReader, _ source: Int, _ onBook: (BookIndex) -> Void) -> Bool {
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
        // The outcomes of one market mostly change together.
        bh_prefetch(cache.headerUnchecked(Int(book) ^ 1))
        if bookSource[Int(book)] == Int32(truncatingIfNeeded: source) {
          try apply(item, Int(book), handle, source, fields: fields, &reader)
        } else if !companions.isEmpty, let place = companion(source, of: Int(book)) {
          try applyCopy(item, Int(book), place, handle, source, fields: fields, &reader)
        } else {
          try challenge(item, Int(book), handle, source, fields: fields, &reader)
        }
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

  /// Applies what the owner of a book says of it.
  private func apply(
    _ item: BookItem, _ book: BookIndex, _ handle: UInt64, _ source: Int, fields: Int,
    _ reader: inout MessagePackReader
  ) throws(MessageError) {
    let isAlone = companions.isEmpty || companions[book] == nil
    switch item {
    case .change where isAlone: counters.dropped += try readChange(book, &cache, fields: fields, &reader)
    case .change: try merge(book, nil, fields: fields, &reader)
    case .snapshot where isAlone: try readSnapshot(book, &cache, fields: fields, &reader)
    case .snapshot: try takeWhole(book, nil, fields: fields, &reader)
    case .stale:
      try reader.skip(fields - 2)
      ownerIsInDoubt(book)
    case .closed:
      try reader.skip(fields - 2)
      cache.close(book)
      companions[book]?.doubtAll()
      removeClaim(of: book)
    case .tick:
      guard fields >= 3 else { throw .truncated }
      let tick = Price(raw: try reader.integer())
      try reader.skip(fields - 3)
      setTickOfAll(tick, of: book)
      if !isAlone { doubtCopy(nil, of: book) }
    case .withdrawn:
      try reader.skip(fields - 2)
      sources[source].handles[Int(handle)] = -1
      withdraw(book)
    }
    counters.applied += 1
    if !claims.isEmpty { settleClaim(of: book) }
  }

  /// Applies what somebody else says of it: to his own copy where he is about to own it.
  private func challenge(
    _ item: BookItem, _ book: BookIndex, _ handle: UInt64, _ source: Int, fields: Int,
    _ reader: inout MessagePackReader
  ) throws(MessageError) {
    guard let claim = claims[book], claim.source == Int32(source) else {
      return try passOver(item, book, handle, source, fields: fields, &reader)
    }
    switch item {
    case .change where claim.shadow >= 0:
      counters.dropped += try readChange(claim.shadow, &shadows, fields: fields, &reader)
    case .change:
      counters.foreign += 1
      try reader.skip(fields - 2)
    case .snapshot:
      let shadow = claim.shadow >= 0 ? claim.shadow : takeShadow(tick: cache.header(book).tick)
      claims[book]?.shadow = shadow
      try readSnapshot(shadow, &shadows, fields: fields, &reader)
    case .stale, .tick:
      try reader.skip(fields - 2)
      releaseShadow(of: book)
    case .closed:
      try reader.skip(fields - 2)
      own(book, source, term: claim.term)
      cache.close(book)
    case .withdrawn:
      try reader.skip(fields - 2)
      sources[source].handles[Int(handle)] = -1
      removeClaim(of: book)
      leaveIfAlone(book)
    }
    settleClaim(of: book)
  }

  /// An item of a publisher that neither owns the book nor is about to: a whole book is taken where there is no other,
  /// anything else is counted.
  private func passOver(
    _ item: BookItem, _ book: BookIndex, _ handle: UInt64, _ source: Int, fields: Int,
    _ reader: inout MessagePackReader
  ) throws(MessageError) {
    let state = cache.header(book).state
    if item == .snapshot, state == .empty || state == .stale {
      own(book, source, term: sources[source].terms[Int(handle)])
      try readSnapshot(book, &cache, fields: fields, &reader)
      ownerIsWhole(book)
      counters.applied += 1
      counters.handedOver += 1
      return
    }
    if item == .withdrawn { sources[source].handles[Int(handle)] = -1 } else { counters.foreign += 1 }
    try reader.skip(fields - 2)
  }

  /// - Returns: how many levels were dropped.
  private func readChange(
    _ book: BookIndex, _ cache: inout BookCache, fields: Int, _ reader: inout MessagePackReader
  ) throws(MessageError) -> UInt64 {
    var dropped: UInt64 = 0
    try readLevels(fields: fields, &reader) { side, level, venueTime, receivedAt in
      let result = cache.apply(
        book, side: side, price: level.price, quantity: level.quantity, venueTime: venueTime, receivedAt: receivedAt)
      if result != .applied { dropped += 1 }
    }
    return dropped
  }

  /// Reads the levels of a change, with the venue's time and ours.
  @inline(__always) func readLevels(
    fields: Int, _ reader: inout MessagePackReader, _ body: (BookSide, Level, Timestamp, Timestamp) -> Void
  ) throws(MessageError) {
    guard fields >= 4, (fields - 4) % 3 == 0 else { throw .outOfRange(field: "change") }
    let venueTime = try reader.time()
    let receivedAt = try reader.time()
    for _ in 0..<((fields - 4) / 3) {
      let side: BookSide = try reader.integer(in: 0...1, "side") == 0 ? .bid : .ask
      let price = Price(raw: try reader.integer())
      let quantity = Quantity(raw: try reader.integer())
      guard price.raw > 0, price.raw < fixedPointScale, quantity.raw >= 0 else { throw .outOfRange(field: "level") }
      body(side, Level(price: price, quantity: quantity), venueTime, receivedAt)
    }
  }

  private func readSnapshot(
    _ book: BookIndex, _ cache: inout BookCache, fields: Int, _ reader: inout MessagePackReader
  ) throws(MessageError) {
    let whole = try readWhole(fields: fields, &reader)
    cache.setTick(whole.tick, of: book)
    bids.withUnsafeBufferPointer { bids in
      asks.withUnsafeBufferPointer { asks in
        _ = cache.replace(book, bids: bids, asks: asks, venueTime: whole.venueTime, receivedAt: whole.receivedAt)
      }
    }
  }

  /// Reads a whole book; its levels are in `bids` and `asks` until the next one.
  func readWhole(fields: Int, _ reader: inout MessagePackReader) throws(MessageError) -> (
    venueTime: Timestamp, receivedAt: Timestamp, tick: Price
  ) {
    guard fields >= 7 else { throw .outOfRange(field: "snapshot") }
    let venueTime = try reader.time()
    let receivedAt = try reader.time()
    let tick = Price(raw: try reader.integer())
    try readLevels(&reader, &bids, rising: true)
    try readLevels(&reader, &asks, rising: false)
    try reader.skip(fields - 7)
    return (venueTime, receivedAt, tick)
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
}
