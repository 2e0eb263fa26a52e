package import Market
package import Resilience

/// One coin's price in a snapshot; everything that is derived from it says so, too, where it is stale.
package struct SnapshotPrice: Sendable, Equatable {
  /// The coin.
  package var coin: String
  /// Its price.
  package var price: Price
  /// For which moment it holds.
  package var time: Timestamp
  /// Who gave it.
  package var source: String
  /// Why there is no newer one; nil where it is fresh.
  package var staleReason: String?
}

/// All prices of one cycle, from one moment (R6).
package struct PricingSnapshot: Sendable, Equatable {
  /// Its number; the first is 1.
  package var number: UInt64
  /// When it was taken.
  package var time: Timestamp
  /// The prices, by coin; coins without one that may be traded on are missing.
  package var prices: [SnapshotPrice]
  /// Coins that have none, each with its reason: hold.
  package var held: [(coin: String, reason: String)]

  /// Prices of this cycle.
  package var freshCount: Int { prices.count { $0.staleReason == nil } }
  /// Prices of before that still serve.
  package var staleCount: Int { prices.count - freshCount }

  /// `SNAPSHOT_7_COMPLETE: 8 fresh, 0 stale, 0 failed out of 8 symbols`; PARTIAL where any failed.
  package var line: String {
    "SNAPSHOT_\(number)_\(held.isEmpty ? "COMPLETE" : "PARTIAL"): \(freshCount) fresh, \(staleCount) stale, "
      + "\(held.count) failed out of \(prices.count + held.count) symbols"
  }

  /// Compares all.
  package static func == (left: PricingSnapshot, right: PricingSnapshot) -> Bool {
    left.number == right.number && left.time == right.time && left.prices == right.prices
      && left.held.map(\.coin) == right.held.map(\.coin) && left.held.map(\.reason) == right.held.map(\.reason)
  }
}

/// Something to be told: a line of the log, and where people are needed an alert.
package struct FlowNotice: Sendable, Equatable {
  /// The line.
  package var line: String
  /// Whether it is bad news.
  package var isWarning: Bool
  /// What it is about, where it is an alert.
  package var alertSubject: String?
}

/// The last good answers of all coins, and what follows from them: stale, then hold (R4–R6).
package struct PricingBoard: Sendable {
  private let coins: [String]
  private let ageMaxSeconds: Int64
  private var rows: [String: LastGood<Good>] = [:]
  private var number: UInt64

  private struct Good: Sendable {
    var answer: PriceAnswer
    var source: String
  }

  /// An empty board.
  /// - Parameters:
  ///   - coins: the coins of each snapshot.
  ///   - ageMaxSeconds: how old a last good answer may be.
  ///   - failuresMax: after so many failures in a row people are told.
  ///   - number: of the last snapshot.
  package init(coins: [String], ageMaxSeconds: Int64, failuresMax: Int, number: UInt64 = 0) {
    self.coins = coins
    self.ageMaxSeconds = ageMaxSeconds
    self.number = number
    for coin in coins { rows[coin] = LastGood(ageMaxSeconds: ageMaxSeconds, failuresMax: failuresMax) }
  }

  /// The price that a new one is compared with; nil where there is none that is young enough.
  package func reference(_ coin: String, now: Timestamp) -> Price? {
    switch rows[coin]?.answer(at: now) {
    case .fresh(let good), .stale(let good, _, _): good.answer.price
    case .hold, nil: nil
    }
  }

  /// Takes the answers of a cycle, and makes its snapshot.
  /// - Parameters:
  ///   - answers: of each coin; one that is missing has failed.
  ///   - now: the time of the snapshot.
  /// - Returns: the snapshot, and what is to be told.
  package mutating func take(
    _ answers: [String: Result<RaceOutcome<PriceAnswer>, any Error>], now: Timestamp
  ) -> (snapshot: PricingSnapshot, notices: [FlowNotice]) {
    number += 1
    var snapshot = PricingSnapshot(number: number, time: now, prices: [], held: [])
    var notices: [FlowNotice] = []
    for coin in coins {
      guard var row = rows[coin] else { continue }
      switch answers[coin] {
      case .success(let outcome)?:
        let good = Good(answer: outcome.value, source: outcome.source)
        // A price counts from its own time: what was old when it came does not become young.
        if let notice = row.succeed(good, at: now) { notices.append(Self.notice(notice, coin)) }
      case .failure(let error)?: if let notice = row.fail("\(error)") { notices.append(Self.notice(notice, coin)) }
      case nil: if let notice = row.fail("not asked in time") { notices.append(Self.notice(notice, coin)) }
      }
      rows[coin] = row
      switch row.answer(at: now) {
      case .fresh(let good): snapshot.prices.append(price(coin, good, nil))
      case .stale(let good, let since, let reason):
        snapshot.prices.append(price(coin, good, reason))
        let age = now.nanoseconds(since: since) / 1_000_000_000
        notices.append(
          FlowNotice(
            line: "STALE_PRICING_USED \(coin): \(good.answer.price) from \(good.source), \(age) s old: \(reason)",
            isWarning: true))
      case .hold(let reason):
        snapshot.held.append((coin, reason))
        notices.append(
          FlowNotice(line: "PRICING_HOLD \(coin): no price that may be traded on: \(reason)", isWarning: true))
      }
    }
    return (snapshot, notices)
  }

  private func price(_ coin: String, _ good: Good, _ reason: String?) -> SnapshotPrice {
    SnapshotPrice(
      coin: coin, price: good.answer.price, time: good.answer.time, source: good.source, staleReason: reason)
  }

  private static func notice<Value>(_ notice: LastGood<Value>.Notice, _ coin: String) -> FlowNotice {
    switch notice {
    case .alert(let failures):
      FlowNotice(
        line: "no prices of \(coin): \(failures) failures in a row", isWarning: true, alertSubject: "prices/\(coin)")
    case .recovered(let failures):
      FlowNotice(line: "DATA_RECOVERY \(coin): prices are back after \(failures) failures", isWarning: false)
    }
  }
}
