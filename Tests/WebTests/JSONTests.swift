import Daemon
import Foundation
import Testing
import Web

@Suite struct JSONTests {
  @Test func `values of every kind are read`() throws {
    let root = try JSONDocument(
      #"{"n":null,"t":true,"f":false,"i":-12,"d":1.50,"s":"a\"\u00e9\n😀","a":[1,[2],{}],"o":{"x":{"y":"z"}},"":0}"#
    ).root
    #expect(root.kind == .object)
    #expect(root.count == 9)
    #expect(root["n"]?.isNull == true)
    #expect(root["t"]?.bool == true)
    #expect(root["f"]?.bool == false)
    #expect(root["i"]?.integer == -12)
    #expect(root["d"]?.numberText == "1.50")
    #expect(root["d"]?.integer == nil)
    #expect(root["s"]?.string == "a\"é\n😀")
    #expect(root["a"]?.elements.map(\.kind) == [.number, .array, .object])
    #expect(root["a"]?[1]?[0]?.integer == 2)
    #expect(root["a"]?[3] == nil)
    #expect(root["o"]?["x"]?["y"]?.string == "z")
    #expect(root[""]?.integer == 0)
    #expect(root["missing"] == nil)
    #expect(root["s"]?["x"] == nil)
    #expect(root.members.map(\.key) == ["n", "t", "f", "i", "d", "s", "a", "o", ""])
  }

  @Test(arguments: [
    "0", "-0", "0.1", "123456789012345678901234567890.123456789012345678901234567890", "1e400", "-1.0E-7", "1E+2",
  ])
  func `a number keeps its exact text`(text: String) throws {
    #expect(try JSONDocument(text).root.numberText == text)
    #expect(try JSONDocument("[ \(text) ,1]").root[0]?.numberText == text)
    #expect(try JSONDocument("{\"a\":\(text)}").root["a"]?.decimalText == text)
    #expect(try JSONDocument("\"\(text)\"").root.decimalText == text)
  }

  @Test func `of repeated names the first counts and all are walked`() throws {
    let root = try JSONDocument(#"{"a":1,"b":2,"a":3}"#).root
    #expect(root["a"]?.integer == 1)
    #expect(root.members.map(\.value.integer) == [1, 2, 3])
  }

  @Test func `a string with a zero byte stays whole`() throws {
    #expect(try JSONDocument(#"{"a\u0000b":"c\u0000d"}"#).root["a\0b"]?.string == "c\0d")
  }

  @Test(arguments: [
    "", " ", "{", "}", "[", "[1,]", "[,1]", "[1 2]", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{a:1}"#, "01", "1.", ".5",
    "+1", "-", "1e", "0x1", "NaN", "Infinity", "nul", "nulll", "True", "'a'", "\"a", #""\x""#, #""\ud800""#, "[1]]",
    "[1] 2", "{} {}", "1 2", "\"a\tb\"", "[1}", "{\"a\":1]", "\u{FEFF}1", "[\"a\nb\"]", "//", "[1/**/]",
  ])
  func `what is no JSON is refused`(text: String) {
    #expect(throws: JSONError(.malformed)) { try JSONDocument(text) }
  }

  @Test func `bytes that are no UTF-8 are refused`() {
    for bytes: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xC3]] {
      #expect(throws: JSONError(.notUTF8)) { try JSONDocument([0x5B, 0x22] + bytes + [0x22, 0x5D]) }
    }
  }

  @Test func `depth, length and number of values are limited`() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    #expect(try JSONDocument(nested(128)).root.kind == .array)
    #expect(throws: JSONError(.tooDeep)) { try JSONDocument(nested(129)) }
    #expect(throws: JSONError.self) { try JSONDocument(String(repeating: "[", count: 1_000_000)) }
    #expect(throws: JSONError.self) { try JSONDocument(String(repeating: #"{"a":"#, count: 200_000)) }
    #expect(throws: JSONError(.tooLarge)) { try JSONDocument("[1,2,3]", limits: JSONLimits(bytesMax: 6)) }
    #expect(throws: JSONError(.tooLarge)) { try JSONDocument("[1,2,3]", limits: JSONLimits(valuesMax: 3)) }
    #expect(try JSONDocument("[1,2,3]", limits: JSONLimits(bytesMax: 7, valuesMax: 4)).root.count == 3)
  }

  @Test func `a value outlives the variable of its document`() throws {
    func value() throws -> JSONValue? { try JSONDocument(#"{"a":["long enough to be on the heap"]}"#).root["a"]?[0] }
    #expect(try value()?.string == "long enough to be on the heap")
  }

  @Test func `what is written is read again`() throws {
    var writer = JSONWriter()
    writer.array { writer in
      writer.object { writer in
        writer.field("text", "quote \" slash \\ line \n tab \t bell \u{07} é 😀")
        writer.field("number", number: "0.10")
        writer.field("integer", Int64.min)
        writer.field("bool", true)
        writer.null("null")
        writer.object("empty") { _ in }
        writer.array("list") { writer in
          writer.value(1)
          writer.value("two")
          writer.value(false)
          writer.null()
        }
      }
      writer.object { _ in }
      writer.value(raw: "[1]")
    }
    #expect(
      writer.text
        == #"[{"text":"quote \" slash \\ line \n tab \t bell \u0007 é 😀","number":0.10,"integer":-9223372036854775808,"#
        + #""bool":true,"null":null,"empty":{},"list":[1,"two",false,null]},{},[1]]"#)
    let root = try JSONDocument(writer.bytes).root
    #expect(root[0]?["text"]?.string == "quote \" slash \\ line \n tab \t bell \u{07} é 😀")
    #expect(root[0]?["integer"]?.integer == .min)
  }

  @Test func `the writer quotes as the log does`() {
    let text = String((0..<0x300).compactMap(Unicode.Scalar.init).map(Character.init))
    var writer = JSONWriter()
    writer.value(text)
    #expect(writer.text == jsonQuoted(text))
  }

  @Test func `every payload recorded from a venue is read`() throws {
    let files = Fixtures.files
    if files.isEmpty { print("skipped: no fixtures at \(Fixtures.root)") }
    for file in files {
      let bytes = [UInt8](try Data(contentsOf: file))
      let document = try JSONDocument(bytes)
      let ours = rewritten(document.root)
      let theirs = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed) as? NSObject
      let again = try JSONSerialization.jsonObject(with: Data(ours.utf8), options: .fragmentsAllowed) as? NSObject
      #expect(theirs == again, "\(file.path)")
    }
  }

  @Test func `mutated payloads are read or refused and never crash`() throws {
    var seeds = try Fixtures.files.map { [UInt8](try Data(contentsOf: $0)) }.filter { $0.count < 20_000 }
    seeds.append(Array(#"{"a":[1,2.5e-3,"x\u00e9\ud83d\ude00",{"b":null,"c":[true,false,[]]}],"d":{}}"#.utf8))
    var random = Xorshift(state: 0x9E37_79B9_7F4A_7C15)
    let grammar = Array(#"[]{},:"\u019-tn."#.utf8)
    var accepted = 0
    for _ in 0..<20_000 {
      var bytes = seeds[Int(random.next() % UInt64(seeds.count))]
      for _ in 0...(random.next() % 4) where !bytes.isEmpty {
        let place = Int(random.next() % UInt64(bytes.count))
        switch random.next() % 4 {
        case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.removeSubrange(place..<min(bytes.count, place + 1 + Int(random.next() % 8)))
        case 2: bytes.insert(grammar[Int(random.next() % UInt64(grammar.count))], at: place)
        default: bytes.removeSubrange(place...)
        }
      }
      guard let document = try? JSONDocument(bytes) else { continue }
      accepted += 1
      #expect(!rewritten(document.root).isEmpty)
    }
    #expect(accepted > 100)
    #expect(accepted < 19_000)
  }

  private func rewritten(_ value: JSONValue) -> String {
    var writer = JSONWriter()
    write(value, &writer)
    return writer.text
  }

  private func write(_ value: JSONValue, _ writer: inout JSONWriter) {
    switch value.kind {
    case .null: writer.null()
    case .bool: writer.value(value.bool ?? false)
    case .number: writer.value(number: value.numberText ?? "")
    case .string: writer.value(value.string ?? "")
    case .array: writer.array { writer in for element in value.elements { write(element, &writer) } }
    case .object:
      writer.object { writer in
        for (key, member) in value.members {
          writer.key(key)
          write(member, &writer)
        }
      }
    }
  }
}

struct Xorshift {
  var state: UInt64
  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}

enum Fixtures {
  static var root: String {
    let shared = ProcessInfo.processInfo.environment["BULKHEAD_SHARED"]
    let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    return shared.map { $0 + "/venues/fixtures" }
      ?? package.deletingLastPathComponent().appendingPathComponent("shared/venues/fixtures").path
  }

  static var files: [URL] {
    guard let walk = FileManager.default.enumerator(atPath: root) else { return [] }
    return walk.compactMap { $0 as? String }.filter { $0.hasSuffix(".json") }.sorted()
      .map { URL(fileURLWithPath: root).appendingPathComponent($0) }
  }
}
