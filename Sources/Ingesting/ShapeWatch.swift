internal import Daemon
internal import Market
internal import Synchronization
internal import Venues
internal import Web

/// Looks once, at the start of an ingestor, whether its venue's answers still have the shape that is read (X8).
///
/// It runs beside everything else, and stops nothing: what it finds is a warning and a counter.
final class ShapeWatch: Sendable {
  private let state = Mutex((isStarted: false, different: Int64(0), unknown: Int64(0)))

  /// Starts the look, once; nothing where the settings do not want it.
  func start(_ venue: Venue, _ context: WorkerContext) {
    let isFirst = state.withLock { state in
      defer { state.isStarted = true }
      return !state.isStarted
    }
    guard isFirst, context.settings.boolean("bulkhead", "check_shapes") else { return }
    Task {
      let check = ShapeCheck(
        settings: context.settings, runDirectory: context.runDirectory, transport: VenueTransport(HTTPClient()))
      take(await check.run(venue))
    }
  }

  private func take(_ findings: [ShapeFinding]) {
    for finding in findings {
      let (venue, kind) = (finding.venue.rawValue, finding.kind)
      switch finding.verdict {
      case .different:
        Log.warning(
          "the venue's answers have another shape",
          ["venue": venue, "kind": kind, "field": finding.field, "problem": finding.problem])
      case .ok:
        guard !finding.text.isEmpty else { continue }
        Log.info("the venue's answers have something new", ["venue": venue, "kind": kind, "note": finding.text])
      case .unknown:
        Log.info(
          "the shape of the venue's answers is not known",
          ["venue": venue, "kind": kind, "problem": finding.problem])
      }
    }
    state.withLock { state in
      state.different = Int64(findings.count { $0.verdict == .different })
      state.unknown = Int64(findings.count { $0.verdict == .unknown })
    }
  }

  /// For the process's health.
  var health: [String: Int64] {
    state.withLock { ["shapes_different": $0.different, "shapes_unknown": $0.unknown] }
  }
}
