public import Market

/// One leg of a find: which book is swept.
public struct FindLeg: Hashable, Sendable {
  /// The market's place in the feed.
  public var market: Int
  /// Which outcome of it.
  public var outcome: Int
  /// The book.
  public var book: BookIndex
}

/// A profitable set of known legs: what is left of a find when its place is known.
struct PricedSet: Equatable {
  var kind: OpportunityKind
  var quote: SetQuote
  var setValue: Money
}

/// A profitable set, before it has an identity over time.
public struct Find: Hashable, Sendable {
  /// What is traded.
  public var kind: OpportunityKind
  /// The event's or the market's place, by kind.
  public var place: Int
  /// The size and its price.
  public var quote: SetQuote
  /// What the sets pay (or cost, for sales) for certain.
  public var setValue: Money
  /// The legs.
  public var legs: [FindLeg]

  /// Whether it is this set.
  func isSame(as set: PricedSet) -> Bool { kind == set.kind && quote == set.quote && setValue == set.setValue }

  /// What remains when everything is paid.
  public var profit: Money {
    kind.isSell ? quote.notional - quote.fees - setValue : setValue - quote.notional - quote.fees
  }
}

/// Why a market or an event was not scanned, or what was found there was dropped.
public enum SkipReason: String, CaseIterable, Sendable {
  /// Closed, resolved, past its end, or not taking orders (S2).
  case notTradable
  /// A book is empty, stale or closed.
  case bookNotLive
  /// A book has not changed for longer than allowed (S3a).
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
}

/// Counts by reason.
public struct SkipCounts: Sendable {
  private static let reasons = SkipReason.allCases
  private var counts = [UInt64](repeating: 0, count: SkipCounts.reasons.count)

  /// All zero.
  public init() {}

  /// Counts one.
  public mutating func count(_ reason: SkipReason) {
    counts[SkipCounts.reasons.firstIndex(of: reason) ?? 0] += 1
  }

  /// The count of a reason.
  public subscript(_ reason: SkipReason) -> UInt64 { counts[SkipCounts.reasons.firstIndex(of: reason) ?? 0] }
}
