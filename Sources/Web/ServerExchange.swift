internal import CLinux
internal import CMicroHTTPD
internal import Glibc

/// One request on its way through the server, from the request line until the library says it is over.
///
/// The library holds it by a retained pointer: made in `onURI`, released in `onCompleted`.
final class ServerExchange {
  private enum Phase {
    case header, body, discarding, parked, answered
  }

  private let target: String
  private var phase = Phase.header
  private var body: [UInt8] = []
  private var discardedBytes = 0
  private var deferral: HTTPDeferral?
  private var stream: StreamLink?
  /// What is answered instead when the body is through.
  private var refusal: HTTPServerResponse?
  /// What body and answer hold, in the account of the server.
  private var heldBytes = 0

  private init(target: String) { self.target = target }

  // MARK: What libmicrohttpd calls

  typealias OnURI =
    @convention(c) (
      UnsafeMutableRawPointer?, UnsafePointer<CChar>?, OpaquePointer?
    ) -> UnsafeMutableRawPointer?

  static let onURI: OnURI = { _, uri, _ in
    let target = uri.map { String(cString: $0) } ?? ""
    return Unmanaged.passRetained(ServerExchange(target: target)).toOpaque()
  }

  static let onCompleted: MHD_RequestCompletedCallback = { context, connection, exchange, _ in
    guard let context, let connection, let held = exchange?.pointee else { return }
    exchange?.pointee = nil
    let exchange = Unmanaged<ServerExchange>.fromOpaque(held).takeRetainedValue()
    let server = Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue()
    server.parked[ObjectIdentifier(exchange)] = nil
    server.streams[ObjectIdentifier(exchange)] = nil
    server.heldBytes -= exchange.heldBytes
    server.enter(.idle, connection)
    server.endIfClientHasEnded(connection)
    exchange.stream?.end()
  }

  static let onAccess: MHD_AccessHandlerCallback = { context, connection, path, method, _, bytes, count, exchange in
    guard let context, let connection, let path, let method, let count, let held = exchange?.pointee else {
      return .NO
    }
    let server = Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue()
    let exchange = Unmanaged<ServerExchange>.fromOpaque(held).takeUnretainedValue()
    let chunk = UnsafeRawBufferPointer(start: bytes, count: count.pointee)
    count.pointee = 0
    return exchange.advance(server, connection, path: path, method: method, chunk: chunk)
  }

  private func advance(
    _ server: HTTPServer, _ connection: OpaquePointer, path: UnsafePointer<CChar>, method: UnsafePointer<CChar>,
    chunk: UnsafeRawBufferPointer
  ) -> MHD_Result {
    switch phase {
    case .header:
      phase = .body
      if announcedBytes(connection) > server.options.bodyBytesMax { return answer(Self.tooLarge, connection, server) }
      if let screen = server.screen {
        refusal = screen(request(connection, path: String(cString: path), method: String(cString: method)))
        if refusal != nil { phase = .discarding }
      }
      return .YES
    case .body where !chunk.isEmpty:
      return take(chunk, server)
    case .discarding where !chunk.isEmpty:
      return discard(chunk, server)
    case .discarding:
      return answer(refusal ?? Self.tooLarge, connection, server)
    case .body:
      return handle(server, connection, path: String(cString: path), method: String(cString: method))
    case .parked:
      guard let outcome = deferral?.take() else { return .YES }
      server.parked[ObjectIdentifier(self)] = nil
      return conclude(outcome, server, connection, path: String(cString: path), method: String(cString: method))
    case .answered:
      return .YES
    }
  }

  private func take(_ chunk: UnsafeRawBufferPointer, _ server: HTTPServer) -> MHD_Result {
    // No response can be queued between the chunks of a body.
    if body.count + chunk.count > server.options.bodyBytesMax {
      refusal = Self.tooLarge
    } else if server.heldBytes + chunk.count > server.options.heldBytesMax {
      refusal = Self.busy
    } else {
      hold(chunk.count, server)
      body.append(contentsOf: chunk)
      return .YES
    }
    body = []
    phase = .discarding
    return discard(chunk, server)
  }

  private func hold(_ count: Int, _ server: HTTPServer) {
    heldBytes += count
    server.heldBytes += count
  }

  private static let tooLarge = HTTPServerResponse.text("request body too large\n", status: 413)
  private static let busy = HTTPServerResponse.text("too much at once\n", status: 503)

  /// A client that goes on sending without end loses its connection.
  private func discard(_ chunk: UnsafeRawBufferPointer, _ server: HTTPServer) -> MHD_Result {
    discardedBytes += chunk.count
    return discardedBytes > 4 * server.options.bodyBytesMax + (1 << 20) ? .NO : .YES
  }

  private func announcedBytes(_ connection: OpaquePointer) -> Int {
    guard let text = MHD_lookup_connection_value(connection, .HEADER_KIND, "Content-Length") else { return 0 }
    return Int(String(cString: text)) ?? 0
  }

  // MARK: The request

  private func request(_ connection: OpaquePointer, path: String, method: String) -> HTTPServerRequest {
    var headers = HTTPHeaders()
    for (name, value) in Self.values(connection, .HEADER_KIND) { headers.append(name, value) }
    return HTTPServerRequest(
      method: method, path: path, target: target, query: Self.values(connection, .GET_ARGUMENT_KIND),
      headers: headers, body: body)
  }

  private func handle(
    _ server: HTTPServer, _ connection: OpaquePointer, path: String, method: String
  ) -> MHD_Result {
    let request = request(connection, path: path, method: method)
    server.heldBytes -= heldBytes
    heldBytes = 0
    body = []
    switch server.handler(request) {
    case .response(let response): return answer(response, connection, server)
    case .stream(let stream): return answer(stream, connection, server)
    case .webSocket(let accept): return upgrade(request, server, connection, accept)
    case .deferred(let deferral): return park(deferral, server, connection, request)
    }
  }

  private func conclude(
    _ outcome: HTTPDeferral.Outcome, _ server: HTTPServer, _ connection: OpaquePointer, path: String, method: String
  ) -> MHD_Result {
    switch outcome {
    case .response(let response): answer(response, connection, server)
    case .webSocket(let accept):
      upgrade(request(connection, path: path, method: method), server, connection, accept)
    }
  }

  private final class Values {
    var items: [(name: String, value: String)] = []
  }

  private static func values(_ connection: OpaquePointer, _ kind: MHD_ValueKind) -> [(name: String, value: String)] {
    let values = Values()
    _ = MHD_get_connection_values_n(
      connection, kind,
      { context, _, name, nameCount, value, valueCount in
        guard let context, let name else { return .NO }
        let values = Unmanaged<Values>.fromOpaque(context).takeUnretainedValue()
        let text = { (start: UnsafePointer<CChar>?, count: Int) in
          String(decoding: UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count), as: UTF8.self)
        }
        values.items.append((name: text(name, nameCount), value: text(value, valueCount)))
        return .YES
      }, Unmanaged.passUnretained(values).toOpaque())
    return values.items
  }

  // MARK: The answer

  private func answer(
    _ wanted: HTTPServerResponse, _ connection: OpaquePointer, _ server: HTTPServer
  ) -> MHD_Result {
    phase = .answered
    var response = wanted
    if server.heldBytes + response.body.count > server.options.heldBytesMax { response = Self.busy }
    hold(response.body.count, server)
    server.enter(.answering, connection)
    let made = response.body.withUnsafeBytes { body in
      MHD_create_response_from_buffer(
        body.count, UnsafeMutableRawPointer(mutating: body.baseAddress), .RESPMEM_MUST_COPY)
    }
    guard let made else { return .NO }
    defer { MHD_destroy_response(made) }
    if response.headers.isWellFormed {
      for (name, value) in response.headers { _ = MHD_add_response_header(made, name, value) }
    }
    return MHD_queue_response(connection, UInt32(clamping: response.status), made)
  }

  private func answer(_ stream: HTTPStream, _ connection: OpaquePointer, _ server: HTTPServer) -> MHD_Result {
    // Ordinary requests find room beside them.
    guard server.streams.count < max(1, server.options.connectionsMax / 2) else {
      stream.end()
      return answer(Self.busy, connection, server)
    }
    phase = .answered
    let link = StreamLink(stream, connection, server)
    guard let made = link.makeResponse() else {
      link.end()
      return .NO
    }
    defer { MHD_destroy_response(made) }
    if stream.headers.isWellFormed {
      for (name, value) in stream.headers { _ = MHD_add_response_header(made, name, value) }
    }
    self.stream = link
    server.streams[ObjectIdentifier(self)] = link
    server.enter(.streaming, connection) { [unowned link] in link.clientIsGone() }
    return MHD_queue_response(connection, UInt32(MHD_HTTP_OK), made)
  }

  private func park(
    _ deferral: HTTPDeferral, _ server: HTTPServer, _ connection: OpaquePointer, _ request: HTTPServerRequest
  ) -> MHD_Result {
    self.deferral = deferral
    phase = .parked
    // Sound: a suspended connection lives until it is resumed, and resuming is safe from any thread.
    nonisolated(unsafe) let suspended = connection
    let wakeUp = server.wakeUp
    let waits = deferral.park(suspend: { MHD_suspend_connection(suspended) }) {
      MHD_resume_connection(suspended)
      wakeUp.signal()
    }
    guard !waits else {
      server.parked[ObjectIdentifier(self)] = deferral
      server.enter(.parked, connection) { deferral.complete(Self.busy) }
      return .YES
    }
    // Answered already; or a deferral that was used twice, which is an error of the handler's.
    let outcome = deferral.take() ?? .response(.text("deferral used twice\n", status: 500))
    return conclude(outcome, server, connection, path: request.path, method: request.method)
  }

  private final class Upgrade {
    let accept: (WebSocketPeer) -> Void
    unowned let server: HTTPServer

    init(_ server: HTTPServer, _ accept: @escaping (WebSocketPeer) -> Void) {
      self.server = server
      self.accept = accept
    }
  }

  private var pendingUpgrade: Upgrade?

  private func upgrade(
    _ request: HTTPServerRequest, _ server: HTTPServer, _ connection: OpaquePointer,
    _ accept: @escaping (WebSocketPeer) -> Void
  ) -> MHD_Result {
    guard request.method == "GET", request.wantsWebSocket else {
      var refusal = HTTPServerResponse.text("a WebSocket is served here\n", status: 426)
      refusal.headers["Upgrade"] = "websocket"
      return answer(refusal, connection, server)
    }
    guard request.headers["Sec-WebSocket-Version"] == "13",
      let key = request.headers["Sec-WebSocket-Key"], WebSocketHandshake.isKey(key)
    else {
      var refusal = HTTPServerResponse.text("bad WebSocket handshake\n", status: 400)
      refusal.headers["Sec-WebSocket-Version"] = "13"
      return answer(refusal, connection, server)
    }
    phase = .answered
    server.enter(.upgraded, connection)
    let upgrade = Upgrade(server, accept)
    let made = MHD_create_response_for_upgrade(
      { context, _, _, extra, extraCount, socket, handle in
        guard let context, let handle else { return }
        let upgrade = Unmanaged<Upgrade>.fromOpaque(context).takeUnretainedValue()
        // The library closes its descriptor of the socket; the peer gets another one, which it owns.
        let descriptor = bh_fcntl(socket, F_DUPFD_CLOEXEC, 0)
        let early = Array(UnsafeRawBufferPointer(start: extra, count: extra == nil ? 0 : extraCount))
        bh_mhd_upgrade_close(handle)
        // It does so in its next run, and until then the peer could not end the connection.
        upgrade.server.needsAnotherRun = true
        guard descriptor >= 0 else { return }
        upgrade.accept(
          WebSocketPeer(
            role: .server, transport: .socket(descriptor), early: early, limits: upgrade.server.options.webSocket))
      }, Unmanaged.passUnretained(upgrade).toOpaque())
    guard let made else { return .NO }
    // The exchange outlives the callback: it is released when the library says that the request is over.
    pendingUpgrade = upgrade
    defer { MHD_destroy_response(made) }
    _ = MHD_add_response_header(made, "Upgrade", "websocket")
    _ = MHD_add_response_header(made, "Sec-WebSocket-Accept", WebSocketHandshake.accept(key: key))
    return MHD_queue_response(connection, UInt32(MHD_HTTP_SWITCHING_PROTOCOLS), made)
  }
}
