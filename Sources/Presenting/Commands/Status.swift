internal import Web

extension Command {
  static let status = Command(
    "status", options: [.json], "Shows every process: state, pid, how long it is up, how often it was restarted"
  ) { context in
    let report = statusReport(try context.supervisor.processes())
    return context.print(report, empty: "the supervisor has no processes")
  }

  private static func statusReport(_ processes: [ProcessRow]) -> Report {
    var report = Report([
      .init("name", "NAME"), .init("state", "STATE"), .init("pid", "PID", isNumber: true),
      .init("uptime_seconds", "UPTIME", isNumber: true), .init("restarts", "RESTARTS", isNumber: true),
      .init("ready", "READY"), .init("shard", "SHARD"), .init("group", nil), .init("exit_status", nil),
      .init("description", "SAYS"),
    ])
    for process in processes {
      report.add([
        .text(process.name), .text(process.state), .integer(process.pid), .seconds(process.uptimeSeconds),
        .integer(process.restarts), .boolean(process.isReady), process.shard.isEmpty ? .none : .text(process.shard),
        .text(process.group), .integer(process.exitStatus),
        .text(process.description),
      ])
    }
    return report
  }
}
