/// A decimal number with exactly eight decimals, held as an integer count of 10⁻⁸.
///
/// `Price`, `Quantity` and `Money` share this scale and nothing else: they never mix without saying so.
/// The range is ±92,233,720,368.54775807. Reading from text checks the range, so arithmetic on values
/// that came from outside cannot overflow by a single addition; products go through 128 bits.
public protocol FixedPoint: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The value in units of 10⁻⁸.
  var raw: Int64 { get }
  /// Makes a value from its count of 10⁻⁸.
  init(raw: Int64)
}

/// How many raw units make one whole: 10⁸.
@inlinable public var fixedPointScale: Int64 { 100_000_000 }

/// How many decimals a fixed-point value holds.
@inlinable public var fixedPointDecimals: Int { 8 }

/// Why a text is no number of ours.
public enum DecimalError: Error, Hashable, Sendable {
  /// Nothing, or no digit at all.
  case empty
  /// A byte that belongs in no decimal number.
  case malformed
  /// More than the type can hold.
  case tooLarge
  /// A non-zero digit beyond the eighth decimal.
  case tooPrecise
}

extension FixedPoint {
  /// The value zero.
  @inlinable public static var zero: Self { Self(raw: 0) }
  /// The value one.
  @inlinable public static var one: Self { Self(raw: fixedPointScale) }

  /// Orders by size.
  @inlinable public static func < (left: Self, right: Self) -> Bool { left.raw < right.raw }
  /// The sum.
  ///
  /// Traps on overflow.
  @inlinable public static func + (left: Self, right: Self) -> Self { Self(raw: left.raw + right.raw) }
  /// The difference.
  ///
  /// Traps on overflow.
  @inlinable public static func - (left: Self, right: Self) -> Self { Self(raw: left.raw - right.raw) }
  /// The negated value.
  @inlinable public static prefix func - (value: Self) -> Self { Self(raw: -value.raw) }
  /// Adds in place.
  ///
  /// Traps on overflow.
  @inlinable public static func += (left: inout Self, right: Self) { left = left + right }
  /// Subtracts in place.
  ///
  /// Traps on overflow.
  @inlinable public static func -= (left: inout Self, right: Self) { left = left - right }

  /// Reads a decimal number such as `0.48`, `.48`, `1000`, `-3.5` or `6.5e-7`, exactly.
  ///
  /// No value passes through a floating-point type.
  /// - Parameter text: the number's bytes, without blanks.
  /// - Throws: `DecimalError` where the text is no number, or does not fit.
  @inlinable public init(decimal text: UnsafeRawBufferPointer) throws(DecimalError) {
    self.init(raw: try Decimal.parse(text))
  }

  /// Reads a decimal number, exactly.
  /// - Parameter text: the number, without blanks.
  /// - Throws: `DecimalError` where the text is no number, or does not fit.
  public init(_ text: some StringProtocol) throws(DecimalError) {
    var copy = String(text)
    let result: Result<Int64, DecimalError> = copy.withUTF8 { bytes in
      Result { () throws(DecimalError) in try Decimal.parse(UnsafeRawBufferPointer(bytes)) }
    }
    self.init(raw: try result.get())
  }

  /// The shortest decimal text, such as `0.48`; never in exponent form.
  public var description: String { Decimal.format(raw) }

  /// The nearest binary floating-point value: for scores and charts, never for money.
  @inlinable public var approximate: Double { Double(raw) / Double(fixedPointScale) }
}

/// Reading and writing decimal text.
public enum Decimal {
  /// Reads decimal text into units of 10⁻⁸.
  /// - Parameters:
  ///   - text: the number's bytes: sign, digits, point, digits, exponent.
  ///   - truncating: whether digits beyond the eighth decimal are dropped rather than refused; for
  ///     statistics that a venue writes with the tail of a binary float, never for prices and sizes.
  /// - Returns: the value in units of 10⁻⁸.
  /// - Throws: `DecimalError` where the text is no number, or does not fit.
  public static func parse(
    _ text: UnsafeRawBufferPointer, truncating: Bool = false
  ) throws(DecimalError) -> Int64 {
    var index = 0
    var negative = false
    if index < text.count, text[index] == 0x2D {
      negative = true
      index += 1
    }
    var value: Int64 = 0
    var digits = 0
    var decimals = 0
    var seenPoint = false
    var lost = false
    var isFull = false
    scan: while index < text.count {
      let byte = text[index]
      switch byte {
      case 0x30...0x39:
        digits += 1
        if isFull || (seenPoint && decimals == fixedPointDecimals + 10) {
          lost = lost || byte != 0x30
          break
        }
        let (shifted, overflow) = value.multipliedReportingOverflow(by: 10)
        let (next, carry) = shifted.addingReportingOverflow(Int64(byte) - 0x30)
        if overflow || carry {
          guard decimals >= fixedPointDecimals else { throw .tooLarge }
          // A smaller digit further on might fit again: it stands at the wrong place.
          isFull = true
          lost = lost || byte != 0x30
          break
        }
        value = next
        if seenPoint { decimals += 1 }
      case 0x2E:
        guard !seenPoint else { throw .malformed }
        seenPoint = true
      case 0x65, 0x45:
        break scan
      default:
        throw .malformed
      }
      index += 1
    }
    guard digits > 0 else { throw text.isEmpty ? .empty : .malformed }
    let exponent = try parseExponent(text, from: index)
    guard !lost || truncating else { throw .tooPrecise }
    let power = exponent - decimals + fixedPointDecimals
    let raw = try scale(value, by: power, truncating: truncating)
    return negative ? -raw : raw
  }

  private static func parseExponent(_ text: UnsafeRawBufferPointer, from start: Int) throws(DecimalError) -> Int {
    guard start < text.count else { return 0 }
    var index = start + 1
    var negative = false
    if index < text.count, text[index] == 0x2D || text[index] == 0x2B {
      negative = text[index] == 0x2D
      index += 1
    }
    guard index < text.count, text.count - index <= 3 else { throw .malformed }
    var exponent = 0
    while index < text.count {
      guard case 0x30...0x39 = text[index] else { throw .malformed }
      exponent = exponent * 10 + Int(text[index]) - 0x30
      index += 1
    }
    return negative ? -exponent : exponent
  }

  private static func scale(_ value: Int64, by power: Int, truncating: Bool) throws(DecimalError) -> Int64 {
    var value = value
    if power >= 0 {
      guard value != 0 else { return 0 }
      guard power < 19 else { throw .tooLarge }
      for _ in 0..<power {
        let (next, overflow) = value.multipliedReportingOverflow(by: 10)
        guard !overflow else { throw .tooLarge }
        value = next
      }
      return value
    }
    for _ in 0..<min(-power, 20) {
      guard truncating || value % 10 == 0 else { throw .tooPrecise }
      value /= 10
    }
    return value
  }

  /// Writes units of 10⁻⁸ as the shortest decimal text.
  /// - Parameter raw: the value in units of 10⁻⁸.
  /// - Returns: text such as `0.48`, `-12`, `1000.00000001`.
  public static func format(_ raw: Int64) -> String {
    let magnitude = raw.magnitude
    let scale = UInt64(fixedPointScale)
    var text = raw < 0 ? "-" : ""
    text += String(magnitude / scale)
    var fraction = magnitude % scale
    guard fraction > 0 else { return text }
    var width = fixedPointDecimals
    while fraction % 10 == 0 {
      fraction /= 10
      width -= 1
    }
    let digits = String(fraction)
    return text + "." + String(repeating: "0", count: width - digits.count) + digits
  }
}
