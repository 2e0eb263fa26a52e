public import Daemon
public import Market

/// Our account at a venue, as far as an order needs it: the stream that tells what becomes of orders, and the money (X4).
public struct VenueAccount: Sendable {
  /// Where the account is.
  public let venue: Venue
  /// How its stream of our orders is spoken.
  public let stream: any UserStreamFormat
  /// Where that stream is.
  public let endpoint: Endpoint
  /// Asks what can be spent.
  public let balance: @Sendable () async throws(VenueError) -> Money

  /// An account by its parts.
  public init(
    venue: Venue, stream: any UserStreamFormat, endpoint: Endpoint,
    balance: @escaping @Sendable () async throws(VenueError) -> Money
  ) {
    self.venue = venue
    self.stream = stream
    self.endpoint = endpoint
    self.balance = balance
  }

  /// The account that the venue's section names.
  ///
  /// Kalshi: `key_id` and `key_file`, without which only a simulator answers. Polymarket: `address` and
  /// `credentials_file`.
  /// - Parameters:
  ///   - venue: Polymarket or Kalshi.
  ///   - settings: of the process.
  ///   - runDirectory: where the simulator writes its address.
  ///   - transport: what carries the requests.
  /// - Returns: the account; nil for a venue at which we have none.
  /// - Throws: `VenueError` of the cause `impossible` that names the setting which is missing or wrong.
  public static func configured(
    _ venue: Venue, settings: Settings, runDirectory: String, transport: VenueTransport
  ) throws(VenueError) -> VenueAccount? {
    switch venue {
    case .polymarket: try polymarket(settings, runDirectory, transport)
    case .kalshi: try kalshi(settings, runDirectory, transport)
    default: nil
    }
  }

  private static func kalshi(
    _ settings: Settings, _ runDirectory: String, _ transport: VenueTransport
  ) throws(VenueError) -> VenueAccount {
    let endpoint = Endpoint(settings.text("kalshi", "websocket_url"), runDirectory: runDirectory)
    let signer = try KalshiSigner.configured(settings)
    guard signer != nil || endpoint.isSimulated else {
      throw VenueError(
        venue: .kalshi, kind: "settings", field: "key_id", problem: "an account needs a key", cause: .impossible)
    }
    let rest = KalshiREST(settings: settings, runDirectory: runDirectory, transport: transport, signer: signer)
    return VenueAccount(venue: .kalshi, stream: KalshiUserStream(signer: signer), endpoint: endpoint) {
      () async throws(VenueError) in try await rest.balance().balance
    }
  }

  private static func polymarket(
    _ settings: Settings, _ runDirectory: String, _ transport: VenueTransport
  ) throws(VenueError) -> VenueAccount {
    func required(_ key: String) throws(VenueError) -> String {
      let text = settings.text("polymarket", key)
      guard text.isEmpty else { return text }
      throw VenueError(
        venue: .polymarket, kind: "settings", field: key, problem: "is empty; an account needs it", cause: .impossible)
    }
    let directory = FilePaths.directory(of: settings.path)
    let credentials = try PolymarketCredentials(
      file: FilePaths.absolute(try required("credentials_file"), relativeTo: directory))
    let signer = try PolymarketRequestSigner(address: try required("address"), credentials: credentials)
    let rest = PolymarketREST(settings: settings, runDirectory: runDirectory, transport: transport)
    let kind = settings.integer("polymarket", "signature_type")
    return VenueAccount(
      venue: .polymarket, stream: PolymarketUserStream(credentials: credentials),
      endpoint: Endpoint(settings.text("polymarket", "user_websocket_url"), runDirectory: runDirectory)
    ) { () async throws(VenueError) in
      try await rest.balance(signer: signer, signatureType: kind)
    }
  }
}
