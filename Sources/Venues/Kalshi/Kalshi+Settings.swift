public import Daemon
internal import Market

extension KalshiSigner {
  /// The signer that the settings name; nil where they name none.
  /// - Throws: `VenueError` of the cause `impossible` where one of the two settings is missing, or the file is no key.
  public static func configured(_ settings: Settings) throws(VenueError) -> KalshiSigner? {
    let keyID = settings.text("kalshi", "key_id")
    let file = settings.text("kalshi", "key_file")
    if keyID.isEmpty, file.isEmpty { return nil }
    guard !keyID.isEmpty, !file.isEmpty else {
      throw VenueError(
        venue: .kalshi, kind: "settings", field: keyID.isEmpty ? "key_id" : "key_file",
        problem: "is empty, and the other of key_id and key_file is not", cause: .impossible)
    }
    let directory = FilePaths.directory(of: settings.path)
    return try KalshiSigner(keyID: keyID, keyFile: FilePaths.absolute(file, relativeTo: directory))
  }
}

extension KalshiREST {
  /// A client of what the settings name.
  ///
  /// - Parameters:
  ///   - settings: the section `[kalshi]`.
  ///   - runDirectory: where the simulator writes its address.
  ///   - transport: what carries the requests.
  ///   - signer: from `KalshiSigner.configured`; nil for what is public.
  ///   - fees: what a series charges, where that is known.
  public init(
    settings: Settings, runDirectory: String, transport: VenueTransport, signer: KalshiSigner? = nil,
    fees: @escaping @Sendable (String) -> KalshiFees = { _ in .ordinary }
  ) {
    let endpoint = Endpoint(settings.text("kalshi", "rest_url"), runDirectory: runDirectory)
    self.init(
      endpoint: endpoint, transport: transport,
      signer: signer, timeoutMilliseconds: settings.integer("kalshi", "request_timeout_s") * 1000, fees: fees,
      pacer: .shared(.kalshi, at: endpoint, settings: settings))
  }
}
