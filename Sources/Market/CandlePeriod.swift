/// The length of a candle: so many seconds, or calendar months, which have no length of their own.
///
/// Its name is a number and a unit: `s`, `m` (minute), `h`, `d`, `w`, `M` (month), such as `15m` or `1M`.
public enum CandlePeriod: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// So many seconds, more than none.
  case seconds(Int64)
  /// So many calendar months (UTC), 1 to 12.
  case months(Int)

  /// One minute.
  public static let minute = CandlePeriod.seconds(60)
  /// One hour.
  public static let hour = CandlePeriod.seconds(3600)
  /// One day.
  public static let day = CandlePeriod.seconds(86_400)
  /// Seven days.
  public static let week = CandlePeriod.seconds(604_800)
  /// One calendar month.
  public static let month = CandlePeriod.months(1)

  private static let units: [(name: Character, seconds: Int64)] = [
    ("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1),
  ]

  /// The period of a name; nil where the text is none, or the period is longer than a year.
  public init?(_ name: some StringProtocol) {
    guard let unit = name.last, let count = Int64(name.dropLast()), (1...31_622_400).contains(count),
      name.utf8.first.map({ (0x31...0x39).contains($0) }) ?? false
    else { return nil }
    if unit == "M" {
      guard count <= 12 else { return nil }
      self = .months(Int(count))
    } else {
      guard let unit = Self.units.first(where: { $0.name == unit }), count * unit.seconds <= 31_622_400 else {
        return nil
      }
      self = .seconds(count * unit.seconds)
    }
  }

  /// The name, with the largest unit that divides it.
  public var description: String {
    switch self {
    case .months(let count): return "\(count)M"
    case .seconds(let count):
      let unit = Self.units.first { count % $0.seconds == 0 } ?? ("s", 1)
      return "\(count / unit.seconds)\(unit.name)"
    }
  }

  /// The length in seconds; nil where it is no fixed number.
  public var seconds: Int64? {
    if case .seconds(let count) = self { count } else { nil }
  }

  /// The length of the longest candle of this period, in seconds: what a span of so many candles covers at least.
  public var longestSeconds: Int64 {
    switch self {
    case .seconds(let count): count
    case .months(let count): Int64(count) * 31 * 86_400
    }
  }

  /// Shorter before longer.
  public static func < (left: CandlePeriod, right: CandlePeriod) -> Bool {
    left.longestSeconds < right.longestSeconds
  }

  /// When a candle ends that starts at `start`: the first moment after it.
  public func end(ofCandleAt start: Timestamp) -> Timestamp {
    switch self {
    case .seconds(let count): return start.advanced(bySeconds: count)
    case .months(let count):
      let civil = CivilTime(start)
      let month = civil.month - 1 + count
      let days = CivilTime.days(year: civil.year + month / 12, month: month % 12 + 1, day: 1)
      return Timestamp(nanoseconds: Int64(days) * 86_400_000_000_000)
    }
  }

  /// The start of the candle in which a moment lies: weeks begin on Monday, other periods are counted from 1970 (UTC).
  ///
  /// A venue may count periods of several days from another day.
  public func start(of time: Timestamp) -> Timestamp {
    switch self {
    case .seconds(604_800):
      // 1970-01-01 was a Thursday, three days after a Monday.
      return time.advanced(bySeconds: 3 * 86_400).floored(toSeconds: 604_800).advanced(bySeconds: -3 * 86_400)
    case .seconds(let count): return time.floored(toSeconds: count)
    case .months(let count):
      let civil = CivilTime(time)
      let months = (civil.year * 12 + civil.month - 1) / count * count
      let days = CivilTime.days(year: months / 12, month: months % 12 + 1, day: 1)
      return Timestamp(nanoseconds: Int64(days) * 86_400_000_000_000)
    }
  }

  /// Whether a candle of this period may start at a moment: on its grid where the day holds a whole number of them, at
  /// midnight (UTC) where it is longer, on the first of a month where it is of months.
  public func mayStart(at time: Timestamp) -> Bool {
    switch self {
    case .seconds(let count): time.floored(toSeconds: count % 86_400 == 0 ? 86_400 : count) == time
    case .months: start(of: time) == time
    }
  }
}
