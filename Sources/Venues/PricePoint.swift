public import Market

/// What a venue that gathers prices says a coin cost at one moment; nothing was traded at it.
public struct PricePoint: Hashable, Sendable {
  /// The coin.
  public var instrument: InstrumentID
  /// Its price.
  public var price: Price
  /// When it cost so much.
  public var time: Timestamp

  /// A point by its parts.
  public init(instrument: InstrumentID, price: Price, time: Timestamp) {
    self.instrument = instrument
    self.price = price
    self.time = time
  }
}

/// A venue that tells prices without having candles.
public protocol PriceSource: VenueSource {
  /// The newest price.
  /// - Parameter symbol: the venue's name of the coin.
  /// - Returns: the price and its own time.
  /// - Throws: `VenueError`, `absent` where the venue does not know the coin.
  func price(symbol: String) async throws(VenueError) -> PricePoint

  /// Prices of a span, oldest first, at moments that the venue chooses.
  /// - Parameters:
  ///   - symbol: the venue's name of the coin.
  ///   - from: the first moment that is wanted.
  ///   - to: the first moment that is not wanted.
  /// - Returns: the points; none where the venue has none.
  /// - Throws: `VenueError`.
  func prices(symbol: String, from: Timestamp, to: Timestamp) async throws(VenueError) -> [PricePoint]
}
