extension Schema {
  /// The executor.
  static let executor: [SettingDefinition] = [
    SettingDefinition(
      "executor", "latency_ms", .integer(0...60_000), default: "40", unit: "ms",
      "how long the paper broker takes to reach the book"),
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
  ]
}
