/// Replaces `%(name)s` and its relatives in a value, as supervisord does by Python's `%` operator.
///
/// `%(name)s` inserts the text, `%(name)d` a whole number, `%(name)02d` one padded to a width; `%%` is a percent sign.
/// Anything else after a percent sign is a mistake.
public enum Expansion {
  /// Why a value could not be expanded.
  public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was expected, and what was found.
    public let description: String
  }

  /// The names that the environment provides: `ENV_X` for each variable X.
  public static func names(environment: [String: String]) -> [String: String] {
    var names: [String: String] = [:]
    for (name, value) in environment { names["ENV_" + name] = value }
    return names
  }

  /// Replaces every expansion.
  /// - Parameters:
  ///   - text: the value as it stands in the file.
  ///   - names: what can be inserted.
  /// - Returns: the text without percent signs of that meaning.
  /// - Throws: `Failure` for a name that is not there, or a form that is none.
  public static func expand(_ text: String, names: [String: String]) throws(Failure) -> String {
    guard text.utf8.contains(0x25) else { return text }
    var result = ""
    var rest = text[...]
    while let percent = rest.firstIndex(of: "%") {
      result += rest[..<percent]
      rest = rest[rest.index(after: percent)...]
      if rest.first == "%" {
        result += "%"
        rest = rest.dropFirst()
        continue
      }
      guard rest.first == "(", let close = rest.firstIndex(of: ")") else {
        throw Failure(description: "expected %(name)s or %% after a percent sign, found \(jsonQuoted(text))")
      }
      let name = String(rest[rest.index(after: rest.startIndex)..<close])
      guard let value = names[name] else { throw unknown(name, among: names) }
      rest = rest[rest.index(after: close)...]
      result += try formatted(value, name: name, format: &rest)
    }
    return result + rest
  }

  private static func unknown(_ name: String, among names: [String: String]) -> Failure {
    if name.hasPrefix("ENV_") {
      return Failure(description: "expected the environment variable \(name.dropFirst(4)), which is not set")
    }
    let known = names.keys.filter { !$0.hasPrefix("ENV_") }.sorted().joined(separator: ", ")
    return Failure(description: "expected one of %(…)s: \(known) or ENV_NAME, found \(jsonQuoted(name))")
  }

  private static func formatted(
    _ value: String, name: String, format rest: inout Substring
  ) throws(Failure) -> String {
    let flagsAndWidth = rest.prefix { $0.isASCII && $0.isNumber }
    rest = rest.dropFirst(flagsAndWidth.count)
    let conversion = rest.popFirst()
    let padsZero = flagsAndWidth.first == "0"
    guard let width = flagsAndWidth.isEmpty ? 0 : Int(flagsAndWidth), width <= 64 else {
      throw Failure(description: "expected a width up to 64 in %(\(name))…, found \(flagsAndWidth)")
    }
    let missing = max(0, width - value.count)
    switch conversion {
    case "s": return String(repeating: " ", count: missing) + value
    case "d" where Int(value) != nil: return String(repeating: padsZero ? "0" : " ", count: missing) + value
    case "d": throw Failure(description: "expected a whole number for %(\(name))d, found \(jsonQuoted(value))")
    default: throw Failure(description: "expected s or d after %(\(name))")
    }
  }
}
