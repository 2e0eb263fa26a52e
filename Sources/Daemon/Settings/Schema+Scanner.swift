extension Schema {
  /// The scanner.
  static let scanner: [SettingDefinition] = [
    SettingDefinition(
      "scanner", "full_scan_s", .integer(1...3600), default: "5", unit: "s",
      "how often every event is scanned, changed or not"),
    SettingDefinition(
      "scanner", "minimum_profit", .decimal(from: "0", to: "1000000"), default: "0.01", unit: "dollars",
      "finds that earn less are dropped"),
    SettingDefinition(
      "scanner", "quantity_max", .decimal(from: "0.01", to: "1000000000"), default: "1000", unit: "shares",
      "the largest size that is considered"),
    SettingDefinition(
      "scanner", "suspicious_return", .decimal(from: "0", to: "1000000"), default: "10", unit: "times the cost",
      "a find with a higher return must have a recent trade; 10 is 1,000 %"),
    SettingDefinition(
      "scanner", "suspicious_trade_age_max_s", .integer(1...31_536_000), default: "604800", unit: "s",
      "how old that trade may be"),
    SettingDefinition(
      "scanner", "book_age_max_ms", .integer(1...86_400_000), default: "60000", unit: "ms",
      "a book that was confirmed longer ago is stale and not scanned"),
    SettingDefinition(
      "scanner", "cross_book_age_max_ms", .integer(1...86_400_000), default: "600000", unit: "ms",
      "the same for pairs of two venues, whose books are no mirrors and may rest for long"),
    SettingDefinition(
      "scanner", "grid_drift_max", .decimal(from: "0", to: "1"), default: "0.005", unit: "dollars",
      "a price of a pair that would move farther on its way to the venue's grid is not traded"),
    SettingDefinition(
      "scanner", "fee_share_max", .decimal(from: "0", to: "1"), default: "0.2", unit: "of the price",
      "a contract of a pair whose fee is a larger part of its price is not traded"),
    SettingDefinition(
      "scanner", "latency_edge_min", .decimal(from: "0", to: "1"), default: "0.03", unit: "dollars",
      "the least that a share of an up/down market must be expected to earn, after fees"),
    SettingDefinition(
      "scanner", "latency_left_min_s", .integer(1...3600), default: "10", unit: "s",
      "with less of an up/down window left nothing is bought"),
    SettingDefinition(
      "scanner", "spot_age_max_ms", .integer(1...600_000), default: "2000", unit: "ms",
      "an older price of an exchange is stale: nothing rests on it"),
    SettingDefinition(
      "scanner", "spot_sources_min", .integer(1...5), default: "2", unit: "exchanges",
      "so many must have a fresh price of a coin"),
    SettingDefinition(
      "scanner", "volatility_half_life_s", .integer(60...86_400), default: "1800", unit: "s",
      "after so long a return counts half as much for the volatility"),
    SettingDefinition(
      "scanner", "volatility_samples_min", .integer(1...1000), default: "5", unit: "minutes",
      "so long a coin must have been watched before its volatility is believed"),
    SettingDefinition(
      "scanner", "volatility_errors", .decimal(from: "0", to: "10"), default: "1", unit: "standard errors",
      "by how much the volatility is taken to be off, in the direction that is worse for us"),
    SettingDefinition(
      "scanner", "spike_trigger", .decimal(from: "0", to: "1"), default: "0.95", unit: "dollars",
      "a trade at this price or above may be a spike"),
    SettingDefinition(
      "scanner", "spike_jump", .decimal(from: "0", to: "1"), default: "0.10", unit: "dollars",
      "how far it must be above the lowest trade of the window before it"),
    SettingDefinition(
      "scanner", "spike_window_s", .integer(1...3600), default: "10", unit: "s",
      "the window in which the price must have jumped; an older trade is none"),
    SettingDefinition(
      "scanner", "spike_size_min", .decimal(from: "0", to: "1000000000"), default: "50", unit: "shares",
      "the least size of the trade"),
    SettingDefinition(
      "scanner", "spike_deviation_max", .decimal(from: "0", to: "1"), default: "0.10", unit: "dollars",
      "how far the best bid may be from the trade's price"),
    SettingDefinition(
      "scanner", "spike_edge_min", .decimal(from: "0", to: "1"), default: "0.01", unit: "dollars",
      "how much less than the trade's price a share must cost, fees included"),
    SettingDefinition(
      "scanner", "spike_life_ms", .integer(1...600_000), default: "2000", unit: "ms",
      "how long after the trade its price means something"),
    SettingDefinition(
      "scanner", "hurdle_percent", .decimal(from: "0", to: "100000"), default: "5", unit: "% a year",
      "a find that earns less on locked capital is shown and not executed"),
    SettingDefinition(
      "scanner", "resolution_s", .integer(0...31_536_000), default: "7200", unit: "s",
      "how long after its end a market is resolved and paid"),
    SettingDefinition(
      "scanner", "unknown_end_s", .integer(1...315_360_000), default: "31536000", unit: "s",
      "how long capital is thought to be locked where no venue says when a market ends"),
    SettingDefinition(
      "scanner", "kelly_fraction", .decimal(from: "0", to: "1"), default: "0.25", unit: "of Kelly's criterion",
      "the part of it that one find gets of the bankroll"),
    SettingDefinition(
      "scanner", "activity_window_s", .integer(2...86_400), default: "600", unit: "s",
      "within which time trades are recent"),
    SettingDefinition(
      "scanner", "score_profit_half", .decimal(from: "0.01", to: "1000000"), default: "10", unit: "dollars",
      "the profit that counts one half in the score"),
    SettingDefinition(
      "scanner", "score_volume_half", .decimal(from: "0.01", to: "1000000000"), default: "10000", unit: "dollars",
      "the volume of a day that counts one half"),
    SettingDefinition(
      "scanner", "score_trades_half", .integer(1...1_000_000), default: "5", unit: "trades",
      "the number of recent trades that counts one half"),
    SettingDefinition(
      "scanner", "score_locked_half_s", .integer(1...315_360_000), default: "86400", unit: "s",
      "the time for which capital is locked that counts one half"),
    SettingDefinition(
      "scanner", "score_weight_profit", .decimal(from: "0", to: "1000"), default: "3",
      "how much the profit counts in the score"),
    SettingDefinition(
      "scanner", "score_weight_fill", .decimal(from: "0", to: "1000"), default: "2",
      "how much the depth counts"),
    SettingDefinition(
      "scanner", "score_weight_volume", .decimal(from: "0", to: "1000"), default: "1",
      "how much the volume of a day counts"),
    SettingDefinition(
      "scanner", "score_weight_activity", .decimal(from: "0", to: "1000"), default: "1",
      "how much recent trades count"),
    SettingDefinition(
      "scanner", "score_weight_time", .decimal(from: "0", to: "1000"), default: "2",
      "how much the time counts for which capital is locked"),
    SettingDefinition(
      "scanner", "score_weight_legs", .decimal(from: "0", to: "1000"), default: "1",
      "how much the number of legs counts"),
  ]
}
