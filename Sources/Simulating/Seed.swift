/// Everything in the simulated world that looks random comes from the seed: the same seed gives the same world.
package struct Seed: Hashable, Sendable {
  /// The seed as the settings give it.
  package let value: UInt64

  package init(_ value: UInt64) { self.value = value }

  /// 64 well-mixed bits for a purpose and a number; the finaliser of SplitMix64 (Steele, Lea, Flood 2014), twice.
  package func bits(_ purpose: Purpose, _ number: UInt64) -> UInt64 {
    Seed.mix(Seed.mix(value ^ (purpose.rawValue &* 0x9E37_79B9_7F4A_7C15)) &+ number &* 0xD1B5_4A32_D192_ED03)
  }

  /// A number below `bound` for a purpose and a number.
  package func number(_ purpose: Purpose, _ number: UInt64, below bound: Int) -> Int {
    Int(bits(purpose, number) % UInt64(bound))
  }

  static func mix(_ value: UInt64) -> UInt64 {
    var mixed = value &+ 0x9E37_79B9_7F4A_7C15
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// 64 lower-case hexadecimal digits after `0x`: a condition id, a question id, a transaction hash.
  package func hex256(_ purpose: Purpose, _ number: UInt64) -> String {
    var text = "0x"
    for lane in 0..<4 {
      let bits = bits(purpose, number &* 4 &+ UInt64(lane))
      for shift in stride(from: 60, through: 0, by: -4) {
        text.unicodeScalars.append(Seed.hexDigit(Int(bits >> UInt64(shift) & 15)))
      }
    }
    return text
  }

  /// 256 bits as a decimal number of up to 78 digits: a token id.
  package func decimal256(_ purpose: Purpose, _ number: UInt64) -> String {
    var limbs = (0..<4).map { bits(purpose, number &* 4 &+ UInt64($0)) }
    let chunk: UInt128 = 1_000_000_000_000_000_000
    var chunks: [UInt64] = []
    while limbs.contains(where: { $0 != 0 }) {
      var remainder: UInt128 = 0
      for index in limbs.indices {
        let dividend = remainder << 64 | UInt128(limbs[index])
        limbs[index] = UInt64(truncatingIfNeeded: dividend / chunk)
        remainder = dividend % chunk
      }
      chunks.append(UInt64(remainder))
    }
    guard var text = chunks.last.map({ String($0) }) else { return "0" }
    for part in chunks.dropLast().reversed() {
      let digits = String(part)
      text += String(repeating: "0", count: 18 - digits.count) + digits
    }
    return text
  }

  static func hexDigit(_ value: Int) -> Unicode.Scalar {
    Unicode.Scalar(UInt8(value < 10 ? 0x30 + value : 0x57 + value))
  }

  /// What the bits are for, so that one number never gives the same bits twice.
  package enum Purpose: UInt64 {
    case condition = 1, question, token, negRisk, transaction, market, event, fees, walk, winner, delay, book
    case noise, wick, volume, trade, plant, volumeText, order, kalshi
  }
}

/// A stream of numbers that follows from where it began: SplitMix64.
package struct SeededRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(_ seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// A number from 0 to `bound` − 1, by multiplication: the bias is far below what a simulation shows.
  package mutating func below(_ bound: Int) -> Int {
    Int(next().multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// A number of a closed range.
  package mutating func within(_ range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }
}
