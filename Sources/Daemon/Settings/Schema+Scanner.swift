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
  ]
}
