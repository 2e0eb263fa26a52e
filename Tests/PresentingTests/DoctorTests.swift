import Daemon
import Foundation
import TestSupport
import Testing
import Web

/// `bulkhead doctor`, with the built simulator where venues are asked.
@Suite(.serialized) struct DoctorTests {
  /// A simulator that is killed with the test.
  private final class Simulator {
    private let process = Process()
    private let address: String

    init(_ configuration: String, runDirectory: String) throws {
      process.executableURL = Places.executables.appending(path: "simulator")
      process.environment = ["BULKHEAD_CONF": configuration, "BULKHEAD_NAME": "simulator"]
      process.standardError = FileHandle.nullDevice
      try process.run()
      let file = runDirectory + "/simulator.address"
      try wait("the simulator", seconds: 30) { FileManager.default.fileExists(atPath: file) }
      address = try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func set(_ fault: String) throws {
      let request = HTTPRequest(method: "POST", url: "http://\(address)/faults", body: Array(fault.utf8))
      let answer = try HTTPClient().sendBlocking(request)
      guard answer.status == 201 else { throw Overdue("a fault: \(answer.text)") }
    }

    func clear() throws {
      _ = try HTTPClient().sendBlocking(HTTPRequest(method: "DELETE", url: "http://\(address)/faults"))
    }

    deinit {
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
    }
  }

  private struct Row {
    let check: String
    let subject: String
    let state: String
    let field: String
    let detail: String
  }

  private func rows(_ text: String) throws -> [Row] {
    try JSONDocument(text).root.elements.map { row in
      func text(_ name: String) -> String { row[name]?.string ?? "" }
      return Row(
        check: text("check"), subject: text("subject"), state: text("state"), field: text("field"),
        detail: text("detail"))
    }
  }

  @Test func `without anything wrong here it says ok and leaves nothing behind`() throws {
    let directory = ScratchDirectory()
    let file = try directory.configure()
    let before = try FileManager.default.subpathsOfDirectory(atPath: directory.path).sorted()
    let answer = try bulkhead(["doctor", "--no-venues", "--json", "-c", file])
    #expect(answer.status == 0, "\(answer.output)\(answer.errors)")
    let rows = try rows(answer.output)
    #expect(Set(rows.map(\.check)) == ["configuration", "directory", "disk", "socket"])
    #expect(rows.allSatisfy { $0.state != "failed" })
    #expect(try FileManager.default.subpathsOfDirectory(atPath: directory.path).sorted() == before)
  }

  @Test func `a directory that cannot be written and a database that is not supported fail, with 111`() throws {
    let directory = ScratchDirectory()
    let file = try directory.configure("[bulkhead]\ndata_dir = /proc/nowhere\n")
    let answer = try bulkhead(
      ["doctor", "--no-venues", "--json", "-c", file],
      environment: ["DATABASE_URL": "postgres://user:secret@host/db"])
    #expect(answer.status == 111)
    let failed = try rows(answer.output).filter { $0.state == "failed" }
    #expect(failed.contains { $0.check == "directory" && $0.subject == "/proc/nowhere" })
    #expect(failed.contains { $0.check == "configuration" && $0.detail.contains("environment DATABASE_URL") })
    #expect(!(answer.output + answer.errors).contains("secret"))
    let config = try bulkhead(["config", "-c", file], environment: ["DATABASE_URL": "postgres://user:secret@host/db"])
    #expect(config.output.contains("(not shown)") && !config.output.contains("secret"))
  }

  @Test func `there is no such venue is a wrong command line`() throws {
    let directory = ScratchDirectory()
    let answer = try bulkhead(["doctor", "--venue", "mars", "-c", try directory.configure()])
    #expect(answer.status == 64 && answer.errors.contains("mars"))
  }

  @Test func `every venue of the simulator has the known shape, and what changes is named by its field`() throws {
    let directory = ScratchDirectory()
    let file = try directory.configure("[simulator]\nmarkets = 60\nevents = 20\n")
    let simulator = try Simulator(file, runDirectory: directory.path + "/run")
    let well = try bulkhead(["doctor", "--json", "-c", file])
    let rows = try rows(well.output)
    #expect(well.status == 0, "\(rows.filter { $0.state == "failed" })")
    let shapes = rows.filter { $0.check == "shape" }
    #expect(Set(shapes.map { $0.subject.split(separator: " ")[0] }).count == 8)
    #expect(shapes.allSatisfy { $0.state != "failed" })
    let clocks = rows.filter { $0.check == "clock" }
    #expect(Set(clocks.map(\.subject)) == ["polymarket", "binance", "coinbase", "kraken", "okx", "bybit"])

    try simulator.set(#"{"venue":"binance","kind":"wrong_types"}"#)
    try simulator.set(#"{"venue":"kalshi","kind":"truncate"}"#)
    let ill = try bulkhead(["doctor", "--json", "-c", file])
    #expect(ill.status == 111 && ill.errors.contains("checks failed"))
    let wrong = try self.rows(ill.output).filter { $0.state == "failed" }
    #expect(wrong.contains { $0.subject == "binance ticker" && $0.field == "bidPrice" }, "\(wrong)")
    #expect(wrong.contains { $0.subject == "kalshi trades" && $0.detail.contains("JSON") }, "\(wrong)")
    #expect(wrong.allSatisfy { $0.subject.hasPrefix("binance") || $0.subject.hasPrefix("kalshi") }, "\(wrong)")

    try simulator.clear()
    #expect(try bulkhead(["doctor", "--venue", "binance", "-c", file]).status == 0)
  }
}
