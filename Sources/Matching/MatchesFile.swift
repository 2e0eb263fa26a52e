internal import Daemon
internal import Market
internal import Web

/// The form of `verified_matches.json`, version 1.
///
/// `{"version":1,"matches":[{"polymarket":"0x5f65…","kalshi":"KXFED-26JAN-T3.50","polarity":"same",
///   "polymarket_terms":"9b1c…16 digits","kalshi_terms":"77d0…","polymarket_title":"…","kalshi_title":"…",
///   "score":98.21,"decision":"approved","decided_at":"2026-07-24T00:25:21.000Z","by":"anna"}]}`
struct MatchesFile {
  let file: String
  /// Whether `*` may stand for the terms of both markets.
  var allowsAnyTerms = false

  func read(_ bytes: [UInt8]) throws(VerifiedMatchesError) -> VerifiedMatches {
    let root: JSONValue
    do throws(JSONError) {
      root = try JSONDocument(bytes).root
    } catch {
      throw wrong("", "\(error)")
    }
    guard root.kind == .object else { throw wrong("", "expected an object, found \(root.kind.rawValue)") }
    guard let version = root["version"]?.numberText, version == "1" else {
      throw wrong("version", "expected 1")
    }
    guard let rows = root["matches"], rows.kind == .array else { throw wrong("matches", "expected an array") }
    var matches = VerifiedMatches()
    for (index, row) in rows.elements.enumerated() {
      let pair = try read(row, "matches[\(index)]")
      guard matches.pair(polymarket: pair.polymarket, kalshi: pair.kalshi) == nil else {
        throw wrong("matches[\(index)]", "decides on a pair that an earlier one decides on, too")
      }
      matches.decide(pair)
    }
    return matches
  }

  private func read(_ row: JSONValue, _ place: String) throws(VerifiedMatchesError) -> MatchedPair {
    guard row.kind == .object else { throw wrong(place, "expected an object, found \(row.kind.rawValue)") }
    let holdsForAnyTerms =
      allowsAnyTerms && row["polymarket_terms"]?.string == "*" && row["kalshi_terms"]?.string == "*"
    var pair = MatchedPair(
      polymarket: try name(row, place, "polymarket"), kalshi: try name(row, place, "kalshi"),
      polarity: try word(row, place, "polarity"),
      polymarketTerms: holdsForAnyTerms ? 0 : try digest(row, place, "polymarket_terms"),
      kalshiTerms: holdsForAnyTerms ? 0 : try digest(row, place, "kalshi_terms"))
    pair.holdsForAnyTerms = holdsForAnyTerms
    pair.decision = try word(row, place, "decision")
    pair.polymarketTitle = try text(row, place, "polymarket_title") ?? ""
    pair.kalshiTitle = try text(row, place, "kalshi_title") ?? ""
    pair.by = try text(row, place, "by") ?? ""
    if let score = row["score"], !score.isNull {
      guard let number = score.numberText.flatMap(Double.init), (0...100).contains(number) else {
        throw wrong(place + ".score", "expected a number from 0 to 100")
      }
      pair.score = number
    }
    if let time = try text(row, place, "decided_at") {
      guard let time = try? Timestamp(rfc3339: time) else {
        throw wrong(place + ".decided_at", "expected a time such as 2026-07-24T00:25:21Z, found \(jsonQuoted(time))")
      }
      pair.decidedAt = time
    }
    return pair
  }

  private func text(_ row: JSONValue, _ place: String, _ field: String) throws(VerifiedMatchesError) -> String? {
    guard let value = row[field], !value.isNull else { return nil }
    guard let text = value.string else { throw wrong("\(place).\(field)", "expected a text") }
    return text
  }

  private func name(_ row: JSONValue, _ place: String, _ field: String) throws(VerifiedMatchesError) -> String {
    guard let text = try text(row, place, field), !text.isEmpty else {
      throw wrong("\(place).\(field)", "expected the market's id")
    }
    return text
  }

  private func word<Word: RawRepresentable<String> & CaseIterable>(
    _ row: JSONValue, _ place: String, _ field: String
  ) throws(VerifiedMatchesError) -> Word {
    guard let text = try text(row, place, field), let word = Word(rawValue: text) else {
      let words = Word.allCases.map(\.rawValue).joined(separator: " or ")
      throw wrong("\(place).\(field)", "expected \(words)")
    }
    return word
  }

  private func digest(_ row: JSONValue, _ place: String, _ field: String) throws(VerifiedMatchesError) -> UInt64 {
    guard let text = try text(row, place, field), let digest = TermsDigest.value(text) else {
      throw wrong("\(place).\(field)", "expected 16 hexadecimal digits")
    }
    return digest
  }

  private func wrong(_ field: String, _ problem: String) -> VerifiedMatchesError {
    VerifiedMatchesError(file: file, field: field, problem: problem)
  }

  /// A file that holds these decisions, one a line.
  static func text(_ pairs: [MatchedPair]) -> [UInt8] {
    var text = "{\"version\":1,\"matches\":[\n"
    for (index, pair) in pairs.enumerated() {
      var writer = JSONWriter()
      writer.object { writer in
        writer.field("polymarket", pair.polymarket)
        writer.field("kalshi", pair.kalshi)
        writer.field("polarity", pair.polarity.rawValue)
        writer.field("polymarket_terms", TermsDigest.text(pair.polymarketTerms))
        writer.field("kalshi_terms", TermsDigest.text(pair.kalshiTerms))
        writer.field("polymarket_title", pair.polymarketTitle)
        writer.field("kalshi_title", pair.kalshiTitle)
        writer.field("score", number: TermsDigest.score(pair.score))
        writer.field("decision", pair.decision.rawValue)
        writer.field("decided_at", "\(pair.decidedAt)")
        writer.field("by", pair.by)
      }
      text += writer.text + (index == pairs.count - 1 ? "\n" : ",\n")
    }
    return Array((text + "]}\n").utf8)
  }
}

/// How digests and scores are written.
public enum TermsDigest {
  /// 16 hexadecimal digits in lower case.
  public static func text(_ digest: UInt64) -> String {
    let digits = String(digest, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// Reads 16 hexadecimal digits; nil for anything else.
  public static func value(_ text: String) -> UInt64? {
    guard text.utf8.count == 16, text.utf8.allSatisfy({ $0 != 0x2B && $0 != 0x2D }) else { return nil }
    return UInt64(text, radix: 16)
  }

  /// A score with two decimals, rounded to the nearest.
  public static func score(_ score: Double) -> String {
    let hundredths = Int((score * 100).rounded())
    let rest = String(hundredths % 100)
    return "\(hundredths / 100)." + (rest.count < 2 ? "0" : "") + rest
  }
}
