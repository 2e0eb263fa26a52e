internal import Daemon
internal import Web

/// Logs: of processes, and the supervisor's own.
extension ControlInterface {
  private enum Channel { case output, errorOutput }

  func registerLogs() {
    let name = ControlMethod.Parameter("string", "name", "the process, as NAME or GROUP:NAME")
    let offset = ControlMethod.Parameter("int", "offset", "where to begin; a negative one counts from the end")
    let length = ControlMethod.Parameter("int", "length", "how many bytes; 0: all the rest")
    registerReading("readProcessStdoutLog", "readProcessLog", .output, [name, offset, length])
    registerReading("readProcessStderrLog", nil, .errorOutput, [name, offset, length])
    registerTailing("tailProcessStdoutLog", "tailProcessLog", .output, [name, offset, length])
    registerTailing("tailProcessStderrLog", nil, .errorOutput, [name, offset, length])
    register("readLog", "readMainLog", result: "string", "A part of the supervisor's own log.", [offset, length]) {
      [unowned self] arguments, reply throws(ControlFault) in
      let (offset, length) = (try arguments.integer(0), try arguments.integer(1))
      supervisor.pump.drain([], limitMilliseconds: 50)
      reply(.success(ControlAnswer(.string(try LogReader.part(supervisor.mainLog, offset: offset, length: length)))))
    }
    register("clearLog", result: "boolean", "Empties the supervisor's own log.") {
      [unowned self] _, reply throws(ControlFault) in
      try supervisor.clearMainLog()
      reply(.success(.yes))
    }
    register("clearProcessLogs", "clearProcessLog", result: "boolean", "Empties the logs of a process.", [name]) {
      [unowned self] arguments, reply throws(ControlFault) in
      let name = try arguments.text(0)
      let process = try single(name)
      reply(clearLogs(process, name))
    }
    register("clearAllProcessLogs", result: "array", "Empties the logs of all processes.") {
      [unowned self] _, reply in
      each(supervisor.table.order, reply) { process, name, reply in reply(clearLogs(process, name)) }
    }
  }

  private func clearLogs(_ process: ProcessID, _ name: String) -> Result<ControlAnswer, ControlFault> {
    do throws(SystemError) {
      try supervisor.clearLogs(of: process)
      return .success(.yes)
    } catch {
      Log.warning("logs cannot be emptied", ["name": name, "error": "\(error)"])
      return .failure(ControlFault(.failed, name))
    }
  }

  private func file(_ process: ProcessID, _ channel: Channel) -> String? {
    guard let specification = supervisor.table[process]?.specification else { return nil }
    switch channel {
    case .output: return specification.output.file
    case .errorOutput: return specification.redirectsErrors ? nil : specification.errorOutput.file
    }
  }

  private func registerReading(
    _ name: String, _ alias: String?, _ channel: Channel, _ parameters: [ControlMethod.Parameter]
  ) {
    for name in [name, alias].compactMap(\.self) {
      register(name, result: "string", "A part of a process's log.", parameters) {
        [unowned self] arguments, reply throws(ControlFault) in
        let process = try single(arguments.text(0))
        let (offset, length) = (try arguments.integer(1), try arguments.integer(2))
        supervisor.drainOutput(of: process)
        let part = try LogReader.part(file(process, channel), offset: offset, length: length)
        reply(.success(ControlAnswer(.string(part))))
      }
    }
  }

  private func registerTailing(
    _ name: String, _ alias: String?, _ channel: Channel, _ parameters: [ControlMethod.Parameter]
  ) {
    for name in [name, alias].compactMap(\.self) {
      register(
        name, result: "array", "The end of a process's log: text, size, and whether more was written since offset.",
        parameters
      ) { [unowned self] arguments, reply throws(ControlFault) in
        let process = try single(arguments.text(0))
        let (offset, length) = (try arguments.integer(1), try arguments.integer(2))
        supervisor.drainOutput(of: process)
        let tail = try LogReader.tail(file(process, channel), offset: offset, length: length)
        reply(.success(ControlAnswer(tail)))
      }
    }
  }
}
