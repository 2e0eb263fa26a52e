/// A price for one unit of an instrument, in the quote currency.
///
/// Probability prices lie between 0 and 1.
@frozen public struct Price: FixedPoint, Codable {
  /// The price in units of 10⁻⁸.
  public var raw: Int64
  /// Makes a price from its count of 10⁻⁸.
  @inlinable public init(raw: Int64) { self.raw = raw }

  /// Whether the price stands on a grid of `tick`.
  ///
  /// A tick of zero is no grid and holds nothing.
  @inlinable public func isOnGrid(_ tick: Price) -> Bool { tick.raw > 0 && raw % tick.raw == 0 }

  /// 1 − p: what the other outcome of a binary market costs when this one costs p.
  @inlinable public var complement: Price { Price(raw: fixedPointScale - raw) }
}

/// A number of shares, contracts or coins.
@frozen public struct Quantity: FixedPoint, Codable {
  /// The quantity in units of 10⁻⁸.
  public var raw: Int64
  /// Makes a quantity from its count of 10⁻⁸.
  @inlinable public init(raw: Int64) { self.raw = raw }

  /// A whole number of units.
  ///
  /// Traps beyond 92 thousand million.
  @inlinable public init(units: Int) { raw = Int64(units) * fixedPointScale }
}

/// An amount of the quote currency: dollars, or a stablecoin that stands for them.
@frozen public struct Money: FixedPoint, Codable {
  /// The amount in units of 10⁻⁸.
  public var raw: Int64
  /// Makes an amount from its count of 10⁻⁸.
  @inlinable public init(raw: Int64) { self.raw = raw }

  /// A whole number of dollars.
  ///
  /// Traps beyond 92 thousand million.
  @inlinable public init(dollars: Int) { raw = Int64(dollars) * fixedPointScale }
}

/// Which way a product that does not fit eight decimals is rounded.
@frozen public enum Rounding: Sendable {
  /// Toward minus infinity: for what we receive.
  case down
  /// Toward plus infinity: for what we pay.
  case up
}

extension Money {
  /// price × quantity, through 128 bits.
  ///
  /// Traps only where the result itself does not fit.
  ///
  /// - Parameters:
  ///   - price: the price of one unit.
  ///   - quantity: how many units.
  ///   - rounding: against us: `up` for what we pay, `down` for what we receive.
  @inlinable public init(_ price: Price, times quantity: Quantity, rounding: Rounding) {
    self.init(product: Int128(price.raw) * Int128(quantity.raw), rounding: rounding)
  }

  /// An exact sum of products in units of 10⁻¹⁶, brought to units of 10⁻⁸.
  @inlinable public init(product: Int128, rounding: Rounding) {
    // What fits 64 bits, as most does, is divided without a call; of 128 bits one division is enough.
    if let small = UInt64(exactly: product) {
      let whole = small / UInt64(fixedPointScale)
      let isRoundedUp = rounding == .up && whole * UInt64(fixedPointScale) != small
      self.init(raw: Int64(whole) + (isRoundedUp ? 1 : 0))
      return
    }
    let quotient = product / Int128(fixedPointScale)
    let remainder = product - quotient * Int128(fixedPointScale)
    var value = Int64(quotient)
    if remainder > 0, rounding == .up { value += 1 }
    if remainder < 0, rounding == .down { value -= 1 }
    self.init(raw: value)
  }
}

/// A traded volume over a long time, exact and far beyond what `Quantity` holds (10³⁰ units).
@frozen public struct Volume: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The volume in units of 10⁻⁸.
  public var raw: Int128
  /// Makes a volume from its count of 10⁻⁸.
  @inlinable public init(raw: Int128) { self.raw = raw }
  /// A volume of one quantity.
  @inlinable public init(_ quantity: Quantity) { raw = Int128(quantity.raw) }

  /// Orders by size.
  @inlinable public static func < (left: Volume, right: Volume) -> Bool { left.raw < right.raw }

  /// Reads a decimal number of at most 30 digits before the point; digits after the eighth decimal are dropped.
  /// - Parameter text: the number, without blanks or exponent.
  /// - Throws: `DecimalError` where the text is no such number.
  public init(_ text: some StringProtocol) throws(DecimalError) {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = parts.first, !text.isEmpty else { throw .empty }
    guard text.utf8.count > parts.count - 1,
      parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } })
    else { throw .malformed }
    guard whole.utf8.count <= 30 else { throw .tooLarge }
    let fraction = parts.count == 2 ? parts[1].prefix(fixedPointDecimals) : ""
    let digits = String(whole) + fraction + String(repeating: "0", count: fixedPointDecimals - fraction.utf8.count)
    guard let value = Int128(digits) else { throw .tooLarge }
    raw = value
  }

  /// The shortest decimal text.
  public var description: String {
    let (whole, fraction) = raw.quotientAndRemainder(dividingBy: Int128(fixedPointScale))
    guard fraction != 0 else { return String(whole) }
    return String(whole) + Decimal.format(Int64(fraction)).dropFirst()
  }
}
