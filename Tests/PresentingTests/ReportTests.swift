import Market
import Presenting
import Testing
import Web

@Suite struct ReportTests {
  private var report: Report {
    var report = Report([
      .init("name", "NAME"), .init("pid", "PID", isNumber: true), .init("cost", "COST", isNumber: true),
      .init("secret", nil), .init("up", "UP"), .init("note", "NOTE"),
    ])
    report.add([.text("a"), .integer(7), .decimal(123_456_789_012, shown: 2), .text("x"), .seconds(3725), .none])
    report.add([
      .text("longer"), .integer(12345), .decimal(-50_000_000, shown: 2), .text("y"), .seconds(9.25), .text("é\""),
    ])
    return report
  }

  @Test func `columns are aligned, numbers at the right, without blanks at the end`() {
    #expect(
      report.table(empty: "") == """
        NAME      PID      COST  UP       NOTE
        a           7  1,234.57  1:02:05  –
        longer  12345     -0.50  0:09     é"

        """)
  }

  @Test func `details stand below their row`() {
    let lines = report.table(empty: "") { ["  detail \($0)"] }.split(separator: "\n")
    #expect(lines[2] == "  detail 0")
    #expect(lines[4] == "  detail 1")
  }

  @Test func `a report without rows says so, and is an empty array`() {
    let empty = Report([.init("name", "NAME")])
    #expect(empty.table(empty: "nothing") == "nothing\n")
    #expect(empty.json == "[]\n")
  }

  @Test func `JSON is exact and has every column`() throws {
    let rows = Array(try JSONDocument(report.json).root.elements)
    #expect(rows.count == 2)
    #expect(rows[0]["cost"]?.numberText == "1234.56789012")
    #expect(rows[0]["secret"]?.string == "x")
    #expect(rows[0]["up"]?.numberText == "3725.0")
    #expect(rows[0]["note"]?.isNull == true)
    #expect(rows[1]["note"]?.string == "é\"")
    #expect(rows[1]["pid"]?.integer == 12345)
  }

  @Test(
    arguments: [
      (Cell.decimal(5_000_000, shown: 1), "0.1"), (.decimal(4_999_999, shown: 1), "0.0"),
      (.decimal(-1, shown: 2), "0.00"),
      (.decimal(-5_000_000, shown: 1), "-0.1"), (.decimal(.max, shown: 8), "92,233,720,368.54775807"),
      (.decimal(.min, shown: 0), "-92,233,720,369"), (.number(.nan, shown: 2), "–"), (.number(1.005, shown: 1), "1.0"),
      (.share(0.01234), "1.23 %"), (.seconds(59.9), "0:59"), (.seconds(90_061), "1 d 1:01:01"), (.boolean(true), "yes"),
      (.id("0x1234567890abcdef1234567890"), "0x1234…7890"), (.id("short"), "short"),
    ] as [(Cell, String)])
  func `values are shown rounded`(_ cell: Cell, _ text: String) { #expect(cell.shown == text) }

  @Test func `no number becomes null in JSON`() throws {
    var report = Report([.init("x", "X")])
    report.add([.number(.infinity, shown: 1)])
    #expect(report.json == "[{\"x\":null}]\n")
  }
}
