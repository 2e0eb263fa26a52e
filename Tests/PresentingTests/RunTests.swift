import Bus
import Daemon
import Foundation
import Market
import Presenting
import TestSupport
import Testing

/// `bulkhead run` with the real supervisor and small programs.
@Suite struct RunTests {
  private let directory: ScratchDirectory

  init() throws { directory = ScratchDirectory() }

  private func configure(_ programs: [String: String]) throws -> String {
    try directory.configure(
      programs.sorted { $0.key < $1.key }.map { name, rest in
        "[program:\(name)]\nstartsecs = \(name == "broken" ? 1 : 0)\nstopwaitsecs = 1\n\(rest)\n"
      }.joined())
  }

  /// The processes whose command line holds a text, this one aside.
  private func processes(_ text: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { Int($0) != nil }.filter { pid in
      let line = (try? Data(contentsOf: URL(filePath: "/proc/\(pid)/cmdline"))) ?? Data()
      return String(decoding: line, as: UTF8.self).contains(text)
    }
  }

  @Test func `everything is started, summed up and stopped, and nothing is left`() throws {
    let mark = "\(60_000_000 + Int.random(in: 0..<9_000_000))"
    let file = try configure([
      "a": "command = /bin/sleep \(mark)", "by-hand": "command = /bin/false\nautostart = false",
      // Its child would outlive it, and the shell does not pass the signal on.
      "nest": "command = /bin/sh -c 'trap \"\" TERM; /bin/sleep \(mark) & /bin/sleep \(mark); wait'",
    ])
    let answer = try bulkhead(["run", "--for", "1", "-c", file])
    #expect(answer.status == 0, "\(answer.output)\(answer.errors)")
    #expect(answer.output.contains("all 2 processes are ready"), "\(answer.output)")
    #expect(answer.output.contains("nothing was planted here"))
    #expect(answer.output.contains("processes      3, 0 restarts"), "\(answer.output)")
    #expect(try processes(mark) == [])
    #expect(try processes(directory.path) == [])
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func `a signal stops everything in order, and that is no failure`(_ signal: Int32) throws {
    let mark = "\(70_000_000 + Int.random(in: 0..<9_000_000))"
    let file = try configure(["a": "command = /bin/sleep \(mark)"])
    let process = Process()
    process.executableURL = Places.executables.appending(path: "bulkhead")
    process.arguments = ["run", "-c", file]
    process.environment = ProcessInfo.processInfo.environment.merging(["BULKHEAD_BIN": Places.executables.path]) { $1 }
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    try wait("the program to run", seconds: 20) { try !processes(mark).isEmpty }
    kill(process.processIdentifier, signal)
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "\(output)")
    #expect(output.contains("ran for"))
    #expect(try processes(mark) == [])
  }

  @Test func `a program that cannot be started ends the run with its name`() throws {
    let mark = "\(80_000_000 + Int.random(in: 0..<9_000_000))"
    let file = try configure([
      "a": "command = /bin/sleep \(mark)", "broken": "command = /bin/sh -c 'exit 100'",
    ])
    let answer = try bulkhead(["run", "-c", file])
    #expect(answer.status == 111)
    #expect(answer.errors.contains("could not be started: broken"), "\(answer.errors)")
    #expect(try processes(mark) == [])
  }

  @Test(arguments: [true, false])
  func `a supervisor that is killed is followed by its standby, or ends the run; nothing is left`(
    _ hasStandby: Bool
  ) throws {
    let mark = "\(90_000_000 + Int.random(in: 0..<9_000_000))"
    let standby = hasStandby ? "" : "\n[bulkhead:supervisor]\nstandby = false"
    let file = try configure(["a": "command = /bin/sleep \(mark)" + standby])
    let process = Process()
    process.executableURL = Places.executables.appending(path: "bulkhead")
    process.arguments = ["run", "-c", file]
    process.environment = ProcessInfo.processInfo.environment.merging(["BULKHEAD_BIN": Places.executables.path]) { $1 }
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    defer { kill(process.processIdentifier, SIGTERM) }
    try wait("the program to run", seconds: 60) { try !processes(mark).isEmpty }
    func supervisor() -> Int32 {
      Int32((try? String(contentsOfFile: directory.path + "/run/supervisor.pid", encoding: .utf8))?.trimming ?? "") ?? 0
    }
    let pid = supervisor()
    try #require(pid > 0)
    if hasStandby { try wait("the standby", seconds: 60) { try processes(directory.path).count >= 3 } }
    kill(pid, SIGKILL)
    if hasStandby {
      try wait("the stand-in", seconds: 60) { ![0, pid].contains(supervisor()) }
      kill(process.processIdentifier, SIGTERM)
    }
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == (hasStandby ? 0 : 111), "\(output)")
    #expect(
      output.contains(hasStandby ? "another one has taken its place" : "the supervisor ended with status 137"),
      "\(output)")
    #expect(try processes(mark) == [])
  }

  // MARK: - What is shown

  private func message(
    _ name: String, _ state: String, restarts: Int = 0, isReady: Bool = true
  ) -> ProcessMessage {
    ProcessMessage(
      name: name, group: name, state: state, pid: 1, startedAt: noon, restarts: restarts, isReady: isReady,
      exitStatus: nil, description: "")
  }

  @Test func `a group is ready when every process that starts by itself is`() {
    var view = GroupView(manual: ["tool"])
    #expect(!view.isReady)
    view.add(message("a", "RUNNING"))
    view.add(message("b", "RUNNING", isReady: false))
    view.add(message("tool", "STOPPED", isReady: false))
    #expect(view.unready.map(\.name) == ["b"])
    view.add(message("b", "RUNNING", restarts: 2))
    #expect(!view.isReady, "there may be more that the supervisor has not told yet")
    view.endTable()
    #expect(view.isReady)
    #expect(view.wantedCount == 2)
    #expect(view.restartCount == 2)
    view.add(message("b", "FATAL"))
    #expect(!view.isReady)
    #expect(view.fatal == ["b"])
    view.add(message("b", "REMOVED"))
    #expect(view.isReady)
  }

  @Test func `messages of a process that starts anew are counted on`() {
    var view = GroupView()
    for count in [10, 25, 5, 8] as [Int64] {
      view.add(HealthMessage(name: "ingestor", counters: ["messages_published": count]))
    }
    view.add(HealthMessage(name: "other", counters: ["messages_published": 100, "books_live": 7]))
    #expect(view.publishedCount == 133)
    #expect(view.counter("books_live") == 7)
    #expect(view.counter("books_live", of: "ingestor") == nil)
  }

  @Test func `the summary names what was found, missed and false`() throws {
    var view = GroupView()
    view.add(message("a", "RUNNING", restarts: 1))
    for number in 1...3 as ClosedRange<UInt64> {
      view.tally.add(
        PlantedArbitrage(
          id: number, kind: .binaryBuy, eventID: "e\(number)", marketIDs: ["m\(number)"], startedAt: noon,
          endedAt: noon(plus: 200), profitPerSet: .one))
    }
    view.tally.add(
      PlantedArbitrage(
        id: 4, kind: .spike, eventID: "e4", marketIDs: ["m4"], token: "t", isDecoy: true, startedAt: noon,
        endedAt: noon(plus: 200), profitPerSet: .zero))
    view.tally.add(try opportunity(1, legs: [try leg(market: "m1")], found: noon(plus: 4)))
    view.tally.add(
      try opportunity(2, kind: .crossFirst, event: "x", legs: [try leg(market: "x")], found: noon(plus: 4)))
    var books = RunBooks()
    books.orders = 1234
    books.fees = try Money("0.5")
    books.realised = try Money("-1.25")
    let lines = RunSummary.final(view, books: books, elapsedSeconds: 12.34, now: noon(plus: 10_000))
    #expect(
      lines == [
        "  ran for        12.3 s", "  processes      1, 1 restart", "  messages       0",
        "  opportunities  2",
        "  scanner        planted    found   missed    false        p50        p99",
        "  binary               3        1        2        0    4.00 ms    4.00 ms",
        "  crossPlatform        0        0        0        1          –          –",
        "  all                  3        1        2        1    4.00 ms    4.00 ms",
        "  decoys         1, 0 reported",
        "  orders         1,234", "  fills          0", "  fees           0.5000", "  settlements    0",
        "  P&L            -1.2500 realised, unknown unrealised, before fees",
        "  equity         0.0000 with positions at cost",
      ])
  }
}

extension String {
  fileprivate var trimming: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
