public import Daemon

extension PolymarketREST {
  /// A client of the services that the settings name.
  public init(settings: Settings, runDirectory: String, transport: VenueTransport) {
    self.init(
      endpoints: Endpoints(settings: settings, runDirectory: runDirectory), transport: transport,
      verifiesHash: settings.boolean("polymarket", "verify_book_hash"),
      timeoutMilliseconds: settings.integer("polymarket", "request_timeout_s") * 1000)
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
    func endpoint(_ section: String) -> Endpoint {
      Endpoint(settings.text(section, "rest_url"), runDirectory: runDirectory)
    }
    self.init([
      PolymarketREST(settings: settings, runDirectory: runDirectory, transport: transport),
      KalshiREST(settings: settings, runDirectory: runDirectory, transport: transport),
      BinanceREST(endpoint: endpoint("binance"), transport: transport),
      CoinbaseREST(endpoint: endpoint("coinbase"), transport: transport),
      KrakenREST(endpoint: endpoint("kraken"), transport: transport),
      OKXREST(endpoint: endpoint("okx"), transport: transport),
      BybitREST(endpoint: endpoint("bybit"), transport: transport),
      CoinGeckoREST(endpoint: endpoint("coingecko"), transport: transport),
    ])
  }
}
