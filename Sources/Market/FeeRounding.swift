/// How a venue rounds what a fill costs.
public struct FeeRounding: Hashable, Sendable, Codable {
  /// The fee of a fill is rounded up to a multiple of this.
  public var feeStep: Money
  /// The change of the balance is rounded down to a multiple of this, and the difference is a fee, too; zero where the
  /// balance takes every fee as it is.
  public var balanceStep: Money

  /// A rounding by its parts; traps where fees have no step.
  public init(feeStep: Money, balanceStep: Money = .zero) {
    precondition(feeStep.raw > 0 && balanceStep.raw >= 0, "a step of nothing")
    self.feeStep = feeStep
    self.balanceStep = balanceStep
  }

  /// Polymarket, documentation, "Fees": five decimals.
  public static let polymarket = FeeRounding(feeStep: Money(raw: 1000))

  /// What holds at a venue from which moment on, oldest first.
  ///
  /// Kalshi, documentation, "Fee Rounding": fees to 10⁻⁴ dollars, since September 2026 to 10⁻⁶; balances of ordinary
  /// members in cents, those of direct members in hundredths of them.
  private static let dated: [(venue: Venue, from: Timestamp, rounding: FeeRounding)] = [
    (.kalshi, Timestamp(nanoseconds: 0), FeeRounding(feeStep: Money(raw: 10_000), balanceStep: Money(raw: 1_000_000))),
    (
      .kalshi, Timestamp(nanoseconds: 1_788_220_800_000_000_000),
      FeeRounding(feeStep: Money(raw: 100), balanceStep: Money(raw: 1_000_000))
    ),
  ]

  /// What holds at a venue at a time.
  public static func of(_ venue: Venue, at time: Timestamp) -> FeeRounding {
    dated.last { $0.venue == venue && $0.from <= time }?.rounding ?? .polymarket
  }
}

/// What one fill costs, by its parts.
public struct FillCost: Hashable, Sendable {
  /// The venue's fee.
  public var tradeFee: Money
  /// What rounding the balance takes.
  public var roundingFee: Money
  /// What comes back of the rounding of this and earlier fills of the order.
  public var rebate: Money
  /// How the balance changes: less than zero for a buy.
  public var balanceChange: Money

  /// All of it.
  public var fee: Money { tradeFee + roundingFee - rebate }
}

/// What the fills of one order cost: a venue that rounds balances gives back what rounding took beyond whole steps.
///
/// Kalshi, documentation, "Fee Rounding": what rounding takes is added up for each order, and whole steps of it are paid
/// back with the fill that completes them, but never more than that fill costs.
public struct OrderFees: Sendable {
  /// The formula; makers pay by another one.
  public var schedule: FeeSchedule
  /// What rounding has taken and not given back.
  public private(set) var accumulated = Money.zero
  /// All fees so far.
  public private(set) var total = Money.zero

  /// The fees of an order that has no fill yet.
  public init(_ schedule: FeeSchedule) { self.schedule = schedule }

  /// Takes a fill of a taker.
  /// - Parameters:
  ///   - side: what the order does.
  ///   - price: the price of the fill, between 0 and 1.
  ///   - quantity: how much of it.
  /// - Returns: what it costs.
  @discardableResult
  public mutating func take(_ side: Side, price: Price, quantity: Quantity) -> FillCost {
    let fee = schedule.takerFee(price: price, quantity: quantity)
    let step = Int128(schedule.rounding.balanceStep.raw)
    let scale = Int128(fixedPointScale)
    // Exact, in units of 10⁻¹⁶.
    let product = Int128(price.raw) * Int128(quantity.raw)
    let change = (side == .buy ? -product : product) - Int128(fee.raw) * scale
    guard step > 0 else {
      total += fee
      let rounded = Money(raw: Int64(Self.floor(change, scale)))
      return FillCost(tradeFee: fee, roundingFee: .zero, rebate: .zero, balanceChange: rounded)
    }
    let aligned = Self.floor(change, step * scale) * step
    // What has more decimals than money is rounded against us.
    let rounding = Money(raw: Int64(-Self.floor(aligned * scale - change, scale)))
    accumulated += rounding
    let rebateMax = min(accumulated.raw, fee.raw + rounding.raw)
    let rebate = Money(raw: rebateMax - rebateMax % Int64(step))
    accumulated -= rebate
    let cost = FillCost(
      tradeFee: fee, roundingFee: rounding, rebate: rebate, balanceChange: Money(raw: Int64(aligned)) + rebate)
    total += cost.fee
    return cost
  }

  /// Takes a fill of a taker like `take`, for whoever wants to know only what all of them cost.
  public mutating func add(_ side: Side, price: Price, quantity: Quantity) {
    if schedule.rounding.balanceStep.raw > 0 {
      take(side, price: price, quantity: quantity)
    } else {
      total += schedule.takerFee(price: price, quantity: quantity)
    }
  }

  private static func floor(_ value: Int128, _ divisor: Int128) -> Int128 {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
  }
}
