import Daemon
import Foundation
import Market
import Presenting
import Synchronization
import TestSupport
import Testing
import Web

@Suite struct ToolTests {
  private let directory: ScratchDirectory
  private let file: String

  init() throws {
    directory = ScratchDirectory()
    file = try directory.configure()
  }

  @Test(arguments: [
    ["status"], ["status", "--json"], ["start", "all"], ["stop", "web"], ["restart", "g:*"], ["shutdown"],
    ["tail", "web"],
    ["opportunities"], ["health"],
  ])
  func `when nothing runs a command says so and exits with 111`(_ arguments: [String]) throws {
    let answer = try bulkhead(arguments + ["-c", file])
    #expect(answer.status == 111)
    #expect(answer.output.isEmpty)
    #expect(answer.errors.contains("nothing is running in \(directory.path)/run"), "\(answer.errors)")
  }

  @Test func `a socket that a dead supervisor left behind is nothing running`() throws {
    do {
      let socket = try HTTPServer(listen: .unix(path: directory.path + "/run/gone.sock", mode: 0o700)) { _ in
        .response(.text(""))
      }
      try FileManager.default.linkItem(
        atPath: directory.path + "/run/gone.sock", toPath: directory.path + "/run/supervisor.sock")
      socket.stop()
    }
    #expect(FileManager.default.fileExists(atPath: directory.path + "/run/supervisor.sock"))
    let answer = try bulkhead(["status", "-c", file])
    #expect(answer.status == 111)
    #expect(answer.errors.contains("nothing is running"))
  }

  @Test(arguments: [["dance"], ["status", "--loud"], ["tail"], ["pnl", "--by", "moon"], ["orders", "--limit", "0"]])
  func `a wrong command line exits with 64`(_ arguments: [String]) throws {
    let answer = try bulkhead(arguments + ["-c", file])
    #expect(answer.status == 64)
    #expect(answer.errors.contains("bulkhead help"))
  }

  @Test func `a wrong configuration exits with 100 and names its line`() throws {
    let wrong = try directory.configure("[scanner]\nfull_scan_s = soon\n")
    let answer = try bulkhead(["status", "-c", wrong])
    #expect(answer.status == 100)
    #expect(answer.errors.contains("supervisor.conf:5: [scanner] full_scan_s"), "\(answer.errors)")
    let missing = try bulkhead(["config", "-c", directory.path + "/none.conf"])
    #expect(missing.status == 100)
    #expect(missing.errors.contains("none.conf"))
  }

  @Test func `the configuration is found by BULKHEAD_CONF`() throws {
    let answer = try bulkhead(["config", "--json"], environment: ["BULKHEAD_CONF": file])
    #expect(answer.status == 0, "\(answer.errors)")
  }

  @Test func `every setting is shown with its value, unit and origin`() throws {
    let changed = try directory.configure("[scanner]\nfull_scan_s = 9\n")
    let answer = try bulkhead(
      ["config", "--json", "-c", changed], environment: ["BULKHEAD_EXECUTOR_LATENCY_MS": "77"])
    let rows = Array(try JSONDocument(answer.output).root.elements)
    func row(_ setting: String) -> JSONValue? { rows.first { $0["setting"]?.string == setting } }
    #expect(row("[scanner] full_scan_s")?["value"]?.string == "9")
    #expect(row("[scanner] full_scan_s")?["unit"]?.string == "s")
    #expect(row("[scanner] full_scan_s")?["origin"]?.string == "\(changed):5")
    #expect(row("[executor] latency_ms")?["value"]?.string == "77")
    #expect(row("[executor] latency_ms")?["origin"]?.string == "environment BULKHEAD_EXECUTOR_LATENCY_MS")
    #expect(row("[bus] reconnect_ms")?["origin"]?.string == "default")
    #expect(row("[bulkhead] run_dir")?["value"]?.string == directory.path + "/run")
  }

  @Test func `help and version need no configuration`() throws {
    let nowhere = ["BULKHEAD_CONF": "/nowhere"]
    #expect(try bulkhead([], environment: nowhere).output.contains("opportunities"))
    #expect(try bulkhead(["help", "tail"], environment: nowhere).output.contains("bulkhead tail NAME"))
    #expect(try bulkhead(["status", "--help"], environment: nowhere).output.contains("--json"))
    #expect(try bulkhead(["version"], environment: nowhere).output == "bulkhead \(BulkheadTool.version)\n")
  }

  @Test func `the last lines of a text`() {
    #expect(Command.lastLines(of: "a\nb\nc\n", 2) == "b\nc\n")
    #expect(Command.lastLines(of: "a\nb\nc", 2) == "b\nc")
    #expect(Command.lastLines(of: "a\n", 5) == "a\n")
    #expect(Command.lastLines(of: "", 5) == "")
  }

  // MARK: - With something that answers like a supervisor

  private static func process(_ name: String, _ group: String, _ state: String, pid: Int64) -> XMLRPCValue {
    [
      "name": .string(name), "group": .string(group), "statename": .string(state), "pid": .integer(pid),
      "restarts": 3, "ready": .boolean(state == "RUNNING"), "uptime_seconds": .double(12.5), "exitstatus": 0,
      "description": "", "status": "400 books",
    ]
  }

  private func fake(
    _ answer: @escaping @Sendable (XMLRPCCall) -> XMLRPCResponse? = { _ in nil }
  ) throws -> FakeSupervisor {
    try FakeSupervisor(path: directory.path + "/run/supervisor.sock") { call in
      if let given = answer(call) { return given }
      guard call.method == "supervisor.getAllProcessInfo" else { return .value(true) }
      return .value([
        Self.process("scanner", "scanner", "RUNNING", pid: 4711), Self.process("a", "g", "FATAL", pid: 0),
      ])
    }
  }

  @Test func `status tells every process in both forms`() throws {
    let supervisor = try fake()
    defer { supervisor.stop() }
    let answer = try bulkhead(["status", "--json", "-c", file])
    #expect(answer.status == 0, "\(answer.errors)")
    let rows = try JSONDecoder().decode([StatusRow].self, from: Data(answer.output.utf8))
    #expect(rows.map(\.name) == ["scanner", "a"])
    #expect(rows[0].pid == 4711)
    #expect(rows[0].state == "RUNNING")
    #expect(rows[0].uptime_seconds == 12.5)
    #expect(rows[0].restarts == 3)
    #expect(rows.map(\.ready) == [true, false])
    let table = try bulkhead(["status", "-c", file]).output.split(separator: "\n")
    #expect(table.count == 3)
    #expect(table[0].split(separator: " ") == ["NAME", "STATE", "PID", "UPTIME", "RESTARTS", "READY", "SHARD", "SAYS"])
    #expect(table[1].split(separator: " ") == ["scanner", "RUNNING", "4711", "0:12", "3", "yes", "–", "400", "books"])
  }

  @Test func `a plain name is asked for with its group`() throws {
    let supervisor = try fake()
    defer { supervisor.stop() }
    let answer = try bulkhead(["restart", "a", "-c", file])
    #expect(answer.status == 0, "\(answer.errors)")
    #expect(answer.output == "a: stopped\na: started\n")
    let calls = supervisor.calls.withLock { $0 }.filter { $0.method.hasSuffix("Process") }
    #expect(
      calls == [
        XMLRPCCall("supervisor.stopProcess", ["g:a", true]), XMLRPCCall("supervisor.startProcess", ["g:a", true]),
      ])
    let unknown = try bulkhead(["stop", "b", "-c", file])
    #expect(unknown.status == 64)
    #expect(unknown.errors.contains("no process b"))
  }

  @Test func `restarting what is stopped starts it, and a refused start fails`() throws {
    let supervisor = try fake { call in
      switch call.method {
      case "supervisor.stopProcess": .fault(code: 70, text: "NOT_RUNNING: a")
      case "supervisor.startProcess": .fault(code: 50, text: "SPAWN_ERROR: a")
      default: nil
      }
    }
    defer { supervisor.stop() }
    let answer = try bulkhead(["restart", "a", "-c", file])
    #expect(answer.status == 111)
    #expect(answer.errors == "bulkhead: a: SPAWN_ERROR: a\n")
  }

  @Test func `groups and all are one call each`() throws {
    let supervisor = try fake { call in
      guard call.method.hasPrefix("supervisor.st") else { return nil }
      return .value([["name": "a", "group": "g", "status": 80, "description": "OK"]])
    }
    defer { supervisor.stop() }
    #expect(try bulkhead(["stop", "g:*", "-c", file]).output == "a: stopped\n")
    #expect(try bulkhead(["start", "all", "-c", file]).output == "a: started\n")
    #expect(
      supervisor.calls.withLock { $0 } == [
        XMLRPCCall("supervisor.stopProcessGroup", ["g", true]), XMLRPCCall("supervisor.startAllProcesses", [true]),
      ])
  }

  @Test func `tail shows the last lines, of the stream that has any`() throws {
    let supervisor = try fake { call in
      switch call.method {
      case "supervisor.tailProcessStdoutLog": .value(["", 0, false])
      case "supervisor.tailProcessStderrLog": .value(["one\ntwo\nthree\n", 14, false])
      default: nil
      }
    }
    defer { supervisor.stop() }
    #expect(try bulkhead(["tail", "scanner", "-n", "2", "-c", file]).output == "two\nthree\n")
    #expect(try bulkhead(["tail", "scanner", "stdout", "-c", file]).output == "")
    #expect(try bulkhead(["tail", "scanner", "stdin", "-c", file]).status == 64)
  }

  // MARK: - run

  @Test func `run does not start a second group in the same place`() throws {
    let supervisor = try fake()
    defer { supervisor.stop() }
    let answer = try bulkhead(["run", "--for", "1", "-c", file])
    #expect(answer.status == 111)
    #expect(answer.errors.contains("runs already"))
  }

  @Test(arguments: [(100, 100), (3, 111)])
  func `run tells why the supervisor could not start`(_ code: Int, _ status: Int32) throws {
    let binaries = directory.path + "/bin"
    try FileManager.default.createDirectory(atPath: binaries, withIntermediateDirectories: true)
    let script = "#!/bin/sh\necho \"called with $*\" >&2\necho \"no such user\" >&2\nexit \(code)\n"
    try script.write(toFile: binaries + "/supervisor", atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: binaries + "/supervisor")
    let answer = try bulkhead(["run", "-c", file], environment: ["BULKHEAD_BIN": binaries])
    #expect(answer.status == status)
    #expect(answer.errors.contains("called with -n -c \(file)"), "\(answer.errors)")
    #expect(answer.errors.contains("no such user"))
  }

  @Test func `run says when there is no supervisor to start`() throws {
    let answer = try bulkhead(["run", "-c", file], environment: ["BULKHEAD_BIN": directory.path])
    #expect(answer.status == 111)
    #expect(answer.errors.contains("\(directory.path)/supervisor"), "\(answer.errors)")
  }
}
