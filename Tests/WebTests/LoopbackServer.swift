import Daemon
import Foundation
import Glibc
import Synchronization
import Web

/// A server on a thread of its own, with a poll loop such as the workers have; WebSockets echo unless told otherwise.
final class LoopbackServer: Sendable {
  typealias Handler = @Sendable (HTTPServerRequest) -> HTTPServerReply?
  typealias OnMessage = @Sendable (WebSocketPeer, WebSocketMessage) -> Void

  let port: UInt16
  private let wakeUp = Pipe()
  private let stopped = DispatchSemaphore(value: 0)
  private let shouldStop = Mutex(false)
  let peerCount = Mutex(0)
  /// As it was after the last turn of the loop.
  let connectionCount = Mutex(0)
  let peerErrors = Mutex<[WebSocketError]>([])

  var url: String { "http://127.0.0.1:\(port)" }
  var webSocketURL: String { "ws://127.0.0.1:\(port)" }

  static let echo: OnMessage = { peer, message in
    switch message.kind {
    case .text: try? peer.send(bytes: message.bytes, opcode: .text)
    case .binary: try? peer.send(bytes: message.bytes, opcode: .binary)
    case .ping, .pong, .close: break
    }
  }

  /// A server that listens; a handler that answers nil accepts a WebSocket.
  init(
    listen: ListenAddress = .tcp(host: "127.0.0.1", port: 0), options: HTTPServerOptions = HTTPServerOptions(),
    screen: (@Sendable (HTTPServerRequest) -> HTTPServerResponse?)? = nil,
    onAccept: @escaping @Sendable (WebSocketPeer) -> Void = { _ in }, onMessage: @escaping OnMessage = echo,
    handler: @escaping Handler
  ) throws {
    let started = DispatchSemaphore(value: 0)
    let outcome = Mutex<Result<UInt16, any Error>?>(nil)
    let wakeUp = wakeUp.fileHandleForReading.fileDescriptor
    // The closure below needs `self`, which needs `port`, which the closure finds out.
    let link = Mutex<LoopbackServer?>(nil)
    let ready = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      var peers: [WebSocketPeer] = []
      let accepted = PeerBox()
      do {
        let server = try HTTPServer(listen: listen, options: options, screen: screen) { request in
          handler(request)
            ?? .webSocket { peer in
              accepted.peers.append(peer)
              onAccept(peer)
            }
        }
        outcome.withLock { $0 = .success(server.port) }
        started.signal()
        ready.wait()
        let owner = link.withLock { $0! }
        link.withLock { $0 = nil }
        while !owner.shouldStop.withLock({ $0 }) {
          owner.turn(server, wakeUp, &peers, accepted, onMessage)
        }
        server.stop()
        owner.stopped.signal()
      } catch {
        outcome.withLock { $0 = .failure(error) }
        started.signal()
      }
    }
    started.wait()
    port = try outcome.withLock { $0! }.get()
    link.withLock { $0 = self }
    ready.signal()
  }

  private final class PeerBox {
    var peers: [WebSocketPeer] = []
  }

  private func turn(
    _ server: HTTPServer, _ wakeUp: Int32, _ peers: inout [WebSocketPeer], _ accepted: PeerBox,
    _ onMessage: OnMessage
  ) {
    var wakeByte: UInt8 = 0
    var entries = [
      pollfd(fd: server.descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: wakeUp, events: Int16(POLLIN), revents: 0),
    ]
    for peer in peers {
      entries.append(
        pollfd(fd: peer.descriptor, events: Int16(POLLIN | (peer.wantsWrite ? POLLOUT : 0)), revents: 0))
    }
    poll(&entries, nfds_t(entries.count), server.timeoutMilliseconds)
    if entries[1].revents != 0 { _ = read(wakeUp, &wakeByte, 1) }
    server.process()
    let connections = server.connectionCount
    connectionCount.withLock { $0 = connections }
    let old = zip(peers, entries.dropFirst(2)).filter { $0.1.revents != 0 }.map(\.0)
    for peer in old + accepted.peers {
      do {
        if !peer.isClosed { try peer.receive { onMessage(peer, $0) } }
        if !peer.isClosed { try peer.flush() }
      } catch {
        peerErrors.withLock { $0.append(error) }
      }
    }
    peers = (peers + accepted.peers).filter { !$0.isClosed }
    accepted.peers = []
    let count = peers.count
    peerCount.withLock { $0 = count }
  }

  /// Makes the loop turn once more.
  func wake() { _ = Glibc.write(wakeUp.fileHandleForWriting.fileDescriptor, [0], 1) }

  func stop() {
    shouldStop.withLock { $0 = true }
    wake()
    stopped.wait()
  }
}

struct DeadlinePassed: Error {}

/// Takes what arrives until `isDone`, at most so long.
func pump(
  _ peer: WebSocketPeer, seconds: Double = 10, until isDone: () -> Bool, _ body: (WebSocketMessage) -> Void = { _ in }
) throws {
  let deadline = SystemClock.monotonicNanoseconds + Int64(seconds * 1e9)
  while !isDone() {
    if peer.isClosed { return }
    try peer.receive(body)
    if peer.isClosed || isDone() { return }
    if peer.wantsWrite { try peer.flush() }
    guard SystemClock.monotonicNanoseconds < deadline else { throw DeadlinePassed() }
    if peer.hasBufferedInput { continue }
    var entry = pollfd(
      fd: peer.descriptor, events: Int16(POLLIN | (peer.wantsWrite ? POLLOUT : 0)), revents: 0)
    poll(&entry, 1, 100)
  }
}

func temporaryPath(_ name: String) -> String { "/tmp/bulkhead-\(UUID().uuidString.prefix(8))-\(name)" }
