internal import Web

/// Calls that supervisord does not have: other numbers of processes while everything runs.
extension ControlInterface {
  func registerScaling() {
    let name = ControlMethod.Parameter("string", "name", "a program, or a group of one program")
    register(
      "scaleProcessGroup", result: "boolean", "Brings a program to another number of processes.",
      [
        name, ControlMethod.Parameter("int", "count", "how many, from 1 to 1000"),
        ControlMethod.Parameter("boolean", "wait", "whether to wait until it is done", isOptional: true),
      ]
    ) { [unowned self] arguments, reply throws(ControlFault) in
      let (name, count) = (try arguments.text(0), try arguments.integer(1))
      let wait = arguments.boolean(2, default: false)
      let program = try supervisor.scale(name, to: count)
      guard wait else { return reply(.success(.yes)) }
      supervisor.wait(
        Waiter { [unowned self] in
          guard supervisor.isScaled(program) else { return false }
          reply(.success(.yes))
          return true
        })
    }
    register(
      "getScaleInfo", result: "struct", "How far a program is on its way to another number of processes.", [name]
    ) { [unowned self] arguments, reply throws(ControlFault) in
      let information = try supervisor.scaleInformation(arguments.text(0))
      reply(
        .success(
          ControlAnswer([
            "program": .string(information.program), "count": .integer(Int64(information.count)),
            "previous": .integer(Int64(information.previousCount)),
            "next": .integer(Int64(information.next ?? information.count)), "stage": .string(information.stage),
            "sharded": .boolean(information.isSharded), "missing": .array(information.missing.map { .string($0) }),
          ])))
    }
  }
}
