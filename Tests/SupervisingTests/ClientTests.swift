import Foundation
import Glibc
import Testing
import Web

/// The unmodified `supervisorctl` with ours, and beside it with the stock supervisor.
@Suite struct ClientTests {
  private struct Outcome: Equatable, Sendable, CustomStringConvertible {
    let command: String
    let output: String
    let status: Int32
    var description: String { "\(command) → \(status)\n\(output)" }
  }

  /// Runs the client to its end.
  private func control(_ running: RunningSupervisor, _ command: String, options: [String]? = nil) throws -> Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Stock.client)
    let target = options ?? ["-c", running.directory + "/supervisor.conf"]
    process.arguments = target + command.split(separator: " ").map(String.init)
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    process.standardInput = FileHandle.nullDevice
    process.currentDirectoryURL = URL(fileURLWithPath: running.directory)
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    // Its own traces name lines of its source.
    let plain = Stock.plain(text, running.directory).replacingOccurrences(
      of: "(?m)^[0-9]+$", with: "NUMBER", options: .regularExpression)
    // Several processes are told of in the order in which they came to where they were wanted.
    let isOfSeveral = ["start ", "stop ", "restart "].contains { command.hasPrefix($0) }
    let lines = plain.split(separator: "\n", omittingEmptySubsequences: false)
    return Outcome(
      command: command, output: isOfSeveral ? lines.sorted().joined(separator: "\n") : plain,
      status: process.terminationStatus)
  }

  private typealias Preparation = @Sendable (String) throws -> Void

  private func play(_ commands: [String], isStock: Bool, _ prepare: [Int: Preparation]) throws -> [Outcome] {
    let running = try Stock.run(isStock: isStock)
    return try commands.enumerated().map { index, command in
      try prepare[index]?(running.directory)
      return try control(running, command)
    }
  }

  private func compare(_ commands: [String], _ prepare: [Int: Preparation] = [:]) async throws {
    async let theirOutcomes = onThread { try play(commands, isStock: true, prepare) }
    async let ourOutcomes = onThread { try play(commands, isStock: false, prepare) }
    let (stock, ours) = try await (theirOutcomes, ourOutcomes)
    for (theirs, mine) in zip(stock, ours) { #expect(mine == theirs) }
  }

  @Test(.enabled(if: Stock.isInstalled))
  func `status, pid, start, stop, restart and signal say and exit as with the stock`() async throws {
    try await compare([
      "status", "status gg:*", "status a nope", "status slow", "status nope:*", "pid", "pid a", "pid slow", "pid all",
      "pid nope", "version", "start a", "start quick", "start nope", "start nope:*", "start pair:*",
      "start pair:pair_0 slow", "stop slow", "stop slow", "stop nope", "restart gg:*", "restart nope", "signal CONT a",
      "signal BLUE a", "signal CONT gg:*", "signal CONT nope", "signal CONT quick", "stop all", "status",
      "start all", "start", "nonsense",
    ])
  }

  @Test(.enabled(if: Stock.isInstalled))
  func `tail, clear, avail, reread, update, add and remove say and exit as with the stock`() async throws {
    @Sendable func edit(_ directory: String, _ change: (String) -> String) throws {
      let path = directory + "/supervisor.conf"
      try change(String(contentsOfFile: path, encoding: .utf8)).write(toFile: path, atomically: true, encoding: .utf8)
    }
    let commands = [
      "tail a", "tail -4 a", "tail a stderr", "tail -3 a stderr", "tail pair:pair_0", "tail nope", "tail a nonsense",
      "tail", "clear a", "tail a", "clear all", "clear nope", "avail", "reread", "update", "reread", "update once",
      "update nope", "update", "status", "add new", "add nope", "remove gg", "remove nope", "stop gg:*", "remove gg",
      "status gg:*", "add gg", "reread", "avail", "update gg", "update", "reread", "update", "status a",
    ]
    try await compare(
      commands,
      [
        15: { directory in
          try edit(directory) {
            $0.replacingOccurrences(of: "sleep 1001", with: "sleep 1003")
              .replacingOccurrences(of: "[program:once]", with: "[program:twice]")
              + "[program:new]\ncommand=/bin/sleep 1004\nstartsecs=0\n[program:newer]\ncommand=/bin/sleep 1005\n"
              + "startsecs=0\n"
          }
        },
        30: { directory in
          try edit(directory) { $0.replacingOccurrences(of: "programs=x,y", with: "programs=y") }
        },
      ])
  }

  @Test(.enabled(if: Stock.isInstalled)) func `a wrong configuration is told and changes nothing`() throws {
    let running = try Stock.run(isStock: false)
    let path = running.directory + "/supervisor.conf"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let options = ["-s", "unix://\(running.directory)/var/run/supervisor.sock"]
    try (text + "[program:wrong]\nstartsecs=x\n").write(toFile: path, atomically: true, encoding: .utf8)
    let outcome = try control(running, "reread", options: options)
    #expect(outcome.output.hasPrefix("ERROR: CANT_REREAD: "))
    #expect(outcome.output.contains("startsecs"))
    #expect(outcome.status == 1)
    #expect(try control(running, "status a", options: options).status == 0)
    #expect(try control(running, "add wrong", options: options).output == "ERROR: no such process/group: wrong\n")
  }

  @Test(.enabled(if: Stock.isInstalled)) func `over TCP it needs the password, plain or hashed`() throws {
    for password in ["secret", "{SHA}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4"] {
      let running = try RunningSupervisor(
        "[inet_http_server]\nport=127.0.0.1:0\nusername=joe\npassword=\(password)\n[program:a]\ncommand=/bin/sleep 1000\n"
          + "startsecs=0\n")
      let line = try running.line("control interface", "http://")
      let url = try #require(line.components(separatedBy: "at=").last?.trimmingCharacters(in: ["\""]))
      try running.line("name=a", "to=RUNNING")
      let right = try control(running, "status", options: ["-s", url, "-u", "joe", "-p", "secret"])
      #expect(right.output.contains("RUNNING") && right.status == 0, "\(right)")
      for wrong in [["-u", "joe", "-p", "Secret"], ["-u", "jo", "-p", "secret"], []] {
        let outcome = try control(running, "status", options: ["-s", url] + wrong)
        #expect(outcome.output.contains("401") || outcome.output.contains("authentication"), "\(outcome)")
        #expect(outcome.status != 0)
      }
      let told = try running.line("wrong password")
      #expect(!told.contains("ecret"))
      // The run directory's socket is for its owner and asks for nothing.
      #expect(
        try control(running, "pid a", options: ["-s", "unix://\(running.directory)/var/run/supervisor.sock"]).status
          == 0)
    }
  }

  @Test(.enabled(if: Stock.isInstalled)) func `the socket file has its mode and asks for its password`() throws {
    let running = try RunningSupervisor(
      "[unix_http_server]\nfile=DIR/own.sock\nchmod=0770\nchown=root:daemon\nusername=joe\npassword=secret\n"
        + "[program:a]\ncommand=/bin/sleep 1000\nstartsecs=0\n")
    try running.line("name=a", "to=RUNNING")
    let socket = "\(running.directory)/own.sock"
    var status = stat()
    #expect(stat(socket, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o770)
    if geteuid() == 0 { #expect(status.st_gid == getgrnam("daemon").pointee.gr_gid) }
    #expect(
      try control(running, "status", options: ["-s", "unix://\(socket)", "-u", "joe", "-p", "secret"]).status == 0)
    #expect(try control(running, "status", options: ["-s", "unix://\(socket)"]).output.contains("authentication"))
    #expect(stat(running.directory + "/var/run/supervisor.sock", &status) == 0)
    #expect(status.st_mode & 0o777 == 0o700)
  }

  // MARK: - Reload and shutdown

  /// Reloads, waits until all is up again, shuts down, waits for the end, and asks once more.
  private func endings(isStock: Bool) throws -> [Outcome] {
    let running = try Stock.run(isStock: isStock)
    let socket = running.directory + "/var/run/supervisor.sock"
    var outcomes = try ["reload now", "shutdown now", "reload"].map { try control(running, $0) }
    try until(60) {
      let all = try? running.value("supervisor.getAllProcessInfo").array
      let names = all?.filter { $0["statename"]?.string == "RUNNING" }.compactMap { $0["name"]?.string }
      return Set(names ?? []) == ["a", "x", "y"]
        && (try? running.value("supervisor.getState")["statecode"]?.integer) == 1
    }
    outcomes += try ["status", "shutdown"].map { try control(running, $0) }
    try until(60) { access(socket, F_OK) != 0 }
    #expect(try running.end() == 0)
    outcomes += try ["status", "shutdown", "reload"].map { try control(running, $0) }
    return outcomes
  }

  @Test(.enabled(if: Stock.isInstalled)) func `reload and shutdown say and exit as with the stock`() async throws {
    async let theirOutcomes = onThread { try endings(isStock: true) }
    async let ourOutcomes = onThread { try endings(isStock: false) }
    let (stock, ours) = try await (theirOutcomes, ourOutcomes)
    #expect(stock.count == ours.count)
    for (theirs, mine) in zip(stock, ours) { #expect(mine == theirs) }
    #expect(ours[2].output == "Restarted supervisord\n" && ours[2].status == 0)
    #expect(ours[4].output == "Shut down\n" && ours[4].status == 0)
  }

  @Test(.enabled(if: Stock.isInstalled)) func `reload keeps the processes, and does what the file says now`() throws {
    let running = try Stock.run(isStock: false)
    func pids() throws -> [String: Int64] {
      let all = try running.value("supervisor.getAllProcessInfo").array ?? []
      return Dictionary(uniqueKeysWithValues: all.map { ($0["name"]?.string ?? "", $0["pid"]?.integer ?? 0) })
    }
    let before = try pids()
    let path = running.directory + "/supervisor.conf"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    try (text + "[program:new]\ncommand=/bin/sleep 1000\nstartsecs=0\n")
      .write(toFile: path, atomically: true, encoding: .utf8)
    #expect(try control(running, "reload").description == "reload → 0\nRestarted supervisord\n")
    try until(60) { ((try? pids())?["new"] ?? 0) > 0 }
    var after = try pids()
    #expect(after.removeValue(forKey: "new") ?? 0 > 0)
    #expect(after == before)
    #expect(try running.value("supervisor.getPID").integer == Int64(running.pid))
    // With a mistake in the file nothing changes.
    try (text + "[program:wrong]\nstartsecs=x\n").write(toFile: path, atomically: true, encoding: .utf8)
    let options = ["-s", "unix://\(running.directory)/var/run/supervisor.sock"]
    #expect(try control(running, "reload", options: options).status != 0)
    after = try pids()
    #expect(after.removeValue(forKey: "new") ?? 0 > 0)
    #expect(after == before)
  }

  @Test(.enabled(if: Stock.isInstalled))
  func `shutdown stops what depends on others before them, and leaves neither socket nor pid file`() throws {
    func program(_ name: String, _ others: String) -> String {
      "[program:\(name)]\ncommand=/bin/sleep 1000\nstartsecs=0\n[bulkhead:program:\(name)]\n"
        + (others.isEmpty ? "" : "depends_on=\(others)\n")
    }
    let names = ["base", "middle", "top"]
    let running = try RunningSupervisor(
      Stock.general + program("top", "middle") + program("base", "") + program("middle", "base"))
    try until(60) { running.copies().count == names.count }
    let pids = running.copies()
    #expect(try control(running, "shutdown").description == "shutdown → 0\nShut down\n")
    #expect(try running.end() == 0)
    #expect(pids.allSatisfy { !isPresent($0) })
    for file in ["var/run/supervisor.sock", "var/run/supervisor.pid", "stock.pid", "var/run/supervisor.state"] {
      #expect(access(running.directory + "/" + file, F_OK) != 0, "\(file)")
    }
    let log = running.file("main.log").split(separator: "\n").filter { $0.contains("to=STOP") }
    let order = log.map { line in
      "\(names.first { line.contains("name=\($0) ") } ?? "") \(line.contains("to=STOPPED") ? "has" : "is")"
    }
    #expect(order == ["top is", "top has", "middle is", "middle has", "base is", "base has"])
  }

  /// A client that goes on until it is interrupted.
  private final class Following {
    let process = Process()
    private let output = Pipe()
    private let input = Pipe()
    private(set) var text = ""

    init(_ running: RunningSupervisor, _ arguments: String...) throws {
      process.executableURL = URL(fileURLWithPath: Stock.client)
      process.arguments = ["-c", running.directory + "/supervisor.conf"] + arguments
      process.standardOutput = output
      process.standardError = output
      process.standardInput = input
      try process.run()
    }

    deinit {
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
    }

    func type(_ text: String) { input.fileHandleForWriting.write(Data(text.utf8)) }

    func read(until part: String) throws {
      let limit = Date().addingTimeInterval(60)
      let descriptor = output.fileHandleForReading.fileDescriptor
      while !text.contains(part) {
        var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&item, 1, Int32(max(0, limit.timeIntervalSinceNow * 1000))) > 0 else {
          throw Timeout(description: "no \(part) in: \(text)")
        }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        guard count > 0 else { throw Timeout(description: "no \(part), ended: \(text)") }
        text += String(decoding: bytes[..<count], as: UTF8.self)
      }
    }
  }

  @Test(.enabled(if: Stock.isInstalled)) func `tail -f, maintail -f and fg follow and send`() throws {
    let running = try Stock.run(isStock: false)
    let tail = try Following(running, "tail", "-f", "a")
    try tail.read(until: "one\ntwo\n")
    let errors = try Following(running, "tail", "-f", "a", "stderr")
    try errors.read(until: "three\n")
    let main = try Following(running, "maintail", "-f")
    try main.read(until: "to=RUNNING")
    _ = try running.value("supervisor.sendProcessStdin", "a", "hello\n")
    try tail.read(until: "hello\n")
    let foreground = try Following(running, "fg", "a")
    try foreground.read(until: "hello\n")
    foreground.type("wörld\n")
    try foreground.read(until: "wörld\n")
    try tail.read(until: "wörld\n")
    _ = try running.value("supervisor.stopProcess", "gg:x")
    try main.read(until: "name=gg:x from=STOPPING to=STOPPED")
    #expect(try control(running, "maintail -100").output.contains("STOPPED"))
    let missing = try control(running, "tail -f pair:pair_0")
    #expect(missing.output.contains("404"))
  }
}
