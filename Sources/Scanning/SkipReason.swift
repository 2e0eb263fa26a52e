/// Why a market, an event or a pair was not scanned, or what was found there was dropped.
public enum SkipReason: Int, CaseIterable, Sendable {
  /// Closed, resolved, past its end, or not taking orders (S2).
  case notTradable
  /// A book is empty, stale or closed.
  case bookNotLive
  /// A book has not changed for longer than allowed (S3a), or says that it changed in the future.
  case bookTooOld
  /// The publisher of a book has not been heard for seconds.
  case publisherSilent
  /// The event's outcome set is open, or has placeholders (S5).
  case openOutcomeSet
  /// An outcome of the event is missing here.
  case incompleteEvent
  /// The event's winner is known already.
  case resolvedEvent
  /// The profit is below the minimum.
  case belowMinimum
  /// The return is suspicious and nothing was traded lately (S2).
  case deadLiquidity
  /// The fee of a contract is too large a part of its price (S6).
  case feeTooHigh
  /// A price does not survive the conversion to the venue's grid (S6).
  case offGrid
  /// The text of one market of an approved pair is no longer the approved one (X6).
  case termsChanged
  /// Too few exchanges have a fresh price of the coin: nothing that needs it is traded (R4).
  case spotPriceMissing
  /// What the coin cost when the window opened is not known for enough exchanges.
  case openingPriceMissing
  /// The coin's price was not watched for long enough to say how much it moves.
  case volatilityUnknown
  /// The trade that would be a spike is older than the window, or of the future (I4).
  case tradeTooOld
  /// The trade that would be a spike has no size.
  case tradeSizeMissing
  /// The trade that would be a spike is too small.
  case tradeTooSmall
  /// The best bid does not confirm the trade's price (I6).
  case bookAgainstTrade

  /// Its name in counters and tables.
  public var name: String { "\(self)" }
}

/// Counts by reason.
public struct SkipCounts: Sendable {
  private var counts = [UInt64](repeating: 0, count: SkipReason.allCases.count)

  /// All zero.
  public init() {}

  /// Counts one.
  public mutating func count(_ reason: SkipReason) { counts[reason.rawValue] += 1 }

  /// The count of a reason.
  public subscript(_ reason: SkipReason) -> UInt64 { counts[reason.rawValue] }
}
