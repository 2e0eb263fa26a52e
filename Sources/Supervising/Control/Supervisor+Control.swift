internal import Daemon

/// What the control interface asks of the supervisor.
extension Supervisor {
  /// The path of the supervisor's own log; nil where it has none.
  var mainLog: String? { mainLogFile?.path }

  /// Where the configuration wants the supervisor's own log as a file.
  static func mainLogPath(_ configuration: SupervisorConfiguration) -> String? {
    configuration.daemon.logFile.flatMap { $0.hasPrefix("/") && !$0.hasSuffix("/NONE") ? $0 : nil }
  }

  /// Opens the supervisor's own log, where the configuration has one.
  static func openMainLog(_ configuration: SupervisorConfiguration) -> MainLog? {
    guard let path = mainLogPath(configuration) else { return nil }
    let daemon = configuration.daemon
    let log = MainLog(path: path, sizeMax: daemon.logFileMax, backups: daemon.logFileBackups)
    Log.copy(to: { log.write($0) })
    return log
  }

  func clearMainLog() throws(ControlFault) {
    guard let mainLogFile else { throw ControlFault(.noFile) }
    do throws(SystemError) {
      try mainLogFile.clear()
    } catch {
      throw ControlFault(.failed)
    }
  }

  func clearLogs(of process: ProcessID) throws(SystemError) { try rowStates[process]?.streams.clearLogs() }

  /// Sees to it that what a process has said already stands in its log.
  func drainOutput(of process: ProcessID) { rowStates[process]?.streams.drain(limitMilliseconds: 50) }

  /// Sends bytes to the standard input of a process.
  func send(input bytes: [UInt8], to process: ProcessID, _ name: String) throws(ControlFault) {
    do throws(InputFailure) {
      try rowStates[process]?.streams.send(bytes)
    } catch {
      switch error {
      case .closed: throw ControlFault(.noFile, name)
      case .full: throw ControlFault(.failed, "\(name) does not read its standard input")
      case .failed(let failure): throw ControlFault(.failed, "\(failure)")
      }
    }
  }

  /// Tells event listeners what somebody sent.
  func announceRemote(type: String, data: String) {
    Log.info("remote communication", ["type": type, "bytes": "\(data.utf8.count)"])
  }
}
