internal import Bus
internal import Daemon
internal import Market
internal import Venues
internal import Web

/// What the doctor asks the venues.
struct DoctorVenues {
  private let settings: Settings
  private let runDirectory: String

  /// A clock that is farther away than this makes signed requests fail, and trades look too old.
  private static let offsetMillisecondsMax: Int64 = 2000
  /// A venue that has not answered everything by then is given up.
  private static let limitSeconds: Int64 = 60

  private enum Letter: Sendable {
    case shapes(Venue, [ShapeFinding])
    case clock(Venue, Result<Int64?, VenueError>)
  }

  init(_ context: ToolContext) {
    settings = context.settings
    runDirectory = context.runDirectory
  }

  /// The venues that are asked: the one that the command line names, or those that have an ingestor in the configuration,
  /// or all where none has.
  /// - Throws: `ToolError` where there is no such venue.
  static func chosen(_ context: ToolContext) throws(ToolError) -> [Venue] {
    if let name = context.invocation.value("--venue") {
      guard let venue = Venue(rawValue: name.lowercased()) else {
        let known = Venue.allCases.map(\.rawValue).joined(separator: ", ")
        throw ToolError.usage("there is no venue \(name); there are \(known)")
      }
      return [venue]
    }
    let file = ConfigurationFile(path: context.settings.path, environment: context.environment)
    var words: Set<String> = []
    for section in file.sections where section.name.hasPrefix("program:") {
      let command = section.entry("command")?.value.split(separator: " ").map(String.init) ?? []
      guard command.first?.hasSuffix("ingestor") == true else { continue }
      words.formUnion(command.dropFirst())
      if words.contains("candles") { words.insert(Venue.coingecko.rawValue) }
    }
    let configured = Venue.allCases.filter { words.contains($0.rawValue) }
    return configured.isEmpty ? Venue.allCases : configured
  }

  /// Asks all venues at once, and tells what has come in the order of the venues.
  func check(_ venues: [Venue], _ report: inout DoctorReport) {
    let mailbox: Mailbox<Letter>
    do { mailbox = try Mailbox() } catch { return report.add("venues", "all", .failed, "\(error)") }
    let check = ShapeCheck(
      settings: settings, runDirectory: runDirectory, transport: VenueTransport(HTTPClient()))
    for venue in venues {
      Task {
        do throws(VenueError) {
          mailbox.post(.clock(venue, .success(try await check.clockOffsetMilliseconds(venue))))
        } catch {
          mailbox.post(.clock(venue, .failure(error)))
        }
        mailbox.post(.shapes(venue, await check.run(venue)))
      }
    }
    var shapes: [Venue: [ShapeFinding]] = [:]
    var clocks: [Venue: Result<Int64?, VenueError>] = [:]
    let poller = Poller()
    poller.add(descriptor: mailbox.descriptor)
    let deadline = SystemClock.monotonicNanoseconds + Self.limitSeconds * 1_000_000_000
    while shapes.count < venues.count {
      let left = deadline - SystemClock.monotonicNanoseconds
      guard left > 0 else { break }
      poller.wait(timeoutMilliseconds: Int(left / 1_000_000) + 1)
      for letter in mailbox.take() {
        switch letter {
        case .shapes(let venue, let findings): shapes[venue] = findings
        case .clock(let venue, let result): clocks[venue] = result
        }
      }
    }
    for venue in venues {
      tell(clocks[venue], of: venue, &report)
      guard let findings = shapes[venue] else {
        report.add("shape", venue.rawValue, .failed, "no answer within \(Self.limitSeconds) s")
        continue
      }
      for finding in findings { tell(finding, &report) }
    }
  }

  private func tell(_ clock: Result<Int64?, VenueError>?, of venue: Venue, _ report: inout DoctorReport) {
    switch clock {
    case .success(let offset?):
      let text = "\(offset >= 0 ? "+" : "")\(offset) ms from ours"
      report.add("clock", venue.rawValue, offset.magnitude <= Self.offsetMillisecondsMax ? .ok : .failed, text)
    case .failure(let error): report.add("clock", venue.rawValue, .failed, "\(error)", field: error.field)
    // It tells no time, or has not answered, which the findings say.
    case .success(nil), nil: break
    }
  }

  private func tell(_ finding: ShapeFinding, _ report: inout DoctorReport) {
    let verdict: DoctorReport.Verdict =
      switch finding.verdict {
      case .ok: finding.text.isEmpty ? .ok : .note
      case .different, .unknown: .failed
      }
    report.add(
      "shape", "\(finding.venue.rawValue) \(finding.kind)", verdict, finding.text.isEmpty ? "as known" : finding.text,
      field: finding.field)
  }
}
