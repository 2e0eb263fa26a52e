internal import Bus
package import Market
package import Web

/// Decides what each request gets.
package struct DashboardDesk: Sendable {
  /// What a request gets.
  package enum Answer: Sendable {
    /// This response.
    case response(HTTPServerResponse)
    /// What the supervisor will say.
    case control(ProcessControl.Verb, process: String)
  }

  /// What can be read.
  static let paths = ["/", "/api/state", "/metrics"]

  private let access: DashboardAccess
  private let name: String

  /// A desk.
  ///
  /// - Parameters:
  ///   - access: who may ask.
  ///   - name: the dashboard's own process.
  package init(access: DashboardAccess, name: String) {
    self.access = access
    self.name = name
  }

  /// Answers a request from what is known.
  package func answer(_ request: HTTPServerRequest, _ state: DashboardState, now: Timestamp) -> Answer {
    // Tells nothing but that somebody is here.
    if request.path == "/healthz" { return .response(Self.guarded(.text("ok\n"))) }
    switch access.judge(request) {
    case .foreign: return .response(Self.guarded(Self.message("this is not the name of this dashboard", status: 403)))
    case .unknown:
      var response = Self.message("a token is needed: `bulkhead dashboard` tells the address with it", status: 401)
      response.headers["WWW-Authenticate"] = "Bearer realm=\"bulkhead\""
      return .response(Self.guarded(response))
    case .welcome(let cookie, let location):
      var response = HTTPServerResponse.text("", status: 303)
      response.headers["Set-Cookie"] = cookie
      response.headers["Location"] = location
      return .response(Self.guarded(response))
    case .granted: break
    }
    if request.path.hasPrefix("/api/process/") { return control(request, state) }
    guard Self.paths.contains(request.path) else {
      return .response(Self.guarded(Self.message("there is no \(request.path)", status: 404)))
    }
    guard request.method == "GET" || request.method == "HEAD" else { return .response(Self.notAllowed("GET, HEAD")) }
    switch request.path {
    case "/": return .response(page())
    case "/metrics":
      let type = "text/plain; version=0.0.4; charset=utf-8"
      return .response(Self.guarded(.text(state.metrics(now: now), type: type)))
    default: return .response(Self.guarded(.json(state.json(name: name, now: now))))
    }
  }

  private func control(_ request: HTTPServerRequest, _ state: DashboardState) -> Answer {
    guard request.method == "POST" else { return .response(Self.notAllowed("POST")) }
    let parts = request.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst(3)
    guard parts.count == 2, let verb = ProcessControl.Verb(rawValue: String(parts[parts.startIndex + 1])),
      let process = state.processes[String(parts[parts.startIndex])]
    else { return .response(Self.guarded(Self.message("there is no such process, or no such verb", status: 404))) }
    // Whoever stops himself cannot start himself again.
    guard process.name != name || verb == .start else {
      return .response(
        Self.guarded(Self.message("the dashboard does not stop itself: use `bulkhead \(verb.rawValue)`", status: 409)))
    }
    return .control(verb, process: "\(process.group):\(process.name)")
  }

  private func page() -> HTTPServerResponse {
    let nonce = DashboardAccess.makeToken()
    var response = Self.guarded(.html(DashboardPage.html(nonce: nonce)))
    response.headers["Content-Security-Policy"] =
      "default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; connect-src 'self'; "
      + "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return response
  }

  private static func notAllowed(_ methods: String) -> HTTPServerResponse {
    var response = message("only \(methods)", status: 405)
    response.headers["Allow"] = methods
    return guarded(response)
  }

  /// What every response says: keep nothing, guess nothing, tell nobody where it came from.
  static func guarded(_ response: HTTPServerResponse) -> HTTPServerResponse {
    var response = response
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Frame-Options"] = "DENY"
    return response
  }

  /// A sentence for people, as JSON.
  static func message(_ text: String, status: Int) -> HTTPServerResponse {
    var writer = JSONWriter()
    writer.object { $0.field("message", text) }
    return .json(writer, status: status)
  }
}
