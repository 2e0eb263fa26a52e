public import Market

/// The venues that there are, by what each offers.
///
/// Adding one is its folder, and one line in `init(settings:runDirectory:transport:)`.
public struct Venues: Sendable {
  private let sources: [Venue: any VenueSource]

  /// A registry of these clients, one for each venue; traps where a venue comes twice.
  public init(_ all: [any VenueSource]) {
    sources = Dictionary(uniqueKeysWithValues: all.map { ($0.venue, $0) })
  }

  /// The venue's markets, or nil where it has none.
  public func markets(_ venue: Venue) -> (any MarketSource)? { sources[venue] as? any MarketSource }

  /// The venue's books, or nil where it has none.
  public func books(_ venue: Venue) -> (any BookSource)? { sources[venue] as? any BookSource }

  /// The venue's candles, or nil where it has none.
  public func candles(_ venue: Venue) -> (any CandleSource)? { sources[venue] as? any CandleSource }

  /// The venue's tickers, or nil where it has none.
  public func tickers(_ venue: Venue) -> (any TickerSource)? { sources[venue] as? any TickerSource }

  /// The venue's trades, or nil where it has none.
  public func trades(_ venue: Venue) -> (any TradeSource)? { sources[venue] as? any TradeSource }

  /// The venue's prices, or nil where it has none but those of its books.
  public func prices(_ venue: Venue) -> (any PriceSource)? { sources[venue] as? any PriceSource }

  /// All venues that have candles, in the order of `Venue`.
  public var withCandles: [Venue] { Venue.allCases.filter { candles($0) != nil } }
}
