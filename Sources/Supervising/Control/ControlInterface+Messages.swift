internal import Daemon
internal import Web

/// What is said to processes.
extension ControlInterface {
  func registerMessages() {
    register(
      "sendProcessStdin", result: "boolean", "Writes to the standard input of a process.",
      [
        ControlMethod.Parameter("string", "name", "the process, as NAME or GROUP:NAME"),
        ControlMethod.Parameter("string", "chars", "what it shall read"),
      ]
    ) { [unowned self] arguments, reply throws(ControlFault) in
      let name = try arguments.text(0)
      let bytes = try arguments.bytes(1)
      let process = try single(name)
      guard supervisor.table[process]?.record.pid != nil, state(process) != .stopping else {
        throw ControlFault(.notRunning, name)
      }
      try supervisor.send(input: bytes, to: process, name)
      reply(.success(.yes))
    }
    register(
      "sendRemoteCommEvent", result: "boolean", "Tells the event listeners something.",
      [
        ControlMethod.Parameter("string", "type", "the event's kind"),
        ControlMethod.Parameter("string", "data", "the event's body"),
      ], isAlwaysDone: true
    ) { [unowned self] arguments, reply throws(ControlFault) in
      supervisor.announceRemote(type: try arguments.text(0), data: try arguments.text(1))
      reply(.success(.yes))
    }
  }
}
