internal import Market

/// One setting: where it stands, what it may be, what it is when nobody says, and what it is for.
public final class SettingDefinition: Sendable {
  /// What a setting's text must be.
  public enum Kind: Hashable, Sendable {
    /// Any text.
    case text
    /// A whole number in a range.
    case integer(ClosedRange<Int>)
    /// `true`, `yes`, `on`, `1` or `false`, `no`, `off`, `0`.
    case boolean
    /// A decimal number in a range, in units of 10⁻⁸.
    case decimal(ClosedRange<Int64>)
    /// Texts, separated by commas.
    case list
    /// A path; a relative one starts from the directory of the configuration file.
    case path
    /// One of some words.
    case choice([String])
    /// A URL with one of some schemes.
    case url([String])
    /// A number of bytes, with `KB`, `MB` or `GB` where wanted.
    case byteSize
    /// An octal number.
    case octal
    /// A signal by name or number.
    case signal
    /// Whole numbers in a range, separated by commas.
    case integers(ClosedRange<Int>)
    /// `KEY="value",KEY2="value"`.
    case keyValues
  }

  /// The section; one that ends in `:` stands for all sections that begin with it.
  public let section: String
  /// The key, in lower case.
  public let key: String
  /// What its text must be.
  public let kind: Kind
  /// Its text when neither the file nor the environment says otherwise.
  public let defaultText: String
  /// What its number counts, such as `ms`; empty where it counts nothing.
  public let unit: String
  /// What it is for, in one line.
  public let meaning: String
  /// Variables that override it, after `BULKHEAD_SECTION_KEY`.
  public let environmentNames: [String]
  /// The variable that overrides it: `BULKHEAD_SECTION_KEY`.
  public let environmentName: String
  /// Whether its text may hold a password, so that it is shown to nobody.
  public let isSecret: Bool

  /// A setting by its parts.
  public init(
    _ section: String, _ key: String, _ kind: Kind, default defaultText: String, unit: String = "",
    _ meaning: String, environmentNames: [String] = [], isSecret: Bool = false
  ) {
    self.isSecret = isSecret
    self.section = section
    self.key = key
    self.kind = kind
    self.defaultText = defaultText
    self.unit = unit
    self.meaning = meaning
    self.environmentNames = environmentNames
    environmentName = String("BULKHEAD_\(section)_\(key)".uppercased().map { $0.isLetter || $0.isNumber ? $0 : "_" })
  }
}

extension SettingDefinition.Kind {
  /// A decimal range by its text, such as `.decimal(from: "0", to: "0.5")`.
  public static func decimal(from low: String, to high: String) -> Self {
    guard let low = try? Money(low), let high = try? Money(high) else {
      preconditionFailure("a schema's range is no number: \(low) to \(high)")
    }
    return .decimal(low.raw...high.raw)
  }

  /// What is expected, for an error.
  public var expectation: String {
    switch self {
    case .text: "a text"
    case .integer(let range) where range.upperBound == .max: "an integer of at least \(range.lowerBound)"
    case .integer(let range): "an integer from \(range.lowerBound) to \(range.upperBound)"
    case .boolean: "true or false"
    case .decimal(let range): "a number from \(Decimal.format(range.lowerBound)) to \(Decimal.format(range.upperBound))"
    case .list: "texts separated by commas"
    case .path: "a path"
    case .choice(let words): "one of " + words.joined(separator: ", ")
    case .url(let schemes): "a URL that begins with " + schemes.map { $0 + ":" }.joined(separator: " or ")
    case .byteSize: "a number of bytes such as 65536, 64KB, 50MB or 1GB"
    case .octal: "an octal number such as 022"
    case .signal: "a signal such as TERM or 15"
    case .integers(let range):
      "integers from \(range.lowerBound) to \(range.upperBound) separated by commas"
    case .keyValues: "KEY=\"value\" pairs separated by commas"
    }
  }
}

/// A setting's text, read.
public enum SettingValue: Hashable, Sendable {
  case text(String)
  case integer(Int)
  case boolean(Bool)
  case decimal(Int64)
  case list([String])
  case integers([Int])
  case keyValues([KeyValue])

  /// One pair of `.keyValues`.
  public struct KeyValue: Hashable, Sendable {
    /// The name.
    public let key: String
    /// The value, without quotes.
    public let value: String

    /// A pair by its parts.
    public init(key: String, value: String) {
      self.key = key
      self.value = value
    }
  }

  /// Reads a text; nil where it is not of that kind.
  /// - Parameters:
  ///   - text: with all expansions made.
  ///   - kind: what it must be.
  ///   - directory: where a relative path starts.
  public init?(_ text: String, kind: SettingDefinition.Kind, directory: String) {
    switch kind {
    case .text: self = .text(text)
    case .integer(let range):
      guard let value = Self.integer(text), range.contains(value) else { return nil }
      self = .integer(value)
    case .boolean:
      guard let value = Self.boolean(text) else { return nil }
      self = .boolean(value)
    case .decimal(let range):
      guard let value = try? Money(text), range.contains(value.raw) else { return nil }
      self = .decimal(value.raw)
    case .list: self = .list(Self.list(text))
    case .path:
      guard !text.isEmpty else { return nil }
      self = .text(FilePaths.absolute(text, relativeTo: directory))
    case .choice(let words):
      guard words.contains(text.lowercased()) else { return nil }
      self = .text(text.lowercased())
    case .url(let schemes):
      guard schemes.contains(where: { text.hasPrefix($0 + ":") }), !text.contains(where: \.isWhitespace) else {
        return nil
      }
      self = .text(text)
    case .byteSize:
      guard let value = Self.byteSize(text) else { return nil }
      self = .integer(value)
    case .octal:
      guard let value = Self.octal(text), (0...0o7777).contains(value) else { return nil }
      self = .integer(value)
    case .signal:
      guard let number = SignalNames.number(text) else { return nil }
      self = .integer(Int(number))
    case .integers(let range):
      let parts = text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false)
      let values = parts.map { Self.integer(String($0.trimmed)) }
      guard values.allSatisfy({ $0.map(range.contains) ?? false }) else { return nil }
      self = .integers(values.compactMap(\.self))
    case .keyValues:
      guard let pairs = KeyValueLexer.pairs(text) else { return nil }
      self = .keyValues(pairs)
    }
  }

  static func boolean(_ text: String) -> Bool? {
    switch text.lowercased() {
    case "true", "yes", "on", "1": true
    case "false", "no", "off", "0": false
    default: nil
    }
  }

  static func list(_ text: String) -> [String] {
    text.split(separator: ",").map { String($0.trimmed) }.filter { !$0.isEmpty }
  }

  /// A whole number as Python's `int` reads it: with a sign, and underscores between digits.
  static func integer(_ text: String) -> Int? { Int(text) ?? withoutUnderscores(text).flatMap { Int($0) } }

  /// The same in base 8, with or without `0o` before it.
  static func octal(_ text: String) -> Int? {
    guard let plain = text.utf8.contains(0x5F) ? withoutUnderscores(text) : text else { return nil }
    return Int(plain.lowercased().hasPrefix("0o") ? String(plain.dropFirst(2)) : plain, radix: 8)
  }

  private static func withoutUnderscores(_ text: String) -> String? {
    let parts = text.split(separator: "_", omittingEmptySubsequences: false)
    guard parts.count > 1, parts.allSatisfy({ $0.utf8.last.map(isDigit) == true }),
      parts.dropFirst().allSatisfy({ $0.utf8.first.map(isDigit) == true })
    else { return nil }
    return parts.joined()
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

  static func byteSize(_ text: String) -> Int? {
    let lower = text.lowercased()
    for (suffix, factor) in [("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30)] where lower.hasSuffix(suffix) {
      guard let count = integer(String(lower.dropLast(2)[...].trimmed)), count >= 0 else { return nil }
      let (bytes, overflow) = count.multipliedReportingOverflow(by: factor)
      return overflow ? nil : bytes
    }
    return integer(lower).flatMap { $0 >= 0 ? $0 : nil }
  }
}
