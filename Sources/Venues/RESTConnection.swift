internal import Market
public import Web

/// Carries requests to venues: libcurl in a process, a function in a test.
public struct VenueTransport: Sendable {
  /// Sends one request and waits for its answer.
  public let send: @Sendable (HTTPRequest) async throws(HTTPError) -> HTTPResponse

  /// A transport by its function.
  public init(send: @escaping @Sendable (HTTPRequest) async throws(HTTPError) -> HTTPResponse) { self.send = send }

  /// A transport by an HTTP client.
  public init(_ client: HTTPClient) {
    send = { (request) async throws(HTTPError) in try await client.send(request) }
  }
}

/// Requests to one base URL of one venue, and the way from an answer to a value or a `VenueError`.
struct RESTConnection: Sendable {
  let format: AnswerFormat
  let endpoint: Endpoint
  let transport: VenueTransport
  var timeoutMilliseconds = 30_000
  /// Header fields that sign a request, by its method and address; nil where requests go unsigned.
  var authorise: (@Sendable (_ method: String, _ url: String) throws(VenueError) -> HTTPHeaders)?

  /// Keeps the requests under the venue's limits; nil where nothing has to, as in tests.
  var pacer: RequestPacer? {
    didSet { breaker = pacer?.breaker(of: endpoint) }
  }
  /// Keeps requests from a venue that fails; nil where nothing has to.
  private var breaker: RequestBreaker?

  /// Whether its answers say if the venue takes orders: not those of a service that only lists.
  var tellsState = true
  /// Whether its requests ask how the venue is: such are sent although others have failed.
  var isProbe = false

  init(format: AnswerFormat, endpoint: Endpoint, transport: VenueTransport, timeoutMilliseconds: Int = 30_000) {
    self.format = format
    self.endpoint = endpoint
    self.transport = transport
    self.timeoutMilliseconds = timeoutMilliseconds
  }

  init(venue: Venue, endpoint: Endpoint, transport: VenueTransport, timeoutMilliseconds: Int = 30_000) {
    self.init(
      format: AnswerFormat(venue: venue), endpoint: endpoint, transport: transport,
      timeoutMilliseconds: timeoutMilliseconds)
  }

  var venue: Venue { format.venue }

  /// Asks, and reads the answer.
  func get<Value: Sendable>(
    _ kind: String, _ path: String, query: [(String, String)],
    _ parse: (Wire) throws(WireProblem) -> Value
  ) async throws(VenueError) -> Value {
    let text = query.map { "\(percentEncoded($0.0))=\(percentEncoded($0.1))" }.joined(separator: "&")
    let url = try endpoint.resolve(venue) + path + (text.isEmpty ? "" : "?" + text)
    let request = HTTPRequest(url: url, headers: Self.headers, timeoutMilliseconds: timeoutMilliseconds)
    try await admit(kind, path, query)
    return try await answer(kind, request, parse)
  }

  /// Sends a JSON body, and reads the answer.
  func post<Value: Sendable>(
    _ kind: String, _ path: String, body: String, _ parse: (Wire) throws(WireProblem) -> Value
  ) async throws(VenueError) -> Value {
    var headers = Self.headers
    headers["Content-Type"] = "application/json"
    let url = try endpoint.resolve(venue) + path
    let request = HTTPRequest(
      method: "POST", url: url, headers: headers, body: Array(body.utf8), timeoutMilliseconds: timeoutMilliseconds)
    try await admit(kind, path, [])
    return try await answer(kind, request, parse)
  }

  private func admit(_ kind: String, _ path: String, _ query: [(String, String)]) async throws(VenueError) {
    if !isProbe { try breaker?.pass(kind) }
    do throws(VenueError) { try await pacer?.pass(kind, path: path, query: query) } catch {
      breaker?.failed(error)
      throw error
    }
  }

  private func answer<Value: Sendable>(
    _ kind: String, _ request: HTTPRequest, _ parse: (Wire) throws(WireProblem) -> Value
  ) async throws(VenueError) -> Value {
    do {
      let value = try format.read(kind, await send(kind, request)) { wire throws(WireProblem) in
        ShapeRecorder.current?.note(kind, wire)
        return try parse(wire)
      }
      if tellsState { VenueSignals.answered(venue, kind) }
      breaker?.succeeded(isProbe: isProbe)
      return value
    } catch {
      if tellsState { VenueSignals.failed(error) }
      breaker?.failed(error)
      RequestFailures.count(error)
      pacer?.take(error)
      throw error
    }
  }

  /// Coinbase answers 400 where there is no `User-Agent`.
  private static var headers: HTTPHeaders { ["Accept": "application/json", "User-Agent": "bulkhead"] }

  private func send(_ kind: String, _ unsigned: HTTPRequest) async throws(VenueError) -> HTTPResponse {
    var request = unsigned
    for (name, value) in try authorise?(request.method, request.url) ?? [:] { request.headers[name] = value }
    do { return try await transport.send(request) } catch { throw transportError(kind, error) }
  }

  private func transportError(_ kind: String, _ error: HTTPError) -> VenueError {
    let cause: VenueError.Cause
    switch error.code {
    case .cancelled: cause = .cancelled
    case .invalidRequest: cause = .impossible
    case .tooLarge, .protocol: cause = .malformed
    default: cause = .unreachable
    }
    let obstacle: VenueError.Obstacle? =
      switch error.code {
      case .resolve: .dns
      case .connect: .connect
      case .tls: .tls
      case .timeout: .timeout
      case .connectionLost: .lost
      default: nil
      }
    return VenueError(venue: venue, kind: kind, problem: "\(error)", cause: cause, obstacle: obstacle)
  }
}

/// A text as it may stand in a query: everything but unreserved characters (RFC 3986) as `%XX`.
func percentEncoded(_ text: String) -> String {
  var result = ""
  let digits = Array("0123456789ABCDEF")
  for byte in text.utf8 {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
      result.unicodeScalars.append(Unicode.Scalar(byte))
    default:
      result += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
    }
  }
  return result
}
