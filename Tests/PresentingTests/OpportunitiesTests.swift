import Bus
import Daemon
import Foundation
import Market
import Presenting
import Synchronization
import TestSupport
import Testing
import Web

private enum MessageScores {
  /// A score whose parts are all different.
  static var some: OpportunityScore {
    var score = OpportunityScore()
    (score.profit, score.fill, score.volume) = (0.333, 0.6, 0.5)
    (score.activity, score.time, score.legs) = (0.5, 0.993, 1)
    (score.total, score.kelly, score.annualisedReturn) = (0.625, 0.25, 12)
    score.depthRatio = 1.5
    score.dayVolume = Money(dollars: 10_000)
    score.recentTradeCount = 5
    score.lockedSeconds = 600
    return score
  }
}

@Suite struct OpportunitiesTests {
  @Test func `the best score stands first, what is over stands last, and only so many`() throws {
    func scored(_ id: UInt64, _ total: Double, _ state: OpportunityState = .opened) throws -> Opportunity {
      var one = try opportunity(id, state, found: noon)
      one.score.total = total
      return one
    }
    let all = [
      try scored(1, 0.2), try scored(3, 0.7), try scored(2, 0.7), try scored(4, 0.5), try scored(5, 0.9, .closed),
    ]
    #expect(Command.rankOpportunities(all, limit: 3).map(\.id) == [2, 3, 4])
    #expect(Command.rankOpportunities(all, limit: 9).map(\.id) == [2, 3, 4, 1, 5])
  }

  @Test func `a row has its legs below it, and what its score is made of`() throws {
    var one = try opportunity(0x2a, .closed, cost: 95, found: noon, updated: noon(plus: 120))
    one.score = MessageScores.some
    let text = Command.opportunitiesTable([one], now: noon(plus: 5000))
    #expect(
      text == """
        ID  KIND       EVENT  STATE   SCORE   COST  PROFIT  RETURN  LIFE ms
        2a  binaryBuy  e1     closed  0.625  95.00  5.0000  5.26 %      120
          buy  100.00 at 0.45 or better, polymarket 7001
          buy  100.00 at 0.45 or better, polymarket 7002
          profit 0.33 (5.00), fill 0.60 (depth 1.5 times), volume 0.50 (10,000), activity 0.50 (5 trades), \
        time 0.99 (10:00), legs 1.00 (2), a year 1,200.00 %, Kelly 25.00 %

        """)
    #expect(Command.opportunitiesTable([], now: noon) == "no opportunities, open or lately\n")
  }

  @Test func `what must not be executed says why`() throws {
    var one = try opportunity(1, found: noon)
    one.hold = .belowHurdle
    one.probability = 0.9
    one.markSource = "binance"
    let text = Command.opportunitiesTable([one], now: noon)
    #expect(text.contains("held: belowHurdle") && text.contains("chance 90.00 %, by binance"))
    let root = try JSONDocument(Command.opportunitiesJSON([one], now: noon)).root
    #expect(root[0]?["hold"]?.string == "belowHurdle")
    #expect(root[0]?["mark_src"]?.string == "binance")
  }

  @Test func `JSON carries every figure exactly`() throws {
    let one = try opportunity(0x2a, cost: 96, found: noon, updated: noon(plus: 120))
    let root = try JSONDocument(Command.opportunitiesJSON([one], now: noon(plus: 5000))).root
    let row = try #require(root[0])
    #expect(row["id"]?.string == "2a")
    #expect(row["state"]?.string == "open")
    #expect(row["profit"]?.numberText == "4")
    #expect(row["lifetime_ms"]?.numberText == "5000.0")
    #expect(row["legs"]?[1]?["symbol"]?.string == "7002")
    #expect(row["legs"]?[0]?["limit"]?.numberText == "0.45")
    #expect(row["kind"]?.string == "binaryBuy")
    #expect(row["score"]?["total"]?.numberText == "0.0")
    #expect(row["hold"]?.string == nil)
    #expect(row["return"]?.numberText.flatMap(Double.init).map { abs($0 - 4.0 / 96) < 1e-12 } == true)
  }

  /// Answers like a scanner until it is dropped.
  private final class Scanner: Sendable {
    private let isOver = Mutex(false)

    init(runDirectory: String, opportunities: [Opportunity], endsSnapshot: Bool) throws {
      let publisher = try Publisher(name: "scanner", runDirectory: runDirectory)
      let topic = publisher.topic(Topic.opportunity + "binary")
      let health = publisher.topic(Topic.health + "scanner")
      nonisolated(unsafe) let shared = publisher
      Thread.detachNewThread { [weak self] in
        let poller = Poller()
        poller.add(shared)
        while let self, !self.isOver.withLock({ $0 }) {
          poller.wait(timeoutMilliseconds: 20)
          shared.processSubscriptions { request in
            for one in opportunities { shared.publishSnapshot(request, topic) { one.encode($0) } }
            if endsSnapshot { shared.endSnapshot(request) }
          }
          let message = HealthMessage(name: "scanner", counters: ["books": 12, "books_live": 11])
          shared.publish(health) { message.encode($0) }
        }
      }
    }

    func stop() { isOver.withLock { $0 = true } }
  }

  @Test func `the tool reads the scanner's state over the bus`() throws {
    let directory = ScratchDirectory()
    let file = try directory.configure()
    let scanner = try Scanner(
      runDirectory: directory.path + "/run",
      opportunities: [try opportunity(1, cost: 90, found: noon), try opportunity(2, cost: 99, found: noon)],
      endsSnapshot: true)
    defer { scanner.stop() }
    let json = try bulkhead(["opportunities", "--json", "-c", file])
    #expect(json.status == 0, "\(json.errors)")
    let rows = Array(try JSONDocument(json.output).root.elements)
    #expect(rows.map { $0["profit"]?.numberText } == ["10", "1"])
    let table = try bulkhead(["opportunities", "--limit", "1", "-c", file])
    #expect(table.output.split(separator: "\n").count == 5, "\(table.output)")

    let health = try bulkhead(["health", "--json", "-c", file])
    #expect(health.status == 0, "\(health.errors)")
    let root = try JSONDocument(health.output).root
    #expect(root[0]?["name"]?.string == "scanner")
    #expect(root[0]?["answers"]?.bool == true)
    #expect(root[0]?["counters"]?["books_live"]?.integer == 11)
  }

  @Test func `a scanner that does not answer is told after the deadline`() throws {
    let directory = ScratchDirectory()
    let file = try directory.configure()
    let scanner = try Scanner(
      runDirectory: directory.path + "/run", opportunities: [try opportunity(1, found: noon)], endsSnapshot: false)
    defer { scanner.stop() }
    let answer = try bulkhead(["opportunities", "-c", file])
    #expect(answer.status == 111)
    #expect(answer.errors.contains("scanner did not answer"))
  }
}
