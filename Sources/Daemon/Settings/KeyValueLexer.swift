/// Takes `KEY="value",KEY2='value'` apart as supervisord does, which is as Python's `shlex` does when it is not POSIX's.
///
/// Words are of letters, digits and `_/.+-():`; a text in quotes is a word with its quotes; any other character is a
/// word by itself. A quote within a word is a part of it. `#` begins a comment that lasts to the end of the line. Every
/// fourth word separates, whatever it is.
struct KeyValueLexer {
  private var rest: Substring.UnicodeScalarView

  /// Reads all pairs; nil where they are none, or a quote is not ended.
  static func pairs(_ text: String) -> [SettingValue.KeyValue]? {
    var lexer = KeyValueLexer(rest: text[...].unicodeScalars)
    guard let words = lexer.words() else { return nil }
    var pairs: [SettingValue.KeyValue] = []
    for index in stride(from: 0, to: words.count, by: 4) {
      guard index + 2 < words.count, words[index + 1] == "=" else { return nil }
      let pair = SettingValue.KeyValue(key: words[index], value: unquoted(words[index + 2]))
      pairs.removeAll { $0.key == pair.key }
      pairs.append(pair)
    }
    return pairs
  }

  /// Without quotes at both ends, whichever and however many.
  private static func unquoted(_ word: String) -> String {
    var rest = word.unicodeScalars[...]
    while let first = rest.first, first == "\"" || first == "'" { rest.removeFirst() }
    while let last = rest.last, last == "\"" || last == "'" { rest.removeLast() }
    return String(rest)
  }

  private mutating func words() -> [String]? {
    var words: [String] = []
    while let first = rest.popFirst() {
      switch first {
      case " ", "\t", "\r", "\n": continue
      case "#": skipLine()
      case "\"", "'":
        guard let end = rest.firstIndex(of: first) else { return nil }
        words.append(String(first) + String(rest[...end]))
        rest = rest[rest.index(after: end)...]
      case _ where Self.isWord(first): words.append(word(from: first))
      default: words.append(String(first))
      }
    }
    return words
  }

  private mutating func word(from first: Unicode.Scalar) -> String {
    var word = String.UnicodeScalarView([first])
    while let next = rest.first {
      if next == "#" {
        skipLine()
        continue
      }
      guard Self.isWord(next) || next == "\"" || next == "'" else { break }
      word.append(next)
      rest.removeFirst()
    }
    return String(word)
  }

  private mutating func skipLine() {
    guard let end = rest.firstIndex(of: "\n") else {
      rest = rest[rest.endIndex...]
      return
    }
    rest = rest[rest.index(after: end)...]
  }

  private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "_", "/", ".", "+", "-", "(", ")", ":": true
    default: false
    }
  }
}
