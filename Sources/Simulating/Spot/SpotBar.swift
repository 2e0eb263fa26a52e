internal import Market

/// A length of candles, and where they begin: whole seconds from a shift, or months of the calendar.
package struct SpotBar: Hashable, Sendable {
  /// The length in seconds; 0 for months.
  let seconds: Int64
  /// The length in months; 0 for seconds.
  let months: Int
  /// By how much the first one begins after 1970 in UTC, in seconds.
  let shift: Int64

  /// Periods of the same length.
  package init(seconds: Int64, shift: Int64 = 0) {
    self.seconds = seconds
    months = 0
    self.shift = shift
  }

  /// Calendar months, or quarters.
  package init(months: Int, shift: Int64 = 0) {
    seconds = 0
    self.months = months
    self.shift = shift
  }

  static func minutes(_ count: Int64) -> SpotBar { SpotBar(seconds: count * 60) }
  static func hours(_ count: Int64) -> SpotBar { SpotBar(seconds: count * 3600) }
  static func days(_ count: Int64) -> SpotBar { SpotBar(seconds: count * 86_400) }
  /// From Monday.
  static let week = SpotBar(seconds: 604_800, shift: 4 * 86_400)
  static let month = SpotBar(months: 1)

  /// The same, but by the clock of a place that is ahead of UTC.
  func local(aheadHours: Int64) -> SpotBar {
    months > 0
      ? SpotBar(months: months, shift: shift - aheadHours * 3600)
      : SpotBar(seconds: seconds, shift: (shift - aheadHours * 3600) % seconds)
  }

  /// The start of the period that a second since 1970 lies in.
  package func start(of second: Int64) -> Int64 {
    guard months > 0 else { return SpotPrices.floorDivide(second - shift, seconds) * seconds + shift }
    let civil = CivilTime(Timestamp(nanoseconds: (second - shift) * 1_000_000_000))
    let month = civil.year * 12 + civil.month - 1
    return SpotBar.second(ofMonth: month - (month - 1970 * 12) % months) + shift
  }

  /// The start of the period so many periods after the one that starts at a second.
  package func start(_ start: Int64, plus count: Int64) -> Int64 {
    guard months > 0 else { return start + count * seconds }
    let civil = CivilTime(Timestamp(nanoseconds: (start - shift) * 1_000_000_000))
    return SpotBar.second(ofMonth: civil.year * 12 + civil.month - 1 + Int(count) * months) + shift
  }

  /// The first start that is not before a second.
  func firstStart(notBefore second: Int64) -> Int64 {
    let start = start(of: second)
    return start < second ? self.start(start, plus: 1) : start
  }

  /// The first second of a month, which is counted from year 0; the days by Hinnant's `days_from_civil`.
  private static func second(ofMonth month: Int) -> Int64 {
    let year = month % 12 < 2 ? month / 12 - 1 : month / 12
    let era = year / 400
    let yearOfEra = year - era * 400
    let shifted = (month % 12 + 10) % 12
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + (153 * shifted + 2) / 5
    return Int64(era * 146_097 + dayOfEra - 719_468) * 86_400
  }
}
