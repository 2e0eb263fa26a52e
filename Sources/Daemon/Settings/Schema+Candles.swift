extension Schema {
  /// The collector of candles and prices.
  static let candles: [SettingDefinition] = [
    SettingDefinition(
      "candles", "exchanges", .list, default: "binance,coinbase,kraken,okx,bybit",
      "who is asked; the first with data speaks for a coin"),
    SettingDefinition(
      "candles", "symbols", .list, default: "BTC,ETH,SOL,XRP,DOGE,ADA,AVAX,LINK",
      "the coins whose candles and prices are collected"),
    SettingDefinition(
      "candles", "timeframes", .list, default: "1m,5m,15m,1h,4h,1d",
      "the lengths of candles; an exchange that has no candles of a length is not asked for them"),
    SettingDefinition(
      "candles", "delay_s", .integer(0...3600), default: "2", unit: "s",
      "how long after its close a candle is asked for"),
    SettingDefinition(
      "candles", "retry_s", .integer(1...3600), default: "15", unit: "s",
      "how soon it is asked for again where nobody had it"),
    SettingDefinition(
      "candles", "history_candles", .integer(2...1000), default: "60", unit: "candles",
      "how long a price history is, and how much is fetched at first"),
    SettingDefinition(
      "candles", "catch_up_candles_max", .integer(2...100_000), default: "1000", unit: "candles",
      "how much is caught up at most of what was missed"),
    SettingDefinition(
      "candles", "gather_limit_s", .integer(1...600), default: "20", unit: "s",
      "after so long an exchange that has not answered counts as failed for this round"),
    SettingDefinition(
      "candles", "deviation_max_percent", .integer(1...1000), default: "20", unit: "%",
      "an exchange whose price is farther from the others' is not believed"),
    SettingDefinition(
      "candles", "price_interval_s", .integer(1...86_400), default: "60", unit: "s",
      "how often prices are taken"),
    SettingDefinition(
      "candles", "fetch_timeout_s", .decimal(from: "0.01", to: "3600"), default: "30", unit: "s",
      "the limit of one attempt to fetch a price history", environmentNames: ["BTC_FETCH_TIMEOUT"]),
    SettingDefinition(
      "candles", "fetch_retries_max", .integer(0...100), default: "2", unit: "retries",
      "how often the primary is tried again before the others are asked", environmentNames: ["BTC_FETCH_MAX_RETRIES"]),
    SettingDefinition(
      "candles", "fetch_retry_delay_s", .decimal(from: "0", to: "3600"), default: "2.0", unit: "s",
      "the pause before the first retry; it doubles with each more", environmentNames: ["BTC_FETCH_RETRY_DELAY"]),
    SettingDefinition(
      "candles", "stale_age_max_s", .decimal(from: "0", to: "31536000"), default: "600", unit: "s",
      "how old a last good answer may be; then nothing that needs it is traded",
      environmentNames: ["BTC_CACHE_STALE_MAX_AGE"]),
    SettingDefinition(
      "candles", "failures_max", .integer(1...1000), default: "3", unit: "failures",
      "after so many failures in a row there is an alert"),
    SettingDefinition(
      "candles", "cache_old_s", .integer(0...31_536_000), default: "3600", unit: "s",
      "how long a candle older than an hour is kept before it is fetched again"),
    SettingDefinition(
      "candles", "cache_recent_s", .integer(0...31_536_000), default: "300", unit: "s",
      "the same for one of five minutes to an hour"),
    SettingDefinition(
      "candles", "cache_young_s", .integer(0...31_536_000), default: "60", unit: "s",
      "the same for a younger one; closed and unchanged, it then lives as the oldest do"),
    SettingDefinition(
      "candles", "breaker_failures_max", .integer(1...1000), default: "5", unit: "failures",
      "so many failed requests in a row open an exchange's circuit breaker"),
    SettingDefinition(
      "candles", "breaker_pause_s", .integer(1...86_400), default: "10", unit: "s",
      "how long it stays open at first; it doubles with each probe that fails"),
    SettingDefinition(
      "candles", "breaker_pause_max_s", .integer(1...86_400), default: "300", unit: "s",
      "the longest that it stays open"),
  ]
}
