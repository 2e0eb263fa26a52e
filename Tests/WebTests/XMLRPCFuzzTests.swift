import Testing
import TestSupport
import Web

/// Whatever arrives: a call, or an error; never an end.
@Suite struct XMLRPCFuzzTests {
  private static let samples: [[UInt8]] = [
    XMLRPC.write(XMLRPCCall("supervisor.getState")),
    XMLRPC.write(XMLRPCCall("supervisor.startProcess", ["a:b", true])),
    XMLRPC.write(
      XMLRPCCall(
        "system.multicall",
        [[["methodName": "supervisor.tailProcessStdoutLog", "params": ["ä&<>", 0, -5]], ["methodName": "x"]]])),
    XMLRPC.write(
      XMLRPCCall("x", [.double(1.5), .base64([1, 2, 3]), .null, .dateTime("19980717T14:08:55"), .integer(1 << 40)])),
    Array(
      "<?xml version='1.0' encoding='UTF-8'?><methodCall><methodName>a</methodName><params><param><value>x</value></param></params></methodCall>"
        .utf8),
  ]

  private static let words = [
    "<value>", "</value>", "<array><data>", "<struct>", "<member>", "<name>", "&amp;", "&x;", "<![CDATA[", "]]>",
    "<!--",
    "<!DOCTYPE a [<!ENTITY b 'c'>]>", "<?x?>", "\0", "\u{FFFE}", "<int>99999999999999999999</int>", "<i8>-1</i8>",
    "&#0;",
    "<double>nan</double>", "<base64>!!</base64>", "<boolean>2</boolean>", "\r\n", "]]", "<params/>",
  ].map { Array($0.utf8) }

  private func mutate(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
    for _ in 0...Int.random(in: 0..<4, using: &random) {
      let place = Int.random(in: 0...bytes.count, using: &random)
      switch Int.random(in: 0..<6, using: &random) {
      case 0 where place < bytes.count: bytes[place] = UInt8.random(in: 0...255, using: &random)
      case 1 where place < bytes.count:
        bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1..<20, using: &random)))
      case 2: bytes.insert(contentsOf: Self.words.randomElement(using: &random) ?? [], at: place)
      case 3 where place < bytes.count:
        let end = min(bytes.count, place + Int.random(in: 1..<60, using: &random))
        bytes.insert(contentsOf: bytes[place..<end], at: place)
      case 4: bytes.removeSubrange(place...)
      default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
      }
    }
  }

  @Test func `a hundred thousand mutated calls are read or refused, and what is read can be written`() {
    var random = SeededRandom(seed: 7)
    var readCount = 0
    for round in 0..<100_000 {
      var bytes = Self.samples[round % Self.samples.count]
      mutate(&bytes, &random)
      guard let call = try? XMLRPC.readCall(bytes) else { continue }
      readCount += 1
      #expect((try? XMLRPC.readCall(XMLRPC.write(call)))?.method == call.method)
    }
    // Neither everything nor nothing.
    #expect(readCount > 1000 && readCount < 99_000)
  }

  @Test func `bombs and abysses are refused`() {
    let laughs =
      "<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'ha'>"
      + (0..<20).map {
        "<!ENTITY \($0 == 0 ? "b0" : "b\($0)") '&\($0 == 0 ? "a" : "b\($0 - 1)");&\($0 == 0 ? "a" : "b\($0 - 1)");'>"
      }
      .joined() + "]><methodCall><methodName>&b19;</methodName></methodCall>"
    let external =
      "<?xml version='1.0'?><!DOCTYPE m SYSTEM 'file:///etc/passwd'><methodCall><methodName>a</methodName></methodCall>"
    let deep = String(repeating: "<value><array><data>", count: 100_000)
    for text in [laughs, external, "<methodCall><methodName>a</methodName><params><param>" + deep, deep] {
      #expect(throws: XMLRPCError.self) { try XMLRPC.readCall(Array(text.utf8)) }
    }
    let long =
      "<methodCall><methodName>" + String(repeating: "a", count: XMLRPC.bytesMax) + "</methodName></methodCall>"
    #expect(throws: XMLRPCError.self) { try XMLRPC.readCall(Array(long.utf8)) }
  }

  @Test func `any text can be written, and is read as it was`() throws {
    var random = SeededRandom(seed: 11)
    for _ in 0..<2000 {
      let scalars = (0..<Int.random(in: 0..<40, using: &random)).compactMap { _ in
        Unicode.Scalar(UInt32.random(in: 0...(Bool.random(using: &random) ? 0x10FFFF : 0x7F), using: &random))
      }
      let text = String(String.UnicodeScalarView(scalars))
      let legal = String(
        String.UnicodeScalarView(
          scalars.map { scalar in
            let isLegal =
              scalar.value >= 0x20
              ? scalar.value != 0xFFFE && scalar.value != 0xFFFF
              : scalar == "\t" || scalar == "\n" || scalar == "\r"
            return isLegal ? scalar : "\u{FFFD}"
          }))
      let response = try XMLRPC.readResponse(XMLRPC.write(.value(.string(text))))
      guard case .value(.string(let back)) = response else {
        Issue.record("no string")
        return
      }
      #expect(Array(back.unicodeScalars) == Array(legal.unicodeScalars))
    }
  }
}
