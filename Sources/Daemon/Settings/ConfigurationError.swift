/// A mistake in the configuration, with its place and what should have stood there.
///
/// A process that meets one ends with `ExitStatus.misconfigured` and is not started again.
public struct ConfigurationError: ExitStatusError, Hashable, Sendable, CustomStringConvertible {
  /// The file as it was named, or `environment VARIABLE`.
  public let file: String
  /// The line, from 1; 0 where no line is to blame.
  public let line: Int
  /// The section's name; empty outside of any.
  public let section: String
  /// The key; empty where the section as a whole is wrong.
  public let key: String
  /// What was expected, and what was found.
  public let problem: String

  /// Always `misconfigured`.
  public var exitStatus: ExitStatus { .misconfigured }

  /// A mistake by its place.
  public init(file: String, line: Int = 0, section: String = "", key: String = "", problem: String) {
    self.file = file
    self.line = line
    self.section = section
    self.key = key
    self.problem = problem
  }

  /// `supervisor.conf:12: [scanner] full_scan_s: expected an integer from 1 to 3600, found "abc"`.
  public var description: String {
    var text = file
    if line > 0 { text += ":\(line)" }
    text += ": "
    if !section.isEmpty { text += "[\(section)] " }
    if !key.isEmpty { text += "\(key): " }
    return text + problem
  }
}
