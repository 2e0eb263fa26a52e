/// Writes values of XML-RPC straight into bytes, without a tree in between.
public struct XMLRPCWriter {
  /// What is written so far: UTF-8.
  public private(set) var bytes: [UInt8] = []

  /// A writer with room for so many bytes.
  public init(reserving capacity: Int = 256) { bytes.reserveCapacity(capacity) }

  /// Forgets what is written and keeps the room.
  public mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

  // MARK: Values

  /// Writes `value` as a whole.
  public mutating func value(_ value: XMLRPCValue) {
    raw("<value>")
    switch value {
    case .integer(let number): integer(number)
    case .boolean(let bool): raw(bool ? "<boolean>1</boolean>" : "<boolean>0</boolean>")
    case .string(let text): string(text)
    case .double(let number): double(number)
    case .base64(let data):
      raw("<base64>")
      bytes.append(contentsOf: Base64.encode(data).utf8)
      raw("</base64>")
    case .dateTime(let time):
      raw("<dateTime.iso8601>")
      escaped(time)
      raw("</dateTime.iso8601>")
    case .array(let values):
      raw("<array><data>")
      for value in values { self.value(value) }
      raw("</data></array>")
    case .structure(let members):
      raw("<struct>")
      for member in members {
        raw("<member><name>")
        escaped(member.name)
        raw("</name>")
        self.value(member.value)
        raw("</member>")
      }
      raw("</struct>")
    case .null: raw("<nil/>")
    }
    raw("</value>")
  }

  /// Writes an array whose elements `body` writes.
  public mutating func array(_ body: (inout XMLRPCWriter) -> Void) {
    raw("<value><array><data>")
    body(&self)
    raw("</data></array></value>")
  }

  /// Writes a structure whose members `body` writes.
  public mutating func structure(_ body: (inout XMLRPCWriter) -> Void) {
    raw("<value><struct>")
    body(&self)
    raw("</struct></value>")
  }

  /// Writes a value that was written before.
  public mutating func written(_ value: [UInt8]) { bytes.append(contentsOf: value) }

  // MARK: Members of a structure

  /// Writes a member; the name stands as it is.
  public mutating func member(_ name: StaticString, _ text: String) {
    open(name)
    string(text)
    close()
  }

  /// Writes a member; the name stands as it is.
  public mutating func member(_ name: StaticString, _ number: Int64) {
    open(name)
    integer(number)
    close()
  }

  /// Writes a member; the name stands as it is.
  public mutating func member(_ name: StaticString, _ number: Double) {
    open(name)
    double(number)
    close()
  }

  /// Writes a member; the name stands as it is.
  public mutating func member(_ name: StaticString, _ bool: Bool) {
    open(name)
    raw(bool ? "<boolean>1</boolean>" : "<boolean>0</boolean>")
    close()
  }

  /// Writes a member; the name stands as it is.
  public mutating func member(_ name: StaticString, _ value: XMLRPCValue) {
    raw("<member><name>")
    raw(name)
    raw("</name>")
    self.value(value)
    raw("</member>")
  }

  private mutating func open(_ name: StaticString) {
    raw("<member><name>")
    raw(name)
    raw("</name><value>")
  }

  private mutating func close() { raw("</value></member>") }

  // MARK: Parts

  private mutating func integer(_ number: Int64) {
    if Int32(exactly: number) == nil {
      raw("<i8>")
      decimal(number)
      raw("</i8>")
    } else {
      raw("<int>")
      decimal(number)
      raw("</int>")
    }
  }

  private mutating func decimal(_ number: Int64) {
    if number < 0 { bytes.append(0x2D) }
    var rest = number.magnitude
    let start = bytes.count
    repeat {
      bytes.append(0x30 + UInt8(rest % 10))
      rest /= 10
    } while rest > 0
    bytes[start...].reverse()
  }

  private mutating func double(_ number: Double) {
    raw("<double>")
    bytes.append(contentsOf: "\(number)".utf8)
    raw("</double>")
  }

  private mutating func string(_ text: String) {
    raw("<string>")
    escaped(text)
    raw("</string>")
  }

  mutating func raw(_ text: StaticString) {
    text.withUTF8Buffer { bytes.append(contentsOf: $0) }
  }

  /// What XML cannot hold at all, such as most control characters of a log, becomes U+FFFD.
  mutating func escaped(_ text: String) {
    var text = text
    text.withUTF8 { escaped($0) }
  }

  private mutating func escaped(_ text: UnsafeBufferPointer<UInt8>) {
    var start = 0
    var index = 0
    while index < text.count {
      let byte = text[index]
      let isPlain = byte >= 0x20 && byte != 0x26 && byte != 0x3C && byte != 0x3E && byte != 0xEF
      if isPlain || byte == 0x09 || byte == 0x0A {
        index += 1
        continue
      }
      var length = 1
      let replacement: StaticString
      switch byte {
      case 0x26: replacement = "&amp;"
      case 0x3C: replacement = "&lt;"
      case 0x3E: replacement = "&gt;"
      case 0x0D: replacement = "&#13;"
      case 0xEF:
        // U+FFFE and U+FFFF are no characters of XML.
        guard index + 2 < text.count, text[index + 1] == 0xBF, text[index + 2] >= 0xBE else {
          index += 1
          continue
        }
        length = 3
        replacement = "\u{FFFD}"
      default: replacement = "\u{FFFD}"
      }
      bytes.append(contentsOf: text[start..<index])
      raw(replacement)
      index += length
      start = index
    }
    bytes.append(contentsOf: text[start...])
  }
}
