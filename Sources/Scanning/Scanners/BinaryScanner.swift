internal import Bus
internal import Market

/// YES and NO of one market: together they pay exactly 1 (S4).
///
/// `Scanning.docc/Binary.md` has the formula, when it is real and when not, and an example that is also a test.
final class BinaryScanner: MarketScanner {
  func scan(_ batch: DirtyBatch, _ engine: Scanner) {
    for place in batch.markets { look(place, engine) }
  }

  func scanAll(_ engine: Scanner) {
    let index = engine.index
    let touches = engine.feed.cache.touches
    engine.countScanned(index.marketCount)
    for place in 0..<index.marketCount {
      let record = index.markets[place]
      guard record.yes >= 0 else { continue }
      let yes = touches[Int(record.yes)]
      let no = touches[Int(record.no)]
      guard
        yes.ask + no.ask < fixedPointScale || yes.bid + no.bid > fixedPointScale
          || index.watches[Int(record.yes)].hasFind
      else { continue }
      look(place, engine)
    }
  }

  private func look(_ place: Int, _ engine: Scanner) {
    guard engine.index.markets[place].yes >= 0 else { return }
    let isOpen = engine.report(FindPlace(.binary, place), find(place, engine)) { set in
      let record = engine.index.markets[place]
      return Find(
        set,
        legs: [
          FindLeg(market: place, outcome: 0, book: Int(record.yes)),
          FindLeg(market: place, outcome: 1, book: Int(record.no)),
        ])
    }
    engine.index.setHasFind(isOpen, market: place)
  }

  /// Looks at one market, level by level; nothing is allocated for it.
  private func find(_ place: Int, _ engine: Scanner) -> PricedSet? {
    let record = engine.index.markets[place]
    let touches = engine.feed.cache.touches
    let yes = touches[Int(record.yes)]
    let no = touches[Int(record.no)]
    let buys = yes.ask + no.ask < fixedPointScale
    guard buys || yes.bid + no.bid > fixedPointScale else { return nil }
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
