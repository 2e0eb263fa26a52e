public import Daemon
internal import Market

extension PolymarketREST {
  /// A client of the services that the settings name.
  public init(settings: Settings, runDirectory: String, transport: VenueTransport) {
    let endpoints = Endpoints(settings: settings, runDirectory: runDirectory)
    self.init(
      endpoints: endpoints, transport: transport, verifiesHash: settings.boolean("polymarket", "verify_book_hash"),
      timeoutMilliseconds: settings.integer("polymarket", "request_timeout_s") * 1000,
      pacer: .shared(.polymarket, at: endpoints.clob, settings: settings))
  }
}

extension PolymarketREST.Endpoints {
  /// The services that the settings name.
  public init(settings: Settings, runDirectory: String) {
    func endpoint(_ key: String) -> Endpoint {
      Endpoint(settings.text("polymarket", key), runDirectory: runDirectory)
    }
    self.init(gamma: endpoint("gamma_url"), clob: endpoint("clob_url"), data: endpoint("data_url"))
  }
}

extension Venues {
  /// Clients of all venues, as the settings have them.
  public init(settings: Settings, runDirectory: String, transport: VenueTransport) {
    func endpoint(_ venue: Venue) -> Endpoint {
      Endpoint(settings.text(venue.rawValue, "rest_url"), runDirectory: runDirectory)
    }
    func pacer(_ venue: Venue) -> RequestPacer { .shared(venue, at: endpoint(venue), settings: settings) }
    self.init([
      PolymarketREST(settings: settings, runDirectory: runDirectory, transport: transport),
      KalshiREST(settings: settings, runDirectory: runDirectory, transport: transport),
      BinanceREST(endpoint: endpoint(.binance), transport: transport, pacer: pacer(.binance)),
      CoinbaseREST(endpoint: endpoint(.coinbase), transport: transport, pacer: pacer(.coinbase)),
      KrakenREST(endpoint: endpoint(.kraken), transport: transport, pacer: pacer(.kraken)),
      OKXREST(endpoint: endpoint(.okx), transport: transport, pacer: pacer(.okx)),
      BybitREST(endpoint: endpoint(.bybit), transport: transport, pacer: pacer(.bybit)),
      CoinGeckoREST(endpoint: endpoint(.coingecko), transport: transport, pacer: pacer(.coingecko)),
    ])
  }
}
