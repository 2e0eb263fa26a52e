/// What it takes to trade a quantity against one side of a book.
public struct Sweep: Hashable, Sendable {
  /// How much the levels hold of what was asked; never more than asked.
  public var quantity: Quantity
  /// The exact sum of price × quantity over the levels, in units of 10⁻¹⁶.
  public var product: Int128
  /// The worst price that is reached: the limit of an order for this quantity.
  ///
  /// Zero where nothing is there.
  public var worst: Price

  /// A sweep by its parts.
  @inlinable public init(quantity: Quantity, product: Int128, worst: Price) {
    self.quantity = quantity
    self.product = product
    self.worst = worst
  }

  /// The money for it, rounded against us: `up` for asks that we buy, `down` for bids that we hit.
  @inlinable public func notional(rounding: Rounding) -> Money { Money(product: product, rounding: rounding) }

  /// The volume-weighted average price, rounded toward zero; nil where nothing is there.
  @inlinable public var averagePrice: Price? {
    quantity.raw > 0 ? Price(raw: Int64(product / Int128(quantity.raw))) : nil
  }
}

/// Walking one side of a book (S3).
///
/// Sides lie worst first, as `BookCache.side` gives them.
public enum Depth {
  /// What a quantity costs (asks) or brings (bids), level by level from the best.
  /// - Parameters:
  ///   - side: the levels, worst first.
  ///   - quantity: how much is wanted.
  ///   - limit: the worst price that is acceptable; nil for any.
  ///   - book: which side it is: for asks the limit is a ceiling, for bids a floor.
  /// - Returns: what is there of it; complexity is linear in the levels that are touched.
  @inlinable public static func sweep(
    _ side: UnsafeBufferPointer<Level>, quantity: Quantity, limit: Price? = nil, book: BookSide = .ask
  ) -> Sweep {
    var left = quantity.raw
    var product: Int128 = 0
    var worst = Price.zero
    var index = side.count - 1
    while index >= 0, left > 0 {
      let level = side[index]
      if let limit, book == .ask ? level.price > limit : level.price < limit { break }
      let part = min(level.quantity.raw, left)
      product += Int128(level.price.raw) * Int128(part)
      left -= part
      worst = level.price
      index -= 1
    }
    return Sweep(quantity: Quantity(raw: quantity.raw - left), product: product, worst: worst)
  }

  /// What a quantity costs at the asks, to the last unit; nil where the book does not hold it.
  @inlinable public static func sweepCost(_ asks: UnsafeBufferPointer<Level>, quantity: Quantity) -> Money? {
    let sweep = sweep(asks, quantity: quantity)
    return sweep.quantity == quantity ? sweep.notional(rounding: .up) : nil
  }

  /// The volume-weighted average price of a quantity, rounded toward zero; nil where the book does not hold it.
  @inlinable public static func effectivePrice(_ side: UnsafeBufferPointer<Level>, quantity: Quantity) -> Price? {
    let sweep = sweep(side, quantity: quantity)
    return sweep.quantity == quantity ? sweep.averagePrice : nil
  }

  /// The worst level that a quantity reaches: the limit of its order; nil where the book does not hold it.
  @inlinable public static func worstFillPrice(_ side: UnsafeBufferPointer<Level>, quantity: Quantity) -> Price? {
    let sweep = sweep(side, quantity: quantity)
    return sweep.quantity == quantity && quantity.raw > 0 ? sweep.worst : nil
  }

  /// How much stands at a limit or better.
  /// - Parameters:
  ///   - side: the levels, worst first.
  ///   - limit: the worst price that is acceptable: for asks a ceiling, for bids a floor.
  ///   - book: which side it is.
  /// - Returns: the sum of the levels; complexity is linear in those that are within the limit.
  @inlinable public static func sweepDepth(
    _ side: UnsafeBufferPointer<Level>, limit: Price, book: BookSide = .ask
  ) -> Quantity {
    sweep(side, quantity: Quantity(raw: Int64.max), limit: limit, book: book).quantity
  }
}
