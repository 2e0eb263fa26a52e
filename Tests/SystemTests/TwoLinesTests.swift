import Foundation
import Market
import TestSupport
import Testing

extension SystemTests {
  private static let lines = ["ingestor-polymarket", "ingestor-polymarket-b"]

  @Test(.timeLimit(.minutes(20)))
  func `of two ingestors of one venue either may be killed: no book is stale, and none is wrong`() async throws {
    let deployment = try Deployment(settings: [
      "simulator.markets": "100", "simulator.events": "20", "simulator.updates_per_second": "500",
      "simulator.arbitrages_per_second": "0", "polymarket.request_timeout_s": "3",
    ])
    try deployment.keep(
      programs: ["simulator", Self.lines[0]],
      adding: """

        [program:\(Self.lines[1])]
        command = %(ENV_BULKHEAD_BIN)s/ingestor polymarket
        priority = 20
        redirect_stderr = true
        stdout_logfile = %(here)s/var/run/logs/\(Self.lines[1]).log

        [bulkhead:program:\(Self.lines[1])]
        depends_on = simulator

        """)
    let judge = try MatrixJudge(deployment, publishers: ["simulator"] + Self.lines)
    let truth = VenueTruth(runDirectory: deployment.runDirectory)
    try deployment.start()
    func isWhole(_ name: String) -> Bool {
      let counters = judge.counters(name)
      return counters["books_live"] ?? 0 > 100 && counters["books_unsettled"] == 0
    }
    func rows() -> [String: StatusRow] {
      Dictionary(uniqueKeysWithValues: ((try? deployment.status()) ?? []).map { ($0.name, $0) })
    }
    func waitUntilRight() async throws {
      var proof = truth.proof(.polymarket, judge)
      var wrong: [String] = []
      let deadline = ContinuousClock.now.advanced(by: .seconds(90))
      repeat {
        guard ContinuousClock.now < deadline else { throw Overdue("right books, not \(wrong)") }
        wrong = try await truth.stillWrong(.polymarket, judge, &proof)
      } while !wrong.isEmpty
    }
    try await until("both lines") { Self.lines.allSatisfy { isWhole($0) && judge.hasState(of: $0) } }
    try await waitUntilRight()
    try await until("second copies") { judge.repeated > 1000 }
    judge.begin()

    for victim in Self.lines {
      let before = rows()
      try await until("two copies of each book") { judge.books(withCopiesBelow: 2).isEmpty }
      let changes = judge.counters(victim)["changes"] ?? 0
      let pid = try #require(before[victim]?.pid)
      #expect(kill(pid, SIGKILL) == 0)
      try await until("\(victim) to be back") {
        guard let row = rows()[victim] else { return false }
        return row.pid != pid && row.pid > 0 && row.ready
      }
      try await waitUntilRight()
      try await until("all books of \(victim)") {
        isWhole(victim) && (judge.counters(victim)["changes"] ?? 0) != changes
      }
      let seconds = judge.repeated
      try await until("second copies after \(victim) died") { judge.repeated > seconds + 1000 }
      for row in rows().values where row.name != victim { #expect(row.pid == before[row.name]?.pid, "\(row.name)") }
    }
    try await waitUntilRight()
    let seen = judge.disturbances
    // A market that opened just then was told by one of them only.
    let stale = seen.stale.filter { $0.copies > 1 }
    #expect(stale.isEmpty && seen.missed.isEmpty, "\(stale), \(seen.missed)")
    let others = seen.restarted.filter { topic in !Self.lines.contains { topic.hasSuffix("/" + $0) } }
    #expect(seen.restarted.count >= 4 && others.isEmpty, "\(seen.restarted)")
    #expect(try deployment.stop() == 0)
  }
}
