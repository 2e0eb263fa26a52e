internal import Daemon
internal import Market
internal import Web

/// The calls of the control interface: names, arguments, answers and faults are those of supervisord 4.2.
///
/// A call that waits is answered when the processes are where it wants them; nothing blocks meanwhile.
final class ControlInterface {
  unowned let supervisor: Supervisor
  private(set) var methods: [String: ControlMethod] = [:]

  init(supervisor: Supervisor) {
    self.supervisor = supervisor
    registerGeneral()
    registerSystem()
    registerStarting()
    registerSignalling()
    registerInformation()
    registerGroups()
    registerLogs()
    registerMessages()
    registerScaling()
  }

  /// Does a call.
  /// - Parameters:
  ///   - method: such as `supervisor.getState`.
  ///   - parameters: its arguments in order.
  ///   - reply: is called once, now or later.
  func call(_ method: String, _ parameters: [XMLRPCValue], reply: @escaping ControlReply) {
    do throws(ControlFault) {
      guard let known = methods[method] else { throw ControlFault(.unknownMethod) }
      guard known.argumentCounts.contains(parameters.count) else { throw ControlFault(.incorrectParameters) }
      if supervisor.table.isShuttingDown, !known.isAlwaysDone { throw ControlFault(.shutdownState) }
      try known.body(ControlArguments(parameters), reply)
    } catch {
      reply(.failure(error))
    }
  }

  /// Adds a method under one or more names.
  /// - Parameters:
  ///   - names: without `supervisor.`, unless they hold a dot.
  ///   - result: the type of the answer, in XML-RPC's words.
  ///   - help: what it does.
  ///   - parameters: in order; those that may be missing are the last ones.
  ///   - isAlwaysDone: whether it is done while everything ends, too.
  ///   - body: does it.
  func register(
    _ names: String..., result: String, _ help: String, _ parameters: [ControlMethod.Parameter] = [],
    isAlwaysDone: Bool = false, body: @escaping ControlMethod.Body
  ) {
    let method = ControlMethod(
      parameters: parameters, result: result, help: help, isAlwaysDone: isAlwaysDone, body: body)
    for name in names { methods[name.contains(".") ? name : "supervisor." + name] = method }
  }

  // MARK: - Whom a call means

  enum Target {
    case process(ProcessID)
    case group([ProcessID])
  }

  /// `name`, `group:name`, or `group:*` for the whole group.
  func target(_ name: String) throws(ControlFault) -> Target {
    let parts = name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let groupName = parts.first ?? ""
    let processName = parts.last ?? ""
    if parts.count == 2, processName.isEmpty || processName == "*" {
      let processes = members(String(groupName))
      guard !processes.isEmpty else { throw ControlFault(.badName, name) }
      return .group(processes)
    }
    for process in supervisor.table.order {
      guard let specification = supervisor.table[process]?.specification else { continue }
      if specification.name == processName, specification.group == groupName { return .process(process) }
    }
    throw ControlFault(.badName, name)
  }

  func single(_ name: String) throws(ControlFault) -> ProcessID {
    guard case .process(let process) = try target(name) else { throw ControlFault(.badName, name) }
    return process
  }

  func group(_ name: String) throws(ControlFault) -> [ProcessID] {
    let processes = members(name)
    guard !processes.isEmpty else { throw ControlFault(.badName, name) }
    return processes
  }

  private func members(_ group: String) -> [ProcessID] {
    supervisor.table.order.filter { supervisor.table[$0]?.specification.group == group }
  }

  func state(_ process: ProcessID) -> ProcessState { supervisor.table[process]?.record.state ?? .unknown }

  func fullName(_ process: ProcessID) -> String { supervisor.table[process]?.specification.fullName ?? "" }

  // MARK: - The same for several

  /// Does the same to several processes, and answers what became of each when all is known.
  ///
  /// What is known at once comes first, and then the others, as they came about; what comes about within the same
  /// tenth of a second keeps the order of the processes.
  func each(
    _ processes: [ProcessID], _ reply: @escaping ControlReply,
    _ body: (ProcessID, _ name: String, @escaping ControlReply) -> Void
  ) {
    let collection = Collection(reply)
    for (index, process) in processes.enumerated() {
      guard let specification = supervisor.table[process]?.specification else { continue }
      collection.expect()
      body(process, specification.fullName) { result in
        var status = ControlFault.Code.success.rawValue
        var description = "OK"
        if case .failure(let fault) = result {
          status = fault.code.rawValue
          description = fault.text
        }
        collection.take(
          index,
          [
            "name": .string(specification.name), "group": .string(specification.group),
            "status": .integer(Int64(status)), "description": .string(description),
          ])
      }
    }
    collection.close()
  }

  private final class Collection {
    private struct Result {
      let round: Int64
      let index: Int
      let value: XMLRPCValue
    }

    private var results: [Result] = []
    private var expected = 0
    private var isOpen = true
    private let start = SystemClock.monotonicNanoseconds
    private let reply: ControlReply

    init(_ reply: @escaping ControlReply) { self.reply = reply }

    func expect() { expected += 1 }

    func take(_ index: Int, _ value: XMLRPCValue) {
      let round = isOpen ? -1 : (SystemClock.monotonicNanoseconds - start) / 100_000_000
      results.append(Result(round: round, index: index, value: value))
      answer()
    }

    func close() {
      isOpen = false
      answer()
    }

    private func answer() {
      guard !isOpen, results.count == expected else { return }
      results.sort { ($0.round, $0.index) < ($1.round, $1.index) }
      reply(.success(ControlAnswer(.array(results.map(\.value)))))
    }
  }
}
