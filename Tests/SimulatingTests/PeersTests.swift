import Foundation
import Simulating
import Testing

/// Public clients, which nobody of us wrote, against the simulator.
///
/// With `BULKHEAD_PEERS=1` only: they are installed from PyPI, into a virtual environment that is kept in the user's
/// cache.
@Suite struct PeersTests {
  private static let packages = ["ccxt", "py-clob-client-v2", "websockets"]

  /// Runs a program until its end.
  /// - Returns: its status, and all that it said.
  private func run(_ program: String, _ arguments: [String]) async throws -> (status: Int32, output: String) {
    let file = FileManager.default.temporaryDirectory.appending(path: "peers-\(UUID()).log")
    _ = FileManager.default.createFile(atPath: file.path, contents: nil)
    defer { try? FileManager.default.removeItem(at: file) }
    let handle = try FileHandle(forWritingTo: file)
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [program] + arguments
    process.standardOutput = handle
    process.standardError = handle
    process.standardInput = FileHandle.nullDevice
    let status = try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Int32, any Error>) in
      process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
      do {
        try process.run()
      } catch {
        process.terminationHandler = nil
        continuation.resume(throwing: error)
      }
    }
    try handle.close()
    return (status, String(decoding: try Data(contentsOf: file), as: UTF8.self))
  }

  /// The interpreter of the virtual environment, which is made where there is none.
  private func python() async throws -> String {
    let environment = ProcessInfo.processInfo.environment
    let cache = environment["XDG_CACHE_HOME"] ?? (environment["HOME"] ?? "/tmp") + "/.cache"
    let folder = cache + "/bulkhead/peers"
    let python = folder + "/bin/python"
    if try await run(python, ["-c", "import ccxt, py_clob_client_v2, websockets"]).status == 0 { return python }
    let made = try await run("python3", ["-m", "venv", folder])
    try #require(made.status == 0, "\(made.output)")
    let installed = try await run(
      python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"] + PeersTests.packages)
    try #require(installed.status == 0, "\(installed.output)")
    return python
  }

  @Test(.timeLimit(.minutes(30)))
  func `ccxt, py_clob_client_v2 and websockets work with nothing but the base URL changed`() async throws {
    guard ProcessInfo.processInfo.environment["BULKHEAD_PEERS"] == "1" else {
      print("skipped: public clients are tried with BULKHEAD_PEERS=1 only")
      return
    }
    let python = try await python()
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    var options = SimulatorOptions()
    options.markets = 300
    options.events = 60
    let result = try await serving(options) { port in
      try await run(python, [root.path + "/scripts/peers", "http://127.0.0.1:\(port)"])
    }
    print(result.output)
    #expect(result.status == 0)
    #expect(result.output.split(separator: "\n").count { $0.hasPrefix("ok ") } > 100)
  }
}
