/// A moment, in nanoseconds since 1970-01-01 00:00 UTC.
@frozen public struct Timestamp: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
  /// Nanoseconds since 1970.
  public var nanoseconds: Int64

  /// A moment by its nanoseconds since 1970.
  @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// A moment by its milliseconds since 1970.
  /// - Throws: `DecimalError.tooLarge` outside of the years 1970 to 2262.
  @inlinable public init(milliseconds: Int64) throws(DecimalError) {
    try self.init(count: milliseconds, unitNanoseconds: 1_000_000)
  }

  /// A moment by its seconds since 1970.
  /// - Throws: `DecimalError.tooLarge` outside of the years 1970 to 2262.
  @inlinable public init(seconds: Int64) throws(DecimalError) {
    try self.init(count: seconds, unitNanoseconds: 1_000_000_000)
  }

  @usableFromInline init(count: Int64, unitNanoseconds: Int64) throws(DecimalError) {
    let (value, overflow) = count.multipliedReportingOverflow(by: unitNanoseconds)
    guard !overflow, count >= 0 else { throw .tooLarge }
    nanoseconds = value
  }

  /// Orders by size.
  @inlinable public static func < (left: Timestamp, right: Timestamp) -> Bool { left.nanoseconds < right.nanoseconds }

  /// The nanoseconds from `earlier` to this moment; negative where this moment is the earlier one.
  ///
  /// Moments come from outside: where they are farther apart than can be said, the most that can be.
  @inlinable public func nanoseconds(since earlier: Timestamp) -> Int64 {
    let (value, overflow) = nanoseconds.subtractingReportingOverflow(earlier.nanoseconds)
    return overflow ? (nanoseconds < 0 ? .min : .max) : value
  }

  /// This moment, moved by nanoseconds; not farther than the first and the last moment that there are.
  @inlinable public func advanced(byNanoseconds delta: Int64) -> Timestamp {
    let (value, overflow) = nanoseconds.addingReportingOverflow(delta)
    return Timestamp(nanoseconds: overflow ? (delta < 0 ? .min : .max) : value)
  }

  /// This moment, moved by seconds; not farther than the first and the last moment that there are.
  @inlinable public func advanced(bySeconds delta: Int64) -> Timestamp {
    let (value, overflow) = delta.multipliedReportingOverflow(by: 1_000_000_000)
    return advanced(byNanoseconds: overflow ? (delta < 0 ? .min : .max) : value)
  }

  /// Whole milliseconds since 1970.
  @inlinable public var milliseconds: Int64 { nanoseconds / 1_000_000 }
  /// Whole seconds since 1970.
  @inlinable public var seconds: Int64 { nanoseconds / 1_000_000_000 }

  /// The start of the period of `seconds` in which this moment lies (UTC).
  @inlinable public func floored(toSeconds seconds: Int64) -> Timestamp {
    let period = seconds * 1_000_000_000
    return Timestamp(nanoseconds: nanoseconds - nanoseconds % period)
  }

  /// RFC 3339 in UTC with milliseconds, such as `2026-07-24T00:25:21.000Z`.
  public var description: String {
    let civil = CivilTime(self)
    func pad(_ value: Int, _ width: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, width - text.count)) + text
    }
    return "\(pad(civil.year, 4))-\(pad(civil.month, 2))-\(pad(civil.day, 2))T"
      + "\(pad(civil.hour, 2)):\(pad(civil.minute, 2)):\(pad(civil.second, 2)).\(pad(civil.millisecond, 3))Z"
  }

  /// Reads RFC 3339 and the venues' relatives of it.
  ///
  /// Accepts `2026-07-24T00:25:21Z`, a fraction of up to nine digits, a blank instead of the T, and a zone of
  /// `Z`, `+00`, `+0000` or `+00:00` with any offset; a bare date is its midnight in UTC.
  /// - Parameter text: the time.
  /// - Throws: `DecimalError.malformed` where the text is no such time.
  public init(rfc3339 text: some StringProtocol) throws(DecimalError) {
    nanoseconds = try CivilTime.parse(text)
  }
}

/// A moment taken apart into calendar fields (UTC, proleptic Gregorian).
///
/// The day arithmetic is Howard Hinnant's `days_from_civil` and `civil_from_days`
/// (https://howardhinnant.github.io/date_algorithms.html).
public struct CivilTime: Sendable {
  /// The year, such as 2026.
  public let year: Int
  /// The month, 1 to 12.
  public let month: Int
  /// The day, 1 to 31.
  public let day: Int
  /// The hour, 0 to 23.
  public let hour: Int
  /// The minute, 0 to 59.
  public let minute: Int
  /// The second, 0 to 59.
  public let second: Int
  /// The millisecond, 0 to 999.
  public let millisecond: Int

  /// Takes a moment apart.
  public init(_ time: Timestamp) {
    let dayLength: Int64 = 86_400_000_000_000
    var days = Int(time.nanoseconds / dayLength)
    var rest = time.nanoseconds % dayLength
    if rest < 0 {
      rest += dayLength
      days -= 1
    }
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthIndex = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * monthIndex + 2) / 5 + 1
    month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    let seconds = Int(rest / 1_000_000_000)
    hour = seconds / 3600
    minute = seconds / 60 % 60
    second = seconds % 60
    millisecond = Int(rest / 1_000_000 % 1000)
  }

  /// The days from 1970-01-01 to a day.
  public static func days(year: Int, month: Int, day: Int) -> Int {
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  private static func days(inMonth month: Int, of year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  static func parse(_ text: some StringProtocol) throws(DecimalError) -> Int64 {
    var cursor = DigitCursor(bytes: Array(text.utf8))
    let year = try cursor.number(width: 4)
    try cursor.expect(0x2D)
    let month = try cursor.number(width: 2)
    try cursor.expect(0x2D)
    let day = try cursor.number(width: 2)
    guard (1970...2261).contains(year), (1...12).contains(month),
      (1...days(inMonth: month, of: year)).contains(day)
    else { throw .malformed }
    var nanoseconds = Int64(days(year: year, month: month, day: day)) * 86_400_000_000_000
    guard !cursor.isAtEnd else { return nanoseconds }
    guard cursor.take(0x54) || cursor.take(0x20) || cursor.take(0x74) else { throw .malformed }
    let hour = try cursor.number(width: 2)
    try cursor.expect(0x3A)
    let minute = try cursor.number(width: 2)
    let second = cursor.take(0x3A) ? try cursor.number(width: 2) : 0
    guard hour < 24, minute < 60, second <= 60 else { throw .malformed }
    nanoseconds += (Int64(hour) * 3600 + Int64(minute) * 60 + Int64(second)) * 1_000_000_000
    if cursor.take(0x2E) { nanoseconds += try cursor.fraction() }
    nanoseconds -= (try cursor.zoneSeconds()) * 1_000_000_000
    guard nanoseconds >= 0 else { throw .malformed }
    return nanoseconds
  }
}

private struct DigitCursor {
  let bytes: [UInt8]
  var index = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { index == bytes.count }

  mutating func take(_ byte: UInt8) -> Bool {
    guard index < bytes.count, bytes[index] == byte else { return false }
    index += 1
    return true
  }

  mutating func expect(_ byte: UInt8) throws(DecimalError) {
    guard take(byte) else { throw .malformed }
  }

  mutating func digit() -> Int64? {
    guard index < bytes.count, case 0x30...0x39 = bytes[index] else { return nil }
    index += 1
    return Int64(bytes[index - 1]) - 0x30
  }

  mutating func number(width: Int) throws(DecimalError) -> Int {
    var value = 0
    for _ in 0..<width {
      guard let next = digit() else { throw .malformed }
      value = value * 10 + Int(next)
    }
    return value
  }

  /// The digits after the point, as nanoseconds; those beyond the ninth are dropped.
  mutating func fraction() throws(DecimalError) -> Int64 {
    guard let first = digit() else { throw .malformed }
    var value = first * 100_000_000
    var unit: Int64 = 10_000_000
    while let next = digit() {
      value += next * unit
      unit /= 10
    }
    return value
  }

  mutating func zoneSeconds() throws(DecimalError) -> Int64 {
    if isAtEnd { return 0 }
    if take(0x5A) || take(0x7A) {
      guard isAtEnd else { throw .malformed }
      return 0
    }
    let negative = take(0x2D)
    guard negative || take(0x2B) else { throw .malformed }
    let hours = try number(width: 2)
    _ = take(0x3A)
    let minutes = isAtEnd ? 0 : try number(width: 2)
    guard isAtEnd, hours < 24, minutes < 60 else { throw .malformed }
    let seconds = Int64(hours * 3600 + minutes * 60)
    return negative ? -seconds : seconds
  }
}
