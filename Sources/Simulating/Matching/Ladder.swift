package import Market

/// What rests in the book of one token: both sides worst first, which is the order of the venue's own payloads.
package struct Ladder: Sendable {
  /// Bids, prices rising.
  package private(set) var bids: [Level] = []
  /// Asks, prices falling.
  package private(set) var asks: [Level] = []

  package init() {}

  package init(bids: [Level], asks: [Level]) {
    self.bids = bids.sorted { $0.price < $1.price }
    self.asks = asks.sorted { $0.price > $1.price }
  }

  /// The highest bid, nil where there is none.
  package var bestBid: Price? { bids.last?.price }
  /// The lowest ask, nil where there is none.
  package var bestAsk: Price? { asks.last?.price }
  /// The best bid as the venue writes it: 0 for an empty side.
  package var shownBid: Price { bids.last?.price ?? .zero }
  /// The best ask as the venue writes it: 1 for an empty side.
  package var shownAsk: Price { asks.last?.price ?? .one }

  /// One side, worst first.
  package func levels(_ side: BookSide) -> [Level] { side == .bid ? bids : asks }

  /// What rests at a price; zero where nothing does.
  package func quantity(_ side: BookSide, at price: Price) -> Quantity {
    let (index, found) = position(side, price)
    guard found else { return .zero }
    return side == .bid ? bids[index].quantity : asks[index].quantity
  }

  /// Sets what rests at a price; zero takes the level away.
  ///
  /// Complexity: linear in the levels better than it.
  package mutating func set(_ side: BookSide, _ price: Price, _ quantity: Quantity) {
    let (index, found) = position(side, price)
    switch (side, found, quantity.raw > 0) {
    case (.bid, true, true): bids[index].quantity = quantity
    case (.bid, true, false): bids.remove(at: index)
    case (.bid, false, true): bids.insert(Level(price: price, quantity: quantity), at: index)
    case (.ask, true, true): asks[index].quantity = quantity
    case (.ask, true, false): asks.remove(at: index)
    case (.ask, false, true): asks.insert(Level(price: price, quantity: quantity), at: index)
    default: break
    }
  }

  /// Takes everything away.
  package mutating func removeAll() {
    bids.removeAll(keepingCapacity: true)
    asks.removeAll(keepingCapacity: true)
  }

  private func position(_ side: BookSide, _ price: Price) -> (index: Int, found: Bool) {
    side == .bid
      ? Ladder.search(bids) { $0 < price ? -1 : ($0 == price ? 0 : 1) }
      : Ladder.search(asks) { $0 > price ? -1 : ($0 == price ? 0 : 1) }
  }

  @inline(__always)
  private static func search(_ levels: [Level], _ order: (Price) -> Int) -> (index: Int, found: Bool) {
    var low = 0
    var high = levels.count
    while low < high {
      let middle = (low + high) / 2
      let place = order(levels[middle].price)
      if place == 0 { return (middle, true) }
      if place < 0 { low = middle + 1 } else { high = middle }
    }
    return (low, false)
  }
}

extension BookSide {
  /// The other side of the book.
  var opposite: BookSide { self == .bid ? .ask : .bid }
}

/// A level that changed, as the venue tells it.
package struct LevelChange: Hashable, Sendable {
  /// Whose book: the index of the token.
  package var token: Int
  package var side: BookSide
  package var price: Price
  /// The new total there; zero where the level is gone.
  package var quantity: Quantity
  /// The best prices after this change.
  package var bestBid: Price
  package var bestAsk: Price
}
