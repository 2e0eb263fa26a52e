public import Market

/// What matching reads of a market.
public struct MarketText: Hashable, Sendable {
  /// The question.
  public var title: String
  /// What tells it from the event's other markets; empty where nothing does.
  public var subtitle: String
  /// The strikes as the venue gives them apart, such as `greater 74299.99`; empty where there are none.
  public var strike: String
  /// The outcomes' names.
  public var outcomes: [String]
  /// When trading ends; nil where it is not known.
  public var closesAt: Timestamp?
  /// Kalshi's name of the market; empty for Polymarket's.
  public var ticker: String
  /// The rules in full; empty where they are not known.
  public var rules: String

  /// A market of which only the title is known.
  public init(title: String, outcomes: [String] = ["Yes", "No"]) {
    self.title = title
    subtitle = ""
    strike = ""
    self.outcomes = outcomes
    closesAt = nil
    ticker = ""
    rules = ""
  }

  /// A market by the terms that were read of it.
  public init(_ terms: MarketTerms) {
    self.init(title: terms.title, outcomes: terms.outcomes)
    subtitle = terms.subtitle
    strike = terms.strike
    closesAt = terms.closesAt
    ticker = terms.venue == .kalshi ? terms.id : ""
    rules = terms.rules
  }

  /// The title, and the subtitle where the title does not say it.
  var fullTitle: String {
    subtitle.isEmpty || title.lowercased().contains(subtitle.lowercased()) ? title : "\(title) ? \(subtitle)"
  }
}

/// What a market says, in the form in which two are compared.
public struct MarketFacts {
  let text: MarketText
  let reading: TitleReading
  /// The dates in one form, each once.
  let dates: [DateMention]
  /// The years of them.
  let years: Set<Int>
  /// The words that say something, each once, teams under one name.
  let words: Set<String>
  /// Those of them that change how it is decided.
  let keywords: Set<String>
  /// The same in the order of the title.
  let order: [String]
  /// The teams of a game by league; empty where it is none.
  let games: [Teams.League: (Teams.Team, Teams.Team)]
  /// The league that the title or the ticker names.
  let league: Teams.League?
  let tickerTime: TickerTime?
  /// How alike two titles are is computed from this.
  public let scoredText: String

  /// Reads a market.
  public init(_ text: MarketText) {
    self.text = text
    var reading = TitleReading(text.fullTitle)
    tickerTime = TickerTime(text.ticker)
    let series = text.ticker.split(separator: "-").first.map { $0.lowercased() } ?? ""
    var league = Teams.League.allCases.first { series.hasPrefix("kx" + $0.rawValue) }
    games = reading.sides.count == 2 ? Teams.game(reading.sides[0], reading.sides[1], league) : [:]
    var words = reading.words
    if games.count == 1, let (only, _) = games.first { league = only }
    if !games.isEmpty {
      words = Self.withTeams(words, games)
    } else {
      (words, league) = Self.withFullNames(words, league)
    }
    self.league = league
    if reading.numbers.isEmpty, !text.strike.isEmpty { reading.add(strike: text.strike) }
    self.reading = reading
    var dates: [DateMention] = []
    for date in reading.dates.map({ $0.settled(closesAt: text.closesAt) }) where !dates.contains(date) {
      dates.append(date)
    }
    // A title may name the same day twice, once without the year.
    self.dates = dates.filter { date in !dates.contains { $0 != date && $0.agrees(with: date) && date.year == nil } }
    years = Set(dates.compactMap(\.year))
    order = words
    self.words = Set(words)
    keywords = self.words.intersection(Wording.keywords)
    scoredText = (words + reading.numbers.map(\.text).sorted()).joined(separator: " ")
  }

  /// The words of both teams are replaced by what means them in every league that it may be.
  private static func withTeams(_ words: [String], _ games: [Teams.League: (Teams.Team, Teams.Team)]) -> [String] {
    let teams = games.values.flatMap { [$0.0, $0.1] }
    let names = Set(teams.flatMap { $0.city + $0.nickname + [$0.code] }.flatMap { [$0, Wording.stem($0)] })
    // A city's own words would name other teams of it, too.
    return Array(Set(teams.map(\.key))).sorted() + words.filter { !names.contains($0) }
  }

  private static func withFullNames(_ words: [String], _ league: Teams.League?) -> ([String], Teams.League?) {
    var (result, league): ([String], Teams.League?) = ([], league)
    var index = 0
    while index < words.count {
      var found: (Teams.Team, Int)?
      for length in [4, 3, 2] where index + length <= words.count && found == nil {
        let slice = Array(words[index..<(index + length)])
        if let team = stemmedNames[slice] { found = (team, length) }
      }
      if let (team, length) = found {
        result += team.city.filter { $0.count > 2 }.map(Wording.stem)
        league = league ?? team.league
        index += length
      } else {
        result.append(words[index])
        index += 1
      }
    }
    return (result, league)
  }

  private static let stemmedNames: [[String]: Teams.Team] = {
    var names: [[String]: Teams.Team] = [:]
    for (name, team) in Teams.byFullName { names[name.map(Wording.stem)] = team }
    return names
  }()

  /// The team that a text names in this game's leagues.
  func team(_ text: String, _ league: Teams.League) -> Teams.Team? {
    let words = Lexer.lexemes(text).compactMap { $0.word ?? $0.number?.text }
    return Teams.team(words, league)
  }
}

extension TitleReading {
  /// Takes `greater 74299.99`, `between 3.5 4`, `less_or_equal 10`.
  mutating func add(strike: String) {
    let parts = strike.split(separator: " ").map(String.init)
    let directions: [String: Direction] = [
      "greater": .above, "greater_or_equal": .atLeast, "less": .below, "less_or_equal": .atMost, "between": .between,
    ]
    guard let type = parts.first, let direction = directions[type] else { return }
    let numbers = parts.dropFirst().flatMap { Lexer.lexemes($0).compactMap(\.number) }
    guard !numbers.isEmpty else { return }
    self.numbers.formUnion(numbers)
    if self.directions.isEmpty { self.directions.insert(direction) }
  }
}

/// The day and hour of an event that a ticker such as `KXBTCD-26JUL2502-T74299.99` names.
struct TickerTime: Hashable {
  var day: CalendarDay
  /// In the east of the United States; nil where the ticker names a day alone.
  var hour: Int?

  /// Nil where the ticker names none.
  init?(_ ticker: String) {
    for part in ticker.split(separator: "-").dropFirst() {
      let letters = Array(part.utf8)
      guard letters.count >= 7, let year = Self.number(letters[0..<2]), let day = Self.number(letters[5..<7]),
        let month = Wording.months[String(decoding: letters[2..<5], as: UTF8.self).lowercased()], (1...31).contains(day)
      else { continue }
      self.day = CalendarDay(year: 2000 + year, month: month, day: day)
      if letters.count == 9 || letters.count == 11, let hour = Self.number(letters[7..<9]), hour <= 24 {
        self.hour = hour % 24
      }
      return
    }
    return nil
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> Int? { Int(String(decoding: digits, as: UTF8.self)) }
}
