internal import CExpat

/// An element of a small XML document, read whole.
final class XMLElement {
  let name: String
  fileprivate(set) var text = ""
  fileprivate(set) var children: [XMLElement] = []

  fileprivate init(name: String) { self.name = name }

  /// Whether there is nothing but blanks between the children.
  var hasBlankText: Bool { text.utf8.allSatisfy { $0 == 0x20 || ($0 >= 0x09 && $0 <= 0x0D) } }

  static let depthMax = 128

  /// Reads a document; attributes, comments and processing instructions are left out.
  /// - Throws: `XMLRPCError`; a document type is refused, so there are no entities but the five of XML.
  ///
  /// The corresponding C library is expat.
  static func read(_ bytes: [UInt8], bytesMax: Int) throws(XMLRPCError) -> XMLElement {
    guard bytes.count <= min(bytesMax, 1 << 30) else { throw XMLRPCError(.tooLarge, "\(bytes.count) bytes") }
    guard let parser = XML_ParserCreate(nil) else { throw XMLRPCError(.notXML, "no memory") }
    defer { XML_ParserFree(parser) }
    let builder = XMLBuilder(parser)
    XML_SetUserData(parser, Unmanaged.passUnretained(builder).toOpaque())
    XML_SetElementHandler(parser, XMLBuilder.onStart, XMLBuilder.onEnd)
    XML_SetCharacterDataHandler(parser, XMLBuilder.onText)
    XML_SetStartDoctypeDeclHandler(parser, XMLBuilder.onDocumentType)
    let status = bytes.withUnsafeBufferPointer { bytes in
      bytes.withMemoryRebound(to: CChar.self) { XML_Parse(parser, $0.baseAddress, Int32($0.count), 1) }
    }
    if let refusal = builder.refusal { throw refusal }
    guard status == XML_STATUS_OK, let root = builder.root else {
      throw XMLRPCError(.notXML, "line \(XML_GetCurrentLineNumber(parser))")
    }
    return root
  }
}

/// Builds the tree from expat's calls.
private final class XMLBuilder {
  private let parser: XML_Parser
  private var open: [XMLElement] = []
  private(set) var root: XMLElement?
  private(set) var refusal: XMLRPCError?

  init(_ parser: XML_Parser) { self.parser = parser }

  static let onStart: XML_StartElementHandler = { context, name, _ in
    guard let builder = builder(context), let name else { return }
    let element = XMLElement(name: String(cString: name))
    guard builder.open.count < XMLElement.depthMax else { return builder.refuse(.tooLarge, "depth") }
    if let parent = builder.open.last { parent.children.append(element) } else { builder.root = element }
    builder.open.append(element)
  }

  static let onEnd: XML_EndElementHandler = { context, _ in
    _ = builder(context)?.open.popLast()
  }

  static let onText: XML_CharacterDataHandler = { context, bytes, count in
    guard let bytes else { return }
    let text = UnsafeRawBufferPointer(start: bytes, count: Int(count))
    builder(context)?.open.last?.text += String(decoding: text, as: UTF8.self)
  }

  static let onDocumentType: XML_StartDoctypeDeclHandler = { context, _, _, _, _ in
    builder(context)?.refuse(.documentType, "DOCTYPE")
  }

  private static func builder(_ context: UnsafeMutableRawPointer?) -> XMLBuilder? {
    context.map { Unmanaged<XMLBuilder>.fromOpaque($0).takeUnretainedValue() }
  }

  private func refuse(_ code: XMLRPCError.Code, _ detail: String) {
    if refusal == nil { refusal = XMLRPCError(code, detail) }
    XML_StopParser(parser, 0)
  }
}
