/// Why a program cannot be run; its description is in supervisord's words.
public struct ExecutableProblem: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kinds.
  public enum Kind: Hashable, Sendable {
    /// It is not there.
    case notFound
    /// A directory has its name.
    case directory
    /// It is not executable by anybody.
    case notExecutable
    /// It is not executable by the supervisor.
    case notPermitted
  }

  /// What is wrong.
  public let kind: Kind
  /// The path, or the name where no directory of `PATH` has it.
  public let path: String

  /// As supervisord says it.
  public var description: String {
    switch kind {
    case .notFound: "can't find command '\(path)'"
    case .directory: "command at '\(path)' is a directory"
    case .notExecutable: "command at '\(path)' is not executable"
    case .notPermitted: "no permission to run command '\(path)'"
    }
  }
}

extension ProcessSpecification {
  /// Looks the program up as it is now: it may have come, gone or changed since the configuration was read.
  /// - Returns: its path.
  /// - Throws: `ExecutableProblem` where it cannot be run.
  public func findExecutable() throws(ExecutableProblem) -> String {
    try SystemLookup.program(arguments.first ?? "", searchPath: environment["PATH"] ?? Surroundings.searchPath)
  }
}
