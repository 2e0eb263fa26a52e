internal import Daemon
internal import Market
internal import Web

#if canImport(Glibc)
  internal import Glibc
#endif

extension Command {
  static let scale = Command(
    "scale", operands: "PROGRAM=N…", count: 1...100, options: [.json],
    "Brings programs to another number of processes while everything runs"
  ) { context in
    let wanted = try context.invocation.operands.map(parse)
    let supervisor = context.supervisor
    for (program, count) in wanted {
      do {
        try supervisor.call("supervisor.scaleProcessGroup", [.string(program), .integer(Int64(count))])
      } catch let fault as SupervisorClient.Fault where fault.code == SupervisorClient.Fault.badName {
        throw ToolError.usage("there is no program \(program)")
      }
    }
    var reports: [[Cell]] = []
    for (program, count) in wanted { reports.append(try follow(program, to: count, context)) }
    guard context.wantsJSON else { return "" }
    var report = Report([
      .init("program", "PROGRAM"), .init("from", "FROM", isNumber: true), .init("to", "TO", isNumber: true),
      .init("seconds", "SECONDS", isNumber: true),
    ])
    for row in reports { report.add(row) }
    return report.json
  }

  /// Reads `PROGRAM=N`.
  private static func parse(_ operand: String) throws(ToolError) -> (program: String, count: Int) {
    let parts = operand.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, let count = Int(parts[1]), (1...1000).contains(count) else {
      throw .usage("expected PROGRAM=N with N from 1 to 1000, found \(operand)")
    }
    return (String(parts[0]), count)
  }

  /// Says how far it is, a line for each step, until it is done.
  private static func follow(_ program: String, to count: Int, _ context: ToolContext) throws -> [Cell] {
    let started = SystemClock.monotonicNanoseconds
    var from: Int64?
    var last = ""
    while true {
      let info = try context.supervisor.call("supervisor.getScaleInfo", [.string(program)])
      let stage = info["stage"]?.string ?? "done"
      from = from ?? info["previous"]?.integer
      let isDone = stage == "done"
      let missing = (info["missing"]?.array ?? []).compactMap(\.string)
      let seconds = Double(SystemClock.monotonicNanoseconds - started) / 1e9
      var line = "\(program): \(from ?? 0) → \(info["count"]?.integer ?? Int64(count)): \(stage)"
      if !missing.isEmpty { line += ", waiting for \(missing.joined(separator: ", "))" }
      if !context.wantsJSON, line != last {
        writeOut(line + (isDone ? " after \(Figures.decimal(seconds, 1)) s" : "") + "\n")
        last = line
      }
      if isDone {
        return [.text(program), .integer(from ?? 0), .integer(info["count"]?.integer ?? 0), .seconds(seconds)]
      }
      usleep(50_000)
    }
  }
}
