internal import Bus
internal import Market

/// One outcome on one venue, its opposite on another: together they pay exactly 1 (S6).
///
/// `Scanning.docc/CrossPlatform.md` has the formula, when it is real and when not, and an example that is also a test.
final class CrossPlatformScanner: MarketScanner {
  private struct Pair {
    var terms: MarketPair
    /// Where its markets stand in the feed; −1 while one is not known.
    var first = -1
    var second = -1
    /// Whether both texts are the approved ones.
    var isApproved = false
  }

  private var pairs: [Pair] = []
  /// The number of each pair, and those that belong to none any more.
  private var numbers: [MarketPair: Int] = [:]
  private var free: [Int] = []
  /// The pairs of each market, by the market's venue and id.
  private var pairsOfMarket: [InstrumentID: [Int]] = [:]
  /// The pairs of each book.
  private var pairsOfBook: [[Int32]] = []
  private let changed = DirtySet()
  /// How many pairs have both markets here and may be traded.
  private(set) var activeCount = 0
  /// How many pairs were withdrawn because a text has changed.
  private(set) var withdrawnCount = 0

  /// Takes all pairs there are; opportunities of others are closed, those of pairs that stay go on.
  func setPairs(_ all: [MarketPair], _ engine: Scanner) {
    let wanted = Set(all)
    for (terms, number) in numbers where !wanted.contains(terms) { drop(number, engine) }
    for terms in all where numbers[terms] == nil {
      let number = free.popLast() ?? pairs.count
      if number == pairs.count { pairs.append(Pair(terms: terms)) } else { pairs[number] = Pair(terms: terms) }
      numbers[terms] = number
      for end in [terms.first, terms.second] {
        pairsOfMarket[InstrumentID(venue: end.venue, symbol: end.id), default: []].append(number)
      }
      resolve(number, engine)
      look(number, engine)
    }
    recount()
  }

  /// Forgets a pair; its number is free again.
  private func drop(_ number: Int, _ engine: Scanner) {
    let pair = pairs[number]
    engine.board.update(FindPlace(.crossPlatform, number), nil, engine)
    numbers[pair.terms] = nil
    for end in [pair.terms.first, pair.terms.second] {
      pairsOfMarket[InstrumentID(venue: end.venue, symbol: end.id)]?.removeAll { $0 == number }
    }
    for market in [pair.first, pair.second] where market >= 0 {
      for book in engine.feed.marketBooks[market] {
        pairsOfBook[book].removeAll { $0 == Int32(number) }
        guard pairsOfBook[book].isEmpty else { continue }
        engine.index.setWatched(false, book)
        engine.latency.watch(book, engine)
        engine.spike.watch(book, engine)
      }
    }
    pairs[number].first = -1
    pairs[number].isApproved = false
    free.append(number)
  }

  /// Watches a book that belongs to a pair.
  func watch(_ book: BookIndex, _ engine: Scanner) {
    if book < pairsOfBook.count, !pairsOfBook[book].isEmpty { engine.index.setWatched(true, book) }
  }

  func marketChanged(_ place: Int, _ engine: Scanner) {
    guard !numbers.isEmpty else { return }
    let market = engine.feed.markets[place]
    for number in pairsOfMarket[InstrumentID(venue: market.venue, symbol: market.id)] ?? [] {
      resolve(number, engine)
      look(number, engine)
    }
    recount()
  }

  /// Finds a pair's markets in the feed, and compares their texts with the approved ones.
  private func resolve(_ number: Int, _ engine: Scanner) {
    let terms = pairs[number].terms
    guard let first = engine.feed.marketPlace(terms.first.id, venue: terms.first.venue),
      let second = engine.feed.marketPlace(terms.second.id, venue: terms.second.venue),
      engine.feed.marketBooks[first].count == 2, engine.feed.marketBooks[second].count == 2
    else { return }
    (pairs[number].first, pairs[number].second) = (first, second)
    let isApproved = [(terms.first, first), (terms.second, second)].allSatisfy { end, place in
      // A text that nobody knows is none that somebody has approved.
      let digest = engine.feed.markets[place].termsDigest
      return end.terms == nil || digest != 0 && end.terms == digest
    }
    if !isApproved, pairs[number].isApproved { engine.count(.termsChanged) }
    pairs[number].isApproved = isApproved
    for book in engine.feed.marketBooks[first] + engine.feed.marketBooks[second] {
      while pairsOfBook.count <= book { pairsOfBook.append([]) }
      if !pairsOfBook[book].contains(Int32(number)) { pairsOfBook[book].append(Int32(number)) }
      engine.index.setWatched(true, book)
    }
  }

  private func recount() {
    activeCount = 0
    withdrawnCount = 0
    for pair in pairs where pair.first >= 0 {
      if pair.isApproved { activeCount += 1 } else { withdrawnCount += 1 }
    }
  }

  func scan(_ batch: DirtyBatch, _ engine: Scanner) {
    guard !numbers.isEmpty else { return }
    for book in batch.books where book < pairsOfBook.count {
      for number in pairsOfBook[book] { changed.insert(Int(number)) }
    }
    for number in changed { look(number, engine) }
    changed.clear()
  }

  func scanAll(_ engine: Scanner) {
    for number in pairs.indices { look(number, engine) }
  }

  private func look(_ number: Int, _ engine: Scanner) {
    guard pairs[number].first >= 0 else { return }
    engine.report(FindPlace(.crossPlatform, number), best(number, engine), legsMax: 2) { set, legs in
      for place in 0..<2 { legs.initializeElement(at: place, to: leg(number, place, set.kind, engine)) }
      return 2
    }
  }

  /// One of the two legs: an outcome of the first market, or its opposite of the second.
  private func leg(_ number: Int, _ place: Int, _ kind: OpportunityKind, _ engine: Scanner) -> FindLeg {
    let pair = pairs[number]
    let outcome = kind == .crossFirst ? 0 : 1
    let market = place == 0 ? pair.first : pair.second
    let bought = place == 0 ? outcome : pair.terms.isOpposite ? outcome : 1 - outcome
    return FindLeg(market: market, outcome: bought, book: engine.feed.marketBooks[market][bought])
  }

  private func best(_ number: Int, _ engine: Scanner) -> PricedSet? {
    var best: PricedSet?
    for kind in [OpportunityKind.crossFirst, .crossSecond] {
      guard let set = set(number, kind, engine) else { continue }
      if let known = best, known.profit >= set.profit { continue }
      best = set
    }
    return best
  }

  private func set(_ number: Int, _ kind: OpportunityKind, _ engine: Scanner) -> PricedSet? {
    let (left, right) = (leg(number, 0, kind, engine), leg(number, 1, kind, engine))
    let touches = engine.feed.cache.touches
    guard touches[left.book].ask + touches[right.book].ask < fixedPointScale else { return nil }
    guard pairs[number].isApproved else { return engine.skip(.termsChanged) }
    for leg in [left, right] {
      guard engine.isTradable(leg.market) else { return engine.skip(.notTradable) }
      guard engine.isUsable(leg.book, ageMax: engine.options.crossBookAgeMaxNanoseconds) else { return nil }
      let ask = Price(raw: touches[leg.book].ask)
      guard survivesGrid(ask, leg, engine) else { return engine.skip(.offGrid) }
      let fee = engine.index.markets[leg.market].fees.takerFeePerShare(price: ask)
      guard Int128(fee) * Int128(fixedPointScale) <= Int128(ask.raw) * Int128(engine.options.feeShareMax.raw) else {
        return engine.skip(.feeTooHigh)
      }
    }
    return engine.withLegs(2, side: .ask) {
      $0 == 0 ? left : right
    } body: { books, sides in
      engine.price(kind, books: books, sides: sides, setValue: .one)
    }
  }

  /// Whether a price is on its market's grid, or moves so little on the way there that it means the same.
  private func survivesGrid(_ price: Price, _ leg: FindLeg, _ engine: Scanner) -> Bool {
    let market = engine.feed.markets[leg.market]
    guard let grid = market.grid ?? (market.tick.raw > 0 ? PriceGrid(step: market.tick) : nil) else { return false }
    // The second outcome is traded at the first one's price from above.
    let there = leg.outcome == 0 ? grid : grid.complement
    guard let rounded = there.rounded(price, .up) else { return false }
    return rounded.raw - price.raw <= engine.options.gridDriftMax.raw
  }
}
