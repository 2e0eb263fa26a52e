public import Market

#if canImport(Glibc)
  internal import Glibc
#endif

/// Where a venue's API is: an address as it stands, or a path of the simulator, whose port is known only once it runs.
///
/// `simulator:/polymarket/gamma` means `http://ADDRESS/polymarket/gamma` and `simulator-ws:/…` means `ws://ADDRESS/…`,
/// where ADDRESS is what `RUN/simulator.address` says at the moment of the connection.
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
    let scheme = setting[..<colon] == "simulator" ? "http" : "ws"
    return "\(scheme)://\(try simulatorAddress(venue))\(setting[setting.index(after: colon)...])"
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
