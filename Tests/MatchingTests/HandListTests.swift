import Foundation
import Matching
import Testing

/// Precision and recall on recorded pairs.
@Suite struct HandListTests {
  @Test func `no wrong pair is offered, and near misses are rejected`() throws {
    let pairs = try HandLists.pairs()
    guard !pairs.isEmpty else {
      print("skipped: there are no recorded pairs in \(HandLists.folder.path)")
      return
    }
    var tables: [String: (equivalent: Int, offered: Int, different: Int, wrong: Int)] = [:]
    var reasons: [MatchRejection: (wrong: Int, right: Int)] = [:]
    var (nearMisses, nearMissesOffered) = (0, 0)
    for pair in pairs {
      let verdict = MatchVerdict(MarketFacts(pair.polymarket), MarketFacts(pair.kalshi))
      var table = tables[pair.list] ?? (0, 0, 0, 0)
      for rejection in verdict.rejections {
        var count = reasons[rejection] ?? (0, 0)
        if pair.label == .equivalent { count.wrong += 1 } else { count.right += 1 }
        reasons[rejection] = count
      }
      if pair.isNearMiss {
        nearMisses += 1
        if verdict.isCandidate { nearMissesOffered += 1 }
      }
      if pair.label == .equivalent {
        table.equivalent += 1
        if verdict.isCandidate { table.offered += 1 }
        if verdict.isCandidate, let polarity = pair.polarity {
          #expect(verdict.polarity == polarity, "\(pair.polymarket.title) | \(pair.kalshi.ticker)")
        }
      } else {
        table.different += 1
        if verdict.isCandidate { table.wrong += 1 }
        #expect(!verdict.isCandidate, "\(pair.polymarket.title) | \(pair.kalshi.title) | \(pair.kalshi.ticker)")
      }
      tables[pair.list] = table
    }
    print("| list | same | of these offered | different | of these offered |\n|---|---|---|---|---|")
    for (list, table) in tables.sorted(by: { $0.key < $1.key }) {
      print("| \(list) | \(table.equivalent) | \(table.offered) | \(table.different) | \(table.wrong) |")
    }
    print("| rule | rejects rightly | rejects wrongly |\n|---|---|---|")
    for rejection in MatchRejection.allCases {
      if let count = reasons[rejection] { print("| `\(rejection.rawValue)` | \(count.right) | \(count.wrong) |") }
    }
    #expect(tables.values.reduce(0) { $0 + $1.wrong } == 0)
    #expect(Double(nearMissesOffered) <= 0.01 * Double(nearMisses))
    #expect(tables.values.reduce(0) { $0 + $1.offered } > 0)
  }
}
