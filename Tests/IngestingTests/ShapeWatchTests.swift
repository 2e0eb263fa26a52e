import Foundation
import TestSupport
import Testing
import Web

/// What an ingestor says at its start of a venue whose answers have changed (X8).
@Suite(.serialized) struct ShapeWatchTests {
  @Test func `an ingestor warns with venue, kind and field where the answers have changed, and works on`() throws {
    let scratch = ScratchDirectory()
    // The markets of this venue do not say any more when they end.
    let venue = try InTestVenue { request in
      switch request.path {
      case "/gamma/events/keyset": return .json(PolymarketServiceTests.events)
      default: return .text("not found", status: 404)
      }
    } reply: { text in
      guard text.hasPrefix("{") else { return text == "PING" ? ["PONG"] : [] }
      let tokens = PolymarketServiceTests.tokens(in: text)
      return ["[\(tokens.map { PolymarketServiceTests.book($0) }.joined(separator: ","))]"]
    }
    defer { venue.stop() }
    let configuration = PolymarketServiceTests.configuration(scratch, venue, assets: 4, frozen: 3600)
    let worker = try Worker(
      "ingestor", ["polymarket"],
      configuration: configuration.replacingOccurrences(of: "check_shapes = false", with: "check_shapes = true"),
      directory: scratch.path)
    #expect(eventually { worker.log.contains("the venue's answers have another shape") })
    let line = worker.log.split(separator: "\n").first { $0.contains("another shape") } ?? ""
    #expect(line.contains("polymarket") && line.contains("events") && line.contains("endDate"), "\(line)")
    #expect(eventually { venue.openStreams == 1 })
    #expect(worker.isRunning && worker.stop() == 0)
  }
}
