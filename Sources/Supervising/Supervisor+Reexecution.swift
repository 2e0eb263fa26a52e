internal import CLinux
public import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// How a supervisor gives its place to its next image, with the same pid.
extension Supervisor {
  /// Reads the configuration anew and executes the program again, at the end of this turn of the loop.
  ///
  /// The processes do not notice: the next image adopts them, starts what is new, stops what is gone, and starts anew
  /// what has changed. A configuration with mistakes changes nothing.
  /// - Returns: the mistakes; empty where it will be done.
  @discardableResult
  public func reexecute() -> [ConfigurationError] {
    guard !table.isShuttingDown else { return [] }
    let errors = SupervisorConfiguration.read(path: configuration.path, environment: environment, counts: scales).errors
    guard errors.isEmpty else {
      for error in errors { Log.error("\(error)") }
      Log.error("the new configuration is wrong, everything goes on as it was")
      return errors
    }
    guard access(launch.executable, X_OK) == 0 else {
      let error = SystemError.last("access \(launch.executable)")
      Log.error("supervisor cannot be executed again, everything goes on as it was", ["error": "\(error)"])
      return [ConfigurationError(file: launch.executable, problem: "\(error)")]
    }
    isReexecutionWanted = true
    isRestarting = true
    return []
  }

  func reexecuteNow() {
    isReexecutionWanted = false
    guard !table.isShuttingDown else {
      isRestarting = false
      return
    }
    answerBeforeReexecution()
    Log.info("supervisor executes itself again", ["executable": launch.executable])
    endLogs()
    isStateChanged = true
    saveState()
    var arguments = [launch.executable, "--lock", "\(lock.descriptor)", "--notify", "\(notifySocket.descriptor)"]
    if let standIn = launch.standIn { arguments += ["--stand-in", "\(standIn)"] }
    let strings = CStringArray(arguments + launch.arguments)
    let variables = CStringArray(environment.map { "\($0.key)=\($0.value)" })
    let code = withExtendedLifetime((strings, variables)) {
      bh_reexecute(launch.executable, strings.pointer, variables.pointer, lock.descriptor, notifySocket.descriptor)
    }
    // Whoever takes over from the dead, or is started next, adopts everything.
    Log.error("supervisor ends", ["error": "\(SystemError("execve \(launch.executable)", code: code))"])
    ExitStatus.failed.exit()
  }

  /// Whoever asked hears it before the connections are gone.
  private func answerBeforeReexecution() {
    let limit = SystemClock.monotonicNanoseconds + 200_000_000
    while let control, control.connectionCount > 0, SystemClock.monotonicNanoseconds < limit {
      control.process()
      try? loop.process(timeoutMilliseconds: 5)
    }
  }
}
