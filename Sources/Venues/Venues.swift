public import Market

/// Which venues there are: one line for each in each of these lists; what a venue lacks is not in the list.
public struct Venues: Sendable {
  /// Where the venues' services are, as the settings have it.
  public struct Endpoints: Sendable {
    /// Polymarket's three services.
    public var polymarket: PolymarketREST.Endpoints
    /// Binance's REST API.
    public var binance: Endpoint
    /// Coinbase Exchange's REST API.
    public var coinbase: Endpoint

    /// Endpoints of all venues.
    public init(polymarket: PolymarketREST.Endpoints, binance: Endpoint, coinbase: Endpoint) {
      self.polymarket = polymarket
      self.binance = binance
      self.coinbase = coinbase
    }
  }

  private let sources: [Venue: any VenueSource]

  /// Clients of all venues, over one transport.
  public init(endpoints: Endpoints, transport: VenueTransport) {
    let all: [any VenueSource] = [
      PolymarketREST(endpoints: endpoints.polymarket, transport: transport),
      BinanceREST(endpoint: endpoints.binance, transport: transport),
      CoinbaseREST(endpoint: endpoints.coinbase, transport: transport),
    ]
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

  /// All venues that have candles.
  public var withCandles: [Venue] { Venue.allCases.filter { candles($0) != nil } }
}
