import Foundation
import Market
import Simulating
import Testing

/// Finds jumps of trade prices as a scanner of the market channel does: by the messages alone.
private struct SpikeWatch {
  struct Rules: OptionSet {
    let rawValue: Int
    static let time = Rules(rawValue: 1)
    static let size = Rules(rawValue: 2)
    static let bid = Rules(rawValue: 4)
    static let all: Rules = [.time, .size, .bid]
  }

  private struct Trade {
    var price: Double
    var size: Double
    var milliseconds: Int64
  }

  private var trades: [String: [Trade]] = [:]
  /// Best bid and ask.
  private var best: [String: (bid: Double, ask: Double)] = [:]

  private static func number(_ value: Any?) -> Double { Double(value as? String ?? "") ?? .nan }

  mutating func take(_ message: [String: Any]) {
    let token = message["asset_id"] as? String ?? ""
    switch message["event_type"] as? String {
    case "book":
      func prices(_ side: String) -> [Double] {
        (message[side] as? [[String: String]] ?? []).map { Self.number($0["price"]) }
      }
      best[token] = (prices("bids").max() ?? 0, prices("asks").min() ?? 1)
    case "price_change":
      for change in message["price_changes"] as? [[String: String]] ?? [] {
        best[change["asset_id"] ?? ""] = (Self.number(change["best_bid"]), Self.number(change["best_ask"]))
      }
    case "last_trade_price":
      trades[token, default: []].append(
        Trade(
          price: Self.number(message["price"]), size: Self.number(message["size"]),
          milliseconds: Int64(message["timestamp"] as? String ?? "") ?? 0))
    default: break
    }
  }

  /// The tokens with a spike at a moment; without a rule, what it keeps out comes in.
  mutating func spikes(at now: Int64, _ rules: Rules) -> Set<String> {
    var found: Set<String> = []
    for (token, list) in trades {
      guard let quote = best[token] else { continue }
      // In the order in which they were told.
      let recent = list.filter { !rules.contains(.time) || now - $0.milliseconds <= 10_000 }
      for (place, trade) in recent.enumerated() where trade.price >= 0.95 {
        guard trade.size >= 50 || !rules.contains(.size) else { continue }
        guard recent[..<place].contains(where: { trade.price - $0.price > 0.0999 }) else { continue }
        guard trade.price - quote.bid <= 0.1 || !rules.contains(.bid) else { continue }
        let fee = 0.07 * quote.ask * (1 - quote.ask)
        if trade.price - quote.ask - fee >= 0.03 { found.insert(token) }
      }
    }
    return found
  }

  /// Forgets trades that were told long ago.
  mutating func forget() {
    for (token, list) in trades { trades[token] = list.suffix(60) }
  }
}

@Suite struct SpikeTests {
  private func play(
    seconds: Int, _ change: (inout SimulatorOptions) -> Void,
    _ look: (inout SpikeWatch, Venue, Set<String>) throws -> Void
  ) throws {
    let venue = try Venue {
      $0.updatesPerSecond = 400
      $0.markets = 160
      $0.events = 110
      change(&$0)
    }
    var known: Set<String> = []
    var watch = SpikeWatch()
    for step in 0..<(seconds * 1000) {
      if step % 1000 == 0 {
        let tokens = venue.simulator.world.active.flatMap { venue.simulator.world.markets[$0].tokens }
        let fresh = tokens.filter { !known.contains($0) }
        known.formUnion(fresh)
        // A connection takes so many tokens.
        for start in stride(from: 0, to: fresh.count, by: 400) {
          for message in subscribe(venue, Array(fresh[start..<min(start + 400, fresh.count)])) { watch.take(message) }
        }
        watch.forget()
      }
      venue.now = venue.now.advanced(byNanoseconds: 1_000_000)
      venue.simulator.advance(to: venue.now)
      var texts: [Data] = []
      _ = venue.simulator.drain { _, bytes, _ in texts.append(Data(bytes)) }
      for text in texts { for message in SpikeTests.messages(text) { watch.take(message) } }
      guard step % 20 == 0 else { continue }
      let world = venue.simulator.world
      let planted = world.plants.active.filter { $0.kind == .spike && !$0.isDecoy }.compactMap { plant in
        plant.outcome.map { world.markets[plant.market].tokens[$0] }
      }
      try look(&watch, venue, Set(planted))
    }
  }

  private func subscribe(_ venue: Venue, _ tokens: [String]) -> [[String: Any]] {
    let list = tokens.map { "\"\($0)\"" }.joined(separator: ",")
    let session = venue.simulator.open(.polymarketMarket).session
    let text = Array("{\"assets_ids\":[\(list)],\"type\":\"market\"}".utf8)
    guard case .reply(let answer) = text.withUnsafeBytes({ venue.simulator.receive($0, from: session) }) else {
      return []
    }
    return SpikeTests.messages(Data(answer))
  }

  private static func messages(_ text: Data) -> [[String: Any]] {
    let value = try? JSONSerialization.jsonObject(with: text)
    return value as? [[String: Any]] ?? (value as? [String: Any]).map { [$0] } ?? []
  }

  @Test func `ordinary trades are no spikes, and the planted ones all are`() throws {
    var planted: Set<UInt64> = []
    var trades = 0
    try play(
      seconds: 150,
      {
        $0.arbitragesPerSecond = Price(raw: 2 * fixedPointScale)
        $0.plantKinds = [.spike]
        $0.plantsUnwatched = true
      },
      { watch, venue, expected in
        #expect(watch.spikes(at: venue.now.milliseconds, .all) == expected)
        planted.formUnion(venue.simulator.world.plants.active.map(\.id))
        trades = venue.simulator.world.trades.newest(of: nil, limit: 100_000, offset: 0).count
      })
    #expect(planted.count > 60)
    #expect(trades > 1000)
  }

  @Test func `a decoy is a spike to who leaves out one rule, and to nobody else`() throws {
    var fooled: [Int: Set<UInt64>] = [:]
    var decoys: Set<UInt64> = []
    try play(
      seconds: 120,
      {
        $0.decoysPerSecond = Price(raw: fixedPointScale)
        $0.plantsUnwatched = true
      },
      { watch, venue, expected in
        let now = venue.now.milliseconds
        #expect(expected.isEmpty && watch.spikes(at: now, .all).isEmpty)
        for plant in venue.simulator.world.plants.active {
          #expect(plant.isDecoy && plant.profit == .zero)
          decoys.insert(plant.id)
          guard let outcome = plant.outcome else { continue }
          let token = venue.simulator.world.markets[plant.market].tokens[outcome]
          for rule in [SpikeWatch.Rules.time, .size, .bid]
          where watch.spikes(at: now, .all.subtracting(rule)).contains(token) {
            fooled[rule.rawValue, default: []].insert(plant.id)
          }
        }
      })
    #expect(decoys.count > 60)
    #expect(fooled.count == 3 && fooled.values.allSatisfy { $0.count > 8 }, "\(fooled.mapValues(\.count))")
    #expect(fooled.values.reduce(into: Set()) { $0.formUnion($1) } == decoys)
  }
}
