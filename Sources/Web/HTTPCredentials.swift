internal import CBotan

/// A name and a password, asked for by basic authentication (RFC 7617).
public struct HTTPCredentials: Sendable {
  private enum Password {
    case plain([UInt8])
    case sha1([UInt8])
  }

  private let user: [UInt8]
  private let password: Password

  /// Credentials by their parts; nil where what follows `{SHA}` is no SHA-1 in hexadecimal digits.
  /// - Parameters:
  ///   - user: the name, without a colon.
  ///   - password: as it is, or `{SHA}` and its SHA-1.
  public init?(user: String, password: String) {
    self.user = Array(user.utf8)
    if password.hasPrefix("{SHA}") {
      guard let digest = Self.bytes(hexadecimal: password.dropFirst(5)), digest.count == 20 else { return nil }
      self.password = .sha1(digest)
    } else {
      self.password = .plain(Array(password.utf8))
    }
  }

  /// Whether a request carries them; how long that takes tells nothing of how much was right.
  public func areCarried(by headers: HTTPHeaders) -> Bool {
    guard let field = headers["Authorization"], field.utf8.count > 6, HTTPHeaders.same(field.prefix(6), "Basic "),
      let told = Base64.decode(String(field.dropFirst(6))), let colon = told.firstIndex(of: 0x3A)
    else { return false }
    let word = Array(told[(colon + 1)...])
    let isUser = Self.areSame(Array(told[..<colon]), user)
    let isPassword =
      switch password {
      case .plain(let plain): Self.areSame(word, plain)
      case .sha1(let digest): Self.digest("SHA-1", word) == digest
      }
    return isUser && isPassword
  }

  /// The answer to a request that does not carry them.
  public static var refusal: HTTPServerResponse {
    var response = HTTPServerResponse.text("authentication required\n", status: 401)
    response.headers["WWW-Authenticate"] = "Basic realm=\"default\""
    return response
  }

  /// Digests have the same length, and where two of them begin to differ says nothing of the texts.
  private static func areSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    let (left, right) = (digest("SHA-256", left), digest("SHA-256", right))
    return botan_constant_time_compare(left, right, left.count) == 0
  }

  private static func digest(_ name: String, _ bytes: [UInt8]) -> [UInt8] {
    var hash: botan_hash_t?
    guard botan_hash_init(&hash, name, 0) == 0, let hash else { preconditionFailure("Botan without \(name)") }
    defer { botan_hash_destroy(hash) }
    var digest = [UInt8](repeating: 0, count: name == "SHA-1" ? 20 : 32)
    guard botan_hash_update(hash, bytes, bytes.count) == 0, botan_hash_final(hash, &digest) == 0 else {
      preconditionFailure("\(name) fails")
    }
    return digest
  }

  private static func bytes(hexadecimal text: Substring) -> [UInt8]? {
    guard text.utf8.count % 2 == 0 else { return nil }
    var result: [UInt8] = []
    var high: UInt8?
    for character in text {
      guard let digit = character.hexDigitValue, character.isASCII else { return nil }
      if let first = high {
        result.append(first << 4 | UInt8(digit))
        high = nil
      } else {
        high = UInt8(digit)
      }
    }
    return result
  }
}
