internal import Daemon

/// Reads the values of one section by the schema, and collects what is wrong with them.
struct SectionReader {
  let section: ConfigurationFile.Section
  let family: String
  /// What values may insert, beside `%(here)s`.
  var names: Expansion.Names
  private(set) var errors: [ConfigurationError] = []

  init(_ section: ConfigurationFile.Section, family: String, names: Expansion.Names) {
    self.section = section
    self.family = family
    self.names = names
  }

  /// Whether the key stands in the section.
  func has(_ key: String) -> Bool { section.entry(key) != nil }

  /// The value of a key as it stands there.
  func plainText(_ key: String) -> String? { section.entry(key)?.value }

  /// Adds a mistake at a key, or at the section where the key is not there; once.
  mutating func fail(_ key: String, _ problem: String) {
    let error = section.entry(key).map { section.error($0, problem) } ?? section.error("\(key): \(problem)")
    if !errors.contains(error) { errors.append(error) }
  }

  /// The value of a key; its default where it is absent, wrong, or cannot be expanded.
  mutating func value(_ key: String, default alternative: String? = nil) -> SettingValue {
    guard let definition = Schema.definition(family: family, key: key) else {
      preconditionFailure("no such key in the schema: [\(family)] \(key)")
    }
    if let entry = section.entry(key), let text = expanded(entry, key) {
      if let value = SettingValue(text, kind: definition.kind, directory: entry.directory) { return value }
      fail(key, Settings.mistake(definition, found: text))
    }
    var text = alternative ?? definition.defaultText
    if text.utf8.contains(0x25) { text = (try? Expansion.expand(text, names: names)) ?? "" }
    // An empty default stands for "absent" where its kind is never empty.
    return SettingValue(text, kind: definition.kind, directory: section.directory) ?? .text(text)
  }

  private mutating func expanded(_ entry: ConfigurationFile.Entry, _ key: String) -> String? {
    expanded(entry.value, key, here: entry.directory)
  }

  /// Expands a text that stands at a key.
  private mutating func expanded(_ text: String, _ key: String, here: String) -> String? {
    guard text.utf8.contains(0x25) else { return text }
    names.texts["here"] = here
    do throws(Expansion.Failure) {
      return try Expansion.expand(text, names: names)
    } catch {
      fail(key, error.description)
      return nil
    }
  }

  /// A text that supervisord expands twice, so that a percent sign is `%%%%`.
  mutating func textExpandedTwice(_ key: String) -> String? {
    guard let entry = section.entry(key), let once = expanded(entry, key) else { return nil }
    return expanded(once, key, here: entry.directory)
  }

  mutating func text(_ key: String, default alternative: String? = nil) -> String {
    guard case .text(let value) = value(key, default: alternative) else { return "" }
    return value
  }

  /// A text, or nil where it is absent or empty.
  mutating func optionalText(_ key: String) -> String? {
    let value = text(key)
    return value.isEmpty ? nil : value
  }

  mutating func integer(_ key: String, default alternative: String? = nil) -> Int {
    guard case .integer(let value) = value(key, default: alternative) else { return 0 }
    return value
  }

  /// A number of seconds or milliseconds, as nanoseconds.
  mutating func nanoseconds(_ key: String, default alternative: String? = nil) -> Int64 {
    Int64(integer(key, default: alternative)) * (key.hasSuffix("_ms") ? 1_000_000 : 1_000_000_000)
  }

  mutating func boolean(_ key: String, default alternative: String? = nil) -> Bool {
    guard case .boolean(let value) = value(key, default: alternative) else { return false }
    return value
  }

  mutating func list(_ key: String) -> [String] {
    guard case .list(let value) = value(key) else { return [] }
    return value
  }

  /// What stands between commas, without blanks at both ends, nothing left out: supervisord's lists.
  mutating func words(_ key: String) -> [String] {
    guard let text = optionalText(key) else { return [] }
    return text.split(separator: ",", omittingEmptySubsequences: false).map {
      String($0.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
  }

  mutating func integers(_ key: String) -> [Int] {
    guard case .integers(let value) = value(key) else { return [] }
    return value
  }

  mutating func keyValues(_ key: String) -> [SettingValue.KeyValue] {
    guard case .keyValues(let value) = value(key) else { return [] }
    return value
  }

  /// The same from a text that supervisord expands twice.
  mutating func keyValuesExpandedTwice(_ key: String) -> [SettingValue.KeyValue] {
    guard let text = textExpandedTwice(key) else { return [] }
    if case .keyValues(let pairs) = SettingValue(text, kind: .keyValues, directory: "/") { return pairs }
    fail(key, "expected KEY=\"value\" pairs separated by commas, found \(jsonQuoted(text))")
    return []
  }

  /// A path; relative ones start from the working directory, as supervisord's do.
  mutating func path(_ key: String) -> String? { optionalText(key).map { FilePaths.absolute(SystemLookup.atHome($0)) } }
}
