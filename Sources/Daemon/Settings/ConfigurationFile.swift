/// A configuration file of supervisord's dialect: sections, keys, where each stands, nothing interpreted.
///
/// The dialect is that of Python's `RawConfigParser` as supervisord 4.2 sets it up: `key = value` or `key: value`, keys
/// without regard to case, comments by `;` and `#` on lines of their own or after a blank, values that go on on
/// indented lines, `[include] files =` with patterns, `[DEFAULT]` for keys of all sections. A section that appears
/// again goes on, but that of a program only in another file; a key that appears again takes the place of the first one, which
/// is a warning.
public struct ConfigurationFile: Sendable {
  /// One key with its value.
  public struct Entry: Hashable, Sendable {
    /// The key, in lower case.
    public let key: String
    /// The value, nothing expanded; lines joined by newlines.
    public let value: String
    /// The file that it stands in.
    public let file: String
    /// The line of the key, from 1.
    public let line: Int
    /// The directory of that file, absolute: what `%(here)s` stands for.
    public let directory: String
  }

  /// One section with its keys in the order of the file.
  public struct Section: Hashable, Sendable {
    /// The name between the brackets.
    public let name: String
    /// The file that it stands in first.
    public let file: String
    /// The line of its head, from 1.
    public let line: Int
    /// The directory of that file, absolute.
    public let directory: String
    /// Its keys.
    public internal(set) var entries: [Entry]
    /// The keys of `[DEFAULT]`, which hold where it does not say otherwise.
    fileprivate var defaults: [Entry] = []

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
    public func entry(_ key: String) -> Entry? {
      entries.first { $0.key == key } ?? defaults.first { $0.key == key }
    }

    /// A mistake in this section as a whole.
    public func error(_ problem: String) -> ConfigurationError {
      ConfigurationError(file: file, line: line, section: name, problem: problem)
    }

    /// A mistake in one of its entries.
    public func error(_ entry: Entry, _ problem: String) -> ConfigurationError {
      ConfigurationError(file: entry.file, line: entry.line, section: name, key: entry.key, problem: problem)
    }
  }

  /// Where files come from.
  public struct Source: Sendable {
    /// The bytes of a file, by its absolute path.
    public let read: @Sendable (_ path: String) throws(SystemError) -> [UInt8]
    /// The paths that match a pattern, sorted.
    public let matching: @Sendable (_ pattern: String) -> [String]

    /// A source by its parts.
    public init(
      read: @escaping @Sendable (_ path: String) throws(SystemError) -> [UInt8],
      matching: @escaping @Sendable (_ pattern: String) -> [String]
    ) {
      self.read = read
      self.matching = matching
    }

    /// The file system.
    public static let disk = Source(
      read: { (path: String) throws(SystemError) -> [UInt8] in try readFile(path, sizeMax: sizeMax) },
      matching: { FilePaths.matching(pattern: $0) })
  }

  /// How large a file may be, in bytes.
  public static let sizeMax = 4 << 20

  /// The path of the main file, as it was given.
  public let path: String
  /// The directory of the main file, absolute: what `%(here)s` stands for in it.
  public let directory: String
  /// All sections, those of included files last.
  public private(set) var sections: [Section] = []
  /// What was wrong with the form of the file: lines that are none, files that could not be read.
  public private(set) var errors: [ConfigurationError] = []
  /// What is allowed, and may not be what was meant.
  public private(set) var warnings: [ConfigurationError] = []
  private var places: [String: Int] = [:]
  private var defaults: [Entry] = []

  /// Reads a file and what it includes.
  /// - Parameters:
  ///   - path: the main file.
  ///   - environment: for `%(ENV_X)s` in `[include] files`.
  ///   - hostName: for `%(host_node_name)s` there.
  ///   - source: where files come from.
  public init(
    path: String, environment: [String: String], hostName: String = "localhost", source: Source = .disk
  ) {
    self.path = path
    directory = FilePaths.directory(of: FilePaths.absolute(path))
    guard take(path, absolute: FilePaths.absolute(path)) else { return }
    include(environment: environment, hostName: hostName, source: source)
    finish()

    func take(_ name: String, absolute: String) -> Bool {
      do throws(SystemError) {
        return parse(try source.read(absolute), file: name, directory: directory)
      } catch {
        errors.append(ConfigurationError(file: name, problem: "could not be read: \(error)"))
        return false
      }
    }
  }

  /// Reads text instead of a file; includes are left alone.
  /// - Parameters:
  ///   - text: what would stand in the file.
  ///   - path: how the file is called in errors.
  ///   - directory: what `%(here)s` stands for.
  public init(text: String, path: String, directory: String) {
    self.path = path
    self.directory = directory
    parse(Array(text.utf8), file: path, directory: directory)
    finish()
  }

  /// The section of a name.
  public func section(_ name: String) -> Section? { places[name].map { sections[$0] } }

  /// What was read of every included file, with what it is to be called.
  private mutating func include(environment: [String: String], hostName: String, source: Source) {
    guard let section = section("include") else { return }
    guard let entry = section.entry("files") else {
      errors.append(section.error("expected a key \"files\""))
      return
    }
    let names = Expansion.Names(variables: environment, texts: ["here": entry.directory, "host_node_name": hostName])
    let patterns: String
    do throws(Expansion.Failure) {
      patterns = try Expansion.expand(entry.value, names: names)
    } catch {
      errors.append(section.error(entry, error.description))
      return
    }
    let count = section.entries.count
    for pattern in patterns.split(whereSeparator: \.isWhitespace) {
      let full = FilePaths.absolute(String(pattern), relativeTo: directory)
      let files = source.matching(full)
      if files.isEmpty { warnings.append(section.error(entry, "no file matches \(jsonQuoted(full))")) }
      for file in files {
        do throws(SystemError) {
          parse(try source.read(file), file: file, directory: FilePaths.directory(of: file))
        } catch {
          errors.append(ConfigurationError(file: file, problem: "could not be read: \(error)"))
        }
      }
    }
    if let late = self.section("include")?.entries, late.count > count || late != section.entries {
      for other in late where other.file != entry.file {
        warnings.append(section.error(other, "included files cannot include others: passed over"))
      }
    }
  }

  @discardableResult
  private mutating func parse(_ bytes: [UInt8], file: String, directory: String) -> Bool {
    guard !bytes.contains(0), String(validating: bytes, as: UTF8.self) != nil else {
      errors.append(ConfigurationError(file: file, problem: "expected UTF-8 text, found other bytes"))
      return false
    }
    var parser = ConfigurationParser(file: file, directory: directory)
    bytes.withUnsafeBufferPointer { parser.parse($0) }
    errors += parser.errors
    for section in parser.sections { merge(section) }
    return true
  }

  private mutating func merge(_ section: Section) {
    if section.name == "DEFAULT" {
      for entry in section.entries {
        defaults.removeAll { $0.key == entry.key }
        defaults.append(entry)
      }
      return
    }
    var place = places[section.name] ?? sections.count
    if place == sections.count {
      places[section.name] = place
      if Self.isUnique(section.entries) {
        sections.append(section)
        return
      }
      sections.append(Section(name: section.name, file: section.file, line: section.line, directory: section.directory))
      place = sections.count - 1
    } else if sections[place].file == section.file, Self.isProcess(section.name) {
      // supervisord mixes the two into one program that nobody wrote; in an included file it is meant.
      guard errors.count < ConfigurationParser.errorsMax else { return }
      let first = sections[place]
      errors.append(section.error("expected each program once, found it also at \(first.file):\(first.line)"))
      return
    }
    for entry in section.entries {
      let old = sections[place].entries.firstIndex { $0.key == entry.key }
      guard let old else {
        sections[place].entries.append(entry)
        continue
      }
      let first = sections[place].entries[old]
      if first.file != entry.file || first.line != entry.line, warnings.count < ConfigurationParser.errorsMax {
        warnings.append(section.error(entry, "takes the place of the one at \(first.file):\(first.line)"))
      }
      sections[place].entries[old] = entry
    }
  }

  private static func isProcess(_ section: String) -> Bool {
    ["program:", "eventlistener:", "fcgi-program:"].contains { section.hasPrefix($0) }
  }

  private static func isUnique(_ entries: [Entry]) -> Bool {
    for (index, entry) in entries.enumerated() where entries[..<index].contains(where: { $0.key == entry.key }) {
      return false
    }
    return true
  }

  private mutating func finish() {
    guard !defaults.isEmpty else { return }
    for index in sections.indices { sections[index].defaults = defaults }
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
