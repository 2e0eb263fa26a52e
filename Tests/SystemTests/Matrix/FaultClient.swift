import Foundation
import TestSupport
import Web

/// The simulator's fault board, over HTTP.
struct FaultClient: Sendable {
  private let runDirectory: String
  private let client = HTTPClient()

  /// The board of a deployment's simulator.
  init(_ deployment: Deployment) { runDirectory = deployment.runDirectory }

  private func send(_ method: String, _ target: String, _ body: String = "") async throws -> HTTPResponse {
    let file = runDirectory + "/simulator.address"
    let address = try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    return try await client.send(
      HTTPRequest(method: method, url: "http://\(address)\(target)", body: Array(body.utf8)))
  }

  /// Sets a fault, by the members of its object but the venue.
  func set(_ venue: String, _ members: String) async throws {
    let answer = try await send("POST", "/faults", "{\"venue\":\"\(venue)\",\(members)}")
    guard answer.status == 201 else { throw Overdue("a fault: \(answer.text)") }
  }

  /// Ends the faults of a venue, or all.
  func clear(_ venue: String = "all") async throws { _ = try await send("DELETE", "/faults?venue=\(venue)") }

  /// How often the last fault of a venue has struck.
  func struck(_ venue: String) async throws -> (requests: Int64, handshakes: Int64, frames: Int64, streams: Int64) {
    let list = try await send("GET", "/faults").json().root["faults"]
    let faults = list.map { Array($0.elements) } ?? []
    // A disconnect strikes once, and is over.
    let own = faults.filter { $0["venue"]?.string == venue }
    let fault = own.last { $0["active"]?.bool == true } ?? own.last
    func count(_ name: String) -> Int64 { fault?[name]?.integer ?? 0 }
    return (count("requests"), count("handshakes"), count("frames"), count("streams"))
  }
}

/// Waits until a condition holds, without blocking a thread.
///
/// - Parameters:
///   - what: named in the error.
///   - seconds: the deadline.
///   - condition: asked again and again.
/// - Throws: `Overdue` at the deadline.
func until(
  _ what: @autoclosure () -> String, seconds: Double = 90, _ condition: () throws -> Bool
) async throws {
  let deadline = ContinuousClock.now.advanced(by: .seconds(seconds))
  while try !condition() {
    guard ContinuousClock.now < deadline else { throw Overdue(what()) }
    try await Task.sleep(for: .milliseconds(25))
  }
}

extension Deployment {
  /// Takes programs out of the file before it is read, and appends some text to it.
  func keep(programs: [String], adding text: String = "") throws {
    let file = folder.appending(path: "supervisor.conf")
    var kept: [Substring] = []
    var isKept = true
    for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("[") {
        isKept = !line.contains("program:") || programs.contains { line.hasSuffix("program:\($0)]") }
      }
      if isKept { kept.append(line) }
    }
    try (kept.joined(separator: "\n") + text).write(to: file, atomically: true, encoding: .utf8)
  }
}
