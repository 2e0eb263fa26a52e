internal import Market
internal import Web

/// A fill as the exchange's contract logs it (V2).
///
/// `OrderFilled(bytes32 orderHash, address maker, address taker, uint8 side, uint256 tokenId, uint256 makerAmountFilled,
/// uint256 takerAmountFilled, uint256 fee, bytes32 builder, bytes32 metadata)`, the first three indexed; amounts have six
/// decimals. The maker of a purchase gives collateral and gets shares, that of a sale the other way round.
struct PolymarketOrderFilled: Hashable, Sendable {
  /// The Keccak-256 of the signature.
  static let topic = "0xd543adfd945773f1a62f74f0ee55a5e3b9b1a28262980ba90b1a89f2ea84d8ee"

  var orderHash: String
  var maker: String
  var taker: String
  var side: Side
  var token: String
  var shares: Quantity
  var collateral: Money
  var fee: Money
  /// What a share cost; digits beyond the eighth decimal are dropped.
  var price: Price

  /// Reads a log: `{"topics":["0xd543…","0x…","0x…","0x…"],"data":"0x…"}`.
  static func parse(_ wire: Wire) throws(WireProblem) -> PolymarketOrderFilled {
    let topics = try wire.optionalTextList("topics") ?? []
    guard topics.count == 4, topics[0].lowercased() == topic else {
      throw WireProblem("topics", "expected the four topics of OrderFilled")
    }
    let words = try self.words(try wire.text("data"))
    guard words.count >= 5 else { throw WireProblem("data", "expected 5 words at least, found \(words.count)") }
    guard words[0].dropLast().allSatisfy({ $0 == 0 }), let side = Side(rawValue: words[0].last ?? 255) else {
      throw WireProblem("data", "expected a side of 0 or 1")
    }
    let given = try amount(words[2])
    let got = try amount(words[3])
    let (shares, collateral) = side == .buy ? (got, given) : (given, got)
    guard shares > 0 else { throw WireProblem("data", "expected a number of shares above 0") }
    let price = Int128(collateral) * Int128(fixedPointScale) / Int128(shares)
    return PolymarketOrderFilled(
      orderHash: topics[1], maker: "0x" + topics[2].suffix(40), taker: "0x" + topics[3].suffix(40), side: side,
      token: decimal(words[1]), shares: Quantity(raw: shares), collateral: Money(raw: collateral),
      fee: Money(raw: try amount(words[4])), price: Price(raw: Int64(clamping: price)))
  }

  /// The 32-byte words of a hexadecimal text.
  private static func words(_ text: String) throws(WireProblem) -> [[UInt8]] {
    let digits = Array(text.utf8.dropFirst(text.hasPrefix("0x") ? 2 : 0))
    guard digits.count % 64 == 0, digits.count <= 64 * 64 else {
      throw WireProblem("data", "expected whole words of 32 bytes, found \(digits.count) digits")
    }
    var bytes: [UInt8] = []
    for start in stride(from: 0, to: digits.count, by: 2) {
      guard let high = nibble(digits[start]), let low = nibble(digits[start + 1]) else {
        throw WireProblem("data", "expected hexadecimal digits")
      }
      bytes.append(high << 4 | low)
    }
    return stride(from: 0, to: bytes.count, by: 32).map { Array(bytes[$0..<($0 + 32)]) }
  }

  private static func nibble(_ digit: UInt8) -> UInt8? {
    switch digit {
    case 0x30...0x39: digit - 0x30
    case 0x41...0x46: digit - 0x37
    case 0x61...0x66: digit - 0x57
    default: nil
    }
  }

  /// An amount with six decimals, in units of 10⁻⁸.
  private static func amount(_ word: [UInt8]) throws(WireProblem) -> Int64 {
    let value = word.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard word.dropLast(8).allSatisfy({ $0 == 0 }), value <= UInt64(Int64.max / 100) else {
      throw WireProblem("data", "the amount is too large")
    }
    return Int64(value) * 100
  }

  /// A word as a decimal number.
  private static func decimal(_ word: [UInt8]) -> String {
    var digits: [UInt8] = [0]
    for byte in word {
      var carry = Int(byte)
      for place in digits.indices {
        carry += Int(digits[place]) * 256
        digits[place] = UInt8(carry % 10)
        carry /= 10
      }
      while carry > 0 {
        digits.append(UInt8(carry % 10))
        carry /= 10
      }
    }
    return String(decoding: digits.reversed().map { $0 + 0x30 }, as: UTF8.self)
  }
}
