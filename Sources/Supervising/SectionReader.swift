internal import Daemon

/// Reads the values of one section by the schema, and collects what is wrong with them.
struct SectionReader {
  let section: ConfigurationFile.Section
  let family: String
  var names: [String: String]
  private(set) var errors: [ConfigurationError] = []

  init(_ section: ConfigurationFile.Section, family: String, names: [String: String]) {
    self.section = section
    self.family = family
    self.names = names
  }

  /// Whether the key stands in the section.
  func has(_ key: String) -> Bool { section.entry(key) != nil }

  /// Adds a mistake at a key, or at the section where the key is not there.
  mutating func fail(_ key: String, _ problem: String) {
    if let entry = section.entry(key) {
      errors.append(section.error(entry, problem))
    } else {
      errors.append(section.error("\(key): \(problem)"))
    }
  }

  /// The value of a key; its default where it is absent, wrong, or cannot be expanded.
  mutating func value(_ key: String, default alternative: String? = nil) -> SettingValue {
    guard let definition = Schema.definition(family: family, key: key) else {
      preconditionFailure("no such key in the schema: [\(family)] \(key)")
    }
    let directory = section.directory
    if let entry = section.entry(key), let text = expanded(entry.value, key) {
      if let value = SettingValue(text, kind: definition.kind, directory: directory) { return value }
      fail(key, Settings.mistake(definition, found: text))
    }
    let standard = alternative ?? definition.defaultText
    let text = expanded(standard, key) ?? ""
    // An empty default stands for "absent" where its kind is never empty.
    return SettingValue(text, kind: definition.kind, directory: directory) ?? .text(text)
  }

  private mutating func expanded(_ text: String, _ key: String) -> String? {
    do throws(Expansion.Failure) {
      return try Expansion.expand(text, names: names)
    } catch {
      fail(key, error.description)
      return nil
    }
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

  mutating func integers(_ key: String) -> [Int] {
    guard case .integers(let value) = value(key) else { return [] }
    return value
  }

  mutating func keyValues(_ key: String) -> [SettingValue.KeyValue] {
    guard case .keyValues(let value) = value(key) else { return [] }
    return value
  }

  /// A path; relative ones start from the working directory, as supervisord's do.
  mutating func path(_ key: String) -> String? { optionalText(key).map { FilePaths.absolute($0) } }
}
