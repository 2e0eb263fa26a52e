internal import CBotan

/// The EIP-712 digest of an order: its id at the venue.
///
/// Struct and domain are those of the exchange's second version (polymarket-exchange V2): Keccak-256 over
/// `0x19 0x01 ‖ domain separator ‖ struct hash`.
package enum OrderDigest {
  /// The members of an order that are signed, as the request's body writes them.
  package struct Members: Sendable {
    package var salt: String
    package var maker: String
    package var signer: String
    package var tokenID: String
    package var makerAmount: String
    package var takerAmount: String
    package var isSell: Bool
    package var signatureType: UInt8
    package var timestamp: String
    package var metadata: String
    package var builder: String

    package init(
      salt: String, maker: String, signer: String, tokenID: String, makerAmount: String, takerAmount: String,
      isSell: Bool, signatureType: UInt8, timestamp: String, metadata: String, builder: String
    ) {
      self.salt = salt
      self.maker = maker
      self.signer = signer
      self.tokenID = tokenID
      self.makerAmount = makerAmount
      self.takerAmount = takerAmount
      self.isSell = isSell
      self.signatureType = signatureType
      self.timestamp = timestamp
      self.metadata = metadata
      self.builder = builder
    }
  }

  private static let exchange = "0xE111180000d2663C0091e4f400237545B87B996B"
  private static let negRiskExchange = "0xe2222d279d744050d28e00520010520000310F59"
  private static let orderType =
    "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    + "uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
  private static let domainType =
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"

  /// The digest as `0x` and 64 hexadecimal digits; nil where a member is no number, address or word.
  package static func digest(_ order: Members, negRisk: Bool) -> String? {
    guard let salt = number(order.salt), let maker = word(order.maker, bytes: 20),
      let signer = word(order.signer, bytes: 20), let token = number(order.tokenID),
      let makerAmount = number(order.makerAmount), let takerAmount = number(order.takerAmount),
      let timestamp = number(order.timestamp), let metadata = word(order.metadata, bytes: 32),
      let builder = word(order.builder, bytes: 32),
      let contract = word(negRisk ? negRiskExchange : exchange, bytes: 20)
    else { return nil }
    var body = keccak(Array(orderType.utf8))
    for member in [
      salt, maker, signer, token, makerAmount, takerAmount, small(order.isSell ? 1 : 0), small(order.signatureType),
      timestamp, metadata, builder,
    ] { body += member }
    var domain = keccak(Array(domainType.utf8))
    domain += keccak(Array("Polymarket CTF Exchange".utf8))
    domain += keccak(Array("2".utf8))
    domain += small(137)
    domain += contract
    let digest = keccak([0x19, 0x01] + keccak(domain) + keccak(body))
    var text = "0x"
    for byte in digest {
      text.unicodeScalars.append(Seed.hexDigit(Int(byte >> 4)))
      text.unicodeScalars.append(Seed.hexDigit(Int(byte & 15)))
    }
    return text
  }

  /// The corresponding C function is `botan_hash_update` of `Keccak-1600(256)`.
  private static func keccak(_ bytes: [UInt8]) -> [UInt8] {
    var handle: botan_hash_t?
    guard botan_hash_init(&handle, "Keccak-1600(256)", 0) == 0, let handle else {
      preconditionFailure("Botan has no Keccak")
    }
    defer { botan_hash_destroy(handle) }
    var digest = [UInt8](repeating: 0, count: 32)
    botan_hash_update(handle, bytes, bytes.count)
    botan_hash_final(handle, &digest)
    return digest
  }

  private static func small(_ value: UInt8) -> [UInt8] { [UInt8](repeating: 0, count: 31) + [value] }

  /// A decimal number of up to 256 bits as 32 bytes.
  private static func number(_ text: String) -> [UInt8]? {
    guard !text.isEmpty, text.utf8.count <= 78 else { return nil }
    var word = [UInt8](repeating: 0, count: 32)
    for digit in text.utf8 {
      guard case 0x30...0x39 = digit else { return nil }
      var carry = Int(digit) - 0x30
      for index in word.indices.reversed() {
        let value = Int(word[index]) * 10 + carry
        word[index] = UInt8(value & 0xFF)
        carry = value >> 8
      }
      guard carry == 0 else { return nil }
    }
    return word
  }

  /// `0x` and hexadecimal digits as a word of 32 bytes.
  private static func word(_ text: String, bytes count: Int) -> [UInt8]? {
    guard text.hasPrefix("0x"), text.utf8.count == 2 + count * 2 else { return nil }
    var word = [UInt8](repeating: 0, count: 32 - count)
    var high: UInt8?
    for digit in text.utf8.dropFirst(2) {
      let value: UInt8
      switch digit {
      case 0x30...0x39: value = digit - 0x30
      case 0x61...0x66: value = digit - 0x57
      case 0x41...0x46: value = digit - 0x37
      default: return nil
      }
      if let first = high {
        word.append(first << 4 | value)
        high = nil
      } else {
        high = value
      }
    }
    return word
  }
}
