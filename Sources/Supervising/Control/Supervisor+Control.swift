internal import Daemon

/// What the control interface asks of the supervisor.
extension Supervisor {
  func clearMainLog() throws(ControlFault) {
    guard let mainLog else { throw ControlFault(.noFile) }
    do throws(SystemError) {
      try pump.clear([mainLog])
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
    emit(.remoteCommunication(type: type, data: data))
  }
}
