import Bus
import Daemon
import Foundation
import Market
import Synchronization
import TestSupport
import Testing
import Web

/// The built dashboard, with processes on the bus that this test plays.
@Suite struct DashboardTests {
  /// The dashboard's process, in a run directory of its own.
  private final class Running {
    let directory: ScratchDirectory
    let file: String
    private let process = Process()
    private let log: String
    private(set) var address = ""
    private(set) var token = ""

    init(_ directory: ScratchDirectory, settings: String = "") throws {
      self.directory = directory
      file = try directory.configure(settings)
      log = directory.path + "/dashboard.log"
      process.executableURL = Places.executables.appending(path: "dashboard")
      process.environment = ProcessInfo.processInfo.environment.merging(["BULKHEAD_CONF": file]) { $1 }
      _ = FileManager.default.createFile(atPath: log, contents: nil)
      process.standardError = try FileHandle(forWritingTo: URL(filePath: log))
      try process.run()
    }

    deinit { if process.isRunning { process.terminate() } }

    func waitUntilListening() throws {
      let path = directory.path + "/run/dashboard.address"
      try wait("the dashboard's address", seconds: 20) { FileManager.default.fileExists(atPath: path) }
      address = try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .newlines)
      token = (try? text("run/dashboard.token"))?.trimmingCharacters(in: .newlines) ?? ""
    }

    func text(_ path: String) throws -> String {
      try String(contentsOfFile: directory.path + "/" + path, encoding: .utf8)
    }

    var logged: String { (try? text("dashboard.log")) ?? "" }

    func ask(_ path: String, method: String = "GET", headers: HTTPHeaders? = nil) throws -> HTTPResponse {
      try HTTPClient().sendBlocking(
        HTTPRequest(
          method: method, url: "http://\(address)\(path)", headers: headers ?? ["Authorization": "Bearer " + token],
          body: method == "POST" ? [] : nil, timeoutMilliseconds: 10_000))
    }

    /// - Returns: its exit status.
    func stop() throws -> Int32 {
      process.terminate()
      return try ended()
    }

    func ended() throws -> Int32 {
      try wait("the dashboard's end", seconds: 10) { !process.isRunning }
      return process.terminationStatus
    }
  }

  private static func row(_ name: String) -> ProcessMessage {
    ProcessMessage(
      name: name, group: name, state: "RUNNING", pid: 4711, startedAt: noon, restarts: 2, isReady: true,
      exitStatus: nil, description: "")
  }

  @Test func `what the bus tells is served, and what is wanted of a process reaches the supervisor`() throws {
    let dashboard = try Running(ScratchDirectory())
    let run = dashboard.directory.path + "/run"
    let supervisor = try Publisher(name: "supervisor", runDirectory: run)
    let scanner = try Publisher(name: "scanner", runDirectory: run)
    let ingestor = try Publisher(name: "ingestor-polymarket", runDirectory: run)
    let opportunities = scanner.topic(Topic.opportunity + "binary")
    let health = ingestor.topic(Topic.health + "ingestor-polymarket")
    let rows = ["scanner", "ingestor-polymarket"].map { (supervisor.topic(Topic.process + $0), Self.row($0)) }
    let found = try opportunity(7, found: SystemClock.now)
    try dashboard.waitUntilListening()

    var state: JSONValue?
    var booksAsked = 0
    try wait("everything that was told", seconds: 20) {
      supervisor.processSubscriptions { request in
        for (topic, row) in rows { supervisor.publishSnapshot(request, topic) { row.encode($0) } }
        supervisor.endSnapshot(request)
      }
      scanner.processSubscriptions { request in
        scanner.publishSnapshot(request, opportunities) { found.encode($0) }
        scanner.endSnapshot(request)
      }
      ingestor.processSubscriptions { _ in booksAsked += 1 }
      ingestor.publish(health) {
        HealthMessage(name: "ingestor-polymarket", counters: ["books_live": 4172]).encode($0)
      }
      let root = try JSONDocument(try dashboard.ask("/api/state").body).root
      state = root
      return root["processes"]?.count == 2 && root["open_count"]?.integer == 1
        && root["counts"]?["books_live"]?.integer == 4172
    }
    #expect(booksAsked == 0, "an ingestor's state is every book: nobody here needs it")
    #expect(state?["processes"]?[1]?["restarts"]?.integer == 2)
    #expect(state?["opportunities"]?[0]?["event"]?.string == "e1")
    let metrics = String(decoding: try dashboard.ask("/metrics").body, as: UTF8.self)
    #expect(metrics.contains("bulkhead_process_up{process=\"scanner\"} 1\n"))
    #expect(metrics.contains("counter=\"books_live\"} 4172\n"))

    #expect(try dashboard.ask("/api/process/scanner/restart", method: "POST").status == 503)
    let control = try FakeSupervisor(path: run + "/supervisor.sock") { call in
      call.method == "supervisor.stopProcess" ? .fault(code: 70, text: "NOT_RUNNING: scanner") : .value(true)
    }
    defer { control.stop() }
    #expect(try dashboard.ask("/api/process/scanner/restart", method: "POST").status == 200)
    #expect(
      control.calls.withLock { $0 } == [
        XMLRPCCall("supervisor.stopProcess", ["scanner:scanner", true]),
        XMLRPCCall("supervisor.startProcess", ["scanner:scanner", true]),
      ])
    #expect(try dashboard.ask("/api/process/scanner/stop", method: "POST").status == 409)
    #expect(try dashboard.stop() == 0)
  }

  @Test func `the token is the owner's alone and in no log line`() throws {
    let dashboard = try Running(ScratchDirectory())
    try dashboard.waitUntilListening()
    let path = dashboard.directory.path + "/run/dashboard.token"
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    #expect(dashboard.address.hasPrefix("127.0.0.1:"))
    #expect(try dashboard.ask("/", headers: [:]).status == 401)
    #expect(try dashboard.ask("/healthz", headers: [:]).status == 200)
    #expect(try dashboard.ask("/", headers: ["Authorization": "Bearer nonsense"]).status == 401)
    let page = try dashboard.ask("/")
    #expect(page.status == 200)
    #expect(String(decoding: page.body, as: UTF8.self).contains("<title>Bulkhead</title>"))

    let told = try bulkhead(["dashboard", "-c", dashboard.file])
    #expect(told.output == "http://\(dashboard.address)/?token=\(dashboard.token)\n", "\(told.errors)")
    let welcome = try dashboard.ask("/?token=\(dashboard.token)", headers: [:])
    let cookie = try #require(welcome.headers["Set-Cookie"]?.split(separator: ";").first)
    #expect(try dashboard.ask("/api/state", headers: ["Cookie": String(cookie)]).status == 200)

    #expect(try dashboard.stop() == 0)
    #expect(dashboard.logged.contains("dashboard listens"))
    #expect(!dashboard.logged.contains(dashboard.token))
    let gone = try bulkhead(["dashboard", "-c", dashboard.file])
    #expect(gone.status == 111)
    #expect(gone.output.isEmpty)
  }

  @Test func `its own health is on the bus`() throws {
    let dashboard = try Running(ScratchDirectory())
    let subscriber = try Subscriber(name: "test", topics: [Topic.health], wantsSnapshot: false)
    try subscriber.connect(BusEndpoint.ipc(name: "dashboard", runDirectory: dashboard.directory.path + "/run"))
    var heard: HealthMessage?
    try wait("its health", seconds: 20) {
      subscriber.receive { event in
        if case .message(_, _, _, var body) = event { heard = try? HealthMessage(&body) }
      }
      return heard != nil
    }
    #expect(heard?.name == "dashboard")
    #expect(heard?.counters["requests"] == 0)
    #expect(try dashboard.stop() == 0)
  }

  @Test func `a token of one's own is taken from its file, and one that is too short ends it with 100`() throws {
    let directory = ScratchDirectory()
    try "my-own-token_of-some-length\n".write(toFile: directory.path + "/t", atomically: true, encoding: .utf8)
    let dashboard = try Running(directory, settings: "[dashboard]\ntoken_file = t\n")
    try dashboard.waitUntilListening()
    #expect(dashboard.token.isEmpty)
    let headers: HTTPHeaders = ["Authorization": "Bearer my-own-token_of-some-length"]
    #expect(try dashboard.ask("/metrics", headers: headers).status == 200)
    #expect(try bulkhead(["dashboard", "-c", dashboard.file]).output.hasSuffix("?token=my-own-token_of-some-length\n"))
    #expect(try dashboard.stop() == 0)

    let other = ScratchDirectory()
    try "short\n".write(toFile: other.path + "/t", atomically: true, encoding: .utf8)
    let wrong = try Running(other, settings: "[dashboard]\ntoken_file = t\n")
    #expect(try wrong.ended() == 100)
    #expect(wrong.logged.contains("token_file"))
    #expect(!wrong.logged.contains("short\n"))
  }
}
