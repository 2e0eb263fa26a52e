package import Market

/// Books that several lines of publishers tell of.
///
/// All publishers of one program are a line: they share its markets out, and hand books over as `BookFeed+Claims.swift`
/// says. A venue may be watched by two programs at once, so that the death of one takes nothing away. Each book then has
/// the publisher that owns it, and companions; of each update the first copy is applied, whoever brings it, and the
/// second is passed over. The book is live as long as one of them has all of it.
///
/// A change says what is at a price now. So the newest of several changes of one price counts, in whatever order they
/// come; what is newest is known by the venue's time, and within one moment by how many changes of it a publisher has
/// told before. What one of them has missed the other one brings, late as it may be, and nothing goes back.
extension BookFeed {
  /// What several publishers tell of one book.
  struct Companions {
    /// A publisher, and whether it has told the whole book and all since.
    struct Copy {
      let source: Int32
      var isWhole = false
      /// The moment of its last change, and how many it has told of that moment.
      var time = Timestamp(nanoseconds: 0)
      var count: UInt32 = 0
    }

    /// A change that was applied.
    struct Applied {
      let time: Timestamp
      let level: Level
      let count: UInt32
      let side: BookSide
    }

    /// The owner's copy first; its source is that of the book.
    var owner = Copy(source: -1)
    var others: [Copy] = []
    /// The last changes, in a ring.
    var applied: [Applied] = []
    var next = 0
    /// A change that is older, and of whose price nothing is known here, is part of the book already.
    var horizon: Timestamp

    static var appliedMax: Int { 16 }

    var isWhole: Bool { owner.isWhole || others.contains { $0.isWhole } }

    mutating func note(_ change: Applied) {
      guard applied.count == Self.appliedMax else { return applied.append(change) }
      horizon = max(horizon, applied[next].time)
      applied[next] = change
      next = (next + 1) % Self.appliedMax
    }

    /// Whether a change is newer than all that is known of its price.
    func isNews(_ side: BookSide, _ price: Price, _ time: Timestamp, _ count: UInt32) -> Bool {
      var known: (time: Timestamp, count: UInt32)?
      for one in applied where one.level.price == price && one.side == side {
        if known.map({ (one.time, one.count) > $0 }) ?? true { known = (one.time, one.count) }
      }
      guard let known else { return time >= horizon }
      return (time, count) > known
    }

    /// The book is one of that moment now: nothing older changes it.
    /// - Returns: the changes of that moment and after it, the oldest first.
    @discardableResult mutating func begin(at time: Timestamp) -> [Applied] {
      applied = applied.filter { $0.time >= time }.sorted { ($0.time, $0.count) < ($1.time, $1.count) }
      next = 0
      horizon = max(horizon, time)
      return applied
    }

    mutating func doubtAll() {
      owner.isWhole = false
      for place in others.indices { others[place].isWhole = false }
    }
  }

  /// Takes up a publisher of another line that announces a book; its whole book follows.
  func accompany(_ book: BookIndex, by source: Int) {
    if companions[book] == nil {
      let header = cache.header(book)
      var new = Companions(horizon: header.venueTime)
      new.owner.isWhole = header.state == .live
      companions[book] = new
    }
    guard companion(source, of: book) == nil else { return }
    companions[book]?.others.append(Companions.Copy(source: Int32(source)))
  }

  /// The place of a publisher among a book's companions; nil where it is none.
  func companion(_ source: Int, of book: BookIndex) -> Int? {
    companions[book]?.others.firstIndex { $0.source == Int32(source) }
  }

  /// Whether anybody but the owner has all of a book.
  func isAccompanied(_ book: BookIndex) -> Bool {
    !companions.isEmpty && companions[book]?.others.contains { $0.isWhole } ?? false
  }

  /// How many publishers have told all of a book.
  package func copyCount(of book: BookIndex) -> Int {
    guard let copies = companions[book] else { return cache.header(book).state == .live ? 1 : 0 }
    return (copies.owner.isWhole ? 1 : 0) + copies.others.count { $0.isWhole }
  }

  /// The copy at a place among the companions, or the owner's for nil, is not whole any more; the book is stale where no
  /// other one is.
  func doubtCopy(_ place: Int?, of book: BookIndex) {
    if let place { companions[book]?.others[place].isWhole = false } else { companions[book]?.owner.isWhole = false }
    guard companions[book]?.isWhole == false else { return }
    cache.markStale(book)
    if !claims.isEmpty { settleClaim(of: book) }
  }

  /// A publisher's copies are void, and where it has started anew or is gone, it is no companion.
  func doubtCopies(of source: Int, wholly: Bool, _ onBook: (BookIndex) -> Void) {
    for book in Array(companions.keys) {
      guard let place = companion(source, of: book) else { continue }
      doubtCopy(place, of: book)
      if wholly { companions[book]?.others.remove(at: place) }
      onBook(book)
    }
  }

  /// Applies what a companion says of a book.
  func applyCopy(
    _ item: BookItem, _ book: BookIndex, _ place: Int, _ handle: UInt64, _ source: Int, fields: Int,
    _ reader: inout MessagePackReader
  ) throws(MessageError) {
    switch item {
    case .change: try merge(book, place, fields: fields, &reader)
    case .snapshot: try takeWhole(book, place, fields: fields, &reader)
    case .stale:
      try reader.skip(fields - 2)
      doubtCopy(place, of: book)
    case .tick:
      guard fields >= 3 else { throw .truncated }
      let tick = Price(raw: try reader.integer())
      try reader.skip(fields - 3)
      setTickOfAll(tick, of: book)
      doubtCopy(place, of: book)
    case .closed, .withdrawn:
      try reader.skip(fields - 2)
      // It is the owner who says that a book has ended; where there is none, whoever is left.
      let isLast = companions[book]?.owner.isWhole != true && (companions[book]?.others.count ?? 0) < 2
      doubtCopy(place, of: book)
      companions[book]?.others.remove(at: place)
      if item == .withdrawn { sources[source].handles[Int(handle)] = -1 } else if isLast { cache.close(book) }
    }
  }

  /// A new grid: no copy is whole until its publisher has told the book anew.
  func setTickOfAll(_ tick: Price, of book: BookIndex) {
    guard cache.header(book).tick != tick else { return }
    cache.setTick(tick, of: book)
    companions[book]?.doubtAll()
  }

  /// Applies those levels of a change that are news; it is told by whoever has that place among the companions, or by the
  /// owner for nil.
  func merge(
    _ book: BookIndex, _ place: Int?, fields: Int, _ reader: inout MessagePackReader
  ) throws(MessageError) {
    guard var copies = companions[book] else { return try reader.skip(fields - 2) }
    // Given back before the next look, so that nothing is copied.
    companions[book] = Companions(horizon: copies.horizon)
    defer { companions[book] = copies }
    try readLevels(fields: fields, &reader) { side, level, venueTime, receivedAt in
      var copy = place.map { copies.others[$0] } ?? copies.owner
      copy.count = copy.time == venueTime ? copy.count + 1 : 1
      copy.time = venueTime
      if let place { copies.others[place] = copy } else { copies.owner = copy }
      guard copy.isWhole else {
        counters.dropped += 1
        return
      }
      guard copies.isNews(side, level.price, venueTime, copy.count) else {
        counters.repeated += 1
        return
      }
      copies.note(.init(time: venueTime, level: level, count: copy.count, side: side))
      let result = cache.apply(
        book, side: side, price: level.price, quantity: level.quantity,
        venueTime: max(venueTime, cache.header(book).venueTime), receivedAt: receivedAt)
      if result != .applied { counters.dropped += 1 }
      if result == .full { copies.doubtAll() }
    }
    counters.applied += 1
  }

  /// Takes a whole book, and what others have told that is newer; it is told by whoever has that place among the
  /// companions, or by the owner for nil.
  func takeWhole(
    _ book: BookIndex, _ place: Int?, fields: Int, _ reader: inout MessagePackReader
  ) throws(MessageError) {
    let whole = try readWhole(fields: fields, &reader)
    let known = cache.header(book)
    guard known.state != .closed else { return }
    let isNone = known.state != .live || known.tick != whole.tick
    // Where not all is known of what came since, the book of here is the better one.
    if isNone || (companions[book]?.horizon ?? known.venueTime) <= whole.venueTime {
      if isNone { companions[book]?.applied = [] }
      cache.setTick(whole.tick, of: book)
      bids.withUnsafeBufferPointer { bids in
        asks.withUnsafeBufferPointer { asks in
          _ = cache.replace(
            book, bids: bids, asks: asks, venueTime: whole.venueTime, receivedAt: whole.receivedAt)
        }
      }
      for change in companions[book]?.begin(at: whole.venueTime) ?? [] {
        _ = cache.apply(
          book, side: change.side, price: change.level.price, quantity: change.level.quantity,
          venueTime: max(whole.venueTime, change.time), receivedAt: max(whole.receivedAt, known.receivedAt))
      }
    }
    if let place {
      companions[book]?.others[place].isWhole = true
    } else {
      companions[book]?.owner.isWhole = true
    }
    counters.applied += 1
  }
}
