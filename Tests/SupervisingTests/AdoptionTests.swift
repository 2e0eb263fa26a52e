import Foundation
import Glibc
import Testing
import Web

/// What becomes of the processes when the supervisor is killed.
@Suite(.serialized) struct AdoptionTests {
  private func sleeper(_ name: String, _ more: String = "") -> String {
    "[program:\(name)]\ncommand=/bin/sleep 1000\nstartsecs=0\n\(more)\n"
  }

  private let alone = "[bulkhead:supervisor]\nstandby=false\n"

  @Test func `the standby takes the place of a killed supervisor and adopts`() throws {
    let supervisor = try RunningSupervisor(sleeper("a") + sleeper("b"))
    let pids = [try supervisor.spawned("a"), try supervisor.spawned("b")]
    try supervisor.waitUntil { supervisor.file("var/run/supervisor.state").contains("standby") }
    supervisor.killHard()
    for (name, pid) in zip(["a", "b"], pids) {
      try supervisor.line("process adopted", "name=\(name) ", "pid=\(pid)", within: 20)
    }
    #expect(supervisor.currentPid != supervisor.pid)
    let all = try supervisor.value("supervisor.getAllProcessInfo").array ?? []
    #expect(all.map { $0["pid"]?.integer } == pids.map(Int64.init))
    #expect(all.map { $0["restarts"]?.integer } == [0, 0])
    #expect(all.map { $0["statename"]?.string } == ["RUNNING", "RUNNING"])
    kill(pids[0], SIGKILL)
    let next = try supervisor.spawned("a", within: 20)
    try until { supervisor.copies(of: "a:a") == [next] }
    #expect(try supervisor.value("supervisor.stopProcess", "b").boolean == true)
    #expect(!isAlive(pids[1]))
  }

  @Test func `without a standby the processes live on, and the next supervisor adopts them`() throws {
    let supervisor = try RunningSupervisor(sleeper("a") + sleeper("b", "priority=1") + alone)
    let b = try supervisor.spawned("b")
    let a = try supervisor.spawned("a")
    try supervisor.line("name=a", "to=RUNNING")
    #expect(try supervisor.value("supervisor.stopProcess", "a").boolean == true)
    #expect(!supervisor.file("var/run/supervisor.state").contains("standby\t"))
    supervisor.killHard()
    #expect(isAlive(b) && !isAlive(a))
    let next = try RunningSupervisor(sleeper("a") + sleeper("b", "priority=1") + alone, directory: supervisor.directory)
    try next.line("process adopted", "name=b ", "pid=\(b)", within: 20)
    let all = try next.value("supervisor.getAllProcessInfo").array ?? []
    // Stopped by request, it stays stopped.
    #expect(all.map { $0["statename"]?.string } == ["STOPPED", "RUNNING"])
    kill(next.pid, SIGTERM)
    #expect(try next.end() == 0)
    #expect(!isAlive(b))
    #expect(!FileManager.default.fileExists(atPath: next.directory + "/var/run/supervisor.state"))
  }

  @Test func `exit code 100 of an adopted process is respected`() throws {
    let script = "while ! test -e DIR/go; do sleep 0.02; done; exit 100"
    let supervisor = try RunningSupervisor(
      "[program:cfg]\ncommand=/bin/sh -c '\(script)'\nstartsecs=0\nautorestart=true\n" + sleeper("b"))
    let pid = try supervisor.spawned("cfg")
    try supervisor.waitUntil { supervisor.file("var/run/supervisor.state").contains("standby\t") }
    supervisor.killHard()
    try supervisor.line("process adopted", "name=cfg", "pid=\(pid)", within: 20)
    _ = FileManager.default.createFile(atPath: supervisor.directory + "/go", contents: nil)
    try supervisor.line("name=cfg", "to=FATAL", within: 20)
    #expect(supervisor.copies(of: "cfg:cfg").isEmpty)
    // FATAL stays FATAL.
    let stand = try #require(supervisor.currentPid)
    try supervisor.waitUntil { supervisor.file("var/run/supervisor.state").contains("\tcfg\t200\t") }
    kill(stand, SIGKILL)
    try supervisor.line("process adopted", "name=b", within: 20)
    let info = try supervisor.value("supervisor.getProcessInfo", "cfg")
    #expect(info["statename"]?.string == "FATAL")
    #expect(info["exitstatus"]?.integer == 100)
  }

  @Test func `a process that is not configured any more is stopped, one that has changed is started anew`() throws {
    let supervisor = try RunningSupervisor(sleeper("gone") + sleeper("kept") + sleeper("other") + alone)
    let gone = try supervisor.spawned("gone")
    let kept = try supervisor.spawned("kept")
    let other = try supervisor.spawned("other")
    try supervisor.line("name=other", "to=RUNNING")
    _ = try supervisor.value("supervisor.getPID")
    supervisor.killHard()
    let next = try RunningSupervisor(
      sleeper("kept") + sleeper("other", "environment=A=\"1\"") + sleeper("fresh") + alone,
      directory: supervisor.directory)
    try next.line("not configured any more", "name=gone", within: 20)
    _ = try next.spawned("fresh", within: 20)
    try until { !isAlive(gone) && !isAlive(other) }
    try until { next.copies(of: "other:other").count == 1 }
    #expect(next.copies(of: "kept:kept") == [kept])
    try next.waitUntil {
      let names = try next.value("supervisor.getAllProcessInfo").array?.compactMap { $0["name"]?.string } ?? []
      return names == ["fresh", "kept", "other"]
    }
  }

  @Test func `a pid that belongs to somebody else by now is not believed`() throws {
    let supervisor = try RunningSupervisor(sleeper("a") + alone)
    let a = try supervisor.spawned("a")
    try supervisor.line("name=a", "to=RUNNING")
    _ = try supervisor.value("supervisor.getPID")
    supervisor.killHard()
    kill(a, SIGKILL)
    // The same number, as the state file has it, now means this test's own child.
    // It began in another tick of the kernel's clock, of which there are a hundred in a second.
    let began = Date()
    try until { Date().timeIntervalSince(began) > 0.05 }
    var stranger: Int32 = 0
    var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("1000"), nil]
    defer { arguments.forEach { free($0) } }
    try #require(posix_spawn(&stranger, "/bin/sleep", nil, nil, &arguments, nil) == 0)
    defer {
      kill(stranger, SIGKILL)
      waitpid(stranger, nil, 0)
    }
    let path = supervisor.directory + "/var/run/supervisor.state"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    try text.replacingOccurrences(of: "\t\(a)\t", with: "\t\(stranger)\t")
      .write(toFile: path, atomically: true, encoding: .utf8)
    let next = try RunningSupervisor(sleeper("a") + alone, directory: supervisor.directory)
    let second = try next.spawned("a", within: 20)
    #expect(second != stranger)
    try until { next.copies(of: "a:a") == [second] }
    kill(next.pid, SIGTERM)
    #expect(try next.end() == 0)
    #expect(isAlive(stranger))
  }

  @Test func `a child that nobody wrote down is found by its mark`() throws {
    let supervisor = try RunningSupervisor(sleeper("a") + alone)
    let a = try supervisor.spawned("a")
    try supervisor.line("name=a", "to=RUNNING")
    _ = try supervisor.value("supervisor.getPID")
    supervisor.killHard()
    let path = supervisor.directory + "/var/run/supervisor.state"
    let lines = try String(contentsOfFile: path, encoding: .utf8).components(separatedBy: "\n")
    try lines.filter { !$0.hasPrefix("process") }.joined(separator: "\n")
      .write(toFile: path, atomically: true, encoding: .utf8)
    let next = try RunningSupervisor(sleeper("a") + alone, directory: supervisor.directory)
    try next.line("process adopted", "name=a ", "pid=\(a)", within: 20)
    #expect(next.copies(of: "a:a") == [a])
  }

  @Test func `a newcomer displaces a stand-in, but not a regular supervisor`() throws {
    let supervisor = try RunningSupervisor(sleeper("a"))
    let a = try supervisor.spawned("a")
    try supervisor.waitUntil { supervisor.file("var/run/supervisor.state").contains("standby\t") }
    let refused = try RunningSupervisor(sleeper("a"), directory: supervisor.directory, isGuest: true)
    #expect(try refused.end() == 111)
    #expect(refused.lines.contains { $0.contains("another supervisor runs here") })
    supervisor.killHard()
    try supervisor.line("process adopted", "name=a ", "pid=\(a)", within: 20)
    let stand = try #require(supervisor.currentPid)
    let next = try RunningSupervisor(sleeper("a"), directory: supervisor.directory)
    try next.line("process adopted", "name=a ", "pid=\(a)", within: 20)
    try until { !isAlive(stand) }
    #expect(next.currentPid == next.pid)
    #expect(next.copies(of: "a:a") == [a])
    kill(next.pid, SIGTERM)
    #expect(try next.end() == 0)
    #expect(!isAlive(a))
  }

  @Test func `a killed standby is followed by another, and an orderly end leaves none`() throws {
    let supervisor = try RunningSupervisor(sleeper("a"))
    func standby() -> Int32? {
      let lines = supervisor.file("var/run/supervisor.state").components(separatedBy: "\n")
      return lines.first { $0.hasPrefix("standby\t") }.flatMap { Int32($0.components(separatedBy: "\t")[1]) }
    }
    _ = try supervisor.spawned("a")
    try supervisor.waitUntil { standby() != nil }
    let first = try #require(standby())
    kill(first, SIGKILL)
    try supervisor.line("standby has ended", within: 20)
    var second = first
    // Read once: between two readings the state may come to have no standby.
    try until {
      second = standby() ?? first
      return second != first
    }
    kill(supervisor.pid, SIGTERM)
    #expect(try supervisor.end() == 0)
    #expect(!isAlive(second))
  }

  @Test func `killed while it shuts down, a supervisor is followed by one that ends what it began`() throws {
    let deaf = "/bin/sh -c 'trap \"\" TERM; echo up; while :; do sleep 1000; done'"
    let supervisor = try RunningSupervisor(
      "[program:x]\ncommand=\(deaf)\nstartsecs=0\nstopwaitsecs=2\nstdout_logfile=DIR/out\n" + sleeper("a", "priority=1")
    )
    let a = try supervisor.spawned("a")
    let x = try supervisor.spawned("x")
    try supervisor.waitUntil { supervisor.file("out") == "up\n" }
    kill(supervisor.pid, SIGTERM)
    try supervisor.line("name=x", "to=STOPPING")
    try until { supervisor.file("var/run/supervisor.state").contains("shutdown\t1") }
    supervisor.killHard()
    try supervisor.line("supervisor ends", within: 20)
    #expect(!isAlive(a) && !isAlive(x))
  }

  @Test func `killed again and again at any moment, there is never a second copy`() throws {
    var text = ""
    for number in 0..<6 { text += sleeper("s\(number)") }
    // These come and go all the time, so that many kills fall into a spawn.
    for number in 0..<4 {
      text +=
        "[program:q\(number)]\ncommand=/bin/sleep 0.0\(number + 1)\nstartsecs=0\nautorestart=true\n"
        + "[bulkhead:program:q\(number)]\nrestarts_max=100000\n"
    }
    let supervisor = try RunningSupervisor(text)
    for number in 0..<6 { _ = try supervisor.spawned("s\(number)") }
    try until { supervisor.file("var/run/supervisor.state").contains("standby\t") }
    let sleepers = supervisor.copies().filter { pid in
      (0..<6).contains { supervisor.copies(of: "s\($0):s\($0)").contains(pid) }
    }
    #expect(sleepers.count == 6)
    var random = SystemRandomNumberGenerator()
    supervisor.killHard()
    for _ in 0..<20 {
      // The standby writes the pid file, and a little later has one of its own.
      try until { supervisor.currentPid.map(isAlive) == true }
      let stand = try #require(supervisor.currentPid)
      usleep(UInt32.random(in: 0..<60_000, using: &random))
      for number in 0..<6 { #expect(supervisor.copies(of: "s\(number):s\(number)").count == 1) }
      for number in 0..<4 { #expect(supervisor.copies(of: "q\(number):q\(number)").count <= 1) }
      let hasStandby = supervisor.file("var/run/supervisor.state").contains("standby\t")
      guard hasStandby, supervisor.standbyOf(stand) != nil else { continue }
      kill(stand, SIGKILL)
      try until { !isAlive(stand) }
    }
    try until { supervisor.currentPid.map(isAlive) == true }
    #expect(Set(sleepers) == Set((0..<6).flatMap { supervisor.copies(of: "s\($0):s\($0)") }))
  }

  @Test func `what was removed, or not yet added, stays so when the standby takes over`() throws {
    let supervisor = try RunningSupervisor(sleeper("a") + sleeper("gone"))
    let a = try supervisor.spawned("a")
    _ = try supervisor.spawned("gone")
    #expect(try supervisor.value("supervisor.stopProcess", "gone").boolean == true)
    #expect(try supervisor.value("supervisor.removeProcessGroup", "gone").boolean == true)
    try (sleeper("a") + sleeper("gone") + sleeper("new")).write(
      toFile: supervisor.directory + "/supervisor.conf", atomically: true, encoding: .utf8)
    try until { supervisor.file("var/run/supervisor.state").contains("standby\t") }
    supervisor.killHard()
    try supervisor.line("process adopted", "name=a ", "pid=\(a)")
    let all = try supervisor.value("supervisor.getAllProcessInfo").array ?? []
    #expect(all.compactMap { $0["name"]?.string } == ["a"])
    #expect(try supervisor.value("supervisor.addProcessGroup", "new").boolean == true)
    _ = try supervisor.spawned("new")
  }

  @Test func `a stand-in waits until a broken configuration is mended, and adopts then`() throws {
    let supervisor = try RunningSupervisor(sleeper("a"))
    let a = try supervisor.spawned("a")
    try until { supervisor.file("var/run/supervisor.state").contains("standby\t") }
    let path = supervisor.directory + "/supervisor.conf"
    try (sleeper("a") + "startsecs=soon\n").write(toFile: path, atomically: true, encoding: .utf8)
    supervisor.killHard()
    try supervisor.line("nobody is supervised until the configuration is mended", "startsecs")
    #expect(isAlive(a))
    try sleeper("a").write(toFile: path, atomically: true, encoding: .utf8)
    try supervisor.line("process adopted", "name=a ", "pid=\(a)")
    kill(a, SIGKILL)
    _ = try supervisor.spawned("a")
  }
}
