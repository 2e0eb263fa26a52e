public import Market

/// What the scanner may be told.
public struct ScannerOptions: Sendable {
  /// The least profit of a find after all fees.
  public var minimumProfit: Money
  /// The most sets of one find.
  public var quantityMax: Quantity
  /// A return above this is suspicious, as a fraction (10 is 1,000 %).
  public var suspiciousReturn: Double
  /// A suspicious find needs a trade younger than this.
  public var suspiciousTradeAgeMaxNanoseconds: Int64
  /// A binary find needs both books to have changed within this time.
  public var bookAgeMaxNanoseconds: Int64

  /// Options by their values.
  public init(
    minimumProfit: Money, quantityMax: Quantity, suspiciousReturn: Double, suspiciousTradeAgeMaxNanoseconds: Int64,
    bookAgeMaxNanoseconds: Int64
  ) {
    self.minimumProfit = minimumProfit
    self.quantityMax = quantityMax
    self.suspiciousReturn = suspiciousReturn
    self.suspiciousTradeAgeMaxNanoseconds = suspiciousTradeAgeMaxNanoseconds
    self.bookAgeMaxNanoseconds = bookAgeMaxNanoseconds
  }
}
