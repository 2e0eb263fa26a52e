extension Schema {
  /// The dashboard.
  static let dashboard: [SettingDefinition] = [
    SettingDefinition(
      "dashboard", "listen", .text, default: "127.0.0.1:0", "address and port; port 0 takes a free one"),
    SettingDefinition(
      "dashboard", "hosts", .list, default: "",
      "names by which browsers may reach it, beside the loopback's and that of listen"),
    SettingDefinition(
      "dashboard", "token_file", .text, default: "",
      "the file that holds the token; empty for a new one at each start, in run_dir"),
  ]
}
