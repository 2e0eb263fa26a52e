import Foundation
import Market
import TestSupport
import Testing

extension SystemTests {
  /// A fault for each venue in turn, so that each fault and each venue comes up; `scripts/matrix` tries all.
  private static var slice: [(MatrixFault, Venue)] {
    let venues: [MatrixFault: Venue] = [
      .latency: .kraken, .timeout: .coingecko, .status: .coinbase, .rateLimit: .okx, .ownLimit: .bybit, .ban: .binance,
      .truncate: .polymarket, .wrongTypes: .kalshi, .staleTrades: .okx, .missingSizes: .coinbase, .drop: .kalshi,
      .duplicate: .bybit, .reorder: .kraken, .gap: .binance, .freeze: .okx, .halfOpen: .bybit, .disconnect: .polymarket,
      .dns: .kalshi, .tls: .binance, .refuse: .polymarket,
    ]
    return MatrixFault.allCases.compactMap { fault in venues[fault].map { (fault, $0) } }
  }

  @Test(.timeLimit(.minutes(120)))
  func `what befalls one venue is seen there, is over with its cause, and befalls no other`() async throws {
    let environment = ProcessInfo.processInfo.environment
    let isWhole = environment["BULKHEAD_MATRIX"] == "1"
    var cells = isWhole ? MatrixFault.allCases.flatMap { fault in Venue.allCases.map { (fault, $0) } } : Self.slice
    if let only = environment["BULKHEAD_MATRIX_ONLY"] {
      let names = only.split(separator: ",")
      cells = MatrixFault.allCases.flatMap { fault in Venue.allCases.map { (fault, $0) } }.filter { fault, venue in
        names.contains { "\(fault.rawValue)/\(venue.rawValue)".contains($0) }
      }
    }
    let matrix = try FaultMatrix()
    try await matrix.start()
    for (fault, venue) in cells {
      let row = try await matrix.run(fault, venue)
      FileHandle.standardOutput.write(Data("matrix: \(row)\n".utf8))
      #expect(row.problems.isEmpty, "\(fault.rawValue) at \(venue.rawValue): \(row.problems.joined(separator: "; "))")
    }
    if let folder = environment["BULKHEAD_MATRIX_KEEP"] {
      try? FileManager.default.copyItem(
        atPath: matrix.deployment.runDirectory + "/logs", toPath: folder + "/logs-\(getpid())")
    }
    #expect(try matrix.stop() == 0)
  }
}
