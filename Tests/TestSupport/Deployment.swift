import Daemon
public import Foundation

/// Where the package, its executables and the shared data are.
public enum Places {
  /// The package's root folder.
  public static let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// The folder of the built executables: `BULKHEAD_BIN`, or the release folder.
  public static var executables: URL {
    if let path = ProcessInfo.processInfo.environment["BULKHEAD_BIN"] { return URL(filePath: path) }
    return package.appending(path: ".build/release")
  }

  /// The folder of recorded data and captured payloads: `BULKHEAD_SHARED`, or `../shared`; nil where it is absent.
  ///
  /// Says so when it is, so that a skipped test has its reason in the output.
  public static var shared: URL? {
    let path = ProcessInfo.processInfo.environment["BULKHEAD_SHARED"]
    let folder = path.map { URL(filePath: $0) } ?? package.appending(path: "../shared").standardized
    if FileManager.default.fileExists(atPath: folder.path) { return folder }
    print("skipped: there is no folder \(folder.path); set BULKHEAD_SHARED")
    return nil
  }
}

/// What a test waited for did not come.
public struct Overdue: Error, CustomStringConvertible {
  /// What it was.
  public let what: String
  /// For people.
  public var description: String { "waited in vain for \(what)" }

  /// An error by what was waited for.
  public init(_ what: String) { self.what = what }
}

/// One process as `bulkhead status --json` tells it.
public struct StatusRow: Decodable, Equatable {
  /// The process.
  public let name: String
  /// Its id, 0 where there is none.
  public let pid: Int32
  /// As supervisord names it.
  public let state: String
  /// Since when it runs.
  public let uptime_seconds: Double
  /// How often it was started again.
  public let restarts: Int
  /// Whether it said that it is ready.
  public let ready: Bool
}

/// A whole group of processes in a folder of its own, from the `supervisor.conf` that users get.
public final class Deployment {
  /// The folder: `supervisor.conf`, and `var` with what the processes leave.
  public let folder: URL
  /// The environment of all its processes.
  public let environment: [String: String]
  private let supervisor = Process()
  private let errors: URL

  /// The run directory.
  public var runDirectory: String { folder.appending(path: "var/run").path }
  /// The data directory.
  public var dataDirectory: String { folder.appending(path: "var/data").path }
  /// The supervisor's process id.
  public var supervisorPID: Int32 { supervisor.processIdentifier }

  /// Lays the folder out.
  ///
  /// - Parameter settings: settings that differ from the file's, as `section.key`.
  /// - Throws: where the folder cannot be made.
  public init(settings: [String: String] = [:]) throws {
    folder = URL(filePath: "/tmp/bh-\(UInt32.random(in: 0..<UInt32.max))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let original = Places.package.appending(path: "supervisor.conf")
    try FileManager.default.copyItem(at: original, to: folder.appending(path: "supervisor.conf"))
    var environment = ProcessInfo.processInfo.environment
    environment["BULKHEAD_BIN"] = Places.executables.path
    for (key, value) in settings {
      environment["BULKHEAD_" + key.uppercased().replacingOccurrences(of: ".", with: "_")] = value
    }
    self.environment = environment
    errors = folder.appending(path: "supervisor.out")
    _ = FileManager.default.createFile(atPath: errors.path, contents: nil)
  }

  deinit {
    if supervisor.isRunning {
      supervisor.terminate()
      supervisor.waitUntilExit()
    }
    endSuccessor()
    try? FileManager.default.removeItem(at: folder)
  }

  /// Ends whoever took the place of a supervisor that was killed.
  private func endSuccessor() {
    let text = try? String(contentsOf: folder.appending(path: "var/run/supervisor.pid"), encoding: .utf8)
    guard let pid = text.flatMap({ Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }), isAlive(pid) else {
      return
    }
    kill(pid, SIGTERM)
    let state = { (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8))?.contains(") Z ") }
    try? wait("the end of the supervisor that took over", seconds: 15) { state() != false }
  }

  /// Starts the supervisor, which starts all others.
  public func start() throws {
    supervisor.executableURL = Places.executables.appending(path: "supervisor")
    supervisor.arguments = ["-c", folder.appending(path: "supervisor.conf").path]
    supervisor.environment = environment
    let output = try FileHandle(forWritingTo: errors)
    supervisor.standardOutput = output
    supervisor.standardError = output
    try supervisor.run()
  }

  /// What the supervisor itself printed.
  public var supervisorOutput: String { (try? String(contentsOf: errors, encoding: .utf8)) ?? "" }

  /// The log of one process.
  public func log(_ process: String) -> String {
    let logs = folder.appending(path: "var/run/logs")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: logs.path)) ?? []
    return names.filter { $0.hasPrefix(process) }.sorted()
      .map { (try? String(contentsOf: logs.appending(path: $0), encoding: .utf8)) ?? "" }.joined()
  }

  /// Stops everything in order.
  ///
  /// - Parameter seconds: how long it may take.
  /// - Returns: the supervisor's exit status.
  /// - Throws: `Overdue`.
  public func stop(within seconds: Double = 15) throws -> Int32 {
    guard supervisor.isRunning else { return supervisor.terminationStatus }
    supervisor.terminate()
    try wait("the supervisor's end", seconds: seconds) { !supervisor.isRunning }
    return supervisor.terminationStatus
  }

  /// Waits for the supervisor to end by itself.
  ///
  /// - Parameter seconds: how long it may take.
  /// - Returns: its exit status.
  /// - Throws: `Overdue`.
  public func ended(within seconds: Double) throws -> Int32 {
    try wait("the supervisor's end", seconds: seconds) { !supervisor.isRunning }
    return supervisor.terminationStatus
  }

  /// Runs the tool.
  ///
  /// - Returns: its exit status and what it printed.
  public func tool(_ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = Places.executables.appending(path: "bulkhead")
    process.arguments = arguments + ["-c", folder.appending(path: "supervisor.conf").path]
    process.environment = environment
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }

  /// The process table.
  public func status() throws -> [StatusRow] {
    let (status, output) = try tool(["status", "--json"])
    guard status == 0 else { throw Overdue("an answer of `bulkhead status`: \(output)") }
    return try JSONDecoder().decode([StatusRow].self, from: Data(output.utf8))
  }

  /// Waits until every process runs and says that it is ready.
  ///
  /// - Returns: the process table then.
  @discardableResult public func waitUntilReady(seconds: Double = 60) throws -> [StatusRow] {
    var rows: [StatusRow] = []
    try wait("all processes to be ready, last seen \(rows)", seconds: seconds) {
      rows = (try? status()) ?? []
      return !rows.isEmpty && rows.allSatisfy { $0.state == "RUNNING" && $0.ready }
    }
    return rows
  }
}

/// Waits until a condition holds.
///
/// - Parameters:
///   - what: named in the error.
///   - seconds: the deadline.
///   - condition: asked again and again; it should itself wait for an event where it can.
/// - Throws: `Overdue` at the deadline.
public func wait(_ what: @autoclosure () -> String, seconds: Double, _ condition: () throws -> Bool) throws {
  let deadline = SystemClock.monotonicNanoseconds + Int64(seconds * 1e9)
  while true {
    if try condition() { return }
    guard SystemClock.monotonicNanoseconds < deadline else { throw Overdue(what()) }
    var pause = timespec(tv_sec: 0, tv_nsec: 5_000_000)
    nanosleep(&pause, nil)
  }
}

/// Whether a process exists, zombies included.
public func isAlive(_ pid: Int32) -> Bool { pid > 0 && kill(pid, 0) == 0 }
