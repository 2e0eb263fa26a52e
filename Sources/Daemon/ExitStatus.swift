#if canImport(Glibc)
  internal import Glibc
#endif

/// How a process ends, and what its supervisor makes of it.
public enum ExitStatus: Int32, Sendable {
  /// All is done; a restart depends on `autorestart`.
  case done = 0
  /// The work is done, but a part of what was given was refused, as the output says.
  case refused = 1
  /// The command line is wrong.
  case usage = 64
  /// The configuration is wrong: starting again would not help, so the supervisor does not.
  case misconfigured = 100
  /// Something around us failed for now: start again, with backoff.
  case failed = 111

  /// Ends the process with this status.
  ///
  /// What C++ libraries keep for good is not torn down: other threads may still be using it. The corresponding C function
  /// is `quick_exit`.
  public func exit() -> Never {
    #if canImport(Glibc)
      fflush(nil)
      quick_exit(rawValue)
    #endif
  }
}

/// An error that says how the process should end.
public protocol ExitStatusError: Error {
  /// What to exit with.
  var exitStatus: ExitStatus { get }
}

/// Runs a worker's `main`: an error that reaches the top is logged, and becomes the exit status.
///
/// - Parameter body: the worker; it returns when it was told to stop.
public func runProcess(_ body: () throws -> Void) -> Never {
  do {
    try body()
    ExitStatus.done.exit()
  } catch {
    let status = (error as? any ExitStatusError)?.exitStatus ?? .failed
    Log.error("process ends", ["exit_status": "\(status.rawValue)", "error": "\(error)"])
    status.exit()
  }
}
