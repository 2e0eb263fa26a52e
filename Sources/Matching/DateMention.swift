internal import Market

/// A day, month or year that a title names, and how.
struct DateMention: Hashable {
  /// The word before it.
  enum Qualifier: Hashable {
    case bare, on, within, by, before, after
  }

  /// What it says of the event, whatever its wording: "before March" is "by the last of February".
  enum Bound: Hashable {
    /// On that day.
    case on
    /// At some time in that month or year.
    case within
    /// Until that day's end.
    case by
    /// "By March", "by 2027": whether its first or its last day is meant is not said.
    case byStart
    /// From then on.
    case after
  }

  var qualifier: Qualifier
  var year: Int?
  var month: Int?
  var day: Int?
  /// Whether it says "end of".
  var isEnd = false
  private(set) var bound = Bound.within

  init(_ qualifier: Qualifier, year: Int? = nil, month: Int? = nil, day: Int? = nil, isEnd: Bool = false) {
    (self.qualifier, self.year, self.month, self.day, self.isEnd) = (qualifier, year, month, day, isEnd)
  }

  /// The same in one form; the year that it does not say is the one that is nearest to the market's end.
  func settled(closesAt: Timestamp?) -> DateMention {
    var mention = self
    if mention.year == nil, let month, let closesAt {
      let closing = Eastern.civil(closesAt)
      let years = [closing.year - 1, closing.year, closing.year + 1]
      let nearest = years.min { distance($0, month, closesAt) < distance($1, month, closesAt) }
      if let nearest, distance(nearest, month, closesAt) < 190 * 86_400 { mention.year = nearest }
    }
    mention.settleBound()
    mention.qualifier = .bare
    mention.isEnd = false
    return mention
  }

  private func distance(_ year: Int, _ month: Int, _ closesAt: Timestamp) -> Int64 {
    abs(CalendarDay(year: year, month: month, day: day ?? 15).number * 86_400 - closesAt.seconds)
  }

  private mutating func settleBound() {
    switch qualifier {
    case .after: bound = .after
    case .before:
      bound = .by
      if let month, let day {
        set(CalendarDay(number: CalendarDay(year: year ?? 2027, month: month, day: day).number - 1))
      } else if let month {
        set(CalendarDay(number: CalendarDay(year: year ?? 2027, month: month, day: 1).number - 1))
      } else if let year {
        (self.year, month, day) = (year - 1, 12, 31)
      }
    case .by:
      bound = day != nil || isEnd ? .by : .byStart
      guard isEnd, day == nil else { return }
      month = month ?? 12
      day = CalendarDay.count(inMonth: month ?? 12, of: year ?? 2027)
    case .bare, .on, .within: bound = day == nil ? .within : .on
    }
  }

  private mutating func set(_ date: CalendarDay) {
    if let year { self.year = year + (date.year - (self.year ?? date.year)) }
    (month, day) = (date.month, date.day)
  }

  /// Whether two settled mentions may mean the same; a year that one does not say fits any.
  func agrees(with other: DateMention) -> Bool {
    func fits(_ left: Int?, _ right: Int?) -> Bool { left == nil || right == nil || left == right }
    guard fits(year, other.year) else { return false }
    // "In 2026" is "by the end of 2026" for what has not happened yet.
    if isWholeYear, other.isWholeYear { return true }
    return month == other.month && day == other.day && bound == other.bound
  }

  /// Whether it is a year as a whole.
  var isWholeYear: Bool {
    bound == .within && month == nil || (bound == .by && month == 12 && day == 31)
  }
}

/// A day of the calendar.
struct CalendarDay: Hashable {
  var year: Int
  var month: Int
  var day: Int

  init(year: Int, month: Int, day: Int) { (self.year, self.month, self.day) = (year, month, day) }

  init(number: Int64) {
    let civil = CivilTime(Timestamp(nanoseconds: number * 86_400_000_000_000))
    self.init(year: civil.year, month: civil.month, day: civil.day)
  }

  /// Days since 1970.
  var number: Int64 { Int64(CivilTime.days(year: year, month: month, day: day)) }

  static func count(inMonth month: Int, of year: Int) -> Int {
    let next =
      month == 12 ? CalendarDay(year: year + 1, month: 1, day: 1) : CalendarDay(year: year, month: month + 1, day: 1)
    return Int(next.number - CalendarDay(year: year, month: month, day: 1).number)
  }
}

/// The time of the east of the United States, in which both venues write theirs.
enum Eastern {
  /// A moment as a clock there shows it: summer time from the second Sunday of March, 2:00, to the first of November.
  static func civil(_ time: Timestamp) -> CivilTime {
    let standard = time.advanced(bySeconds: -5 * 3600)
    let year = CivilTime(standard).year
    let begin = sunday(2, ofMonth: 3, year) * 86_400 + 7 * 3600
    let end = sunday(1, ofMonth: 11, year) * 86_400 + 6 * 3600
    let isSummer = time.seconds >= begin && time.seconds < end
    return CivilTime(isSummer ? standard.advanced(bySeconds: 3600) : standard)
  }

  private static func sunday(_ which: Int, ofMonth month: Int, _ year: Int) -> Int64 {
    let first = CalendarDay(year: year, month: month, day: 1).number
    // The first of January 1970 was a Thursday.
    let weekday = (first + 4) % 7
    return first + (weekday == 0 ? 0 : 7 - weekday) + Int64(which - 1) * 7
  }
}
