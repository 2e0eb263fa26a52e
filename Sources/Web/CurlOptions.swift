internal import CCurl

/// Sets options on an easy handle and remembers the first failure.
struct CurlOptions {
  private let handle: UnsafeMutableRawPointer
  private(set) var result = CURLE_OK

  init(_ handle: UnsafeMutableRawPointer) { self.handle = handle }

  mutating func fail(_ code: CURLcode) { if result == CURLE_OK { result = code } }

  mutating func set(_ option: CURLoption, _ value: Int) { fail(bh_curl_set_long(handle, option, value)) }
  mutating func set(_ option: CURLoption, _ value: String) { fail(bh_curl_set_pointer(handle, option, value)) }
  mutating func set(_ option: CURLoption, pointer: UnsafeRawPointer?) {
    fail(bh_curl_set_pointer(handle, option, pointer))
  }
  mutating func setWrite(_ option: CURLoption, _ function: @escaping bh_curl_write) {
    fail(bh_curl_set_write(handle, option, function))
  }

  mutating func setProgress(_ context: UnsafeMutableRawPointer, _ function: @escaping curl_xferinfo_callback) {
    fail(bh_curl_set_progress(handle, function, context))
  }

  /// What every connection of ours has in common.
  mutating func setCommon(url: String) {
    CurlGlobal.start()
    set(CURLOPT_URL, url)
    fail(bh_curl_close_on_exec(handle))
    set(CURLOPT_NOSIGNAL, 1)
    set(CURLOPT_PROTOCOLS_STR, "http,https")
    set(CURLOPT_TCP_NODELAY, 1)
    set(CURLOPT_TCP_KEEPALIVE, 1)
    // A name that is still being resolved must not hold up the removal of its transfer.
    set(CURLOPT_QUICK_EXIT, 1)
    if CurlURL.isLoopback(url) { set(CURLOPT_NOPROXY, "*") }
  }
}

/// libcurl's one initialisation for the process.
enum CurlGlobal {
  private static let started: CURLcode = bh_curl_global_init()

  static func start() { precondition(started == CURLE_OK, "libcurl does not start") }
}

/// A URL, taken apart by libcurl.
struct CurlURL {
  let scheme: String
  let host: String
  let port: String
  /// Path and query, as they stand in a request line.
  let target: String

  /// - Returns: nil where the text is no absolute URL.
  init?(_ text: String) {
    guard let url = curl_url() else { return nil }
    defer { curl_url_cleanup(url) }
    guard curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK else { return nil }
    func part(_ part: CURLUPart, _ flags: UInt32 = 0) -> String? {
      var value: UnsafeMutablePointer<CChar>?
      guard curl_url_get(url, part, &value, flags) == CURLUE_OK, let value else { return nil }
      defer { curl_free(value) }
      return String(cString: value)
    }
    guard let scheme = part(CURLUPART_SCHEME), let host = part(CURLUPART_HOST), let path = part(CURLUPART_PATH),
      let port = part(CURLUPART_PORT, UInt32(CURLU_DEFAULT_PORT))
    else { return nil }
    self.scheme = scheme
    self.host = host
    self.port = port
    target = path + (part(CURLUPART_QUERY).map { "?" + $0 } ?? "")
  }

  static func isLoopback(_ text: String) -> Bool {
    guard let host = CurlURL(text)?.host else { return false }
    return host == "localhost" || host == "[::1]" || host.hasPrefix("127.")
  }

  /// The URL as it may stand in a log: no user, password, query or fragment.
  static func withoutSecrets(_ text: String) -> String {
    guard let url = CurlURL(text) else { return "(bad URL)" }
    let path = url.target.prefix { $0 != "?" }
    return "\(url.scheme)://\(url.host):\(url.port)\(path)"
  }
}

extension HTTPError.Code {
  init(_ code: CURLcode) {
    self =
      switch code {
      case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: .invalidRequest
      case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .resolve
      case CURLE_COULDNT_CONNECT, CURLE_PROXY: .connect
      case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
        CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS:
        .tls
      case CURLE_OPERATION_TIMEDOUT: .timeout
      case CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE: .connectionLost
      case CURLE_FILESIZE_EXCEEDED: .tooLarge
      case CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING, CURLE_HTTP2, CURLE_HTTP2_STREAM, CURLE_WRITE_ERROR:
        .protocol
      case CURLE_ABORTED_BY_CALLBACK: .cancelled
      default: .internal
      }
  }
}
