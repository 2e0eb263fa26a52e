internal import Daemon
internal import Web

/// One process as the supervisor tells it.
struct ProcessRow {
  let name: String
  let group: String
  let pid: Int64
  let state: String
  let uptimeSeconds: Double
  let restarts: Int64
  let isReady: Bool
  let exitStatus: Int64
  let description: String
  /// Which of how many it is, as `1/4`; empty where it is alone.
  let shard: String

  init(_ value: XMLRPCValue) {
    name = value["name"]?.string ?? ""
    group = value["group"]?.string ?? name
    pid = value["pid"]?.integer ?? 0
    state = value["statename"]?.string ?? "UNKNOWN"
    restarts = value["restarts"]?.integer ?? 0
    isReady = value["ready"]?.boolean ?? (state == "RUNNING")
    exitStatus = value["exitstatus"]?.integer ?? 0
    let shard = value["shard"]?.string ?? ""
    self.shard = shard.hasSuffix("/1") ? "" : shard
    let status = value["status"]?.string ?? ""
    description = status.isEmpty ? value["description"]?.string ?? "" : status
    if case .double(let seconds) = value["uptime_seconds"] {
      uptimeSeconds = seconds
    } else {
      // Another supervisor says only when it was started.
      let start = value["start"]?.integer ?? 0
      uptimeSeconds = pid > 0 ? Double(max(0, (value["now"]?.integer ?? start) - start)) : 0
    }
  }

  /// `group:name`, as the supervisor is asked for it.
  var fullName: String { "\(group):\(name)" }
}

/// Talks to the supervisor of a run directory: XML-RPC over its unix socket.
struct SupervisorClient {
  /// A call that the supervisor refused.
  struct Fault: ExitStatusError, CustomStringConvertible {
    let code: Int64
    let text: String
    var description: String { "the supervisor refuses: \(text)" }
    /// A name that there is not is a mistake of the command line.
    var exitStatus: ExitStatus { code == Self.badName ? .usage : .failed }

    static let badName: Int64 = 10
    static let success: Int64 = 80
    static let notRunning: Int64 = 70
  }

  let runDirectory: String

  var socketPath: String { runDirectory + "/supervisor.sock" }

  /// Whether a supervisor answers.
  var isThere: Bool { isListening(socketPath) }

  /// Calls a method and waits for its answer.
  /// - Throws: `ToolError` where nothing runs or no answer comes, `Fault` where the supervisor refuses.
  @discardableResult
  func call(_ method: String, _ parameters: [XMLRPCValue] = []) throws -> XMLRPCValue {
    guard isThere else { throw ToolError.nothingRuns(runDirectory) }
    let request = HTTPRequest(
      method: "POST", url: "http://localhost/RPC2", headers: ["Content-Type": "text/xml"],
      body: XMLRPC.write(XMLRPCCall(method, parameters)), timeoutMilliseconds: 120_000,
      connectTimeoutMilliseconds: 2000, unixSocketPath: socketPath)
    let response: XMLRPCResponse
    do {
      let answer = try HTTPClient().sendBlocking(request)
      guard answer.status == 200 else {
        throw ToolError(.failed, "the supervisor answers with HTTP status \(answer.status)")
      }
      response = try XMLRPC.readResponse(answer.body)
    } catch let error as HTTPError {
      throw ToolError(.failed, "the supervisor does not answer: \(error)")
    } catch let error as XMLRPCError {
      throw ToolError(.failed, "the supervisor's answer cannot be read: \(error)")
    }
    switch response {
    case .value(let value): return value
    case .fault(let code, let text): throw Fault(code: code, text: text)
    }
  }

  /// All processes, sorted by group and name.
  func processes() throws -> [ProcessRow] {
    (try call("supervisor.getAllProcessInfo").array ?? []).map { ProcessRow($0) }
  }

  /// The full name of the process that somebody calls `name`.
  /// - Throws: `ToolError` where there is none, or more than one.
  func resolve(_ name: String) throws -> String {
    let found = try processes().filter { $0.name == name || $0.fullName == name }
    guard found.count < 2 else {
      throw ToolError.usage("\(name) is in several groups: " + found.map(\.fullName).joined(separator: ", "))
    }
    guard let one = found.first else { throw ToolError.usage("there is no process \(name)") }
    return one.fullName
  }
}
