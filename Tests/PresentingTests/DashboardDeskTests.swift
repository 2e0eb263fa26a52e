import Bus
import Foundation
import Market
import Presenting
import Testing
import Web

@Suite struct DashboardDeskTests {
  private let token = DashboardAccess.makeToken()
  private let desk: DashboardDesk
  private var state = DashboardState(startedAt: noon)

  init() {
    desk = DashboardDesk(access: DashboardAccess(token: token, hosts: ["house.example"]), name: "dashboard")
    for name in ["scanner", "dashboard"] {
      state.add(
        ProcessMessage(
          name: name, group: "g", state: "RUNNING", pid: 1, startedAt: noon, restarts: 0, isReady: true,
          exitStatus: nil, description: ""))
    }
  }

  private func request(
    _ path: String = "/", method: String = "GET", host: String? = "127.0.0.1:4711", token: String? = nil,
    cookie: String? = nil, origin: String? = nil, query: [(name: String, value: String)] = []
  ) -> HTTPServerRequest {
    var headers = HTTPHeaders()
    headers["Host"] = host
    headers["Authorization"] = token.map { "Bearer " + $0 }
    headers["Cookie"] = cookie
    headers["Origin"] = origin
    return HTTPServerRequest(method: method, path: path, query: query, headers: headers)
  }

  private func response(_ request: HTTPServerRequest) throws -> HTTPServerResponse {
    guard case .response(let response) = desk.answer(request, state, now: noon) else {
      throw ExpectedResponse()
    }
    return response
  }

  private struct ExpectedResponse: Error {}

  @Test func `a token is 32 random bytes in hexadecimal`() {
    #expect(token.count == 64)
    let hexadecimal = token.filter(\.isHexDigit)
    #expect(hexadecimal == token)
    #expect(token != DashboardAccess.makeToken())
  }

  @Test(arguments: ["/", "/api/state", "/metrics", "/api/process/scanner/stop", "/nowhere"])
  func `without the right token nothing is told`(_ path: String) throws {
    var nearly = token
    nearly.removeLast()
    let flipped = String(token.reversed()) == token ? "0" + token.dropFirst() : String(token.reversed())
    for one in [
      request(path), request(path, token: nearly), request(path, token: token + "0"), request(path, token: flipped),
      request(path, token: ""), request(path, cookie: "bulkhead_dashboard=\(nearly)"),
      request(path, cookie: "other=\(token)"), request(path, query: [("token", nearly)]),
      request(path, method: "POST", query: [("token", token)]),
    ] {
      let response = try response(one)
      #expect(response.status == 401)
      #expect(response.headers["Set-Cookie"] == nil)
      #expect(!String(decoding: response.body, as: UTF8.self).contains(token))
    }
  }

  @Test func `the right token opens, as a header and as a cookie`() throws {
    #expect(try response(request(token: token)).status == 200)
    #expect(try response(request(cookie: "a=b; bulkhead_dashboard=\(token); c=d")).status == 200)
    #expect(try response(request("/nowhere", token: token)).status == 404)
    #expect(try response(request("/metrics", method: "DELETE", token: token)).status == 405)
  }

  @Test func `a token in the address becomes a cookie and leaves the address`() throws {
    let welcome = try response(request(query: [("token", token)]))
    #expect(welcome.status == 303)
    #expect(welcome.headers["Location"] == "/")
    #expect(
      welcome.headers["Set-Cookie"] == "bulkhead_dashboard=\(token); Path=/; HttpOnly; SameSite=Strict")
    #expect(try response(request("/metrics", query: [("token", token)])).headers["Location"] == "/metrics")
    #expect(try response(request("//evil.example/", query: [("token", token)])).headers["Location"] == "/")
  }

  @Test func `names that are not ours are refused even with the token`() throws {
    for host in ["evil.example", "evil.example:4711", "127.0.0.1.evil.example", "", "house.example.evil"] {
      #expect(try response(request(host: host, token: token)).status == 403, "\(host)")
    }
    #expect(try response(request(host: nil, token: token)).status == 403)
    for host in ["127.0.0.1", "localhost:80", "LOCALHOST", "[::1]:80", "house.example:443"] {
      #expect(try response(request(host: host, token: token)).status == 200, "\(host)")
    }
  }

  @Test func `a page from elsewhere may not use the cookie`() throws {
    let cookie = "bulkhead_dashboard=\(token)"
    let (path, own) = ("/api/process/scanner/stop", "http://127.0.0.1:4711")
    for origin in ["http://evil.example", "null", "http://127.0.0.1:4712"] {
      #expect(try response(request(path, method: "POST", cookie: cookie, origin: origin)).status == 403)
    }
    guard
      case .control(.stop, "g:scanner") = desk.answer(
        request(path, method: "POST", cookie: cookie, origin: own), state, now: noon)
    else {
      Issue.record("the page's own request was refused")
      return
    }
  }

  @Test func `health needs no token and tells nothing`() throws {
    let answer = try response(request("/healthz", host: "10.0.0.7"))
    #expect(answer.status == 200)
    #expect(answer.body == Array("ok\n".utf8))
  }

  @Test func `only processes and verbs that there are are passed on, and only by POST`() throws {
    for path in [
      "/api/process/nobody/stop", "/api/process/scanner/kill", "/api/process/scanner", "/api/process/scanner/stop/now",
      "/api/process//stop", "/api/process/",
    ] {
      #expect(try response(request(path, method: "POST", token: token)).status == 404, "\(path)")
    }
    #expect(try response(request("/api/process/scanner/stop", token: token)).status == 405)
    #expect(try response(request("/api/process/dashboard/stop", method: "POST", token: token)).status == 409)
    #expect(try response(request("/api/process/dashboard/restart", method: "POST", token: token)).status == 409)
  }

  @Test func `the page lets in its own script alone and loads nothing from outside`() throws {
    let (first, second) = (try response(request(token: token)), try response(request(token: token)))
    let page = String(decoding: first.body, as: UTF8.self)
    let policy = try #require(first.headers["Content-Security-Policy"])
    #expect(policy.hasPrefix("default-src 'none'; script-src 'nonce-"))
    let nonce = try #require(policy.split(separator: "'").first { $0.hasPrefix("nonce-") }?.dropFirst(6))
    #expect(page.contains("<script nonce=\"\(nonce)\">"))
    #expect(page.contains("<style nonce=\"\(nonce)\">"))
    #expect(policy != second.headers["Content-Security-Policy"])
    for outside in ["http://", "https://", "src=", "innerHTML", "insertAdjacentHTML", "document.write", "eval("] {
      #expect(!page.contains(outside), "\(outside)")
    }
    #expect(!page.contains(token))
    #expect(first.headers["Cache-Control"] == "no-store")
    #expect(first.headers["Referrer-Policy"] == "no-referrer")
  }
}
