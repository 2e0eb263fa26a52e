public import Market

#if canImport(Glibc)
  internal import Glibc
#endif

/// Where a venue's API is: an address as it stands, or a path of the simulator, whose port is known only once it runs.
///
/// `simulator:/polymarket/gamma` means `http://ADDRESS/polymarket/gamma` and `simulator-ws:/…` means `ws://ADDRESS/…`,
/// where ADDRESS is what `RUN/simulator.address` says at the moment of the connection; but where the simulator has a
/// fault of names, TLS or connections set for a venue, what `RUN/simulator.faults/VENUE` says, as
/// `https://127.0.0.1:4711`. VENUE is the first part of the path.
public struct Endpoint: Hashable, Sendable {
  /// As the setting has it, without a slash at the end.
  public let setting: String
  /// The run directory, where the simulator writes its address.
  public let runDirectory: String

  /// An endpoint by its setting.
  public init(_ setting: String, runDirectory: String) {
    self.setting = setting.hasSuffix("/") ? String(setting.dropLast()) : setting
    self.runDirectory = runDirectory
  }

  /// Whether it leads to the simulator.
  public var isSimulated: Bool { setting.hasPrefix("simulator:") || setting.hasPrefix("simulator-ws:") }

  /// The address to connect to now, without a slash at the end.
  ///
  /// - Parameter venue: named in the error.
  /// - Returns: the address.
  /// - Throws: `VenueError`, retriable, while the simulator has not written its address.
  public func resolve(_ venue: Venue) throws(VenueError) -> String {
    guard isSimulated, let colon = setting.firstIndex(of: ":") else { return setting }
    let path = setting[setting.index(after: colon)...]
    let isStream = setting[..<colon] == "simulator-ws"
    if let base = fault(path) { return (isStream ? "ws" + base.dropFirst(4) : base) + path }
    return "\(isStream ? "ws" : "http")://\(try simulatorAddress(venue))\(path)"
  }

  /// Where a fault of the simulator leads, such as `http://kraken.simulator.invalid:80`.
  private func fault(_ path: Substring) -> String? {
    let name = path.dropFirst().prefix { $0 != "/" }
    guard let file = fopen("\(runDirectory)/simulator.faults/\(name)", "re") else { return nil }
    defer { fclose(file) }
    var buffer = [UInt8](repeating: 0, count: 256)
    let count = fread(&buffer, 1, buffer.count, file)
    let text = String(decoding: buffer[..<count].prefix { $0 > 0x20 }, as: UTF8.self)
    return text.hasPrefix("http") ? text : nil
  }

  private func simulatorAddress(_ venue: Venue) throws(VenueError) -> String {
    let path = runDirectory + "/simulator.address"
    guard let file = fopen(path, "re") else {
      throw unreachable(venue, "the simulator does not run: \(path): \(String(cString: strerror(errno)))")
    }
    defer { fclose(file) }
    var buffer = [UInt8](repeating: 0, count: 256)
    let count = fread(&buffer, 1, buffer.count, file)
    let text = String(decoding: buffer[..<count].prefix { $0 > 0x20 }, as: UTF8.self)
    guard let colon = text.lastIndex(of: ":"), UInt16(text[text.index(after: colon)...]) != nil else {
      throw unreachable(venue, "expected HOST:PORT in \(path), found \(quotedExcerpt(text))")
    }
    return text
  }

  private func unreachable(_ venue: Venue, _ problem: String) -> VenueError {
    VenueError(venue: venue, kind: "endpoint", problem: problem, cause: .unreachable)
  }
}
