/// Whether a book still stands where a trade was seen (I6).
///
/// A trade's price may be old, or of a size that moved nothing: an order that a trade price triggered is only sent where
/// the book agrees with it.
public struct BookPriceCheck: Hashable, Sendable {
  /// Whether the best bid is within the deviation of the expected price.
  public let isWithin: Bool
  /// The best bid; 0 where the book has none.
  public let bid: Price
  /// Both prices and the deviation, for people.
  public let reason: String

  /// How far the best bid may be from the price that is expected, in dollars, where nothing else is said.
  public static let deviationMaxDefault = Price(raw: 10_000_000)

  /// Compares a price with the best bid of a book.
  /// - Parameters:
  ///   - expected: the price that triggered the order.
  ///   - bestBid: the book's; nil where it has no bid, which counts as a price of 0.
  ///   - deviationMax: how far they may be apart, in dollars; exactly so far is within.
  public init(expected: Price, bestBid: Price?, deviationMax: Price = BookPriceCheck.deviationMaxDefault) {
    bid = bestBid ?? .zero
    // A price may be anything that fits, so that the difference may not.
    let (difference, overflow) = bid.raw.subtractingReportingOverflow(expected.raw)
    isWithin = !overflow && difference.magnitude <= UInt64(max(0, deviationMax.raw))
    let found = bestBid.map { "best bid \($0)" } ?? "no bid, which counts as \(Price.zero)"
    reason = "\(found), expected \(expected), \(isWithin ? "within" : "more than") \(deviationMax) apart"
  }
}

extension BookCache {
  /// Whether the best bid of a book is near the price of a trade.
  /// - Parameters:
  ///   - expected: the price that was seen.
  ///   - maxDeviation: how far the best bid may be from it, in dollars.
  ///   - book: which book; what it holds counts, whatever its state.
  /// - Returns: the verdict, with the bid and a reason that names both prices.
  public func verifyBookPrice(
    expected: Price, maxDeviation: Price = BookPriceCheck.deviationMaxDefault, of book: BookIndex
  ) -> BookPriceCheck {
    BookPriceCheck(expected: expected, bestBid: best(.bid, of: book)?.price, deviationMax: maxDeviation)
  }
}
