import Foundation
import Glibc
import Testing
import Web

/// What real children say, and where it ends up.
struct LogPumpTests {
  func program(_ name: String, _ script: String, _ more: String = "") -> String {
    "[program:\(name)]\ncommand=/bin/sh -c '\(script)'\nstartsecs=0\nautorestart=false\n\(more)\n"
  }

  /// Starts a supervisor, and waits until it answers.
  func start(_ configuration: String, directory: String? = nil) throws -> RunningSupervisor {
    let supervisor = try RunningSupervisor(configuration, directory: directory)
    let limit = Date().addingTimeInterval(60)
    while (try? supervisor.call("supervisor.getPID")) == nil {
      if Date() > limit { throw Timeout(description: "the supervisor does not answer") }
      usleep(5000)
    }
    return supervisor
  }

  func stop(_ supervisor: RunningSupervisor) throws {
    kill(supervisor.pid, SIGTERM)
    #expect(try supervisor.end(within: 30) == 0)
  }

  /// The log and its rotated files, oldest first.
  func files(_ supervisor: RunningSupervisor, _ name: String) -> [String] {
    let rotated = (1...20).map { supervisor.file("\(name).\($0)") }.prefix { !$0.isEmpty }
    return rotated.reversed() + [supervisor.file(name)]
  }

  func touch(_ supervisor: RunningSupervisor, _ name: String) {
    _ = FileManager.default.createFile(atPath: supervisor.directory + "/" + name, contents: nil)
  }

  let waitFor = { (name: String) in "while [ ! -e DIR/\(name) ]; do sleep 0.02; done" }

  /// Sets how large the files of a process become, as if the disk were full from there on.
  func limitFiles(of pid: Int32, to size: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/prlimit")
    process.arguments = ["--pid", "\(pid)", "--fsize=\(size):"]
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }

  // MARK: - Nothing is lost

  @Test func `of a million lines each is there once, whole and in order, over all rotated files`() throws {
    let supervisor = try start(
      program("many", "seq 1000000", "stdout_logfile=DIR/many\nstdout_logfile_maxbytes=1MB\nstdout_logfile_backups=20"))
    try supervisor.line("name=many", "to=EXITED", within: 30)
    try stop(supervisor)
    let files = files(supervisor, "many")
    #expect(files.count == 7)
    #expect(files.allSatisfy { $0.hasSuffix("\n") && $0.utf8.count <= (1 << 20) + 8 })
    #expect(files.dropLast().allSatisfy { $0.utf8.count > (1 << 20) - 10 })
    let numbers = files.joined().split(separator: "\n")
    #expect(numbers.count == 1_000_000)
    #expect(numbers.enumerated().allSatisfy { Int($0.element) == $0.offset + 1 })
  }

  @Test func `the last lines of each of many short lives are in the log`() throws {
    let script = "echo begin; seq 500; echo end; [ -e DIR/enough ] && exec sleep 1000"
    let supervisor = try start(
      "[program:short]\ncommand=/bin/sh -c '\(script)'\nstartsecs=0\nautorestart=true\nstdout_logfile=DIR/short\n"
        + "[bulkhead:supervisor]\nrestarts_max=1000000\n")
    for _ in 0..<20 { _ = try supervisor.spawned("short") }
    touch(supervisor, "enough")
    try supervisor.waitUntil(seconds: 60) {
      let pid = try supervisor.value("supervisor.getProcessInfo", "short")["pid"]?.integer ?? 0
      return (try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8)) == "sleep\n"
    }
    try stop(supervisor)
    let lines = supervisor.file("short").split(separator: "\n")
    let lives = lines.filter { $0 == "begin" }.count
    #expect(lives >= 20)
    let life = ["begin"] + (1...500).map(String.init) + ["end"]
    #expect(lines.map(String.init) == Array(repeating: life, count: lives).flatMap(\.self))
  }

  @Test func `what is said while no supervisor lives is read by the next`() throws {
    let directory = "/tmp/supervising-\(UUID().uuidString.prefix(13))"
    let script =
      "trap \"\" PIPE; echo early; echo $$ > DIR/pid; \(waitFor("go")); seq 5000; echo late; echo x > DIR/said; sleep 1000"
    let configuration = "[program:a]\ncommand=/bin/sh -c '\(script)'\nstartsecs=0\nstdout_logfile=DIR/a.log\n"
    let first = try start(configuration, directory: directory)
    try first.waitUntil { first.file("a.log") == "early\n" && first.file("pid").hasSuffix("\n") }
    let pid = try #require(Int32(first.file("pid").dropLast()))
    defer { kill(pid, SIGKILL) }
    first.killHard(both: true)
    touch(first, "go")
    let limit = Date().addingTimeInterval(60)
    while first.file("said").isEmpty, Date() < limit { usleep(10_000) }
    #expect(isPresent(pid))
    let second = try start(configuration, directory: directory)
    try second.waitUntil { second.file("a.log").contains("late\n") }
    #expect(second.file("a.log").hasPrefix("early\n" + (1...5000).map { "\($0)\n" }.joined() + "late\n"))
    // It is the same process still.
    #expect(second.copies(of: "a:a") == [pid])
    try stop(second)
  }

  @Test func `a grandchild that keeps the stream goes on being heard`() throws {
    let supervisor = try start(
      program(
        "parent", "setsid sh -c \"\(waitFor("go")); echo grandchild; exec sleep 1000\" & echo parent",
        "stdout_logfile=DIR/out"))
    try supervisor.line("name=parent", "to=EXITED")
    touch(supervisor, "go")
    try supervisor.waitUntil(seconds: 60) { supervisor.file("out").contains("grandchild\n") }
    try stop(supervisor)
    #expect(supervisor.file("out") == "parent\ngrandchild\n")
  }

  @Test func `standard input stays open, and is empty for the next process`() throws {
    let supervisor = try start(
      "[program:cat]\ncommand=/bin/cat\nstartsecs=0\nautorestart=true\nstdout_logfile=DIR/out\n")
    let pid = try supervisor.spawned("cat")
    let path = supervisor.directory + "/var/run/fifo/cat:cat.stdin"
    let input = try #require(FileHandle(forWritingAtPath: path))
    try input.write(contentsOf: Data("hello\n".utf8))
    try supervisor.waitUntil { supervisor.file("out") == "hello\n" }
    kill(pid, SIGSTOP)
    try input.write(contentsOf: Data("unread\n".utf8))
    try input.close()
    kill(pid, SIGKILL)
    _ = try supervisor.spawned("cat")
    try #require(FileHandle(forWritingAtPath: path)).write(contentsOf: Data("again\n".utf8))
    try supervisor.waitUntil { supervisor.file("out") == "hello\nagain\n" }
    try stop(supervisor)
  }

  @Test func `where a pipe cannot have a name, it has none`() throws {
    let name = String(repeating: "n", count: 250)
    let supervisor = try start(
      "[program:\(name)]\ncommand=/bin/cat\nstartsecs=0\nstdout_logfile=DIR/out\nstderr_logfile=NONE\n")
    try supervisor.line("a stream without a name ends with the supervisor", "File name too long")
    let pid = try supervisor.spawned(name)
    for text in ["first\n", "second\n"] {
      #expect(try supervisor.value("supervisor.sendProcessStdin", .string(name), .string(text)).boolean == true)
    }
    try supervisor.waitUntil { supervisor.file("out") == "first\nsecond\n" }
    kill(pid, SIGKILL)
    _ = try supervisor.spawned(name)
    #expect(try supervisor.value("supervisor.sendProcessStdin", .string(name), "third\n").boolean == true)
    try supervisor.waitUntil { supervisor.file("out") == "first\nsecond\nthird\n" }
    try stop(supervisor)
  }

  @Test func `what a process does to its descriptors does not reach the next`() throws {
    // A reader that does not block: with it, a write to a full pipe fails where it should wait.
    let script =
      "[ -e DIR/second ] || dd if=/dev/null oflag=nonblock status=none; grep flags /proc/self/fdinfo/1; exec sleep 1000"
    let supervisor = try start("[program:a]\ncommand=/bin/sh -c '\(script)'\nstartsecs=0\nstdout_logfile=DIR/out\n")
    let pid = try supervisor.spawned("a")
    try supervisor.waitUntil { supervisor.file("out").hasSuffix("\n") }
    touch(supervisor, "second")
    kill(pid, SIGKILL)
    _ = try supervisor.spawned("a")
    try supervisor.waitUntil { supervisor.file("out").split(separator: "\n").count == 2 }
    let flags = supervisor.file("out").split(separator: "\n").compactMap { Int($0.dropFirst(7), radix: 8) }
    #expect(flags.map { $0 & Int(O_NONBLOCK) != 0 } == [true, false])
    try stop(supervisor)
  }

  @Test func `much that is sent to a process waits until it reads, and too much is refused`() throws {
    let supervisor = try start(
      "[program:a]\ncommand=/bin/sh -c '\(waitFor("go")); exec cat'\nstartsecs=0\nstdout_logfile=DIR/out\n")
    _ = try supervisor.spawned("a")
    let part = String(repeating: "0123456789abcde\n", count: 16 << 10)
    var sent = 0
    while case .value = try supervisor.call("supervisor.sendProcessStdin", "a", .string(part)) { sent += 1 }
    #expect((4...5).contains(sent))
    touch(supervisor, "go")
    try supervisor.waitUntil(seconds: 60) { supervisor.file("out").utf8.count == sent * part.utf8.count }
    #expect(supervisor.file("out") == String(repeating: part, count: sent))
    // Who has closed it is told so.
    let closed = try start(
      "[program:b]\ncommand=/bin/sh -c 'exec </dev/null; echo; exec sleep 1000'\nstartsecs=0\nstdout_logfile=DIR/out\n")
    try closed.waitUntil { closed.file("out") == "\n" }
    guard case .fault(let code, _) = try closed.call("supervisor.sendProcessStdin", "b", "x") else {
      Issue.record("somebody read")
      return
    }
    #expect(code == 20)
    try stop(closed)
    try stop(supervisor)
  }

  // MARK: - Files

  @Test func `without backups a full file is begun anew`() throws {
    let supervisor = try start(
      program("a", "seq 20000", "stdout_logfile=DIR/a.log\nstdout_logfile_maxbytes=10KB\nstdout_logfile_backups=0"))
    try supervisor.line("name=a", "to=EXITED")
    try stop(supervisor)
    let text = supervisor.file("a.log")
    #expect(text.utf8.count <= 10 << 10)
    #expect(text.hasSuffix("\n19999\n20000\n"))
    #expect(supervisor.file("a.log.1").isEmpty)
  }

  @Test func `a line longer than a file is cut, and nothing of it is lost`() throws {
    let supervisor = try start(
      program(
        "a", "head -c 300000 /dev/zero | tr \"\\0\" x; echo; echo next",
        "stdout_logfile=DIR/a.log\nstdout_logfile_maxbytes=64KB\nstdout_logfile_backups=20"))
    try supervisor.line("name=a", "to=EXITED")
    try stop(supervisor)
    let files = files(supervisor, "a.log")
    #expect(files.joined() == String(repeating: "x", count: 300_000) + "\nnext\n")
    #expect(files.allSatisfy { $0.utf8.count <= 128 << 10 })
  }

  @Test func `after SIGUSR2 logs are opened again, and one that was emptied does not become sparse`() throws {
    let supervisor = try start(
      program(
        "a", "echo one; \(waitFor("go1")); echo two; \(waitFor("go2")); echo three; sleep 1000",
        "stdout_logfile=DIR/a.log"))
    try supervisor.waitUntil { supervisor.file("a.log") == "one\n" }
    rename(supervisor.directory + "/a.log", supervisor.directory + "/moved")
    kill(supervisor.pid, SIGUSR2)
    try supervisor.waitUntil { FileManager.default.fileExists(atPath: supervisor.directory + "/a.log") }
    touch(supervisor, "go1")
    try supervisor.waitUntil { supervisor.file("a.log") == "two\n" }
    truncate(supervisor.directory + "/a.log", 0)
    touch(supervisor, "go2")
    try supervisor.waitUntil { supervisor.file("a.log") == "three\n" }
    #expect(supervisor.file("moved") == "one\n")
    try stop(supervisor)
  }

  @Test func `two processes share a file, and their lines stay whole`() throws {
    func script(_ letter: String) -> String {
      "i=0; while [ $i -lt 3000 ]; do echo \(letter)-$i; i=$((i+1)); done"
    }
    let more = "stdout_logfile=DIR/both\nstdout_logfile_maxbytes=20KB\nstdout_logfile_backups=20"
    let supervisor = try start(program("a", script("a"), more) + program("b", script("b"), more))
    try supervisor.waitUntil(seconds: 60) {
      try supervisor.value("supervisor.getAllProcessInfo").array?.allSatisfy { $0["statename"]?.string == "EXITED" }
        ?? false
    }
    try stop(supervisor)
    let lines = files(supervisor, "both").joined().split(separator: "\n")
    #expect(lines.filter { $0.hasPrefix("a") } == (0..<3000).map { "a-\($0)" })
    #expect(lines.filter { $0.hasPrefix("b") } == (0..<3000).map { "b-\($0)" })
    #expect(lines.count == 6000)
  }

  @Test func `lines of two processes that say very much stay whole in the file that they share`() throws {
    let more = "stdout_logfile=DIR/both\nstdout_logfile_maxbytes=0"
    func script(_ first: Int) -> String {
      let second = first + 100_000
      return "\(waitFor("go1")); stdbuf -oL seq \(first) \(second - 1); \(waitFor("go2")); "
        + "exec stdbuf -oL seq \(second) \(first + 399_999)"
    }
    let supervisor = try start(program("a", script(1_000_000), more) + program("b", script(5_000_000), more))
    let pipes = ["a", "b"].map {
      open(supervisor.directory + "/var/run/fifo/\($0):\($0).stdout", O_RDONLY | O_NONBLOCK)
    }
    defer { pipes.forEach { close($0) } }
    // Both fill their pipes while the supervisor stands still; after the first time the pipes are large.
    for (name, waiting, written) in [("go1", 60_000, 100_000), ("go2", 1_000_000, 400_000)] {
      kill(supervisor.pid, SIGSTOP)
      defer { kill(supervisor.pid, SIGCONT) }
      touch(supervisor, name)
      let limit = Date().addingTimeInterval(60)
      var isFull = false
      while !isFull, Date() < limit {
        isFull = pipes.allSatisfy { pipe in
          var count: Int32 = 0
          return ioctl(pipe, UInt(FIONREAD), &count) == 0 && count >= waiting
        }
        usleep(2000)
      }
      #expect(isFull)
      kill(supervisor.pid, SIGCONT)
      try supervisor.waitUntil(seconds: 60) { supervisor.file("both").utf8.count == 2 * written * 8 }
    }
    let lines = supervisor.file("both").split(separator: "\n")
    let numbers = lines.compactMap { Int($0) }
    #expect(numbers.filter { $0 < 5_000_000 } == Array(1_000_000..<1_400_000))
    #expect(numbers.filter { $0 >= 5_000_000 } == Array(5_000_000..<5_400_000))
    try stop(supervisor)
  }

  @Test func `a special file takes output, too`() throws {
    let supervisor = try start(
      program("a", "echo from the child", "stdout_logfile=/dev/stderr\nstdout_logfile_maxbytes=0")
        + program("b", "echo by its number", "stdout_logfile=/dev/fd/2\nstdout_logfile_maxbytes=0"))
    try supervisor.line("from the child")
    supervisor.rewind()
    try supervisor.line("by its number")
    try stop(supervisor)
  }

  @Test func `logs that nobody named go with an orderly end, unless they shall stay`() throws {
    for keeps in [false, true] {
      let directory = "/tmp/supervising-\(UUID().uuidString.prefix(13))"
      let log = "var/run/logs/a-stdout.log"
      let configuration = "[supervisord]\nnocleanup=\(keeps)\n" + program("a", "echo life")
      let first = try start(configuration, directory: directory)
      try first.line("name=a", "to=EXITED")
      try stop(first)
      #expect(first.file(log) == "life\n")
      let second = try start(configuration, directory: directory)
      try second.line("name=a", "to=EXITED")
      try stop(second)
      #expect(second.file(log) == (keeps ? "life\nlife\n" : "life\n"))
    }
  }

  // MARK: - What is done to output

  @Test func `escape sequences are dropped and times are added where that is wanted`() throws {
    let supervisor = try start(
      "[supervisord]\nstrip_ansi=true\n[bulkhead:supervisor]\nlog_timestamps=true\n[bulkhead:program:b]\nlog_timestamps=false\n"
        + program("a", "printf \"\\033[31mred\\033[0m\\nx\\n\"", "stdout_logfile=DIR/a.log")
        + program("b", "printf \"\\033[31mred\\033[0m\\n\"", "stdout_logfile=DIR/b.log"))
    try supervisor.waitUntil { supervisor.file("a.log").hasSuffix("x\n") && !supervisor.file("b.log").isEmpty }
    let time = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z"
    let pattern = "^\(time) red\n\(time) x\n$"
    #expect(supervisor.file("a.log").range(of: pattern, options: .regularExpression) != nil)
    #expect(supervisor.file("b.log") == "red\n")
    try stop(supervisor)
  }

  @Test func `what is captured does not go to the log`() throws {
    let supervisor = try start(
      program(
        "a", "printf \"a<!--XSUPERVISOR:BEGIN-->secret\"; sleep 0.1; printf \"<!--XSUPERVISOR:END-->b\\n\"",
        "stdout_logfile=DIR/a.log\nstdout_capture_maxbytes=1KB"))
    try supervisor.waitUntil { supervisor.file("a.log").hasSuffix("\n") }
    #expect(supervisor.file("a.log") == "ab\n")
    try stop(supervisor)
  }
}
