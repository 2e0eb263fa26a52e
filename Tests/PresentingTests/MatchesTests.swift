import Foundation
import Market
import Matching
import Store
import TestSupport
import Testing
import Web

@Suite struct MatchesTests {
  private let directory: ScratchDirectory
  private let file: String
  private let condition = "0x" + String(repeating: "5f", count: 32)

  init() throws {
    directory = ScratchDirectory()
    let folder = directory.path
    file = try directory.configure(
      "[matching]\nmatches_file = \(folder)/data/matches.json\npairs_files = \(folder)/run/pairs.json\n")
  }

  private func terms(_ venue: Venue, _ id: String, _ title: String, rules: String, digest: UInt64) throws -> MarketTerms
  {
    MarketTerms(
      venue: venue, id: id, title: title, rules: rules, closesAt: try Timestamp(rfc3339: "2099-12-31T17:00:00Z"),
      digest: digest)
  }

  /// One pair that is the same, one that is not.
  private func fill(kalshiDigest: UInt64 = 2) throws {
    let store = try HistoryStore(path: directory.path + "/data/history.db")
    var batch = HistoryBatch(time: noon)
    batch.terms = [
      try terms(
        .polymarket, condition, "Will aliens land before 2100?", rules: "If NASA says so. Otherwise no.", digest: 1),
      try terms(.kalshi, "KXALIEN-99", "Aliens land by end of 2099?", rules: "If NASA says so.", digest: kalshiDigest),
      try terms(.kalshi, "KXALIEN-98", "Aliens land by end of 2098?", rules: "If NASA says so.", digest: 3),
    ]
    try store.write(batch)
  }

  private func rows(_ arguments: [String]) throws -> [JSONValue] {
    let answer = try bulkhead(["matches", "list", "--json", "-c", file] + arguments)
    #expect(answer.status == 0, "\(answer.errors)")
    return Array(try JSONDocument(answer.output).root.elements)
  }

  @Test func `a candidate is shown, approved, and withdrawn when a venue changes its words`() throws {
    try fill()
    let candidate = try #require(try rows([]).first)
    #expect(candidate["state"]?.string == "candidate" && candidate["confidence"]?.integer == 0)
    #expect(candidate["polymarket"]?.string == condition && candidate["kalshi"]?.string == "KXALIEN-99")
    #expect(try rows(["--all"]).map { $0["reason"]?.string } == ["", "years"])

    let shown = try bulkhead(["matches", "show", "KXALIEN-99", condition, "-c", file])
    #expect(shown.status == 0, "\(shown.errors)")
    #expect(
      shown.output.contains("≠ rules") && shown.output.contains("*Otherwise*") && shown.output.contains("= closes_at"))
    let json = try JSONDocument(bulkhead(["matches", "show", condition, "KXALIEN-99", "--json", "-c", file]).output)
      .root
    #expect(json["different"]?.elements.compactMap(\.string) == ["title", "rules"])
    #expect(json["polymarket"]?["rules"]?.string == "If NASA says so. Otherwise no.")

    let approved = try bulkhead(
      ["matches", "approve", condition, "KXALIEN-99", "-c", file], environment: ["USER": "anna"])
    #expect(approved.status == 0, "\(approved.errors)")
    let decided = try #require(try VerifiedMatches.load(directory.path + "/data/matches.json").all.first)
    #expect(decided.decision == .approved && decided.polarity == .same && decided.by == "anna")
    #expect(decided.polymarketTerms == 1 && decided.kalshiTerms == 2)
    #expect(try rows([]).map { [$0["state"]?.string, $0["reason"]?.string] } == [["approved", "by anna"]])

    try fill(kalshiDigest: 9)
    let withdrawn = try #require(try rows([]).first)
    #expect(withdrawn["state"]?.string == "withdrawn" && withdrawn["reason"]?.string == "kalshiTermsChanged")
    #expect(withdrawn["confidence"]?.integer == 0)
  }

  @Test func `a rejection hides a candidate, and an export reads as decisions`() throws {
    try fill()
    #expect(try bulkhead(["matches", "reject", condition, "KXALIEN-99", "-c", file]).status == 0)
    #expect(try rows([]).map { $0["state"]?.string } == ["rejected"])
    let export = directory.path + "/export.json"
    #expect(try bulkhead(["matches", "export", export, "-c", file]).status == 0)
    #expect(try VerifiedMatches.load(export).all.map(\.decision) == [.rejected])
  }

  @Test func `what the rules reject is approved only by somebody who says so, and is warned`() throws {
    try fill()
    let answer = try bulkhead(
      ["matches", "approve", condition, "KXALIEN-98", "--polarity", "opposite", "-c", file])
    #expect(answer.status == 0 && answer.output.contains("different years"))
    #expect(try VerifiedMatches.load(directory.path + "/data/matches.json").all.first?.polarity == .opposite)
    let wrong = try bulkhead(["matches", "approve", condition, "KXALIEN-98", "--polarity", "sideways", "-c", file])
    #expect(wrong.status == 64)
    let unknown = try bulkhead(["matches", "approve", condition, "KXNOBODY", "-c", file])
    #expect(unknown.status == 111 && unknown.errors.contains("KXNOBODY"))
  }

  @Test func `a file of pairs that is wrong is named`() throws {
    try fill()
    try Data("{\"version\":1,\"matches\":[{}]}".utf8).write(to: URL(filePath: directory.path + "/run/pairs.json"))
    let answer = try bulkhead(["matches", "list", "-c", file])
    #expect(answer.status == 100)
    #expect(answer.errors.contains("run/pairs.json: matches[0].polymarket"))
  }

  @Test func `two titles are compared without any data`() throws {
    let answer = try bulkhead(
      ["matches", "try", "Will the Chiefs win Super Bowl LVIII?", "Will the Chiefs win Super Bowl LIX?", "--json"])
    let verdict = try JSONDocument(answer.output).root
    #expect(verdict["verdict"]?.string == "rejected" && verdict["reason"]?.string == "romanNumerals")
    #expect(verdict["score"]?.numberText == "94.44")
    #expect(verdict["confidence"]?.integer == 0)
    let same = try bulkhead([
      "matches", "try", "BTC hits $100k in 2026?", "Will Bitcoin reach $100,000 by end of 2026?",
    ])
    #expect(same.output.contains("candidate") && same.output.contains("polarity    same"))
    #expect(try bulkhead(["matches", "try", "one"]).status == 64)
  }
}
