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
    var writer = XMLRPCWriter()
    writer.raw("<?xml version=\"1.0\"?>\n<methodCall><methodName>")
    writer.escaped(call.method)
    writer.raw("</methodName><params>")
    for parameter in call.parameters {
      writer.raw("<param>")
      writer.value(parameter)
      writer.raw("</param>")
    }
    writer.raw("</params></methodCall>\n")
    return writer.bytes
  }

  /// Writes a `methodResponse`.
  /// - Returns: the XML, UTF-8.
  public static func write(_ response: XMLRPCResponse) -> [UInt8] {
    var writer = XMLRPCWriter()
    switch response {
    case .value(let value):
      writer.value(value)
      return write(responseOf: writer.bytes)
    case .fault(let code, let text):
      writer.raw("<?xml version=\"1.0\"?>\n<methodResponse><fault>")
      writer.value(["faultCode": .integer(code), "faultString": .string(text)])
      writer.raw("</fault></methodResponse>\n")
      return writer.bytes
    }
  }

  /// Writes a `methodResponse` around a value that an `XMLRPCWriter` has written.
  /// - Returns: the XML, UTF-8.
  public static func write(responseOf value: [UInt8]) -> [UInt8] {
    var writer = XMLRPCWriter(reserving: value.count + 128)
    writer.raw("<?xml version=\"1.0\"?>\n<methodResponse><params><param>")
    writer.written(value)
    writer.raw("</param></params></methodResponse>\n")
    return writer.bytes
  }
}
