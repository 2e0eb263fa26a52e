extension Schema {
  /// Which markets of two venues ask the same question.
  static let matching: [SettingDefinition] = [
    SettingDefinition(
      "matching", "matches_file", .path, default: "%(here)s/var/data/verified_matches.json",
      "what people have decided about pairs of markets; `bulkhead matches` writes it"),
    SettingDefinition(
      "matching", "pairs_files", .list, default: "%(here)s/var/run/simulator.pairs.json",
      "more files of that form, which are only read; matches_file is the stronger one"),
    SettingDefinition(
      "matching", "score_min", .decimal(from: "50", to: "100"), default: "95", unit: "points of 100",
      "titles that are less alike (token_set_ratio) are no candidates"),
    SettingDefinition(
      "matching", "close_difference_max_h", .integer(1...87_600), default: "744", unit: "h",
      "markets that close further apart are no candidates"),
  ]
}
