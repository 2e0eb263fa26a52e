import Foundation
import Glibc
import Testing
import Web

/// The built executable with real children.
@Suite(.serialized) struct SupervisorTests {
  private func sleeper(_ name: String, _ more: String = "") -> String {
    "[program:\(name)]\ncommand=/bin/sleep 1000\nstartsecs=0\n\(more)\n"
  }

  @Test func `a killed process is there again at once, and only it`() throws {
    let supervisor = try RunningSupervisor(sleeper("a") + sleeper("b"))
    let first = try supervisor.spawned("a")
    let other = try supervisor.spawned("b")
    kill(first, SIGKILL)
    let second = try supervisor.spawned("a")
    #expect(second != first)
    try supervisor.line("name=a", "to=RUNNING", "pid=\(second)")
    let all = try supervisor.value("supervisor.getAllProcessInfo").array ?? []
    #expect(all.map { $0["pid"]?.integer } == [Int64(second), Int64(other)])
    #expect(all.map { $0["restarts"]?.integer } == [1, 0])
    #expect(!isPresent(first))
  }

  @Test func `a process that keeps failing waits longer each time and ends in FATAL`() throws {
    let supervisor = try RunningSupervisor(
      sleeper("a") + "[program:bad]\ncommand=/bin/sh -c 'exit 3'\nstartretries=3\n"
        + "[bulkhead:program:bad]\nbackoff_initial_ms=40\n")
    let started = Date()
    try supervisor.line("name=bad", "to=FATAL")
    #expect(Date().timeIntervalSince(started) >= 0.04 + 0.08 + 0.16 - 0.02)
    supervisor.rewind()
    for _ in 0..<4 { _ = try supervisor.spawned("bad") }
    let info = try supervisor.value("supervisor.getProcessInfo", "bad")
    #expect(info["statename"]?.string == "FATAL")
    // As supervisord tells it of a process that never came to run.
    #expect(info["exitstatus"]?.integer == 0)
    #expect(info["restarts"]?.integer == 3)
    #expect(info["description"]?.string == "exited too quickly, with code 3")
  }

  @Test func `exit code 100 is not started again`() throws {
    let supervisor = try RunningSupervisor("[program:cfg]\ncommand=/bin/sh -c 'exit 100'\nautorestart=true\n")
    try supervisor.line("name=cfg", "from=STARTING to=FATAL")
    #expect(try supervisor.value("supervisor.getProcessInfo", "cfg")["restarts"]?.integer == 0)
  }

  @Test func `a group that ignores SIGTERM is killed as a whole`() throws {
    let script = "trap \"\" TERM; (trap \"\" TERM; echo child $$; exec sleep 1000) & echo up; wait; sleep 1000"
    let supervisor = try RunningSupervisor(
      "[program:deaf]\ncommand=/bin/sh -c '\(script)'\nstartsecs=0\nstopwaitsecs=1\nstdout_logfile=DIR/out\n")
    let pid = try supervisor.spawned("deaf")
    try supervisor.waitUntil { supervisor.file("out").contains("up") }
    let began = Date()
    #expect(try supervisor.value("supervisor.stopProcess", "deaf").boolean == true)
    #expect((0.9...5).contains(Date().timeIntervalSince(began)))
    // Killed with it, its children become the supervisor's, which reaps them.
    try supervisor.waitUntil { kill(-pid, 0) == -1 }
    try supervisor.line("name=deaf", "from=STOPPING to=STOPPED")
  }

  @Test func `an orphan is reaped, and one that left its group is ended with the supervisor`() throws {
    let script =
      "setsid sh -c \"echo short \\$\\$; exec sleep 0.05\" & setsid sh -c \"echo long \\$\\$; exec sleep 1000\" &"
    let supervisor = try RunningSupervisor(
      "[program:parent]\ncommand=/bin/sh -c '\(script) wait %%1; exit 0'\nstartsecs=0\nautorestart=false\nstdout_logfile=DIR/out\n"
    )
    func pid(_ name: String) -> Int32? {
      let line = supervisor.file("out").split(separator: "\n").first { $0.hasPrefix(name) }
      return line.flatMap { Int32($0.dropFirst(name.count + 1)) }
    }
    try supervisor.line("name=parent", "to=EXITED")
    try supervisor.waitUntil { pid("short") != nil && pid("long") != nil }
    let short = try #require(pid("short"))
    let long = try #require(pid("long"))
    try supervisor.waitUntil { !isPresent(short) }
    #expect(isPresent(long))
    kill(supervisor.pid, SIGTERM)
    #expect(try supervisor.end() == 0)
    #expect(!isPresent(long))
  }

  @Test func `told to stop, it stops all in reverse order, leaves nothing, and exits with 0`() throws {
    let supervisor = try RunningSupervisor(
      sleeper("first", "priority=1") + sleeper("last", "priority=9") + sleeper("middle", "priority=5"))
    var pids: [Int32] = []
    for name in ["first", "middle", "last"] { pids.append(try supervisor.spawned(name)) }
    kill(supervisor.pid, SIGINT)
    for name in ["last", "middle", "first"] {
      try supervisor.line("name=\(name)", "to=STOPPING")
      try supervisor.line("name=\(name)", "to=STOPPED")
    }
    #expect(try supervisor.end() == 0)
    #expect(pids.allSatisfy { !isPresent($0) })
    let left = try FileManager.default.contentsOfDirectory(atPath: supervisor.directory + "/var/run")
    #expect(Set(left).isSubset(of: ["bus", "logs"]), "\(left)")
  }

  @Test func `a shutdown ends within its limit whatever the children do`() throws {
    let deaf = "/bin/sh -c 'trap \"\" TERM; echo up; while :; do sleep 1000; done'"
    let supervisor = try RunningSupervisor(
      "[program:x]\ncommand=\(deaf)\nstartsecs=0\nstopwaitsecs=60\nstdout_logfile=DIR/out\n"
        + "[program:y]\ncommand=\(deaf)\nstartsecs=0\nstopwaitsecs=60\npriority=5\nstdout_logfile=DIR/out2\n"
        + "[bulkhead:supervisor]\nshutdown_limit_s=2\n")
    let pids = [try supervisor.spawned("y"), try supervisor.spawned("x")]
    try supervisor.waitUntil {
      supervisor.file("out") + supervisor.file("out2") == "up\nup\n"
    }
    let began = Date()
    kill(supervisor.pid, SIGTERM)
    #expect(try supervisor.end() == 0)
    #expect(Date().timeIntervalSince(began) < 3)
    #expect(pids.allSatisfy { !isPresent($0) })
  }

  @Test func `output is kept in rotated files, whole lines in each`() throws {
    let count = 5000
    let script = "i=0; while [ $i -lt \(count) ]; do echo line-$i; i=$((i+1)); done; echo oops >&2"
    let supervisor = try RunningSupervisor(
      "[program:talk]\ncommand=/bin/sh -c '\(script)'\nstartsecs=0\nautorestart=false\nredirect_stderr=true\n"
        + "stdout_logfile=DIR/logs/talk.log\nstdout_logfile_maxbytes=20KB\nstdout_logfile_backups=2\n")
    try supervisor.line("name=talk", "to=EXITED")
    kill(supervisor.pid, SIGTERM)
    #expect(try supervisor.end() == 0)
    let files = ["logs/talk.log.2", "logs/talk.log.1", "logs/talk.log"].map { supervisor.file($0) }
    #expect(files.allSatisfy { $0.utf8.count <= 20 << 10 && $0.hasSuffix("\n") })
    #expect(files[0].utf8.count > 19 << 10)
    let all = files.joined().split(separator: "\n")
    #expect(all.last == "oops")
    let numbers = all.dropLast().compactMap { Int($0.dropFirst(5)) }
    #expect(numbers == Array((count - numbers.count)..<count))
    #expect(!FileManager.default.fileExists(atPath: supervisor.directory + "/logs/talk.log.3"))
  }

  @Test func `standard error has a file of its own`() throws {
    let supervisor = try RunningSupervisor(
      "[program:two]\ncommand=/bin/sh -c 'echo out; echo err >&2'\nstartsecs=0\nautorestart=false\n")
    try supervisor.line("name=two", "to=EXITED")
    kill(supervisor.pid, SIGTERM)
    try supervisor.end()
    #expect(supervisor.file("var/run/logs/two-stdout.log") == "out\n")
    #expect(supervisor.file("var/run/logs/two-stderr.log") == "err\n")
  }

  @Test func `a child has its environment, directory and umask, no blocked signal and no foreign descriptor`() throws {
    let script =
      "pwd; umask; echo $BULKHEAD_NAME $SUPERVISOR_GROUP_NAME $X; grep -E \"^Sig(Blk|Ign)\" /proc/self/status; "
      + "ls /proc/$$/fd | tr \"\\n\" \" \"; ps -o pgid= -p $$ | tr -d \" \"; echo $$"
    let supervisor = try RunningSupervisor(
      "[program:env]\ncommand=/bin/sh -c '\(script)'\nstartsecs=0\nautorestart=false\ndirectory=/usr\numask=027\n"
        + "environment=X=\"a b\"\nstdout_logfile=DIR/out\n")
    let pid = try supervisor.spawned("env")
    try supervisor.line("name=env", "to=EXITED")
    kill(supervisor.pid, SIGTERM)
    try supervisor.end()
    let lines = supervisor.file("out").components(separatedBy: "\n")
    #expect(lines.count >= 7, "\(lines)")
    #expect(lines[0] == "/usr")
    #expect(lines[1] == "0027")
    #expect(lines[2] == "env env a b")
    #expect(lines[3].hasSuffix("0000000000000000"))
    #expect(lines[4].hasSuffix("0000000000000000"))
    #expect(lines[5].hasPrefix("0 1 2 "))
    #expect(lines[5].hasSuffix("\(pid)"))
  }

  @Test func `a program that cannot be executed is a failed start`() throws {
    let supervisor = try RunningSupervisor(
      "[program:dir]\ncommand=/bin/sleep 10\ndirectory=/nonexistent\nstartretries=0\n")
    try supervisor.line("process cannot be spawned", "chdir /nonexistent: No such file or directory")
    try supervisor.line("name=dir", "to=FATAL")
    #expect(try supervisor.value("supervisor.getProcessInfo", "dir")["spawnerr"]?.string?.contains("chdir") == true)
  }

  @Test func `a wrong configuration starts nothing and exits with 100`() throws {
    let supervisor = try RunningSupervisor(
      "[program:a]\ncommand=/bin/sh -c 'echo started > DIR/started'\nstartsec=1\n")
    #expect(try supervisor.end() == 100)
    #expect(supervisor.lines.contains { $0.contains("supervisor.conf:3: [program:a] startsec: unknown key") })
    #expect(!FileManager.default.fileExists(atPath: supervisor.directory + "/started"))
    #expect(!FileManager.default.fileExists(atPath: supervisor.directory + "/var"))
  }

  @Test func `two supervisors do not share a run directory`() throws {
    let first = try RunningSupervisor(sleeper("a"))
    _ = try first.spawned("a")
    let second = try RunningSupervisor("[bulkhead]\nrun_dir=\(first.directory)/var/run\n")
    #expect(try second.end() == 111)
    #expect(second.lines.contains { $0.contains("its pid is \(first.pid)") })
    #expect(try first.value("supervisor.getPID").integer == Int64(first.pid))
    #expect(first.file("var/run/supervisor.pid") == "\(first.pid)\n")
  }

  @Test func `a supervisor that was killed is followed by another in the same directory`() throws {
    let first = try RunningSupervisor(sleeper("a"))
    let orphan = try first.spawned("a")
    first.killHard(both: true)
    let second = try RunningSupervisor(sleeper("b"), directory: first.directory)
    _ = try second.spawned("b")
    #expect(try second.value("supervisor.getPID").integer == Int64(second.pid))
    try second.line("name=a", "to=STOPPED")
    #expect(!isAlive(orphan))
  }

  @Test func `readiness that a child tells makes it running`() throws {
    let tell =
      "import os,socket,time; s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); "
      + "s.sendto(b\"READY=1\\nSTATUS=at work\",os.environ[\"NOTIFY_SOCKET\"]); time.sleep(1000)"
    let supervisor = try RunningSupervisor(
      "[program:told]\ncommand=/usr/bin/python3 -c '\(tell)'\nstartsecs=1000\n[bulkhead:program:told]\nwait_ready=true\n"
        + "[program:silent]\ncommand=/bin/sleep 1000\nstartsecs=0\nstartretries=0\n"
        + "[bulkhead:program:silent]\nwait_ready=true\nready_timeout_s=1\n")
    try supervisor.line("name=told", "to=RUNNING")
    #expect(try supervisor.value("supervisor.getProcessInfo", "told")["ready"]?.boolean == true)
    #expect(try supervisor.value("supervisor.getProcessInfo", "told")["status"]?.string == "at work")
    try supervisor.line("name=silent", "to=FATAL")
  }
}
