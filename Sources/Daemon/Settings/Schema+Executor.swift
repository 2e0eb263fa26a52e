extension Schema {
  /// The executor.
  static let executor: [SettingDefinition] = [
    SettingDefinition(
      "executor", "latency_ms", .integer(0...60_000), default: "40", unit: "ms",
      "how long the paper broker takes to reach the book"),
    SettingDefinition(
      "executor", "strategies", .list, default: "binary,negRisk,crossPlatform",
      "which finds are executed; latency and spike pay on average at best, and are executed where they are named here"),
    SettingDefinition(
      "executor", "opportunity_ttl_ms", .integer(1...3_600_000), default: "2000", unit: "ms",
      "an older opportunity is not executed"),
    SettingDefinition(
      "executor", "legs_max", .integer(1...1000), default: "15", unit: "legs",
      "an opportunity with more legs is not executed"),
    SettingDefinition(
      "executor", "exposure_max", .decimal(from: "0", to: "1000000000"), default: "5000", unit: "dollars",
      "how much may be at risk at once"),
    SettingDefinition(
      "executor", "bankroll", .decimal(from: "0", to: "1000000000"), default: "10000", unit: "dollars",
      "the cash that the paper broker begins with"),
    SettingDefinition(
      "executor", "edge_minimum_fraction", .decimal(from: "0", to: "1"), default: "0.5",
      unit: "of the profit found", "how much of the profit must still be there on fresh books"),
    SettingDefinition(
      "executor", "depth_tolerance", .decimal(from: "0", to: "1"), default: "0.01", unit: "of the expected cost",
      "how much more the swept depth may cost"),
    SettingDefinition(
      "executor", "limit_tolerance", .decimal(from: "0", to: "1"), default: "0.005", unit: "of the limit price",
      "how much worse than its limit the worst level of a leg may be"),
    SettingDefinition(
      "executor", "fast_opportunity_ttl_ms", .integer(1...3_600_000), default: "500", unit: "ms",
      "the same as opportunity_ttl_ms for finds that follow a trade or a spot price"),
    SettingDefinition(
      "executor", "price_age_max_ms", .integer(1...86_400_000), default: "600000", unit: "ms",
      "a book that was confirmed longer ago is not traded on"),
    SettingDefinition(
      "executor", "book_price_deviation_max", .decimal(from: "0", to: "1"), default: "0.10", unit: "dollars",
      "how far the best bid may be from the trade price that triggered an order"),
    SettingDefinition(
      "executor", "venue_silence_max_ms", .integer(100...86_400_000), default: "5000", unit: "ms",
      "a venue whose ingestor has not said for longer that it is open gets no new orders"),
    SettingDefinition(
      "executor", "accounts", .list, default: "",
      "the venues at which our account is watched, of polymarket and kalshi: while its stream of orders or its balance is not to be had, no new order goes there"
    ),
    SettingDefinition(
      "executor", "account_check_s", .integer(1...3600), default: "10", unit: "s", "how often its balance is asked for"),
    SettingDefinition(
      "executor", "account_silence_s", .integer(1...3600), default: "30", unit: "s",
      "a stream of orders that is silent for longer, signs of life included, is replaced"),
    SettingDefinition(
      "executor", "event_exposure_max", .decimal(from: "0", to: "1000000000"), default: "2000", unit: "dollars",
      "how much of the exposure one event may have"),
    SettingDefinition(
      "executor", "opportunity_exposure_max", .decimal(from: "0", to: "1000000000"), default: "1000",
      unit: "dollars", "how much one opportunity may cost"),
    SettingDefinition(
      "executor", "buy_minimum", .decimal(from: "0", to: "1000000"), default: "1", unit: "dollars",
      "smaller purchases are not sent: the venue refuses them"),
    SettingDefinition(
      "executor", "unwind_attempts_max", .integer(1...100), default: "3", unit: "attempts",
      "how often the sale of a surplus leg is tried before it counts as stuck"),
    SettingDefinition(
      "executor", "unwind_pause_ms", .integer(0...60_000), default: "250", unit: "ms",
      "the pause before it is tried again"),
    SettingDefinition(
      "executor", "failures_max", .integer(1...1_000_000), default: "10", unit: "executions",
      "so many failed executions in a row open the trading breaker"),
    SettingDefinition(
      "executor", "failed_unwinds_max", .integer(1...1_000_000), default: "3", unit: "unwinds",
      "so many failed unwinds in one day (UTC) open the trading breaker"),
    SettingDefinition(
      "executor", "daily_loss_max", .decimal(from: "0.01", to: "1000000000"), default: "200", unit: "dollars",
      "a loss of this much in one day (UTC) opens the trading breaker"),
    SettingDefinition(
      "executor", "live_confirmed", .boolean, default: "false", "the second switch without which no live order is sent"),
    SettingDefinition(
      "executor", "key_file", .text, default: "", "the file that holds the signing key; needed by live mode alone"),
  ]
}
