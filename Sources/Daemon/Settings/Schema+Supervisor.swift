extension Schema {
  private static let logLevels = ["critical", "error", "warn", "info", "debug", "trace", "blather"]

  /// Sections of supervisord other than those of programs; keys, kinds and defaults are those of its manual.
  static let supervisord: [SettingDefinition] = [
    SettingDefinition(
      "supervisord", "logfile", .text, default: "",
      "the supervisor's own log; empty: logs/supervisor.log in the run directory"),
    SettingDefinition(
      "supervisord", "logfile_maxbytes", .byteSize, default: "50MB", unit: "bytes", "rotates beyond it"),
    SettingDefinition(
      "supervisord", "logfile_backups", .integer(0...1_000_000_000), default: "10", "rotated files kept"),
    SettingDefinition("supervisord", "loglevel", .choice(logLevels), default: "info", "lines below it are dropped"),
    SettingDefinition("supervisord", "pidfile", .text, default: "", "a file for the supervisor's pid"),
    SettingDefinition("supervisord", "umask", .octal, default: "022", "of the children"),
    SettingDefinition("supervisord", "nodaemon", .boolean, default: "false", "stays in the foreground"),
    SettingDefinition(
      "supervisord", "silent", .boolean, default: "false", "its own log goes to its file alone, not to standard error"),
    SettingDefinition("supervisord", "minfds", .integer(0...1_000_000_000), default: "1024", "descriptors needed"),
    SettingDefinition("supervisord", "minprocs", .integer(0...1_000_000_000), default: "200", "processes needed"),
    SettingDefinition("supervisord", "nocleanup", .boolean, default: "false", "keeps AUTO logs of earlier runs"),
    SettingDefinition("supervisord", "childlogdir", .text, default: "", "where AUTO logs are"),
    SettingDefinition("supervisord", "user", .text, default: "", "the user to become"),
    SettingDefinition("supervisord", "directory", .text, default: "", "the directory to work in"),
    SettingDefinition("supervisord", "strip_ansi", .boolean, default: "false", "drops escape sequences from logs"),
    SettingDefinition("supervisord", "environment", .keyValues, default: "", "variables of all children"),
    SettingDefinition("supervisord", "identifier", .text, default: "supervisor", "the name of this supervisor"),
    SettingDefinition("unix_http_server", "file", .text, default: "", "the control socket"),
    SettingDefinition("unix_http_server", "chmod", .octal, default: "0700", "its permissions"),
    SettingDefinition("unix_http_server", "chown", .text, default: "", "its owner, user:group"),
    SettingDefinition("unix_http_server", "username", .text, default: "", "asked for by basic authentication"),
    SettingDefinition("unix_http_server", "password", .text, default: "", "asked for, plain or {SHA}"),
    SettingDefinition("inet_http_server", "port", .text, default: "", "address:port of the control interface"),
    SettingDefinition("inet_http_server", "username", .text, default: "", "asked for by basic authentication"),
    SettingDefinition("inet_http_server", "password", .text, default: "", "asked for, plain or {SHA}"),
    SettingDefinition("supervisorctl", "serverurl", .text, default: "", "where the client finds the supervisor"),
    SettingDefinition("supervisorctl", "username", .text, default: "", "what the client says"),
    SettingDefinition("supervisorctl", "password", .text, default: "", "what the client says"),
    SettingDefinition("supervisorctl", "prompt", .text, default: "supervisor", "the client's prompt"),
    SettingDefinition("supervisorctl", "history_file", .text, default: "", "the client's history"),
    SettingDefinition("include", "files", .text, default: "", "patterns of more files"),
    SettingDefinition("group:", "programs", .text, default: "", "the programs of the group"),
    SettingDefinition(
      "group:", "priority", .integer(-1_000_000_000...1_000_000_000), default: "999", "lower starts first"),
  ]

  /// `[program:x]` and its relatives.
  static let programs: [SettingDefinition] =
    program("program:")
    + program("eventlistener:") + [
      SettingDefinition("eventlistener:", "buffer_size", .integer(1...1_000_000), default: "10", "events that wait"),
      SettingDefinition("eventlistener:", "events", .text, default: "", "the kinds of events"),
      SettingDefinition("eventlistener:", "result_handler", .text, default: "", "who reads the results"),
    ] + program("fcgi-program:") + [
      SettingDefinition("fcgi-program:", "socket", .text, default: "", "the socket that the children share"),
      SettingDefinition("fcgi-program:", "socket_backlog", .integer(1...65_535), default: "128", "its backlog"),
      SettingDefinition("fcgi-program:", "socket_owner", .text, default: "", "its owner, user:group"),
      SettingDefinition("fcgi-program:", "socket_mode", .octal, default: "0700", "its permissions"),
    ]

  private static func program(_ section: String) -> [SettingDefinition] {
    let restart = ["true", "yes", "on", "1", "false", "no", "off", "0", "unexpected"]
    var result = [
      SettingDefinition(section, "command", .text, default: "", "the program and its arguments"),
      SettingDefinition(section, "process_name", .text, default: "%(program_name)s", "the name of each process"),
      SettingDefinition(section, "numprocs", .integer(0...10_000), default: "1", "how many processes"),
      SettingDefinition(section, "numprocs_start", .integer(0...1_000_000_000), default: "0", "the first process_num"),
      SettingDefinition(
        section, "priority", .integer(-1_000_000_000...1_000_000_000),
        default: section == "eventlistener:" ? "-1" : "999",
        "lower starts first"),
      SettingDefinition(section, "autostart", .boolean, default: "true", "starts with the supervisor"),
      SettingDefinition(section, "autorestart", .choice(restart), default: "unexpected", "restarts when it ends"),
      SettingDefinition(
        section, "startsecs", .integer(0...1_000_000_000), default: "1", unit: "s", "alive so long: running"),
      SettingDefinition(
        section, "startretries", .integer(0...1_000_000_000), default: "3", "failed starts, then FATAL"),
      SettingDefinition(section, "exitcodes", .integers(0...255), default: "0", "expected exit codes"),
      SettingDefinition(section, "stopsignal", .signal, default: "TERM", "asks the process to end"),
      SettingDefinition(section, "stopwaitsecs", .integer(0...1_000_000_000), default: "10", unit: "s", "then SIGKILL"),
      SettingDefinition(section, "stopasgroup", .boolean, default: "false", "the stop signal goes to the group"),
      SettingDefinition(section, "killasgroup", .boolean, default: "false", "SIGKILL goes to the group"),
      SettingDefinition(section, "user", .text, default: "", "the user that it runs as"),
      SettingDefinition(section, "redirect_stderr", .boolean, default: "false", "standard error into standard output"),
      SettingDefinition(section, "environment", .keyValues, default: "", "variables of its own"),
      SettingDefinition(section, "directory", .text, default: "", "the directory that it works in"),
      SettingDefinition(section, "umask", .octal, default: "", "its umask"),
      SettingDefinition(section, "serverurl", .text, default: "AUTO", "SUPERVISOR_SERVER_URL of its environment"),
    ]
    for stream in ["stdout", "stderr"] {
      result += [
        SettingDefinition(section, "\(stream)_logfile", .text, default: "AUTO", "a file, AUTO, NONE or syslog"),
        SettingDefinition(
          section, "\(stream)_logfile_maxbytes", .byteSize, default: "50MB", unit: "bytes", "rotates beyond it"),
        SettingDefinition(
          section, "\(stream)_logfile_backups", .integer(0...1_000_000_000), default: "10", "rotated files kept"),
        SettingDefinition(
          section, "\(stream)_capture_maxbytes", .byteSize, default: "0", unit: "bytes", "capture mode's buffer"),
        SettingDefinition(section, "\(stream)_events_enabled", .boolean, default: "false", "emits log events"),
        SettingDefinition(section, "\(stream)_syslog", .boolean, default: "false", "to syslog as well"),
      ]
    }
    return result
  }

  /// What ours adds, in sections that supervisord passes over.
  static let supervisionExtras: [SettingDefinition] =
    extras("bulkhead:supervisor") + extras("bulkhead:program:") + [
      SettingDefinition(
        "bulkhead:program:", "depends_on", .list, default: "",
        "programs and groups whose processes must be ready before this one starts"),
      SettingDefinition(
        "bulkhead:supervisor", "shutdown_limit_s", .integer(1...3600), default: "10", unit: "s",
        "all children have ended this long after the supervisor was told to stop"),
      SettingDefinition(
        "bulkhead:supervisor", "handover_limit_s", .integer(1...3600), default: "60", unit: "s",
        "a hand-over between shards goes on after this long, also where one of them has not confirmed"),
      SettingDefinition(
        "bulkhead:supervisor", "standby", .boolean, default: "true",
        "whether a second process waits to take the place of a supervisor that dies"),
    ]

  private static func extras(_ section: String) -> [SettingDefinition] {
    [
      SettingDefinition(
        section, "backoff_initial_ms", .integer(1...3_600_000), default: "1000", unit: "ms",
        "the pause after the first start that failed; doubles with each more"),
      SettingDefinition(
        section, "backoff_max_ms", .integer(1...3_600_000), default: "30000", unit: "ms", "the longest pause"),
      SettingDefinition(
        section, "backoff_jitter_percent", .integer(0...100), default: "20", unit: "%",
        "how much is added to a pause at random, so that children do not start in step"),
      SettingDefinition(
        section, "restarts_max", .integer(1...1_000_000), default: "10", unit: "restarts",
        "more restarts than this within restarts_window_s: the next waits as after a failed start"),
      SettingDefinition(
        section, "restarts_window_s", .integer(1...86_400), default: "10", unit: "s", "the window of restarts_max"),
      SettingDefinition(
        section, "restarts_fatal_max", .integer(0...1_000_000), default: "0", unit: "restarts",
        "more restarts than this within restarts_fatal_window_s: FATAL; 0: never"),
      SettingDefinition(
        section, "restarts_fatal_window_s", .integer(1...86_400), default: "3600", unit: "s",
        "the window of restarts_fatal_max"),
      SettingDefinition(
        section, "log_timestamps", .boolean, default: "false", "puts the time before each line of output"),
      SettingDefinition(
        section, "memory_max", .byteSize, default: "0", unit: "bytes",
        "how much memory the process and its descendants get; 0: no limit"),
      SettingDefinition(
        section, "open_files_max", .integer(0...1_000_000_000), default: "0", unit: "descriptors",
        "how many descriptors the process may have; 0: as many as the supervisor"),
      SettingDefinition(
        section, "cpus", .text, default: "", "the processors that it may run on, such as 0,2-3; empty: all"),
      SettingDefinition(
        section, "nice", .integer(-20...19), default: "0", "its niceness; 0: that of the supervisor"),
      SettingDefinition(
        section, "cgroup", .choice(["auto", "on", "off"]), default: "auto",
        "whether it gets a control group of its own; auto: where memory_max needs one and one can be had"),
      SettingDefinition(
        section, "wait_ready", .boolean, default: "false",
        "whether the process is RUNNING only when it has said READY=1"),
      SettingDefinition(
        section, "ready_timeout_s", .integer(1...86_400), default: "60", unit: "s",
        "a process that has not said READY=1 by then is killed and started again"),
      SettingDefinition(
        section, "watchdog_s", .integer(0...86_400), default: "0", unit: "s",
        "a process that does not say WATCHDOG=1 for so long is killed and started again; 0: not watched"),
    ]
  }
}
