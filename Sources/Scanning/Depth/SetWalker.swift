public import Market

/// One leg of a set: a side of a book, and what the venue takes.
public struct SetLeg {
  /// The levels, worst first.
  public let levels: UnsafeBufferPointer<Level>
  /// The market's fees.
  public let fees: FeeSchedule

  /// A leg by its levels and fees.
  @inlinable public init(levels: UnsafeBufferPointer<Level>, fees: FeeSchedule) {
    self.levels = levels
    self.fees = fees
  }
}

/// What a set of legs costs or brings at one size.
public struct SetQuote: Hashable, Sendable {
  /// How many sets: the same number of shares in each leg.
  public var quantity: Quantity
  /// The sum of all legs' levels, rounded against us.
  public var notional: Money
  /// The sum of all fees, each fill's rounded up, and what operations on the venue's chain cost.
  public var fees: Money

  /// What remains of it: what the sets pay less what they cost, or what they bring less what making them costs.
  public func profit(setValue: Price, isSell: Bool) -> Money {
    isSell
      ? notional - fees - Money(setValue, times: quantity, rounding: .up)
      : Money(setValue, times: quantity, rounding: .down) - notional - fees
  }
}

/// Walks the books of all legs together, level by level, to the size at which the marginal set stops paying.
///
/// The marginal set is one share of every leg at its present level, with the fee of that share. Levels only get
/// worse, so the profit grows as long as the marginal set pays and shrinks from there on: the size at which the walk
/// stops is the most profitable one. What an operation on a chain costs is the same for every size, and changes nothing
/// there. Its cursors are on the stack, so that a walk allocates nothing.
public enum SetWalker {
  private struct Cursor {
    var index: Int
    var remaining: Int64
    /// Price and fee of the marginal share, as it counts against or for us.
    var unit: Int64
  }

  /// Sizes are whole hundredths of a share, as the venue takes them.
  static let quantityStep: Int64 = 1_000_000

  /// The most profitable number of sets.
  ///
  /// - Parameters:
  ///   - legs: the side of each leg that is traded against.
  ///   - setValue: what one set pays, or costs to make where it is sold.
  ///   - quantityMax: the most sets that are wanted.
  ///   - isSell: whether the legs are sold.
  /// - Returns: the size, a whole number of hundredths; zero where not even the first set pays.
  public static func size(
    _ legs: UnsafeBufferPointer<SetLeg>, setValue: Price, quantityMax: Quantity, isSell: Bool
  ) -> Quantity {
    let total = withUnsafeTemporaryAllocation(of: Cursor.self, capacity: legs.count) { cursors in
      walk(legs, cursors, setValue: setValue.raw, quantityMax: quantityMax.raw, sign: isSell ? -1 : 1) { _ in }
    }
    return Quantity(raw: total - total % quantityStep)
  }

  /// How many ends of levels are tried where rounding decides, the last of them.
  private static let triedEnds = 512

  /// How far beyond the point at which the marginal set stops paying levels are tried: a whole share of a worse one loses
  /// more than rounding can give back.
  private static let roundingSlack: Int64 = 10_000_000

  /// The most profitable number of sets, and what it costs.
  ///
  /// Where a venue rounds each fill to whole cents, the last level may cost more in rounding than it earns, or a rebate
  /// may pay for one more: so the ends of the levels around it are priced, and the best of them counts. What parts
  /// of a share could earn beyond that is less than a cent for each leg.
  ///
  /// - Parameters:
  ///   - legs: the side of each leg that is traded against.
  ///   - setValue: what one set pays, or costs to make where it is sold.
  ///   - quantityMax: the most sets that are wanted.
  ///   - isSell: whether the legs are sold.
  /// - Returns: the quote; its quantity is zero where not even the first set pays.
  public static func best(
    _ legs: UnsafeBufferPointer<SetLeg>, setValue: Price, quantityMax: Quantity, isSell: Bool
  ) -> SetQuote {
    let rounding: Rounding = isSell ? .down : .up
    guard legs.contains(where: { $0.fees.rounding.balanceStep.raw > 0 }) else {
      let size = size(legs, setValue: setValue, quantityMax: quantityMax, isSell: isSell)
      return quote(legs, quantity: size, rounding: rounding)
    }
    return withUnsafeTemporaryAllocation(of: Int64.self, capacity: triedEnds) { ends in
      var count = 0
      _ = withUnsafeTemporaryAllocation(of: Cursor.self, capacity: legs.count) { cursors in
        let sign: Int64 = isSell ? -1 : 1
        return walk(
          legs, cursors, setValue: setValue.raw + sign * roundingSlack, quantityMax: quantityMax.raw, sign: sign
        ) { total in
          ends[count % triedEnds] = total - total % quantityStep
          count += 1
        }
      }
      var best = SetQuote(quantity: .zero, notional: .zero, fees: .zero)
      var most: Int64 = 0
      for place in 0..<min(count, triedEnds) where ends[place] > 0 {
        let quote = quote(legs, quantity: Quantity(raw: ends[place]), rounding: rounding)
        let profit = quote.profit(setValue: setValue, isSell: isSell).raw
        if profit > most { (best, most) = (quote, profit) }
      }
      return best
    }
  }

  // `atEnd` is told the size so far whenever a level ends, and at the end.
  @inline(__always) private static func walk(
    _ legs: UnsafeBufferPointer<SetLeg>, _ cursors: UnsafeMutableBufferPointer<Cursor>, setValue: Int64,
    quantityMax: Int64, sign: Int64, atEnd: (Int64) -> Void
  ) -> Int64 {
    var sum: Int64 = 0
    for place in 0..<legs.count {
      let levels = legs[place].levels
      guard let best = levels.last else { return 0 }
      let unit = best.price.raw + sign * legs[place].fees.takerFeePerShare(price: best.price)
      cursors.initializeElement(
        at: place, to: Cursor(index: levels.count - 1, remaining: best.quantity.raw, unit: unit))
      sum += unit
    }
    var total: Int64 = 0
    while total < quantityMax, sign * sum < sign * setValue {
      var step = quantityMax - total
      for place in 0..<legs.count { step = min(step, cursors[place].remaining) }
      total += step
      atEnd(total)
      for place in 0..<legs.count {
        cursors[place].remaining -= step
        guard cursors[place].remaining == 0 else { continue }
        guard cursors[place].index > 0 else { return total }
        cursors[place].index -= 1
        let level = legs[place].levels[cursors[place].index]
        let unit = level.price.raw + sign * legs[place].fees.takerFeePerShare(price: level.price)
        sum += unit - cursors[place].unit
        cursors[place].unit = unit
        cursors[place].remaining = level.quantity.raw
      }
    }
    return total
  }

  /// What all legs together cost at the asks (or bring at the bids) for a size that the books hold.
  ///
  /// - Parameters:
  ///   - legs: the legs.
  ///   - quantity: how many sets.
  ///   - rounding: `up` for buying, `down` for selling.
  /// - Returns: the sums over all legs.
  public static func quote(
    _ legs: UnsafeBufferPointer<SetLeg>, quantity: Quantity, rounding: Rounding
  ) -> SetQuote {
    var quote = SetQuote(quantity: quantity, notional: .zero, fees: .zero)
    for leg in legs {
      let part = LegQuote(leg, quantity: quantity, rounding: rounding)
      quote.notional += part.notional
      quote.fees += part.fee
    }
    return quote
  }
}

/// What one leg costs or brings for a quantity.
public struct LegQuote: Hashable, Sendable {
  /// The worst level that the quantity reaches: the limit of its order.
  public var worst: Price
  /// The sum over the levels, rounded against us.
  public var notional: Money
  /// The fees, each level's fill rounded as the venue does.
  public var fee: Money

  /// Sweeps a leg.
  public init(_ leg: SetLeg, quantity: Quantity, rounding: Rounding) {
    var left = quantity.raw
    var product: Int128 = 0
    var order = OrderFees(leg.fees)
    worst = .zero
    var index = leg.levels.count - 1
    while index >= 0, left > 0 {
      let level = leg.levels[index]
      let part = min(level.quantity.raw, left)
      product += Int128(level.price.raw) * Int128(part)
      order.add(rounding == .up ? .buy : .sell, price: level.price, quantity: Quantity(raw: part))
      left -= part
      worst = level.price
      index -= 1
    }
    notional = Money(product: product, rounding: rounding)
    fee = order.total
  }
}
