public import Market

/// Two markets of different venues that ask the same, as a person has said (S7, X6).
public struct MarketPair: Hashable, Sendable {
  /// One market of a pair, and the text of it that was approved.
  public struct End: Hashable, Sendable {
    /// Where it is traded.
    public var venue: Venue
    /// The venue's id of it.
    public var id: String
    /// The digest of the approved text; nil where any text is.
    public var terms: UInt64?

    /// An end by its parts.
    public init(venue: Venue, id: String, terms: UInt64?) {
      self.venue = venue
      self.id = id
      self.terms = terms
    }
  }

  /// One market.
  public var first: End
  /// The other one.
  public var second: End
  /// Whether the second one's first outcome pays exactly if the first one's second outcome does.
  public var isOpposite: Bool

  /// A pair by its ends.
  public init(first: End, second: End, isOpposite: Bool) {
    self.first = first
    self.second = second
    self.isOpposite = isOpposite
  }
}
