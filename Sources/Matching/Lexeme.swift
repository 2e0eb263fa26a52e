/// One piece of a title.
enum Lexeme: Hashable {
  /// A word in lower case without accents; `form` says how it was written.
  case word(String, Form)
  /// A number.
  case number(NumberText)
  /// A place in an order, such as `2nd`.
  case ordinal(Int)
  /// A time of day, in minutes after midnight.
  case clock(Int)
  /// A day that was written in digits: year, month, day.
  case date(Int, Int, Int)
  /// A sign that means something: `<`, `>`, `≤`, `≥`, `-` between numbers, `?`, `:`, `/`, `@`, `,`.
  case sign(Character)

  /// How a word was written.
  enum Form: Hashable {
    case lower, capitalised, upper
  }

  /// The word; nil where it is none.
  var word: String? {
    if case .word(let text, _) = self { text } else { nil }
  }

  /// The number; nil where it is none.
  var number: NumberText? {
    if case .number(let number) = self { number } else { nil }
  }
}

/// A number of a title, as it was written.
struct NumberText: Hashable {
  /// In units of 10⁻⁸, suffixes such as `k` and `million` worked in.
  var raw: Int128
  /// Whether a dollar sign stood before it.
  var isMoney = false
  /// Whether a per cent sign stood after it.
  var isPercent = false
  /// Whether a plus stood after it: at least so much.
  var isAtLeast = false
  /// Whether it has neither sign, comma, fraction nor suffix: it may be a year or a day.
  var isPlain = true

  /// Its integer, where it is a plain one of at most four digits.
  var small: Int? {
    isPlain && raw >= 0 && raw % 100_000_000 == 0 && raw < 1_000_000_000_000 ? Int(raw / 100_000_000) : nil
  }

  /// Such as `74300` or `3.5`; the same for all ways to write it.
  var text: String {
    let magnitude = raw.magnitude
    var text = String(magnitude / 100_000_000)
    var rest = magnitude % 100_000_000
    if rest > 0 {
      var digits = ""
      var unit: UInt128 = 10_000_000
      while rest > 0 {
        digits += String(rest / unit)
        rest %= unit
        unit /= 10
      }
      text += "." + digits
    }
    return (raw < 0 ? "-" : "") + text
  }

  /// A threshold that is written as the last cent below it, as Kalshi's are: 74,299.99 means 74,300.
  mutating func roundLastCent() {
    let cent: Int128 = 1_000_000
    if raw >= 100_000_000_000, raw % 100_000_000 == 99 * cent { raw += cent }
  }
}

/// Takes a title apart.
///
/// Letters lose their case and accents, quotation marks their shape; `U.S.` becomes `us`, `won't` becomes `not`.
struct Lexer {
  private let scalars: [Unicode.Scalar]
  private var place = 0
  private(set) var lexemes: [Lexeme] = []

  static func lexemes(_ text: String) -> [Lexeme] {
    var lexer = Lexer(scalars: text.unicodeScalars.flatMap(LetterFolding.fold))
    lexer.run()
    return lexer.lexemes
  }

  private init(scalars: [Unicode.Scalar]) { self.scalars = scalars }

  private func scalar(_ offset: Int = 0) -> Unicode.Scalar? {
    let index = place + offset
    return scalars.indices.contains(index) ? scalars[index] : nil
  }

  private func isDigit(_ offset: Int) -> Bool { scalar(offset).map { $0 >= "0" && $0 <= "9" } ?? false }
  private func isLetter(_ offset: Int) -> Bool { scalar(offset).map(LetterFolding.isLetter) ?? false }

  private mutating func run() {
    while let current = scalar() {
      if isDigit(0) || (current == "." && isDigit(1) && !isDigit(-1)) {
        number(isMoney: scalar(-1) == "$")
      } else if isLetter(0) {
        word()
      } else {
        sign(current)
        place += 1
      }
    }
  }

  private mutating func sign(_ current: Unicode.Scalar) {
    switch current {
    case "<", ">", "\u{2264}", "\u{2265}", "?", ":", "/", "@", "+", ",", ";", "&", "(", ")":
      lexemes.append(.sign(Character(current)))
    case "-":
      // A minus before a number that follows none, or a dash.
      lexemes.append(.sign("-"))
    default: break
    }
  }

  // MARK: - Words

  private mutating func word() {
    var letters: [Unicode.Scalar] = []
    while isLetter(0) || (!letters.isEmpty && isDigit(0)), let next = scalar() {
      letters.append(next)
      place += 1
    }
    // U.S., D.C.: single letters, each with a full stop.
    if letters.count == 1, scalar() == "." {
      while scalar() == ".", isLetter(1), !isLetter(2), let next = scalar(1) {
        letters.append(next)
        place += 2
      }
      if letters.count > 1, scalar() == "." { place += 1 }
    }
    let text = String(String.UnicodeScalarView(letters)).lowercased()
    let form = form(letters)
    if scalar() == "'" {
      if isLetter(1), !isLetter(2), let mark = scalar(1) {
        place += 2
        if mark == "t" || mark == "T", text.hasSuffix("n") {
          // won't, can't, isn't
          lexemes.append(.word("not", .lower))
          return
        }
        // The possessive s says nothing.
        if mark == "s" || mark == "S" { return lexemes.append(.word(text, form)) }
        return lexemes.append(.word(text + String(mark).lowercased(), form))
      }
      // O'Neale, d'Ivoire.
      if isLetter(1), letters.count <= 2 {
        place += 1
        let before = lexemes.count
        word()
        if lexemes.count == before + 1, let rest = lexemes[before].word { lexemes[before] = .word(text + rest, form) }
        return
      }
    }
    lexemes.append(.word(text, form))
  }

  private func form(_ letters: [Unicode.Scalar]) -> Lexeme.Form {
    guard let first = letters.first, first.properties.isUppercase else { return .lower }
    return letters.dropFirst().allSatisfy { $0.properties.isUppercase || !LetterFolding.isLetter($0) }
      ? .upper : .capitalised
  }

  // MARK: - Numbers

  private mutating func number(isMoney: Bool) {
    var number = NumberText(raw: 0, isMoney: isMoney)
    if isMoney { number.isPlain = false }
    if dayInDigits() { return }
    var digits = digitGroups(&number)
    let whole = digits
    if scalar() == ".", isDigit(1) {
      place += 1
      number.isPlain = false
      var unit: Int128 = 10_000_000
      while isDigit(0), let next = scalar() {
        digits += Int128(next.value - 48) * unit
        unit /= 10
        place += 1
      }
    }
    number.raw = digits
    if number.isPlain, clock(Int(min(whole / 100_000_000, 9999))) { return }
    if suffix(&number) { return }
    if scalar() == "%" {
      number.isPercent = true
      number.isPlain = false
      place += 1
    }
    if scalar() == "+" {
      number.isAtLeast = true
      number.isPlain = false
      place += 1
    }
    number.roundLastCent()
    lexemes.append(.number(number))
  }

  /// `2026-02-01`, with whatever time follows it.
  private mutating func dayInDigits() -> Bool {
    func value(_ from: Int, _ count: Int) -> Int? {
      var value = 0
      for offset in from..<(from + count) {
        guard isDigit(offset), let digit = scalar(offset) else { return nil }
        value = value * 10 + Int(digit.value) - 48
      }
      return isDigit(from + count) ? nil : value
    }
    guard let year = value(0, 4), scalar(4) == "-", let month = value(5, 2), scalar(7) == "-", let day = value(8, 2),
      (1900...2199).contains(year), (1...12).contains(month), (1...31).contains(day)
    else { return false }
    place += 10
    if scalar() == "T" || scalar() == "t", isDigit(1) {
      while let next = scalar(), next != " ", next != "?" { _ = next; place += 1 }
    }
    lexemes.append(.date(year, month, day))
    return true
  }

  /// Digits with commas between groups of three.
  private mutating func digitGroups(_ number: inout NumberText) -> Int128 {
    var value: Int128 = 0
    var count = 0
    while true {
      if isDigit(0), let next = scalar() {
        // More digits than any amount has: what is beyond them is a name, not a number.
        if count < 18 { value = value * 10 + Int128(next.value - 48) }
        count += 1
        place += 1
      } else if scalar() == ",", isDigit(1), isDigit(2), isDigit(3), !isDigit(4) {
        number.isPlain = false
        place += 1
      } else {
        return value * 100_000_000
      }
    }
  }

  /// `9:30PM`, `5pm`, `17:00`.
  private mutating func clock(_ hour: Int) -> Bool {
    guard hour <= 24 else { return false }
    var minute: Int?
    var length = 0
    if scalar() == ":", isDigit(1), isDigit(2), !isDigit(3), let tens = scalar(1), let ones = scalar(2) {
      minute = Int(tens.value - 48) * 10 + Int(ones.value - 48)
      length = 3
    }
    var letters = length
    if scalar(letters) == " " { letters += 1 }
    let half = scalar(letters)?.properties.lowercaseMapping
    let isHalf =
      (half == "a" || half == "p") && scalar(letters + 1)?.properties.lowercaseMapping == "m" && !isLetter(letters + 2)
    guard isHalf || minute != nil, minute ?? 0 < 60 else { return false }
    var hours = hour
    if isHalf {
      guard (1...12).contains(hour) else { return false }
      hours = hour % 12 + (half == "p" ? 12 : 0)
      length = letters + 2
    }
    place += length
    lexemes.append(.clock((hours * 60 + (minute ?? 0)) % 1440))
    return true
  }

  /// Letters right after the digits, and words of magnitude after a blank.
  /// - Returns: whether the number has become something else.
  private mutating func suffix(_ number: inout NumberText) -> Bool {
    var letters = ""
    var end = 0
    while isLetter(end) || (!letters.isEmpty && isDigit(end)), let next = scalar(end) {
      letters += String(next).lowercased()
      end += 1
    }
    if letters.isEmpty {
      guard scalar() == " " else { return false }
      var next = 1
      while isLetter(next), let letter = scalar(next) {
        letters += String(letter).lowercased()
        next += 1
      }
      guard letters.count > 3, let factor = Self.magnitudes[letters] else { return false }
      place += next
      number.raw *= factor
      number.isPlain = false
      return false
    }
    if let factor = Self.magnitudes[letters] {
      place += end
      number.raw *= factor
      number.isPlain = false
      return false
    }
    if ["st", "nd", "rd", "th"].contains(letters), let value = number.small {
      place += end
      lexemes.append(.ordinal(value))
      return true
    }
    if ["c", "f", "bps", "pts", "pt"].contains(letters) {
      place += end
      number.isPlain = false
      if letters == "bps" {
        number.raw /= 100
        number.isPercent = true
      }
      return false
    }
    // 76ers, 3d, 1h: a name.
    place += end
    lexemes.append(.word(number.text + letters, .lower))
    return true
  }

  private static let magnitudes: [String: Int128] = [
    "k": 1000, "thousand": 1000, "m": 1_000_000, "mm": 1_000_000, "mn": 1_000_000, "mil": 1_000_000,
    "million": 1_000_000, "millions": 1_000_000, "b": 1_000_000_000, "bn": 1_000_000_000, "billion": 1_000_000_000,
    "t": 1_000_000_000_000, "tn": 1_000_000_000_000, "trillion": 1_000_000_000_000,
  ]
}

/// Letters without case marks, accents and typographic shapes.
enum LetterFolding {
  static func isLetter(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isAlphabetic }

  /// What a code point is written as; nothing for a combining mark.
  static func fold(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
    let value = scalar.value
    if value < 0x80 { return [scalar] }
    switch value {
    case 0x300...0x36F, 0x200B...0x200D, 0xFE0F, 0xFEFF, 0xAD: return []
    case 0x2018, 0x2019, 0x02BC, 0x00B4: return ["'"]
    case 0x201C, 0x201D, 0xAB, 0xBB: return [" "]
    case 0x2010...0x2015, 0x2212: return ["-"]
    case 0xA0, 0x2000...0x200A, 0x202F, 0x3000: return [" "]
    case 0xDF: return ["s", "s"]
    case 0xC6, 0xE6: return ["a", "e"]
    case 0x152, 0x153: return ["o", "e"]
    case 0xC0...0x17F:
      // One letter for each code point from U+00C0 on; a blank where there is none.
      let letter = table[Int(value - 0xC0)]
      return letter == " " ? [scalar] : [letter]
    case 0x218, 0x219: return [value == 0x218 ? "S" : "s"]
    case 0x21A, 0x21B: return [value == 0x21A ? "T" : "t"]
    default: return [scalar]
    }
  }

  private static let table = Array(
    ("AAAAAA CEEEEIIII" + "DNOOOOO OUUUUYT " + "aaaaaa ceeeeiiii" + "dnooooo ouuuuyty" + "AaAaAaCcCcCcCcDd"
      + "DdEeEeEeEeEeGgGg" + "GgGgHhHhIiIiIiIi" + "Ii  JjKkkLlLlLlL" + "lLlNnNnNnnNnOoOo" + "Oo  RrRrRrSsSsSs"
      + "SsTtTtTtUuUuUuUu" + "UuUuWwYyYZzZzZzs").unicodeScalars)
}
