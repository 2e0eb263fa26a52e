public import Market

/// What the executor sees of the markets: the same books that the scanner has, kept by itself.
public protocol MarketBooks {
  /// A market by the venue's id, or nil where it was never announced.
  func market(_ id: String, venue: Venue) -> PredictionMarket?
  /// All markets of an event that were ever announced.
  func markets(ofEvent id: String, venue: Venue) -> [PredictionMarket]
  /// The book of an instrument, or nil where there is none.
  func book(_ instrument: InstrumentID) -> BookIndex?
  /// What is known of a book apart from its levels.
  func header(_ book: BookIndex) -> BookHeader
  /// One side of a book, worst level first; valid until the next change of any book.
  func levels(_ side: BookSide, of book: BookIndex) -> UnsafeBufferPointer<Level>
}
