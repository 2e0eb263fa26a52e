internal import Bus
internal import Daemon
internal import Market
internal import Venues
internal import Web

extension Command {
  static let doctor = Command(
    "doctor",
    options: [
      .json, .init(["--venue"], value: "NAME", "looks at this venue alone; otherwise at those that have an ingestor"),
      .init(["--no-venues"], "asks no venue anything"),
    ],
    "Looks for what is wrong: directories, disk, sockets, clock, and whether the venues' answers still have their shape"
  ) { context in
    let venues = try DoctorVenues.chosen(context)
    var report = DoctorReport()
    DoctorHost(context).check(&report)
    if !context.invocation.has("--no-venues") { DoctorVenues(context).check(venues, &report) }
    let text = context.print(report.report, empty: "nothing was looked at")
    guard report.failureCount > 0 else { return text }
    writeOut(text)
    throw ToolError(.failed, "\(report.failureCount) of \(report.report.rows.count) checks failed")
  }
}

/// What the doctor has found.
struct DoctorReport {
  enum Verdict: String {
    case ok, note, failed
  }

  private(set) var report = Report([
    .init("check", "CHECK"), .init("subject", "SUBJECT"), .init("state", "STATE"), .init("field", nil),
    .init("detail", "DETAIL"),
  ])
  private(set) var failureCount = 0

  mutating func add(
    _ check: String, _ subject: String, _ verdict: Verdict, _ detail: String, field: String = ""
  ) {
    if verdict == .failed { failureCount += 1 }
    report.add([.text(check), .text(subject), .text(verdict.rawValue), .text(field), .text(detail)])
  }
}
