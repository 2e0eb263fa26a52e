internal import Market
internal import Matching
internal import Web

/// What two venues say of two markets, side by side, with the differences marked (X6).
struct TermsComparison {
  let polymarket: MarketTerms
  let kalshi: MarketTerms
  let verdict: MatchVerdict
  let state: String

  /// How wide each of the two columns is.
  private static let width = 56

  private var fields: [(name: String, polymarket: String, kalshi: String)] {
    [
      ("title", polymarket.title, kalshi.title), ("subtitle", polymarket.subtitle, kalshi.subtitle),
      ("strike", polymarket.strike, kalshi.strike),
      ("outcomes", polymarket.outcomes.joined(separator: ", "), kalshi.outcomes.joined(separator: ", ")),
      ("closes_at", polymarket.closesAt?.description ?? "", kalshi.closesAt?.description ?? ""),
      ("source", polymarket.source, kalshi.source),
      ("void_rules", Self.voidSentences(polymarket.rules), Self.voidSentences(kalshi.rules)),
      ("rules", polymarket.rules, kalshi.rules),
      ("terms", TermsDigest.text(polymarket.digest), TermsDigest.text(kalshi.digest)),
    ]
  }

  /// Fields in which the two say different things.
  private var different: [String] { fields.filter { $0.polymarket != $0.kalshi && $0.name != "terms" }.map(\.name) }

  /// The sentences about what happens when nothing is decided.
  static func voidSentences(_ rules: String) -> String {
    let marks = ["cancel", "postpone", "void", "50-50", "50/50", "refund", "fair market", "tie", "abandon", "delayed"]
    let sentences = rules.split { ".\n".contains($0) }.map { $0.trimmingPrefix { $0.isWhitespace } }
    return sentences.filter { sentence in
      let words = sentence.lowercased()
      return marks.contains(where: words.contains)
    }.map { $0 + "." }.joined(separator: " ")
  }

  var json: String {
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("state", state)
      writer.field("score", number: TermsDigest.score(verdict.score))
      write(verdict, &writer)
      writer.array("different") { writer in for name in different { writer.value(name) } }
      for (venue, terms) in [("polymarket", polymarket), ("kalshi", kalshi)] {
        writer.object(venue) { writer in
          writer.field("id", terms.id)
          for field in fields { writer.field(field.name, venue == "polymarket" ? field.polymarket : field.kalshi) }
        }
      }
    }
    return writer.text + "\n"
  }

  var text: String {
    let rejections = verdict.rejections.map { "\($0.rawValue): \($0.meaning)" }.joined(separator: "; ")
    var text = """
      state       \(state)
      score       \(TermsDigest.score(verdict.score))
      verdict     \(verdict.isCandidate ? "candidate" : "rejected: " + rejections)
      polarity    \(verdict.polarity.map { polarityText($0) } ?? "not clear")
      polymarket  \(polymarket.id)
      kalshi      \(kalshi.id)

      Marked with ≠ and *word*: what only one of them says.


      """
    for field in fields {
      let isDifferent = field.polymarket != field.kalshi
      text += "\(isDifferent ? "≠" : "=") \(field.name)\n"
      let (left, right) = (marked(field.polymarket, field.kalshi), marked(field.kalshi, field.polymarket))
      for line in 0..<max(left.count, right.count) {
        let (one, two) = (line < left.count ? left[line] : "", line < right.count ? right[line] : "")
        text += "    " + one + String(repeating: " ", count: max(0, Self.width - one.count)) + " | " + two + "\n"
      }
    }
    return text
  }

  private func polarityText(_ polarity: Polarity) -> String {
    let name =
      polymarket.outcomes.indices.contains(polarity.firstOutcome) ? polymarket.outcomes[polarity.firstOutcome] : ""
    return "\(polarity.rawValue): Polymarket's \(name) pays if Kalshi's Yes pays"
  }

  /// A text in lines of the column's width, the words marked that the other text does not have.
  private func marked(_ text: String, _ other: String) -> [String] {
    func bare(_ word: Substring) -> String { word.lowercased().filter { $0.isLetter || $0.isNumber } }
    let known = Set(other.split(whereSeparator: \.isWhitespace).map(bare))
    var lines: [String] = []
    for paragraph in text.split(separator: "\n") {
      var line = ""
      for word in paragraph.split(whereSeparator: \.isWhitespace) {
        // A word without a letter or digit is no difference; one that is longer than a line is cut.
        let shown = known.contains(bare(word)) || bare(word).isEmpty ? String(word) : "*\(word)*"
        if !line.isEmpty, line.count + 1 + shown.count > Self.width {
          lines.append(line)
          line = ""
        }
        line += (line.isEmpty ? "" : " ") + shown
      }
      if !line.isEmpty { lines.append(line) }
    }
    return lines.isEmpty ? ["–"] : lines
  }
}
