internal import Daemon
package import Web

/// Passes on to the supervisor what somebody wants of a process, without waiting for it.
package struct ProcessControl: Sendable {
  /// What may be wanted.
  package enum Verb: String, Sendable {
    case start, stop, restart
  }

  private let client: HTTPClient
  private let socketPath: String

  /// Control by the supervisor of a run directory.
  package init(runDirectory: String, client: HTTPClient = HTTPClient()) {
    socketPath = SupervisorClient(runDirectory: runDirectory).socketPath
    self.client = client
  }

  /// Does it; the deferral is completed once the supervisor has said what became of it.
  ///
  /// - Parameters:
  ///   - verb: what is wanted.
  ///   - process: `group:name`.
  /// - Returns: the promise of a response: 200, 409 where the supervisor refuses, 503 where none answers.
  package func perform(_ verb: Verb, _ process: String) -> HTTPDeferral {
    let deferral = HTTPDeferral()
    switch verb {
    case .start, .stop:
      call("supervisor.\(verb.rawValue)Process", process) { deferral.complete(Self.response($0)) }
    case .restart:
      call("supervisor.stopProcess", process) { answer in
        switch answer {
        case .success(.value), .success(.fault(code: SupervisorClient.Fault.notRunning, text: _)):
          call("supervisor.startProcess", process) { deferral.complete(Self.response($0)) }
        case .success, .failure: deferral.complete(Self.response(answer))
        }
      }
    }
    return deferral
  }

  private typealias Answer = Result<XMLRPCResponse, ToolError>

  /// `completion` runs on the client's thread.
  private func call(_ method: String, _ process: String, completion: @escaping @Sendable (Answer) -> Void) {
    let request = HTTPRequest(
      method: "POST", url: "http://localhost/RPC2", headers: ["Content-Type": "text/xml"],
      body: XMLRPC.write(XMLRPCCall(method, [.string(process), true])), timeoutMilliseconds: 120_000,
      connectTimeoutMilliseconds: 2000, unixSocketPath: socketPath)
    client.start(request) { completion(Self.read($0)) }
  }

  private static func read(_ result: Result<HTTPResponse, HTTPError>) -> Answer {
    do {
      let response = try result.get()
      guard response.status == 200 else {
        return .failure(ToolError(.failed, "the supervisor answers with HTTP status \(response.status)"))
      }
      return .success(try XMLRPC.readResponse(response.body))
    } catch {
      return .failure(ToolError(.failed, "the supervisor does not answer: \(error)"))
    }
  }

  private static func response(_ answer: Answer) -> HTTPServerResponse {
    switch answer {
    case .success(.value): DashboardDesk.message("done", status: 200)
    case .success(.fault(_, let text)): DashboardDesk.message("the supervisor refuses: \(text)", status: 409)
    case .failure(let error): DashboardDesk.message(error.description, status: 503)
    }
  }
}
