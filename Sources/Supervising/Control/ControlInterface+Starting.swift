internal import Daemon
internal import Web

#if canImport(Glibc)
  internal import Glibc
#endif

/// Starting and stopping.
extension ControlInterface {
  func registerStarting() {
    let name = ControlMethod.Parameter(
      "string", "name", "the process, as NAME or GROUP:NAME; GROUP:* is all of a group")
    let group = ControlMethod.Parameter("string", "name", "the group")
    let untilUp = ControlMethod.Parameter("boolean", "wait", "whether to wait until it is RUNNING", isOptional: true)
    let untilDown = ControlMethod.Parameter("boolean", "wait", "whether to wait until it has ended", isOptional: true)
    register("startProcess", result: "boolean", "Starts a process.", [name, untilUp]) {
      [unowned self] arguments, reply throws(ControlFault) in
      let name = try arguments.text(0)
      let wait = arguments.boolean(1, default: true)
      switch try target(name) {
      case .process(let process): start(process, name, wait: wait, reply)
      case .group(let processes): start(processes, wait: wait, reply)
      }
    }
    register("startProcessGroup", result: "array", "Starts a group.", [group, untilUp]) {
      [unowned self] arguments, reply throws(ControlFault) in
      start(try self.group(arguments.text(0)), wait: arguments.boolean(1, default: true), reply)
    }
    register("startAllProcesses", result: "array", "Starts everything.", [untilUp]) {
      [unowned self] arguments, reply in
      start(supervisor.table.order, wait: arguments.boolean(0, default: true), reply)
    }
    register("stopProcess", result: "boolean", "Stops a process.", [name, untilDown]) {
      [unowned self] arguments, reply throws(ControlFault) in
      let name = try arguments.text(0)
      let wait = arguments.boolean(1, default: true)
      switch try target(name) {
      case .process(let process): stop(process, name, wait: wait, reply)
      case .group(let processes): stop(processes, wait: wait, reply)
      }
    }
    register("stopProcessGroup", result: "array", "Stops a group.", [group, untilDown]) {
      [unowned self] arguments, reply throws(ControlFault) in
      stop(try self.group(arguments.text(0)), wait: arguments.boolean(1, default: true), reply)
    }
    register("stopAllProcesses", result: "array", "Stops everything.", [untilDown]) {
      [unowned self] arguments, reply in
      stop(supervisor.table.order, wait: arguments.boolean(0, default: true), reply)
    }
  }

  private func start(_ processes: [ProcessID], wait: Bool, _ reply: @escaping ControlReply) {
    each(processes.filter { !state($0).isRunning }, reply) { start($0, $1, wait: wait, $2) }
  }

  private func stop(_ processes: [ProcessID], wait: Bool, _ reply: @escaping ControlReply) {
    each(processes.filter { state($0).isRunning || supervisor.table.isWaiting($0) }, reply) {
      stop($0, $1, wait: wait, $2)
    }
  }

  /// Why the program of a process cannot be executed now; nil where it can.
  private func missingProgram(_ process: ProcessID) -> ControlFault? {
    guard let specification = supervisor.table[process]?.specification else { return nil }
    do throws(ExecutableProblem) {
      _ = try specification.findExecutable()
      return nil
    } catch {
      return ControlFault(error.kind == .notFound ? .noFile : .notExecutable, "\(error)")
    }
  }

  private func start(_ process: ProcessID, _ name: String, wait: Bool, _ reply: @escaping ControlReply) {
    if let fault = missingProgram(process) { return reply(.failure(fault)) }
    guard !state(process).isRunning else { return reply(.failure(ControlFault(.alreadyStarted, name))) }
    guard state(process) != .unknown else {
      return reply(.failure(ControlFault(.failed, "\(name) is in an unknown process state")))
    }
    supervisor.handle(.startRequested, process)
    supervisor.wait(
      Waiter { [unowned self] in
        guard let result = outcome(ofStart: process, name, wait: wait) else { return false }
        reply(result)
        return true
      })
  }

  /// What came of a start; nil where that is not known yet.
  private func outcome(
    ofStart process: ProcessID, _ name: String, wait: Bool
  ) -> Result<ControlAnswer, ControlFault>? {
    guard let record = supervisor.table[process]?.record else {
      return .failure(ControlFault(.abnormalTermination, name))
    }
    switch record.state {
    case .running: return .success(.yes)
    case .starting, .stopping: return wait ? nil : .success(.yes)
    case _ where supervisor.table.isWaiting(process):
      // It starts by itself once all that it depends on are ready; what does not come up is told.
      guard wait else { return .success(.yes) }
      return supervisor.table.isBlocked(process) ? .failure(ControlFault(.abnormalTermination, name)) : nil
    case _ where !record.spawnError.isEmpty: return .failure(ControlFault(.spawnError, name))
    case .exited where ProcessInformation.isUnexpected(record): return .failure(ControlFault(.spawnError, name))
    default: return .failure(ControlFault(.abnormalTermination, name))
    }
  }

  private func stop(_ process: ProcessID, _ name: String, wait: Bool, _ reply: @escaping ControlReply) {
    guard state(process).isRunning || supervisor.table.isWaiting(process) else {
      return reply(.failure(ControlFault(.notRunning, name)))
    }
    let pid = supervisor.table[process]?.record.pid
    supervisor.handle(.stopRequested, process)
    guard wait else { return reply(.success(.yes)) }
    supervisor.wait(
      Waiter { [unowned self] in
        // Somebody else may have started it again already.
        let isGone = pid != nil && supervisor.table[process]?.record.pid != pid
        guard isGone || state(process).isStopped else { return false }
        reply(.success(.yes))
        return true
      })
  }

  // MARK: - Signals

  func registerSignalling() {
    let name = ControlMethod.Parameter(
      "string", "name", "the process, as NAME or GROUP:NAME; GROUP:* is all of a group")
    let group = ControlMethod.Parameter("string", "name", "the group")
    let number = ControlMethod.Parameter("string", "signal", "by name, such as HUP, or number")
    register("signalProcess", result: "boolean", "Sends a signal to a process.", [name, number]) {
      [unowned self] arguments, reply throws(ControlFault) in
      let name = try arguments.text(0)
      let signal = try arguments.signalText(1)
      switch try target(name) {
      case .process(let process): reply(send(signal, to: process, name))
      case .group(let processes): send(signal, to: processes, reply)
      }
    }
    register("signalProcessGroup", result: "array", "Sends a signal to a group.", [group, number]) {
      [unowned self] arguments, reply throws(ControlFault) in
      send(try arguments.signalText(1), to: try self.group(arguments.text(0)), reply)
    }
    register("signalAllProcesses", result: "array", "Sends a signal to everything.", [number]) {
      [unowned self] arguments, reply throws(ControlFault) in
      send(try arguments.signalText(0), to: supervisor.table.order, reply)
    }
  }

  private func isSignallable(_ process: ProcessID) -> Bool { supervisor.table[process]?.record.pid != nil }

  private func send(_ signal: String, to processes: [ProcessID], _ reply: @escaping ControlReply) {
    each(processes.filter(isSignallable), reply) { process, name, reply in reply(send(signal, to: process, name)) }
  }

  private func send(_ text: String, to process: ProcessID, _ name: String) -> Result<ControlAnswer, ControlFault> {
    do throws(ControlFault) {
      let number = try ControlArguments.signal(text)
      guard isSignallable(process) else { throw ControlFault(.notRunning, name) }
      do throws(SystemError) {
        try supervisor.send(signal: number, to: process)
      } catch {
        throw ControlFault(.failed, "\(error)")
      }
      return .success(.yes)
    } catch {
      return .failure(error)
    }
  }
}
