internal import CCurl
internal import CLinux
internal import Daemon
internal import Glibc
internal import Synchronization

/// Connects to WebSockets: libcurl for names, proxies and TLS, and the opening handshake of RFC 6455 upon it.
///
/// TLS is verified; the proxy comes from the environment, except towards the loopback.
public enum WebSocketClient {
  /// Connects.
  ///
  /// The steps block a thread of their own. A cancelled task gets its error at once, and the connection is closed.
  /// - Parameters:
  ///   - url: `ws`, `wss`, `http` or `https`.
  ///   - headers: fields beyond those of the handshake.
  ///   - timeoutMilliseconds: how long all of it may take.
  ///   - limits: of the peer.
  /// - Returns: the client's end.
  /// - Throws: `WebSocketError`.
  public static func connect(
    url: String, headers: HTTPHeaders = [:], timeoutMilliseconds: Int = 10_000,
    limits: WebSocketLimits = WebSocketLimits()
  ) async throws(WebSocketError) -> WebSocketPeer {
    let attempt = ConnectAttempt()
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation {
        (continuation: CheckedContinuation<Result<WebSocketPeer, WebSocketError>, Never>) in
        attempt.onEnd { continuation.resume(returning: $0) }
        run(attempt, url, headers, timeoutMilliseconds, limits)
      }
    } onCancel: {
      attempt.cancel()
    }
    return try result.get()
  }

  /// Connects, and calls `completion` with the outcome on a thread of its own.
  ///
  /// For poll loops: let `completion` hand the outcome over and wake the loop.
  public static func start(
    url: String, headers: HTTPHeaders = [:], timeoutMilliseconds: Int = 10_000,
    limits: WebSocketLimits = WebSocketLimits(),
    completion: @escaping @Sendable (Result<WebSocketPeer, WebSocketError>) -> Void
  ) {
    let attempt = ConnectAttempt()
    attempt.onEnd(completion)
    run(attempt, url, headers, timeoutMilliseconds, limits)
  }

  private static func run(
    _ attempt: ConnectAttempt, _ url: String, _ headers: HTTPHeaders, _ timeoutMilliseconds: Int,
    _ limits: WebSocketLimits
  ) {
    let started = OwnThread.start {
      do throws(WebSocketError) {
        let connector = try Connector(url: url, timeoutMilliseconds: timeoutMilliseconds, attempt: attempt)
        attempt.end(.success(try connector.connect(headers: headers, limits: limits)))
      } catch {
        attempt.end(.failure(error))
      }
    }
    if !started { attempt.end(.failure(WebSocketError(.internal, operation: "pthread_create"))) }
  }
}

/// One attempt to connect, shared by the thread that connects and whoever waits for it.
///
/// waiting → ended, once: by the outcome or by `cancel()`, whichever is first.
final class ConnectAttempt: Sendable {
  typealias Completion = @Sendable (Result<WebSocketPeer, WebSocketError>) -> Void

  private struct State {
    var completion: Completion?
    var isCancelled = false
  }

  private let state = Mutex(State())

  var isCancelled: Bool { state.withLock { $0.isCancelled } }

  func onEnd(_ completion: @escaping Completion) {
    let isCancelled = state.withLock { state in
      if !state.isCancelled { state.completion = completion }
      return state.isCancelled
    }
    if isCancelled { completion(.failure(WebSocketError(.cancelled, operation: "connect"))) }
  }

  func cancel() {
    state.withLock { $0.isCancelled = true }
    end(.failure(WebSocketError(.cancelled, operation: "connect")))
  }

  func end(_ result: Result<WebSocketPeer, WebSocketError>) {
    let completion = state.withLock { state in
      defer { state.completion = nil }
      return state.completion
    }
    completion?(result)
  }
}

/// The steps of connecting, one after the other, on a thread that may block.
private struct Connector {
  private let url: CurlURL
  private let httpURL: String
  private let operation: String
  private let deadlineNanoseconds: Int64
  private let attempt: ConnectAttempt

  init(url: String, timeoutMilliseconds: Int, attempt: ConnectAttempt) throws(WebSocketError) {
    // libcurl of this age knows no ws; below the handshake it is http.
    httpURL = url.hasPrefix("ws://") || url.hasPrefix("wss://") ? "http" + url.dropFirst(2) : url
    guard let parts = CurlURL(httpURL), parts.scheme == "http" || parts.scheme == "https" else {
      throw WebSocketError(.invalidRequest, operation: "connect")
    }
    self.url = parts
    operation = "connect \(CurlURL.withoutSecrets(httpURL))"
    deadlineNanoseconds = SystemClock.monotonicNanoseconds + Int64(timeoutMilliseconds) * 1_000_000
    self.attempt = attempt
  }

  func connect(headers: HTTPHeaders, limits: WebSocketLimits) throws(WebSocketError) -> WebSocketPeer {
    guard headers.isWellFormed else { throw error(.invalidRequest) }
    guard let handle = curl_easy_init() else { throw error(.internal) }
    do throws(WebSocketError) {
      try open(handle)
      // A proxy that was asked to connect has answered with a status, and may itself be spoken to by TLS.
      var proxyStatus = 0
      let isKnown = bh_curl_get_long(handle, CURLINFO_HTTP_CONNECTCODE, &proxyStatus) == CURLE_OK
      let isPlain = url.scheme == "http" && isKnown && proxyStatus == 0
      guard let transport = WebSocketTransport.curl(handle, isPlain: isPlain) else { throw error(.connect) }
      let key = WebSocketHandshake.makeKey()
      try write(Array(request(headers, key: key).utf8), transport)
      let early = try readResponse(transport, key: key)
      // From here on the peer owns the handle.
      return WebSocketPeer(role: .client, transport: transport, early: early, limits: limits)
    } catch {
      curl_easy_cleanup(handle)
      throw error
    }
  }

  private func error(_ code: WebSocketError.Code, _ underlying: Int32 = 0, httpStatus: Int = 0) -> WebSocketError {
    WebSocketError(code, operation: operation, underlyingCode: underlying, httpStatus: httpStatus)
  }

  private var millisecondsLeft: Int {
    Int((deadlineNanoseconds - SystemClock.monotonicNanoseconds) / 1_000_000)
  }

  private func open(_ handle: UnsafeMutableRawPointer) throws(WebSocketError) {
    var options = CurlOptions(handle)
    options.setCommon(url: httpURL)
    options.set(CURLOPT_CONNECT_ONLY, 1)
    options.set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
    options.set(CURLOPT_HTTPPROXYTUNNEL, 1)
    options.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    options.set(CURLOPT_TIMEOUT_MS, max(millisecondsLeft, 1))
    options.set(CURLOPT_CONNECTTIMEOUT_MS, max(millisecondsLeft, 1))
    let context = Unmanaged.passUnretained(attempt).toOpaque()
    options.setProgress(context) { context, _, _, _, _ in
      guard let context else { return 0 }
      return Unmanaged<ConnectAttempt>.fromOpaque(context).takeUnretainedValue().isCancelled ? 1 : 0
    }
    guard options.result == CURLE_OK else { throw error(.invalidRequest, Int32(bitPattern: options.result.rawValue)) }
    let code = curl_easy_perform(handle)
    guard code == CURLE_OK else {
      let underlying = Int32(bitPattern: code.rawValue)
      switch HTTPError.Code(code) {
      case .timeout: throw error(.timeout, underlying)
      case .resolve: throw error(.resolve, underlying)
      case .tls: throw error(.tls, underlying)
      case .cancelled: throw error(.cancelled, underlying)
      case .invalidRequest: throw error(.invalidRequest, underlying)
      default: throw error(.connect, underlying)
      }
    }
  }

  private func request(_ headers: HTTPHeaders, key: String) -> String {
    let standardPort = url.scheme == "https" ? "443" : "80"
    var lines = [
      "GET \(url.target) HTTP/1.1",
      "Host: \(url.host)" + (url.port == standardPort ? "" : ":\(url.port)"),
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Key: \(key)",
      "Sec-WebSocket-Version: 13",
    ]
    if headers["User-Agent"] == nil { lines.append("User-Agent: bulkhead") }
    for (name, value) in headers { lines.append("\(name): \(value)") }
    return lines.joined(separator: "\r\n") + "\r\n\r\n"
  }

  private func wait(_ transport: WebSocketTransport, for events: Int32) throws(WebSocketError) {
    guard !attempt.isCancelled else { throw error(.cancelled) }
    let left = millisecondsLeft
    guard left > 0 else { throw error(.timeout) }
    var entry = pollfd(fd: transport.descriptor, events: Int16(events), revents: 0)
    // Short, because a cancellation has no descriptor.
    poll(&entry, 1, Int32(min(left, 200)))
  }

  private func write(_ bytes: [UInt8], _ transport: WebSocketTransport) throws(WebSocketError) {
    var sent = 0
    while sent < bytes.count {
      let outcome = bytes.withUnsafeBytes { transport.send(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
      switch outcome {
      case .bytes(let count): sent += count
      case .wouldBlock: try wait(transport, for: POLLOUT)
      case .end: throw error(.disconnected)
      case .failed(let code): throw error(.disconnected, code)
      }
    }
  }

  /// - Returns: what came after the response: the first frames.
  private func readResponse(_ transport: WebSocketTransport, key: String) throws(WebSocketError) -> [UInt8] {
    var received: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      switch chunk.withUnsafeMutableBytes({ transport.receive($0) }) {
      case .bytes(let count):
        let searchStart = max(received.count - 3, 0)
        received += chunk[..<count]
        if let end = Self.endOfHeader(received, from: searchStart) {
          try check(String(decoding: received[..<end], as: UTF8.self), key: key)
          return Array(received[end...])
        }
        guard received.count < 64 << 10 else { throw error(.protocol) }
      case .wouldBlock: try wait(transport, for: POLLIN)
      case .end: throw error(.disconnected)
      case .failed(let code): throw error(.disconnected, code)
      }
    }
  }

  private static func endOfHeader(_ bytes: [UInt8], from start: Int) -> Int? {
    guard bytes.count >= start + 4 else { return nil }
    for index in start...(bytes.count - 4) where bytes[index] == 0x0D {
      if bytes[index + 1] == 0x0A, bytes[index + 2] == 0x0D, bytes[index + 3] == 0x0A { return index + 4 }
    }
    return nil
  }

  private func check(_ header: String, key: String) throws(WebSocketError) {
    var lines = header.split(whereSeparator: \.isNewline)[...]
    let words = (lines.popFirst() ?? "").split(separator: " ", maxSplits: 2)
    guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else { throw error(.protocol) }
    var headers = HTTPHeaders()
    for line in lines {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers.append(String(line[..<colon]), HTTPHeaders.trimmed(line[line.index(after: colon)...]))
    }
    guard status == 101 else {
      throw WebSocketError(
        .refused, operation: operation, httpStatus: status,
        retryAfterSeconds: headers["Retry-After"].flatMap { Int($0) }.map { max(0, $0) })
    }
    // No extension was offered, so none may be agreed to.
    guard headers.contains("Upgrade", token: "websocket"), headers.contains("Connection", token: "Upgrade"),
      headers["Sec-WebSocket-Accept"] == WebSocketHandshake.accept(key: key),
      headers["Sec-WebSocket-Extensions"] == nil
    else { throw error(.protocol) }
  }
}
