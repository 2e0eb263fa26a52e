internal import CBotan

/// The opening handshake of RFC 6455, section 4.
enum WebSocketHandshake {
  private static let guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

  /// What the server answers to a client's key: base64 of SHA-1 of the key and a fixed text.
  static func accept(key: String) -> String {
    var hash: botan_hash_t?
    guard botan_hash_init(&hash, "SHA-1", 0) == 0, let hash else { preconditionFailure("Botan without SHA-1") }
    defer { botan_hash_destroy(hash) }
    let input = Array((key + guid).utf8)
    var digest = [UInt8](repeating: 0, count: 20)
    guard botan_hash_update(hash, input, input.count) == 0, botan_hash_final(hash, &digest) == 0 else {
      preconditionFailure("SHA-1 fails")
    }
    return Base64.encode(digest)
  }

  /// Sixteen random bytes, in base64.
  static func makeKey() -> String {
    var generator = SystemRandomNumberGenerator()
    return Base64.encode((0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) })
  }

  /// Whether the text is the base64 of sixteen bytes.
  static func isKey(_ text: String) -> Bool {
    guard text.utf8.count == 24, text.hasSuffix("==") else { return false }
    return text.utf8.dropLast(2).allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2F: true
      default: false
      }
    }
  }
}
