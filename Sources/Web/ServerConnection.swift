internal import CLinux
internal import CMicroHTTPD
internal import Daemon
internal import Glibc

/// One accepted connection, as the server keeps account of it.
///
/// fresh (no whole request yet) → parked or answering or streaming → idle (kept alive) → parked or … ; from each of
/// them the library may end it. A WebSocket leaves the account: it is its owner's.
final class ServerConnection {
  enum Phase: Int {
    // In the order in which connections are given up where there are too many.
    case fresh, idle, answering, streaming, parked, closing, upgraded
  }

  let socket: Int32
  fileprivate(set) var phase = Phase.fresh
  fileprivate(set) var since: Int64
  fileprivate(set) var deadline: Int64?
  /// What ends a wait of the server's side.
  fileprivate(set) var abandon: (() -> Void)?

  init(socket: Int32, now: Int64) {
    self.socket = socket
    since = now
  }
}

/// The account of connections: slow ones are ended, and the oldest make room where there are too many.
extension HTTPServer {
  static let onConnection: MHD_NotifyConnectionCallback = { context, connection, _, code in
    guard let context, let connection else { return }
    let server = Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue()
    if code == .CONNECTION_NOTIFY_STARTED {
      server.connections[connection] = ServerConnection(
        socket: bh_mhd_socket(connection), now: SystemClock.monotonicNanoseconds)
      server.enter(.fresh, connection)
    } else {
      server.connections[connection] = nil
      if server.connections.isEmpty { server.nextCheck = nil }
    }
  }

  /// Notes where a connection stands, and until when it may stay there.
  /// - Parameters:
  ///   - phase: where it stands now.
  ///   - connection: which one.
  ///   - abandon: for a wait of the server's side: ends it because the client has hung up, or for want of room.
  func enter(_ phase: ServerConnection.Phase, _ connection: OpaquePointer, abandon: (() -> Void)? = nil) {
    guard let entry = connections[connection], entry.phase != .upgraded else { return }
    if (entry.abandon == nil) != (abandon == nil) {
      watch(entry.socket, abandon == nil ? nil : phase == .streaming ? EPOLLRDHUP.rawValue : 0)
      hangUps[entry.socket] = abandon == nil ? nil : connection
    }
    entry.phase = phase
    entry.since = SystemClock.monotonicNanoseconds
    entry.abandon = abandon
    switch phase {
    case .fresh: entry.deadline = due(entry.since, seconds: options.requestTimeoutSeconds)
    case .answering: entry.deadline = due(entry.since, seconds: options.answerTimeoutSeconds)
    case .idle, .streaming, .parked, .closing, .upgraded: entry.deadline = nil
    }
    if let deadline = entry.deadline { nextCheck = min(nextCheck ?? deadline, deadline) }
  }

  private func due(_ now: Int64, seconds: Int) -> Int64? { seconds > 0 ? now + Int64(seconds) * 1_000_000_000 : nil }

  /// The library does not look at a connection that waits: the server itself watches for its end.
  private func watch(_ socket: Int32, _ events: UInt32?) {
    var event = epoll_event(
      events: (events ?? 0) | EPOLLET.rawValue, data: epoll_data_t(fd: socket))
    epoll_ctl(descriptor, events == nil ? EPOLL_CTL_DEL : EPOLL_CTL_ADD, socket, &event)
  }

  /// Ends the waits of those who have hung up.
  func takeHangUps() {
    guard !hangUps.isEmpty else { return }
    var events = [epoll_event](repeating: epoll_event(), count: 64)
    while true {
      let count = Int(epoll_wait(descriptor, &events, Int32(events.count), 0))
      for event in events.prefix(max(0, count)) {
        if let connection = hangUps[event.data.fd] { connections[connection]?.abandon?() }
      }
      if count < events.count { return }
    }
  }

  /// Ends connections whose time is over, and the oldest where there are as many as there may be.
  func keepOrder() {
    guard isFull || nextCheck != nil else { return }
    let now = SystemClock.monotonicNanoseconds
    if let due = nextCheck, due <= now {
      nextCheck = nil
      for entry in connections.values {
        guard let deadline = entry.deadline else { continue }
        if deadline <= now {
          end(entry)
        } else {
          nextCheck = min(nextCheck ?? deadline, deadline)
        }
      }
    }
    if isFull { makeRoom(now) }
  }

  /// All that had a second to speak and did not make room; where those are none, a few of the others.
  private func makeRoom(_ now: Int64) {
    let grace: Int64 = 1_000_000_000
    let candidates = connections.values.filter { $0.phase.rawValue <= ServerConnection.Phase.parked.rawValue }
      .sorted { ($0.phase.rawValue, $0.since) < ($1.phase.rawValue, $1.since) }
    var room = max(1, options.connectionsMax / 16) - connections.values.count { $0.phase == .closing }
    for entry in candidates where entry.phase == .fresh || room > 0 {
      guard now - entry.since >= grace else {
        let due = entry.since + grace
        nextCheck = min(nextCheck ?? due, due)
        continue
      }
      evictedCount += 1
      room -= 1
      end(entry)
    }
  }

  /// A client that has ended its side together with its request is not told of again: there is no next one.
  func endIfClientHasEnded(_ connection: OpaquePointer) {
    guard let entry = connections[connection], entry.phase == .idle else { return }
    var byte: UInt8 = 0
    if recv(entry.socket, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) == 0 {
      shutdown(entry.socket, Int32(SHUT_RDWR))
    }
  }

  /// The library finds the socket at its end, and closes it.
  private func end(_ entry: ServerConnection) {
    entry.deadline = nil
    let abandon = entry.abandon
    entry.phase = .closing
    shutdown(entry.socket, Int32(SHUT_RDWR))
    abandon?()
    needsAnotherRun = true
  }
}
