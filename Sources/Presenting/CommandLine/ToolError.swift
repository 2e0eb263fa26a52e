public import Daemon

/// Why a command of the tool could not do its work.
public struct ToolError: ExitStatusError, Hashable, CustomStringConvertible {
  /// What to exit with.
  public let exitStatus: ExitStatus
  /// One line for people.
  public let description: String

  /// An error by its parts.
  public init(_ exitStatus: ExitStatus, _ description: String) {
    self.exitStatus = exitStatus
    self.description = description
  }

  static func usage(_ text: String) -> ToolError { ToolError(.usage, text + "; see `bulkhead help`") }

  static func nothingRuns(_ runDirectory: String) -> ToolError {
    ToolError(.failed, "nothing is running in \(runDirectory); `bulkhead run` starts it")
  }
}
