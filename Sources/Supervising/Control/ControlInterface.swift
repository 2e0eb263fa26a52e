internal import Daemon
internal import Market
internal import Web

#if canImport(Glibc)
  internal import Glibc
#endif

/// The calls of the control interface: names, arguments, answers and faults are those of supervisord 4.2.
///
/// A call that waits is answered when the processes are where it wants them; nothing blocks meanwhile.
final class ControlInterface {
  private typealias Body = (_ arguments: ControlArguments, _ reply: @escaping ControlReply) throws(ControlFault) -> Void

  private struct Method {
    let argumentCounts: ClosedRange<Int>
    let body: Body
  }

  unowned let supervisor: Supervisor
  private var methods: [String: Method] = [:]

  init(supervisor: Supervisor) {
    self.supervisor = supervisor
    registerGeneral()
    registerProcesses()
    registerLogs()
  }

  /// Does a call.
  /// - Parameters:
  ///   - method: such as `supervisor.getState`.
  ///   - parameters: its arguments in order.
  ///   - reply: is called once, now or later.
  func call(_ method: String, _ parameters: [XMLRPCValue], reply: @escaping ControlReply) {
    do throws(ControlFault) {
      guard let known = methods[method] else { throw ControlFault(.unknownMethod) }
      if supervisor.table.isShuttingDown { throw ControlFault(.shutdownState) }
      guard known.argumentCounts.contains(parameters.count) else { throw ControlFault(.incorrectParameters) }
      try known.body(ControlArguments(parameters), reply)
    } catch {
      reply(.failure(error))
    }
  }

  // MARK: - The supervisor itself

  private func register(_ names: String..., arguments: ClosedRange<Int>, _ body: @escaping Body) {
    for name in names { methods[name] = Method(argumentCounts: arguments, body: body) }
  }

  private func registerGeneral() {
    func constant(_ names: String..., value: @escaping () -> XMLRPCValue) {
      for name in names { register(name, arguments: 0...0) { _, reply in reply(.success(value())) } }
    }
    constant("supervisor.getAPIVersion", "supervisor.getVersion") { .string("3.0") }
    constant("supervisor.getSupervisorVersion") { .string("4.2.5") }
    constant("supervisor.getPID") { .integer(Int64(getpid())) }
    constant("supervisor.getIdentification") { [unowned self] in .string(supervisor.configuration.identifier) }
    constant("supervisor.getState") { ["statecode": 1, "statename": "RUNNING"] }
    constant("system.listMethods") { [unowned self] in .array(methods.keys.sorted().map { .string($0) }) }
    register("supervisor.shutdown", arguments: 0...0) { [unowned self] _, reply in
      reply(.success(.boolean(true)))
      supervisor.shutDownAfterTurn()
    }
    register("system.multicall", arguments: 1...1) { [unowned self] arguments, reply throws(ControlFault) in
      multicall(try arguments.array(0)[...], results: [], reply)
    }
  }

  /// One call after the other, each when the one before is answered.
  private func multicall(_ calls: ArraySlice<XMLRPCValue>, results: [XMLRPCValue], _ reply: @escaping ControlReply) {
    guard let next = calls.first else {
      reply(.success(.array(results)))
      return
    }
    let go: ControlReply = { [weak self] result in
      let value: XMLRPCValue
      switch result {
      case .success(let success): value = success
      case .failure(let fault):
        value = ["faultCode": .integer(Int64(fault.code.rawValue)), "faultString": .string(fault.text)]
      }
      self?.multicall(calls.dropFirst(), results: results + [value], reply)
    }
    guard let name = next["methodName"]?.string, name != "system.multicall" else {
      go(.failure(ControlFault(.incorrectParameters)))
      return
    }
    call(name, next["params"]?.array ?? [], reply: go)
  }

  // MARK: - Processes

  private func registerProcesses() {
    register("supervisor.getAllProcessInfo", arguments: 0...0) { [unowned self] _, reply in
      let all = supervisor.table.order.compactMap { process in supervisor.table[process].map { (process, $0) } }
      let sorted = all.sorted {
        ($0.1.specification.group, $0.1.specification.name) < ($1.1.specification.group, $1.1.specification.name)
      }
      reply(.success(.array(sorted.map { information($0.0, $0.1) })))
    }
    register("supervisor.getProcessInfo", arguments: 1...1) { [unowned self] arguments, reply throws(ControlFault) in
      let process = try single(arguments.text(0))
      guard let row = supervisor.table[process] else { throw ControlFault(.badName) }
      reply(.success(information(process, row)))
    }
    register("supervisor.startProcess", arguments: 1...2) { [unowned self] arguments, reply throws(ControlFault) in
      let wait = try arguments.boolean(1, default: true)
      switch try target(arguments.text(0)) {
      case .process(let process): start(process, wait: wait, reply)
      case .group(let processes): each(processes.filter { !state($0).isRunning }, reply) { start($0, wait: wait, $1) }
      }
    }
    register("supervisor.stopProcess", arguments: 1...2) { [unowned self] arguments, reply throws(ControlFault) in
      let wait = try arguments.boolean(1, default: true)
      switch try target(arguments.text(0)) {
      case .process(let process): stop(process, wait: wait, reply)
      case .group(let processes): each(processes.filter { state($0).isRunning }, reply) { stop($0, wait: wait, $1) }
      }
    }
    registerGroups()
  }

  private func registerGroups() {
    for (name, isAll) in [("ProcessGroup", false), ("AllProcesses", true)] {
      let shift = isAll ? 0 : 1
      func chosen(_ arguments: ControlArguments) throws(ControlFault) -> [ProcessID] {
        isAll ? supervisor.table.order : try group(arguments.text(0))
      }
      register("supervisor.start" + name, arguments: shift...shift + 1) {
        [unowned self] arguments, reply throws(ControlFault) in
        let wait = try arguments.boolean(shift, default: true)
        each(try chosen(arguments).filter { !state($0).isRunning }, reply) { start($0, wait: wait, $1) }
      }
      register("supervisor.stop" + name, arguments: shift...shift + 1) {
        [unowned self] arguments, reply throws(ControlFault) in
        let wait = try arguments.boolean(shift, default: true)
        each(try chosen(arguments).reversed().filter { state($0).isRunning }, reply) { stop($0, wait: wait, $1) }
      }
      register("supervisor.signal" + name, arguments: shift + 1...shift + 1) {
        [unowned self] arguments, reply throws(ControlFault) in
        let number = try arguments.signal(shift)
        each(try chosen(arguments).filter(isSignallable), reply) { signal($0, number, $1) }
      }
    }
    register("supervisor.signalProcess", arguments: 2...2) { [unowned self] arguments, reply throws(ControlFault) in
      let found = try target(arguments.text(0))
      let number = try arguments.signal(1)
      switch found {
      case .process(let process): signal(process, number, reply)
      case .group(let processes): each(processes.filter(isSignallable), reply) { signal($0, number, $1) }
      }
    }
  }

  private enum Target {
    case process(ProcessID)
    case group([ProcessID])
  }

  /// `name`, `group:name`, or `group:*` for the whole group.
  private func target(_ name: String) throws(ControlFault) -> Target {
    let parts = name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    if parts.count == 2, parts[1].isEmpty || parts[1] == "*" { return .group(try group(String(parts[0]))) }
    let groupName = parts.first ?? ""
    let processName = parts.last ?? ""
    for process in supervisor.table.order {
      guard let specification = supervisor.table[process]?.specification else { continue }
      if specification.group == groupName, specification.name == processName { return .process(process) }
    }
    throw ControlFault(.badName, name)
  }

  private func single(_ name: String) throws(ControlFault) -> ProcessID {
    guard case .process(let process) = try target(name) else { throw ControlFault(.badName, name) }
    return process
  }

  private func group(_ name: String) throws(ControlFault) -> [ProcessID] {
    let processes = supervisor.table.order.filter { supervisor.table[$0]?.specification.group == name }
    guard !processes.isEmpty else { throw ControlFault(.badName, name) }
    return processes
  }

  private func state(_ process: ProcessID) -> ProcessState { supervisor.table[process]?.record.state ?? .unknown }

  private func isSignallable(_ process: ProcessID) -> Bool { supervisor.table[process]?.record.pid != nil }

  private func fullName(_ process: ProcessID) -> String { supervisor.table[process]?.specification.fullName ?? "" }

  /// Does the same to several processes, and answers what became of each when all is known.
  private func each(
    _ processes: [ProcessID], _ reply: @escaping ControlReply, _ body: (ProcessID, @escaping ControlReply) -> Void
  ) {
    guard !processes.isEmpty else {
      reply(.success(.array([])))
      return
    }
    let collection = Collection(count: processes.count, reply)
    for (index, process) in processes.enumerated() {
      guard let specification = supervisor.table[process]?.specification else { continue }
      body(process) { result in
        var status = ControlFault.Code.success.rawValue
        var description = "OK"
        if case .failure(let fault) = result {
          status = fault.code.rawValue
          description = fault.text
        }
        collection.set(
          index,
          [
            "name": .string(specification.name), "group": .string(specification.group),
            "status": .integer(Int64(status)),
            "description": .string(description),
          ])
      }
    }
  }

  private final class Collection {
    private var results: [XMLRPCValue?]
    private let reply: ControlReply

    init(count: Int, _ reply: @escaping ControlReply) {
      results = Array(repeating: nil, count: count)
      self.reply = reply
    }

    func set(_ index: Int, _ value: XMLRPCValue) {
      results[index] = value
      let done = results.compactMap(\.self)
      if done.count == results.count { reply(.success(.array(done))) }
    }
  }

  private func start(_ process: ProcessID, wait: Bool, _ reply: @escaping ControlReply) {
    let name = fullName(process)
    guard !state(process).isRunning else { return reply(.failure(ControlFault(.alreadyStarted, name))) }
    guard state(process) != .unknown else {
      return reply(.failure(ControlFault(.failed, "\(name) is in an unknown process state")))
    }
    supervisor.handle(.startRequested, process)
    supervisor.wait(
      Waiter { [unowned self] in
        guard let record = supervisor.table[process]?.record else {
          reply(.failure(ControlFault(.abnormalTermination, name)))
          return true
        }
        switch record.state {
        case _ where supervisor.table.isWaiting(process):
          // It starts by itself once all that it depends on are ready; what does not come up is told.
          guard !wait || supervisor.table.isBlocked(process) else { return false }
          reply(wait ? .failure(ControlFault(.abnormalTermination, name)) : .success(.boolean(true)))
        case .running: reply(.success(.boolean(true)))
        case .stopping: return false
        case .starting:
          guard !wait else { return false }
          reply(.success(.boolean(true)))
        default:
          reply(.failure(ControlFault(record.spawnError.isEmpty ? .abnormalTermination : .spawnError, name)))
        }
        return true
      })
  }

  private func stop(_ process: ProcessID, wait: Bool, _ reply: @escaping ControlReply) {
    guard state(process).isRunning else { return reply(.failure(ControlFault(.notRunning, fullName(process)))) }
    let pid = supervisor.table[process]?.record.pid
    supervisor.handle(.stopRequested, process)
    guard wait else { return reply(.success(.boolean(true))) }
    supervisor.wait(
      Waiter { [unowned self] in
        // Somebody else may have started it again already.
        let isGone = pid != nil && supervisor.table[process]?.record.pid != pid
        guard isGone || state(process).isStopped else { return false }
        reply(.success(.boolean(true)))
        return true
      })
  }

  private func signal(_ process: ProcessID, _ number: Int32, _ reply: ControlReply) {
    guard isSignallable(process) else { return reply(.failure(ControlFault(.notRunning, fullName(process)))) }
    do throws(SystemError) {
      try supervisor.send(signal: number, to: process)
      reply(.success(.boolean(true)))
    } catch {
      reply(.failure(ControlFault(.failed, "\(error)")))
    }
  }

  private func information(_ process: ProcessID, _ row: ProcessTable.Row) -> XMLRPCValue {
    let specification = row.specification
    let record = row.record
    let details = ProcessInformation(supervisor, process, row)
    func seconds(_ value: Int64?) -> XMLRPCValue { .integer(min(value ?? 0, Int64(Int32.max))) }
    let output = XMLRPCValue.string(specification.output.file ?? "")
    return [
      "name": .string(specification.name), "group": .string(specification.group),
      "description": .string(details.description), "start": seconds(details.start?.seconds),
      "stop": seconds(details.end?.seconds), "now": seconds(details.now.seconds),
      "state": .integer(Int64(record.state.rawValue)), "statename": .string(record.state.name),
      "spawnerr": .string(record.spawnError), "exitstatus": .integer(Int64(record.lastExit?.status ?? 0)),
      "logfile": output, "stdout_logfile": output,
      "stderr_logfile": .string(specification.redirectsErrors ? "" : specification.errorOutput.file ?? ""),
      "pid": .integer(Int64(record.pid ?? 0)), "restarts": .integer(Int64(record.restarts)),
      "ready": .boolean(record.isReady),
      "uptime_seconds": .double(Double(details.uptimeNanoseconds) / 1e9),
      "status": .string(supervisor.statusText(of: process)),
    ]
  }

  // MARK: - Logs

  private func registerLogs() {
    func file(_ arguments: ControlArguments, isError: Bool) throws(ControlFault) -> String? {
      let process = try single(arguments.text(0))
      // What it has said already is to be seen.
      supervisor.rowStates[process]?.streams.drain(limitMilliseconds: 100)
      let row = supervisor.table[process]
      return isError ? row?.specification.errorOutput.file : row?.specification.output.file
    }
    for isError in [false, true] {
      let stream = isError ? "Stderr" : "Stdout"
      let names = isError ? ["ProcessStderrLog"] : ["ProcessStdoutLog", "ProcessLog"]
      for name in names {
        register("supervisor.read" + name, arguments: 3...3) { arguments, reply throws(ControlFault) in
          let path = try file(arguments, isError: isError)
          let part = try LogReader.part(path, offset: arguments.integer(1), length: arguments.integer(2))
          reply(.success(.string(part)))
        }
      }
      register("supervisor.tailProcess\(stream)Log", arguments: 3...3) { arguments, reply throws(ControlFault) in
        let path = try file(arguments, isError: isError)
        reply(.success(try LogReader.tail(path, offset: arguments.integer(1), length: arguments.integer(2))))
      }
    }
    methods["supervisor.tailProcessLog"] = methods["supervisor.tailProcessStdoutLog"]
  }
}
