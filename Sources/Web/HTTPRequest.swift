/// A request to send.
public struct HTTPRequest: Sendable {
  /// Such as `GET`.
  public var method: String
  /// Absolute, `http` or `https`, with its query already escaped.
  public var url: String
  /// Header fields beyond those that the client sets itself.
  public var headers: HTTPHeaders
  /// The body; nil sends none.
  public var body: [UInt8]?
  /// How long the whole exchange may take.
  public var timeoutMilliseconds: Int
  /// How long resolving, connecting and the TLS handshake may take.
  public var connectTimeoutMilliseconds: Int
  /// The longest body that is accepted, after decompression.
  public var bodyBytesMax: Int
  /// The unix socket to connect to, instead of the URL's host.
  public var unixSocketPath: String?

  /// A request; the defaults suit a venue's REST interface.
  public init(
    method: String = "GET", url: String, headers: HTTPHeaders = [:], body: [UInt8]? = nil,
    timeoutMilliseconds: Int = 30_000, connectTimeoutMilliseconds: Int = 10_000, bodyBytesMax: Int = 64 << 20,
    unixSocketPath: String? = nil
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.timeoutMilliseconds = timeoutMilliseconds
    self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
    self.bodyBytesMax = bodyBytesMax
    self.unixSocketPath = unixSocketPath
  }
}

/// What a server answered.
public struct HTTPResponse: Sendable {
  /// Such as 200.
  public let status: Int
  /// The header fields.
  public let headers: HTTPHeaders
  /// The body, decompressed.
  public let body: [UInt8]

  /// A response by its parts.
  public init(status: Int, headers: HTTPHeaders = [:], body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// The body as text; bytes that are no UTF-8 are replaced.
  public var text: String { String(decoding: body, as: UTF8.self) }

  /// The body as JSON.
  /// - Throws: `JSONError`.
  public func json(limits: JSONLimits = JSONLimits()) throws(JSONError) -> JSONDocument {
    try JSONDocument(body, limits: limits)
  }
}

/// Why there is no response.
///
/// A response of any status, 500 too, is no error here.
public struct HTTPError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What went wrong.
  public enum Code: String, Hashable, Sendable {
    /// The request itself cannot be sent: a bad URL, or header fields with line breaks.
    case invalidRequest
    /// The host's name could not be resolved.
    case resolve
    /// No connection came about.
    case connect
    /// The peer's certificate, or the TLS handshake, failed.
    case tls
    /// The time ran out.
    case timeout
    /// The connection broke.
    case connectionLost
    /// The response is longer than the request allows.
    case tooLarge
    /// The response is not HTTP, or its encoding is broken.
    case `protocol`
    /// The task was cancelled, or the client was shut down.
    case cancelled
    /// Something else inside the library, such as no memory.
    case `internal`
  }

  /// What went wrong.
  public let code: Code
  /// What was being done, without query and credentials: `GET https://host/path`.
  public let operation: String
  /// The library's code (`CURLcode`); 0 where it did not take part.
  public let underlyingCode: Int32
  /// The library's words.
  public let detail: String

  /// An error by its parts.
  public init(_ code: Code, operation: String, underlyingCode: Int32 = 0, detail: String = "") {
    self.code = code
    self.operation = operation
    self.underlyingCode = underlyingCode
    self.detail = detail
  }

  /// Whether the same request may succeed later.
  ///
  /// It says nothing about whether this one had an effect: only `resolve`, `connect` and `tls` are certain not to
  /// have reached the server.
  public var isRetriable: Bool {
    switch code {
    case .resolve, .connect, .timeout, .connectionLost, .protocol: true
    case .invalidRequest, .tls, .tooLarge, .cancelled, .internal: false
    }
  }

  /// Such as `GET https://host/path: timeout (28: Timeout was reached)`.
  public var description: String {
    "\(operation): \(code.rawValue)" + (underlyingCode == 0 ? "" : " (\(underlyingCode): \(detail))")
  }
}
