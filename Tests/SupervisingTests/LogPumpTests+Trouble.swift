import Foundation
import Glibc
import Testing
import Web

/// Logs that take nothing, and the supervisor's own.
extension LogPumpTests {
  // MARK: - Logs that take nothing

  @Test func `a log whose reader has stopped reading holds nobody`() throws {
    let directory = "/tmp/supervising-\(UUID().uuidString.prefix(13))"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    #expect(mkfifo(directory + "/stalled", 0o600) == 0)
    let reader = open(directory + "/stalled", O_RDWR | O_NONBLOCK)
    defer { close(reader) }
    let supervisor = try start(
      program(
        "a", "head -c 50000000 /dev/zero | tr \"\\0\" x; echo; echo x > DIR/written; \(waitFor("go")); echo after",
        "stdout_logfile=DIR/stalled\nstdout_logfile_maxbytes=0")
        + program("b", "\(waitFor("written")); seq 1000; sleep 1000", "stdout_logfile=DIR/b.log"),
      directory: directory)
    try supervisor.line("process output is lost", "stalled", within: 30)
    try supervisor.waitUntil(seconds: 60) { supervisor.file("b.log").hasSuffix("\n1000\n") }
    let dropped = try supervisor.value("supervisor.getProcessInfo", "a")["output_dropped_bytes"]?.integer ?? 0
    #expect((40_000_000...50_000_001).contains(dropped))
    // When its reader reads again, the log goes on.
    touch(supervisor, "go")
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    var count = 0
    var tail = ""
    let limit = Date().addingTimeInterval(60)
    while !tail.hasSuffix("after\n"), Date() < limit {
      let got = read(reader, &bytes, bytes.count)
      guard got > 0 else {
        usleep(1000)
        continue
      }
      count += got
      tail = String((tail + String(decoding: bytes[..<got], as: UTF8.self)).suffix(20))
    }
    #expect(tail.hasSuffix("after\n"))
    #expect(count + Int(dropped) == 50_000_000 + 1 + 6)
    try supervisor.line("process output is written again", "stalled", "lost_bytes=")
    try stop(supervisor)
  }

  @Test(.enabled(if: geteuid() == 0 && access("/dev/log", F_OK) != 0, "wants to be the system's log"))
  func `a system log that takes nothing holds nobody`() throws {
    let log = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array("/dev/log".utf8)) }
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(log, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    defer { unlink("/dev/log") }
    #expect(bound == 0)
    let supervisor = try start(
      program(
        "a", "echo hello; \(waitFor("go")); seq 2000000; echo x > DIR/written; sleep 1000",
        "stdout_logfile=NONE\nstdout_syslog=true"))
    var bytes = [UInt8](repeating: 0, count: 1000)
    let count = recv(log, &bytes, bytes.count, 0)
    #expect(String(decoding: bytes[..<max(0, count)], as: UTF8.self).hasSuffix("a hello"))
    #expect(bytes.starts(with: Array("<14>".utf8)))
    // Nobody reads it any more, and the process ends its work all the same.
    touch(supervisor, "go")
    try supervisor.waitUntil(seconds: 60) { !supervisor.file("written").isEmpty }
    let dropped = try supervisor.value("supervisor.getProcessInfo", "a")["output_dropped_bytes"]?.integer ?? 0
    #expect(dropped > 10_000_000)
    // Once it is gone, the pump works again.
    close(log)
    try supervisor.line("logs are written again", "lost_bytes=", within: 20)
    try stop(supervisor)
  }

  @Test func `a start that fails says why on standard error`() throws {
    let supervisor = try RunningSupervisor(
      "[unix_http_server]\nfile=/proc/no/such.sock\n" + program("a", "sleep 1000"))
    try supervisor.line("/proc/no")
    #expect(try supervisor.end() == 111)
  }

  @Test func `a full disk is told of once, and again when it is over`() throws {
    let supervisor = try start(
      "[supervisord]\nlogfile=/dev/null\n"
        + program(
          "a", "\(waitFor("go1")); seq 20000; seq 20000; \(waitFor("go2")); echo again; sleep 1000",
          "stdout_logfile=DIR/a.log"))
    _ = try supervisor.spawned("a")
    try limitFiles(of: supervisor.pid, to: "5000")
    touch(supervisor, "go1")
    try supervisor.line("process output is lost", "a.log", "File too large")
    try supervisor.waitUntil {
      let info = try supervisor.value("supervisor.getProcessInfo", "a")
      return info["output_dropped_bytes"]?.integer == 2 * 108_894 - 5000
    }
    try limitFiles(of: supervisor.pid, to: "unlimited")
    touch(supervisor, "go2")
    try supervisor.line("process output is written again", "lost_bytes=\(2 * 108_894 - 5000)")
    #expect(supervisor.file("a.log").hasSuffix("again\n"))
    #expect(supervisor.file("a.log").utf8.count == 5006)
    #expect(supervisor.lines.filter { $0.contains("process output is lost") }.count == 1)
    try stop(supervisor)
  }

  // MARK: - The supervisor's own log

  @Test func `the supervisor keeps its own log, rotates it, and says nothing else where it is silent`() throws {
    let supervisor = try start(
      "[supervisord]\nlogfile=DIR/own.log\nlogfile_maxbytes=1KB\nlogfile_backups=3\nsilent=true\n"
        + program("a", "exit 0"))
    try supervisor.waitUntil {
      supervisor.file("own.log").contains("name=a") || supervisor.file("own.log.1").contains("name=a")
    }
    for _ in 0..<60 { _ = try supervisor.call("supervisor.startProcess", "a") }
    try stop(supervisor)
    #expect(supervisor.lines.filter { !$0.isEmpty }.isEmpty)
    let files = files(supervisor, "own.log")
    #expect(files.count == 4)
    #expect(files.allSatisfy { $0.utf8.count <= 1 << 10 && $0.hasSuffix("\n") })
    #expect(files.last?.contains("supervisor ends") == true)
  }

  @Test func `by default its own log is in the run directory, and tells what the level lets through`() throws {
    let quiet = try start("[supervisord]\nloglevel=error\n" + program("a", "exit 0"))
    try quiet.waitUntil { try quiet.value("supervisor.getProcessInfo", "a")["statename"]?.string == "EXITED" }
    try stop(quiet)
    #expect(quiet.file("var/run/logs/supervisor.log").isEmpty)
    let plain = try start(program("a", "exit 0"))
    try plain.line("name=a", "to=EXITED")
    try stop(plain)
    #expect(plain.file("var/run/logs/supervisor.log") == plain.lines.map { $0 + "\n" }.joined())
  }

  @Test func `nobody reads its standard error, and it works all the same`() throws {
    let supervisor = try start(program("a", "sleep 1000"))
    for _ in 0..<250 {
      _ = try supervisor.call("supervisor.stopProcess", "a")
      _ = try supervisor.call("supervisor.startProcess", "a")
    }
    let info = try supervisor.value("supervisor.getProcessInfo", "a")
    #expect(info["statename"]?.string == "RUNNING")
    #expect(supervisor.file("var/run/logs/supervisor.log").utf8.count > 100_000)
    try stop(supervisor)
  }
}
