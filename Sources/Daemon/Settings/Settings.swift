/// The workers' settings: the configuration file, what the environment overrides, and the defaults.
///
/// Reading checks the whole file, so a process never starts on a half-understood one. A look-up of a key that is in no
/// schema is a mistake of the program, and traps.
public struct Settings: Sendable {
  /// One setting as it holds now.
  public struct Effective: Sendable {
    /// What it is.
    public let definition: SettingDefinition
    /// Its text, expanded.
    public let text: String
    /// Where the text came from: `default`, `environment NAME` or `FILE:LINE`.
    public let origin: String
    let value: SettingValue
  }

  /// The main file, absolute.
  public let path: String
  /// Those that are not their fixed defaults.
  private let values: [String: Effective]

  /// Reads a configuration.
  /// - Parameters:
  ///   - path: the file.
  ///   - environment: overrides, by `BULKHEAD_SECTION_KEY`, and what `%(ENV_X)s` inserts.
  /// - Returns: the settings.
  /// - Throws: `ConfigurationError`: the first mistake of the whole file.
  public static func load(path: String, environment: [String: String]) throws(ConfigurationError) -> Settings {
    let (settings, errors) = read(ConfigurationFile(path: path, environment: environment), environment: environment)
    if let first = errors.first { throw first }
    return settings
  }

  /// Reads a configuration that has been parsed.
  /// - Returns: the settings, the default standing wherever there was a mistake, and all mistakes in the order of
  ///   the file.
  public static func read(
    _ file: ConfigurationFile, environment: [String: String]
  ) -> (settings: Settings, errors: [ConfigurationError]) {
    var errors = file.errors
    for section in file.sections { check(section, into: &errors) }
    var values: [String: Effective] = [:]
    for definition in candidates(file, environment) where isOverridden(definition, file: file, environment: environment)
    {
      values[index(definition.section, definition.key)] = effective(
        definition, file: file, environment: environment, errors: &errors)
    }
    return (Settings(path: FilePaths.absolute(file.path), values: values), errors)
  }

  /// All settings in the order of the schema.
  public var all: [Effective] {
    Schema.workers.compactMap { definition in
      let index = Self.index(definition.section, definition.key)
      return values[index] ?? Self.fixedDefaults[index]
    }
  }

  /// A setting of kind text, choice or URL.
  public func text(_ section: String, _ key: String) -> String {
    guard case .text(let value) = look(section, key) else { mismatch(section, key, "text") }
    return value
  }

  /// A setting of kind integer or number of bytes.
  public func integer(_ section: String, _ key: String) -> Int {
    guard case .integer(let value) = look(section, key) else { mismatch(section, key, "integer") }
    return value
  }

  /// A setting of kind boolean.
  public func boolean(_ section: String, _ key: String) -> Bool {
    guard case .boolean(let value) = look(section, key) else { mismatch(section, key, "boolean") }
    return value
  }

  /// A setting of kind decimal, in units of 10⁻⁸.
  public func decimal(_ section: String, _ key: String) -> Int64 {
    guard case .decimal(let value) = look(section, key) else { mismatch(section, key, "decimal") }
    return value
  }

  /// A setting of kind list.
  public func list(_ section: String, _ key: String) -> [String] {
    guard case .list(let value) = look(section, key) else { mismatch(section, key, "list") }
    return value
  }

  /// A setting of kind path: absolute.
  public func path(_ section: String, _ key: String) -> String { text(section, key) }

  /// Refuses a database that this build cannot use; the text is not repeated, for it may hold a password.
  ///
  /// - Throws: `ConfigurationError` where `[bulkhead] database_url`, or `DATABASE_URL`, names one.
  public func checkDatabase() throws(ConfigurationError) {
    guard !text("bulkhead", "database_url").isEmpty else { return }
    let origin = all.first { $0.definition.key == "database_url" }?.origin ?? path
    throw ConfigurationError(
      file: origin, section: "bulkhead", key: "database_url",
      problem:
        "PostgreSQL is not supported by this build; leave it empty (unset DATABASE_URL) to use SQLite in data_dir")
  }

  private func look(_ section: String, _ key: String) -> SettingValue {
    let index = Self.index(section, key)
    guard let found = values[index] ?? Self.fixedDefaults[index] else {
      preconditionFailure("no such setting in the schema: [\(section)] \(key)")
    }
    return found.value
  }

  private func mismatch(_ section: String, _ key: String, _ wanted: String) -> Never {
    preconditionFailure("the schema does not make this a setting of kind \(wanted): [\(section)] \(key)")
  }

  /// The defaults that hold wherever the file is.
  private static let fixedDefaults: [String: Effective] = {
    var values: [String: Effective] = [:]
    for definition in Schema.workers where !dependsOnPlace(definition) {
      let value = SettingValue(definition.defaultText, kind: definition.kind, directory: "/")
      guard let value else { misdefined(definition) }
      values[index(definition.section, definition.key)] = Effective(
        definition: definition, text: definition.defaultText, origin: "default", value: value)
    }
    return values
  }()

  private static let placeDependent = Schema.workers.filter(dependsOnPlace)
  private static let variables = Set(Schema.workers.flatMap { [$0.environmentName] + $0.environmentNames })

  /// The settings that may be something else than their fixed defaults, in the order of the schema.
  private static func candidates(
    _ file: ConfigurationFile, _ environment: [String: String]
  ) -> [SettingDefinition] {
    if file.sections.contains(where: { Schema.isWorker(family: $0.name) })
      || environment.keys.contains(where: variables.contains)
    {
      return Schema.workers
    }
    return placeDependent
  }

  private static func dependsOnPlace(_ definition: SettingDefinition) -> Bool {
    definition.kind == .path || definition.defaultText.utf8.contains(0x25)
  }

  private static func misdefined(_ definition: SettingDefinition) -> Never {
    preconditionFailure("the schema's default is not of its kind: [\(definition.section)] \(definition.key)")
  }

  private static func isOverridden(
    _ definition: SettingDefinition, file: ConfigurationFile, environment: [String: String]
  ) -> Bool {
    dependsOnPlace(definition) || environment[definition.environmentName] != nil
      || definition.environmentNames.contains { environment[$0] != nil }
      || file.section(definition.section)?.entry(definition.key) != nil
  }

  private static func index(_ section: String, _ key: String) -> String { section + "\u{1F}" + key }

  /// Unknown keys; values of the supervisor's sections where no expansion is needed to read them.
  ///
  /// Sections that no family knows belong to others, as supervisord has it, but those that bear our name.
  private static func check(_ section: ConfigurationFile.Section, into errors: inout [ConfigurationError]) {
    guard let family = Schema.family(ofSection: section.name) else {
      if section.name.hasPrefix("bulkhead") {
        errors.append(section.error("expected a known section"))
      } else if Schema.isPrefix(section.name) {
        errors.append(section.error("expected a name after the colon"))
      }
      return
    }
    guard !Schema.openSections.contains(family) else { return }
    let supervision = Schema.isSupervision(family: family)
    for entry in section.entries {
      guard let definition = Schema.definition(family: family, key: entry.key) else {
        let known = Schema.keys(family: family).joined(separator: ", ")
        errors.append(section.error(entry, "unknown key; expected one of \(known)"))
        continue
      }
      guard supervision, !entry.value.contains("%") else { continue }
      if SettingValue(entry.value, kind: definition.kind, directory: entry.directory) == nil {
        errors.append(section.error(entry, mistake(definition, found: entry.value)))
      }
    }
  }

  /// What to say of a text that is not of its kind.
  public static func mistake(_ definition: SettingDefinition, found text: String) -> String {
    "expected \(definition.kind.expectation), found \(jsonQuoted(text))"
  }

  private static func effective(
    _ definition: SettingDefinition, file: ConfigurationFile, environment: [String: String],
    errors: inout [ConfigurationError]
  ) -> Effective {
    func names(_ directory: String) -> Expansion.Names {
      Expansion.Names(variables: environment, texts: ["here": directory])
    }
    func take(_ text: String, directory: String, place: ConfigurationError, origin: String) -> Effective? {
      func fail(_ problem: String) {
        errors.append(
          ConfigurationError(
            file: place.file, line: place.line, section: place.section, key: place.key, problem: problem))
      }
      do throws(Expansion.Failure) {
        let expanded = try Expansion.expand(text, names: names(directory))
        if let value = SettingValue(expanded, kind: definition.kind, directory: directory) {
          return Effective(definition: definition, text: expanded, origin: origin, value: value)
        }
        fail(mistake(definition, found: expanded))
      } catch {
        fail(error.description)
      }
      return nil
    }

    for name in [definition.environmentName] + definition.environmentNames {
      guard let text = environment[name] else { continue }
      // A percent sign in a variable is itself: nobody expands the environment a second time.
      let place = ConfigurationError(
        file: "environment \(name)", section: definition.section, key: definition.key, problem: "")
      let plain = text.replacing("%", with: "%%")
      if let found = take(plain, directory: file.directory, place: place, origin: "environment \(name)") {
        return found
      }
    }
    if let section = file.section(definition.section), let entry = section.entry(definition.key) {
      let found = take(
        entry.value, directory: entry.directory, place: section.error(entry, ""),
        origin: "\(entry.file):\(entry.line)")
      if let found { return found }
    }
    let place = ConfigurationError(
      file: "default", section: definition.section, key: definition.key, problem: "")
    guard let found = take(definition.defaultText, directory: file.directory, place: place, origin: "default") else {
      misdefined(definition)
    }
    return found
  }
}
