internal import Bus
internal import Market

/// A jump of the trade price that the book has not followed (S9): asks that stand below what was just paid.
///
/// A trade is a spike where all of this holds:
///
/// - it is of now by its own time, not older than `spike_window_s`, whatever the venue calls recent (I4);
/// - it has a size, and that is at least `spike_size_min` shares (I5);
/// - its price is at least `spike_trigger`, and at least `spike_jump` above the lowest trade of the window before it;
/// - the best bid is no farther than `spike_deviation_max` from it (I6): the market confirms it.
///
/// A trade of one outcome at p is one of the other at 1 − p: where it would sell YES it buys NO. For `spike_life_ms` after
/// the trade, all that is offered below the trade's price, fees and the least edge included, is bought.
///
/// **When it is real.** Never for certain: the trade's price is what somebody has paid, not what the outcome pays. It is
/// real where news has come and a maker's orders are late.
///
/// **When it is not.** A trade that is reported late; a slip of one buyer, which no bid follows; a market that has jumped
/// back within the window.
///
/// **Example.** An outcome was traded at 0.80; 60 shares trade at 0.96, the best bid is 0.90, and 100 shares are still
/// asked at 0.93, without a fee: 100 shares for 93 are worth 96 at the price that was paid: profit 3.
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
    guard book < engine.index.watches.count, engine.index.watches[book].market >= 0 else { return }
    take(trade.price, trade, of: book, engine)
    take(trade.price.complement, trade, of: Int(engine.index.watches[book].sibling), engine)
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
      book: book, price: price, endsAt: trade.time.nanoseconds + options.spikeLifeNanoseconds)
    spikes.removeAll { $0.book == book }
    spikes.append(spike)
    nextEnd = min(nextEnd, spike.endsAt)
    engine.index.setWatched(true, book)
    engine.bookChanged(book)
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
