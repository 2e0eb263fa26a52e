/// Why two markets are not offered as one.
public enum MatchRejection: String, CaseIterable, Sendable, Codable {
  /// One of them has not two outcomes.
  case notBinary
  /// They name different years, or one names a year that nothing of the other confirms.
  case years
  /// They name different days or months, or one names a day that nothing of the other confirms.
  case dates
  /// One asks about something by a day or before it, the other on it, after it, or during a period.
  case deadline
  /// They name different times of day, or one names a time that nothing of the other confirms.
  case hours
  /// They close too far apart.
  case closeTimes
  /// One says what changes how it is decided (popular vote, electoral, sworn in, first half), the other does not.
  case keywords
  /// Amounts, percentages or thresholds differ.
  case strikes
  /// Other numbers differ.
  case numbers
  /// Places in an order differ.
  case ordinals
  /// Roman numerals differ.
  case romanNumerals
  /// One asks whether something is above, the other whether it is below, at least, or between.
  case directions
  /// They are games of different teams or leagues.
  case teams
  /// They deny in words that do not simply turn the outcome round.
  case negation
  /// Who does it and whom it is done to stand in another order.
  case order
  /// A word that says something stands in one title only.
  case words
  /// Which outcomes pay together is not clear.
  case polarity
  /// What happens when nothing is decided differs.
  case voidRules
  /// The titles are not alike enough.
  case score
}

extension MatchRejection {
  /// For people.
  public var meaning: String {
    switch self {
    case .notBinary: "one of them has not two outcomes"
    case .years: "different years"
    case .dates: "different days or months"
    case .deadline: "by or before a day, and on, during or after it"
    case .hours: "different times of day"
    case .closeTimes: "they close too far apart"
    case .keywords: "only one says how it is decided"
    case .strikes: "different amounts or thresholds"
    case .numbers: "different numbers"
    case .ordinals: "different places in an order"
    case .romanNumerals: "different Roman numerals"
    case .directions: "above, below, at least, at most or between"
    case .teams: "different teams or leagues"
    case .negation: "only one denies"
    case .order: "who does it and whom it is done to are not in the same order"
    case .words: "a word that only one of them says"
    case .polarity: "which outcomes pay together is not clear"
    case .voidRules: "different rules for what is called off"
    case .score: "titles not alike enough"
    }
  }
}

/// What came of comparing two markets.
public struct MatchVerdict: Hashable, Sendable {
  /// How alike the titles are in one form (RapidFuzz's `token_set_ratio` without what is compared by rules), 0 to 100.
  public var score: Double
  /// All that speaks against it, in the order of `MatchRejection`; empty for a candidate.
  public var rejections: [MatchRejection]
  /// Which outcomes pay together; nil where it is not clear.
  public var polarity: Polarity?

  /// Whether it is offered to a person.
  public var isCandidate: Bool { rejections.isEmpty }
  /// What is counted and shown first; nil for a candidate.
  public var reason: MatchRejection? { rejections.first }
}

/// When two markets are candidates.
public struct MatchLimits: Hashable, Sendable {
  /// The least score.
  public var scoreMin: Double
  /// How far apart they may close, in seconds.
  public var closeDifferenceMaxSeconds: Int64

  /// Limits; by default those of the settings.
  public init(scoreMin: Double = 95, closeDifferenceMaxSeconds: Int64 = 744 * 3600) {
    self.scoreMin = scoreMin
    self.closeDifferenceMaxSeconds = closeDifferenceMaxSeconds
  }
}
