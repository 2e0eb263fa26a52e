internal import Market

/// How finds are ranked and how much of the bankroll they get: from what was seen, by stated formulas (S11, S12, X7).
///
/// Each factor is between 0 and 1, and the score is their weighted mean:
///
/// - profit: `p / (p + half)`, half of it at `scoreProfitHalf` dollars;
/// - fill: `d / (d + 1)` of d, the depth at the limits ÷ the depth needed, of the scarcest leg;
/// - volume: `v / (v + half)` of the least traded market's day;
/// - activity: `n / (n + half)` of the trades that were lately seen of the least traded leg;
/// - time: `half / (half + locked)`: the sooner the capital is back, the better;
/// - legs: `2 / n`, at most 1: each leg more is one more that can fail.
struct Scoring {
  /// What is seen of a find.
  struct Facts {
    /// Depth at the limits ÷ depth needed, of the scarcest leg.
    var depthRatio = Double.greatestFiniteMagnitude
    /// The least traded market's volume of a day.
    var dayVolume = Money(raw: Int64.max)
    /// Recent trades of the least traded leg.
    var recentTradeCount = Int.max
    /// How long the capital is locked; nil where no venue says.
    var lockedSeconds: Int64?
  }

  let options: ScannerOptions

  static let secondsOfYear = 365.0 * 86_400

  /// The score of a find.
  func score(_ facts: Facts, _ find: Find) -> OpportunityScore {
    var score = OpportunityScore()
    score.depthRatio = facts.depthRatio
    score.dayVolume = facts.dayVolume
    score.recentTradeCount = facts.recentTradeCount
    score.lockedSeconds = facts.lockedSeconds
    // Where no venue says when it ends, the capital is thought to be locked for long.
    let locked = Double(facts.lockedSeconds ?? options.unknownEndSeconds)
    score.profit = Scoring.saturating(dollars(find.profit), half: dollars(options.scoreProfitHalf))
    score.fill = Scoring.saturating(facts.depthRatio, half: 1)
    score.volume = Scoring.saturating(dollars(facts.dayVolume), half: dollars(options.scoreVolumeHalf))
    score.activity = Scoring.saturating(Double(facts.recentTradeCount), half: Double(options.scoreTradesHalf))
    score.time = 1 - Scoring.saturating(locked, half: Double(options.scoreLockedHalfSeconds))
    score.legs = min(1, 2 / Double(find.legs.count))
    score.total = options.scoreWeights.mean(of: score)
    score.annualisedReturn = Scoring.annualised(profit: find.profit, cost: find.cost, lockedSeconds: locked)
    score.kelly = kelly(find)
    return score
  }

  private func dollars(_ amount: Money) -> Double { Double(amount.raw) / Double(fixedPointScale) }

  private static func saturating(_ value: Double, half: Double) -> Double {
    value > 0 ? value / (value + half) : 0
  }

  /// Profit for each dollar and year: `profit / cost · year / locked`, without compounding; what is back within a
  /// minute counts as locked for one.
  static func annualised(profit: Money, cost: Money, lockedSeconds: Double) -> Double {
    guard cost.raw > 0 else { return 0 }
    return Double(profit.raw) / Double(cost.raw) * secondsOfYear / max(60, lockedSeconds)
  }

  /// The share of the bankroll by Kelly's criterion.
  ///
  /// John Kelly, "A New Interpretation of Information Rate" (1956): `(p·b − (1 − p)) / b` for a payout of probability p and odds of b to 1, times the fraction that is set.
  ///
  /// What a share costs, fees included, is `c`; it pays 1 with probability p or nothing, so `b = (1 − c) / c` and the
  /// criterion is `(p − c) / (1 − c)`. Sets that pay for certain have p = 1: all of it, times the fraction.
  private func kelly(_ find: Find) -> Double {
    guard find.probability < 1 else { return options.kellyFraction }
    let shares = Double(find.quote.quantity.raw)
    guard shares > 0 else { return 0 }
    let cost = Double(find.cost.raw) / shares
    guard cost < 1 else { return 0 }
    return max(0, min(1, (find.probability - cost) / (1 - cost))) * options.kellyFraction
  }
}

/// How much each factor counts in the score; none below zero, not all zero.
public struct ScoreWeights: Hashable, Sendable {
  /// What the profit counts.
  public var profit = 3.0
  /// What the depth counts.
  public var fill = 2.0
  /// What the market's volume counts.
  public var volume = 1.0
  /// What recent trades count.
  public var activity = 1.0
  /// What the time to resolution counts.
  public var time = 2.0
  /// What the number of legs counts.
  public var legs = 1.0

  /// The ordinary weights.
  public init() {}

  func mean(of score: OpportunityScore) -> Double {
    let sum = profit + fill + volume + activity + time + legs
    let weighted =
      profit * score.profit + fill * score.fill + volume * score.volume + activity * score.activity
      + time * score.time + legs * score.legs
    return sum > 0 ? weighted / sum : 0
  }
}
