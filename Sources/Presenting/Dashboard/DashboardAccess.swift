package import Web

/// Who may see the dashboard: whoever knows the token, by a name that is ours.
package struct DashboardAccess: Sendable {
  /// What is to become of a request.
  package enum Verdict: Equatable, Sendable {
    /// It may be answered.
    case granted
    /// The token stood in the address: it becomes a cookie, and the address loses it.
    case welcome(cookie: String, location: String)
    /// No token, or a wrong one.
    case unknown
    /// A name that is not ours, or a page of somebody else's.
    case foreign
  }

  static let tokenLengthMin = 16
  static let cookieName = "bulkhead_dashboard"

  private let token: [UInt8]
  private let hosts: Set<String>

  /// Access by a token.
  ///
  /// - Parameters:
  ///   - token: the secret.
  ///   - hosts: names by which it may be reached, beside those of the loopback; without ports.
  package init(token: String, hosts: [String]) {
    precondition(Self.isFit(token), "a token that cannot serve")
    self.token = Array(token.utf8)
    self.hosts = Set(["127.0.0.1", "localhost", "::1"] + hosts.map { $0.lowercased() })
  }

  /// 32 random bytes in hexadecimal, from the kernel's generator.
  package static func makeToken() -> String {
    let digits = Array("0123456789abcdef")
    var generator = SystemRandomNumberGenerator()
    return String((0..<64).map { _ in digits[Int(generator.next() & 15)] })
  }

  /// Whether a text can be a token: long enough, and such that it can stand in a header, a cookie and an address.
  package static func isFit(_ token: String) -> Bool {
    token.utf8.count >= tokenLengthMin
      && token.unicodeScalars.allSatisfy {
        $0.isASCII
          && ($0.properties.isAlphabetic || $0.properties.numericType != nil || "-._~".unicodeScalars.contains($0))
      }
  }

  /// Judges a request.
  package func judge(_ request: HTTPServerRequest) -> Verdict {
    // A name that somebody else's DNS turns into our address would make our pages theirs.
    guard let host = request.headers["Host"], hosts.contains(Self.name(ofHost: host)) else { return .foreign }
    if let origin = request.headers["Origin"], origin != "http://" + host, origin != "https://" + host {
      return .foreign
    }
    if let header = request.headers["Authorization"] {
      return header.lowercased().hasPrefix("bearer ") && isToken(header.dropFirst(7)) ? .granted : .unknown
    }
    if request.method == "GET", let given = request.query("token") {
      guard isToken(given[...]) else { return .unknown }
      let cookie = "\(Self.cookieName)=\(given); Path=/; HttpOnly; SameSite=Strict"
      // Not any path as it came: `//elsewhere` would lead away.
      return .welcome(cookie: cookie, location: DashboardDesk.paths.contains(request.path) ? request.path : "/")
    }
    for header in request.headers.values("Cookie") {
      for pair in header.split(separator: ";") {
        let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2, parts[0] == Self.cookieName, isToken(parts[1]) { return .granted }
      }
    }
    return .unknown
  }

  /// Compares in a time that does not depend on where the first difference is.
  private func isToken(_ text: Substring) -> Bool {
    let given = Array(text.utf8)
    var difference = given.count ^ token.count
    for (index, byte) in token.enumerated() {
      difference |= Int(byte ^ (given.isEmpty ? 0 : given[index % given.count]))
    }
    return difference == 0
  }

  /// `[::1]:80` is `::1`, `localhost:80` is `localhost`.
  static func name(ofHost host: String) -> String {
    if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
      return host[host.index(after: host.startIndex)..<end].lowercased()
    }
    return host.prefix { $0 != ":" }.lowercased()
  }
}
