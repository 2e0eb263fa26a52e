internal import Bus
internal import Glibc
internal import Market

/// Up/down markets of a coin against its spot price (S8): the market's makers are some milliseconds behind the exchanges.
///
/// `Scanning.docc/Latency.md` has the formula, when it is real and when not, and an example that is also a test.
final class LatencyScanner: MarketScanner {
  private struct Window {
    var market: Int
    var coin: Int
    var opensAt: Timestamp
    var closesAt: Timestamp
  }

  private var windows: [Window] = []
  /// The window of each market, −1 where it has none.
  private var windowOfMarket: [Int32] = []
  /// The markets of a batch, each once.
  private let changed = DirtySet()

  func marketChanged(_ place: Int, _ engine: Scanner) {
    while windowOfMarket.count <= place { windowOfMarket.append(-1) }
    let market = engine.feed.markets[place]
    guard let terms = market.upDown, engine.feed.marketBooks[place].count == 2,
      let coin = engine.spot.number(of: terms.coin), terms.opensAt.seconds % 60 == 0, terms.closesAt > engine.now,
      !market.isClosed
    else { return forget(place, engine) }
    let window = Window(market: place, coin: coin, opensAt: terms.opensAt, closesAt: terms.closesAt)
    if windowOfMarket[place] >= 0 {
      windows[Int(windowOfMarket[place])] = window
    } else {
      windowOfMarket[place] = Int32(windows.count)
      windows.append(window)
    }
    for book in engine.feed.marketBooks[place] { engine.index.setWatched(true, book) }
  }

  /// Watches a book that belongs to a window.
  func watch(_ book: BookIndex, _ engine: Scanner) {
    let market = engine.index.market(of: book)
    if market >= 0, market < windowOfMarket.count, windowOfMarket[market] >= 0 { engine.index.setWatched(true, book) }
  }

  /// A window is over.
  private func forget(_ place: Int, _ engine: Scanner) {
    let number = Int(windowOfMarket[place])
    guard number >= 0 else { return }
    engine.board.update(FindPlace(.latency, place), nil, engine)
    windowOfMarket[place] = -1
    let last = windows.removeLast()
    if number < windows.count {
      windows[number] = last
      windowOfMarket[last.market] = Int32(number)
    }
  }

  func scan(_ batch: DirtyBatch, _ engine: Scanner) {
    guard !windows.isEmpty else { return }
    if batch.coins.count > 0 {
      // A coin's price moves all its windows.
      for window in windows where batch.coins.contains(window.coin) { changed.insert(window.market) }
    }
    for book in batch.books {
      let market = engine.index.market(of: book)
      if market >= 0, market < windowOfMarket.count, windowOfMarket[market] >= 0 { changed.insert(market) }
    }
    for market in changed { look(windows[Int(windowOfMarket[market])], engine) }
    changed.clear()
  }

  func scanAll(_ engine: Scanner) {
    // From the end: those that are over leave their place to the last one.
    for number in windows.indices.reversed() {
      let window = windows[number]
      look(window, engine)
      if window.closesAt <= engine.now { forget(window.market, engine) }
    }
  }

  private func look(_ window: Window, _ engine: Scanner) {
    let place = FindPlace(.latency, window.market)
    let left = window.closesAt.nanoseconds(since: engine.now)
    guard engine.now >= window.opensAt, left >= engine.options.latencyLeftMinNanoseconds else {
      engine.board.update(place, nil, engine)
      return
    }
    // Neither side is offered for less than it could be worth at best.
    let touches = engine.feed.cache.touches
    guard engine.feed.marketBooks[window.market].contains(where: { touches[$0].ask < fixedPointScale }) else {
      engine.board.update(place, nil, engine)
      return
    }
    let move: SpotBoard.Move
    do throws(SpotBoard.Missing) {
      move = try engine.spot.move(of: window.coin, since: window.opensAt, now: engine.now)
    } catch {
      return close(place, window, error, engine)
    }
    guard let (set, chance) = best(window, move, secondsLeft: Double(left) / 1e9, engine) else {
      engine.board.update(place, nil, engine)
      return
    }
    engine.report(place, set) { set in
      let outcome = set.kind == .latencyUp ? 0 : 1
      var find = Find(
        set,
        legs: [
          FindLeg(
            market: window.market, outcome: outcome, book: engine.feed.marketBooks[window.market][outcome])
        ])
      find.probability = Double(chance.raw) / Double(fixedPointScale)
      find.markSource = move.source
      return find
    }
  }

  /// Nothing is known of the coin's move: what is open is held while its price is only too old, and closed else.
  private func close(_ place: FindPlace, _ window: Window, _ missing: SpotBoard.Missing, _ engine: Scanner) {
    switch missing {
    case .price:
      engine.count(.spotPriceMissing)
      return engine.board.holdAsStale(
        place, engine.spot.staleReason(of: window.coin, now: engine.now), now: engine.now)
    case .openingPrice: engine.count(.openingPriceMissing)
    case .volatility: engine.count(.volatilityUnknown)
    }
    engine.board.update(place, nil, engine)
  }

  private func best(
    _ window: Window, _ move: SpotBoard.Move, secondsLeft: Double, _ engine: Scanner
  ) -> (set: PricedSet, chance: Price)? {
    let books = engine.feed.marketBooks[window.market]
    let touches = engine.feed.cache.touches
    for outcome in 0..<2 {
      let chance = self.chance(outcome, move, secondsLeft: secondsLeft, window.market, engine)
      let edge = engine.options.latencyEdgeMin
      guard touches[books[outcome]].ask + edge.raw < chance.raw else { continue }
      guard engine.isTradable(window.market) else { return engine.skip(.notTradable) }
      guard engine.isUsable(books[outcome], ageMax: engine.options.bookAgeMaxNanoseconds) else { return nil }
      let leg = FindLeg(market: window.market, outcome: outcome, book: books[outcome])
      let set = engine.withLegs(1, side: .ask) { _ in
        leg
      } body: { books, sides in
        engine.price(
          outcome == 0 ? .latencyUp : .latencyDown, books: books, sides: sides, setValue: chance, edge: edge)
      }
      if let set { return (set, chance) }
    }
    return nil
  }

  /// How likely an outcome is, at the worse end of what the volatility may be; rounded down to the tick.
  private func chance(
    _ outcome: Int, _ move: SpotBoard.Move, secondsLeft: Double, _ market: Int, _ engine: Scanner
  ) -> Price {
    let doubt = min(0.9, engine.options.volatilityErrors * move.relativeError)
    let calm = LatencyModel.chance(outcome, move.logReturn, move.perRootSecond * (1 - doubt), secondsLeft)
    let wild = LatencyModel.chance(outcome, move.logReturn, move.perRootSecond * (1 + doubt), secondsLeft)
    let least = min(calm, wild)
    let step = max(1, engine.feed.markets[market].tick.raw)
    let raw = Int64(max(0, min(1, least)) * Double(fixedPointScale))
    return Price(raw: raw - raw % step)
  }
}

/// The probability model of up/down windows.
enum LatencyModel {
  /// How likely Up (0) or Down (1) is.
  ///
  /// - Parameters:
  ///   - outcome: 0 for Up, 1 for Down.
  ///   - logReturn: the logarithm of the price now ÷ the price at the opening.
  ///   - perRootSecond: the standard deviation of the logarithm over one second; above zero.
  ///   - secondsLeft: until the window closes; above zero.
  /// - Returns: from 0 to 1.
  static func chance(_ outcome: Int, _ logReturn: Double, _ perRootSecond: Double, _ secondsLeft: Double) -> Double {
    let spread = perRootSecond * secondsLeft.squareRoot()
    let score = (logReturn - spread * spread / 2) / spread
    return NormalDistribution.cumulative(outcome == 0 ? score : -score)
  }
}
