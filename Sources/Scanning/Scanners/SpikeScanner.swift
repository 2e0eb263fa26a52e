internal import Bus
internal import Market

/// A jump of the trade price that the book has not followed (S9): asks that stand below what was just paid.
///
/// `Scanning.docc/Spike.md` has the formula, when it is real and when not, and an example that is also a test.
final class SpikeScanner: MarketScanner {
  /// The lowest trade price of a book, in two halves of the window.
  private struct Lows {
    var half: Int64 = 0
    var current = Int64.max
    var previous = Int64.max

    /// The lowest of the window; nil where there was no trade.
    var lowest: Int64? {
      let low = min(current, previous)
      return low == Int64.max ? nil : low
    }

    mutating func roll(to newHalf: Int64) {
      guard newHalf > half else { return }
      previous = newHalf == half + 1 ? current : Int64.max
      current = Int64.max
      half = newHalf
    }
  }

  private struct Spike {
    var book: BookIndex
    var price: Price
    var endsAt: Int64
  }

  private var lows = FlatArray<Lows>(filler: Lows())
  private var spikes: [Spike] = []
  /// When the next spike ends, in nanoseconds since 1970.
  private(set) var nextEnd = Int64.max

  /// Takes a trade of a book.
  func traded(_ trade: Trade, of book: BookIndex, _ engine: Scanner) {
    guard engine.index.market(of: book) >= 0 else { return }
    take(trade.price, trade, of: book, engine)
    take(trade.price.complement, trade, of: engine.index.sibling(of: book), engine)
  }

  private func take(_ price: Price, _ trade: Trade, of book: BookIndex, _ engine: Scanner) {
    let options = engine.options
    lows.grow(to: book + 1)
    lows[book].roll(to: trade.time.nanoseconds / max(1, options.spikeWindowNanoseconds / 2))
    let lowest = lows[book].lowest
    lows[book].current = min(lows[book].current, price.raw)
    guard let lowest, price >= options.spikeTrigger, price.raw - lowest >= options.spikeJump.raw else { return }
    guard engine.isFresh(trade.time, within: options.spikeWindowNanoseconds) else { return engine.count(.tradeTooOld) }
    guard let size = trade.quantity else { return engine.count(.tradeSizeMissing) }
    guard size >= options.spikeSizeMin else { return engine.count(.tradeTooSmall) }
    let spike = Spike(
      book: book, price: price, endsAt: trade.time.advanced(byNanoseconds: options.spikeLifeNanoseconds).nanoseconds)
    spikes.removeAll { $0.book == book }
    spikes.append(spike)
    nextEnd = min(nextEnd, spike.endsAt)
    engine.index.setWatched(true, book)
    engine.bookChanged(book)
  }

  /// Watches a book that has just had a spike.
  func watch(_ book: BookIndex, _ engine: Scanner) {
    if spikes.contains(where: { $0.book == book }) { engine.index.setWatched(true, book) }
  }

  func scan(_ batch: DirtyBatch, _ engine: Scanner) {
    guard !spikes.isEmpty else { return }
    for spike in spikes where batch.books.contains(spike.book) { look(spike, engine) }
  }

  func scanAll(_ engine: Scanner) {
    for spike in spikes { look(spike, engine) }
  }

  /// Closes what spikes have left behind whose time is over.
  func endOld(_ engine: Scanner) {
    let now = engine.now.nanoseconds
    for spike in spikes where spike.endsAt <= now {
      engine.board.update(FindPlace(.spike, spike.book), nil, engine)
      engine.index.setWatched(false, spike.book)
      engine.crossPlatform.watch(spike.book, engine)
      engine.latency.watch(spike.book, engine)
    }
    spikes.removeAll { $0.endsAt <= now }
    nextEnd = spikes.map(\.endsAt).min() ?? Int64.max
  }

  private func look(_ spike: Spike, _ engine: Scanner) {
    engine.report(FindPlace(.spike, spike.book), set(spike, engine)) { set in
      let owner = engine.feed.owners[spike.book]
      var find = Find(set, legs: [FindLeg(market: owner.market, outcome: owner.outcome, book: spike.book)])
      find.probability = Double(spike.price.raw) / Double(fixedPointScale)
      find.markSource = "trade"
      find.triggerPrice = spike.price
      return find
    }
  }

  private func set(_ spike: Spike, _ engine: Scanner) -> PricedSet? {
    guard engine.now.nanoseconds < spike.endsAt else { return nil }
    let market = engine.feed.owners[spike.book].market
    guard engine.isTradable(market) else { return engine.skip(.notTradable) }
    guard engine.isUsable(spike.book, ageMax: engine.options.bookAgeMaxNanoseconds) else { return nil }
    let bid = engine.feed.cache.touches[spike.book].bid
    guard (spike.price.raw - bid).magnitude <= UInt64(engine.options.spikeDeviationMax.raw) else {
      return engine.skip(.bookAgainstTrade)
    }
    let leg = FindLeg(market: market, outcome: 0, book: spike.book)
    return engine.withLegs(1, side: .ask) { _ in
      leg
    } body: { books, sides in
      engine.price(.spike, books: books, sides: sides, setValue: spike.price, edge: engine.options.spikeEdgeMin)
    }
  }
}
