internal import Daemon
internal import Web

/// Changes of what there is, without a restart.
extension ControlInterface {
  func registerGroups() {
    let name = ControlMethod.Parameter("string", "name", "the group")
    register("reloadConfig", result: "array", "Reads the configuration anew: groups added, changed and removed.") {
      [unowned self] _, reply throws(ControlFault) in
      let changes = try supervisor.rereadConfiguration()
      func names(_ groups: [String]) -> XMLRPCValue { .array(groups.map { .string($0) }) }
      let all: XMLRPCValue = [names(changes.added), names(changes.changed), names(changes.removed)]
      reply(.success(ControlAnswer([all])))
    }
    register("addProcessGroup", result: "boolean", "Takes a group of the configuration in, and starts it.", [name]) {
      [unowned self] arguments, reply throws(ControlFault) in
      try supervisor.addGroup(arguments.text(0))
      reply(.success(.yes))
    }
    register("removeProcessGroup", result: "boolean", "Forgets a group whose processes have ended.", [name]) {
      [unowned self] arguments, reply throws(ControlFault) in
      try supervisor.removeGroup(arguments.text(0))
      reply(.success(.yes))
    }
    register("restart", result: "boolean", "Starts the supervisor anew; processes that have not changed live on.") {
      [unowned self] _, reply throws(ControlFault) in
      try supervisor.restartInPlace()
      reply(.success(.yes))
    }
  }
}
