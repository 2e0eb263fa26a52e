extension Schema {
  /// The settler.
  static let settler: [SettingDefinition] = [
    SettingDefinition(
      "settler", "tolerance_percent", .decimal(from: "0", to: "100"), default: "0.5", unit: "%",
      "how far a source may be from the mean of all", environmentNames: ["BTC_SETTLEMENT_TOLERANCE_PCT"]),
    SettingDefinition(
      "settler", "sources_min", .integer(1...10), default: "2", unit: "sources",
      "with fewer sources there is no settlement price"),
    SettingDefinition(
      "settler", "point_offset_max_s", .integer(0...3600), default: "60", unit: "s",
      "how far from the instant the price of a source without candles (CoinGecko) may be; farther away it is absent"),
    SettingDefinition(
      "settler", "interval_s", .integer(1...3600), default: "2", unit: "s",
      "how often pending trades are looked at"),
    SettingDefinition(
      "settler", "candle_delay_s", .integer(0...3600), default: "2", unit: "s",
      "how long after an instant its candle is asked for"),
    SettingDefinition(
      "settler", "retry_max_s", .integer(1...86_400), default: "300", unit: "s",
      "the longest pause between two attempts to settle a market; it doubles from interval_s"),
    SettingDefinition(
      "settler", "open_check_s", .integer(1...86_400), default: "600", unit: "s",
      "how often the venue is asked whether a market has resolved before its end"),
    SettingDefinition(
      "settler", "merge_ahead_s", .integer(0...31_536_000), default: "600", unit: "s",
      "complete sets of a market that ends later than this are merged; those that end sooner wait for settlement"),
  ]
}
