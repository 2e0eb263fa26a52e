extension Schema {
  /// What concerns all processes.
  static let bulkhead: [SettingDefinition] = [
    SettingDefinition(
      "bulkhead", "run_dir", .path, default: "%(here)s/var/run",
      "sockets, pid files, logs: may be emptied when nothing runs"),
    SettingDefinition(
      "bulkhead", "data_dir", .path, default: "%(here)s/var/data", "journal, ledger and history: must last"),
    SettingDefinition(
      "bulkhead", "log_level", .choice(["debug", "info", "warning", "error"]), default: "info",
      "log lines below it are dropped"),
    SettingDefinition(
      "bulkhead", "log_format", .choice(["human", "json"]), default: "human", "log lines for people or as JSON objects"),
    SettingDefinition(
      "bulkhead", "mode", .choice(["dry-run", "paper", "live"]), default: "paper",
      "what becomes of an opportunity: logged, filled by the paper broker, or sent to the venue"),
    SettingDefinition(
      "bulkhead", "request_share_percent", .integer(1...100), default: "80", unit: "%",
      "how much of a venue's limit of REST requests all processes of this run directory together may use"),
  ]

  /// The bus between the processes.
  static let bus: [SettingDefinition] = [
    SettingDefinition(
      "bus", "high_water_mark_messages", .integer(1...100_000_000), default: "100000", unit: "messages",
      "how many messages wait for a slow subscriber before it loses some"),
    SettingDefinition(
      "bus", "reconnect_ms", .integer(1...60_000), default: "10", unit: "ms",
      "how soon a subscriber tries a lost publisher again"),
    SettingDefinition(
      "bus", "publishers", .list, default: "",
      "names of processes that are there without our supervisor's word; needed only under another supervisor"),
  ]
}
