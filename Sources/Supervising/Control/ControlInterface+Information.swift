internal import Daemon
internal import Market
internal import Web

/// What processes are and how they are.
extension ControlInterface {
  func registerInformation() {
    let name = ControlMethod.Parameter("string", "name", "the process, as NAME or GROUP:NAME")
    register("getProcessInfo", result: "struct", "How a process is.", [name]) {
      [unowned self] arguments, reply throws(ControlFault) in
      let process = try single(arguments.text(0))
      guard let row = supervisor.table[process] else { throw ControlFault(.badName) }
      var writer = XMLRPCWriter(reserving: 2048)
      write(process, row, now: SystemClock.now, to: &writer)
      reply(.success(ControlAnswer(writer)))
    }
    register("getAllProcessInfo", result: "array", "How all processes are, by group and name.") {
      [unowned self] _, reply in
      let now = SystemClock.now
      let rows = supervisor.table.order.compactMap { process in supervisor.table[process].map { (process, $0) } }
        .sorted {
          ($0.1.specification.group, $0.1.specification.name) < ($1.1.specification.group, $1.1.specification.name)
        }
      var writer = XMLRPCWriter(reserving: 256 + 1800 * rows.count)
      writer.array { writer in
        for (process, row) in rows { write(process, row, now: now, to: &writer) }
      }
      reply(.success(ControlAnswer(writer)))
    }
    register("getAllConfigInfo", result: "array", "What the configuration says of all processes, by name.") {
      [unowned self] _, reply in
      let active = Set(supervisor.activeGroups)
      let all = supervisor.available.processes.sorted { $0.sortKey < $1.sortKey }.enumerated()
        .sorted { ($0.element.name, $0.offset) < ($1.element.name, $1.offset) }
      var writer = XMLRPCWriter(reserving: 256 + 2600 * supervisor.available.processes.count)
      writer.array { writer in
        for (_, specification) in all {
          write(specification, isActive: active.contains(specification.group), to: &writer)
        }
      }
      reply(.success(ControlAnswer(writer)))
    }
  }

  private func write(
    _ process: ProcessID, _ row: ProcessTable.Row, now: Timestamp, to writer: inout XMLRPCWriter
  ) {
    let specification = row.specification
    let record = row.record
    let details = ProcessInformation(supervisor, process, row, now: now)
    func seconds(_ value: Int64?) -> Int64 { min(value ?? 0, Int64(Int32.max)) }
    let output = specification.output.file ?? ""
    let errorOutput = specification.redirectsErrors ? "" : specification.errorOutput.file ?? ""
    writer.structure { writer in
      writer.member("name", specification.name)
      writer.member("group", specification.group)
      writer.member("start", seconds(details.start?.seconds))
      writer.member("stop", seconds(details.end?.seconds))
      writer.member("now", seconds(details.now.seconds))
      writer.member("state", Int64(record.state.rawValue))
      writer.member("statename", record.state.name)
      writer.member("spawnerr", details.spawnError)
      writer.member("exitstatus", Int64(details.exitStatus))
      writer.member("logfile", output)
      writer.member("stdout_logfile", output)
      writer.member("stderr_logfile", errorOutput)
      writer.member("pid", Int64(record.pid ?? 0))
      writer.member("description", details.description)
      writer.member("restarts", Int64(record.restarts))
      writer.member("ready", record.isReady)
      writer.member("uptime_seconds", Double(details.uptimeNanoseconds) / 1e9)
      writer.member("status", supervisor.statusText(of: process))
      writer.member("shard", specification.environment["BULKHEAD_SHARD"] ?? "")
      writer.member("output_dropped_bytes", Int64(supervisor.rowStates[process]?.streams.droppedBytes ?? 0))
    }
  }

  /// What XML-RPC cannot say, `none` stands for.
  private func write(_ specification: ProcessSpecification, isActive: Bool, to writer: inout XMLRPCWriter) {
    let policy = specification.policy
    func seconds(_ nanoseconds: Int64) -> Int64 { nanoseconds / 1_000_000_000 }
    func optional(_ text: String?) -> XMLRPCValue { .string(text ?? "none") }
    let url = specification.environment["SUPERVISOR_SERVER_URL"]
    writer.structure { writer in
      writer.member("name", specification.name)
      writer.member("group", specification.group)
      writer.member("inuse", isActive)
      writer.member("autostart", specification.startsAutomatically)
      writer.member("command", specification.command)
      writer.member("directory", optional(specification.directory))
      writer.member("uid", specification.user.map { .integer(Int64($0.uid)) } ?? "none")
      writer.member("exitcodes", .array(policy.exitCodes.sorted().map { .integer(Int64($0)) }))
      writer.member("group_prio", Int64(specification.sortKey.groupPriority))
      writer.member("process_prio", Int64(specification.sortKey.priority))
      writer.member("killasgroup", policy.killsGroup)
      writer.member("redirect_stderr", specification.redirectsErrors)
      writer.member("startretries", Int64(policy.startRetries))
      writer.member("startsecs", seconds(policy.startNanoseconds))
      writer.member("stopsignal", Int64(policy.stopSignal))
      writer.member("stopwaitsecs", seconds(policy.stopWaitNanoseconds))
      writer.member("serverurl", optional(url == supervisor.available.serverURL ? nil : url))
      writer.member("stdout_logfile", optional(specification.output.file))
      writer.member("stdout_logfile_backups", Int64(specification.output.backups))
      writer.member("stdout_logfile_maxbytes", Int64(specification.output.sizeMax))
      writer.member("stdout_capture_maxbytes", Int64(specification.output.captureMax))
      writer.member("stdout_events_enabled", specification.output.emitsEvents)
      writer.member("stdout_syslog", specification.output.usesSyslog)
      let errorOutput = specification.errorOutput
      writer.member("stderr_logfile", optional(specification.redirectsErrors ? nil : errorOutput.file))
      writer.member("stderr_logfile_backups", Int64(errorOutput.backups))
      writer.member("stderr_logfile_maxbytes", Int64(errorOutput.sizeMax))
      writer.member("stderr_capture_maxbytes", Int64(errorOutput.captureMax))
      writer.member("stderr_events_enabled", errorOutput.emitsEvents)
      writer.member("stderr_syslog", errorOutput.usesSyslog)
    }
  }
}
