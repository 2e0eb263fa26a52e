internal import Daemon
internal import Web

#if canImport(Glibc)
  internal import Glibc
#endif

/// What the supervisor is, and what methods there are.
extension ControlInterface {
  func registerGeneral() {
    func constant(_ name: String, _ result: String, _ help: String, _ value: XMLRPCValue) {
      let answer = ControlAnswer(value)
      register(name, result: result, help) { _, reply in reply(.success(answer)) }
    }
    constant("getAPIVersion", "string", "The version of this interface.", "3.0")
    constant("getVersion", "string", "The version of this interface.", "3.0")
    constant("getSupervisorVersion", "string", "The version of supervisord whose interface this is.", "4.2.5")
    constant(
      "getIdentification", "string", "What this supervisor calls itself.",
      .string(supervisor.configuration.identifier))
    register("getState", result: "struct", "Whether the supervisor is running.") { [unowned self] _, reply in
      let state: XMLRPCValue =
        supervisor.isRestarting
        ? ["statecode": 0, "statename": "RESTARTING"] : ["statecode": 1, "statename": "RUNNING"]
      reply(.success(ControlAnswer(state)))
    }
    register("getPID", result: "int", "The pid of the supervisor.") { _, reply in
      reply(.success(ControlAnswer(.integer(Int64(getpid())))))
    }
    register("shutdown", result: "boolean", "Stops all processes and then the supervisor.") {
      [unowned self] _, reply in
      reply(.success(.yes))
      supervisor.shutDownAfterTurn()
    }
  }

  func registerSystem() {
    register("system.listMethods", result: "array", "The names of all methods.", isAlwaysDone: true) {
      [unowned self] _, reply in
      reply(.success(ControlAnswer(.array(methods.keys.sorted().map { .string($0) }))))
    }
    let name = ControlMethod.Parameter("string", "name", "the method's name")
    register("system.methodHelp", result: "string", "What a method does.", [name], isAlwaysDone: true) {
      [unowned self] arguments, reply throws(ControlFault) in
      guard let method = methods[try arguments.text(0)] else { throw ControlFault(.signatureUnsupported) }
      reply(.success(ControlAnswer(.string(method.helpText))))
    }
    register(
      "system.methodSignature", result: "array", "The types of a method's answer and parameters.", [name],
      isAlwaysDone: true
    ) { [unowned self] arguments, reply throws(ControlFault) in
      guard let method = methods[try arguments.text(0)] else { throw ControlFault(.signatureUnsupported) }
      reply(.success(ControlAnswer(.array(method.signature.map { .string($0) }))))
    }
    register(
      "system.multicall", result: "array", "Several calls, one after the other; a fault does not end them.",
      [ControlMethod.Parameter("array", "calls", "structures of methodName and params")], isAlwaysDone: true
    ) { [unowned self] arguments, reply throws(ControlFault) in
      multicall(Multicall(calls: try arguments.array(0), reply))
    }
  }

  private final class Multicall {
    let calls: [XMLRPCValue]
    let reply: ControlReply
    var next = 0
    var results: [ControlAnswer] = []

    init(calls: [XMLRPCValue], _ reply: @escaping ControlReply) {
      self.calls = calls
      self.reply = reply
    }

    func take(_ result: Result<ControlAnswer, ControlFault>) {
      switch result {
      case .success(let answer): results.append(answer)
      case .failure(let fault):
        results.append(
          ControlAnswer(["faultCode": .integer(Int64(fault.code.rawValue)), "faultString": .string(fault.text)]))
      }
    }
  }

  /// One call after the other, each when the one before is answered; as a loop, because there may be many.
  private func multicall(_ state: Multicall) {
    while state.next < state.calls.count {
      let call = state.calls[state.next]
      state.next += 1
      var isAnswered = false
      var isWaiting = false
      dispatch(call) { [weak self] result in
        state.take(result)
        isAnswered = true
        if isWaiting { self?.multicall(state) }
      }
      guard isAnswered else {
        isWaiting = true
        return
      }
    }
    var writer = XMLRPCWriter(reserving: state.results.reduce(64) { $0 + $1.xml.count })
    writer.array { writer in
      for result in state.results { writer.written(result.xml) }
    }
    state.reply(.success(ControlAnswer(writer)))
  }

  private func dispatch(_ value: XMLRPCValue, _ reply: @escaping ControlReply) {
    guard let name = value["methodName"]?.string else {
      return reply(.failure(ControlFault(.incorrectParameters, "No methodName")))
    }
    guard name != "system.multicall" else {
      return reply(.failure(ControlFault(.incorrectParameters, "Recursive system.multicall forbidden")))
    }
    call(name, value["params"]?.array ?? [], reply: reply)
  }
}
