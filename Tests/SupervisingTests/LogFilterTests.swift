import Foundation
import Market
import Supervising
import Testing

/// What happens to output on its way, as pure functions of the pieces that are read.
struct LogFilterTests {
  /// Calls `body` with a text cut in two at each place, and in single bytes.
  private func eachCut(_ text: String, _ body: ([[UInt8]]) -> Void) {
    let bytes = Array(text.utf8)
    for place in 0...bytes.count { body([Array(bytes[..<place]), Array(bytes[place...])]) }
    body(bytes.map { [$0] })
  }

  private func scanned(_ scanner: inout CaptureScanner, _ parts: [[UInt8]]) -> (log: String, communications: [String]) {
    var log: [UInt8] = []
    var communications: [String] = []
    for part in parts {
      for piece in part.withUnsafeBytes({ scanner.scan($0) }) {
        switch piece {
        case .log(let bytes): log += bytes
        case .communication(let bytes): communications.append(String(decoding: bytes, as: UTF8.self))
        }
      }
    }
    return (String(decoding: log, as: UTF8.self), communications)
  }

  @Test func `what stands between the marks is taken out, wherever reads cut it`() {
    let text =
      "a<!--X<!--XSUPERVISOR:BEGIN-->one<!--<!--XSUPERVISOR:END-->b\n<!--XSUPERVISOR:BEGIN--><!--XSUPERVISOR:END-->c<"
    eachCut(text) { parts in
      var scanner = CaptureScanner(sizeMax: 100)
      let (log, communications) = scanned(&scanner, parts)
      #expect(log + String(decoding: scanner.finish(), as: UTF8.self) == "a<!--Xb\nc<")
      #expect(communications == ["one<!--", ""])
    }
  }

  @Test func `of a long communication the last part is kept`() {
    eachCut("<!--XSUPERVISOR:BEGIN-->0123456789<!--XSUPERVISOR:END-->x") { parts in
      var scanner = CaptureScanner(sizeMax: 4)
      let (log, communications) = scanned(&scanner, parts)
      #expect(log == "x")
      #expect(communications == ["6789"])
    }
  }

  @Test func `a communication that was never ended is forgotten with its process`() {
    var scanner = CaptureScanner(sizeMax: 100)
    let first = scanned(&scanner, [Array("a<!--XSUPERVISOR:BEGIN-->lost".utf8)])
    #expect(first.log == "a")
    #expect(scanner.finish().isEmpty)
    #expect(scanned(&scanner, [Array("next".utf8)]).log == "next")
  }

  @Test func `escape sequences are dropped, wherever reads cut them`() {
    let text = "\u{1B}[1;31mred\u{1B}[0m \u{1B}]0;title\u{07}plain\u{1B}(B\u{1B}]8;;u\u{1B}\\link [1m\n"
    eachCut(text) { parts in
      var filter = EscapeFilter()
      let result = parts.flatMap { part in part.withUnsafeBytes { filter.filter($0) } }
      #expect(String(decoding: result, as: UTF8.self) == "red plainlink [1m\n")
    }
  }

  @Test func `the time stands before each line, once, wherever reads cut them`() {
    let now = Timestamp(nanoseconds: 1_784_852_721_042_999_999)
    eachCut("one\n\ntwo\nthr") { parts in
      var stamps = LineStamps()
      let result = parts.flatMap { part in part.withUnsafeBytes { stamps.stamp($0, now: now) } }
      let stamp = "2026-07-24T00:25:21.042Z "
      #expect(String(decoding: result, as: UTF8.self) == "\(stamp)one\n\(stamp)\n\(stamp)two\n\(stamp)thr")
    }
  }
}
