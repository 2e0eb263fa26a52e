internal import Bus
internal import Market

/// Markets of the catalogue in about 250 bytes each, one behind the other, where their plain form takes a kilobyte: tens
/// of thousands are kept, and few are looked at.
///
/// Long ids of digits take half a byte for each. The tick and the day's volume are kept apart: they change while the rest stays.
struct PackedMarkets {
  /// Where a market lies.
  struct Place {
    fileprivate var start: UInt32
    fileprivate var count: UInt32
  }

  private var bytes: [UInt8] = []
  /// Bytes that belong to no market any more.
  private var wasted = 0

  /// Whether more than half of the memory is waste, so that it is worth to pack everything anew.
  var isWasteful: Bool { wasted > 1 << 20 && wasted > bytes.count / 2 }

  /// Keeps a market.
  mutating func add(_ market: PackedMarket) -> Place {
    let start = bytes.count
    bytes += market.bytes
    return Place(start: UInt32(start), count: UInt32(market.bytes.count))
  }

  /// Keeps a market in the place of what was known of it.
  mutating func replace(_ place: Place, _ market: PackedMarket) -> Place {
    if Int(place.count) == market.bytes.count {
      bytes.replaceSubrange(range(place), with: market.bytes)
      return place
    }
    wasted += Int(place.count)
    return add(market)
  }

  /// Takes over a market of another store.
  mutating func add(_ place: Place, of other: PackedMarkets) -> Place {
    let start = bytes.count
    bytes += other.bytes[other.range(place)]
    return Place(start: UInt32(start), count: place.count)
  }

  /// Whether this is what is known of a market.
  func isSame(_ place: Place, _ market: PackedMarket) -> Bool {
    bytes[range(place)].elementsEqual(market.bytes)
  }

  /// The market, with the tick that holds.
  func market(_ place: Place, tick: Price) -> PredictionMarket {
    read(place) { reader throws(MessageError) in
      let id = try PackedText.read(&reader)
      var tokens: [String] = []
      for _ in 0..<(try reader.array()) { tokens.append(try PackedText.read(&reader)) }
      let eventID = try PackedText.read(&reader)
      var market = try MarketMessage(&reader).market
      market.id = id
      market.eventID = eventID
      market.tick = tick
      for index in tokens.indices { market.outcomes[index].token = tokens[index] }
      return market
    }
  }

  /// The venue's id of a market.
  func id(_ place: Place) -> String {
    read(place) { reader throws(MessageError) in try PackedText.read(&reader) }
  }

  /// The token of an outcome.
  func token(_ place: Place, outcome: Int) -> String {
    read(place) { reader throws(MessageError) in
      try reader.skip(1)
      let count = try reader.array()
      precondition(outcome < count, "no outcome \(outcome)")
      try reader.skip(outcome)
      return try PackedText.read(&reader)
    }
  }

  private func range(_ place: Place) -> Range<Int> { Int(place.start)..<Int(place.start) + Int(place.count) }

  private func read<Value>(
    _ place: Place, _ body: (inout MessagePackReader) throws(MessageError) -> Value
  ) -> Value {
    bytes.withUnsafeBytes { bytes in
      var reader = MessagePackReader(UnsafeRawBufferPointer(rebasing: bytes[range(place)]))
      do throws(MessageError) { return try body(&reader) } catch { preconditionFailure("a packed market: \(error)") }
    }
  }
}

/// A market in the form in which `PackedMarkets` keeps it.
struct PackedMarket: Sendable {
  fileprivate let bytes: [UInt8]

  init(_ market: PredictionMarket) {
    let writer = MessagePackWriter(capacity: 512)
    PackedText.write(market.id, writer)
    writer.array(market.outcomes.count)
    for outcome in market.outcomes { PackedText.write(outcome.token, writer) }
    PackedText.write(market.eventID, writer)
    var rest = market
    rest.id = ""
    rest.eventID = ""
    rest.tick = .zero
    rest.dayVolume = .zero
    for index in rest.outcomes.indices { rest.outcomes[index].token = "" }
    MarketMessage(market: rest, books: []).encode(writer)
    bytes = Array(writer.written)
  }
}

/// Texts of decimal or hexadecimal digits, two in a byte; others as they are.
private enum PackedText {
  private enum Form: UInt8 {
    case plain, digits, oddDigits, hexadecimal, oddHexadecimal
  }

  static func write(_ text: String, _ writer: MessagePackWriter) {
    var text = text
    let packed = text.withUTF8 { utf8 -> [UInt8] in
      let isHexadecimal = utf8.count > 2 && utf8[0] == UInt8(ascii: "0") && utf8[1] == UInt8(ascii: "x")
      let digits = isHexadecimal ? utf8[2...] : utf8[...]
      guard digits.allSatisfy({ digit($0) != nil }) else { return [Form.plain.rawValue] + utf8 }
      let isOdd = digits.count % 2 == 1
      let form: Form =
        isHexadecimal ? (isOdd ? .oddHexadecimal : .hexadecimal) : (isOdd ? .oddDigits : .digits)
      var packed = [form.rawValue]
      packed.reserveCapacity(1 + (digits.count + 1) / 2)
      var place = digits.startIndex
      while place < digits.endIndex {
        let high = digit(digits[place]) ?? 0
        let low = place + 1 < digits.endIndex ? digit(digits[place + 1]) ?? 0 : 0
        packed.append(high << 4 | low)
        place += 2
      }
      return packed
    }
    packed.withUnsafeBytes { writer.text($0) }
  }

  static func read(_ reader: inout MessagePackReader) throws(MessageError) -> String {
    let packed = try reader.textBytes()
    guard let first = packed.first, let form = Form(rawValue: first) else { throw .truncated }
    let body = packed.dropFirst()
    if form == .plain { return String(decoding: body, as: UTF8.self) }
    let isHexadecimal = form == .hexadecimal || form == .oddHexadecimal
    let isOdd = form == .oddDigits || form == .oddHexadecimal
    let prefix = isHexadecimal ? 2 : 0
    let count = prefix + body.count * 2 - (isOdd ? 1 : 0)
    return String(unsafeUninitializedCapacity: count) { target in
      if isHexadecimal { (target[0], target[1]) = (UInt8(ascii: "0"), UInt8(ascii: "x")) }
      for place in 0..<(count - prefix) {
        let pair = body[body.startIndex + place / 2]
        let digit = place % 2 == 0 ? pair >> 4 : pair & 15
        target[prefix + place] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
      }
      return count
    }
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}
