internal import Synchronization

/// A request that a server received, whole.
public struct HTTPServerRequest: Sendable {
  /// Such as `GET`.
  public let method: String
  /// The path, unescaped, without the query.
  public let path: String
  /// The request target exactly as it came: path and query, escaped.
  ///
  /// What signatures are made over.
  public let target: String
  /// The query's items, unescaped, in order; repeated names are kept.
  public let query: [(name: String, value: String)]
  /// The header fields.
  public let headers: HTTPHeaders
  /// The body.
  public let body: [UInt8]

  /// A request by its parts, as a test of a handler makes it.
  public init(
    method: String = "GET", path: String, target: String? = nil, query: [(name: String, value: String)] = [],
    headers: HTTPHeaders = [:], body: [UInt8] = []
  ) {
    self.method = method
    self.path = path
    self.target = target ?? path
    self.query = query
    self.headers = headers
    self.body = body
  }

  /// The first value of a query item.
  public func query(_ name: String) -> String? { query.first { $0.name == name }?.value }

  /// The target's part behind the question mark, escaped; empty where there is none.
  public var queryText: String {
    target.firstIndex(of: "?").map { String(target[target.index(after: $0)...]) } ?? ""
  }

  /// Whether the client asks for a WebSocket.
  public var wantsWebSocket: Bool {
    headers.contains("Connection", token: "Upgrade") && headers.contains("Upgrade", token: "websocket")
  }
}

/// What a server answers.
public struct HTTPServerResponse: Sendable {
  /// Such as 200.
  public var status: Int
  /// Header fields beyond `Content-Length`, `Date` and `Connection`.
  public var headers: HTTPHeaders
  /// The body.
  public var body: [UInt8]

  /// A response by its parts.
  public init(status: Int = 200, headers: HTTPHeaders = [:], body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// Plain text.
  public static func text(_ text: String, status: Int = 200, type: String = "text/plain; charset=utf-8") -> Self {
    Self(status: status, headers: ["Content-Type": type], body: Array(text.utf8))
  }

  /// JSON.
  public static func json(_ text: String, status: Int = 200) -> Self {
    Self(status: status, headers: ["Content-Type": "application/json"], body: Array(text.utf8))
  }

  /// JSON.
  public static func json(_ writer: JSONWriter, status: Int = 200) -> Self {
    Self(status: status, headers: ["Content-Type": "application/json"], body: writer.bytes)
  }

  /// An HTML page.
  public static func html(_ text: String, status: Int = 200) -> Self {
    .text(text, status: status, type: "text/html; charset=utf-8")
  }
}

/// What a handler decides.
public enum HTTPServerReply {
  /// This response.
  case response(HTTPServerResponse)
  /// A WebSocket: once the client has the server's agreement, `accept` gets the peer.
  ///
  /// A request that asked for none is answered 426. `accept` should call `receive` at once: the client may have sent
  /// frames that were read together with its request.
  case webSocket(accept: (WebSocketPeer) -> Void)
  /// A response, or a WebSocket, that comes later, by `HTTPDeferral.complete` or `accept`.
  case deferred(HTTPDeferral)
  /// A response that goes on and on, with status 200.
  case stream(HTTPStream)
}

/// A promise to answer a request later, from any thread.
///
/// open → parked (the connection waits) → ready (there is a response) → done; or open → ready → done, where the
/// response comes before the handler has returned. The connection is resumed exactly once, in parked → ready, which
/// the lock guards: that is what makes it sound to share.
public final class HTTPDeferral: Sendable {
  enum State {
    case open
    case parked(resume: @Sendable () -> Void)
    case ready(Outcome)
    case done
  }

  /// What the client gets in the end.
  enum Outcome {
    case response(HTTPServerResponse)
    case webSocket(accept: @Sendable (WebSocketPeer) -> Void)
  }

  private let state = Mutex<State>(.open)

  /// A promise that is not yet given to a server.
  public init() {}

  /// Answers; only the first call counts.
  public func complete(_ response: HTTPServerResponse) { end(.response(response)) }

  /// Agrees to a WebSocket; only the first call counts.
  ///
  /// `accept` gets the peer on the server's thread; a request that asked for none is answered 426.
  public func complete(webSocket accept: @escaping @Sendable (WebSocketPeer) -> Void) {
    end(.webSocket(accept: accept))
  }

  private func end(_ outcome: Outcome) {
    let resume: (@Sendable () -> Void)? = state.withLock { state in
      switch state {
      case .open:
        state = .ready(outcome)
        return nil
      case .parked(let resume):
        state = .ready(outcome)
        return resume
      case .ready, .done:
        return nil
      }
    }
    resume?()
  }

  /// Waits for the response: `suspend` runs, and later `resume` once, unless the response is there already.
  /// - Returns: whether it waits.
  func park(suspend: () -> Void, resume: @escaping @Sendable () -> Void) -> Bool {
    state.withLock { state in
      guard case .open = state else { return false }
      suspend()
      state = .parked(resume: resume)
      return true
    }
  }

  /// What came of it, once.
  func take() -> Outcome? {
    state.withLock { state in
      guard case .ready(let outcome) = state else { return nil }
      state = .done
      return outcome
    }
  }
}
