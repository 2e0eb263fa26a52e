public import Market

/// What the paper broker has taken from live books, which do not know of it.
///
/// What was taken from a level stays taken until the level's quantity changes: the same shares are not sold to us
/// twice.
public struct Liquidity: Sendable {
  private struct Place: Hashable {
    var side: BookSide
    var price: Price
  }

  private struct Taken {
    /// The level's quantity in the live book when we took from it.
    var seen: Quantity
    /// How much of it we took.
    var quantity: Quantity
  }

  private var books: [BookIndex: [Place: Taken]] = [:]

  /// Nothing is taken.
  public init() {}

  /// The levels of a side without what was taken from them, worst first.
  public func levels(_ side: BookSide, of book: BookIndex, in books: some MarketBooks) -> [Level] {
    let live = books.levels(side, of: book)
    guard let taken = self.books[book] else { return Array(live) }
    return live.compactMap { level in
      let left = level.quantity - self.taken(taken, side, level)
      return left.raw > 0 ? Level(price: level.price, quantity: left) : nil
    }
  }

  private func taken(_ places: [Place: Taken], _ side: BookSide, _ level: Level) -> Quantity {
    guard let taken = places[Place(side: side, price: level.price)], taken.seen == level.quantity else { return .zero }
    return taken.quantity
  }

  /// Remembers what was taken from the levels of a side, and forgets what has changed since.
  mutating func take(_ parts: [Level], side: BookSide, of book: BookIndex, in books: some MarketBooks) {
    guard !parts.isEmpty else { return }
    refresh(book, in: books)
    let before = self.books[book] ?? [:]
    var after = before
    for level in books.levels(side, of: book) {
      guard let part = parts.first(where: { $0.price == level.price }) else { continue }
      let already = taken(before, side, level)
      after[Place(side: side, price: level.price)] = Taken(seen: level.quantity, quantity: already + part.quantity)
    }
    self.books[book] = after
  }

  /// Forgets what was taken from levels that have changed since; to be told of each change of a book.
  mutating func refresh(_ book: BookIndex, in books: some MarketBooks) {
    guard let before = self.books[book] else { return }
    var after: [Place: Taken] = [:]
    for level in books.levels(.bid, of: book) { keep(.bid, level, before, &after) }
    for level in books.levels(.ask, of: book) { keep(.ask, level, before, &after) }
    self.books[book] = after.isEmpty ? nil : after
  }

  private func keep(
    _ side: BookSide, _ level: Level, _ before: [Place: Taken], _ after: inout [Place: Taken]
  ) {
    let place = Place(side: side, price: level.price)
    if let taken = before[place], taken.seen == level.quantity { after[place] = taken }
  }
}

/// A walk over one side of a book from the best level: what an order of a size gets there, and at which fees.
struct LegSweep: Sendable {
  /// What is taken from each level, best first.
  private(set) var parts: [Level] = []
  /// All of it.
  private(set) var quantity = Quantity.zero
  /// The exact sum of price × quantity, in units of 10⁻¹⁶.
  private(set) var product: Int128 = 0
  /// The fees, each level's fill rounded up.
  private(set) var fee = Money.zero
  /// The worst price that is reached; zero where nothing is there.
  private(set) var worst = Price.zero

  /// Sweeps levels that lie worst first.
  /// - Parameters:
  ///   - levels: one side of a book.
  ///   - side: what we do: a buy sweeps asks up to the limit, a sell sweeps bids down to it.
  ///   - quantity: how much is wanted.
  ///   - limit: the worst acceptable price; nil for any.
  ///   - fees: what the venue takes.
  init(_ levels: [Level], side: Side, quantity: Quantity, limit: Price?, fees: FeeSchedule) {
    var left = quantity
    var order = OrderFees(fees)
    for level in levels.reversed() {
      guard left.raw > 0 else { break }
      if let limit, side == .buy ? level.price > limit : level.price < limit { break }
      let part = min(level.quantity, left)
      parts.append(Level(price: level.price, quantity: part))
      product += Int128(level.price.raw) * Int128(part.raw)
      order.take(side, price: level.price, quantity: part)
      worst = level.price
      left -= part
    }
    self.quantity = quantity - left
    fee = order.total
  }

  /// The money for it before fees, rounded against us.
  func notional(_ side: Side) -> Money { Money(product: product, rounding: side == .buy ? .up : .down) }
}

extension Side {
  /// The side of the book that an order of this side trades against.
  var opposingBookSide: BookSide { self == .buy ? .ask : .bid }
}
