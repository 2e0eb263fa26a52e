import Bus
import Foundation
import Market
import Scanning
import TestSupport
import Testing
import Web

/// What the scanners say of recorded markets: how many were looked at, what was found, and why the rest was not.
///
/// Files are found by pattern below `BULKHEAD_SHARED`, and skipped with a printed reason where they are not there.
@Suite(.serialized) struct RecordedTruthTests {
  private static let shared = ProcessInfo.processInfo.environment["BULKHEAD_SHARED"] ?? "../shared"

  /// The files of a directory whose names match; none, with a printed reason, where there are none.
  private func files(_ directory: String, _ matches: (String) -> Bool) -> [URL] {
    let folder = URL(fileURLWithPath: Self.shared + "/data/" + directory)
    let all = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
    let found = all.filter { matches($0.lastPathComponent) }.sorted { $0.path < $1.path }
    if found.isEmpty { print("recorded truth: skipped, nothing fits in \(folder.path)") }
    return found
  }

  private func contents(_ file: URL) throws -> Data {
    try file.pathExtension == "gz" ? #require(try gunzip(file)) : Data(contentsOf: file)
  }

  private func report(_ name: String, looked: Int, found: Int, _ scanner: Scanning.Scanner, _ more: String = "") {
    let reasons = SkipReason.allCases.filter { scanner.skips[$0] > 0 }.map { "\($0.name) \(scanner.skips[$0])" }
    print("recorded truth: \(name): looked at \(looked), found \(found); \(reasons.joined(separator: ", ")) \(more)")
  }

  // MARK: - Neg-risk events

  @Test func `events of Gamma with their best prices`() throws {
    for file in files("pm_negrisk", { $0.contains(".json") }) {
      let root = try JSONDocument(Array(try contents(file))).root
      let event = root["data"] ?? root
      let stage = try Stage(bookAgeSeconds: 3600)
      let time = root["meta"]?["fetch_time_iso"]?.string.flatMap { try? Timestamp(rfc3339: $0) }
      stage.now = try #require(time, "\(file.lastPathComponent) does not say when it was fetched")
      let isAugmented = event["negRiskAugmented"]?.bool ?? false
      var asks = Int64(0)
      var count = 0
      for row in event["markets"].map({ Array($0.elements) }) ?? [] {
        count += 1
        let end = row["endDate"]?.string.flatMap { try? Timestamp(rfc3339: $0) }
        let isPlaceholder = row["negRiskOther"]?.bool ?? false
        let market = try stage.add(event: "e") {
          $0.isAugmented = isAugmented
          $0.isPlaceholder = isPlaceholder
          $0.isClosed = row["closed"]?.bool ?? false
          $0.isAcceptingOrders = row["acceptingOrders"]?.bool ?? true
          $0.endsAt = end
        }
        let bid = row["bestBid"]?.numberText ?? "0"
        let ask = row["bestAsk"]?.numberText ?? "1"
        asks += try Price(ask).raw
        try touch(stage, market, bid: Price(bid), ask: Price(ask), size: "100")
      }
      stage.scan()
      let open = stage.scanner.board.openOpportunities
      report(
        file.lastPathComponent, looked: count, found: open.count, stage.scanner,
        "(asks sum to \(Price(raw: asks))\(open.first.map { ", \($0.kind.name) \($0.profit)" } ?? ""))")
      #expect(open.allSatisfy { $0.profit.raw > 0 })
    }
  }

  /// YES as it was, NO as its mirror.
  private func touch(_ stage: Stage, _ market: Int, bid: Price, ask: Price, size: String) throws {
    func rows(_ price: Price) -> [(String, String)] {
      price.raw > 0 && price < Price.one ? [(price.description, size)] : []
    }
    try stage.set(market, 0, bids: rows(bid), asks: rows(ask))
    try stage.set(market, 1, bids: rows(ask.complement), asks: rows(bid.complement))
  }

  @Test func `events of a scan of bracket sums`() throws {
    for file in files("pm_negrisk", { $0.contains("bracket_sum") }) {
      let table = Table(String(decoding: try contents(file), as: UTF8.self))
      let stage = try Stage(bookAgeSeconds: 3600)
      var under = 0
      for (number, row) in table.rows.enumerated() {
        guard let sum = Double(row["suma_yes"] ?? ""), let count = Int(row["n_brackets"] ?? ""), count >= 2,
          let time = try? Timestamp(rfc3339: row["timestamp_utc"] ?? "")
        else { continue }
        stage.now = time
        if sum < 1 { under += 1 }
        let end = (try? Timestamp(rfc3339: (row["end_date"] ?? "") + "T23:59:59Z")) ?? time
        // The sums are of prices, not of asks: as if each could be bought and sold at its price.
        let price = Price(raw: Int64(sum / Double(count) * Double(fixedPointScale)))
        for _ in 0..<count {
          // The venue's fee of 2026 for finance markets.
          let market = try stage.add(event: "event \(number)", rate: "0.04") { $0.endsAt = end }
          try touch(stage, market, bid: price, ask: price, size: "50")
        }
        stage.scan()
      }
      let open = stage.scanner.board.openOpportunities
      let bought = open.filter { $0.kind == .negRiskBuyYes }
      report(
        file.lastPathComponent, looked: table.rows.count, found: open.count, stage.scanner,
        "(sum below 1: \(under), of which \(bought.count) pay after fees; above 1: \(open.count - bought.count) pay)")
      #expect(bought.count <= under)
    }
  }

  // MARK: - Two venues

  @Test func `pairs of two venues that somebody has traded`() throws {
    for file in files("exec", { $0.contains("executions") }) {
      let table = Table(String(decoding: try contents(file), as: UTF8.self))
      let kalshi = FeeSchedule(
        rate: try Price("0.07"), exponent: 1, takerOnly: true,
        rounding: .of(.kalshi, at: Timestamp(nanoseconds: 1_770_000_000_000_000_000)))
      let stage = try Stage(bookAgeSeconds: 60) { $0.crossBookAgeMaxNanoseconds = 60_000_000_000 }
      var tally = (found: 0, theirs: 0, both: 0, onlyTheirs: 0, filled: 0, differences: [Double]())
      for (number, row) in table.rows.enumerated() {
        guard let time = Int64(row["decision_ts"] ?? "") else { continue }
        stage.now = Timestamp(nanoseconds: time * 1_000_000)
        let end = stage.now.advanced(byNanoseconds: (Int64(row["time_to_expiry_ms"] ?? "") ?? 0) * 1_000_000)
        // Crypto markets of that time have Polymarket's taker fee of 0.07 · p · (1 − p).
        let here = try stage.add(rate: "0.07") { $0.endsAt = end }
        let there = try stage.add {
          $0.venue = .kalshi
          $0.endsAt = end
          $0.fees = kalshi
          $0.tick = Price(raw: 1_000_000)
        }
        stage.scanner.setPairs([
          MarketPair(
            first: .init(venue: .polymarket, id: stage.feed.markets[here].id, terms: nil),
            second: .init(venue: .kalshi, id: stage.feed.markets[there].id, terms: nil), isOpposite: false)
        ])
        stage.scan()
        for (market, venue) in [(here, "poly"), (there, "kalshi")] {
          let age = Int64(row["\(venue)_quote_age_ms"] ?? "") ?? 0
          for (outcome, name) in ["yes", "no"].enumerated() {
            func level(_ side: String) -> [(String, String)] {
              guard let price = Table.decimal(row["\(venue)_\(name)_\(side)"]), price != "0", price != "1",
                let size = Table.decimal(row["\(venue)_\(name)_\(side)_size"]), size != "0"
              else { return [] }
              return [(price, size)]
            }
            try stage.set(
              market, outcome, bids: level("bid"), asks: level("ask"),
              receivedAt: stage.now.advanced(byNanoseconds: -age * 1_000_000))
          }
        }
        stage.scan()
        let open = stage.scanner.board.openOpportunities.filter { $0.strategy == .crossPlatform }
        let theirs = (Double(row["opp_edge_net"] ?? "") ?? 0) > 0
        tally.found += open.count
        tally.theirs += theirs ? 1 : 0
        tally.both += theirs && !open.isEmpty ? 1 : 0
        tally.onlyTheirs += theirs && open.isEmpty ? 1 : 0
        tally.filled += row["both_filled"] == "1" ? 1 : 0
        #expect(open.count <= 1, "row \(number)")
        for one in open { #expect(one.profit.raw > 0 && one.legs[0].quantity == one.legs[1].quantity) }
      }
      report(
        file.lastPathComponent, looked: table.rows.count, found: tally.found, stage.scanner,
        "(they saw \(tally.theirs), both \(tally.both), only they \(tally.onlyTheirs), both legs filled \(tally.filled))"
      )
    }
  }

  // MARK: - Up and down

  @Test func `books of up and down windows`() throws {
    for file in files("ws_books", { $0.contains("btc15m_bbo") }) {
      let table = Table(String(decoding: try contents(file), as: UTF8.self))
      let stage = try Stage(bookAgeSeconds: 10)
      var places: [String: Int] = [:]
      var opened = 0
      for row in table.rows {
        guard let seconds = Double(row["recorded_at_ts"] ?? ""), let name = row["market_slug"] else { continue }
        stage.now = Timestamp(nanoseconds: Int64(seconds * 1000) * 1_000_000)
        let end = Timestamp(nanoseconds: (Int64(row["market_end_ts"] ?? "") ?? 0) * 1_000_000_000)
        let market = try places[name] ?? stage.add(rate: "0.07") { $0.endsAt = end }
        places[name] = market
        for (outcome, side) in ["up", "down"].enumerated() {
          func level(_ kind: String) -> [(String, String)] {
            guard let price = Table.decimal(row["\(side)_\(kind)"]),
              let size = Table.decimal(row["\(side)_\(kind)_size"]),
              price != "0", price != "1", size != "0"
            else { return [] }
            return [(price, size)]
          }
          let stamp = Timestamp(nanoseconds: (Int64(row["\(side)_book_ts"] ?? "") ?? 0) * 1_000_000)
          try stage.set(market, outcome, bids: level("bid"), asks: level("ask"), receivedAt: stamp)
        }
        opened += stage.scan().filter { $0.state == .opened }.count
      }
      report(
        file.lastPathComponent, looked: table.rows.count, found: opened, stage.scanner, "(\(places.count) windows)")
    }
  }

  @Test func `whole books of up and down windows, mirrored as recorded`() throws {
    for up in files("ws_books/pm_updown_l2", { $0.contains("orderbooks") && $0.contains("up.json") }) {
      let down = URL(fileURLWithPath: up.path.replacingOccurrences(of: "up.json", with: "down.json"))
      guard FileManager.default.fileExists(atPath: down.path) else { continue }
      let stage = try Stage(bookAgeSeconds: 10)
      let market = try stage.add(rate: "0.07")
      var changes: [(time: Int64, outcome: Int, row: JSONValue)] = []
      let documents = [try JSONDocument(Array(try contents(up))), try JSONDocument(Array(try contents(down)))]
      for (outcome, document) in documents.enumerated() {
        for row in document.root.elements {
          guard let time = (row["local_timestamp"]?.string).flatMap({ Int64($0) }) else { continue }
          changes.append((time, outcome, row))
        }
      }
      changes.sort { ($0.time, $0.outcome) < ($1.time, $1.outcome) }
      var opened = 0
      for change in changes {
        stage.now = Timestamp(nanoseconds: change.time * 1_000_000)
        func rows(_ side: String, bestIsHigh: Bool) -> [(String, String)] {
          var levels: [(price: Price, size: String)] = []
          for level in change.row[side].map({ Array($0.elements) }) ?? [] {
            guard let price = (level["price"]?.string).flatMap({ try? Price($0) }), let size = level["size"]?.string,
              price.raw > 0, price < Price.one
            else { continue }
            levels.append((price, size))
          }
          levels.sort { bestIsHigh ? $0.price > $1.price : $0.price < $1.price }
          return levels.map { ($0.price.description, $0.size) }
        }
        try stage.set(
          market, change.outcome, bids: rows("bids", bestIsHigh: true), asks: rows("asks", bestIsHigh: false))
        opened += stage.scan().filter { $0.state == .opened }.count
      }
      report(up.lastPathComponent, looked: changes.count, found: opened, stage.scanner)
    }
  }
}

/// Rows of a table with a head, as spreadsheets write them.
private struct Table {
  let rows: [[String: String]]

  init(_ text: String) {
    let lines = text.split(whereSeparator: \.isNewline).map(Table.fields)
    let head = lines.first ?? []
    rows = lines.dropFirst().map { Dictionary(zip(head, $0), uniquingKeysWith: { first, _ in first }) }
  }

  /// A number in at most four decimals, as a venue would write it: the tables hold sums such as 0.010000000000000009.
  static func decimal(_ text: String?) -> String? {
    guard let text, let value = Double(text), value.isFinite, value >= 0 else { return nil }
    return Price(raw: Int64((value * 10_000).rounded()) * 10_000).description
  }

  private static func fields(_ line: Substring) -> [String] {
    var fields = [""]
    var isQuoted = false
    for character in line {
      switch character {
      case "\"": isQuoted.toggle()
      case "," where !isQuoted: fields.append("")
      default: fields[fields.count - 1].append(character)
      }
    }
    return fields
  }
}
