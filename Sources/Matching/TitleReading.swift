/// How a threshold is to be read.
enum Direction: Hashable {
  case above, atLeast, below, atMost, between
}

/// What a title says, taken apart: what is compared by rules, and the words that remain.
struct TitleReading {
  var dates: [DateMention] = []
  /// Times of day, in minutes after midnight.
  var clocks: Set<Int> = []
  /// Numbers that are neither dates nor times nor places in an order.
  var numbers: Set<NumberText> = []
  var ordinals: Set<Int> = []
  var romans: Set<Int> = []
  var directions: Set<Direction> = []
  /// How often it says `not`.
  var notCount = 0
  /// What it denies in other words.
  var denials: Set<String> = []
  /// What is left, in the order of the title, each word in one form; those that say nothing are gone.
  var words: [String] = []
  /// The parts between `vs`, `at`, `@`: a game's sides, in plain words; empty where there are not two.
  var sides: [[String]] = []

  private var lexemes: [Lexeme]
  private var isUsed: [Bool]

  init(_ text: String) {
    lexemes = Lexer.lexemes(text)
    isUsed = [Bool](repeating: false, count: lexemes.count)
    sides = Self.sides(lexemes)
    readDates()
    readNumbers()
    readDirections()
    readWords()
  }

  // MARK: - Sides

  /// What stands before and after the word between two teams, up to the first sign or the word `winner`.
  private static func sides(_ lexemes: [Lexeme]) -> [[String]] {
    var sides: [[String]] = [[]]
    for lexeme in lexemes {
      switch lexeme {
      case .word(let word, _):
        if ["vs", "v", "versus", "at"].contains(word), sides.count == 1, !sides[0].isEmpty {
          sides.append([])
        } else if word == "winner" || word == "on" {
          return sides.count == 2 ? sides : []
        } else {
          sides[sides.count - 1].append(word)
        }
      case .sign("@") where sides.count == 1 && !sides[0].isEmpty: sides.append([])
      case .sign(":") where sides.count == 1: sides[0] = []
      case .number(let number): sides[sides.count - 1].append(number.text)
      case .sign("-") where sides.count == 1: continue
      default: return sides.count == 2 && !sides[1].isEmpty ? sides : []
      }
    }
    return sides.count == 2 && !sides[1].isEmpty ? sides : []
  }

  // MARK: - Dates and times

  private func small(_ index: Int) -> Int? {
    guard lexemes.indices.contains(index) else { return nil }
    if case .ordinal(let value) = lexemes[index] { return value }
    return lexemes[index].number?.small
  }

  private func day(_ index: Int) -> Int? { small(index).flatMap { (1...31).contains($0) ? $0 : nil } }

  private func year(_ index: Int) -> Int? {
    guard lexemes.indices.contains(index), let value = lexemes[index].number?.small, (1990...2199).contains(value)
    else {
      return nil
    }
    return value
  }

  private func sign(_ index: Int) -> Character? {
    guard lexemes.indices.contains(index), case .sign(let sign) = lexemes[index] else { return nil }
    return sign
  }

  /// The month that a word names; `may` and `march` only where they are written as names.
  private func month(_ index: Int) -> Int? {
    guard lexemes.indices.contains(index), case .word(let word, let form) = lexemes[index] else { return nil }
    if word == "may" || word == "march" || word == "mar", form == .lower, lexemes.contains(where: Self.isCapitalised) {
      return nil
    }
    return Wording.months[word]
  }

  private static func isCapitalised(_ lexeme: Lexeme) -> Bool {
    if case .word(_, let form) = lexeme { form != .lower } else { false }
  }

  private mutating func readDates() {
    var index = 0
    while index < lexemes.count {
      let length = readDate(index)
      for used in index..<(index + length) { isUsed[used] = true }
      index += max(1, length)
    }
  }

  /// Takes the date that begins at a lexeme.
  /// - Returns: how many lexemes it has; 0 where there is none.
  private mutating func readDate(_ index: Int) -> Int {
    if case .date(let year, let month, let day) = lexemes[index] {
      add(index, year, month, day)
      return 1
    }
    if case .clock(let minutes) = lexemes[index] {
      clocks.insert(minutes)
      return 1
    }
    if lexemes[index].word == "noon" || lexemes[index].word == "midnight" {
      clocks.insert(lexemes[index].word == "noon" ? 720 : 0)
      return 1
    }
    if let month = month(index) { return readMonth(month, index) }
    // 25 January 2026, 1st of May
    if let day = day(index),
      let month = month(index + 1)
        ?? (lexemes.indices.contains(index + 1) && lexemes[index + 1].word == "of" ? month(index + 2) : nil)
    {
      let end = month == self.month(index + 1) ? index + 2 : index + 3
      let year = self.year(end)
      add(index, year, month, day)
      return end - index + (year == nil ? 0 : 1)
    }
    if let year = year(index), !isRangeOrCount(index) {
      // A season, 2025-26, is named by its end.
      if sign(index + 1) == "-", let end = small(index + 2), end == (year + 1) % 100 || end == year + 1 {
        add(index, year + 1, nil, nil)
        return 3
      }
      add(index, year, nil, nil)
      return 1
    }
    return 0
  }

  private mutating func readMonth(_ month: Int, _ index: Int) -> Int {
    var next = index + 1
    guard let day = day(next) else {
      if sign(next) == ",", year(next + 1) != nil { next += 1 }
      let year = self.year(next)
      add(index, year, month, nil)
      return next - index + (year == nil ? 0 : 1)
    }
    next += 1
    var days = [day]
    if sign(next) == "-", let last = self.day(next + 1), self.month(next + 2) == nil {
      days.append(last)
      next += 2
    }
    if sign(next) == ",", year(next + 1) != nil { next += 1 }
    let year = self.year(next)
    for day in days { add(index, year, month, day) }
    return next - index + (year == nil ? 0 : 1)
  }

  /// Whether a number that looks like a year counts something: `2000 people`, `between 1990 and 2010`.
  private func isRangeOrCount(_ index: Int) -> Bool {
    guard lexemes.indices.contains(index + 1), let word = lexemes[index + 1].word else { return false }
    return ["people", "points", "votes", "seats", "albums", "million", "dollars", "deaths", "cases"].contains(word)
  }

  private mutating func add(_ index: Int, _ year: Int?, _ month: Int?, _ day: Int?) {
    var mention = DateMention(.bare, year: year, month: month, day: day)
    // The words before it, nearest first, as long as they say how the date is meant.
    var place = index - 1
    var steps = 0
    while place >= 0, steps < 4, let word = lexemes[place].word ?? sign(place).map(String.init) {
      switch word {
      case "before": mention.qualifier = .before
      case "by", "until", "till", "through", "thru": mention.qualifier = .by
      case "after", "since", "following": mention.qualifier = .after
      case "on", "at": mention.qualifier = .on
      case "in", "during": mention.qualifier = .within
      case "end":
        mention.isEnd = true
        isUsed[place] = true
      case "the", "of", "year", ",", "-", "and", "or": break
      default:
        if ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].contains(word.prefix(3)), word.hasSuffix("day") { break }
        place = -1
      }
      if mention.qualifier != .bare {
        isUsed[place] = true
        break
      }
      place -= 1
      steps += 1
    }
    dates.append(mention)
  }

  // MARK: - Numbers and how they are compared

  private mutating func readNumbers() {
    for index in lexemes.indices where !isUsed[index] {
      switch lexemes[index] {
      case .number(var number):
        number = withRangeSuffix(number, index)
        lexemes[index] = .number(number)
        // Bologna FC 1909, Mainz 05: part of a club's name.
        if number.isPlain, index > 0, let before = lexemes[index - 1].word, Wording.affixes.contains(before) {
          continue
        }
        numbers.insert(number)
        if number.isAtLeast { directions.insert(.atLeast) }
        isUsed[index] = true
      case .ordinal(let value):
        ordinals.insert(value)
        isUsed[index] = true
      case .word(let word, let form):
        if let value = Wording.cardinals[word] {
          numbers.insert(NumberText(raw: Int128(value) * 100_000_000))
          isUsed[index] = true
        } else if let value = Wording.roman(word, isUpper: form == .upper) {
          romans.insert(value)
          isUsed[index] = true
        }
      default: continue
      }
    }
    for index in lexemes.indices where sign(index) == "-" || lexemes[index].word == "to" || lexemes[index].word == "and"
    {
      guard index > 0, index + 1 < lexemes.count, lexemes[index - 1].number != nil, lexemes[index + 1].number != nil,
        isUsed[index - 1], isUsed[index + 1], !isDatePart(index - 1), !isDatePart(index + 1)
      else { continue }
      directions.insert(.between)
      isUsed[index] = true
    }
  }

  private func isDatePart(_ index: Int) -> Bool { lexemes[index].number.map { !numbers.contains($0) } ?? true }

  /// In `$50-100b` and `250-500k` the suffix of the second number is the first one's, too; a minus that stands before
  /// the first number is its sign.
  private func withRangeSuffix(_ number: NumberText, _ index: Int) -> NumberText {
    var number = number
    if sign(index - 1) == "-", index < 2 || (lexemes[index - 2].number == nil && lexemes[index - 2].word == nil) {
      number.raw = -number.raw
      number.isPlain = false
    }
    guard sign(index + 1) == "-" || (lexemes.indices.contains(index + 1) && lexemes[index + 1].word == "to"),
      lexemes.indices.contains(index + 2), let next = lexemes[index + 2].number
    else { return number }
    for factor in [1000, 1_000_000, 1_000_000_000, 1_000_000_000_000] as [Int128] {
      let first = number.raw * factor
      if next.raw >= factor * 100_000_000, number.raw < 1_000_000_000_00, first < next.raw, first * 100 >= next.raw,
        number.raw * 100 < next.raw
      {
        number.raw = first
        break
      }
    }
    return number
  }

  private static let comparisons: [(words: [String], direction: Direction)] = {
    let lines = """
      no less than=atLeast
      no fewer than=atLeast
      no more than=atMost
      greater than or equal to=atLeast
      less than or equal to=atMost
      at least=atLeast
      or more=atLeast
      or above=atLeast
      or higher=atLeast
      or greater=atLeast
      or over=atLeast
      at most=atMost
      or less=atMost
      or fewer=atMost
      or below=atMost
      or lower=atMost
      or under=atMost
      more than=above
      greater than=above
      higher than=above
      less than=below
      fewer than=below
      lower than=below
      above=above
      over=above
      exceed=above
      exceeds=above
      below=below
      under=below
      between=between
      """
    let names: [String: Direction] = [
      "above": .above, "atLeast": .atLeast, "below": .below, "atMost": .atMost, "between": .between,
    ]
    return lines.split(separator: "\n").compactMap { line in
      let parts = line.split(separator: "=")
      return names[String(parts[1])].map { (parts[0].split(separator: " ").map(String.init), $0) }
    }
  }()

  private mutating func readDirections() {
    for index in lexemes.indices {
      switch sign(index) {
      case "<": directions.insert(sign(index + 1) == ">" ? .between : .below)
      case ">": directions.insert(.above)
      case "\u{2264}": directions.insert(.atMost)
      case "\u{2265}": directions.insert(.atLeast)
      default: break
      }
    }
    guard !numbers.isEmpty else { return }
    var index = 0
    while index < lexemes.count {
      let found = Self.comparisons.first { comparison in
        comparison.words.enumerated().allSatisfy { offset, word in
          let place = index + offset
          return lexemes.indices.contains(place) && lexemes[place].word == word && !isUsed[place]
        }
      }
      // O/U and over/under name a line, not a side of it.
      if let found,
        !(found.words == ["over"] && lexemes.indices.contains(index + 2) && lexemes[index + 2].word == "under"),
        !(found.words == ["under"] && index >= 2 && lexemes[index - 2].word == "over")
      {
        directions.insert(found.direction)
        for place in index..<(index + found.words.count) { isUsed[place] = true }
        index += found.words.count
      } else {
        index += 1
      }
    }
  }

  // MARK: - Words

  private mutating func readWords() {
    var plain: [String] = []
    for index in lexemes.indices where !isUsed[index] {
      switch lexemes[index] {
      case .word(let word, _): plain.append(word)
      case .number(let number): plain.append(number.text)
      default: continue
      }
    }
    var index = 0
    while index < plain.count {
      let rest = plain[index...]
      if let phrase = Wording.phrases.first(where: { rest.starts(with: $0.words) }) {
        if !phrase.meaning.isEmpty { words.append(phrase.meaning) }
        index += phrase.words.count
        continue
      }
      take(plain[index])
      index += 1
    }
  }

  private mutating func take(_ word: String) {
    if word == "not" {
      notCount += 1
    } else if Wording.denials.contains(word) {
      denials.insert(word)
    } else if let value = Wording.ordinals[word] {
      ordinals.insert(value)
    } else if !Wording.silent.contains(word) {
      words.append(Wording.stem(word))
    }
  }
}
