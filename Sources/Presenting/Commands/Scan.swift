package import Bus
internal import Daemon
package import Market
internal import Web

#if canImport(Glibc)
  internal import Glibc
#endif

extension Command {
  static let scan = Command(
    "scan",
    options: [
      .init(
        ["--limit", "-n"], value: "N", "at most so many markets of each venue, the most traded first; all otherwise"),
      .init(["--venue"], value: "NAME", "polymarket or kalshi alone"), .json,
    ],
    "Fetches markets and books once, scans them, and shows what was found and what was left out; also in DATA/status.md"
  ) { context in
    let report = try onePass(context)
    let now = SystemClock.now
    let shown = scanText(report, now: now)
    let path = context.dataDirectory + "/status.md"
    try writeFileAtomically(Array(("# Scan of \(now)\n\n```\n" + shown + "```\n").utf8), to: path)
    return context.wantsJSON ? scanJSON(report, now: now) : shown + "\nwritten to \(path)\n"
  }

  /// Has the scanner make one pass, and reads its report.
  private static func onePass(_ context: ToolContext) throws -> ScanReport {
    guard let directory = context.environment["BULKHEAD_BIN"] else {
      throw ToolError(.failed, "BULKHEAD_BIN does not say where the programs are; scripts/bulkhead does")
    }
    try FilePaths.makeDirectories(context.runDirectory + "/logs", mode: 0o700)
    try FilePaths.makeDirectories(context.dataDirectory, mode: 0o700)
    let report = "\(context.runDirectory)/scan.\(getpid()).report"
    let log = "\(context.runDirectory)/logs/scan.log"
    defer { unlink(report) }
    var arguments = ["once", "--report", report]
    if let limit = try context.invocation.integer("--limit", in: 1...1_000_000) {
      arguments += ["--limit", "\(limit)"]
    }
    if let venue = context.invocation.value("--venue") { arguments += ["--venue", venue] }
    var environment = context.environment
    if let file = context.invocation.value("-c") { environment["BULKHEAD_CONF"] = file }
    environment["BULKHEAD_NAME"] = "scan"
    // What the supervisor says to its children is not meant for this one.
    environment["NOTIFY_SOCKET"] = nil
    let child = try ChildProcess(directory + "/scanner", arguments, environment: environment, log: log)
    while !child.handle.hasEnded(withinMilliseconds: 60_000) {}
    guard let bytes = try? readFile(report, sizeMax: 1 << 28) else {
      let said = (try? readFile(log, sizeMax: 1 << 20)).map { String(decoding: $0, as: UTF8.self) } ?? ""
      throw ToolError(.failed, "the pass ended without a report: \(said.split(separator: "\n").last ?? "")")
    }
    return try bytes.withUnsafeBytes { bytes in
      var reader = MessagePackReader(bytes)
      return try ScanReport(&reader)
    }
  }

  /// What was found, what was left out and why, and what was looked at.
  package static func scanText(_ report: ScanReport, now: Timestamp) -> String {
    var text = opportunitiesTable(report.opportunities, now: now, empty: "nothing was found")
    for (title, rows) in [("left out", report.skips), ("looked at", report.figures)] where !rows.isEmpty {
      text += "\n\(title)\n"
      let width = rows.map(\.name.count).max() ?? 0
      for (name, count) in rows {
        text += "  " + name + String(repeating: " ", count: width - name.count) + "  \(Figures.grouped(Int(count)))\n"
      }
    }
    for note in report.notes { text += "\n\(note)\n" }
    return text
  }

  private static func scanJSON(_ report: ScanReport, now: Timestamp) -> String {
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("opportunities", raw: opportunitiesJSON(report.opportunities, now: now))
      for (title, rows) in [("left_out", report.skips), ("looked_at", report.figures)] {
        writer.object(title) { writer in
          for (name, count) in rows { writer.field(name, count) }
        }
      }
      writer.array("notes") { writer in
        for note in report.notes { writer.value(note) }
      }
    }
    return writer.text + "\n"
  }
}
