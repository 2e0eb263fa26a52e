internal import Daemon
internal import Market

#if canImport(Glibc)
  internal import Glibc
#endif

/// What `getProcessInfo` says of a process, in supervisord's words.
struct ProcessInformation {
  let specification: ProcessSpecification
  let record: ProcessRecord
  let start: Timestamp?
  let end: Timestamp?
  let now: Timestamp
  /// What the kernel had against the process that ended last.
  let endNote: String
  /// What it waits for before it is started, by name.
  let waitsFor: [String]

  init(_ supervisor: Supervisor, _ process: ProcessID, _ row: ProcessTable.Row, now: Timestamp = SystemClock.now) {
    specification = row.specification
    record = row.record
    (start, end) = supervisor.times(of: process)
    self.now = now
    endNote = supervisor.rowStates[process]?.endNote ?? ""
    waitsFor = supervisor.table.isWaiting(process) ? supervisor.table.missingDependencies(of: process) : []
  }

  /// How long it has been up, in nanoseconds; 0 where it is not.
  var uptimeNanoseconds: Int64 {
    guard record.pid != nil, let start else { return 0 }
    return max(0, now.nanoseconds(since: start))
  }

  /// How it last ended, where that is how it is now; else 0, as of one that has not ended, and of one that never came
  /// up.
  var exitStatus: Int {
    switch record.state {
    case .stopped, .exited: record.lastExit?.status ?? 0
    case .fatal: record.lastExit == .code(record.policy.fatalExitCode) ? record.policy.fatalExitCode : 0
    case .starting, .running, .backoff, .stopping, .unknown: 0
    }
  }

  /// Why it could not be started, or what was wrong with its end.
  var spawnError: String {
    if !endNote.isEmpty, record.pid == nil { return endNote }
    if record.spawnError.isEmpty, record.state == .exited, Self.isUnexpected(record) {
      return "Bad exit code \(record.lastExit?.status ?? 0)"
    }
    return record.spawnError
  }

  /// Whether a process has ended otherwise than it should.
  static func isUnexpected(_ record: ProcessRecord) -> Bool {
    switch record.lastExit {
    case .code(let code): !record.policy.exitCodes.contains(code)
    case .signal: true
    default: false
    }
  }

  /// One line: `pid 12, uptime 0:01:05`, a date, `Not started`, or why it could not be started.
  var description: String {
    if !waitsFor.isEmpty { return "waits for " + waitsFor.joined(separator: ", ") }
    return switch record.state {
    case .running: "pid \(record.pid ?? 0), uptime \(Self.duration(uptimeNanoseconds / 1_000_000_000))"
    case .fatal, .backoff:
      !endNote.isEmpty
        ? endNote : record.spawnError.isEmpty ? "unknown error (try \"tail \(specification.name)\")" : record.spawnError
    case .stopped, .exited: start == nil ? "Not started" : Self.date(end ?? now)
    case .starting, .stopping, .unknown: ""
    }
  }

  /// `H:MM:SS`, with days before where there are any.
  static func duration(_ seconds: Int64) -> String {
    func pad(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let days = seconds / 86_400
    let clock = "\(seconds / 3600 % 24):\(pad(seconds / 60 % 60)):\(pad(seconds % 60))"
    return days == 0 ? clock : "\(days) day\(days == 1 ? "" : "s"), \(clock)"
  }

  /// A local time such as `Nov 21 03:45 PM`.
  static func date(_ time: Timestamp) -> String {
    var seconds = time_t(time.seconds)
    var parts = tm()
    localtime_r(&seconds, &parts)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      guard let base = buffer.baseAddress, strftime(base, buffer.count, "%b %d %I:%M %p", &parts) > 0 else { return "" }
      return String(cString: base)
    }
  }
}
