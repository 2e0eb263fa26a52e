/// How an opportunity ranks: what was seen, and what each factor of it counts (S11).
public struct OpportunityScore: Hashable, Sendable, Codable {
  /// What stands at the limits of all legs, divided by what is wanted, of the scarcest leg; 1 where it just suffices.
  public var depthRatio = 0.0
  /// What was traded in the last day in the least traded market, in dollars.
  public var dayVolume = Money.zero
  /// How many trades of the least traded leg were seen lately.
  public var recentTradeCount = 0
  /// How long the capital is locked, in seconds; nil where no venue says.
  public var lockedSeconds: Int64?
  /// Profit for each dollar and year that the capital is locked, as a fraction; 0 where it is not known how long.
  public var annualisedReturn = 0.0

  /// What the profit counts, from 0 to 1; and so on for the others.
  public var profit = 0.0
  /// What the depth counts.
  public var fill = 0.0
  /// What the market's volume counts.
  public var volume = 0.0
  /// What recent trades count.
  public var activity = 0.0
  /// What the time to resolution counts.
  public var time = 0.0
  /// What the number of legs counts.
  public var legs = 0.0
  /// All of it together, from 0 to 1: what opportunities are ranked by.
  public var total = 0.0
  /// The share of the bankroll that it should get at most, by the fraction of Kelly that is set.
  public var kelly = 0.0

  /// Nothing known.
  public init() {}
}
