/// Reads and writes the messages of XML-RPC.
public enum XMLRPC {
  /// The longest message that is read, unless told otherwise.
  public static let bytesMax = 4 << 20

  // MARK: Reading

  /// Reads a `methodCall`.
  /// - Returns: the call.
  /// - Throws: `XMLRPCError`.
  public static func readCall(_ bytes: [UInt8], bytesMax: Int = bytesMax) throws(XMLRPCError) -> XMLRPCCall {
    let root = try XMLElement.read(bytes, bytesMax: bytesMax)
    try expect(root, "methodCall")
    guard let name = root.children.first, name.name == "methodName", name.children.isEmpty, root.hasBlankText else {
      throw XMLRPCError(.malformed, "methodName")
    }
    let method = HTTPHeaders.trimmed(name.text)
    guard !method.isEmpty, root.children.count <= 2 else { throw XMLRPCError(.malformed, "methodName") }
    guard root.children.count == 2 else { return XMLRPCCall(method) }
    return XMLRPCCall(method, try parameters(root.children[1]))
  }

  /// Reads a `methodResponse`.
  /// - Returns: the value or the fault.
  /// - Throws: `XMLRPCError`.
  public static func readResponse(
    _ bytes: [UInt8], bytesMax: Int = bytesMax
  ) throws(XMLRPCError) -> XMLRPCResponse {
    let root = try XMLElement.read(bytes, bytesMax: bytesMax)
    try expect(root, "methodResponse")
    let content = try onlyChild(root)
    if content.name == "fault" {
      let fault = try value(try onlyChild(content))
      guard let code = fault["faultCode"]?.integer, let text = fault["faultString"]?.string else {
        throw XMLRPCError(.malformed, "fault")
      }
      return .fault(code: code, text: text)
    }
    let values = try parameters(content)
    guard values.count == 1 else { throw XMLRPCError(.malformed, "params") }
    return .value(values[0])
  }

  private static func expect(_ element: XMLElement, _ name: String) throws(XMLRPCError) {
    guard element.name == name else { throw XMLRPCError(.malformed, "\(element.name) instead of \(name)") }
  }

  private static func onlyChild(_ element: XMLElement) throws(XMLRPCError) -> XMLElement {
    guard element.children.count == 1, element.hasBlankText else { throw XMLRPCError(.malformed, element.name) }
    return element.children[0]
  }

  private static func parameters(_ element: XMLElement) throws(XMLRPCError) -> [XMLRPCValue] {
    try expect(element, "params")
    guard element.hasBlankText else { throw XMLRPCError(.malformed, "params") }
    var values: [XMLRPCValue] = []
    for child in element.children {
      try expect(child, "param")
      values.append(try value(try onlyChild(child)))
    }
    return values
  }

  private static func value(_ element: XMLElement) throws(XMLRPCError) -> XMLRPCValue {
    try expect(element, "value")
    // Without a type it is a string, blanks and all.
    if element.children.isEmpty { return .string(element.text) }
    let typed = try onlyChild(element)
    switch typed.name {
    case "array": return .array(try arrayElements(typed))
    case "struct": return .structure(try members(typed))
    default:
      guard typed.children.isEmpty, let value = scalar(typed.name, typed.text) else {
        throw XMLRPCError(.malformed, typed.name)
      }
      return value
    }
  }

  private static func scalar(_ name: String, _ text: String) -> XMLRPCValue? {
    let trimmed = HTTPHeaders.trimmed(text)
    switch name {
    case "string": return .string(text)
    case "int", "i4", "i8": return Int64(trimmed).map { .integer($0) }
    case "boolean": return trimmed == "1" ? .boolean(true) : trimmed == "0" ? .boolean(false) : nil
    case "double":
      guard let value = Double(trimmed), value.isFinite else { return nil }
      return .double(value)
    case "base64": return Base64.decode(text).map { .base64($0) }
    case "dateTime.iso8601": return trimmed.isEmpty ? nil : .dateTime(trimmed)
    case "nil": return trimmed.isEmpty ? .null : nil
    default: return nil
    }
  }

  private static func arrayElements(_ element: XMLElement) throws(XMLRPCError) -> [XMLRPCValue] {
    let data = try onlyChild(element)
    try expect(data, "data")
    guard data.hasBlankText else { throw XMLRPCError(.malformed, "data") }
    var values: [XMLRPCValue] = []
    for child in data.children { values.append(try value(child)) }
    return values
  }

  private static func members(_ element: XMLElement) throws(XMLRPCError) -> [XMLRPCValue.Member] {
    guard element.hasBlankText else { throw XMLRPCError(.malformed, "struct") }
    var members: [XMLRPCValue.Member] = []
    for child in element.children {
      try expect(child, "member")
      guard child.children.count == 2, child.hasBlankText, child.children[0].name == "name",
        child.children[0].children.isEmpty
      else { throw XMLRPCError(.malformed, "member") }
      members.append(XMLRPCValue.Member(child.children[0].text, try value(child.children[1])))
    }
    return members
  }

  // MARK: Writing

  /// Writes a `methodCall`.
  /// - Returns: the XML, UTF-8.
  public static func write(_ call: XMLRPCCall) -> [UInt8] {
    var text = prologue + "<methodCall><methodName>\(escaped(call.method))</methodName><params>"
    for parameter in call.parameters {
      text += "<param>"
      append(parameter, to: &text)
      text += "</param>"
    }
    return Array((text + "</params></methodCall>\n").utf8)
  }

  /// Writes a `methodResponse`.
  /// - Returns: the XML, UTF-8.
  public static func write(_ response: XMLRPCResponse) -> [UInt8] {
    var text = prologue + "<methodResponse>"
    switch response {
    case .value(let value):
      text += "<params><param>"
      append(value, to: &text)
      text += "</param></params>"
    case .fault(let code, let words):
      text += "<fault>"
      append(["faultCode": .integer(code), "faultString": .string(words)], to: &text)
      text += "</fault>"
    }
    return Array((text + "</methodResponse>\n").utf8)
  }

  private static let prologue = "<?xml version=\"1.0\"?>\n"

  private static func append(_ value: XMLRPCValue, to text: inout String) {
    text += "<value>"
    switch value {
    case .integer(let number):
      let type = Int32(exactly: number) == nil ? "i8" : "int"
      text += "<\(type)>\(number)</\(type)>"
    case .boolean(let bool): text += "<boolean>\(bool ? 1 : 0)</boolean>"
    case .string(let string): text += "<string>\(escaped(string))</string>"
    case .double(let number): text += "<double>\(number)</double>"
    case .base64(let bytes): text += "<base64>\(Base64.encode(bytes))</base64>"
    case .dateTime(let time): text += "<dateTime.iso8601>\(escaped(time))</dateTime.iso8601>"
    case .array(let values):
      text += "<array><data>"
      for value in values { append(value, to: &text) }
      text += "</data></array>"
    case .structure(let members):
      text += "<struct>"
      for member in members {
        text += "<member><name>\(escaped(member.name))</name>"
        append(member.value, to: &text)
        text += "</member>"
      }
      text += "</struct>"
    case .null: text += "<nil/>"
    }
    text += "</value>"
  }

  /// What XML cannot hold at all, such as most control characters of a log, becomes U+FFFD.
  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\r": result += "&#13;"
      case "\t", "\n": result.unicodeScalars.append(scalar)
      case _ where scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF: result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
