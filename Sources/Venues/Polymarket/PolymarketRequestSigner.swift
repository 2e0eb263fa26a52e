internal import CBotan
public import Daemon
public import Market
public import Web

/// Signs requests to Polymarket's CLOB with the key of its API ("L2"): HMAC-SHA-256.
///
/// The key is the secret, decoded from URL-safe base64; what is signed is the time in seconds, the method in capitals, the
/// path without its query, and the body. Prints without its secrets. Format: Polymarket's `py-clob-client`.
public struct PolymarketRequestSigner: Sendable, CustomStringConvertible {
  /// The address of the wallet that the key belongs to, `0x` and 40 hexadecimal digits.
  public let address: String
  private let credentials: PolymarketCredentials
  private let key: [UInt8]

  /// A signer of a wallet's key.
  /// - Throws: `VenueError` of the cause `impossible` that names what is no address or no secret; it holds no secret.
  public init(address: String, credentials: PolymarketCredentials) throws(VenueError) {
    let digits = address.utf8.dropFirst(2)
    guard address.hasPrefix("0x"), digits.count == 40, digits.allSatisfy({ Character(.init($0)).isHexDigit }) else {
      throw Self.problem("address", "expected 0x and 40 hexadecimal digits, found \(quotedExcerpt(address))")
    }
    guard let key = Base64.decode(urlSafe: credentials.secret), !key.isEmpty else {
      throw Self.problem("secret", "is no URL-safe base64")
    }
    self.address = address
    self.credentials = credentials
    self.key = key
  }

  /// The address, and never the key.
  public var description: String { "PolymarketRequestSigner(\(address))" }

  /// The signature of a request, in URL-safe base64 with padding.
  ///
  /// The corresponding C function is `botan_mac_final`.
  /// - Parameters:
  ///   - method: such as `GET`.
  ///   - path: without the query, such as `/data/orders`.
  ///   - body: exactly what is sent; empty for none.
  ///   - seconds: the time since 1970.
  /// - Returns: the value of `POLY_SIGNATURE`.
  /// - Throws: `VenueError` where the library cannot sign.
  public func signature(method: String, path: String, body: String = "", seconds: Int64) throws(VenueError) -> String {
    var mac: botan_mac_t?
    defer { botan_mac_destroy(mac) }
    let text = Array("\(seconds)\(method.uppercased())\(path)\(body)".utf8)
    var digest = [UInt8](repeating: 0, count: 32)
    guard botan_mac_init(&mac, "HMAC(SHA-256)", 0) == 0, botan_mac_set_key(mac, key, key.count) == 0,
      botan_mac_update(mac, text, text.count) == 0, botan_mac_final(mac, &digest) == 0
    else { throw Self.problem("signature", "the library cannot sign") }
    return Base64.encodeURLSafe(digest)
  }

  /// The five header fields of a request.
  /// - Throws: `VenueError` where the library cannot sign.
  public func headers(
    method: String, path: String, body: String = "", time: Timestamp
  ) throws(VenueError) -> HTTPHeaders {
    [
      "POLY_ADDRESS": address,
      "POLY_SIGNATURE": try signature(method: method, path: path, body: body, seconds: time.seconds),
      "POLY_TIMESTAMP": "\(time.seconds)",
      "POLY_API_KEY": credentials.apiKey, "POLY_PASSPHRASE": credentials.passphrase,
    ]
  }

  private static func problem(_ field: String, _ problem: String) -> VenueError {
    VenueError(venue: .polymarket, kind: "signature", field: field, problem: problem, cause: .impossible)
  }
}

// What is ours: every request here is signed.
extension PolymarketREST {
  /// What can be spent of the collateral, as the venue sees it.
  ///
  /// `{"balance":"1000000","allowances":{"0x…":"…"}}`, in millionths of a dollar.
  /// - Parameters:
  ///   - signer: of the account's key.
  ///   - signatureType: 0 for a plain wallet, 1 for Polymarket's proxy, 2 for a Gnosis Safe, 3 for a deposit wallet.
  ///   - clock: the time of day that is signed.
  /// - Returns: dollars.
  /// - Throws: `VenueError`.
  public func balance(
    signer: PolymarketRequestSigner, signatureType: Int,
    clock: @escaping @Sendable () -> Timestamp = { SystemClock.now }
  ) async throws(VenueError) -> Money {
    let path = "/balance-allowance"
    var signed = clob
    signed.authorise = { (method, _) throws(VenueError) in
      try signer.headers(method: method, path: path, time: clock())
    }
    return try await signed.get(
      "balance", path, query: [("asset_type", "COLLATERAL"), ("signature_type", "\(signatureType)")],
      PolymarketREST.parseBalance)
  }

  static func parseBalance(_ wire: Wire) throws(WireProblem) -> Money {
    let text = try wire.text("balance")
    guard let millionths = Int64(text), millionths >= 0 else {
      throw WireProblem("balance", "expected a whole number of millionths, found \(quotedExcerpt(text))")
    }
    let (raw, overflow) = millionths.multipliedReportingOverflow(by: fixedPointScale / 1_000_000)
    guard !overflow else { throw WireProblem("balance", "the number is too large") }
    return Money(raw: raw)
  }
}
