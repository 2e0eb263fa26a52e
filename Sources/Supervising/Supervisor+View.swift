internal import Bus
internal import Daemon
internal import Market

/// What others see of the processes.
extension Supervisor {
  /// Polls the waiter after every change until it is done.
  func wait(_ waiter: Waiter) {
    if !waiter.poll() { waiters[ObjectIdentifier(waiter)] = waiter }
  }

  func times(of process: ProcessID) -> (start: Timestamp?, end: Timestamp?) {
    (rowStates[process]?.startedAt, rowStates[process]?.endedAt)
  }

  func statusText(of process: ProcessID) -> String { rowStates[process]?.status ?? "" }

  /// Sends any signal to a process; for the control interface.
  func send(signal number: Int32, to process: ProcessID) throws(SystemError) {
    try rowStates[process]?.child?.signal(number, group: false)
  }

  func publish(_ process: ProcessID) {
    if let message = message(of: process) { board?.publish(message) }
  }

  /// Tells people, by the log and by the bus.
  func alert(_ text: String, about subject: String) {
    Log.warning("process needs care", ["name": subject, "reason": text])
    board?.publish(AlertMessage(time: SystemClock.now, subject: subject, text: text))
  }

  func message(of process: ProcessID) -> ProcessMessage? {
    guard let row = table[process] else { return nil }
    let information = ProcessInformation(self, process, row)
    return ProcessMessage(
      name: row.specification.name, group: row.specification.group, state: row.record.state.name,
      pid: row.record.pid ?? 0, startedAt: rowStates[process]?.startedAt ?? Timestamp(nanoseconds: 0),
      restarts: row.record.restarts, isReady: row.record.isReady, exitStatus: row.record.lastExit?.status,
      description: information.description, program: row.specification.program, endedAt: rowStates[process]?.endedAt,
      exitSignal: row.record.lastExit?.signal, failures: row.record.failures, status: statusText(of: process),
      waitsFor: information.waitsFor)
  }
}
