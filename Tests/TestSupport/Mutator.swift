/// Spoils payloads in the ways that payloads are spoilt: bytes, digits, structure, length; the same seed spoils alike.
public struct Mutator {
  private var random: SeededRandom

  /// Texts that parsers stumble over.
  private static let tokens: [[UInt8]] = [
    "null", "true", "-1", "0", "1e400", "-0.0", "99999999999999999999", "0.000000001", "1.5", "\"\"", "[]", "{}",
    "[[]]",
    "\"NaN\"", "9223372036854775807", "-9223372036854775808", "1e-8", "\\u0000", "\\ud800", "\"0.5\"", ",", ":", "\"",
    "}", "]", "[", "{", "0.5", "\"-0.01\"", "1786401938602000",
  ].map { Array($0.utf8) }

  /// A mutator by its seed.
  public init(seed: UInt64) { random = SeededRandom(seed: seed) }

  /// A number below a bound; 0 where there is none below it.
  public mutating func below(_ bound: Int) -> Int { bound <= 1 ? 0 : Int(random.next() % UInt64(bound)) }

  /// A spoilt copy: one to four changes.
  public mutating func mutate(_ bytes: [UInt8]) -> [UInt8] {
    var result = bytes
    for _ in 0...below(4) { change(&result) }
    return result
  }

  private mutating func change(_ bytes: inout [UInt8]) {
    guard !bytes.isEmpty else { return bytes.append(UInt8(below(256))) }
    let place = below(bytes.count)
    switch below(9) {
    case 0: bytes[place] = UInt8(below(256))
    case 1: bytes[place] ^= 1 << UInt8(below(8))
    case 2: bytes.insert(contentsOf: Self.tokens[below(Self.tokens.count)], at: place)
    case 3: bytes.removeSubrange(place..<min(bytes.count, place + 1 + below(16)))
    case 4: bytes.removeLast(bytes.count - place)
    case 5:
      let part = Array(bytes[place..<min(bytes.count, place + 1 + below(64))])
      bytes.insert(contentsOf: part, at: below(bytes.count))
    case 6: replaceNumber(&bytes, from: place)
    case 7: replaceNumber(&bytes, from: place)
    default: replaceString(&bytes, from: place)
    }
  }

  /// Puts something else in the place of the next number.
  private mutating func replaceNumber(_ bytes: inout [UInt8], from place: Int) {
    func isNumber(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) || byte == 0x2E || byte == 0x2D }
    guard let start = bytes[place...].firstIndex(where: isNumber) else { return }
    let end = bytes[start...].firstIndex { !isNumber($0) } ?? bytes.count
    let number: [UInt8]
    switch below(4) {
    case 0: number = Array("\(below(1000))".utf8)
    case 1: number = Array("0.\(below(100))".utf8)
    case 2: number = Array("-\(below(100)).\(below(100))".utf8)
    default: number = Self.tokens[below(Self.tokens.count)]
    }
    bytes.replaceSubrange(start..<end, with: number)
  }

  /// Empties the next string, or puts something else in its place.
  private mutating func replaceString(_ bytes: inout [UInt8], from place: Int) {
    guard let start = bytes[place...].firstIndex(of: 0x22),
      let end = bytes[(start + 1)...].firstIndex(of: 0x22)
    else { return }
    bytes.replaceSubrange(start...end, with: Self.tokens[below(Self.tokens.count)])
  }
}
