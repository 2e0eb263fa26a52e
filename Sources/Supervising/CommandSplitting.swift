/// Takes a command apart as Python's `shlex.split` does, which is as a POSIX shell does without expanding anything.
///
/// Words are separated by blanks, tabs and line ends; single quotes keep all, double quotes keep all but `\"` and `\\`,
/// a backslash keeps the next character.
/// - Parameter text: the command.
/// - Returns: its words, or nil where a quote or an escape is not ended.
func splitCommand(_ text: String) -> [String]? {
  var words: [String] = []
  var word: [UInt8]?
  var rest = Array(text.utf8)[...]
  while let byte = rest.popFirst() {
    switch byte {
    case UInt8(ascii: "'"):
      guard let end = rest.firstIndex(of: byte) else { return nil }
      word = (word ?? []) + rest[..<end]
      rest = rest[(end + 1)...]
    case UInt8(ascii: "\""):
      guard let quoted = takeQuoted(&rest) else { return nil }
      word = (word ?? []) + quoted
    case UInt8(ascii: "\\"):
      guard let next = rest.popFirst() else { return nil }
      word = (word ?? []) + [next]
    case 0x20, 0x09, 0x0A, 0x0D:
      if let finished = word { words.append(String(decoding: finished, as: UTF8.self)) }
      word = nil
    default:
      if word?.append(byte) == nil { word = [byte] }
    }
  }
  if let finished = word { words.append(String(decoding: finished, as: UTF8.self)) }
  return words
}

private func takeQuoted(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
  var result: [UInt8] = []
  while let byte = rest.popFirst() {
    switch byte {
    case UInt8(ascii: "\""): return result
    case UInt8(ascii: "\\"):
      guard let next = rest.popFirst() else { return nil }
      if next != UInt8(ascii: "\""), next != UInt8(ascii: "\\") { result.append(byte) }
      result.append(next)
    default: result.append(byte)
    }
  }
  return nil
}
