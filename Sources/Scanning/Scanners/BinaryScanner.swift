internal import Bus
internal import Market

/// YES and NO of one market: together they pay exactly 1 (S4).
///
/// `Scanning.docc/Binary.md` has the formula, when it is real and when not, and an example that is also a test.
final class BinaryScanner: MarketScanner {
  /// What the scan of everything has not passed over.
  private let candidates = DirtySet()

  func scan(_ batch: DirtyBatch, _ engine: Scanner) { look(batch.markets, engine) }

  /// Two neighbours at a time, which nearly always are the outcomes of one market; sixteen books in one go, of which
  /// most are passed over.
  func scanAll(_ engine: Scanner) {
    let count = engine.feed.cache.count
    engine.countScanned(engine.index.marketCount)
    var start = 0
    while start < count {
      let end = min(start &+ 16, count)
      let isCut = end &- start < 16
      if isCut || Touch.reasonsOfEight(engine.feed.cache.touches + start, marks: BinaryScanner.marks) != 0 {
        collect(start, end, engine)
      }
      start = end
    }
    look(candidates, engine)
    candidates.clear()
  }

  private static let marks = BookMark.hasFind.union(.isApart).rawValue

  private func collect(_ start: Int, _ end: Int, _ engine: Scanner) {
    let touches = engine.feed.cache.touches
    for first in stride(from: start, to: end, by: 2) {
      let second = min(first + 1, end - 1)
      guard touches[first].reasons(with: touches[second], marks: BinaryScanner.marks) != 0 else { continue }
      let (market, other) = (engine.index.market(of: first), engine.index.market(of: second))
      if market >= 0 { candidates.insert(market) }
      if other >= 0 { candidates.insert(other) }
    }
  }

  /// Looks at markets in turn, while what is known of the next ones is brought from memory, step by step.
  private func look(_ places: DirtySet, _ engine: Scanner) {
    let count = places.count
    guard count > 0 else { return }
    for number in -12..<count {
      if number + 12 < count { prefetchRecord(places[number + 12], engine) }
      if number >= -8, number + 8 < count { prefetchBooks(places[number + 8], engine) }
      if number >= -4, number + 4 < count { prefetchLevels(places[number + 4], engine) }
      if number >= 0 { look(places[number], engine) }
    }
  }

  @inline(__always) private func prefetchRecord(_ place: Int, _ engine: Scanner) {
    engine.index.markets.prefetch(place)
    engine.board.prefetchSlot(FindPlace(.binary, place))
  }

  @inline(__always) private func prefetchBooks(_ place: Int, _ engine: Scanner) {
    engine.prefetchHeaders(ofMarket: place)
    engine.board.prefetchTold(FindPlace(.binary, place))
  }

  @inline(__always) private func prefetchLevels(_ place: Int, _ engine: Scanner) {
    engine.prefetchLevels(ofMarket: place)
    engine.board.prefetchOpen(FindPlace(.binary, place))
  }

  private func look(_ place: Int, _ engine: Scanner) {
    guard engine.index.markets[place].yes >= 0 else { return }
    let isOpen = engine.report(FindPlace(.binary, place), find(place, engine), legsMax: 2) { _, legs in
      let record = engine.index.markets[place]
      legs.initializeElement(at: 0, to: FindLeg(market: place, outcome: 0, book: Int(record.yes)))
      legs.initializeElement(at: 1, to: FindLeg(market: place, outcome: 1, book: Int(record.no)))
      return 2
    }
    engine.index.setHasFind(isOpen, market: place)
  }

  /// Looks at one market, level by level; nothing is allocated for it.
  private func find(_ place: Int, _ engine: Scanner) -> PricedSet? {
    let record = engine.index.markets[place]
    let touches = engine.feed.cache.touches
    let (yes, no) = (touches[Int(record.yes)], touches[Int(record.no)])
    guard yes.pays(with: no) else { return nil }
    let buys = yes.ask + no.ask < fixedPointScale
    guard engine.isTradable(place) else { return engine.skip(.notTradable) }
    let age = engine.options.bookAgeMaxNanoseconds
    guard engine.isUsable(Int(record.yes), ageMax: age), engine.isUsable(Int(record.no), ageMax: age) else {
      return nil
    }
    return engine.withLegs(2, side: buys ? .ask : .bid) { number in
      FindLeg(market: place, outcome: number, book: Int(number == 0 ? record.yes : record.no))
    } body: { books, sides in
      engine.price(buys ? .binaryBuy : .binarySell, books: books, sides: sides, setValue: .one)
    }
  }
}
