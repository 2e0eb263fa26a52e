/// All that a venue says of how a market is decided: what a person reads before two markets are taken as one (X6).
///
/// It is read once and kept in the history; a market itself carries only its `digest`.
public struct MarketTerms: Hashable, Sendable {
  /// Where the market is traded.
  public var venue: Venue
  /// The venue's id: a condition id, a ticker.
  public var id: String
  /// The event that it belongs to.
  public var eventID: String
  /// The question that it asks.
  public var title: String
  /// What tells it from the event's other markets, such as a team or `$74,300 or above`; empty where nothing does.
  public var subtitle: String
  /// The strikes as the venue gives them apart from its texts, such as `greater 74299.99`; empty where there are none.
  public var strike: String
  /// The rules in full.
  public var rules: String
  /// Who is asked for the result.
  public var source: String
  /// When trading ends; nil where the venue does not say.
  public var closesAt: Timestamp?
  /// The outcomes' names, in the order of the market's.
  public var outcomes: [String]
  /// The `termsDigest` of the market.
  public var digest: UInt64

  /// Terms by their parts; the digest is computed by who has read them.
  public init(
    venue: Venue, id: String, eventID: String = "", title: String, subtitle: String = "", strike: String = "",
    rules: String = "", source: String = "", closesAt: Timestamp? = nil, outcomes: [String] = ["Yes", "No"],
    digest: UInt64 = 0
  ) {
    self.venue = venue
    self.id = id
    self.eventID = eventID
    self.title = title
    self.subtitle = subtitle
    self.strike = strike
    self.rules = rules
    self.source = source
    self.closesAt = closesAt
    self.outcomes = outcomes
    self.digest = digest
  }
}
