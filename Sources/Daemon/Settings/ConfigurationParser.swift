/// Takes the lines of one file, as Python's `RawConfigParser` does.
///
/// It works on bytes, in one pass; text is made of keys and values alone.
struct ConfigurationParser {
  /// How many mistakes of one file are told; what is no configuration at all has one in every line.
  static let errorsMax = 100

  let file: String
  let directory: String
  private(set) var sections: [ConfigurationFile.Section] = []
  private(set) var errors: [ConfigurationError] = []
  private var key: String?
  private var keyLine = 0
  private var lines: [UnsafeBufferPointer<UInt8>] = []
  private var indent = 0

  init(file: String, directory: String) {
    self.file = file
    self.directory = directory
  }

  /// Reads a whole file of UTF-8; lines end with a line feed, a carriage return, or both.
  mutating func parse(_ bytes: UnsafeBufferPointer<UInt8>) {
    var number = 0
    var start = 0
    while start < bytes.count {
      var end = start
      var hasMark = false
      while end < bytes.count, bytes[end] != .lineFeed, bytes[end] != .carriageReturn {
        if bytes[end] == .semicolon || bytes[end] == .hash { hasMark = true }
        end += 1
      }
      number += 1
      let line = UnsafeBufferPointer(rebasing: bytes[start..<end])
      take(line, end: hasMark ? Self.commentStart(line) : nil, number: number)
      if end + 1 < bytes.count, bytes[end] == .carriageReturn, bytes[end + 1] == .lineFeed { end += 1 }
      start = end + 1
    }
    endEntry()
  }

  private mutating func take(_ line: UnsafeBufferPointer<UInt8>, end: Int?, number: Int) {
    let value = UnsafeBufferPointer(rebasing: line[..<(end ?? line.count)]).trimmed
    guard let first = value.first else {
      if end == nil, key != nil { lines.append(value) }
      return
    }
    let depth = line.leadingBlanks
    if key != nil, depth > indent {
      lines.append(value)
      return
    }
    indent = depth
    if first == .openingBracket, let close = value.lastIndex(of: .closingBracket), close > 1 {
      endEntry()
      let name = UnsafeBufferPointer(rebasing: value[1..<close])
      sections.append(
        ConfigurationFile.Section(name: name.text, file: file, line: number, directory: directory))
    } else {
      takeKey(value, number: number)
    }
  }

  private mutating func takeKey(_ value: UnsafeBufferPointer<UInt8>, number: Int) {
    endEntry()
    guard let delimiter = value.firstIndex(where: { $0 == .equals || $0 == .colon }) else {
      if value.first == .openingBracket {
        return fail(number, "expected a section such as [name], found \(jsonQuoted(value.text))")
      }
      return fail(number, "expected \"key = value\", found \(jsonQuoted(value.text))")
    }
    let name = UnsafeBufferPointer(rebasing: value[..<delimiter]).trimmed
    guard !name.isEmpty else {
      return fail(number, "expected a key before \"\(value[delimiter] == .equals ? "=" : ":")\"")
    }
    guard !sections.isEmpty else {
      return fail(number, "expected a section before the first key \(jsonQuoted(name.text))")
    }
    key = name.contains { ($0 >= 0x41 && $0 <= 0x5A) || $0 >= 0x80 } ? name.text.lowercased() : name.text
    keyLine = number
    lines.append(UnsafeBufferPointer(rebasing: value[(delimiter + 1)...]).trimmed)
  }

  private mutating func endEntry() {
    guard let name = key else { return }
    while lines.last?.isEmpty == true { lines.removeLast() }
    let value = lines.count == 1 ? lines[0].text : lines.map(\.text).joined(separator: "\n")
    sections[sections.count - 1].entries.append(
      ConfigurationFile.Entry(key: name, value: value, file: file, line: keyLine, directory: directory))
    key = nil
    lines.removeAll(keepingCapacity: true)
  }

  private mutating func fail(_ line: Int, _ problem: String) {
    guard errors.count < Self.errorsMax else { return }
    errors.append(ConfigurationError(file: file, line: line, section: sections.last?.name ?? "", problem: problem))
  }

  /// Where the comment of a line begins: at a `;` or `#` that stands first or after a blank.
  ///
  /// Python looks at the first `;` and the first `#`, then at the second ones, and so on, and takes the leftmost of the
  /// first round in which one counts; so it is done here, too.
  private static func commentStart(_ line: UnsafeBufferPointer<UInt8>) -> Int? {
    var semicolon = line.firstIndex(of: .semicolon)
    var hash = line.firstIndex(of: .hash)
    while semicolon != nil || hash != nil {
      let found = [semicolon, hash].compactMap(\.self).filter { line.isBlank(before: $0) }.min()
      if let found { return found }
      semicolon = semicolon.flatMap { line[($0 + 1)...].firstIndex(of: .semicolon) }
      hash = hash.flatMap { line[($0 + 1)...].firstIndex(of: .hash) }
    }
    return nil
  }
}

extension UInt8 {
  fileprivate static let lineFeed: UInt8 = 0x0A
  fileprivate static let carriageReturn: UInt8 = 0x0D
  fileprivate static let hash: UInt8 = 0x23
  fileprivate static let colon: UInt8 = 0x3A
  fileprivate static let semicolon: UInt8 = 0x3B
  fileprivate static let equals: UInt8 = 0x3D
  fileprivate static let openingBracket: UInt8 = 0x5B
  fileprivate static let closingBracket: UInt8 = 0x5D

  /// The blanks of ASCII, the separators 0x1C to 0x1F among them.
  fileprivate var isBlank: Bool { self == 0x20 || (self >= 0x09 && self <= 0x0D) || (self >= 0x1C && self <= 0x1F) }
}

extension UnsafeBufferPointer<UInt8> {
  fileprivate var text: String { String(decoding: self, as: UTF8.self) }

  /// Without the blanks at both ends, those beyond ASCII among them.
  fileprivate var trimmed: UnsafeBufferPointer<UInt8> {
    let start = leadingBlanks
    var end = count
    while end > start {
      let length = blankLength(endingAt: end, from: start)
      if length == 0 { break }
      end -= length
    }
    return UnsafeBufferPointer(rebasing: self[start..<end])
  }

  /// How many bytes of blanks it begins with.
  fileprivate var leadingBlanks: Int {
    var start = 0
    while start < count {
      if self[start].isBlank {
        start += 1
        continue
      }
      guard self[start] >= 0xC2 else { break }
      let length = self[start] < 0xE0 ? 2 : 3
      guard start + length <= count, blankLength(endingAt: start + length, from: start) == length else { break }
      start += length
    }
    return start
  }

  /// Whether a place is the first one, or has a blank before it.
  fileprivate func isBlank(before index: Int) -> Bool { index == 0 || blankLength(endingAt: index, from: 0) > 0 }

  /// How many bytes the blank has that ends before a place; 0 where there is none.
  private func blankLength(endingAt end: Int, from start: Int) -> Int {
    guard end > start else { return 0 }
    let last = self[end - 1]
    if last < 0x80 { return last.isBlank ? 1 : 0 }
    if end - start >= 2, self[end - 2] == 0xC2 { return last == 0x85 || last == 0xA0 ? 2 : 0 }
    guard end - start >= 3 else { return 0 }
    switch (self[end - 3], self[end - 2], last) {
    case (0xE1, 0x9A, 0x80), (0xE2, 0x80, 0x80...0x8A), (0xE2, 0x80, 0xA8...0xA9), (0xE2, 0x80, 0xAF),
      (0xE2, 0x81, 0x9F), (0xE3, 0x80, 0x80):
      return 3
    default: return 0
    }
  }
}
