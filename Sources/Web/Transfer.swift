internal import CCurl
internal import Synchronization

/// One exchange, from the request to its end.
///
/// waiting → submitted → ended; or ended at once where it is cancelled first. `state` is shared; everything else is
/// touched by the engine's thread alone, which is what makes it sound to send.
final class Transfer: @unchecked Sendable {
  typealias Completion = @Sendable (Result<HTTPResponse, HTTPError>) -> Void

  private struct State {
    var completion: Completion?
    var engine: TransferEngine?
    var isCancelled = false
  }

  let request: HTTPRequest
  private let state = Mutex(State())

  private(set) var handle: UnsafeMutableRawPointer?
  private var headerList: UnsafeMutablePointer<curl_slist>?
  private var body: [UInt8] = []
  private var headers = HTTPHeaders()
  private var isTooLarge = false

  init(_ request: HTTPRequest) { self.request = request }

  deinit { release() }

  func onEnd(_ completion: @escaping Completion) { state.withLock { $0.completion = completion } }

  func submit(to engine: TransferEngine) {
    let isCancelled = state.withLock { state in
      state.engine = engine
      return state.isCancelled
    }
    if isCancelled {
      end(.failure(error(.cancelled)))
    } else {
      engine.post(.add(self))
    }
  }

  /// From any thread.
  func cancel() {
    let engine = state.withLock { state in
      state.isCancelled = true
      return state.engine
    }
    engine?.post(.cancel(self))
  }

  var isCancelled: Bool { state.withLock { $0.isCancelled } }

  /// Reports the outcome, the first time only.
  func end(_ result: Result<HTTPResponse, HTTPError>) {
    let completion = state.withLock { state in
      defer {
        state.completion = nil
        state.engine = nil
      }
      return state.completion
    }
    completion?(result)
  }

  func error(_ code: HTTPError.Code, underlying: CURLcode = CURLE_OK, detail: String? = nil) -> HTTPError {
    let words = detail ?? (underlying == CURLE_OK ? "" : String(cString: curl_easy_strerror(underlying)))
    return HTTPError(
      code, operation: "\(request.method) \(CurlURL.withoutSecrets(request.url))",
      underlyingCode: Int32(bitPattern: underlying.rawValue), detail: words)
  }

  // MARK: On the engine's thread

  /// Makes the easy handle.
  /// - Throws: `HTTPError` where the request cannot be sent.
  func prepare() throws(HTTPError) -> UnsafeMutableRawPointer {
    guard request.headers.isWellFormed, !request.method.isEmpty,
      request.method.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else { throw error(.invalidRequest, detail: "method or header") }
    guard let handle = curl_easy_init() else { throw error(.internal, detail: "no handle") }
    self.handle = handle
    let code = configure(handle)
    guard code == CURLE_OK else { throw error(.invalidRequest, underlying: code) }
    return handle
  }

  private func configure(_ handle: UnsafeMutableRawPointer) -> CURLcode {
    var options = CurlOptions(handle)
    options.setCommon(url: request.url)
    options.set(CURLOPT_TIMEOUT_MS, request.timeoutMilliseconds)
    options.set(CURLOPT_CONNECTTIMEOUT_MS, request.connectTimeoutMilliseconds)
    options.set(CURLOPT_ACCEPT_ENCODING, "")
    options.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    // A compressed body is counted while it is written; this ends the others before their first byte.
    options.set(CURLOPT_MAXFILESIZE_LARGE, request.bodyBytesMax)
    if let path = request.unixSocketPath {
      options.set(CURLOPT_UNIX_SOCKET_PATH, path)
      options.set(CURLOPT_NOPROXY, "*")
    }
    setMethod(&options)
    setHeaders(&options)
    let context = Unmanaged.passUnretained(self).toOpaque()
    options.set(CURLOPT_WRITEDATA, pointer: context)
    options.set(CURLOPT_HEADERDATA, pointer: context)
    options.set(CURLOPT_PRIVATE, pointer: context)
    options.setWrite(CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
      guard let bytes, let context else { return 0 }
      let chunk = UnsafeRawBufferPointer(start: bytes, count: size * count)
      return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().takeBody(chunk) ? chunk.count : 0
    }
    options.setWrite(CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
      guard let bytes, let context else { return 0 }
      let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
      return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().takeHeader(line) ? line.count : 0
    }
    return options.result
  }

  private func setMethod(_ options: inout CurlOptions) {
    let needsBody = ["POST", "PUT", "PATCH"].contains(request.method)
    if request.body != nil || needsBody {
      let body = request.body ?? []
      // Set before the bytes: libcurl copies as many as it says.
      options.set(CURLOPT_POSTFIELDSIZE_LARGE, body.count)
      body.withUnsafeBytes { bytes in
        withUnsafeBytes(of: UInt8(0)) { none in
          options.set(CURLOPT_COPYPOSTFIELDS, pointer: bytes.baseAddress ?? none.baseAddress)
        }
      }
    }
    if request.method == "HEAD" {
      options.set(CURLOPT_NOBODY, 1)
    } else if request.method != "GET" || request.body != nil {
      options.set(CURLOPT_CUSTOMREQUEST, request.method)
    }
  }

  private func setHeaders(_ options: inout CurlOptions) {
    var lines = request.headers.map { $0.value.isEmpty ? "\($0.name);" : "\($0.name): \($0.value)" }
    // Neither wait for `100 Continue` nor call a body a form.
    lines.append("Expect:")
    if request.headers["Content-Type"] == nil { lines.append("Content-Type:") }
    if request.headers["User-Agent"] == nil { lines.append("User-Agent: bulkhead") }
    for line in lines {
      guard let longer = curl_slist_append(headerList, line) else {
        options.fail(CURLE_OUT_OF_MEMORY)
        return
      }
      headerList = longer
    }
    options.set(CURLOPT_HTTPHEADER, pointer: headerList)
  }

  private func takeBody(_ chunk: UnsafeRawBufferPointer) -> Bool {
    guard body.count + chunk.count <= request.bodyBytesMax else {
      isTooLarge = true
      return false
    }
    body.append(contentsOf: chunk)
    return true
  }

  /// One header line; the fields of an earlier response (`100 Continue`) are forgotten.
  private func takeHeader(_ line: UnsafeRawBufferPointer) -> Bool {
    guard headers.count < 1000 else { return false }
    let text = HTTPHeaders.trimmed(String(decoding: line, as: UTF8.self))
    if text.hasPrefix("HTTP/") {
      headers = HTTPHeaders()
    } else if let colon = text.firstIndex(of: ":") {
      headers.append(String(text[..<colon]), HTTPHeaders.trimmed(text[text.index(after: colon)...]))
    }
    return true
  }

  /// The outcome, once the library has finished.
  func outcome(_ code: CURLcode) -> Result<HTTPResponse, HTTPError> {
    if isTooLarge { return .failure(error(.tooLarge, underlying: code)) }
    guard code == CURLE_OK, let handle else { return .failure(error(HTTPError.Code(code), underlying: code)) }
    var status = 0
    bh_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
    return .success(HTTPResponse(status: status, headers: headers, body: body))
  }

  /// Frees the handle, which must not be in the multi handle any more.
  func release() {
    if let handle { curl_easy_cleanup(handle) }
    handle = nil
    curl_slist_free_all(headerList)
    headerList = nil
  }
}
