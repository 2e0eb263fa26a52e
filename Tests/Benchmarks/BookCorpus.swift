import Daemon

/// Seeded changes of 54,920 books, in the layout of `limits/book/gen_deltas.py`.
enum DeltaCorpus {
  static let bookCount = 54_920
  static let deltaCount = 1 << 20

  /// One change: 16 bytes, as the floor's programs read it.
  struct Delta {
    var book: UInt32
    var tick: UInt16
    var side: UInt8
    var padding: UInt8 = 0
    var size: Int64
  }

  /// Half of the changes hit 2 % of the books; distances from the middle are geometric; a quarter deletes.
  static func make(ticks: Int) -> [Delta] {
    var random = Seeded(11 + UInt64(ticks))
    let spread = ticks == 99 ? 0.10 : 0.05
    let middles = (0..<bookCount).map { _ in random.integer(ticks * 3 / 10..<ticks * 7 / 10) }
    return (0..<deltaCount).map { _ in
      let book = random.chance(0.5) ? random.integer(0..<bookCount / 50) * 50 : random.integer(0..<bookCount)
      let isBid = random.chance(0.5)
      let distance = random.geometric(spread)
      let tick = min(max(isBid ? middles[book] - distance : middles[book] - 1 + distance, 1), ticks)
      let size = random.chance(0.25) ? 0 : random.integer(1..<5000) * 1_000_000
      return Delta(book: UInt32(book), tick: UInt16(tick), side: isBid ? 1 : 0, size: Int64(size))
    }
  }

  static func write(_ deltas: [Delta], to path: String) throws(SystemError) {
    try writeFileAtomically(deltas.withUnsafeBytes { Array($0) }, to: path)
  }
}

/// 27,460 seeded binary markets with ten levels a side, in the layout of `limits/scan/gen_markets.py`.
///
/// About one market in a hundred has YES ask + NO ask < 1.
struct MarketCorpus {
  static let marketCount = 27_460
  static let levelCount = 10
  static let dirtyCount = 1 << 16

  /// For each market, outcome, side (bids, asks) and level, best first: price × 10⁴, size × 100.
  private(set) var numbers: [Int32] = []
  /// Which market is dirty, one after the other; half of them in 2 % of the markets.
  private(set) var dirty: [UInt32] = []

  init() {
    var random = Seeded(5)
    numbers.reserveCapacity(MarketCorpus.marketCount * 4 * MarketCorpus.levelCount * 2)
    for _ in 0..<MarketCorpus.marketCount {
      let middle = random.integer(80..<920) * 10
      let half = random.integer(1..<15) * 10
      let isArbitrage = random.chance(0.01)
      for outcome in 0..<2 {
        let center = outcome == 0 ? middle : 10_000 - middle
        let ask = center + half - (isArbitrage ? half + random.integer(5..<40) : 0)
        let bid = center - half - (isArbitrage ? 60 : 0)
        addSide(from: bid, direction: -1, &random)
        addSide(from: ask, direction: 1, &random)
      }
    }
    for _ in 0..<MarketCorpus.dirtyCount {
      let market =
        random.chance(0.5)
        ? random.integer(0..<MarketCorpus.marketCount / 50) * 50 : random.integer(0..<MarketCorpus.marketCount)
      dirty.append(UInt32(market))
    }
  }

  private mutating func addSide(from best: Int, direction: Int, _ random: inout Seeded) {
    var offset = 0
    for level in 0..<MarketCorpus.levelCount {
      let step = random.integer(1..<6) * 10
      if level > 0 { offset += step }
      numbers.append(Int32(min(max(best + direction * offset, 10), 9990)))
      numbers.append(Int32(random.exponential(mean: 40_000)) + 500)
    }
  }

  /// The levels of a side, best first; those that the grid's end has pressed together are one.
  func levels(market: Int, outcome: Int, isAsk: Bool) -> [(price: Int32, size: Int32)] {
    let start = ((market * 2 + outcome) * 2 + (isAsk ? 1 : 0)) * MarketCorpus.levelCount * 2
    var levels: [(price: Int32, size: Int32)] = []
    for level in 0..<MarketCorpus.levelCount {
      let price = numbers[start + level * 2]
      if let last = levels.last, last.price == price { continue }
      levels.append((price, numbers[start + level * 2 + 1]))
    }
    return levels
  }

  func write(to directory: String) throws(SystemError) {
    try writeFileAtomically(numbers.withUnsafeBytes { Array($0) }, to: "\(directory)/markets.bin")
    try writeFileAtomically(dirty.withUnsafeBytes { Array($0) }, to: "\(directory)/dirty.bin")
  }
}
