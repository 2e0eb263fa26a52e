import Bus
import Foundation
import Glibc
import Testing
import Web

/// The control interface of the built executable.
@Suite(.serialized) struct ControlTests {
  private static let configuration = """
    [supervisord]
    identifier=testing
    [program:a]
    command=/bin/sh -c 'echo one; echo two; exec sleep 1000'
    startsecs=0
    stdout_logfile=DIR/a.log
    [program:pair]
    command=/bin/sleep 1000
    process_name=%(program_name)s_%(process_num)d
    numprocs=2
    autostart=false
    startsecs=1
    [program:bad]
    command=/bin/sh -c 'exit 3'
    autostart=false
    startretries=0
    [program:slow]
    command=/bin/sh -c 'trap "sleep 0.3; exit 0" TERM; echo up; while :; do sleep 0.05; done'
    startsecs=0
    """

  private func fault(_ response: XMLRPCResponse) -> Int64? {
    if case .fault(let code, _) = response { code } else { nil }
  }

  private func running() throws -> RunningSupervisor {
    let supervisor = try RunningSupervisor(Self.configuration)
    try supervisor.line("name=slow", "to=RUNNING")
    return supervisor
  }

  @Test func `it says what it is`() throws {
    let supervisor = try running()
    #expect(try supervisor.value("supervisor.getAPIVersion").string == "3.0")
    #expect(try supervisor.value("supervisor.getSupervisorVersion").string == "4.2.5")
    #expect(try supervisor.value("supervisor.getIdentification").string == "testing")
    #expect(try supervisor.value("supervisor.getPID").integer == Int64(supervisor.pid))
    #expect(try supervisor.value("supervisor.getState") == ["statecode": 1, "statename": "RUNNING"])
    let methods = try supervisor.value("system.listMethods").array ?? []
    #expect(methods.contains("supervisor.startProcess"))
    let mode = try FileManager.default.attributesOfItem(atPath: supervisor.directory + "/var/run/supervisor.sock")
    #expect(mode[.posixPermissions] as? Int == 0o700)
  }

  @Test func `it tells of every process in supervisord's fields and ours`() throws {
    let supervisor = try running()
    let all = try supervisor.value("supervisor.getAllProcessInfo").array ?? []
    #expect(all.map { $0["name"]?.string } == ["a", "bad", "pair_0", "pair_1", "slow"])
    #expect(all[2]["group"]?.string == "pair")
    #expect(all[2]["statename"]?.string == "STOPPED")
    #expect(all[2]["description"]?.string == "Not started")
    let first = all[0]
    for field in ["start", "stop", "now", "state", "pid", "exitstatus", "restarts"] {
      #expect(first[field]?.integer != nil, "\(field)")
    }
    for field in ["description", "spawnerr", "logfile", "stdout_logfile", "stderr_logfile", "statename"] {
      #expect(first[field]?.string != nil, "\(field)")
    }
    #expect(first["state"]?.integer == 20)
    #expect(first["ready"]?.boolean == true)
    #expect(first["description"]?.string?.hasPrefix("pid \(first["pid"]?.integer ?? 0), uptime 0:00:0") == true)
    guard case .double(let uptime)? = first["uptime_seconds"] else { throw Timeout(description: "no uptime") }
    #expect((0...60).contains(uptime))
  }

  @Test func `a start that waits is answered when the process is running`() throws {
    let supervisor = try running()
    let began = Date()
    #expect(try supervisor.value("supervisor.startProcess", "pair:pair_0").boolean == true)
    #expect(Date().timeIntervalSince(began) >= 0.9)
    #expect(try supervisor.value("supervisor.getProcessInfo", "pair:pair_0")["statename"]?.string == "RUNNING")
    #expect(try supervisor.value("supervisor.startProcess", "pair:pair_1", false).boolean == true)
    #expect(try supervisor.value("supervisor.getProcessInfo", "pair:pair_1")["statename"]?.string == "STARTING")
    #expect(fault(try supervisor.call("supervisor.startProcess", "bad")) == 50)
    #expect(fault(try supervisor.call("supervisor.startProcess", "a")) == 60)
    #expect(fault(try supervisor.call("supervisor.startProcess", "nope")) == 10)
    #expect(fault(try supervisor.call("supervisor.startProcess", "pair:nope")) == 10)
  }

  @Test func `a stop that waits does not keep others waiting`() throws {
    let supervisor = try running()
    try supervisor.waitUntil {
      try supervisor.value("supervisor.readProcessStdoutLog", "slow", 0, 0).string == "up\n"
    }
    #expect(try supervisor.value("supervisor.stopProcess", "slow", false).boolean == true)
    #expect(try supervisor.value("supervisor.getProcessInfo", "slow")["statename"]?.string == "STOPPING")
    #expect(fault(try supervisor.call("supervisor.stopProcess", "slow")) == 70)
    // A start that is asked for while it stops is answered when it is up again.
    #expect(try supervisor.value("supervisor.startProcess", "slow").boolean == true)
    #expect(try supervisor.value("supervisor.stopProcess", "slow").boolean == true)
    #expect(try supervisor.value("supervisor.getProcessInfo", "slow")["statename"]?.string == "STOPPED")
    #expect(fault(try supervisor.call("supervisor.stopProcess", "slow")) == 70)
  }

  @Test func `groups and all processes are started and stopped, each with its answer`() throws {
    let supervisor = try running()
    let started = try supervisor.value("supervisor.startProcessGroup", "pair").array ?? []
    #expect(started.map { $0["name"]?.string } == ["pair_0", "pair_1"])
    #expect(started.allSatisfy { $0["status"]?.integer == 80 && $0["description"]?.string == "OK" })
    #expect(try supervisor.value("supervisor.stopProcess", "pair:*").array?.count == 2)
    #expect(try supervisor.value("supervisor.stopProcessGroup", "pair").array?.isEmpty == true)
    #expect(fault(try supervisor.call("supervisor.stopProcessGroup", "nope")) == 10)
    #expect(try supervisor.value("supervisor.stopAllProcesses").array?.count == 2)
    let all = try supervisor.value("supervisor.startAllProcesses").array ?? []
    #expect(all.map { $0["status"]?.integer } == [80, 80, 50, 80, 80])
    #expect(all.map { $0["name"]?.string } == ["a", "slow", "bad", "pair_0", "pair_1"])
  }

  @Test func `signals reach a process`() throws {
    let supervisor = try running()
    let pid = try supervisor.value("supervisor.getProcessInfo", "a")["pid"]?.integer
    #expect(try supervisor.value("supervisor.signalProcess", "a", "KILL").boolean == true)
    try supervisor.line("name=a", "from=STARTING to=RUNNING")
    #expect(try supervisor.value("supervisor.getProcessInfo", "a")["pid"]?.integer != pid)
    #expect(fault(try supervisor.call("supervisor.signalProcess", "a", "BLUE")) == 11)
    #expect(fault(try supervisor.call("supervisor.signalProcess", "bad", "HUP")) == 70)
  }

  @Test func `logs are read and tailed by supervisord's rules`() throws {
    let supervisor = try running()
    try supervisor.waitUntil {
      try supervisor.value("supervisor.readProcessStdoutLog", "a", 0, 0).string == "one\ntwo\n"
    }
    #expect(try supervisor.value("supervisor.readProcessStdoutLog", "a", 4, 3).string == "two")
    #expect(try supervisor.value("supervisor.readProcessStdoutLog", "a", -4, 0).string == "two\n")
    #expect(fault(try supervisor.call("supervisor.readProcessStdoutLog", "a", -4, 1)) == 3)
    #expect(fault(try supervisor.call("supervisor.readProcessStdoutLog", "bad", 0, 0)) == 20)
    #expect(try supervisor.value("supervisor.tailProcessStdoutLog", "a", 0, 4) == ["two\n", 8, true])
    #expect(try supervisor.value("supervisor.tailProcessStdoutLog", "a", 0, 100) == ["one\ntwo\n", 8, false])
    #expect(try supervisor.value("supervisor.tailProcessStdoutLog", "bad", 0, 100) == ["", 0, false])
  }

  @Test func `several calls go in one, and wrong ones are faults`() throws {
    let supervisor = try running()
    let calls: XMLRPCValue = [
      ["methodName": "supervisor.stopProcess", "params": ["a"]],
      ["methodName": "supervisor.getProcessInfo", "params": ["nope"]],
      ["methodName": "system.multicall", "params": [[]]],
      ["methodName": "supervisor.getAPIVersion", "params": []],
    ]
    let results = try supervisor.value("system.multicall", calls).array ?? []
    #expect(results.count == 4)
    #expect(results[0].boolean == true)
    #expect(results[1]["faultCode"]?.integer == 10)
    #expect(results[1]["faultString"]?.string == "BAD_NAME: nope")
    #expect(results[2]["faultCode"]?.integer == 2)
    #expect(results[3].string == "3.0")
    #expect(fault(try supervisor.call("supervisor.nope")) == 1)
    #expect(fault(try supervisor.call("supervisor.getPID", 1)) == 2)
    #expect(fault(try supervisor.call("supervisor.startProcess", 1)) == 2)
  }

  @Test func `calls that wait for each other go one after the other, each once`() throws {
    let supervisor = try running()
    let pid = try supervisor.value("supervisor.getProcessInfo", "slow")["pid"]?.integer
    let stop: XMLRPCValue = ["methodName": "supervisor.stopProcess", "params": ["slow"]]
    let start: XMLRPCValue = ["methodName": "supervisor.startProcess", "params": ["slow"]]
    #expect(try supervisor.value("system.multicall", [stop, start, stop, start]) == [true, true, true, true])
    #expect(try supervisor.value("supervisor.getProcessInfo", "slow")["pid"]?.integer != pid)
    _ = try supervisor.value("supervisor.shutdown")
    #expect(try supervisor.end() == 0)
    #expect(supervisor.lines.filter { $0.contains("process spawned name=slow") }.count == 3)
  }

  @Test func `shutdown is answered, and then everything ends`() throws {
    let supervisor = try running()
    #expect(try supervisor.value("supervisor.shutdown").boolean == true)
    #expect(try supervisor.end() == 0)
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/supervisorctl")))
  func `the stock client speaks with it`() throws {
    let supervisor = try running()
    func control(_ arguments: String...) throws -> String {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/supervisorctl")
      process.arguments = ["-s", "unix://\(supervisor.directory)/var/run/supervisor.sock"] + arguments
      let output = Pipe()
      process.standardOutput = output
      process.currentDirectoryURL = URL(fileURLWithPath: supervisor.directory)
      try process.run()
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      return text
    }
    #expect(try control("status").contains("pair:pair_0"))
    #expect(try control("restart", "a") == "a: stopped\na: started\n")
    #expect(try control("start", "pair:*").contains("pair:pair_1: started"))
    #expect(try control("start", "bad") == "bad: ERROR (spawn error)\n")
    #expect(try control("tail", "a").hasPrefix("one\ntwo\n"))
    #expect(try control("shutdown") == "Shut down\n")
    #expect(try supervisor.end() == 0)
  }

  @Test func `the bus tells whoever joins of every process, and of each change`() throws {
    let supervisor = try running()
    let run = supervisor.directory + "/var/run"
    let subscriber = try Subscriber(name: "test", topics: [Topic.process])
    try subscriber.connect(BusEndpoint.ipc(name: "supervisor", runDirectory: run))
    var seen: [String: ProcessMessage] = [:]
    let poller = Poller()
    poller.add(subscriber)
    func receive(until condition: () -> Bool) throws {
      let limit = Date().addingTimeInterval(60)
      while !condition() {
        guard Date() < limit else { throw Timeout(description: "not on the bus: \(seen)") }
        poller.wait(timeoutMilliseconds: 500)
        subscriber.receive { event in
          guard case .message(_, _, _, var reader) = event, let message = try? ProcessMessage(&reader) else { return }
          seen[message.name] = message
        }
      }
    }
    try receive { seen.count == 5 }
    #expect(seen["pair_1"]?.state == "STOPPED")
    let first = try #require(seen["a"])
    #expect(first.state == "RUNNING")
    kill(first.pid, SIGKILL)
    try receive { seen["a"]?.restarts == 1 && seen["a"]?.state == "RUNNING" }
    #expect(seen["a"]?.pid != first.pid)
    #expect(seen["a"]?.exitStatus == -1)
  }
}
