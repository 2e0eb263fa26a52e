internal import Daemon
public import Web

#if canImport(Glibc)
  internal import Glibc
#endif

/// One place where the control interface is served.
public struct ControlEndpoint: Sendable {
  /// Where it listens.
  public let address: ListenAddress
  /// Who owns the socket file; nil: whoever the supervisor is.
  public let owner: FileOwner?
  /// What a client must know; nil: nothing.
  public let credentials: HTTPCredentials?
  /// Whether the supervisor can do without it, because another supervisor may have it.
  public let isOptional: Bool

  /// A user and a group.
  public struct FileOwner: Hashable, Sendable {
    /// The user; `UInt32.max` leaves it.
    public let uid: UInt32
    /// The group; `UInt32.max` leaves it.
    public let gid: UInt32
  }

  /// The path of a socket file; nil where it is TCP.
  public var path: String? {
    if case .unix(let path, _) = address { path } else { nil }
  }

  /// Where it is, as a client is told.
  public var url: String {
    guard case .tcp(_, let port) = address else { return url(port: 0) }
    return url(port: port)
  }

  /// The same, with the port that the system chose.
  func url(port: UInt16) -> String {
    switch address {
    case .unix(let path, _): "unix://\(path)"
    case .tcp(let host, _): host.contains(":") ? "http://[\(host)]:\(port)" : "http://\(host):\(port)"
    }
  }

  /// Whether hosts other than this one can reach it.
  public var isOpenToOthers: Bool {
    guard case .tcp(let host, _) = address else { return false }
    return !(host == "localhost" || host == "::1" || (host.hasPrefix("127.") && host.allSatisfy { $0 != ":" }))
  }
}

/// Reads `[unix_http_server]` and `[inet_http_server]`.
struct ControlEndpointReader {
  private(set) var endpoints: [ControlEndpoint] = []
  private(set) var warnings: [String] = []

  /// - Parameters:
  ///   - unix: the section of the unix socket; in the run directory there is one without it, too.
  ///   - inet: the section of TCP; nil where there is none.
  ///   - standardSocket: the path of the run directory's socket, which is for its owner only.
  ///   - surroundings: the machine.
  init(
    unix: inout SectionReader, inet: inout SectionReader?, standardSocket: String, surroundings: Surroundings
  ) {
    let path = unix.path("file") ?? standardSocket
    let mode = UInt32(clamping: unix.integer("chmod"))
    let owner = Self.owner(&unix, surroundings)
    let credentials = Self.credentials(&unix)
    if path != standardSocket {
      endpoints.append(
        ControlEndpoint(
          address: .unix(path: standardSocket, mode: 0o700), owner: nil, credentials: nil, isOptional: false))
    }
    endpoints.append(
      ControlEndpoint(
        address: .unix(path: path, mode: mode), owner: owner, credentials: credentials,
        isOptional: path != standardSocket))
    if var reader = inet {
      readInternet(&reader)
      inet = reader
    }
  }

  private mutating func readInternet(_ reader: inout SectionReader) {
    guard let text = reader.optionalText("port") else {
      return reader.fail("port", "expected HOST:PORT, :PORT, *:PORT or PORT")
    }
    guard let (host, port) = Self.hostAndPort(text) else {
      return reader.fail("port", "expected HOST:PORT, :PORT, *:PORT or PORT, found \(jsonQuoted(text))")
    }
    let credentials = Self.credentials(&reader)
    let endpoint = ControlEndpoint(
      address: .tcp(host: host, port: port), owner: nil, credentials: credentials, isOptional: false)
    if endpoint.isOpenToOthers {
      if credentials == nil {
        reader.fail(
          "port", "expected username and password beside an address that other hosts can reach, found none")
      } else {
        warnings.append(
          "[inet_http_server] other hosts can reach port \(port): whoever knows the password controls every process, "
            + "and it travels unencrypted")
      }
    }
    endpoints.append(endpoint)
  }

  /// Without a host it is this one only; `*` is every address.
  static func hostAndPort(_ text: String) -> (host: String, port: UInt16)? {
    let colon = text.lastIndex(of: ":")
    let digits = colon.map { text[text.index(after: $0)...] } ?? text[...]
    guard let port = UInt16(digits), digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
    var host = colon.map { String(text[..<$0]) } ?? ""
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = String(host.dropFirst().dropLast())
    } else if host.contains(":") {
      return nil
    }
    switch host {
    case "": return ("127.0.0.1", port)
    case "*": return ("0.0.0.0", port)
    default: return host.contains { $0.isWhitespace || $0 == "/" } ? nil : (host, port)
    }
  }

  private static func credentials(_ reader: inout SectionReader) -> HTTPCredentials? {
    let user = reader.optionalText("username")
    let password = reader.optionalText("password")
    guard let user, let password else {
      if let present = user == nil ? (password == nil ? nil : "password") : "username" {
        reader.fail(present, "expected username and password together, found only one of them")
      }
      return nil
    }
    if user.contains(":") { reader.fail("username", "expected a name without a colon") }
    let credentials = HTTPCredentials(user: user, password: password)
    if credentials == nil { reader.fail("password", "expected a password, or {SHA} and 40 hexadecimal digits") }
    return credentials
  }

  private static func owner(
    _ reader: inout SectionReader, _ surroundings: Surroundings
  ) -> ControlEndpoint.FileOwner? {
    guard let text = reader.optionalText("chown") else { return nil }
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard let user = surroundings.user(parts[0]) else {
      reader.fail("chown", "expected USER or USER:GROUP of this host, found \(jsonQuoted(text))")
      return nil
    }
    guard parts.count == 2 else { return ControlEndpoint.FileOwner(uid: user.uid, gid: user.gid) }
    guard let group = surroundings.group(parts[1]) else {
      reader.fail("chown", "expected USER or USER:GROUP of this host, found \(jsonQuoted(text))")
      return nil
    }
    return ControlEndpoint.FileOwner(uid: user.uid, gid: group)
  }
}
