package import Market

/// Text that is built byte by byte, in one buffer that is used again and again.
///
/// It knows numbers, decimals and JSON strings; the members and their order stand where a payload is written.
package struct ByteWriter: Sendable {
  /// What was written.
  package private(set) var bytes: [UInt8] = []

  package init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

  /// How many bytes there are.
  package var count: Int { bytes.count }

  /// Forgets what was written and keeps the memory.
  package mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

  /// Drops the last bytes.
  package mutating func truncate(to count: Int) { bytes.removeLast(bytes.count - count) }

  /// Text that stands in the program.
  package mutating func raw(_ text: StaticString) {
    bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// One byte.
  package mutating func byte(_ value: UInt8) { bytes.append(value) }

  /// Text as it is.
  package mutating func text(_ text: String) {
    var text = text
    text.withUTF8 { bytes.append(contentsOf: $0) }
  }

  /// Bytes as they are.
  package mutating func append(_ other: some Collection<UInt8>) { bytes.append(contentsOf: other) }

  /// Writes over bytes that are there already.
  package mutating func overwrite(at position: Int, with other: [UInt8]) {
    for index in other.indices { bytes[position + index] = other[index] }
  }

  /// A text without anything that JSON escapes, in quotes: ids and numbers.
  package mutating func plain(_ value: String) {
    byte(0x22)
    text(value)
    byte(0x22)
  }

  /// A JSON string.
  package mutating func quoted(_ value: String) {
    byte(0x22)
    for scalar in value.utf8 {
      switch scalar {
      case 0x22: raw("\\\"")
      case 0x5C: raw("\\\\")
      case 0x0A: raw("\\n")
      case 0x0D: raw("\\r")
      case 0x09: raw("\\t")
      case 0..<0x20:
        raw("\\u00")
        byte(UInt8(Seed.hexDigit(Int(scalar >> 4)).value))
        byte(UInt8(Seed.hexDigit(Int(scalar & 15)).value))
      default: byte(scalar)
      }
    }
    byte(0x22)
  }

  /// A list of texts as a JSON string that contains JSON, as Gamma writes lists: `"[\"Yes\", \"No\"]"`.
  package mutating func quotedList(_ values: [String]) {
    raw("\"[")
    for (index, value) in values.enumerated() {
      if index > 0 { raw(", ") }
      raw("\\\"")
      text(value)
      raw("\\\"")
    }
    raw("]\"")
  }

  /// A whole number.
  package mutating func integer(_ value: Int64) {
    if value < 0 { byte(0x2D) }
    unsigned(value.magnitude, width: 1)
  }

  /// A whole number.
  package mutating func integer(_ value: Int) { integer(Int64(value)) }

  /// A whole number with leading zeros up to a width.
  package mutating func unsigned(_ value: UInt64, width: Int) {
    let start = bytes.count
    var rest = value
    var digits = 0
    repeat {
      bytes.append(UInt8(rest % 10) + 0x30)
      rest /= 10
      digits += 1
    } while rest > 0 || digits < width
    var low = start
    var high = bytes.count - 1
    while low < high {
      bytes.swapAt(low, high)
      low += 1
      high -= 1
    }
  }

  /// A fixed-point value as its shortest decimal text.
  package mutating func decimal(_ value: some FixedPoint) { decimal(raw: value.raw) }

  /// Units of 10⁻⁸ as the shortest decimal text.
  package mutating func decimal(raw value: Int64) {
    if value < 0 { byte(0x2D) }
    let magnitude = value.magnitude
    let scale = UInt64(fixedPointScale)
    unsigned(magnitude / scale, width: 1)
    var fraction = magnitude % scale
    guard fraction > 0 else { return }
    var width = fixedPointDecimals
    while fraction % 10 == 0 {
      fraction /= 10
      width -= 1
    }
    byte(0x2E)
    unsigned(fraction, width: width)
  }

  /// Units of 10⁻⁸ with a fixed number of decimals, 1 to 8; further digits are dropped.
  package mutating func fixed(raw value: Int64, decimals: Int) {
    if value < 0 { byte(0x2D) }
    let magnitude = value.magnitude
    let scale = UInt64(fixedPointScale)
    unsigned(magnitude / scale, width: 1)
    byte(0x2E)
    var fraction = magnitude % scale
    for _ in decimals..<fixedPointDecimals { fraction /= 10 }
    unsigned(fraction, width: decimals)
  }

  /// A fixed-point value as decimal text in quotes.
  package mutating func quotedDecimal(_ value: some FixedPoint) {
    byte(0x22)
    decimal(raw: value.raw)
    byte(0x22)
  }

  /// 40 hexadecimal digits that stand for no content.
  package mutating func hex160(_ high: UInt64, _ low: UInt64) {
    hexadecimal(high, digits: 16)
    hexadecimal(low, digits: 16)
    hexadecimal(high &+ low, digits: 8)
  }

  /// The low bits of a number as hexadecimal digits.
  package mutating func hexadecimal(_ value: UInt64, digits: Int) {
    for index in stride(from: (digits - 1) * 4, through: 0, by: -4) {
      let digit = UInt8(truncatingIfNeeded: value >> UInt64(index)) & 15
      byte(digit < 10 ? 0x30 + digit : 0x57 + digit)
    }
  }

  /// `true` or `false`.
  package mutating func boolean(_ value: Bool) {
    if value { raw("true") } else { raw("false") }
  }

  /// A time in RFC 3339 with seconds, in quotes: `"2026-07-24T00:25:00Z"`.
  package mutating func time(_ time: Timestamp) {
    let civil = CivilTime(time)
    byte(0x22)
    date(civil)
    byte(0x54)
    clock(civil)
    raw("Z\"")
  }

  /// A time as Gamma's `closedTime` writes it, in quotes: `"2026-07-24 00:25:21+00"`.
  package mutating func spacedTime(_ time: Timestamp) {
    let civil = CivilTime(time)
    byte(0x22)
    date(civil)
    byte(0x20)
    clock(civil)
    raw("+00\"")
  }

  /// A time in RFC 3339 with microseconds, in quotes.
  package mutating func fineTime(_ time: Timestamp) {
    let civil = CivilTime(time)
    byte(0x22)
    date(civil)
    byte(0x54)
    clock(civil)
    byte(0x2E)
    unsigned(UInt64(time.nanoseconds / 1000 % 1_000_000), width: 6)
    raw("Z\"")
  }

  /// A day, in quotes: `"2026-07-24"`.
  package mutating func day(_ time: Timestamp) {
    byte(0x22)
    date(CivilTime(time))
    byte(0x22)
  }

  private mutating func date(_ civil: CivilTime) {
    unsigned(UInt64(civil.year), width: 4)
    byte(0x2D)
    unsigned(UInt64(civil.month), width: 2)
    byte(0x2D)
    unsigned(UInt64(civil.day), width: 2)
  }

  private mutating func clock(_ civil: CivilTime) {
    unsigned(UInt64(civil.hour), width: 2)
    byte(0x3A)
    unsigned(UInt64(civil.minute), width: 2)
    byte(0x3A)
    unsigned(UInt64(civil.second), width: 2)
  }
}
