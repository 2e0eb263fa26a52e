/// Writes JSON from front to back, without a tree in between.
///
/// ```swift
/// var writer = JSONWriter()
/// writer.object { writer in
///   writer.field("market", market)
///   writer.field("price", number: "0.480")
///   writer.array("sizes") { $0.value(number: "1") }
/// }
/// ```
/// The writer sets commas; it does not check that names and values take turns.
public struct JSONWriter: Sendable {
  /// What was written so far, UTF-8.
  public private(set) var bytes: [UInt8] = []
  private var needsComma = false

  /// A writer that has written nothing.
  public init() {}

  /// What was written so far.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Forgets what was written and keeps the memory.
  public mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    needsComma = false
  }

  /// Starts an object; `endObject()` must follow.
  public mutating func beginObject() { begin(0x7B) }
  /// Ends the innermost object.
  public mutating func endObject() { end(0x7D) }
  /// Starts an array; `endArray()` must follow.
  public mutating func beginArray() { begin(0x5B) }
  /// Ends the innermost array.
  public mutating func endArray() { end(0x5D) }

  /// A member's name; its value must follow.
  public mutating func key(_ name: String) {
    separate()
    quote(name)
    bytes.append(0x3A)
    needsComma = false
  }

  /// A string.
  public mutating func value(_ string: String) {
    separate()
    quote(string)
  }
  /// An integer.
  public mutating func value(_ integer: some BinaryInteger) { value(raw: String(integer)) }
  /// A truth value.
  public mutating func value(_ bool: Bool) { value(raw: bool ? "true" : "false") }
  /// A number, by the text to write.
  /// - Parameter text: by the grammar of RFC 8259; the description of a `Price` or `Quantity` is.
  public mutating func value(number text: String) { value(raw: text) }
  /// The value `null`.
  public mutating func null() { value(raw: "null") }
  /// A value that is JSON already.
  public mutating func value(raw json: String) {
    separate()
    bytes.append(contentsOf: json.utf8)
  }

  /// An object, as a value.
  public mutating func object(_ body: (inout JSONWriter) -> Void) {
    beginObject()
    body(&self)
    endObject()
  }
  /// An array, as a value.
  public mutating func array(_ body: (inout JSONWriter) -> Void) {
    beginArray()
    body(&self)
    endArray()
  }

  /// A member that is a string.
  public mutating func field(_ name: String, _ string: String) {
    key(name)
    value(string)
  }
  /// A member that is an integer.
  public mutating func field(_ name: String, _ integer: some BinaryInteger) {
    key(name)
    value(integer)
  }
  /// A member that is a truth value.
  public mutating func field(_ name: String, _ bool: Bool) {
    key(name)
    value(bool)
  }
  /// A member that is a number, by the text to write.
  public mutating func field(_ name: String, number text: String) {
    key(name)
    value(number: text)
  }
  /// A member that is JSON already.
  public mutating func field(_ name: String, raw json: String) {
    key(name)
    value(raw: json)
  }
  /// A member that is `null`.
  public mutating func null(_ name: String) {
    key(name)
    null()
  }
  /// A member that is an object.
  public mutating func object(_ name: String, _ body: (inout JSONWriter) -> Void) {
    key(name)
    object(body)
  }
  /// A member that is an array.
  public mutating func array(_ name: String, _ body: (inout JSONWriter) -> Void) {
    key(name)
    array(body)
  }

  private mutating func separate() {
    if needsComma { bytes.append(0x2C) }
    needsComma = true
  }

  private mutating func begin(_ bracket: UInt8) {
    separate()
    bytes.append(bracket)
    needsComma = false
  }

  private mutating func end(_ bracket: UInt8) {
    bytes.append(bracket)
    needsComma = true
  }

  /// The same rules as `jsonQuoted` of the room Daemon.
  private mutating func quote(_ text: String) {
    bytes.append(0x22)
    for byte in text.utf8 {
      switch byte {
      case 0x22: bytes += [0x5C, 0x22]
      case 0x5C: bytes += [0x5C, 0x5C]
      case 0x0A: bytes += [0x5C, 0x6E]
      case 0x0D: bytes += [0x5C, 0x72]
      case 0x09: bytes += [0x5C, 0x74]
      case ..<0x20:
        let digits = Array("0123456789abcdef".utf8)
        bytes += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      default: bytes.append(byte)
      }
    }
    bytes.append(0x22)
  }
}
