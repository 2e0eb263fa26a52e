internal import Market

extension MatchVerdict {
  /// Compares a market of Polymarket with one of Kalshi.
  /// - Parameters:
  ///   - polymarket: what it says.
  ///   - kalshi: likewise.
  ///   - limits: when they are candidates.
  ///   - known: the score of `scoredText`, where it is known already.
  ///   - isComplete: whether all that speaks against it is told, or the first alone.
  public init(
    _ polymarket: MarketFacts, _ kalshi: MarketFacts, limits: MatchLimits = MatchLimits(), score known: Double? = nil,
    isComplete: Bool = true
  ) {
    let score = known ?? TitleScore.tokenSetRatio(polymarket.scoredText, kalshi.scoredText)
    let rules = MatchRules(polymarket: polymarket, kalshi: kalshi, limits: limits)
    var found: [MatchRejection] = []
    for rejection in MatchRejection.allCases where rules.rejects(rejection, score: score) {
      found.append(rejection)
      if !isComplete { break }
    }
    self.init(score: score, rejections: found, polarity: rules.polarity)
  }
}

/// The rules, each by itself.
struct MatchRules {
  let polymarket: MarketFacts
  let kalshi: MarketFacts
  let limits: MatchLimits

  private var both: [(one: MarketFacts, other: MarketFacts)] { [(polymarket, kalshi), (kalshi, polymarket)] }
  private var isGame: Bool { !polymarket.games.isEmpty && !kalshi.games.isEmpty }

  /// Whether one rule speaks against the pair.
  func rejects(_ rejection: MatchRejection, score: Double) -> Bool {
    switch rejection {
    case .notBinary: polymarket.text.outcomes.count != 2 || kalshi.text.outcomes.count != 2
    case .years: yearsDiffer
    case .dates: both.contains { dayProblems($0.one, $0.other).contains(.dates) } || (isGame && !isSameDayOfGame)
    case .deadline: both.contains { dayProblems($0.one, $0.other).contains(.deadline) }
    case .hours: hoursDiffer
    case .closeTimes: closeTooFarApart
    case .keywords: polymarket.keywords != kalshi.keywords
    case .strikes: numberProblem == .strikes
    case .numbers: numberProblem == .numbers
    case .ordinals: polymarket.reading.ordinals != kalshi.reading.ordinals
    case .romanNumerals: polymarket.reading.romans != kalshi.reading.romans
    case .directions: directionsDiffer
    case .teams: teamsDiffer
    case .negation: polymarket.reading.denials != kalshi.reading.denials
    case .order: orderDiffers
    case .words: hasStrayWord
    case .polarity: polarity == nil
    case .voidRules: voidRulesDiffer
    case .score: score < limits.scoreMin
    }
  }

  // MARK: - Time

  private var yearsDiffer: Bool {
    if !polymarket.years.isEmpty, !kalshi.years.isEmpty { return polymarket.years != kalshi.years }
    return both.contains { pair in !pair.one.years.isEmpty && !confirms(pair.other, years: pair.one.years) }
  }

  /// What speaks against the days and months that one market names.
  private func dayProblems(_ one: MarketFacts, _ other: MarketFacts) -> [MatchRejection] {
    one.dates.compactMap { $0.month == nil ? nil : problem($0, other) }
  }

  /// Whether a market that names no year ends in one of these, or names days of which the year is understood.
  private func confirms(_ market: MarketFacts, years: Set<Int>) -> Bool {
    if let ticker = market.tickerTime, years.contains(ticker.day.year) { return true }
    guard let closesAt = market.text.closesAt else { return market.dates.contains { $0.month != nil } }
    // What is decided at the end of a year closes with it, or a little later.
    return years.contains(Eastern.civil(closesAt).year)
      || years.contains(Eastern.civil(closesAt.advanced(bySeconds: -45 * 86_400)).year)
  }

  /// What speaks against a day or month that one market names, by all that the other says.
  private func problem(_ date: DateMention, _ other: MarketFacts) -> MatchRejection? {
    if other.dates.contains(where: { date.agrees(with: $0) }) { return nil }
    if other.dates.contains(where: { $0.month == date.month && $0.day == date.day && $0.bound != date.bound }) {
      return .deadline
    }
    let named = other.dates.filter { $0.month != nil }
    if named.contains(where: { $0.bound != date.bound && $0.month == date.month }) { return .deadline }
    guard named.isEmpty, let month = date.month, let year = date.year else { return .dates }
    if isGame, let ticker = other.tickerTime, date.bound == .on {
      return ticker.day == CalendarDay(year: year, month: month, day: date.day ?? 0) ? nil : .dates
    }
    guard let closesAt = other.text.closesAt else { return .dates }
    let first = CalendarDay(year: year, month: month, day: date.day ?? 1)
    let last = CalendarDay(year: year, month: month, day: date.day ?? CalendarDay.count(inMonth: month, of: year))
    let closing = Eastern.civil(closesAt)
    let closingDay = CalendarDay(year: closing.year, month: closing.month, day: closing.day).number
    switch date.bound {
    case .on: return closingDay == first.number ? nil : .dates
    // A deadline's midnight belongs to the next day.
    case .by: return (last.number...(last.number + 1)).contains(closingDay) ? nil : .dates
    case .within: return (last.number...(last.number + 1)).contains(closingDay) ? nil : .dates
    case .byStart, .after: return .dates
    }
  }

  /// Games are of one day: teams meet again.
  private var isSameDayOfGame: Bool {
    let days = both.map { pair -> CalendarDay? in
      if let day = pair.one.tickerTime?.day { return day }
      if let date = pair.one.dates.first(where: { $0.day != nil }), let year = date.year, let month = date.month {
        return CalendarDay(year: year, month: month, day: date.day ?? 1)
      }
      return pair.one.text.closesAt.map { time in
        let civil = Eastern.civil(time)
        return CalendarDay(year: civil.year, month: civil.month, day: civil.day)
      }
    }
    guard let first = days[0], let second = days[1] else { return false }
    return first == second
  }

  var hoursDiffer: Bool {
    let clocks = both.map { pair -> Set<Int> in
      if !pair.one.reading.clocks.isEmpty { return pair.one.reading.clocks }
      return pair.one.tickerTime?.hour.map { [$0 * 60] } ?? []
    }
    if !clocks[0].isEmpty, !clocks[1].isEmpty { return clocks[0] != clocks[1] }
    for (index, pair) in both.enumerated() {
      // What is true at one moment only is asked for that moment, which the other has to close at.
      guard !clocks[index].isEmpty else { continue }
      guard let closesAt = pair.other.text.closesAt else { return true }
      let closing = Eastern.civil(closesAt)
      if !clocks[index].contains(closing.hour * 60 + closing.minute) || clocks[index].count > 1 { return true }
    }
    guard clocks[0].isEmpty, clocks[1].isEmpty, isInstant(polymarket), isInstant(kalshi) else { return false }
    guard let left = polymarket.text.closesAt, let right = kalshi.text.closesAt else { return false }
    return abs(left.nanoseconds(since: right)) > 300_000_000_000
  }

  /// Whether a market asks for an amount on a day.
  private func isInstant(_ market: MarketFacts) -> Bool {
    !market.words.contains("touch") && market.reading.numbers.contains(where: \.isMoney)
      && market.dates.contains { $0.bound == .on }
  }

  var closeTooFarApart: Bool {
    guard let left = polymarket.text.closesAt, let right = kalshi.text.closesAt else { return false }
    return abs(left.seconds - right.seconds) > limits.closeDifferenceMaxSeconds
  }

  // MARK: - Words

  /// Whether a word that says something stands on one side only.
  private var hasStrayWord: Bool { both.contains { pair in pair.one.order.contains { isStray($0, pair.other) } } }

  private func isStray(_ word: String, _ other: MarketFacts) -> Bool {
    if other.words.contains(word) || Wording.affixes.contains(word) { return false }
    if isGame && ["win", "game", "match"].contains(word) { return false }
    return !other.order.contains { isSpelling($0, of: word) }
  }

  /// Whether two long words differ by one letter that one of them has more: Zelensky, Zelenskyy.
  private func isSpelling(_ left: String, of right: String) -> Bool {
    guard abs(left.utf8.count - right.utf8.count) <= 4 else { return false }
    let (left, right) = (left.unicodeScalars.map(\.value), right.unicodeScalars.map(\.value))
    guard min(left.count, right.count) >= 6, abs(left.count - right.count) == 1 else { return false }
    return TitleScore.longestCommonSubsequence(left, right) == min(left.count, right.count)
  }

  /// Who does it stands before the word, whom it is done to behind it.
  var orderDiffers: Bool {
    let shared = polymarket.words.intersection(kalshi.words)
    for relation in shared.intersection(Wording.relations) {
      let before = both.map { pair in
        Set(pair.one.order.prefix { $0 != relation }).intersection(shared).subtracting(Wording.relations)
      }
      if before[0] != before[1] { return true }
    }
    return false
  }

  var teamsDiffer: Bool {
    if let left = polymarket.league, let right = kalshi.league, left != right { return true }
    guard isGame else { return false }
    let shared = Set(polymarket.games.keys).intersection(kalshi.games.keys)
    return !shared.contains { league in
      guard let left = polymarket.games[league], let right = kalshi.games[league] else { return false }
      return Set([left.0, left.1]) == Set([right.0, right.1])
    }
  }

  // MARK: - Numbers

  var numberProblem: MatchRejection? {
    let (left, right) = (polymarket.reading.numbers, kalshi.reading.numbers)
    let (leftValues, rightValues) = (Set(left.map(\.raw)), Set(right.map(\.raw)))
    guard leftValues != rightValues else { return nil }
    let odd = (left.filter { !rightValues.contains($0.raw) }).union(right.filter { !leftValues.contains($0.raw) })
    let isThreshold =
      odd.contains { $0.isMoney || $0.isPercent || $0.isAtLeast }
      || !polymarket.reading.directions.isEmpty || !kalshi.reading.directions.isEmpty
    return isThreshold ? .strikes : .numbers
  }

  var directionsDiffer: Bool {
    // Outcomes that are directions themselves: the other market has to say which of them it is. Where the line may be
    // met exactly, "at least" is not "over".
    if Set(polymarket.text.outcomes.map { $0.lowercased() }) == ["over", "under"], kalshi.reading.directions.count == 1
    {
      let isExactable = kalshi.reading.numbers.contains { $0.raw % 100_000_000 == 0 }
      return !polymarket.reading.directions.isEmpty
        || !kalshi.reading.directions.isSubset(
          of: isExactable ? [.above, .below] : [.above, .atLeast, .below, .atMost])
    }
    let isMoney = polymarket.reading.numbers.union(kalshi.reading.numbers).contains(where: \.isMoney)
    let directions = both.map { pair in
      Set(
        pair.one.reading.directions.map { direction -> Direction in
          // An amount of money is never exactly the threshold for all that the venues' last cents matter.
          switch direction {
          case .atLeast where isMoney: .above
          case .atMost where isMoney: .below
          default: direction
          }
        })
    }
    return directions[0] != directions[1]
  }

  // MARK: - Polarity

  /// Which Polymarket outcome pays when Kalshi's YES pays; nil where it is not clear.
  var polarity: Polarity? {
    let outcomes = polymarket.text.outcomes.map { $0.lowercased() }
    guard outcomes.count == 2 else { return nil }
    let isTurned = (polymarket.reading.notCount - kalshi.reading.notCount) % 2 != 0
    func turned(_ outcome: Int) -> Polarity { (outcome == 0) != isTurned ? .same : .opposite }
    switch (outcomes[0], outcomes[1]) {
    case ("yes", "no"): return isGame ? nil : turned(0)
    case ("no", "yes"): return isGame ? nil : turned(1)
    case ("over", "under"), ("under", "over"):
      let directions = kalshi.reading.directions
      let wanted =
        directions.isSubset(of: [.above, .atLeast])
        ? "over" : directions.isSubset(of: [.below, .atMost]) ? "under" : ""
      guard !directions.isEmpty else { return nil }
      return outcomes.firstIndex(of: wanted).map(turned)
    case ("up", "down"), ("down", "up"):
      let subject = kalshi.text.subtitle.isEmpty ? kalshi.text.title : kalshi.text.subtitle
      let words = Set(Lexer.lexemes(subject).compactMap(\.word))
      guard words.contains("up") != words.contains("down") else { return nil }
      return outcomes.firstIndex(of: words.contains("up") ? "up" : "down").map(turned)
    default: return teamPolarity.map(turned)
    }
  }

  private var teamPolarity: Int? {
    let subject =
      kalshi.text.subtitle.isEmpty
      ? kalshi.text.ticker.split(separator: "-").last.map(String.init) ?? "" : kalshi.text.subtitle
    for league in polymarket.games.keys where kalshi.games[league] != nil {
      guard let wanted = kalshi.team(subject, league) else { continue }
      let teams = polymarket.text.outcomes.map { polymarket.team($0, league) }
      if teams[0] != nil, teams[1] != nil, teams[0] != teams[1] { return teams.firstIndex(of: wanted) }
    }
    // Other names: the same words, and not the other side's.
    let wanted = TitleReading(subject).words.filter { !Wording.affixes.contains($0) }
    guard !wanted.isEmpty else { return nil }
    let names = polymarket.text.outcomes.map { name in TitleReading(name).words.filter { !Wording.affixes.contains($0) }
    }
    guard names[0] != names[1] else { return nil }
    return names.firstIndex(of: wanted)
  }

  // MARK: - Void rules

  /// What becomes of a market that nothing decides, as far as its rules say it.
  enum VoidRule {
    case half, fairPrice, lastPrice, refund, no
  }

  var voidRulesDiffer: Bool {
    guard let left = Self.voidRule(polymarket.text.rules), let right = Self.voidRule(kalshi.text.rules) else {
      return false
    }
    return left != right
  }

  static func voidRule(_ rules: String) -> VoidRule? {
    let text = rules.lowercased()
    // The rule for what was called off alone: "otherwise no" stands in every text.
    if ["50-50", "50/50", "50\u{2013}50"].contains(where: text.contains) { return .half }
    guard ["cancel", "void", "postpone", "abandon", "called off"].contains(where: text.contains) else { return nil }
    if text.contains("fair market price") || text.contains("fair price") || text.contains("fair value") {
      return .fairPrice
    }
    if text.contains("last traded price") || text.contains("last price") { return .lastPrice }
    if text.contains("refund") { return .refund }
    return ["resolve to no", "resolves to no", "resolve to \"no\"", "resolve no"].contains(where: text.contains)
      ? .no : nil
  }
}
