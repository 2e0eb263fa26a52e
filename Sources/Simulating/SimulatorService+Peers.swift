internal import Daemon
internal import Market
internal import Web

#if canImport(Glibc)
  internal import Glibc
#endif

/// Connections: what they are told, what they say, and which faults strike them.
extension SimulatorService {
  /// So many frames of one connection wait for others at once.
  private static let heldMax = 1000

  /// Appends something new to what a peer gets at the end of the turn, unless a fault has it otherwise.
  func tell(_ text: UnsafeRawBufferPointer, to session: Int, isLifeSign: Bool) {
    guard let index = peers.index(forKey: session) else { return }
    if board.isQuiet, !hasDelayed, peers.values[index].held.isEmpty { return append(text, to: session) }
    let peer = peers.values[index]
    if peer.isMute { return }
    let fate = board.frame(peer.venue, session: session, target: peer.target, text, isLifeSign: isLifeSign)
    guard fate.copies > 0 else { return }
    let bytes = FaultRewriter.apply(fate.changes, to: Array(text), now: SystemClock.now)
    if fate.waitsFor > 0, peer.held.count < Self.heldMax {
      peers.values[index].held.append((fate.waitsFor, bytes))
      return
    }
    for _ in 0..<fate.copies { send(bytes, to: session, delayMilliseconds: fate.delayMilliseconds) }
    guard !peer.held.isEmpty else { return }
    for place in peer.held.indices { peers.values[index].held[place].left -= 1 }
    peers.values[index].held.removeAll { $0.left <= 0 }
    for entry in peer.held where entry.left <= 1 {
      send(entry.frame, to: session, delayMilliseconds: fate.delayMilliseconds)
    }
  }

  /// What waits keeps its order: a frame without delay goes behind those that have one.
  private func send(_ bytes: [UInt8], to session: Int, delayMilliseconds: Int64) {
    guard let index = peers.index(forKey: session) else { return }
    guard delayMilliseconds > 0 || !peers.values[index].delayed.isEmpty else {
      return bytes.withUnsafeBytes { append($0, to: session) }
    }
    let due = SystemClock.monotonicNanoseconds + delayMilliseconds * 1_000_000
    peers.values[index].delayed.append((due, bytes))
    hasDelayed = true
  }

  /// Sends frames whose delay is over.
  func sendDelayed(_ now: Int64) {
    guard hasDelayed else { return }
    hasDelayed = false
    for session in peers.filter({ !$0.value.delayed.isEmpty }).keys {
      guard let frames = peers[session]?.delayed else { continue }
      let due = frames.prefix { $0.due <= now }
      for entry in due { entry.frame.withUnsafeBytes { append($0, to: session) } }
      peers[session]?.delayed.removeFirst(due.count)
      if due.count < frames.count { hasDelayed = true }
    }
  }

  /// Appends to what a peer gets at the end of the turn.
  func append(_ text: UnsafeRawBufferPointer, to session: Int) {
    guard let index = peers.index(forKey: session), !peers.values[index].isMute else { return }
    if peers.values[index].pending.isEmpty { dirty.append(session) }
    WebSocketPeer.appendServerFrame(text, opcode: .text, to: &peers.values[index].pending)
    counters.frames += 1
    counters.bytes += Int64(text.count)
  }

  func accept(_ socket: WebSocketPeer, _ channel: Simulator.Channel, target: String) {
    let (session, reaction) = simulator.open(channel)
    peers[session] = Peer(socket: socket, venue: simulator.venue(of: session) ?? .polymarket, target: target)
    react(reaction, to: session, socket)
    read(session)
  }

  func read(_ session: Int) {
    guard let peer = peers[session] else { return }
    let socket = peer.socket
    if peer.isMute { return discard(session, socket) }
    do {
      if socket.wantsWrite { try socket.flush() }
      repeat {
        try socket.receive { message in
          if message.kind == .text { hear(message.bytes, from: session, socket) }
        }
      } while socket.hasBufferedInput
      if socket.isClosed { drop(session, reason: "closed") }
    } catch {
      drop(session, reason: "\(error)")
    }
  }

  private func hear(_ text: UnsafeRawBufferPointer, from session: Int, _ socket: WebSocketPeer) {
    collect()
    react(simulator.receive(text, from: session), to: session, socket)
  }

  private func react(_ reaction: Simulator.Reaction, to session: Int, _ socket: WebSocketPeer) {
    switch reaction {
    case .reply(let bytes): bytes.withUnsafeBytes { append($0, to: session) }
    case .replies(let texts): for text in texts { text.withUnsafeBytes { append($0, to: session) } }
    case .nothing: break
    case .close(let code, let reason): socket.close(code: code, reason: reason)
    }
  }

  /// Takes what a client says to a connection that is dead for it, and sees when it gives up.
  private func discard(_ session: Int, _ socket: WebSocketPeer) {
    var room = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = recv(socket.descriptor, &room, room.count, Int32(MSG_DONTWAIT))
      if count > 0 { continue }
      if count == 0 || (errno != EAGAIN && errno != EINTR) { drop(session, reason: "closed") }
      return
    }
  }

  /// Binance and Kalshi ping their clients; who has not answered for a minute is left.
  func pingClients() {
    let now = SystemClock.monotonicNanoseconds
    guard now >= nextPing else { return }
    nextPing = now + SimulatorService.pingNanoseconds
    pingCount += 1
    for (session, peer) in peers where !peer.isMute {
      let payload: [UInt8]
      switch peer.venue {
      case .binance where pingCount % 2 == 0: payload = Array("\(SystemClock.now.milliseconds)".utf8)
      case .kalshi: payload = Array("heartbeat".utf8)
      default: continue
      }
      if now - peer.socket.lastReceivedMonotonicNanoseconds > 60_000_000_000 {
        drop(session, reason: "no pong")
      } else if (try? peer.socket.ping(payload)) == nil {
        drop(session, reason: "gone")
      }
    }
  }
}
