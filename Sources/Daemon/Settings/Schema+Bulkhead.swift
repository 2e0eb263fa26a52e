extension Schema {
  /// What concerns all processes.
  static let bulkhead: [SettingDefinition] = [
    SettingDefinition(
      "bulkhead", "run_dir", .path, default: "%(here)s/var/run",
      "sockets, pid files, logs: may be emptied when nothing runs"),
    SettingDefinition(
      "bulkhead", "data_dir", .path, default: "%(here)s/var/data", "journal, ledger and history: must last"),
    SettingDefinition(
      "bulkhead", "database_url", .text, default: "",
      "must be empty: this build keeps everything in SQLite files of data_dir, and knows no PostgreSQL",
      environmentNames: ["DATABASE_URL"], isSecret: true),
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
    SettingDefinition(
      "bulkhead", "breaker_failures_max", .integer(1...1000), default: "5", unit: "failures",
      "so many requests in a row without an answer stop all requests to that service of a venue, of all processes"),
    SettingDefinition(
      "bulkhead", "breaker_pause_s", .integer(1...86_400), default: "5", unit: "s",
      "for how long at first, until one request probes; it doubles with each probe that fails"),
    SettingDefinition(
      "bulkhead", "breaker_pause_max_s", .integer(1...86_400), default: "30", unit: "s", "the longest that it lasts"),
    SettingDefinition(
      "bulkhead", "check_shapes", .boolean, default: "true",
      "whether each ingestor looks at its start if its venue's answers still have the shape that is read"),
    SettingDefinition(
      "bulkhead", "venue_status_s", .integer(1...3600), default: "5", unit: "s",
      "how often a venue is asked whether it takes orders; every second while it does not"),
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
