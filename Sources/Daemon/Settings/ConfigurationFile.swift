/// A configuration file of supervisord's dialect: sections, keys, where each stands, nothing interpreted.
///
/// The dialect is that of Python's `RawConfigParser` as supervisord 4.2 sets it up: `key = value` or `key: value`, keys
/// without regard to case, comments by `;` and `#` on lines of their own or after a blank, values that go on on
/// indented lines, `[include] files =` with patterns, `%(here)s` for the directory of the file. Stricter than it in
/// one point: a section or key that appears twice is a mistake.
public struct ConfigurationFile: Sendable {
  /// One key with its value.
  public struct Entry: Hashable, Sendable {
    /// The key, in lower case.
    public let key: String
    /// The value, `%(here)s` replaced, other expansions not; lines joined by newlines.
    public let value: String
    /// The file that it stands in.
    public let file: String
    /// The line of the key, from 1.
    public let line: Int
  }

  /// One section with its keys in the order of the file.
  public struct Section: Hashable, Sendable {
    /// The name between the brackets.
    public let name: String
    /// The file that it stands in.
    public let file: String
    /// The line of its head, from 1.
    public let line: Int
    /// The directory of that file, absolute.
    public let directory: String
    /// Its keys.
    public fileprivate(set) var entries: [Entry]

    init(name: String, file: String, line: Int, directory: String) {
      self.name = name
      self.file = file
      self.line = line
      self.directory = directory
      entries = []
    }

    /// A section without keys, as if it stood in a file that does not hold it.
    public init(emptySection name: String, of file: ConfigurationFile) {
      self.init(name: name, file: file.path, line: 0, directory: file.directory)
    }

    /// The entry of a key.
    public func entry(_ key: String) -> Entry? { entries.first { $0.key == key } }

    /// A mistake in this section as a whole.
    public func error(_ problem: String) -> ConfigurationError {
      ConfigurationError(file: file, line: line, section: name, problem: problem)
    }

    /// A mistake in one of its entries.
    public func error(_ entry: Entry, _ problem: String) -> ConfigurationError {
      ConfigurationError(file: entry.file, line: entry.line, section: name, key: entry.key, problem: problem)
    }
  }

  /// How large a file may be, in bytes.
  public static let sizeMax = 4 << 20

  /// The path of the main file, as it was given.
  public let path: String
  /// The directory of the main file, absolute: what `%(here)s` stands for in it.
  public let directory: String
  /// All sections, those of included files last.
  public private(set) var sections: [Section] = []
  /// What was wrong with the form of the file: lines that are none, duplicates, files that could not be read.
  public private(set) var errors: [ConfigurationError] = []

  /// Reads a file and what it includes.
  /// - Parameters:
  ///   - path: the main file.
  ///   - environment: for `%(ENV_X)s` in `[include] files`.
  public init(path: String, environment: [String: String]) {
    self.path = path
    directory = FilePaths.directory(of: FilePaths.absolute(path))
    guard let text = read(path, line: 0) else { return }
    parse(text, file: path, directory: directory)
    include(environment: environment)
  }

  /// Reads text instead of a file; includes are left alone.
  /// - Parameters:
  ///   - text: what would stand in the file.
  ///   - path: how the file is called in errors.
  ///   - directory: what `%(here)s` stands for.
  public init(text: String, path: String, directory: String) {
    self.path = path
    self.directory = directory
    parse(text, file: path, directory: directory)
  }

  /// The section of a name.
  public func section(_ name: String) -> Section? { sections.first { $0.name == name } }

  private mutating func read(_ path: String, line: Int) -> String? {
    do {
      let bytes = try readFile(path, sizeMax: Self.sizeMax)
      if let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) { return text }
      errors.append(ConfigurationError(file: path, problem: "expected UTF-8 text, found other bytes"))
    } catch {
      errors.append(ConfigurationError(file: path, problem: "could not be read: \(error)"))
    }
    return nil
  }

  private mutating func include(environment: [String: String]) {
    guard let section = section("include") else { return }
    guard let entry = section.entry("files") else {
      errors.append(section.error("expected a key \"files\""))
      return
    }
    let names = Expansion.names(environment: environment)
    let patterns: String
    do throws(Expansion.Failure) {
      patterns = try Expansion.expand(entry.value, names: names)
    } catch {
      errors.append(section.error(entry, error.description))
      return
    }
    for pattern in patterns.split(whereSeparator: \.isWhitespace) {
      let full = FilePaths.absolute(String(pattern), relativeTo: directory)
      for file in FilePaths.matching(pattern: full) {
        guard let text = read(file, line: entry.line) else { continue }
        parse(text, file: file, directory: FilePaths.directory(of: file))
      }
    }
  }

  private mutating func parse(_ text: String, file: String, directory: String) {
    var parser = ConfigurationParser(file: file, directory: directory)
    var number = 0
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      number += 1
      parser.take(line: line, number: number)
    }
    parser.endEntry()
    errors += parser.errors
    for section in parser.sections {
      if let first = self.section(section.name) {
        errors.append(section.error("expected each section once, found it also at \(first.file):\(first.line)"))
      } else {
        sections.append(section)
      }
    }
  }
}

/// Takes the lines of one file.
private struct ConfigurationParser {
  let file: String
  let directory: String
  var sections: [ConfigurationFile.Section] = []
  var errors: [ConfigurationError] = []
  private var key: String?
  private var lines: [Substring] = []
  private var keyLine = 0
  private var indent = 0

  init(file: String, directory: String) {
    self.file = file
    self.directory = directory
  }

  mutating func take(line whole: Substring, number: Int) {
    let (line, hadComment) = Self.withoutComment(whole)
    let value = line.trimmed
    guard !value.isEmpty else {
      if !hadComment, key != nil { lines.append("") }
      return
    }
    let depth = line.prefix { $0.isWhitespace }.count
    if key != nil, depth > indent {
      lines.append(value)
      return
    }
    indent = depth
    endEntry()
    if value.first == "[" {
      takeHead(value, number: number)
    } else {
      takeKey(value, number: number)
    }
  }

  mutating func endEntry() {
    guard let key, !sections.isEmpty else { return }
    while lines.last?.isEmpty == true { lines.removeLast() }
    let value = lines.joined(separator: "\n").replacing("%(here)s", with: directory)
    sections[sections.count - 1].entries.append(
      ConfigurationFile.Entry(key: key, value: value, file: file, line: keyLine))
    self.key = nil
    lines = []
  }

  private mutating func takeHead(_ value: Substring, number: Int) {
    let name = value.dropFirst().dropLast().trimmed
    guard value.last == "]", !name.isEmpty else {
      fail(number, "expected a section such as [name], found \(jsonQuoted(String(value)))")
      return
    }
    sections.append(
      ConfigurationFile.Section(
        name: String(name), file: file, line: number, directory: directory))
  }

  private mutating func takeKey(_ value: Substring, number: Int) {
    guard let delimiter = value.firstIndex(where: { $0 == "=" || $0 == ":" }) else {
      fail(number, "expected \"key = value\", found \(jsonQuoted(String(value)))")
      return
    }
    let name = value[..<delimiter].trimmed.lowercased()
    guard !name.isEmpty else {
      fail(number, "expected a key before \"\(value[delimiter])\"")
      return
    }
    guard let section = sections.last else {
      fail(number, "expected a section before the first key \(jsonQuoted(name))")
      return
    }
    if let first = section.entry(name) {
      errors.append(
        ConfigurationError(
          file: file, line: number, section: section.name, key: name,
          problem: "expected each key once, found it also in line \(first.line)"))
      return
    }
    key = name
    keyLine = number
    lines = [value[value.index(after: delimiter)...].trimmed]
  }

  private mutating func fail(_ line: Int, _ problem: String) {
    errors.append(
      ConfigurationError(file: file, line: line, section: sections.last?.name ?? "", problem: problem))
  }

  /// A comment begins at a `;` or `#` that stands first or after a blank.
  private static func withoutComment(_ line: Substring) -> (Substring, hadComment: Bool) {
    var previousIsBlank = true
    for index in line.indices {
      let character = line[index]
      if previousIsBlank, character == ";" || character == "#" { return (line[..<index], true) }
      previousIsBlank = character.isWhitespace
    }
    return (line, false)
  }
}

extension Substring {
  /// The text without blanks at both ends.
  var trimmed: Substring {
    var result = drop { $0.isWhitespace }
    while result.last?.isWhitespace == true { result.removeLast() }
    return result
  }
}
