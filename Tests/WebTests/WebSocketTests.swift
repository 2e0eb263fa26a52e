import Daemon
import Foundation
import Glibc
import Synchronization
import Testing
import Web

@Suite struct WebSocketTests {
  private func serve(
    onAccept: @escaping @Sendable (WebSocketPeer) -> Void = { _ in },
    onMessage: @escaping LoopbackServer.OnMessage = LoopbackServer.echo
  ) throws -> LoopbackServer {
    try LoopbackServer(onAccept: onAccept, onMessage: onMessage) { request in
      request.path == "/refuse" ? .response(.text("no", status: 403)) : nil
    }
  }

  @Test func `messages of every length come back as they were`() async throws {
    let server = try serve()
    defer { server.stop() }
    let peer = try await WebSocketClient.connect(url: server.webSocketURL + "/ws?x=1")
    for length in [0, 1, 125, 126, 127, 4095, 4096, 65_535, 65_536, 65_537, 1 << 20, 5 << 20] {
      let message = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      try peer.send(bytes: message)
      var received: [UInt8]?
      try pump(peer, until: { received != nil }) { received = Array($0.bytes) }
      #expect(received == message, "length \(length)")
    }
    let text = String(repeating: "aé😀", count: 10_000)
    try peer.send(text: text)
    var received: String?
    try pump(peer, until: { received != nil }) { message in
      #expect(message.kind == .text)
      received = message.text
    }
    #expect(received == text)
  }

  @Test func `a hundred thousand small messages come in order`() async throws {
    let server = try serve()
    defer { server.stop() }
    let peer = try await WebSocketClient.connect(url: server.webSocketURL + "/")
    let count = 100_000
    var next = 0
    var sent = 0
    var isInOrder = true
    while sent < count {
      for _ in 0..<min(1000, count - sent) {
        try peer.send(text: "message \(sent)")
        sent += 1
      }
      let target = max(0, sent - 2000)
      try pump(peer, until: { next >= target }) { message in
        isInOrder = isInOrder && message.text == "message \(next)"
        next += 1
      }
    }
    try pump(peer, until: { next == count }) { message in
      isInOrder = isInOrder && message.text == "message \(next)"
      next += 1
    }
    #expect(isInOrder)
    #expect(next == count)
  }

  @Test func `at least 64 bytes behind a message may be read`() async throws {
    let server = try serve()
    defer { server.stop() }
    let peer = try await WebSocketClient.connect(url: server.webSocketURL + "/")
    for length in [1, 16 << 10, (16 << 10) - 64, (1 << 20) - 64, (1 << 20) + 1] {
      try peer.send(bytes: [UInt8](repeating: 7, count: length))
      var sum = 0
      try pump(peer, until: { sum > 0 }) { message in
        let padded = UnsafeRawBufferPointer(start: message.bytes.baseAddress, count: message.bytes.count + 64)
        sum = padded.prefix(length).reduce(0) { $0 + Int($1) } + padded.suffix(64).reduce(0) { $0 | Int($1) & 0 }
      }
      #expect(sum == 7 * length)
    }
  }

  @Test func `fragments make one message and a ping between them is answered`() async throws {
    let server = try serve()
    defer { server.stop() }
    let raw = try RawWebSocket(server.port)
    raw.send(opcode: 0x1, final: false, "one ")
    raw.send(opcode: 0x9, "are you there")
    raw.send(opcode: 0x0, final: false, "")
    raw.send(opcode: 0x0, final: true, "two")
    #expect(raw.read() == RawWebSocket.Frame(opcode: 0xA, final: true, "are you there"))
    #expect(raw.read() == RawWebSocket.Frame(opcode: 0x1, final: true, "one two"))
    // A character that is cut apart by fragments is whole again.
    raw.send(opcode: 0x1, final: false, bytes: [0xC3])
    raw.send(opcode: 0x0, final: true, bytes: [0xA9])
    #expect(raw.read() == RawWebSocket.Frame(opcode: 0x1, final: true, "é"))
  }

  @Test func `bytes that come one at a time make frames`() async throws {
    let server = try serve()
    defer { server.stop() }
    let raw = try RawWebSocket(server.port)
    for byte in RawWebSocket.encode(opcode: 0x1, final: true, bytes: Array("slowly".utf8)) { raw.write([byte]) }
    #expect(raw.read() == RawWebSocket.Frame(opcode: 0x1, final: true, "slowly"))
  }

  @Test func `frames that follow the request at once are not lost`() async throws {
    let server = try serve()
    defer { server.stop() }
    let raw = try RawWebSocket(
      server.port, early: RawWebSocket.encode(opcode: 0x1, final: true, bytes: Array("early".utf8)))
    #expect(raw.read() == RawWebSocket.Frame(opcode: 0x1, final: true, "early"))
  }

  @Test func `frames that follow the response at once are not lost`() async throws {
    let server = try serve(onAccept: { peer in try? peer.send(text: "welcome") })
    defer { server.stop() }
    for _ in 0..<20 {
      let peer = try await WebSocketClient.connect(url: server.webSocketURL + "/")
      var received: String?
      try pump(peer, until: { received != nil }) { received = $0.text }
      #expect(received == "welcome")
    }
  }

  @Test func `a ping is answered with its payload and seen`() async throws {
    let server = try serve()
    defer { server.stop() }
    let peer = try await WebSocketClient.connect(url: server.webSocketURL + "/")
    let before = peer.lastReceivedMonotonicNanoseconds
    try peer.ping(Array("beat".utf8))
    var pong: String?
    try pump(peer, until: { pong != nil }) { if $0.kind == .pong { pong = $0.text } }
    #expect(pong == "beat")
    #expect(peer.lastReceivedMonotonicNanoseconds > before)
  }

  @Test func `the client closes and the server agrees`() async throws {
    let closes = Mutex<[String]>([])
    let server = try serve(onMessage: { _, message in
      if message.kind == .close { closes.withLock { $0.append("\(message.closeCode) \(message.text)") } }
    })
    let peer = try await WebSocketClient.connect(url: server.webSocketURL + "/")
    peer.close(code: 4001, reason: "done")
    #expect(throws: WebSocketError.self) { try peer.send(text: "late") }
    var answer: UInt16?
    try pump(peer, until: { peer.isClosed }) { if $0.kind == .close { answer = $0.closeCode } }
    #expect(answer == 4001)
    #expect(peer.isClosed)
    #expect(peer.descriptor == -1)
    #expect(throws: WebSocketError.self) { try peer.receive { _ in } }
    server.stop()
    #expect(closes.withLock { $0 } == ["4001 done"])
    #expect(server.peerErrors.withLock { $0.isEmpty })
  }

  @Test func `the server closes and the client agrees`() async throws {
    let server = try serve(onMessage: { peer, _ in peer.close(code: 1001, reason: "going") })
    defer { server.stop() }
    let peer = try await WebSocketClient.connect(url: server.webSocketURL + "/")
    try peer.send(text: "go")
    var seen: (UInt16, String)?
    try pump(peer, until: { peer.isClosed }) { if $0.kind == .close { seen = ($0.closeCode, $0.text) } }
    #expect(seen?.0 == 1001)
    #expect(seen?.1 == "going")
    #expect(peer.isClosed)
  }

  @Test func `a server that vanishes is an error`() async throws {
    let server = try serve(onMessage: { peer, _ in peer.disconnect() })
    defer { server.stop() }
    let peer = try await WebSocketClient.connect(url: server.webSocketURL + "/")
    try peer.send(text: "vanish")
    let error = #expect(throws: WebSocketError.self) { try pump(peer, until: { false }) }
    #expect(error?.code == .disconnected)
    #expect(peer.isClosed)
  }

  @Test(arguments: [
    ("text that is no UTF-8", 0x81, [UInt8]([0xFF, 0xFE]), true, 1007),
    ("an overlong form", 0x81, [0xC0, 0x80], true, 1007), ("a cut character", 0x81, [0xC3], true, 1007),
    ("an unmasked frame", 0x81, [0x41], false, 1002), ("a reserved bit", 0xC1, [0x41], true, 1002),
    ("a reserved opcode", 0x83, [0x41], true, 1002), ("a lone continuation", 0x80, [0x41], true, 1002),
    ("a fragmented ping", 0x09, [0x41], true, 1002), ("a close of one byte", 0x88, [0x03], true, 1002),
    ("a close code that is none", 0x88, [0x03, 0xED], true, 1002),
    ("a close reason that is no UTF-8", 0x88, [0x03, 0xE8, 0xFF], true, 1007),
  ])
  func `the server refuses`(what: String, first: Int, payload: [UInt8], masked: Bool, code: Int) async throws {
    let server = try serve()
    let raw = try RawWebSocket(server.port)
    raw.write(RawWebSocket.encode(first: UInt8(first), bytes: payload, masked: masked))
    let frame = raw.read()
    #expect(frame?.opcode == 0x8)
    #expect(frame?.closeCode == code)
    #expect(raw.read() == nil)
    server.stop()
    #expect(server.peerErrors.withLock { $0.map(\.code) } == [.protocol])
  }

  @Test func `a message beyond the limit is refused before it is read`() async throws {
    let server = try serve()
    defer { server.stop() }
    let raw = try RawWebSocket(server.port)
    // It announces 2^62 bytes and sends eight.
    raw.write([0x82, 0xFF, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4] + [UInt8](repeating: 0, count: 8))
    #expect(raw.read()?.closeCode == 1009)
    let limited = try await WebSocketClient.connect(
      url: server.webSocketURL + "/", limits: WebSocketLimits(messageBytesMax: 1000))
    try limited.send(bytes: [UInt8](repeating: 0, count: 1000))
    var received = 0
    try pump(limited, until: { received > 0 }) { received = $0.bytes.count }
    #expect(received == 1000)
    try limited.send(bytes: [UInt8](repeating: 0, count: 1001))
    let error = #expect(throws: WebSocketError.self) { try pump(limited, until: { false }) }
    #expect(error?.code == .protocol)
    #expect(error?.underlyingCode == 1009)
  }

  @Test func `fragments that add up beyond the limit are refused`() async throws {
    let server = try serve()
    defer { server.stop() }
    let raw = try RawWebSocket(server.port)
    let part = [UInt8](repeating: 0x41, count: 1 << 20)
    raw.send(opcode: 0x2, final: false, bytes: part)
    for _ in 0..<16 { raw.send(opcode: 0x0, final: false, bytes: part) }
    #expect(raw.read()?.closeCode == 1009)
  }

  @Test func `a refused upgrade names the status`() async throws {
    let server = try serve()
    defer { server.stop() }
    let error = await #expect(throws: WebSocketError.self) {
      try await WebSocketClient.connect(url: server.webSocketURL + "/refuse")
    }
    #expect(error?.code == .refused)
    #expect(error?.httpStatus == 403)
    #expect(error?.isRetriable == false)
  }

  @Test func `a plain request to a WebSocket is told to upgrade`() async throws {
    let server = try serve()
    defer { server.stop() }
    #expect(try await HTTPClient().send(HTTPRequest(url: server.url + "/ws")).status == 426)
    let answer = try rawExchange(
      server.port,
      "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + "Sec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n\r\n")
    #expect(answer.hasPrefix("HTTP/1.1 400"))
  }

  @Test func `a server that never answers is a timeout and can be cancelled`() async throws {
    let server = try LoopbackServer { _ in .deferred(HTTPDeferral()) }
    defer { server.stop() }
    let url = server.webSocketURL
    let error = await #expect(throws: WebSocketError.self) {
      try await WebSocketClient.connect(url: url + "/", timeoutMilliseconds: 100)
    }
    #expect(error?.code == .timeout)
    let task = Task { try await WebSocketClient.connect(url: url + "/") }
    task.cancel()
    do {
      _ = try await task.value
      Issue.record("connected")
    } catch {
      #expect((error as? WebSocketError)?.code == .cancelled)
    }
  }

  @Test func `nobody there and a bad URL are told apart`() async throws {
    let server = try serve()
    let port = server.port
    server.stop()
    let refused = await #expect(throws: WebSocketError.self) {
      try await WebSocketClient.connect(url: "ws://127.0.0.1:\(port)/")
    }
    #expect(refused?.code == .connect)
    let bad = await #expect(throws: WebSocketError.self) { try await WebSocketClient.connect(url: "gopher://x/") }
    #expect(bad?.code == .invalidRequest)
  }

  @Test func `what is sent to a peer that does not read is limited`() async throws {
    let outcome = Mutex<(backlog: Bool, queued: Int)?>(nil)
    let server = try serve(onMessage: { peer, _ in
      var frame: [UInt8] = []
      WebSocketPeer.appendServerFrame(text: String(repeating: "x", count: 100_000), to: &frame)
      do throws(WebSocketError) {
        for _ in 0..<1000 { try peer.send(preframed: frame) }
        outcome.withLock { $0 = (false, peer.queuedBytes) }
      } catch {
        outcome.withLock { $0 = (error.code == .backlog, peer.queuedBytes) }
      }
    })
    defer { server.stop() }
    let raw = try RawWebSocket(server.port)
    raw.send(opcode: 0x1, "go")
    let deadline = SystemClock.monotonicNanoseconds + 10_000_000_000
    while outcome.withLock({ $0 }) == nil, SystemClock.monotonicNanoseconds < deadline { await Task.yield() }
    // What had been queued is still whole.
    for _ in 0..<150 {
      let frame = raw.read()
      #expect(frame?.payload.count == 100_000)
    }
    let seen = outcome.withLock { $0 }
    #expect(seen?.backlog == true)
    #expect((seen?.queued ?? 0) > 15 << 20)
    #expect((seen?.queued ?? 0) <= 16 << 20)
  }

  @Test func `one preframed message reaches many peers`() async throws {
    let peers = PeerList()
    let server = try serve(
      onAccept: { peer in peers.list.withLock { $0.append(peer) } },
      onMessage: { _, message in
        var frame: [UInt8] = []
        for length in [0, 125, 126, 65_535, 65_536] {
          WebSocketPeer.appendServerFrame(text: String(repeating: "x", count: length), to: &frame)
        }
        for peer in peers.list.withLock({ $0 }) { try? peer.send(preframed: frame) }
      })
    var clients: [WebSocketPeer] = []
    for _ in 0..<20 { clients.append(try await WebSocketClient.connect(url: server.webSocketURL + "/")) }
    while peers.list.withLock({ $0.count }) < 20 { await Task.yield() }
    try clients[0].send(text: "all")
    for client in clients {
      var lengths: [Int] = []
      try pump(client, until: { lengths.count == 5 }) { lengths.append($0.bytes.count) }
      #expect(lengths == [0, 125, 126, 65_535, 65_536])
    }
    server.stop()
    peers.list.withLock { $0 = [] }
  }

  @Test func `random bytes after the handshake end their own connection only`() async throws {
    let server = try serve()
    defer { server.stop() }
    let bystander = try await WebSocketClient.connect(url: server.webSocketURL + "/")
    var random = Xorshift(state: 0xDEAD_BEEF_CAFE_F00D)
    for round in 0..<300 {
      let raw = try RawWebSocket(server.port)
      var bytes = RawWebSocket.encode(opcode: 0x1, final: random.next() % 2 == 0, bytes: Array("hello".utf8))
      if round % 2 == 0 {
        bytes = (0..<(1 + random.next() % 200)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      } else {
        bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
        bytes += bytes
      }
      raw.write(bytes)
    }
    try bystander.send(text: "still here")
    var received: String?
    try pump(bystander, until: { received != nil }) { received = $0.text }
    #expect(received == "still here")
  }

  @Test func `random bytes from a server end the client's connection only`() async throws {
    let server = try serve(onMessage: { peer, message in
      var random = Xorshift(state: 0x9E37_79B9 ^ UInt64(message.bytes.count + 1))
      let bytes = (0..<(1 + random.next() % 300)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      try? peer.send(preframed: bytes)
      peer.disconnect()
    })
    defer { server.stop() }
    for round in 0..<200 {
      let peer = try await WebSocketClient.connect(url: server.webSocketURL + "/")
      try peer.send(text: String(repeating: "x", count: round))
      #expect(throws: WebSocketError.self) { try pump(peer, until: { false }) }
      #expect(peer.isClosed)
    }
  }

  @Test func `a child process does not inherit a connection`() async throws {
    let server = try serve()
    defer { server.stop() }
    let peer = try await WebSocketClient.connect(url: server.webSocketURL + "/")
    #expect(fcntl(peer.descriptor, F_GETFD) & FD_CLOEXEC == FD_CLOEXEC)
  }

  @Test func `no descriptor is left behind`() async throws {
    let server = try serve()
    let warm = try await WebSocketClient.connect(url: server.webSocketURL + "/")
    warm.disconnect()
    for round in 0..<300 {
      let peer = try await WebSocketClient.connect(url: server.webSocketURL + "/")
      if round % 2 == 0 { peer.disconnect() } else { peer.close() }
    }
    let deadline = SystemClock.monotonicNanoseconds + 10_000_000_000
    while server.peerCount.withLock({ $0 }) > 0, SystemClock.monotonicNanoseconds < deadline {
      server.wake()
      await Task.yield()
    }
    #expect(server.peerCount.withLock { $0 } == 0)
    server.stop()
  }
}

final class PeerList: Sendable {
  let list = Mutex<[WebSocketPeer]>([])
}
