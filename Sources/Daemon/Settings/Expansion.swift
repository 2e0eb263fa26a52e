/// Replaces `%(name)s` and its relatives in a value, as supervisord does by Python's `%` operator.
///
/// `%(name)s` inserts a text or a number, `%(name)d` and `%(name)02d` a number alone, `%(name)x` and `%(name)o` the same
/// in base 16 and 8; `%%` is a percent sign. Anything else after a percent sign is a mistake.
public enum Expansion {
  /// Why a value could not be expanded.
  public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was expected, and what was found.
    public let description: String
  }

  /// What can be inserted.
  public struct Names: Sendable {
    /// By `ENV_X`, for each variable X.
    public var variables: [String: String]
    /// Texts by their names.
    public var texts: [String: String]
    /// Numbers by their names.
    public var numbers: [String: Int]

    /// Names by their kinds.
    public init(variables: [String: String] = [:], texts: [String: String] = [:], numbers: [String: Int] = [:]) {
      self.variables = variables
      self.texts = texts
      self.numbers = numbers
    }

    fileprivate enum Value {
      case text(String)
      case number(Int)
    }

    fileprivate func value(_ name: String) -> Value? {
      if name.hasPrefix("ENV_") { return variables[String(name.dropFirst(4))].map { .text($0) } }
      return texts[name].map { .text($0) } ?? numbers[name].map { .number($0) }
    }
  }

  /// How wide a number or text may be made.
  private static let widthMax = 64

  /// Replaces every expansion.
  /// - Parameters:
  ///   - text: the value as it stands in the file.
  ///   - names: what can be inserted.
  /// - Returns: the text without percent signs of that meaning.
  /// - Throws: `Failure` for a name that is not there, or a form that is none.
  public static func expand(_ text: String, names: Names) throws(Failure) -> String {
    guard text.utf8.contains(0x25) else { return text }
    var result = ""
    var rest = text[...]
    while let percent = rest.utf8.firstIndex(of: 0x25) {
      result += rest[..<percent]
      rest = rest[rest.utf8.index(after: percent)...]
      if rest.utf8.first == 0x25 {
        result += "%"
        rest = rest[rest.utf8.index(after: rest.startIndex)...]
        continue
      }
      guard rest.utf8.first == 0x28, let close = rest.utf8.firstIndex(of: 0x29) else {
        throw Failure(description: "expected %(name)s or %% after a percent sign, found \(jsonQuoted(text))")
      }
      let name = String(rest[rest.utf8.index(after: rest.startIndex)..<close])
      guard let value = names.value(name) else { throw unknown(name, among: names) }
      rest = rest[rest.utf8.index(after: close)...]
      result += try formatted(value, name: name, format: &rest)
    }
    return result + rest
  }

  private static func unknown(_ name: String, among names: Names) -> Failure {
    if name.hasPrefix("ENV_") {
      return Failure(description: "expected the environment variable \(name.dropFirst(4)), which is not set")
    }
    let known = (Array(names.texts.keys) + Array(names.numbers.keys)).sorted().joined(separator: ", ")
    return Failure(description: "expected one of %(…)s: \(known) or ENV_NAME, found \(jsonQuoted(name))")
  }

  /// What stands between the name and the letter: flags, then a width.
  private struct Format {
    var padsWithZeros = false
    var isLeft = false
    var sign = ""
    var width = 0

    init?(_ text: Substring.UTF8View) {
      var rest = text
      while let flag = rest.first, [0x30, 0x2D, 0x20, 0x2B].contains(flag) {
        if flag == 0x30 { padsWithZeros = true }
        if flag == 0x2D { isLeft = true }
        if flag == 0x2B { sign = "+" }
        if flag == 0x20, sign.isEmpty { sign = " " }
        rest = rest.dropFirst()
      }
      if rest.isEmpty { return }
      guard rest.count <= 2, let width = Int(String(Substring(rest))), width <= Expansion.widthMax else { return nil }
      self.width = width
    }

    func padded(_ text: String, sign: String = "", isNumber: Bool = false) -> String {
      let missing = max(0, width - text.unicodeScalars.count - sign.count)
      if isLeft { return sign + text + String(repeating: " ", count: missing) }
      if isNumber, padsWithZeros { return sign + String(repeating: "0", count: missing) + text }
      return String(repeating: " ", count: missing) + sign + text
    }
  }

  private static func formatted(
    _ value: Names.Value, name: String, format rest: inout Substring
  ) throws(Failure) -> String {
    let flags = rest.utf8.prefix { ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x2D || $0 == 0x2B || $0 == 0x20 }
    rest = rest[flags.endIndex...]
    let conversion = rest.unicodeScalars.popFirst()
    guard let format = Format(flags) else {
      throw Failure(description: "expected a width up to \(widthMax) in %(\(name))…, found \(Substring(flags))")
    }
    switch (conversion, value) {
    case ("s", .text(let text)): return format.padded(text)
    case ("s", .number(let number)): return format.padded(String(number))
    case ("d", .number(let number)), ("i", .number(let number)), ("u", .number(let number)):
      return digits(number, radix: 10, format)
    case ("x", .number(let number)): return digits(number, radix: 16, format)
    case ("o", .number(let number)): return digits(number, radix: 8, format)
    case ("d", .text(let text)):
      throw Failure(description: "expected a whole number for %(\(name))d, found \(jsonQuoted(text))")
    default: throw Failure(description: "expected s or d after %(\(name))")
    }
  }

  private static func digits(_ number: Int, radix: Int, _ format: Format) -> String {
    let sign = number < 0 ? "-" : format.sign
    return format.padded(String(number.magnitude, radix: radix), sign: sign, isNumber: true)
  }
}
