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
  let venue: Venue
  let endpoint: Endpoint
  let transport: VenueTransport
  var timeoutMilliseconds = 30_000
  /// Header fields that sign a request, by its method and address; nil where requests go unsigned.
  var authorise: (@Sendable (_ method: String, _ url: String) throws(VenueError) -> HTTPHeaders)?

  /// Asks, and reads the answer.
  func get<Value: Sendable>(
    _ kind: String, _ path: String, query: [(String, String)],
    _ parse: (Wire) throws(WireProblem) -> Value
  ) async throws(VenueError) -> Value {
    let text = query.map { "\(percentEncoded($0.0))=\(percentEncoded($0.1))" }.joined(separator: "&")
    let url = try endpoint.resolve(venue) + path + (text.isEmpty ? "" : "?" + text)
    return try read(
      kind, await send(kind, HTTPRequest(url: url, headers: Self.headers, timeoutMilliseconds: timeoutMilliseconds)),
      parse)
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
    return try read(kind, await send(kind, request), parse)
  }

  /// Coinbase answers 400 where there is no `User-Agent`.
  private static var headers: HTTPHeaders { ["Accept": "application/json", "User-Agent": "bulkhead"] }

  private func send(_ kind: String, _ unsigned: HTTPRequest) async throws(VenueError) -> HTTPResponse {
    var request = unsigned
    for (name, value) in try authorise?(request.method, request.url) ?? [:] { request.headers[name] = value }
    let response: HTTPResponse
    do {
      response = try await transport.send(request)
    } catch {
      throw transportError(kind, error)
    }
    guard response.status < 200 || response.status > 299 else { return response }
    throw VenueError(
      venue: venue, kind: kind, problem: Self.problem(of: response), cause: .status(response.status),
      retryAfterSeconds: response.headers["Retry-After"].flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil })
  }

  private func transportError(_ kind: String, _ error: HTTPError) -> VenueError {
    let cause: VenueError.Cause
    switch error.code {
    case .cancelled: cause = .cancelled
    case .invalidRequest: cause = .impossible
    case .tooLarge, .protocol: cause = .malformed
    default: cause = .unreachable
    }
    return VenueError(venue: venue, kind: kind, problem: "\(error)", cause: cause)
  }

  private func read<Value: Sendable>(
    _ kind: String, _ response: HTTPResponse, _ parse: (Wire) throws(WireProblem) -> Value
  ) throws(VenueError) -> Value {
    let document: JSONDocument
    do {
      document = try JSONDocument(response.body)
    } catch {
      throw VenueError(venue: venue, kind: kind, problem: "the answer is no JSON that we take: \(error)")
    }
    do { return try parse(Wire(document.root)) } catch { throw error.error(venue, kind) }
  }

  /// The status, and the venue's own words: `{"error":…}`, `{"code":…,"msg":…}`, `{"message":…}`, or these inside an
  /// `{"error":{…}}`.
  private static func problem(of response: HTTPResponse) -> String {
    let status = "HTTP \(response.status)"
    guard let outer = try? JSONDocument(response.body).root, outer.kind == .object else { return status }
    let root = outer["error"].flatMap { $0.kind == .object ? $0 : nil } ?? outer
    var words: [String] = []
    if let code = root["code"]?.decimalText { words.append("code \(code.prefix(60))") }
    for name in ["error", "errorMsg", "msg", "message"] {
      if let text = root[name]?.string, !text.isEmpty {
        words.append(quotedExcerpt(text, charactersMax: 200))
        break
      }
    }
    return words.isEmpty ? status : status + ": " + words.joined(separator: ", ")
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
