import Foundation
import Market
import Matching
import TestSupport
import Testing

@Suite struct VerifiedMatchesTests {
  private let folder = ScratchDirectory()

  private func pair(_ polymarket: String = "0x01", _ kalshi: String = "KX-1") -> MatchedPair {
    var pair = MatchedPair(
      polymarket: polymarket, kalshi: kalshi, polarity: .opposite, polymarketTerms: 0x00AB_0000_0000_0001,
      kalshiTerms: UInt64.max)
    pair.polymarketTitle = "Will \"it\" rain?"
    pair.kalshiTitle = "Rain — ügly"
    pair.score = 98.21
    pair.decidedAt = Timestamp(nanoseconds: 1_784_852_721_000_000_000)
    pair.by = "anna"
    return pair
  }

  private func market(_ venue: Venue, _ id: String, terms: UInt64, outcomes: Int = 2) -> PredictionMarket {
    var market = PredictionMarket(
      venue: venue, id: id, eventID: "", question: "", outcomes: [], tick: Price(raw: 1_000_000))
    market.outcomes = (0..<outcomes).map { Outcome(token: "\(id)-\($0)", name: "\($0)") }
    market.termsDigest = terms
    return market
  }

  @Test func `what is saved is what is read`() throws {
    let file = folder.file("data/verified_matches.json")
    var matches = VerifiedMatches()
    matches.decide(pair())
    var rejected = pair("0x02")
    rejected.decision = .rejected
    rejected.polarity = .same
    matches.decide(rejected)
    try matches.save(file)
    #expect(try VerifiedMatches.load(file).all == [pair(), rejected])
    // Nothing is left beside it.
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/data") == ["verified_matches.json"])
  }

  @Test func `a file that is not there decides nothing`() throws {
    #expect(try VerifiedMatches.load(folder.file("none.json"), readingAlso: [folder.file("none2.json")]).all.isEmpty)
  }

  @Test(arguments: [
    ("[]", "expected an object"),
    ("{\"version\":2,\"matches\":[]}", "version"),
    ("{\"version\":1}", "matches"),
    ("{\"version\":1,\"matches\":[{}]}", "matches[0].polymarket"),
    ("{\"version\":1", "malformed"),
  ])
  func `an error names file and field`(text: String, part: String) throws {
    let file = folder.file("wrong.json")
    try Data(text.utf8).write(to: URL(filePath: file))
    let error = try #require(throws: VerifiedMatchesError.self) { try VerifiedMatches.load(file) }
    #expect(error.description.hasPrefix(file + ": "))
    #expect(error.description.contains(part), "\(error)")
  }

  @Test(arguments: [
    ("polarity", "\"sideways\""), ("polarity", "null"), ("polymarket_terms", "\"12\""),
    ("kalshi_terms", "\"+00000000000000f\""), ("decision", "\"maybe\""), ("score", "101"), ("score", "\"high\""),
    ("decided_at", "\"yesterday\""), ("kalshi", "\"\""), ("by", "7"),
  ])
  func `a field that is wrong is named`(field: String, value: String) throws {
    let file = folder.file("field.json")
    var matches = VerifiedMatches()
    matches.decide(pair())
    try matches.save(file)
    let lines = try String(contentsOfFile: file, encoding: .utf8)
    let pattern = try Regex("\"\(field)\":(\"(\\\\\"|[^\"])*\"|[0-9.]+)")
    let broken = lines.replacing(pattern, with: "\"\(field)\":\(value)")
    #expect(broken != lines)
    try Data(broken.utf8).write(to: URL(filePath: file))
    let error = try #require(throws: VerifiedMatchesError.self) { try VerifiedMatches.load(file) }
    #expect(error.field == "matches[0].\(field)")
  }

  @Test func `a pair that is decided on twice in one file is refused`() throws {
    let file = folder.file("twice.json")
    var matches = VerifiedMatches()
    matches.decide(pair())
    try matches.save(file)
    let line = try #require(try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").dropFirst().first)
    try Data("{\"version\":1,\"matches\":[\(line),\(line)]}".utf8).write(to: URL(filePath: file))
    let error = try #require(throws: VerifiedMatchesError.self) { try VerifiedMatches.load(file) }
    #expect(error.field == "matches[1]")
  }

  @Test func `a person's own decision is stronger than a file that is only read`() throws {
    let (own, other) = (folder.file("own.json"), folder.file("other.json"))
    var matches = VerifiedMatches()
    var rejected = pair()
    rejected.decision = .rejected
    matches.decide(rejected)
    try matches.save(own)
    var others = VerifiedMatches()
    others.decide(pair())
    others.decide(pair("0x09"))
    try others.save(other)
    let loaded = try VerifiedMatches.load(own, readingAlso: [other])
    #expect(loaded.all == [rejected, pair("0x09")])
  }

  @Test func `an approval holds while both markets say what was approved`() {
    var matches = VerifiedMatches()
    matches.decide(pair())
    let terms = (pair().polymarketTerms, pair().kalshiTerms)
    func check(_ polymarket: PredictionMarket?, _ kalshi: PredictionMarket?) -> CheckedPairs {
      matches.check { venue, id in
        venue == .polymarket && id == "0x01" ? polymarket : venue == .kalshi && id == "KX-1" ? kalshi : nil
      }
    }
    let (first, second) = (market(.polymarket, "0x01", terms: terms.0), market(.kalshi, "KX-1", terms: terms.1))
    let held = check(first, second)
    #expect(held.valid == [CheckedPairs.Valid(pair: pair(), polymarket: first, kalshi: second)])
    #expect(held.withdrawn.isEmpty)

    let withdrawn: [(PredictionMarket?, PredictionMarket?, WithdrawalReason)] = [
      (nil, second, .polymarketUnlisted), (first, nil, .kalshiUnlisted),
      (market(.polymarket, "0x01", terms: 5), second, .polymarketTermsChanged),
      (first, market(.kalshi, "KX-1", terms: 5), .kalshiTermsChanged),
      (market(.polymarket, "0x01", terms: 0), second, .termsUnknown),
      (first, market(.kalshi, "KX-1", terms: 0), .termsUnknown),
      (first, market(.kalshi, "KX-1", terms: terms.1, outcomes: 3), .notBinary),
    ]
    for (polymarket, kalshi, reason) in withdrawn {
      let checked = check(polymarket, kalshi)
      #expect(checked.valid.isEmpty)
      #expect(checked.withdrawn.map(\.reason) == [reason])
    }
  }

  @Test func `an approval that names no terms never holds`() {
    var matches = VerifiedMatches()
    var unknown = pair()
    unknown.polymarketTerms = 0
    matches.decide(unknown)
    let checked = matches.check { venue, id in market(venue, id, terms: venue == .polymarket ? 0 : .max) }
    #expect(checked.valid.isEmpty)
    #expect(checked.withdrawn.map(\.reason) == [.termsUnknown])
  }

  @Test func `a rejected pair neither trades nor counts as withdrawn`() {
    var matches = VerifiedMatches()
    var rejected = pair()
    rejected.decision = .rejected
    matches.decide(rejected)
    let checked = matches.check { venue, id in
      market(venue, id, terms: venue == .polymarket ? rejected.polymarketTerms : rejected.kalshiTerms)
    }
    #expect(checked == CheckedPairs())
  }
}
