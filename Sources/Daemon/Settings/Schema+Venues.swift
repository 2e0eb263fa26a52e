extension Schema {
  private static let web = ["http", "https", "simulator"]
  private static let stream = ["ws", "wss", "simulator-ws"]

  /// Polymarket.
  static let polymarket: [SettingDefinition] = [
    SettingDefinition(
      "polymarket", "gamma_url", .url(web), default: "simulator:/polymarket/gamma", "base URL of the market catalogue"),
    SettingDefinition(
      "polymarket", "clob_url", .url(web), default: "simulator:/polymarket/clob", "base URL of books and orders"),
    SettingDefinition(
      "polymarket", "data_url", .url(web), default: "simulator:/polymarket/data", "base URL of trades and positions"),
    SettingDefinition(
      "polymarket", "websocket_url", .url(stream), default: "simulator-ws:/polymarket/ws/market",
      "URL of the market stream"),
    SettingDefinition(
      "polymarket", "user_websocket_url", .url(stream), default: "simulator-ws:/polymarket/ws/user",
      "URL of the stream of our own orders"),
    SettingDefinition(
      "polymarket", "address", .text, default: "", "the address of the wallet that our API key belongs to"),
    SettingDefinition(
      "polymarket", "credentials_file", .text, default: "",
      "the file that holds the API key as the venue hands it out: apiKey, secret and passphrase"),
    SettingDefinition(
      "polymarket", "signature_type", .integer(0...3), default: "0",
      "how the wallet signs: 0 plain, 1 the venue's proxy, 2 Gnosis Safe, 3 deposit wallet"),
    SettingDefinition(
      "polymarket", "assets_per_connection", .integer(1...100_000), default: "200", unit: "assets",
      "how many assets one stream connection watches"),
    SettingDefinition(
      "polymarket", "ping_s", .integer(1...3600), default: "10", unit: "s", "how often a stream connection says PING"),
    SettingDefinition(
      "polymarket", "silence_s", .integer(1...3600), default: "30", unit: "s",
      "a stream connection that is silent for longer is replaced"),
    SettingDefinition(
      "polymarket", "metadata_refresh_s", .integer(1...86_400), default: "60", unit: "s",
      "how often the market catalogue is read again"),
    SettingDefinition(
      "polymarket", "sample_s", .integer(1...86_400), default: "30", unit: "s",
      "how often some books are compared with REST"),
    SettingDefinition(
      "polymarket", "sample_books", .integer(1...1000), default: "10", unit: "books", "how many books that are"),
    SettingDefinition(
      "polymarket", "frozen_s", .integer(1...86_400), default: "60", unit: "s",
      "a stream connection without data for longer is compared first, and replaced where REST moves and it does not"),
    SettingDefinition(
      "polymarket", "poll_s", .integer(1...3600), default: "5", unit: "s",
      "how often books are asked for by REST while their stream is down"),
    SettingDefinition(
      "polymarket", "verify_book_hash", .boolean, default: "true", "whether each book is checked against its hash"),
    SettingDefinition(
      "polymarket", "trade_age_max_s", .integer(1...31_536_000), default: "300", unit: "s",
      "trades older than this are not published"),
    SettingDefinition(
      "polymarket", "size_price_tolerance", .decimal(from: "0", to: "1"), default: "0.01", unit: "dollars",
      "a trade that came without its size is one that REST tells at a price no farther away"),
    SettingDefinition(
      "polymarket", "size_trade_age_max_s", .integer(1...86_400), default: "60", unit: "s",
      "and no older than this; otherwise its size stays unknown"),
    SettingDefinition(
      "polymarket", "size_wait_ms", .integer(1...60_000), default: "3000", unit: "ms",
      "how long such a trade is held back for its size; then it is published without"),
    SettingDefinition(
      "polymarket", "size_waiting_max", .integer(0...1_000_000), default: "500", unit: "trades",
      "how many are held back at once; more are published without"),
    SettingDefinition(
      "polymarket", "size_requests_max", .integer(1...100), default: "4", unit: "requests",
      "how many requests for sizes are under way at once"),
    SettingDefinition(
      "polymarket", "request_timeout_s", .integer(1...600), default: "30", unit: "s", "the limit of one REST request"),
    SettingDefinition(
      "polymarket", "chain_costs", .list, default: "2026-01-01=0",
      "DATE=DOLLARS from each date (UTC) on: what a split, merge, conversion or redemption costs us; 0 where the venue's relayer pays"
    ),
  ]

  /// Kalshi.
  static let kalshi: [SettingDefinition] = [
    SettingDefinition(
      "kalshi", "rest_url", .url(web), default: "simulator:/kalshi/trade-api/v2", "base URL of the REST interface"),
    SettingDefinition(
      "kalshi", "websocket_url", .url(stream), default: "simulator-ws:/kalshi/trade-api/ws/v2", "URL of the stream"),
    SettingDefinition(
      "kalshi", "key_id", .text, default: "",
      "the id of the key that signs requests; the venue itself streams to nobody without"),
    SettingDefinition(
      "kalshi", "key_file", .text, default: "", "the file that holds the private RSA key in PEM"),
    SettingDefinition(
      "kalshi", "markets_per_connection", .integer(1...100_000), default: "500", unit: "markets",
      "how many markets one stream connection watches"),
    SettingDefinition(
      "kalshi", "markets_per_request", .integer(1...10_000), default: "100", unit: "markets",
      "how many markets one subscription request names"),
    SettingDefinition(
      "kalshi", "silence_s", .integer(1...3600), default: "30", unit: "s",
      "a stream connection that is silent for longer is replaced"),
    SettingDefinition(
      "kalshi", "metadata_refresh_s", .integer(1...86_400), default: "60", unit: "s",
      "how often the market catalogue is read again"),
    SettingDefinition(
      "kalshi", "sample_s", .integer(1...86_400), default: "30", unit: "s",
      "how often some books are compared with REST"),
    SettingDefinition(
      "kalshi", "sample_books", .integer(1...1000), default: "10", unit: "books", "how many books that are"),
    SettingDefinition(
      "kalshi", "frozen_s", .integer(1...86_400), default: "60", unit: "s",
      "a stream connection without data for longer is compared first, and replaced where REST moves and it does not"),
    SettingDefinition(
      "kalshi", "poll_s", .integer(1...3600), default: "5", unit: "s",
      "how often books are asked for by REST while their stream is down"),
    SettingDefinition(
      "kalshi", "trade_age_max_s", .integer(1...31_536_000), default: "300", unit: "s",
      "trades older than this are not published"),
    SettingDefinition(
      "kalshi", "request_timeout_s", .integer(1...600), default: "30", unit: "s", "the limit of one REST request"),
  ]

  /// Binance.
  static let binance = exchange(
    "binance", stream: "simulator-ws:/binance/stream", "URL of the combined stream", symbols: "BTCUSDT,ETHUSDT,SOLUSDT")

  /// Coinbase.
  static let coinbase = exchange(
    "coinbase", stream: "simulator-ws:/coinbase/feed", "URL of the stream", symbols: "BTC-USD,ETH-USD,SOL-USD")

  /// Kraken.
  static let kraken = exchange(
    "kraken", stream: "simulator-ws:/kraken", "base URL of the streams", symbols: "BTC/USD,ETH/USD,SOL/USD")

  /// OKX.
  static let okx = exchange(
    "okx", stream: "simulator-ws:/okx", "base URL of the streams", symbols: "BTC-USDT,ETH-USDT,SOL-USDT")

  /// Bybit.
  static let bybit = exchange(
    "bybit", stream: "simulator-ws:/bybit", "base URL of the streams", symbols: "BTCUSDT,ETHUSDT,SOLUSDT")

  /// CoinGecko.
  static let coingecko: [SettingDefinition] = [
    SettingDefinition(
      "coingecko", "rest_url", .url(web), default: "simulator:/coingecko", "base URL of the REST interface"),
    SettingDefinition(
      "coingecko", "symbols", .list, default: "bitcoin,ethereum,solana", "the coins that are watched, by their ids"),
    names("coingecko"),
  ]

  private static func exchange(
    _ section: String, stream address: String, _ meaning: String, symbols: String
  ) -> [SettingDefinition] {
    [
      SettingDefinition(
        section, "rest_url", .url(web), default: "simulator:/\(section)", "base URL of the REST interface"),
      SettingDefinition(section, "websocket_url", .url(stream), default: address, meaning),
      SettingDefinition(section, "symbols", .list, default: symbols, "the symbols that are watched"),
      SettingDefinition(
        section, "trade_age_max_s", .integer(1...31_536_000), default: "300", unit: "s",
        "trades older than this are not published"),
      SettingDefinition(
        section, "silence_s", .integer(1...3600), default: "60", unit: "s",
        "a stream connection that is silent for longer is replaced"),
      SettingDefinition(
        section, "frozen_s", .integer(1...86_400), default: "60", unit: "s",
        "a symbol without data for longer is compared with REST: a stream that stands still while the venue moves is replaced"
      ),
      SettingDefinition(
        section, "poll_s", .integer(1...3600), default: "5", unit: "s",
        "how often a symbol is asked for by REST while its stream is down"),
      names(section),
    ]
  }

  private static func names(_ section: String) -> SettingDefinition {
    SettingDefinition(
      section, "pair_names", .list, default: "",
      "exceptions from the rule by which pairs are named here, such as BTC/USD=NAME, or BTC/USD=- for none")
  }
}
