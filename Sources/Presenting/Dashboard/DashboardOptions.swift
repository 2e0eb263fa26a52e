package import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// The section `[dashboard]`, understood.
package struct DashboardOptions: Sendable {
  /// Where it listens.
  package let host: String
  /// At which port; 0 for one that is free.
  package let port: UInt16
  /// Names by which browsers may reach it.
  package let hosts: [String]
  /// The file that holds the token; empty where one is made at each start.
  let tokenFile: String
  private let configuration: String

  /// Options by the settings.
  ///
  /// - Throws: `ConfigurationError` where the address is none.
  package init(settings: Settings) throws(ConfigurationError) {
    let listen = settings.text("dashboard", "listen")
    guard let colon = listen.lastIndex(of: ":"), let port = UInt16(listen[listen.index(after: colon)...]) else {
      throw ConfigurationError(
        file: settings.path, section: "dashboard", key: "listen", problem: "expected host:port, found \(listen)")
    }
    host = DashboardAccess.name(ofHost: String(listen[..<colon]) + (listen.hasPrefix("[") ? "" : ":"))
    self.port = port
    hosts = [host] + settings.list("dashboard", "hosts")
    configuration = settings.path
    let file = settings.text("dashboard", "token_file")
    tokenFile =
      file.isEmpty
      ? "" : FilePaths.absolute(file, relativeTo: FilePaths.directory(of: FilePaths.absolute(settings.path)))
  }

  /// Whether only this machine can reach it.
  var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }

  /// The address with the port that it became, as it stands in a URL.
  func address(port: UInt16) -> String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }

  /// Where the token is, to be read by its owner.
  func tokenPath(runDirectory: String) -> String { tokenFile.isEmpty ? runDirectory + "/dashboard.token" : tokenFile }

  /// The token of the file that was named, or a new one, left in the run directory for its owner alone.
  ///
  /// - Throws: `ConfigurationError` where the named file holds none, `SystemError` where the new one cannot be written.
  func takeToken(runDirectory: String) throws -> String {
    if !tokenFile.isEmpty { return try readToken(runDirectory: runDirectory) }
    let token = DashboardAccess.makeToken()
    try writeFileAtomically(Array((token + "\n").utf8), to: tokenPath(runDirectory: runDirectory), mode: 0o600)
    return token
  }

  /// The token as its owner finds it.
  ///
  /// - Throws: `ConfigurationError` where there is none.
  func readToken(runDirectory: String) throws(ConfigurationError) -> String {
    let path = tokenPath(runDirectory: runDirectory)
    var problem = "expected \(DashboardAccess.tokenLengthMin) or more letters, digits or -._~ in \(path)"
    do throws(SystemError) {
      let text = String(decoding: try readFile(path, sizeMax: 4096), as: UTF8.self)
      let token = String(text.drop(while: \.isWhitespace).prefix { !$0.isWhitespace })
      if DashboardAccess.isFit(token) { return token }
    } catch {
      problem = error.description
    }
    throw ConfigurationError(file: configuration, section: "dashboard", key: "token_file", problem: problem)
  }
}
