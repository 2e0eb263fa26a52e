import Foundation
import Market
import TestSupport
import Testing
import Venues

/// Spoilt payloads through every parser: none may crash, hang, or give what a good payload could not hold.
///
/// `BULKHEAD_FUZZ=N` tries N for each kind, and `BULKHEAD_FUZZ_VENUES=A,B` those of some venues; `scripts/fuzz` does.
@Suite struct FuzzTests {
  static let count = ProcessInfo.processInfo.environment["BULKHEAD_FUZZ"].flatMap { Int($0) } ?? 400

  /// One venue's kind with what it is spoilt from.
  struct Target: CustomTestStringConvertible, Sendable {
    var venue: Venue
    var kind: String
    var samples: [[UInt8]]
    var testDescription: String { "\(venue) \(kind)" }
  }

  private static let venues = ProcessInfo.processInfo.environment["BULKHEAD_FUZZ_VENUES"].map {
    $0.split(separator: ",").compactMap { Venue(rawValue: String($0)) }
  }

  static let targets: [Target] = (venues ?? Venue.allCases).flatMap { venue -> [Target] in
    var byKind: [String: [[UInt8]]] = [:]
    let isReadable = { (name: String) in !name.contains(".expected.") && name.contains("json") }
    for name in Shared.fixtures(in: venue.rawValue, named: isReadable) {
      guard let bytes = Shared.fixture("\(venue.rawValue)/\(name)"),
        let kind = (try? Decoding(venue: venue, kind: name, now: DecodingTests.now))?.kind
      else { continue }
      // A long recording as pieces of some lines.
      let lines = bytes.split(separator: 0x0A)
      byKind[kind, default: []] +=
        name.hasSuffix(".ndjson")
        ? stride(from: 0, to: min(lines.count, 240), by: 6).map { start in
          Array(lines[start..<min(start + 6, lines.count)].joined(separator: [0x0A]))
        } : [bytes]
    }
    // Kinds without a recording are spoilt from the venue's others: short ones, which are refused soonest.
    let all = byKind.values.flatMap { $0 }.filter { $0.count < 2048 } + [Array("{}".utf8), Array("[]".utf8)]
    return Decoding.kinds(of: venue).map { Target(venue: venue, kind: $0, samples: byKind[$0] ?? all) }
  }

  @Test(arguments: targets)
  func `a spoilt payload is read or refused, and nothing else`(_ target: Target) throws {
    let seed = Rendezvous.hash("\(target.venue) \(target.kind)")
    var mutator = Mutator(seed: seed)
    let clock = ContinuousClock()
    let begun = clock.now
    defer {
      if Self.count >= 100_000 { print("fuzz: \(target.testDescription): \(Self.count) in \(clock.now - begun)") }
    }
    for _ in 0..<Self.count {
      let payload = mutator.mutate(target.samples[mutator.below(target.samples.count)])
      var decoding = try Decoding(venue: target.venue, kind: target.kind, now: DecodingTests.now)
      var lines = 0
      decoding.read(payload) { line in
        lines += 1
        guard case .message(let message) = line else { return }
        if let problem = Self.impossible(message) {
          Issue.record(
            "\(target.venue) \(target.kind), seed \(seed): \(problem): \(String(decoding: payload, as: UTF8.self))")
        }
      }
      decoding.end { message in
        if let problem = Self.impossible(message) { Issue.record("\(target.kind), seed \(seed), folded: \(problem)") }
      }
      if lines == 0, payload.contains(where: { $0 > 0x20 }), !Self.isEmptyCollection(payload) {
        Issue.record("no line: \(String(decoding: payload, as: UTF8.self))")
      }
    }
  }

  private static func isEmptyCollection(_ payload: [UInt8]) -> Bool {
    let text = String(decoding: payload.filter { $0 > 0x20 }, as: UTF8.self)
    return text.allSatisfy { "[]{},".contains($0) }
  }

  /// What no message may say: a side that is not sorted, a level of nothing, a price outside of 0 and 1, a crossed book.
  private static func impossible(_ message: DecodedMessage) -> String? {
    var best: [String: Price] = [:]
    var problem: String?
    visit(message.fields) { name, levels in
      guard name == "bids" || name == "asks" else { return }
      for (better, worse) in zip(levels, levels.dropFirst())
      where name == "bids" ? better.price <= worse.price : better.price >= worse.price {
        problem = "\(name) are not sorted"
      }
      if levels.contains(where: { $0.quantity.raw <= 0 }) { problem = "\(name) hold a level of nothing" }
      if levels.contains(where: { $0.price.raw <= 0 || $0.price >= .one }) { problem = "\(name) hold a wrong price" }
      best[name] = levels.first?.price
    }
    if let bid = best["bids"], let ask = best["asks"], bid >= ask { problem = "the book is crossed" }
    return problem
  }

  private static func visit(_ fields: [DecodedField], _ body: (String, [Level]) -> Void) {
    for field in fields {
      switch field.value {
      case .object(let inner): visit(inner, body)
      case .list(let values):
        let levels = values.compactMap { if case .level(let level) = $0 { level } else { nil } }
        if levels.isEmpty {
          // Each of several books has its own sides.
          continue
        }
        body(field.name, levels)
      default: break
      }
    }
  }
}
