public import Daemon
public import Market

/// The pairs of two venues' markets that are alike enough, and what the rules say of each.
public struct MatchSearch: Sendable {
  /// One pair.
  public struct Found: Sendable {
    /// The market of Polymarket, by its place in the list.
    public var polymarket: Int
    /// The market of Kalshi, likewise.
    public var kalshi: Int
    /// What came of comparing them; of a rejected pair the first reason alone.
    public var verdict: MatchVerdict
  }

  /// Those that are offered to a person, the most alike first.
  public private(set) var candidates: [Found] = []
  /// Those that a rule rejects.
  public private(set) var rejected: [Found] = []
  /// How many pairs each rule has rejected; a pair counts for the first of its reasons.
  public private(set) var counts: [MatchRejection: Int] = [:]

  /// Compares all markets of one venue with all of the other.
  /// - Parameters:
  ///   - polymarket: what Polymarket says of its markets.
  ///   - kalshi: what Kalshi says of its markets.
  ///   - limits: when a pair is a candidate.
  public init(polymarket: [MarketTerms], kalshi: [MarketTerms], limits: MatchLimits = MatchLimits()) {
    let left = polymarket.map { MarketFacts(MarketText($0)) }
    let right = kalshi.map { MarketFacts(MarketText($0)) }
    let join = TitleJoin(left.map(\.scoredText), right.map(\.scoredText), scoreMin: limits.scoreMin)
    for pair in join.pairs() {
      let verdict = MatchVerdict(
        left[pair.left], right[pair.right], limits: limits, score: pair.score, isComplete: false)
      let found = Found(polymarket: pair.left, kalshi: pair.right, verdict: verdict)
      if let reason = verdict.reason {
        counts[reason, default: 0] += 1
        rejected.append(found)
      } else {
        candidates.append(found)
      }
    }
    candidates.sort { $0.verdict.score > $1.verdict.score }
    rejected.sort { $0.verdict.score > $1.verdict.score }
  }
}

extension MatchLimits {
  /// The limits of the section `[matching]`.
  public init(settings: Settings) {
    self.init(
      scoreMin: Double(settings.decimal("matching", "score_min")) / Double(fixedPointScale),
      closeDifferenceMaxSeconds: Int64(settings.integer("matching", "close_difference_max_h")) * 3600)
  }
}

extension VerifiedMatches {
  /// Reads what the section `[matching]` names: `matches_file`, and `pairs_files` beside it.
  /// - Throws: `VerifiedMatchesError` naming file and field.
  public static func load(settings: Settings) throws(VerifiedMatchesError) -> Self {
    let directory = FilePaths.directory(of: settings.path)
    let others = settings.list("matching", "pairs_files").map { FilePaths.absolute($0, relativeTo: directory) }
    return try load(settings.path("matching", "matches_file"), readingAlso: others)
  }
}
