package import Market

/// Changes JSON in ways in which venues have been wrong; what is no JSON stays as it is.
package struct FaultRewriter {
  private let changes: [FaultChange]
  private let now: Timestamp
  private let input: [UInt8]
  private var place = 0
  private var output: [UInt8] = []
  private let isMistyped: Bool
  private let isSizeless: Bool
  private let staleDays: Int64

  /// Members that are sizes, of all venues.
  private static let sizes: Set<String> = [
    "size", "sizes", "qty", "quoteQty", "q", "sz", "v", "lastSz", "last_size", "lastQty", "bidQty", "askQty", "bidSz",
    "askSz", "bid1Size", "ask1Size", "bid_qty", "ask_qty", "best_bid_size", "best_ask_size", "B", "A", "volume",
    "count_fp", "delta_fp", "yes_bid_size_fp", "yes_ask_size_fp",
  ]
  /// Members that are lists of levels, `[price, size]`.
  private static let levels: Set<String> = [
    "bids", "asks", "b", "a", "yes_dollars", "no_dollars", "yes_dollars_fp", "no_dollars_fp",
  ]

  /// The payload as a client gets it.
  package static func apply(_ changes: [FaultChange], to bytes: [UInt8], now: Timestamp) -> [UInt8] {
    var result = bytes
    if changes.contains(where: { $0 != .truncate }) {
      var rewriter = FaultRewriter(changes, bytes, now)
      rewriter.value(key: "", isLevel: false)
      // What is left over was no JSON.
      if rewriter.place == bytes.count { result = rewriter.output }
    }
    if changes.contains(.truncate) { result = Array(result.prefix(result.count / 2)) }
    return result
  }

  /// Whether a frame tells of a trade.
  static func isTrade(_ text: UnsafeRawBufferPointer) -> Bool {
    let marks = [
      "\"e\":\"trade\"", "\"e\":\"aggTrade\"", "\"type\":\"match\"", "\"type\":\"last_match\"", "\"channel\":\"trade",
      "publicTrade.", "last_trade_price", "\"type\":\"trade\"",
    ]
    return marks.contains { text.contains($0) }
  }

  private init(_ changes: [FaultChange], _ input: [UInt8], _ now: Timestamp) {
    self.changes = changes
    self.input = input
    self.now = now
    output.reserveCapacity(input.count)
    isMistyped = changes.contains(.wrongTypes)
    isSizeless = changes.contains(.missingSizes)
    var days: Int64 = 0
    for case .staleTrades(let some) in changes { days = some }
    staleDays = days
  }

  // MARK: JSON

  private var byte: UInt8 { place < input.count ? input[place] : 0 }

  private mutating func skip() {
    while place < input.count, [0x20, 0x09, 0x0A, 0x0D].contains(input[place]) { place += 1 }
  }

  private mutating func copy() {
    output.append(byte)
    place += 1
  }

  private mutating func value(key: String, isLevel: Bool) {
    skip()
    switch byte {
    case 0x7B: object()
    case 0x5B: array(key: key, isLevel: isLevel)
    case 0x22: string()
    case 0x2D, 0x30...0x39: number()
    case 0: place = input.count + 1
    default:
      while place < input.count, (0x61...0x7A).contains(input[place]) { copy() }
      if place < input.count, ![0x2C, 0x5D, 0x7D, 0x20].contains(input[place]) { place = input.count + 1 }
    }
    skip()
  }

  private mutating func object() {
    copy()
    skip()
    var isFirst = true
    while place < input.count, byte != 0x7D {
      if byte == 0x2C {
        place += 1
        skip()
      }
      let before = output.count
      if !isFirst { output.append(0x2C) }
      let name = raw()
      output += [0x22] + name + [0x22]
      skip()
      guard byte == 0x3A else {
        place = input.count + 1
        return
      }
      copy()
      let key = String(decoding: name, as: UTF8.self)
      value(key: key, isLevel: false)
      if isSizeless, FaultRewriter.sizes.contains(key) {
        output.removeLast(output.count - before)
      } else {
        isFirst = false
      }
    }
    copy()
  }

  private mutating func array(key: String, isLevel: Bool) {
    copy()
    skip()
    var index = 0
    let isRow = isLevel || isTradeRow
    while place < input.count, byte != 0x5D {
      if byte == 0x2C {
        copy()
        skip()
      }
      let before = output.count
      value(key: "", isLevel: FaultRewriter.levels.contains(key))
      if isSizeless, isRow, index == 1 {
        output.removeLast(output.count - before)
        output += Array("null".utf8)
      }
      index += 1
    }
    copy()
  }

  /// A row of Kraken's trades: `["105433.6","0.0002",1762795433.97,"b","l","",10218208]`.
  private var isTradeRow: Bool {
    guard isSizeless, byte == 0x22 else { return false }
    let head = input[place...].prefix(80)
    let text = String(decoding: head, as: UTF8.self)
    return text.contains(",\"b\",\"") || text.contains(",\"s\",\"")
  }

  /// The bytes between the quotes, as they are.
  private mutating func raw() -> ArraySlice<UInt8> {
    guard byte == 0x22 else {
      place = input.count + 1
      return []
    }
    place += 1
    let start = place
    while place < input.count, input[place] != 0x22 { place += input[place] == 0x5C ? 2 : 1 }
    guard place < input.count else {
      place = input.count + 1
      return []
    }
    place += 1
    return input[start..<(place - 1)]
  }

  private mutating func string() {
    let text = raw()
    if isMistyped, FaultRewriter.isNumber(text) { return output += Array("true".utf8) }
    output.append(0x22)
    output += stale(text) ?? Array(text)
    output.append(0x22)
  }

  private mutating func number() {
    let start = place
    while place < input.count,
      [0x2D, 0x2B, 0x2E, 0x45, 0x65].contains(input[place]) || (0x30...0x39).contains(input[place])
    {
      place += 1
    }
    let text = input[start..<place]
    if isMistyped { return output += Array("\"not a number\"".utf8) }
    output += stale(text) ?? Array(text)
  }

  private static func isNumber(_ text: ArraySlice<UInt8>) -> Bool {
    !text.isEmpty && text.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2E || $0 == 0x2D }
  }

  // MARK: Times

  /// A time of these days, moved into the past; nil where it is none.
  private func stale(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    guard staleDays > 0, text.count >= 10 else { return nil }
    if text.count >= 19, text[text.startIndex + 4] == 0x2D, text[text.startIndex + 10] == 0x54 {
      return staleDate(text)
    }
    let whole = text.prefix { (0x30...0x39).contains($0) }
    guard [10, 13, 16, 19].contains(whole.count), whole.count == text.count || text[whole.endIndex] == 0x2E,
      let number = Int64(String(decoding: whole, as: UTF8.self))
    else { return nil }
    var unit: Int64 = 1
    for _ in 10..<max(10, whole.count) { unit *= 10 }
    guard abs(number / unit - now.seconds) < 90 * 86_400 else { return nil }
    return Array(String(number - staleDays * 86_400 * unit).utf8) + text[whole.endIndex...]
  }

  private func staleDate(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    let head = String(decoding: text.prefix(19), as: UTF8.self)
    guard let time = try? Timestamp(rfc3339: head + "Z"), abs(time.seconds - now.seconds) < 90 * 86_400 else {
      return nil
    }
    var writer = ByteWriter()
    writer.time(time.advanced(bySeconds: -staleDays * 86_400))
    return writer.bytes.dropFirst().dropLast(2) + text.dropFirst(19)
  }
}
