extension Schema {
  /// The simulator.
  static let simulator: [SettingDefinition] = [
    SettingDefinition(
      "simulator", "seed", .integer(0...Int.max), default: "7", "the same seed makes the same market"),
    SettingDefinition(
      "simulator", "markets", .integer(1...1_000_000), default: "2000", unit: "markets", "how many markets there are"),
    SettingDefinition(
      "simulator", "events", .integer(1...1_000_000), default: "400", unit: "events",
      "how many events hold these markets"),
    SettingDefinition(
      "simulator", "updates_per_second", .integer(0...10_000_000), default: "1000", unit: "updates/s",
      "how many book changes there are"),
    SettingDefinition(
      "simulator", "arbitrages_per_second", .decimal(from: "0", to: "1000000"), default: "1", unit: "arbitrages/s",
      "how many known arbitrages are planted"),
    SettingDefinition(
      "simulator", "plant_kinds", .list,
      default: "binaryBuy, binarySell, negRiskBuyYes, negRiskSellYes, negRiskConvert, crossFirst, crossSecond, "
        + "latencyUp, latencyDown, spike",
      "which kinds are planted"),
    SettingDefinition(
      "simulator", "decoys_per_second", .decimal(from: "0", to: "1000000"), default: "0.1", unit: "decoys/s",
      "how many jumps of a trade price are made up that nobody may trade: old, small, or not followed by the book"),
    SettingDefinition(
      "simulator", "load", .text, default: "", "a recorded market to serve instead of a made one; empty for none"),
    SettingDefinition(
      "simulator", "speed", .decimal(from: "0", to: "1000000"), default: "1", unit: "times",
      "how much faster than it was recorded a recorded market is played; 0 for as fast as it is taken"),
    SettingDefinition(
      "simulator", "listen", .text, default: "127.0.0.1:0", "address and port; port 0 takes a free one"),
    SettingDefinition(
      "simulator", "kalshi_public_key_file", .text, default: "",
      "PEM of the public key that signatures to Kalshi must fit; empty asks for their presence alone"),
  ]
}
