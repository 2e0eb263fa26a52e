internal import CBotan
internal import Daemon
public import Market
public import Web

/// Signs requests to Kalshi: RSA-PSS with SHA-256, MGF1-SHA-256 and a salt of 32 bytes.
///
/// What is signed is the time in milliseconds, the method in capitals and the path from `/trade-api` on, without the
/// query; a body is not signed. Prints without the key, as every error does.
///
/// Sound to share: the key does not change after `init`, and each signature has its own operation and its own source of
/// random numbers.
public final class KalshiSigner: @unchecked Sendable, CustomStringConvertible {
  /// The id that the venue knows the key by.
  public let keyID: String
  private let key: botan_privkey_t

  /// A signer by the text of its key.
  /// - Parameters:
  ///   - keyID: the venue's id of it.
  ///   - pem: a PEM text, `PRIVATE KEY` (PKCS #8) or `RSA PRIVATE KEY` (PKCS #1), without a password.
  /// - Throws: `VenueError` of the cause `impossible`; it holds nothing of the text.
  public init(keyID: String, pem: String) throws(VenueError) {
    guard !keyID.isEmpty else { throw Self.problem("key_id", "is empty") }
    var handle: botan_privkey_t?
    var status: Int32 = -1
    if let der = Self.body(of: pem, label: "RSA PRIVATE KEY") {
      status = botan_privkey_load_rsa_pkcs1(&handle, der, der.count)
    } else if let der = Self.body(of: pem, label: "PRIVATE KEY") {
      status = botan_privkey_load(&handle, nil, der, der.count, nil)
    }
    guard status == 0, let handle else { throw Self.problem("key_file", "is no RSA key in PEM that we can read") }
    var name = [CChar](repeating: 0, count: 16)
    var count = name.count
    guard botan_privkey_algo_name(handle, &name, &count) == 0, name.prefix(3).elementsEqual([0x52, 0x53, 0x41]) else {
      botan_privkey_destroy(handle)
      throw Self.problem("key_file", "is a key, but not for RSA")
    }
    self.keyID = keyID
    key = handle
  }

  /// A signer by the file of its key.
  /// - Throws: `VenueError` of the cause `impossible` that names the file and what is wrong with it.
  public convenience init(keyID: String, keyFile: String) throws(VenueError) {
    let bytes: [UInt8]
    do { bytes = try readFile(keyFile, sizeMax: 65_536) } catch { throw Self.problem("key_file", "\(error)") }
    try self.init(keyID: keyID, pem: String(decoding: bytes, as: UTF8.self))
  }

  deinit { botan_privkey_destroy(key) }

  /// The id, and never the key.
  public var description: String { "KalshiSigner(\(keyID))" }

  /// What a signature of a request covers.
  /// - Parameters:
  ///   - method: such as `GET`.
  ///   - url: the address, or its path alone.
  ///   - time: the time of day.
  /// - Returns: such as `1703123456789GET/trade-api/v2/portfolio/balance`.
  public static func message(method: String, url: String, time: Timestamp) -> String {
    "\(time.milliseconds)\(method.uppercased())\(path(of: url))"
  }

  /// The signature of a text, in base64; another one each time.
  ///
  /// The corresponding C function is `botan_pk_op_sign_finish`.
  /// - Throws: `VenueError` where the library cannot sign.
  public func signature(of message: String) throws(VenueError) -> String {
    var operation: botan_pk_op_sign_t?
    var random: botan_rng_t?
    defer {
      botan_pk_op_sign_destroy(operation)
      botan_rng_destroy(random)
    }
    guard botan_pk_op_sign_create(&operation, key, Self.scheme, 0) == 0, let operation,
      botan_rng_init(&random, "system") == 0, let random
    else { throw Self.problem("signature", "the library cannot sign") }
    var size = 0
    let text = Array(message.utf8)
    guard botan_pk_op_sign_output_length(operation, &size) == 0,
      botan_pk_op_sign_update(operation, text, text.count) == 0
    else { throw Self.problem("signature", "the library cannot sign") }
    var signature = [UInt8](repeating: 0, count: size)
    guard botan_pk_op_sign_finish(operation, random, &signature, &size) == 0 else {
      throw Self.problem("signature", "the library cannot sign")
    }
    return Base64.encode(Array(signature[..<size]))
  }

  /// The three header fields of a request, or of a WebSocket's opening.
  /// - Throws: `VenueError` where the library cannot sign.
  public func headers(method: String, url: String, time: Timestamp) throws(VenueError) -> HTTPHeaders {
    [
      "KALSHI-ACCESS-KEY": keyID, "KALSHI-ACCESS-TIMESTAMP": "\(time.milliseconds)",
      "KALSHI-ACCESS-SIGNATURE": try signature(of: Self.message(method: method, url: url, time: time)),
    ]
  }

  /// The header fields of a request with or without a key: without one a stand-in at the simulator, which wants to see a
  /// signature and takes any, and none at the venue.
  /// - Throws: `VenueError` where the library cannot sign.
  public static func headers(
    _ signer: KalshiSigner?, at endpoint: Endpoint, method: String = "GET", url: String, time: Timestamp
  ) throws(VenueError) -> HTTPHeaders {
    if let signer { return try signer.headers(method: method, url: url, time: time) }
    return endpoint.isSimulated ? standIn(time: time) : [:]
  }

  /// Header fields that have the form of a signature and are none: for a simulator that checks no keys.
  public static func standIn(time: Timestamp) -> HTTPHeaders {
    [
      "KALSHI-ACCESS-KEY": "nobody", "KALSHI-ACCESS-TIMESTAMP": "\(time.milliseconds)",
      "KALSHI-ACCESS-SIGNATURE": Base64.encode(Array("nobody".utf8)),
    ]
  }

  /// EMSA4 is PSS; the salt's length is fixed.
  private static let scheme = "EMSA4(SHA-256,MGF1,32)"

  /// The path of an address without its query, from `/trade-api` on: what stands before is no part of the venue's path.
  private static func path(of url: String) -> String {
    var text = url[...]
    if let mark = text.firstIndex(where: { $0 == "?" || $0 == "#" }) { text = text[..<mark] }
    let bytes = Array(text.utf8)
    let wanted = Array("/trade-api/".utf8)
    if bytes.count >= wanted.count {
      for start in 0...(bytes.count - wanted.count) where bytes[start...].starts(with: wanted) {
        return String(decoding: bytes[start...], as: UTF8.self)
      }
    }
    // Some other host's layout: all of its path.
    guard let scheme = bytes.firstIndex(of: 0x3A), bytes[scheme...].starts(with: "://".utf8) else {
      return String(text)
    }
    guard let root = bytes[(scheme + 3)...].firstIndex(of: 0x2F) else { return "/" }
    return String(decoding: bytes[root...], as: UTF8.self)
  }

  /// The bytes between the lines of a label; nil where there are none.
  private static func body(of pem: String, label: String) -> [UInt8]? {
    let lines = pem.split(whereSeparator: \.isNewline).map { $0.trimmingBlanks }
    guard let first = lines.firstIndex(of: "-----BEGIN \(label)-----"),
      let last = lines[first...].firstIndex(of: "-----END \(label)-----")
    else { return nil }
    return Base64.decode(lines[(first + 1)..<last].joined())
  }

  private static func problem(_ field: String, _ problem: String) -> VenueError {
    VenueError(venue: .kalshi, kind: "signature", field: field, problem: problem, cause: .impossible)
  }
}

extension Substring {
  /// Without blanks and tabs at both ends.
  fileprivate var trimmingBlanks: Substring {
    var text = self
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return text.drop { $0 == " " || $0 == "\t" }
  }
}
