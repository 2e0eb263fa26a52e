import Daemon
import Foundation
import Market
import TestSupport
import Testing
import Venues
import Web

/// The drift canary against payloads that lack something.
@Suite struct ShapeCheckTests {
  private static let event = """
    {"events":[{"id":"1","title":"T","markets":[{"id":"1","conditionId":"0x1","question":"Q","outcomes":"[\\"Yes\\",\\"No\\"]",\
    "clobTokenIds":"[\\"71\\",\\"72\\"]","orderPriceMinTickSize":0.01,"orderMinSize":5,"active":true,"closed":false,\
    "acceptingOrders":true,"enableOrderBook":true,"negRisk":false,"feesEnabled":true,"endDate":"2030-01-01T00:00:00Z"}]}]}
    """
  private static func book(_ token: String) -> String {
    """
    {"market":"0x1","asset_id":"\(token)","timestamp":"1800000000000","hash":"","bids":[{"price":"0.40","size":"100"}],\
    "asks":[{"price":"0.45","size":"100"}]}
    """
  }
  private static let trades = #"[{"side":"BUY","asset":"71","size":5,"price":0.41,"timestamp":1800000000}]"#

  /// Looks at a Polymarket whose answers were changed.
  private func look(_ change: @escaping @Sendable (String) -> String) async -> [String: ShapeFinding] {
    let scratch = ScratchDirectory()
    let text = """
      [polymarket]
      gamma_url = http://venue/gamma
      clob_url = http://venue/clob
      data_url = http://venue/data
      verify_book_hash = false
      """
    let file = ConfigurationFile(text: text, path: "supervisor.conf", directory: scratch.path)
    let settings = Settings.read(file, environment: [:]).settings
    let transport = VenueTransport { (request) async throws(HTTPError) in
      let answer =
        switch request.path {
        case "/gamma/events/keyset": Self.event
        case "/clob/book": Self.book("71")
        case "/clob/books": "[\(Self.book("71")),\(Self.book("72"))]"
        case "/data/trades": Self.trades
        case "/clob/time": "1800000000"
        default: "{}"
        }
      return response(change(answer))
    }
    let check = ShapeCheck(settings: settings, runDirectory: scratch.path, transport: transport)
    let findings = await check.run(.polymarket)
    return Dictionary(findings.map { ($0.kind, $0) }) { first, _ in first }
  }

  @Test func `answers of the known shape are well`() async {
    let findings = await look { $0 }
    #expect(Set(findings.keys) == ["events", "book", "books", "trades", "time"])
    #expect(findings.values.allSatisfy { $0.verdict == .ok && $0.text.isEmpty }, "\(findings)")
  }

  @Test(arguments: [
    ("conditionId", "events", "conditionId"), ("feesEnabled", "events", "feesEnabled"), ("asks", "book", "asks"),
    ("price", "trades", "[0].price"),
    ("timestamp", "trades", "[0].timestamp"),
  ])
  func `a field that bears another name is named`(field: String, kind: String, path: String) async {
    let finding = await look { $0.replacingOccurrences(of: "\"\(field)\":", with: "\"renamed\":") }[kind]
    #expect(finding?.verdict == .different)
    #expect(finding?.field.contains(path) == true, "\(String(describing: finding))")
    #expect(finding?.text.contains(field) == true && finding?.newFields == ["renamed"])
    if kind == "events" { #expect(finding?.problem == "is in no row of the answer") }
  }

  @Test func `a field of another type is named`() async {
    let finding = await look { $0.replacingOccurrences(of: "\"price\":\"0.40\"", with: "\"price\":true") }["book"]
    #expect(finding?.verdict == .different && finding?.field == "bids[0].price")
    #expect(finding?.problem.contains("true") == true)
  }

  @Test func `a new field is told, and is no fault`() async {
    let finding = await look { $0.replacingOccurrences(of: "\"hash\":", with: "\"v3_extra\":1,\"hash\":") }["book"]
    #expect(finding?.verdict == .ok && finding?.newFields == ["v3_extra"])
    #expect(finding?.text == "new fields: v3_extra")
  }

  @Test func `an answer that is cut off is another shape, none at all is not known`() async {
    let cut = await look { String($0.prefix($0.count / 2)) }
    #expect(cut["trades"]?.verdict == .different && cut["events"]?.verdict == .different)
    #expect(cut["book"]?.verdict == .unknown)
    let empty = await look { $0 == Self.trades ? "[]" : $0 }
    #expect(empty["trades"]?.verdict == .unknown && empty["events"]?.verdict == .ok)
  }
}
