import Daemon
import Foundation
import Glibc
import Synchronization
import Testing
import Web

@Suite struct HTTPTests {
  private func describe(_ request: HTTPServerRequest) -> HTTPServerReply {
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("method", request.method)
      writer.field("path", request.path)
      writer.field("target", request.target)
      writer.field("body", String(decoding: request.body, as: UTF8.self))
      writer.field("header", request.headers["x-test"] ?? "")
      writer.array("query") { writer in
        for item in request.query { writer.value("\(item.name)=\(item.value)") }
      }
    }
    return .response(.json(writer))
  }

  private func serve(
    listen: ListenAddress = .tcp(host: "127.0.0.1", port: 0), options: HTTPServerOptions = HTTPServerOptions()
  ) throws -> LoopbackServer {
    try LoopbackServer(listen: listen, options: options) { describe($0) }
  }

  @Test func `a GET brings path, repeated query items and headers to the handler`() async throws {
    let server = try serve()
    defer { server.stop() }
    let response = try await HTTPClient().send(
      HTTPRequest(
        url: server.url + "/a%20b/c?x=1&y=%C3%A9&x=2&empty=", headers: ["X-Test": "one", "Accept": "*/*"]))
    #expect(response.status == 200)
    #expect(response.headers["content-type"] == "application/json")
    let root = try response.json().root
    #expect(root["method"]?.string == "GET")
    #expect(root["path"]?.string == "/a b/c")
    #expect(root["target"]?.string == "/a%20b/c?x=1&y=%C3%A9&x=2&empty=")
    #expect(root["query"]?.elements.map(\.string) == ["x=1", "y=é", "x=2", "empty="])
    #expect(root["header"]?.string == "one")
  }

  @Test(arguments: ["POST", "PUT", "DELETE", "PATCH"])
  func `a body arrives whole with any method`(method: String) async throws {
    let server = try serve()
    defer { server.stop() }
    let body = String(repeating: "0123456789", count: 50_000)
    let response = try await HTTPClient().send(
      HTTPRequest(method: method, url: server.url + "/", body: Array(body.utf8)))
    let root = try response.json().root
    #expect(root["method"]?.string == method)
    #expect(root["body"]?.string == body)
  }

  @Test func `a POST without a body and a HEAD work`() async throws {
    let server = try serve()
    defer { server.stop() }
    let client = HTTPClient()
    let post = try await client.send(HTTPRequest(method: "POST", url: server.url + "/p"))
    #expect(try post.json().root["body"]?.string == "")
    let head = try await client.send(HTTPRequest(method: "HEAD", url: server.url + "/h"))
    #expect(head.status == 200)
    #expect(head.body.isEmpty)
  }

  @Test func `a unix socket serves, with its mode, and is gone afterwards`() async throws {
    let path = temporaryPath("control.sock")
    let server = try serve(listen: .unix(path: path, mode: 0o600))
    var status = stat()
    #expect(stat(path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    let response = try await HTTPClient().send(HTTPRequest(url: "http://localhost/x", unixSocketPath: path))
    #expect(response.status == 200)
    // Somebody listens there: a second server must not take the path away.
    #expect(throws: SystemError.self) { try serve(listen: .unix(path: path, mode: 0o600)) }
    server.stop()
    #expect(access(path, F_OK) != 0)
  }

  @Test func `a socket left behind by a dead server is replaced`() async throws {
    let path = temporaryPath("stale.sock")
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let bound = withUnsafeBytes(of: address) {
      bind(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
    }
    #expect(bound == 0)
    close(descriptor)
    let server = try serve(listen: .unix(path: path, mode: 0o660))
    #expect(try await HTTPClient().send(HTTPRequest(url: "http://x/", unixSocketPath: path)).status == 200)
    server.stop()
  }

  @Test func `a server that does not answer is a timeout`() async throws {
    let server = try LoopbackServer { _ in .deferred(HTTPDeferral()) }
    defer { server.stop() }
    let error = await #expect(throws: HTTPError.self) {
      try await HTTPClient().send(HTTPRequest(url: server.url + "/", timeoutMilliseconds: 100))
    }
    #expect(error?.code == .timeout)
    #expect(error?.isRetriable == true)
  }

  @Test func `cancelling the task ends the transfer at once`() async throws {
    let server = try LoopbackServer { _ in .deferred(HTTPDeferral()) }
    defer { server.stop() }
    let client = HTTPClient()
    let task = Task { try await client.send(HTTPRequest(url: server.url + "/")) }
    await Task.yield()
    let start = SystemClock.monotonicNanoseconds
    task.cancel()
    let result = await task.result
    #expect(SystemClock.monotonicNanoseconds - start < 5_000_000_000)
    #expect(throws: HTTPError.self) { try result.get() }
    do { _ = try result.get() } catch { #expect((error as? HTTPError)?.code == .cancelled) }
  }

  @Test func `a task that was cancelled before sends nothing`() async throws {
    let calls = Mutex(0)
    let server = try LoopbackServer { _ in
      calls.withLock { $0 += 1 }
      return .response(.text("x"))
    }
    let client = HTTPClient()
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await client.send(HTTPRequest(url: server.url + "/"))
    }
    await #expect(throws: HTTPError.self) { try await task.value }
    server.stop()
    #expect(calls.withLock { $0 } == 0)
  }

  @Test func `requests cancelled at any moment end once each and leave the client whole`() async throws {
    let server = try serve()
    defer { server.stop() }
    let client = HTTPClient()
    let url = server.url
    var outcomes = 0
    for round in 0..<400 {
      let task = Task { try await client.send(HTTPRequest(url: "\(url)/\(round)")) }
      for _ in 0..<(round % 40) { await Task.yield() }
      task.cancel()
      switch await task.result {
      case .success(let response): #expect(response.status == 200)
      case .failure(let error): #expect((error as? HTTPError)?.code == .cancelled)
      }
      outcomes += 1
    }
    #expect(outcomes == 400)
    #expect(try await client.send(HTTPRequest(url: url + "/after")).status == 200)
  }

  @Test func `a server that is let go stops listening`() async throws {
    var server: HTTPServer? = try HTTPServer(listen: .tcp(host: "127.0.0.1", port: 0)) { _ in .response(.text("x")) }
    let port = try #require(server?.port)
    #expect(port != 0)
    let descriptor = try connectTCP(port)
    server?.process()
    server = nil
    close(descriptor)
    #expect(throws: SystemError.self) { try connectTCP(port) }
  }

  @Test func `a client that goes away cancels what is under way`() async throws {
    let server = try LoopbackServer { _ in .deferred(HTTPDeferral()) }
    defer { server.stop() }
    let done = AsyncStream<HTTPError.Code?>.makeStream()
    do {
      let client = HTTPClient()
      client.start(HTTPRequest(url: server.url + "/")) { result in
        if case .failure(let error) = result {
          done.continuation.yield(error.code)
        } else {
          done.continuation.yield(nil)
        }
      }
    }
    for await code in done.stream {
      #expect(code == .cancelled)
      break
    }
  }

  @Test func `a response longer than the limit is an error`() async throws {
    let server = try LoopbackServer { _ in .response(.text(String(repeating: "x", count: 100_000))) }
    defer { server.stop() }
    let error = await #expect(throws: HTTPError.self) {
      try await HTTPClient().send(HTTPRequest(url: server.url + "/", bodyBytesMax: 99_999))
    }
    #expect(error?.code == .tooLarge)
    let response = try await HTTPClient().send(HTTPRequest(url: server.url + "/", bodyBytesMax: 100_000))
    #expect(response.body.count == 100_000)
  }

  @Test func `a request body longer than the limit is answered 413`() async throws {
    let server = try serve(options: HTTPServerOptions(bodyBytesMax: 1000))
    defer { server.stop() }
    let client = HTTPClient()
    let fits = HTTPRequest(method: "POST", url: server.url + "/", body: [UInt8](repeating: 65, count: 1000))
    #expect(try await client.send(fits).status == 200)
    let announced = HTTPRequest(method: "POST", url: server.url + "/", body: [UInt8](repeating: 65, count: 1001))
    #expect(try await client.send(announced).status == 413)
    let chunked = try rawExchange(
      server.port,
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        + "7d0\r\n" + String(repeating: "a", count: 2000) + "\r\n0\r\n\r\n")
    #expect(chunked.hasPrefix("HTTP/1.1 413"))
  }

  @Test func `a refused connection and a bad URL are told apart`() async throws {
    let server = try serve()
    let port = server.port
    server.stop()
    let refused = await #expect(throws: HTTPError.self) {
      try await HTTPClient().send(HTTPRequest(url: "http://127.0.0.1:\(port)/secret?key=hidden"))
    }
    #expect(refused?.code == .connect)
    #expect(refused?.description.contains("hidden") == false)
    for url in ["nonsense://x", "", "ftp://127.0.0.1/"] {
      let bad = await #expect(throws: HTTPError.self) { try await HTTPClient().send(HTTPRequest(url: url)) }
      #expect(bad?.code == .invalidRequest)
      #expect(bad?.isRetriable == false)
    }
  }

  @Test func `header fields with line breaks are not sent`() async throws {
    let error = await #expect(throws: HTTPError.self) {
      try await HTTPClient().send(HTTPRequest(url: "http://127.0.0.1:1/", headers: ["A": "b\r\nC: d"]))
    }
    #expect(error?.code == .invalidRequest)
  }

  @Test func `a deferred response may come from another thread`() async throws {
    let server = try LoopbackServer { request in
      let deferral = HTTPDeferral()
      if request.path == "/now" { deferral.complete(.text("now")) }
      Thread.detachNewThread { deferral.complete(.text("later")) }
      return .deferred(deferral)
    }
    let client = HTTPClient()
    #expect(try await client.send(HTTPRequest(url: server.url + "/now")).text == "now")
    for _ in 0..<200 {
      #expect(try await client.send(HTTPRequest(url: server.url + "/later")).text == "later")
    }
    server.stop()
  }

  @Test func `stopping answers what is deferred with 503`() async throws {
    let called = AsyncStream<Void>.makeStream()
    let server = try LoopbackServer { _ in
      called.continuation.yield()
      return .deferred(HTTPDeferral())
    }
    async let response = HTTPClient().send(HTTPRequest(url: server.url + "/"))
    for await _ in called.stream { break }
    server.stop()
    #expect(try await response.status == 503)
  }

  @Test func `many requests run at once over one client`() async throws {
    let server = try serve()
    defer { server.stop() }
    let client = HTTPClient()
    let url = server.url
    let total = try await withThrowingTaskGroup(of: Int.self) { group in
      for index in 0..<200 {
        group.addTask {
          let root = try await client.send(HTTPRequest(url: "\(url)/\(index)")).json().root
          return root["path"]?.string == "/\(index)" ? 1 : 0
        }
      }
      return try await group.reduce(0, +)
    }
    #expect(total == 200)
  }

  @Test func `a blocking send is there for tools`() throws {
    let server = try serve()
    defer { server.stop() }
    #expect(try HTTPClient().sendBlocking(HTTPRequest(url: server.url + "/x")).status == 200)
  }

  @Test func `connections that open and drop or reset do not hurt the server`() async throws {
    let server = try serve()
    defer { server.stop() }
    for index in 0..<1000 {
      let descriptor = try connectTCP(server.port)
      if index % 3 == 1 { _ = "GET /x HTT".withCString { Glibc.send(descriptor, $0, 10, Int32(MSG_NOSIGNAL)) } }
      if index % 3 == 2 {
        let text = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
        _ = text.withCString { Glibc.send(descriptor, $0, text.utf8.count, Int32(MSG_NOSIGNAL)) }
      }
      if index % 2 == 0 {
        var reset = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &reset, socklen_t(MemoryLayout<linger>.size))
      }
      close(descriptor)
    }
    #expect(try await HTTPClient().send(HTTPRequest(url: server.url + "/after")).status == 200)
  }

  @Test(arguments: [
    "\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\0\0\0\0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
  ])
  func `a malformed request is refused and the server goes on`(text: String) async throws {
    let server = try serve(options: HTTPServerOptions(idleTimeoutSeconds: 1))
    defer { server.stop() }
    let answer = try rawExchange(server.port, text)
    #expect(!answer.hasPrefix("HTTP/1.1 200"))
    #expect(try await HTTPClient().send(HTTPRequest(url: server.url + "/after")).status == 200)
  }

  @Test func `a header that is too long is refused`() async throws {
    let server = try serve()
    defer { server.stop() }
    let answer = try rawExchange(
      server.port, "GET / HTTP/1.1\r\nHost: x\r\nX: " + String(repeating: "y", count: 100_000) + "\r\n\r\n")
    #expect(answer.hasPrefix("HTTP/1.1 4") || answer.isEmpty)
    #expect(try await HTTPClient().send(HTTPRequest(url: server.url + "/after")).status == 200)
  }
}

func connectTCP(_ port: UInt16) throws -> Int32 {
  let descriptor = try systemCall("socket") { socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  try systemCall("connect") {
    withUnsafeBytes(of: address) {
      connect(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
    }
  }
  var patience = timeval(tv_sec: 5, tv_usec: 0)
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
  return descriptor
}

/// Sends bytes, ends its side, and reads until the server ends its own.
func rawExchange(_ port: UInt16, _ text: String) throws -> String {
  let descriptor = try connectTCP(port)
  defer { close(descriptor) }
  let bytes = Array(text.utf8)
  var sent = 0
  while sent < bytes.count {
    let count = bytes.withUnsafeBytes {
      Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
    }
    if count <= 0 { break }
    sent += count
  }
  shutdown(descriptor, Int32(SHUT_WR))
  var answer: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 4096)
  while true {
    let count = recv(descriptor, &chunk, chunk.count, 0)
    if count <= 0 { break }
    answer += chunk[..<count]
  }
  return String(decoding: answer, as: UTF8.self)
}
