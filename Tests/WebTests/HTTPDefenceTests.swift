import Foundation
import Glibc
import Synchronization
import Testing
import Web

/// Clients that are slow, many, large or unknown.
@Suite struct HTTPDefenceTests {
  private func serve(
    _ options: HTTPServerOptions, screen: (@Sendable (HTTPServerRequest) -> HTTPServerResponse?)? = nil,
    handler: @escaping LoopbackServer.Handler = { request in .response(.text("got \(request.body.count)")) }
  ) throws -> LoopbackServer {
    try LoopbackServer(options: options, screen: screen, handler: handler)
  }

  private func post(_ body: String, headers: String = "") -> String {
    "POST / HTTP/1.1\r\nHost: x\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
  }

  @Test(arguments: ["GET / HTTP/1.1\r\nX-A: ", "", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"])
  func `a request that comes byte by byte is not waited for`(start: String) throws {
    let server = try serve(HTTPServerOptions(requestTimeoutSeconds: 1))
    defer { server.stop() }
    let slow = try RawConnection(port: server.port)
    slow.send(start)
    var pushed = 0
    let limit = Date().addingTimeInterval(60)
    while Date() < limit, slow.send("a"), !slow.hasEnded {
      pushed += 1
      var item = pollfd(fd: slow.descriptor, events: Int16(POLLIN), revents: 0)
      if poll(&item, 1, 20) > 0 { try slow.readToEnd() }
    }
    #expect(slow.hasEnded)
    #expect(pushed < 900)
    let quick = try RawConnection(port: server.port)
    quick.send(post("hello"))
    try quick.read { $0.text.hasSuffix("got 5") }
  }

  @Test func `a kept connection may rest longer than a request may take`() throws {
    let server = try serve(HTTPServerOptions(requestTimeoutSeconds: 1))
    defer { server.stop() }
    let kept = try RawConnection(port: server.port)
    kept.send(post("hello"))
    try kept.read { $0.text.hasSuffix("got 5") }
    // Somebody else's time runs out meanwhile.
    let slow = try RawConnection(port: server.port)
    try slow.readToEnd()
    kept.send(post("again!"))
    try kept.read { $0.text.hasSuffix("got 6") }
  }

  @Test func `a client that ends its side with its request gets its answer and the end`() throws {
    let server = try serve(HTTPServerOptions())
    defer { server.stop() }
    let client = try RawConnection(port: server.port)
    client.send(post("hello"))
    shutdown(client.descriptor, Int32(SHUT_WR))
    try client.readToEnd()
    #expect(client.text.hasSuffix("got 5"))
  }

  @Test func `those who say nothing make room for those who do`() throws {
    let server = try serve(HTTPServerOptions(connectionsMax: 16))
    defer { server.stop() }
    let silent = try (0..<40).map { _ in try RawConnection(port: server.port) }
    for number in 1...3 {
      let speaker = try RawConnection(port: server.port)
      speaker.send(post(String(repeating: "x", count: number)))
      try speaker.read { $0.text.hasSuffix("got \(number)") }
      #expect(speaker.text.hasPrefix("HTTP/1.1 200"))
    }
    withExtendedLifetime(silent) {}
  }

  @Test func `a client that does not take its answer loses it`() throws {
    let server = try serve(
      HTTPServerOptions(answerTimeoutSeconds: 1),
      handler: { _ in
        .response(HTTPServerResponse(body: [UInt8](repeating: 0x61, count: 64 << 20)))
      })
    defer { server.stop() }
    let slow = try RawConnection(port: server.port)
    slow.send(post(""))
    try slow.read { $0.received.count > 0 }
    let limit = Date().addingTimeInterval(60)
    while server.connectionCount.withLock({ $0 }) > 0 {
      guard Date() < limit else { throw DeadlinePassed() }
      usleep(1000)
    }
    try slow.readToEnd()
    #expect(slow.received.count < 64 << 20)
  }

  @Test func `what is held in memory is bounded`() throws {
    let server = try serve(
      HTTPServerOptions(heldBytesMax: 100_000),
      handler: { request in
        .response(HTTPServerResponse(body: [UInt8](repeating: 0x61, count: request.body.count * 10)))
      })
    defer { server.stop() }
    let small = try RawConnection(port: server.port)
    small.send(post(String(repeating: "x", count: 1000)))
    try small.read { $0.text.hasSuffix("aaa") && $0.received.count > 10_000 }
    let large = try RawConnection(port: server.port)
    large.send(post(String(repeating: "x", count: 20_000)))
    try large.read { $0.text.contains("\r\n\r\n") }
    #expect(large.text.hasPrefix("HTTP/1.1 503"))
    let body = try RawConnection(port: server.port)
    body.send(post(String(repeating: "x", count: 200_000)))
    try body.read { $0.text.contains("\r\n\r\n") }
    #expect(body.text.hasPrefix("HTTP/1.1 503"))
    small.send(post("x"))
    try small.read { $0.text.hasSuffix("\r\n\r\n" + String(repeating: "a", count: 10)) }
  }

  @Test func `a screen refuses before the body is taken in`() throws {
    let handled = Mutex(0)
    let server = try serve(
      HTTPServerOptions(bodyBytesMax: 1 << 20),
      screen: { $0.headers["X-Key"] == "right" ? nil : HTTPCredentials.refusal },
      handler: { request in
        handled.withLock { $0 += 1 }
        return .response(.text("got \(request.body.count)"))
      })
    defer { server.stop() }
    let stranger = try RawConnection(port: server.port)
    stranger.send(post(String(repeating: "x", count: 50_000)))
    try stranger.read { $0.text.hasSuffix("required\n") }
    #expect(stranger.text.hasPrefix("HTTP/1.1 401"))
    #expect(stranger.text.contains("WWW-Authenticate: Basic realm=\"default\"\r\n"))
    #expect(handled.withLock { $0 } == 0)
    // The connection serves on.
    stranger.send(post("hello", headers: "X-Key: right\r\n"))
    try stranger.read { $0.text.hasSuffix("got 5") }
    #expect(handled.withLock { $0 } == 1)
  }

  @Test func `credentials are recognised, plain and hashed`() throws {
    func header(_ text: String) -> HTTPHeaders { ["Authorization": "Basic " + Base64.encode(Array(text.utf8))] }
    let plain = try #require(HTTPCredentials(user: "joe", password: "pass:word"))
    #expect(plain.areCarried(by: header("joe:pass:word")))
    let lower: HTTPHeaders = ["authorization": "basic " + Base64.encode(Array("joe:pass:word".utf8))]
    #expect(plain.areCarried(by: lower))
    for wrong in ["joe:pass:worD", "joe:", "joe", "", "jo:pass:word", "joe:pass:wor", "joe:pass:word "] {
      #expect(!plain.areCarried(by: header(wrong)))
    }
    #expect(!plain.areCarried(by: [:]))
    #expect(!plain.areCarried(by: ["Authorization": "Basic !!!"]))
    #expect(!plain.areCarried(by: ["Authorization": "Bearer x"]))
    let digest = "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8"
    let hashed = try #require(HTTPCredentials(user: "joe", password: "{SHA}\(digest)"))
    #expect(hashed.areCarried(by: header("joe:password")))
    #expect(!hashed.areCarried(by: header("joe:{SHA}\(digest)")))
    #expect(!hashed.areCarried(by: header("joe:passwort")))
    #expect(
      try #require(HTTPCredentials(user: "joe", password: "{SHA}" + digest.uppercased())).areCarried(
        by: header("joe:password")))
    #expect(HTTPCredentials(user: "joe", password: "{SHA}5baa") == nil)
    #expect(HTTPCredentials(user: "joe", password: "{SHA}" + String(repeating: "g", count: 40)) == nil)
  }
}
