/// The book of one Kalshi market: two sides of bids, in whole cents, sizes in hundredths of a contract.
///
/// The best YES bid and the best NO bid together are always below a dollar.
struct KalshiLadder: Sendable {
  /// Sizes by price; the places 0 and 100 stay empty.
  private(set) var yes = [Int64](repeating: 0, count: 101)
  private(set) var no = [Int64](repeating: 0, count: 101)

  /// The highest price with a size; nil where the side is empty.
  func best(isYes: Bool) -> Int? { (isYes ? yes : no).lastIndex { $0 > 0 } }

  func size(isYes: Bool, _ price: Int) -> Int64 { isYes ? yes[price] : no[price] }

  mutating func set(isYes: Bool, _ price: Int, _ size: Int64) {
    precondition((1...99).contains(price) && size >= 0)
    if isYes { yes[price] = size } else { no[price] = size }
  }

  /// Levels with a size, prices rising.
  func levels(isYes: Bool) -> [(price: Int, size: Int64)] {
    (isYes ? yes : no).enumerated().filter { $0.element > 0 }.map { ($0.offset, $0.element) }
  }

  mutating func clear() {
    yes = [Int64](repeating: 0, count: 101)
    no = [Int64](repeating: 0, count: 101)
  }

  /// What YES costs: the complement of the best NO bid.
  var ask: Int? { best(isYes: false).map { 100 - $0 } }

  /// The middle between bid and ask, in half cents.
  var middle: Int {
    switch (best(isYes: true), ask) {
    case (let bid?, let ask?): bid + ask
    case (let bid?, nil): bid * 2
    case (nil, let ask?): ask * 2
    case (nil, nil): 100
    }
  }
}

/// What happened to a book.
struct KalshiChange {
  let isYes: Bool
  let price: Int
  /// The signed change of the size.
  let delta: Int64
}

/// A trade at Kalshi; the taker bought one outcome at its price.
struct KalshiTrade: Sendable {
  let number: UInt64
  let slot: Int
  let isTakerYes: Bool
  /// Of YES, in cents.
  let yesPrice: Int
  let count: Int64
  let nanoseconds: Int64
}

/// The best bids of a market at Kalshi.
package struct KalshiQuote: Hashable, Sendable {
  package let ticker: String
  /// For yes and for no, in cents; 0 for none.
  package let yesBid: Int
  package let noBid: Int
}
