/// What a peer sent.
///
/// `bytes` is valid during the callback only, and at least 64 bytes behind its end may be read, as simdjson wants.
public struct WebSocketMessage {
  /// What a message is.
  public enum Kind: String, Hashable, Sendable {
    /// UTF-8, checked.
    case text
    /// Bytes.
    case binary
    /// A ping; the pong is queued already.
    case ping
    /// The answer to a ping.
    case pong
    /// The peer closes: `bytes` is its reason; the answer is queued already.
    case close
  }

  /// What the message is.
  public let kind: Kind
  /// The payload; for a close, the reason.
  public let bytes: UnsafeRawBufferPointer
  /// The code of a close; 1005 where it has none, and of any other message 0.
  public let closeCode: UInt16

  /// The payload as text.
  public var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// Why a WebSocket does not work, or no longer.
public struct WebSocketError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What went wrong.
  public enum Code: String, Hashable, Sendable {
    /// The URL or a header field cannot be used.
    case invalidRequest
    /// The host's name could not be resolved.
    case resolve
    /// No connection came about.
    case connect
    /// The peer's certificate, or the TLS handshake, failed.
    case tls
    /// The time ran out.
    case timeout
    /// The server did not agree to a WebSocket; `httpStatus` says what it answered.
    case refused
    /// The task was cancelled.
    case cancelled
    /// The connection ended without a close.
    case disconnected
    /// The peer broke the protocol, sent text that is no UTF-8, or a message that is too long.
    case `protocol`
    /// The peer does not take what is sent to it: more than `queuedBytesMax` are waiting.
    case backlog
    /// It was closed before.
    case closed
    /// The library or the system refused.
    case `internal`
  }

  /// What went wrong.
  public let code: Code
  /// What was being done.
  public let operation: String
  /// `errno`, or the `CURLcode`; the close code of a broken protocol; 0 where there is none.
  public let underlyingCode: Int32
  /// What the server answered to the request for a WebSocket; 0 where it did not get so far.
  public let httpStatus: Int
  /// How long the server asks us to wait, in seconds; nil where it does not say.
  public let retryAfterSeconds: Int?

  /// An error by its parts.
  public init(
    _ code: Code, operation: String, underlyingCode: Int32 = 0, httpStatus: Int = 0, retryAfterSeconds: Int? = nil
  ) {
    self.code = code
    self.retryAfterSeconds = retryAfterSeconds
    self.operation = operation
    self.underlyingCode = underlyingCode
    self.httpStatus = httpStatus
  }

  /// Whether connecting again may help.
  public var isRetriable: Bool {
    switch code {
    case .resolve, .connect, .timeout, .disconnected, .protocol, .backlog, .closed: true
    case .refused: httpStatus >= 500 || httpStatus == 429 || httpStatus == 418
    case .invalidRequest, .tls, .cancelled, .internal: false
    }
  }

  /// Such as `WebSocket connect wss://host/path: refused (HTTP 403)`.
  public var description: String {
    "WebSocket \(operation): \(code.rawValue)"
      + (httpStatus != 0 ? " (HTTP \(httpStatus))" : underlyingCode != 0 ? " (\(underlyingCode))" : "")
      + (retryAfterSeconds.map { " (retry after \($0) s)" } ?? "")
  }
}

/// Codes of a close that we send (RFC 6455, section 7.4.1).
public enum WebSocketCloseCode {
  /// All is done.
  public static let normal: UInt16 = 1000
  /// This end goes away.
  public static let goingAway: UInt16 = 1001
  /// The other end broke the protocol.
  public static let protocolError: UInt16 = 1002
  /// Text that is no UTF-8.
  public static let invalidText: UInt16 = 1007
  /// The other end broke a rule of ours.
  public static let policy: UInt16 = 1008
  /// A message too long.
  public static let tooLarge: UInt16 = 1009
  /// This end failed.
  public static let internalError: UInt16 = 1011
}
