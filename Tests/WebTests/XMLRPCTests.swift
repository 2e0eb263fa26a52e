import Testing
import Web

@Suite struct XMLRPCTests {
  private static let everything: XMLRPCValue = [
    "int": 42, "large": 9_007_199_254_740_993, "negative": -1, "yes": true, "no": false,
    "text": "a < b & c > d \"quoted\" \r\n\t é 😀", "empty": "",
    "blanks": "  both sides  ", "number": .double(1.5), "bytes": .base64([0, 1, 2, 250, 255]), "none": .base64([]),
    "time": .dateTime("19980717T14:08:55"), "list": [1, "two", [3], []],
    "inner": ["x": ["y": .null]], "nothing": [:],
  ]

  @Test func `a call survives the journey`() throws {
    let call = XMLRPCCall("supervisor.startProcess", ["group:name", true, Self.everything])
    #expect(try XMLRPC.readCall(XMLRPC.write(call)) == call)
    let bare = XMLRPCCall("system.listMethods")
    #expect(try XMLRPC.readCall(XMLRPC.write(bare)) == bare)
  }

  @Test func `a response and a fault survive the journey`() throws {
    for response in [XMLRPCResponse.value(Self.everything), .fault(code: 10, text: "BAD_NAME: <x>")] {
      #expect(try XMLRPC.readResponse(XMLRPC.write(response)) == response)
    }
  }

  @Test func `a call as Python writes it is read`() throws {
    let text = """
      <?xml version='1.0'?>
      <methodCall>
      <methodName>supervisor.getProcessInfo</methodName>
      <params>
      <param>
      <value><string>web</string></value>
      </param>
      <param>
      <value><array><data>
      <value><int>1</int></value>
      <value>untyped</value>
      <value><struct>
      <member>
      <name>a</name>
      <value><nil/></value>
      </member>
      </struct></value>
      </data></array></value>
      </param>
      </params>
      </methodCall>
      """
    let call = try XMLRPC.readCall(Array(text.utf8))
    #expect(call == XMLRPCCall("supervisor.getProcessInfo", ["web", [1, "untyped", ["a": .null]]]))
  }

  @Test func `what XML cannot hold is replaced`() throws {
    let response = try XMLRPC.readResponse(XMLRPC.write(.value("a\u{1B}[31mb\0")))
    #expect(response == .value("a\u{FFFD}[31mb\u{FFFD}"))
  }

  @Test(arguments: [
    "", "x", "<methodCall>", "<methodCall></methodCall>", "<methodCall><methodName></methodName></methodCall>",
    "<methodResponse/>", "<methodCall><params/><methodName>a</methodName></methodCall>",
    "<methodCall><methodName>a</methodName><params><param/></params></methodCall>",
    "<methodCall><methodName>a</methodName><params><value/></params></methodCall>",
    "<methodCall><methodName>a</methodName><params/><params/></methodCall>",
    "<methodCall><methodName>a</methodName></methodCall><x/>",
  ])
  func `a malformed call is refused`(text: String) {
    #expect(throws: XMLRPCError.self) { try XMLRPC.readCall(Array(text.utf8)) }
  }

  @Test(arguments: [
    "<int>x</int>", "<int></int>", "<int>99999999999999999999</int>", "<boolean>2</boolean>", "<double>nan</double>",
    "<double>1e999</double>", "<base64>***</base64>", "<base64>A</base64>", "<nil>x</nil>", "<unknown/>",
    "<dateTime.iso8601/>", "<array/>", "<array><data>x</data></array>", "<array><value/></array>",
    "<struct><member><name>a</name></member></struct>", "<struct><member><value/><name>a</name></member></struct>",
    "<struct>x</struct>", "<string><b/></string>", "<int>1</int><int>2</int>", "<int>1</int>x",
  ])
  func `a malformed value is refused`(text: String) {
    let message = "<methodResponse><params><param><value>\(text)</value></param></params></methodResponse>"
    #expect(throws: XMLRPCError.self) { try XMLRPC.readResponse(Array(message.utf8)) }
  }

  @Test func `a document type is refused whatever it declares`() {
    let laughs = """
      <?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
      <methodCall><methodName>&b;</methodName></methodCall>
      """
    for text in [laughs, "<!DOCTYPE methodCall SYSTEM \"file:///etc/passwd\"><methodCall/>"] {
      let error = #expect(throws: XMLRPCError.self) { try XMLRPC.readCall(Array(text.utf8)) }
      #expect(error?.code == .documentType)
    }
  }

  @Test func `depth and length are limited`() {
    let deep = String(repeating: "<a>", count: 100_000)
    let depth = #expect(throws: XMLRPCError.self) { try XMLRPC.readCall(Array(deep.utf8)) }
    #expect(depth?.code == .tooLarge)
    let length = #expect(throws: XMLRPCError.self) {
      try XMLRPC.readCall([UInt8](repeating: 0x20, count: 101), bytesMax: 100)
    }
    #expect(length?.code == .tooLarge)
  }

  @Test func `mutated messages are read or refused and never crash`() {
    let seed = XMLRPC.write(XMLRPCCall("a.b", [Self.everything]))
    var random = Xorshift(state: 0x1234_5678_9ABC_DEF1)
    var accepted = 0
    for _ in 0..<5_000 {
      var bytes = seed
      for _ in 0...(random.next() % 3) {
        let place = Int(random.next() % UInt64(bytes.count))
        if random.next() % 2 == 0 {
          bytes[place] = UInt8(truncatingIfNeeded: random.next())
        } else {
          bytes.removeSubrange(place..<min(bytes.count, place + 1 + Int(random.next() % 12)))
        }
      }
      if (try? XMLRPC.readCall(bytes)) != nil { accepted += 1 }
    }
    #expect(accepted > 0)
    #expect(accepted < 5_000)
  }

  @Test func `base64 is exact`() {
    for count in 0..<70 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 200) }
      #expect(Base64.decode(Base64.encode(bytes)) == bytes)
    }
    #expect(Base64.encode(Array("foobar".utf8)) == "Zm9vYmFy")
    #expect(Base64.encode(Array("fooba".utf8)) == "Zm9vYmE=")
    for bad in ["A", "AB", "ABC", "A===", "AB=C", "Zm9v!mFy", "Zm9vYmE=Zm9v"] { #expect(Base64.decode(bad) == nil) }
  }
}
