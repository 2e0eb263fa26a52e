import Foundation
import Market
import TestSupport

let noon = Timestamp(nanoseconds: 1_750_000_000_000_000_000)

func noon(plus milliseconds: Int64) -> Timestamp { noon.advanced(byNanoseconds: milliseconds * 1_000_000) }

extension ScratchDirectory {
  /// Writes a configuration whose run and data directories are here.
  func configure(_ text: String = "") throws -> String {
    let file = path + "/supervisor.conf"
    let general = "[bulkhead]\nrun_dir = \(path)/run\ndata_dir = \(path)/data\n"
    try (general + text).write(toFile: file, atomically: true, encoding: .utf8)
    for folder in ["run/bus", "data"] {
      try FileManager.default.createDirectory(atPath: path + "/" + folder, withIntermediateDirectories: true)
    }
    return file
  }
}

/// What the built tool answered.
struct ToolAnswer {
  let status: Int32
  let output: String
  let errors: String
}

/// Runs the built tool to its end.
func bulkhead(_ arguments: [String], environment: [String: String] = [:]) throws -> ToolAnswer {
  let process = Process()
  process.executableURL = Places.executables.appending(path: "bulkhead")
  process.arguments = arguments
  process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
  let (output, errors) = (Pipe(), Pipe())
  process.standardOutput = output
  process.standardError = errors
  try process.run()
  let text = output.fileHandleForReading.readDataToEndOfFile()
  let complaint = errors.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  return ToolAnswer(
    status: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
    errors: String(decoding: complaint, as: UTF8.self))
}

func leg(
  market: String = "m1", side: Side = .buy, limit: String = "0.45", quantity: Int = 100, token: String = "7001"
) throws -> Leg {
  Leg(
    instrument: InstrumentID(venue: .polymarket, symbol: token), marketID: market, side: side,
    limit: try Price(limit), quantity: Quantity(units: quantity), notional: Money(dollars: 45), fee: .zero)
}

func opportunity(
  _ id: UInt64, _ state: OpportunityState = .opened, kind: OpportunityKind = .binaryBuy, event: String = "e1",
  legs: [Leg]? = nil, payout: Int = 100, cost: Int = 97, found: Timestamp, updated: Timestamp? = nil,
  venue: Timestamp? = nil
) throws -> Opportunity {
  Opportunity(
    id: id, state: state, kind: kind, eventID: event,
    legs: try legs ?? [try leg(token: "7001"), try leg(token: "7002")], payout: Money(dollars: payout),
    cost: Money(dollars: cost), foundAt: found, updatedAt: updated ?? found, venueTime: venue ?? found)
}
