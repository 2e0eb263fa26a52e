internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// What is written: the supervisor's own log, and files that nobody named.
extension Supervisor {
  /// From now on the pump writes what the supervisor has to say.
  func startOwnLog() {
    let daemon = configuration.daemon
    if let level = daemon.level { Log.setLevel(level) }
    let output = daemon.ownLog(runDirectory: configuration.runDirectory)
    pump.add(OwnLog(output: output, usesStandardError: !daemon.isSilent))
  }

  /// Writes everything that waits to be written, and ends the pump; what is said after that goes to standard error.
  func endLogs() { pump.end(limitMilliseconds: 2000) }

  /// Removes the logs of earlier runs whose names nobody chose, where those runs came to an orderly end.
  func removeAutomaticLogs() {
    let run = configuration.runDirectory
    guard !configuration.daemon.keepsOldLogs,
      !configuration.processes.contains(where: { ProcessStreams.arePresent($0, runDirectory: run) })
    else { return }
    for specification in configuration.processes {
      for output in [specification.output, specification.errorOutput] where output.isAutomatic {
        guard let file = output.file else { continue }
        unlink(file)
        for number in 1...max(1, output.backups) where unlink("\(file).\(number)") != 0 { break }
      }
    }
  }
}
