import Foundation
import TestSupport
import Testing
import Web

@Suite struct DecodeTests {
  private static let lines = """
    {"recv_ms":1,"event":{"type":"orderbook_snapshot","sid":1,"seq":7,"msg":{"market_ticker":"KX-1","yes_dollars_fp":[["0.4000","10.00"]]}}}
    {"recv_ms":2,"event":{"type":"orderbook_delta","sid":1,"seq":9,"msg":{"market_ticker":"KX-1","price_dollars":"0.4000","delta_fp":"-9.99","side":"yes"}}}
    {"recv_ms":3,"event":{"type":"orderbook_delta","sid":1,"seq":11,"msg":{"market_ticker":"KX-1","price_dollars":"4","delta_fp":"1","side":"no"}}}

    """

  @Test func `each message is a line, a bad one too, and the book comes at the end`() throws {
    let directory = ScratchDirectory()
    let file = directory.path + "/tape.ndjson"
    try Self.lines.write(toFile: file, atomically: true, encoding: .utf8)
    let answer = try bulkhead(["decode", "kalshi", "tape", file, "--json"])
    #expect(answer.status == 1 && answer.errors.isEmpty, "\(answer.errors)")
    let rows = try answer.output.split(separator: "\n").map { try JSONDocument(String($0)).root }
    #expect(rows.map { $0["kind"]?.string } == ["orderbook_snapshot", "orderbook_delta", "orderbook_delta", "book"])
    #expect(rows[1]["change"]?.string == "-9.99")
    #expect(rows[2]["field"]?.string == "msg.price_dollars" && rows[2]["venue"]?.string == "kalshi")
    #expect(rows[3]["yes"]?["total_size"]?.string == "0.01" && rows[3]["state"]?.string == "live")

    let text = try bulkhead(["decode", "kalshi", "auto", file])
    #expect(text.status == 1)
    let told = text.output.split(separator: "\n")
    #expect(told.count == 3 && told[2].hasPrefix("error: kalshi orderbook_delta: msg.price_dollars: "))
    #expect(told[1].contains("change=-9.99"))
  }

  @Test func `nothing but good messages exits with 0`() throws {
    let directory = ScratchDirectory()
    let file = directory.path + "/ticker.json"
    let ticker = #"{"symbol":"BTCUSDT","bidPrice":"60741.67","bidQty":"0.3","askPrice":"60741.68","askQty":"0.4"}"#
    try ticker.write(toFile: file, atomically: true, encoding: .utf8)
    let answer = try bulkhead(["decode", "binance", "ticker", file])
    #expect(answer.status == 0 && answer.output.contains("bid=0.3@60741.67"), "\(answer.output)\(answer.errors)")
  }

  @Test(arguments: [
    (["decode", "nowhere", "auto", "-"], "polymarket"), (["decode", "kalshi", "dance", "-"], "orderbook"),
  ])
  func `a wrong venue or kind says which there are`(_ arguments: [String], _ known: String) throws {
    let answer = try bulkhead(arguments)
    #expect(answer.status == 64 && answer.errors.contains(known), "\(answer.errors)")
  }

  @Test func `a file that is not there exits with 111`() throws {
    #expect(try bulkhead(["decode", "kalshi", "auto", "/nowhere/file.json"]).status == 111)
  }
}
