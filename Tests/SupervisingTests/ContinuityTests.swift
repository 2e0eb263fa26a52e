import Foundation
import Glibc
import Supervising
import Testing
import Web

/// The supervisor as a process: executed anew, as a daemon, as the first process.
@Suite(.serialized) struct ContinuityTests {
  private func sleeper(_ name: String, _ more: String = "") -> String {
    "[program:\(name)]\ncommand=/bin/sleep 1000\nstartsecs=0\n\(more)\n"
  }

  private func write(_ text: String, _ supervisor: RunningSupervisor) throws {
    try text.write(toFile: supervisor.directory + "/supervisor.conf", atomically: true, encoding: .utf8)
  }

  @Test func `executed anew it keeps its pid and its processes, and does what the file says now`() throws {
    let supervisor = try RunningSupervisor(sleeper("kept") + sleeper("gone") + sleeper("changed"))
    let changed = try supervisor.spawned("changed")
    let gone = try supervisor.spawned("gone")
    let kept = try supervisor.spawned("kept")
    try supervisor.waitUntil { supervisor.standbyOf(supervisor.pid) != nil }
    let standby = supervisor.standbyOf(supervisor.pid)
    try write(sleeper("kept") + sleeper("changed", "umask=077") + sleeper("new"), supervisor)
    #expect(try supervisor.value("supervisor.restart").boolean == true)
    try supervisor.line("process adopted", "name=kept ", "pid=\(kept)", within: 20)
    _ = try supervisor.spawned("new", within: 20)
    try until { !isAlive(gone) && !isAlive(changed) && supervisor.copies(of: "changed:changed").count == 1 }
    #expect(try supervisor.value("supervisor.getPID").integer == Int64(supervisor.pid))
    try until { supervisor.copies(of: "kept:kept") == [kept] }
    #expect(supervisor.standbyOf(supervisor.pid) == standby)
    // They are still its children: it knows how they end.
    kill(kept, SIGKILL)
    _ = try supervisor.spawned("kept", within: 20)
    kill(supervisor.pid, SIGTERM)
    #expect(try supervisor.end() == 0)
    #expect(supervisor.copies().isEmpty)
  }

  @Test func `a wrong configuration is refused, and everything goes on`() throws {
    let supervisor = try RunningSupervisor(sleeper("a"))
    let a = try supervisor.spawned("a")
    _ = try supervisor.value("supervisor.getPID")
    try write(sleeper("a") + "[program:b]\ncommand=/bin/true\nstartsecs=soon\n", supervisor)
    kill(supervisor.pid, SIGHUP)
    try supervisor.line("supervisor.conf:7", "startsecs", within: 20)
    try supervisor.line("everything goes on as it was", within: 20)
    guard case .fault = try supervisor.call("supervisor.restart") else {
      Issue.record("a restart with a wrong configuration is promised")
      return
    }
    #expect(try supervisor.value("supervisor.getProcessInfo", "a")["pid"]?.integer == Int64(a))
  }

  @Test func `with nodaemon = false it leaves the foreground when it runs`() throws {
    let supervisor = try RunningSupervisor(
      "[supervisord]\nnodaemon=false\nlogfile=DIR/own.log\n" + sleeper("a"), foreground: false)
    #expect(try supervisor.end() == 0)
    let daemon = try #require(supervisor.currentPid)
    #expect(daemon != supervisor.pid && isAlive(daemon) && getsid(daemon) == daemon)
    #expect(supervisor.file("own.log").contains("process spawned"))
    kill(daemon, SIGTERM)
    try until { !isAlive(daemon) }
    #expect(supervisor.copies().isEmpty)
  }

  @Test func `a daemon that cannot start tells by its exit code`() throws {
    let first = try RunningSupervisor(sleeper("a"))
    _ = try first.spawned("a")
    let second = try RunningSupervisor(
      "[supervisord]\nnodaemon=false\n[bulkhead]\nrun_dir=\(first.directory)/var/run\n", foreground: false)
    #expect(try second.end() == 111)
  }

  @Test func `as the first process it reaps everybody's orphans, and ends all`() throws {
    let probe = try RunningCommand("/usr/bin/unshare", ["--pid", "--fork", "--mount-proc", "/bin/true"])
    guard try probe.end() == 0 else {
      print("skipped: this host does not permit a name space of processes")
      return
    }
    let directory = "/tmp/supervising-\(UUID().uuidString.prefix(13))"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let script = "for i in 1 2 3; do (sleep 0.0$i &); done; echo $$ > \(directory)/up; exec sleep 1000"
    try "[program:a]\ncommand=/bin/sh -c '\(script)'\nstartsecs=0\n"
      .write(toFile: directory + "/supervisor.conf", atomically: true, encoding: .utf8)
    let unshare = try RunningCommand(
      "/usr/bin/unshare",
      [
        "--pid", "--fork", "--mount-proc", "--kill-child", RunningSupervisor.program, "-n", "-c",
        directory + "/supervisor.conf",
      ])
    func children(_ pid: Int32) -> [Int32] {
      let text = (try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)) ?? ""
      return text.split(separator: " ").compactMap { Int32($0) }
    }
    try until { FileManager.default.contents(atPath: directory + "/up")?.isEmpty == false }
    let first = try #require(children(unshare.pid).first)
    let child = try #require(children(first).first)
    // The orphans came to it, ended and are gone; no standby, which would die with it.
    try until { children(first) == [child] }
    kill(first, SIGTERM)
    #expect(try unshare.end() == 0)
    #expect(!isAlive(child))
  }
}

/// What a program may use.
@Suite(.serialized) struct LimitTests {
  @Test func `limits are set before the program runs`() throws {
    let supervisor = try RunningSupervisor(
      "[program:a]\ncommand=/bin/sh -c \"ulimit -n; nice; taskset -p $$; ulimit -d\"\nstartsecs=0\nautorestart=false\n"
        + "stdout_logfile=DIR/out\n"
        + "[bulkhead:program:a]\nmemory_max=256MB\ncgroup=off\nopen_files_max=77\ncpus=0\nnice=5\n")
    try supervisor.line("name=a", "to=EXITED")
    kill(supervisor.pid, SIGTERM)
    try supervisor.end()
    let lines = supervisor.file("out").split(separator: "\n").map(String.init)
    #expect(lines.first == "77" && lines.last == "262144")
    #expect(lines.contains("5") && lines.contains { $0.hasSuffix("mask: 1") })
  }

  @Test func `a process that takes more memory than it gets is ended, and it is told why`() throws {
    let eat = "b=[bytearray(b\\\"x\\\")*(1<<20) for _ in range(600)]; import time; time.sleep(1000)"
    let supervisor = try RunningSupervisor(
      "[program:eat]\ncommand=/usr/bin/python3 -c \"\(eat)\"\nstartsecs=0\nautorestart=false\n"
        + "[bulkhead:program:eat]\nmemory_max=64MB\ncgroup=on\n")
    do {
      try supervisor.line("name=eat", "to=EXITED", within: 20)
    } catch {
      guard supervisor.lines.contains(where: { $0.contains("cannot be spawned") && $0.contains("group") }) else {
        throw error
      }
      print("skipped: this host gives no control group")
      return
    }
    try supervisor.line("name=eat", "more memory than memory_max", within: 20)
    let info = try supervisor.value("supervisor.getProcessInfo", "eat")
    #expect(info["spawnerr"]?.string?.contains("memory_max") == true)
  }

  @Test(
    arguments: [
      ("0", [0]), ("0,2-3", [0, 2, 3]), ("3,1", [1, 3]), ("1-1", [1]), ("", nil), ("2-1", nil), ("a", nil), ("-1", nil),
      ("1,", nil), ("0-9999", nil),
    ] as [(String, [Int]?)])
  func `processors are read as the kernel writes them`(text: String, expected: [Int]?) {
    #expect(ResourceLimits.cpus(text) == expected)
  }
}

/// What a supervisor leaves for the next.
@Suite struct SavedStateTests {
  @Test func `a saved state is read as it was written`() throws {
    var process = SavedState.Process()
    process.group = "g"
    process.name = "n"
    process.state = .running
    process.pid = 7
    process.startTicks = 12
    process.restarts = 3
    process.startedAt = 5
    process.isReady = true
    process.fingerprint = "abc"
    process.exitStatus = 256
    process.spawnError = "a\tb\nc"
    var state = SavedState()
    state.bootID = "x-y"
    state.scales = ["p": 4]
    state.standby = SavedState.Identity(pid: 9, startTicks: 10)
    state.processes = [process]
    let read = try #require(SavedState(text: state.text))
    process.spawnError = "a b c"
    state.processes = [process]
    #expect(read == state)
    #expect(SavedState(text: String(state.text.dropLast(1))) == nil)
    #expect(SavedState(text: "") == nil)
    #expect(SavedState(text: state.text.replacingOccurrences(of: "\t7\t", with: "\tseven\t")) == nil)
  }
}
