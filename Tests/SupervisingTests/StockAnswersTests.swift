import Foundation
import Testing
import Web

/// The same calls to the stock supervisor and to ours: whatever does not differ from run to run is the same.
@Suite struct StockAnswersTests {
  private enum Step: Sendable {
    case call(String, [XMLRPCValue])
    /// Waits until a process is in a state.
    case until(String, String)
    /// Waits until a process's log holds a text.
    case logged(String, String)
    case change(@Sendable (String) throws -> Void)

    static func supervisor(_ name: String, _ parameters: XMLRPCValue...) -> Step {
      .call("supervisor." + name, parameters)
    }
  }

  private func play(_ steps: [Step], isStock: Bool) throws -> [String] {
    let running = try Stock.run(isStock: isStock)
    var answers: [String] = []
    for step in steps {
      switch step {
      case .call(let method, let parameters):
        answers.append("\(method)\(parameters): " + describe(try running.call(method, parameters), running.directory))
      case .until(let name, let state):
        let limit = Date().addingTimeInterval(60)
        while try running.value("supervisor.getProcessInfo", .string(name))["statename"]?.string != state {
          guard Date() < limit else { throw Timeout(description: "\(name) is not \(state)") }
          usleep(20_000)
        }
      case .logged(let name, let text):
        let limit = Date().addingTimeInterval(60)
        while try running.value("supervisor.readProcessStdoutLog", .string(name), 0, 0).string?.contains(text) != true {
          guard Date() < limit else { throw Timeout(description: "\(name) does not say \(text)") }
          usleep(20_000)
        }
      case .change(let change): try change(running.directory)
      }
    }
    return answers
  }

  private func describe(_ response: XMLRPCResponse, _ directory: String) -> String {
    switch response {
    case .fault(let code, let text): "fault \(code) \(Stock.plain(text, directory))"
    case .value(let value): describe(value, directory)
    }
  }

  /// What the stock tells of a process.
  private static let known: Set<String> = [
    "name", "group", "description", "start", "stop", "now", "state", "statename", "spawnerr", "exitstatus", "logfile",
    "stdout_logfile", "stderr_logfile", "pid",
  ]

  /// What is ours alone is left out; of what differs from run to run it is told whether it is there.
  private func describe(_ value: XMLRPCValue, _ directory: String) -> String {
    switch value {
    case .structure(let members):
      let isProcess = value["statename"] != nil && value["spawnerr"] != nil
      let parts = members.filter { !isProcess || Self.known.contains($0.name) }.map { member in
        switch member.name {
        case "pid", "start", "stop": "\(member.name): \(member.value.integer == 0 ? "none" : "some")"
        case "now": "now"
        case "spawnerr": "spawnerr: " + Stock.plain(member.value.string ?? "?", directory)
        default: "\(member.name): \(describe(member.value, directory))"
        }
      }
      return "{" + parts.sorted().joined(separator: ", ") + "}"
    case .array(let values):
      let parts = values.map { describe($0, directory) }
      // Several processes are told of in the order in which they came to where they were wanted.
      let isOfSeveral = values.allSatisfy { $0["status"] != nil && $0["statename"] == nil }
      return "[" + (isOfSeveral ? parts.sorted() : parts).joined(separator: ", ") + "]"
    case .string(let text): return "\"" + Stock.plain(text, directory) + "\""
    case .integer(let number): return "\(number)"
    case .boolean(let flag): return "\(flag)"
    default: return "\(value)"
    }
  }

  private func compare(_ steps: [Step]) async throws {
    async let theirAnswers = onThread { try play(steps, isStock: true) }
    async let ourAnswers = onThread { try play(steps, isStock: false) }
    let (stock, ours) = try await (theirAnswers, ourAnswers)
    #expect(stock.count == ours.count)
    for (theirs, mine) in zip(stock, ours) { #expect(mine == theirs) }
  }

  @Test(.enabled(if: Stock.isInstalled))
  func `what processes and configurations are is told in the same words`() async throws {
    try await compare([
      .supervisor("getAPIVersion"), .supervisor("getVersion"), .supervisor("getSupervisorVersion"),
      .supervisor("getIdentification"), .supervisor("getState"), .supervisor("getAllProcessInfo"),
      .supervisor("getAllConfigInfo"), .supervisor("getProcessInfo", "a"), .supervisor("getProcessInfo", "gg:x"),
      .supervisor("getProcessInfo", "gg:*"), .supervisor("getProcessInfo", "gg"), .supervisor("getProcessInfo", "x"),
      .supervisor("getProcessInfo", "a:b:c"), .supervisor("getProcessInfo", ""), .supervisor("getProcessInfo"),
      .supervisor("getProcessInfo", "a", "b"), .supervisor("getState", 1), .supervisor("nothing"),
      .call("nothing", []), .call("supervisor._update", ["x"]), .call("a.b.c", []), .call("system.nothing", []),
    ])
  }

  @Test(.enabled(if: Stock.isInstalled))
  func `starting, stopping and signalling answer the same`() async throws {
    try await compare([
      .supervisor("startProcess", "a"), .supervisor("startProcess", "nope"), .supervisor("startProcess", "no:*"),
      .supervisor("startProcess", "pair:pair_0"), .supervisor("startProcessGroup", "pair"),
      .supervisor("startProcessGroup", "pair"), .supervisor("startProcessGroup", "nope"),
      .supervisor("startProcess", "pair:*"), .supervisor("startProcess", "quick"),
      .supervisor("getProcessInfo", "quick"), .supervisor("startProcess", "once"), .until("once", "EXITED"),
      .supervisor("getProcessInfo", "once"), .supervisor("startProcess", "slow", false), .until("slow", "RUNNING"),
      .supervisor("stopProcess", "slow"), .supervisor("stopProcess", "slow"), .supervisor("getProcessInfo", "slow"),
      .supervisor("startProcess", "slow", true), .supervisor("signalProcess", "slow", "CONT"),
      .supervisor("signalProcess", "slow", "SIGCONT"), .supervisor("signalProcess", "slow", "18"),
      .supervisor("signalProcess", "slow", 18), .supervisor("signalProcess", "slow", "BLUE"),
      .supervisor("signalProcess", "slow", "4711"), .supervisor("signalProcess", "quick", "CONT"),
      .supervisor("signalProcess", "nope", "CONT"), .supervisor("signalProcess", "pair:*", "CONT"),
      .supervisor("signalProcess", "pair:*", "BLUE"), .supervisor("signalProcessGroup", "pair", "CONT"),
      .supervisor("signalProcessGroup", "quick", "CONT"), .supervisor("signalProcessGroup", "nope", "CONT"),
      .supervisor("signalProcessGroup", "pair", "BLUE"), .supervisor("signalAllProcesses", "CONT"),
      .supervisor("signalAllProcesses", "BLUE"), .supervisor("stopProcess", "pair:*"),
      .supervisor("stopProcessGroup", "pair"), .supervisor("stopProcessGroup", "nope"),
      .supervisor("stopProcess", "quick"), .supervisor("stopProcess", "nope"),
      .supervisor("stopAllProcesses"), .supervisor("stopAllProcesses"), .supervisor("getAllProcessInfo"),
      .supervisor("startAllProcesses"), .supervisor("startProcess"), .supervisor("startProcess", "a", true, 1),
      .supervisor("stopProcess", "a", false), .until("a", "STOPPED"),
    ])
  }

  @Test(.enabled(if: Stock.isInstalled))
  func `a program that has vanished is told before it is started`() async throws {
    try await compare([
      .supervisor("startProcess", "gone"), .supervisor("stopProcess", "gone"),
      .change { directory in
        try FileManager.default.removeItem(atPath: directory + "/bin")
        try FileManager.default.createDirectory(atPath: directory + "/bin", withIntermediateDirectories: false)
        try "no program".write(toFile: directory + "/bin/sleep", atomically: true, encoding: .utf8)
      },
      .supervisor("startProcess", "gone"), .supervisor("startProcessGroup", "gone"),
      .change { try FileManager.default.removeItem(atPath: $0 + "/bin/sleep") },
      .supervisor("startProcess", "gone"), .supervisor("startProcess", "gone", false),
      .change {
        try FileManager.default.createDirectory(atPath: $0 + "/bin/sleep", withIntermediateDirectories: false)
      },
      .supervisor("startProcess", "gone"), .supervisor("getProcessInfo", "gone"),
    ])
  }

  @Test(.enabled(if: Stock.isInstalled))
  func `parts and ends of logs are the same for any offset and length`() async throws {
    var steps: [Step] = [.logged("a", "two")]
    let numbers: [XMLRPCValue] = [-100, -8, -3, -1, 0, 1, 3, 7, 8, 9, 100]
    for offset in numbers {
      for length in numbers {
        steps.append(.supervisor("readProcessStdoutLog", "a", offset, length))
        steps.append(.supervisor("tailProcessStdoutLog", "a", offset, length))
      }
    }
    for name in ["readProcessLog", "readProcessStderrLog", "tailProcessLog", "tailProcessStderrLog"] {
      steps.append(.supervisor(name, "a", 0, 100))
      for process: XMLRPCValue in ["pair:pair_0", "pair:*", "nope", "gg:x"] {
        steps.append(.supervisor(name, process, 0, 100))
      }
      steps.append(.supervisor(name, "a", 0))
      steps.append(.supervisor(name, "a", "0", "5"))
    }
    steps += [
      .supervisor("clearProcessLogs", "a"), .supervisor("readProcessStdoutLog", "a", 0, 0),
      .supervisor("readProcessStderrLog", "a", 0, 0), .supervisor("clearProcessLog", "a"),
      .supervisor("clearProcessLogs", "nope"), .supervisor("clearProcessLogs", "gg:*"),
      .supervisor("clearAllProcessLogs"), .supervisor("clearLog"), .supervisor("readLog", -1, 1),
      .supervisor("readMainLog", 0, -1), .supervisor("sendProcessStdin", "a", "hello\n"),
      .supervisor("sendProcessStdin", "nope", "x"), .supervisor("sendProcessStdin", "gg:*", "x"),
      .supervisor("sendProcessStdin", "quick", "x"), .supervisor("sendProcessStdin", "a", 1),
      .supervisor("sendRemoteCommEvent", "kind", "data"), .supervisor("sendRemoteCommEvent", "kind"),
    ]
    try await compare(steps)
  }

  @Test(.enabled(if: Stock.isInstalled))
  func `groups come and go alike`() async throws {
    func edit(_ change: @escaping @Sendable (String) -> String) -> Step {
      .change { directory in
        let path = directory + "/supervisor.conf"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        try change(text).write(toFile: path, atomically: true, encoding: .utf8)
      }
    }
    try await compare([
      .supervisor("reloadConfig"), .supervisor("addProcessGroup", "a"), .supervisor("addProcessGroup", "nope"),
      .supervisor("removeProcessGroup", "nope"), .supervisor("removeProcessGroup", "a"),
      edit { text in
        text.replacingOccurrences(of: "sleep 1001", with: "sleep 1003")
          .replacingOccurrences(of: "[program:once]", with: "[program:twice]")
          + "[program:new]\ncommand=/bin/sleep 1004\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
      },
      .supervisor("addProcessGroup", "new"), .supervisor("reloadConfig"), .supervisor("reloadConfig"),
      .supervisor("getAllConfigInfo"), .supervisor("addProcessGroup", "new"), .until("new", "RUNNING"),
      .supervisor("addProcessGroup", "new"), .supervisor("removeProcessGroup", "once"),
      .supervisor("removeProcessGroup", "once"), .supervisor("getProcessInfo", "once"),
      .supervisor("removeProcessGroup", "gg"), .supervisor("stopProcessGroup", "gg"),
      .supervisor("removeProcessGroup", "gg"), .supervisor("addProcessGroup", "gg"), .until("gg:x", "RUNNING"),
      .until("gg:y", "RUNNING"), .supervisor("addProcessGroup", "twice"), .supervisor("reloadConfig"),
      .supervisor("getAllProcessInfo"),
      edit { $0.replacingOccurrences(of: "[group:gg]\nprograms=x,y\npriority=3", with: "") },
      .supervisor("reloadConfig"),
    ])
  }

  @Test(.enabled(if: Stock.isInstalled))
  func `several calls in one answer the same`() async throws {
    func call(_ name: XMLRPCValue, _ parameters: XMLRPCValue...) -> XMLRPCValue {
      ["methodName": name, "params": .array(parameters)]
    }
    try await compare([
      .call(
        "system.multicall",
        [
          [
            call("supervisor.startProcess", "slow"), call("supervisor.stopProcess", "slow"),
            call("supervisor.getProcessInfo", "nope"), call("supervisor.getAPIVersion"), call("system.multicall", []),
            call("supervisor.nothing"), call("supervisor.getState", 1), ["methodName": "supervisor.getState"],
            ["params": []], call("supervisor.startProcessGroup", "pair"), call("supervisor.stopProcess", "pair:*"),
          ]
        ]), .call("system.multicall", [[]]), .call("system.multicall", []),
      .call("system.methodSignature", ["supervisor.nothing"]), .call("system.methodHelp", ["supervisor.nothing"]),
    ])
  }

  @Test(.enabled(if: Stock.isInstalled))
  func `every method of the stock is there, with the same signature`() async throws {
    try await onThread { try compareMethods() }
  }

  private func compareMethods() throws {
    let stock = try Stock.run(isStock: true)
    let ours = try Stock.run(isStock: false)
    let names = try stock.value("system.listMethods").array ?? []
    #expect(names.count > 40)
    let mine = try ours.value("system.listMethods").array ?? []
    #expect(mine.map { $0.string ?? "" } == mine.map { $0.string ?? "" }.sorted())
    for name in names {
      #expect(mine.contains(name), "\(name)")
      #expect(
        describe(try ours.call("system.methodSignature", name), ours.directory)
          == describe(try stock.call("system.methodSignature", name), stock.directory), "\(name)")
      guard case .value(.string(let help)) = try ours.call("system.methodHelp", name) else {
        Issue.record("no help for \(name)")
        continue
      }
      #expect(help.contains("@return"))
    }
  }
}
