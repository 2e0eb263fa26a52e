/// Takes a command apart as a POSIX shell would, without expanding anything.
///
/// Words are separated by blanks; single quotes keep all, double quotes keep all but `\"` and `\\`, a backslash keeps
/// the next character.
/// - Parameter text: the command.
/// - Returns: its words, or nil where a quote or an escape is not ended.
func splitCommand(_ text: String) -> [String]? {
  var words: [String] = []
  var word: String?
  var rest = text[...]
  while let character = rest.popFirst() {
    switch character {
    case "'":
      guard let end = rest.firstIndex(of: "'") else { return nil }
      word = (word ?? "") + rest[..<end]
      rest = rest[rest.index(after: end)...]
    case "\"":
      guard let quoted = takeQuoted(&rest) else { return nil }
      word = (word ?? "") + quoted
    case "\\":
      guard let next = rest.popFirst() else { return nil }
      word = (word ?? "") + String(next)
    case _ where character.isWhitespace:
      if let finished = word { words.append(finished) }
      word = nil
    default:
      word = (word ?? "") + String(character)
    }
  }
  if let finished = word { words.append(finished) }
  return words
}

private func takeQuoted(_ rest: inout Substring) -> String? {
  var result = ""
  while let character = rest.popFirst() {
    switch character {
    case "\"": return result
    case "\\":
      guard let next = rest.popFirst() else { return nil }
      if next != "\"", next != "\\" { result += "\\" }
      result += String(next)
    default: result += String(character)
    }
  }
  return nil
}
