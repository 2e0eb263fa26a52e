import Foundation
import Glibc
import Synchronization
import Testing
import Web

@Suite struct HTTPStreamTests {
  /// A log in memory, streamed to whoever asks; each request that is no stream lets the streams look again.
  private final class Feed: @unchecked Sendable {
    // Only the server's thread touches these.
    private var streams: [HTTPStream] = []
    private var pieces: [String] = []
    let ended = Mutex(0)
    let made = Mutex(0)

    func answer(_ request: HTTPServerRequest) -> HTTPServerReply {
      switch request.path {
      case "/stream":
        var next = 0
        let stream = HTTPStream(
          headers: ["Content-Type": "text/plain"], onEnd: { self.ended.withLock { $0 += 1 } },
          source: { buffer in
            guard next < self.pieces.count else { return .waits }
            let piece = self.pieces[next]
            next += 1
            if piece == "END" { return .ends }
            buffer.copyBytes(from: Array(piece.utf8))
            return .bytes(piece.utf8.count)
          })
        streams.append(stream)
        return .stream(stream)
      case "/endless":
        return .stream(
          HTTPStream(onEnd: { self.ended.withLock { $0 += 1 } }) { buffer in
            self.made.withLock { $0 += buffer.count }
            _ = buffer.initializeMemory(as: UInt8.self, repeating: 0x61)
            return .bytes(buffer.count)
          })
      default:
        if request.path.hasPrefix("/add/") {
          pieces.append(String(request.path.dropFirst(5)))
          for stream in streams { stream.resume() }
        }
        return .response(.text("ok"))
      }
    }
  }

  private func get(_ path: String, version: String = "1.1") -> String {
    "GET \(path) HTTP/\(version)\r\nHost: x\r\n\r\n"
  }

  private func serve(_ feed: Feed, options: HTTPServerOptions = HTTPServerOptions()) throws -> LoopbackServer {
    try LoopbackServer(options: options) { feed.answer($0) }
  }

  private func call(_ server: LoopbackServer, _ path: String) throws {
    let connection = try RawConnection(port: server.port)
    connection.send(get(path))
    try connection.read { $0.text.hasSuffix("ok") }
    #expect(connection.text.hasPrefix("HTTP/1.1 200"))
  }

  private func wait(until condition: () -> Bool) throws {
    let limit = Date().addingTimeInterval(60)
    while !condition() {
      guard Date() < limit else { throw DeadlinePassed() }
      usleep(1000)
    }
  }

  @Test func `a stream sends each piece when it is there, to every reader, until it ends`() throws {
    let feed = Feed()
    let server = try serve(feed)
    defer { server.stop() }
    let readers = try (0..<5).map { _ in try RawConnection(port: server.port) }
    for reader in readers { reader.send(get("/stream")) }
    for reader in readers { try reader.read { $0.text.contains("\r\n\r\n") } }
    try call(server, "/add/one")
    for reader in readers { try reader.read { $0.text.contains("one") } }
    #expect(readers[0].text.contains("Transfer-Encoding: chunked"))
    #expect(readers[0].text.hasSuffix("3\r\none\r\n"))
    try call(server, "/add/two")
    for reader in readers { try reader.read { $0.text.hasSuffix("3\r\none\r\n3\r\ntwo\r\n") } }
    try call(server, "/add/END")
    for reader in readers { try reader.read { $0.text.hasSuffix("0\r\n\r\n") } }
    try wait { feed.ended.withLock { $0 } == 5 }
    // The connection is an ordinary one again.
    readers[0].send(get("/x"))
    try readers[0].read { $0.text.hasSuffix("ok") }
  }

  @Test func `a stream over HTTP 1·0 is not chunked and ends with its connection`() throws {
    let feed = Feed()
    let server = try serve(feed)
    defer { server.stop() }
    try call(server, "/add/one")
    try call(server, "/add/END")
    let reader = try RawConnection(port: server.port)
    reader.send(get("/stream", version: "1.0"))
    try reader.readToEnd()
    #expect(reader.text.hasSuffix("\r\n\r\none"))
    #expect(feed.ended.withLock { $0 } == 1)
  }

  @Test func `a reader that hangs up while there is nothing to say is noticed`() throws {
    let feed = Feed()
    let server = try serve(feed)
    defer { server.stop() }
    for _ in 0..<3 {
      let reader = try RawConnection(port: server.port)
      reader.send(get("/stream"))
      try reader.read { $0.text.contains("\r\n\r\n") }
    }
    try wait { feed.ended.withLock { $0 } == 3 }
    try call(server, "/add/one")
  }

  @Test func `a reader that does not read holds its stream back, and nobody else`() throws {
    let feed = Feed()
    let server = try serve(feed)
    defer { server.stop() }
    let reader = try RawConnection(port: server.port)
    reader.send(get("/endless"))
    try reader.read { $0.received.count > 1000 }
    // Once nothing more is made, the sockets' buffers are full.
    var before = -1
    try wait {
      let now = feed.made.withLock { $0 }
      defer { before = now }
      usleep(50_000)
      return now == before
    }
    #expect(before < 32 << 20)
    try call(server, "/x")
    #expect(feed.made.withLock { $0 } == before)
    // It goes on when it is read again.
    try reader.read { _ in feed.made.withLock { $0 } > before }
    try call(server, "/x")
  }

  @Test func `stopping the server ends the streams`() throws {
    let feed = Feed()
    let server = try serve(feed)
    let reader = try RawConnection(port: server.port)
    reader.send(get("/stream"))
    try reader.read { $0.text.contains("\r\n\r\n") }
    server.stop()
    try reader.readToEnd()
    #expect(feed.ended.withLock { $0 } == 1)
  }

  @Test func `streams leave room for requests`() throws {
    let feed = Feed()
    let server = try serve(feed, options: HTTPServerOptions(connectionsMax: 8))
    defer { server.stop() }
    let readers = try (0..<6).map { _ in try RawConnection(port: server.port) }
    for reader in readers { reader.send(get("/stream")) }
    for reader in readers { try reader.read { $0.text.contains("\r\n\r\n") } }
    #expect(readers.count { $0.text.hasPrefix("HTTP/1.1 200") } == 4)
    #expect(readers.count { $0.text.hasPrefix("HTTP/1.1 503") } == 2)
    try call(server, "/x")
  }
}
