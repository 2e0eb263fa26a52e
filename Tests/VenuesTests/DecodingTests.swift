import Foundation
import Market
import Testing
import Venues

/// Not the room's own `Decimal`: the tests read numbers independently.
private typealias Exact = Foundation.Decimal

@Suite struct DecodingTests {
  static let now = Timestamp(nanoseconds: 1_900_000_000_000_000_000)

  /// The lines of a payload, as JSON objects.
  static func lines(
    _ venue: Venue, _ kind: String, _ bytes: [UInt8], end: Bool = false
  ) throws -> (lines: [[String: Any]], failures: [VenueError]) {
    var decoding = try Decoding(venue: venue, kind: kind, now: now)
    var lines: [String] = []
    var failures: [VenueError] = []
    decoding.read(bytes) { line in
      lines.append(line.json)
      if case .failure(let error) = line { failures.append(error) }
      #expect(!line.text.contains("\n"))
    }
    if end { decoding.end { lines.append($0.json) } }
    let objects = try lines.map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    return (objects, failures)
  }

  static func lines(_ venue: Venue, _ kind: String, _ text: String) throws -> (
    lines: [[String: Any]], failures: [VenueError]
  ) {
    try lines(venue, kind, Array(text.utf8))
  }

  private static func isReadable(_ name: String) -> Bool {
    !name.contains(".expected.") && (name.hasSuffix(".json") || name.hasSuffix(".ndjson"))
  }

  @Test(arguments: Venue.allCases)
  func `every recorded payload decodes, by the name of its file and by its content`(_ venue: Venue) throws {
    for name in Shared.fixtures(in: venue.rawValue, named: Self.isReadable) {
      let bytes = try #require(Shared.fixture("\(venue.rawValue)/\(name)"))
      for kind in [name, "auto"] {
        var (lines, failures) = try Self.lines(venue, kind, bytes)
        // The documentation's candle of Binance opens below its low.
        if venue == .binance, name.contains("documentation") {
          failures.removeAll { $0.field == "k.o" }
          lines.removeAll { $0["field"] as? String == "k.o" }
        }
        #expect(failures.isEmpty, "\(venue) \(kind) \(name): \(failures)")
        #expect(!lines.isEmpty && lines.allSatisfy { $0["venue"] as? String == venue.rawValue }, "\(name)")
        // The exchanges' streams hold kinds that are not subscribed.
        guard [.polymarket, .kalshi].contains(venue) else { continue }
        #expect(!lines.contains { $0["kind"] as? String == "ignored" }, "\(venue) \(kind) \(name)")
      }
    }
  }

  /// Every decimal number of a payload's text, wherever it stands, by its value.
  private static func decimals(_ value: Any, into found: inout Set<Exact>) {
    switch value {
    case let text as String:
      if text.count < 25, let number = Exact(string: text),
        text.first != "0" || text.count < 3 || text.contains(".")
      {
        found.insert(number)
      }
    // By its shortest text: a binary number has others.
    case let number as NSNumber: if let exact = Exact(string: "\(number)") { found.insert(exact) }
    case let list as [Any]: for element in list { decimals(element, into: &found) }
    case let object as [String: Any]: for element in object.values { decimals(element, into: &found) }
    default: break
    }
  }

  @Test(arguments: [
    "price", "yes_price", "quantity", "open", "high", "low", "close", "change", "best_bid", "bid", "ask",
  ])
  func `no price or size is one that the payload does not have`(_ member: String) throws {
    for venue in Venue.allCases where venue != .coingecko {
      for name in Shared.fixtures(in: venue.rawValue, named: Self.isReadable) where !name.hasPrefix("chain") {
        let bytes = try #require(Shared.fixture("\(venue.rawValue)/\(name)"))
        var written: Set<Exact> = []
        for line in String(decoding: bytes, as: UTF8.self).split(separator: name.hasSuffix(".ndjson") ? "\n" : "\0") {
          Self.decimals(try JSONSerialization.jsonObject(with: Data(line.utf8)), into: &written)
        }
        let complements = Set(written.map { 1 - $0 })
        for line in try Self.lines(venue, name, bytes).lines {
          for value in Self.values(line, member) {
            let number = try #require(Exact(string: value), "\(name) \(value)")
            #expect(written.contains(number) || complements.contains(number), "\(venue) \(name) \(member) \(value)")
          }
        }
      }
    }
  }

  /// The texts of a member, at any depth; of a level both.
  private static func values(_ value: Any, _ member: String) -> [String] {
    switch value {
    case let object as [String: Any]:
      object.flatMap { key, value -> [String] in
        key == member ? ((value as? [String]) ?? (value as? String).map { [$0] } ?? []) : values(value, member)
      }
    case let list as [Any]: list.flatMap { values($0, member) }
    default: []
    }
  }

  @Test func `the hash of a real book is right, and of a changed one wrong`() throws {
    for name in Shared.fixtures(in: "polymarket", named: { $0.contains("book") }) {
      let bytes = try #require(Shared.fixture("polymarket/" + name))
      #expect(try Self.lines(.polymarket, "auto", bytes).lines.first?["hash"] as? String == "right", "\(name)")
      let text = String(decoding: bytes, as: UTF8.self)
      let size = try #require(text.firstMatch(of: /"size": *"([0-9.]+)"/)?.output.0)
      let changed = text.replacing(size, with: "\"size\":\"77777\"", maxReplacements: 1)
      let line = try #require(try Self.lines(.polymarket, "auto", changed).lines.first)
      #expect(line["hash"] as? String == "wrong", "\(name)")
    }
  }

  @Test func `a recorded stream ends with the book that it folds to`() throws {
    for name in Shared.fixtures(in: "kalshi", named: { $0.hasPrefix("ws_tape_") && $0.hasSuffix(".ndjson") }) {
      let bytes = try #require(Shared.fixture("kalshi/" + name))
      let expected = try #require(
        Shared.fixture("kalshi/" + name.replacingOccurrences(of: ".ndjson", with: ".expected.json")))
      let last = try #require((try JSONSerialization.jsonObject(with: Data(expected)) as? [[String: Any]])?.last)
      let lines = try Self.lines(.kalshi, "tape", bytes, end: true).lines
      #expect(lines.count == last["afterLine"] as? Int ?? 0 + 1 || lines.count == (last["afterLine"] as? Int ?? 0) + 1)
      let book = try #require(lines.last)
      #expect(book["kind"] as? String == "book" && book["state"] as? String == "live")
      #expect(book["deltas_dropped"] as? Int == last["deltasDroppedSoFar"] as? Int)
      for side in ["yes", "no"] {
        let ours = try #require(book[side] as? [String: Any])
        let theirs = try #require(last[side] as? [String: Any])
        #expect(ours["levels"] as? Int == theirs["levels"] as? Int)
        for (our, their) in [("best_bid", "bestBid"), ("best_bid_size", "bestBidSize"), ("total_size", "totalSize")] {
          #expect(
            (ours[our] as? String).flatMap { Exact(string: $0) }
              == (theirs[their] as? String).flatMap { Exact(string: $0) }, "\(name) \(side) \(our)")
        }
      }
    }
  }

  @Test func `a bad message names venue, kind, field and problem, and the others still come`() throws {
    let text = """
      {"type":"orderbook_delta","sid":1,"seq":1,"msg":{"market_ticker":"A","price_dollars":"0.5","delta_fp":"1","side":"yes"}}
      {"type":"orderbook_delta","sid":1,"seq":2,"msg":{"market_ticker":"A","price_dollars":"0.x","delta_fp":"1","side":"yes"}}
      {"type":"orderbook_delta","sid":1
      {"type":"trade","sid":2,"msg":{"trade_id":"t","market_ticker":"A","yes_price_dollars":"0.54","count_fp":"9.12","taker_side":"no","ts":5}}
      """
    let (lines, failures) = try Self.lines(.kalshi, "stream", text)
    #expect(lines.count == 4 && failures.count == 2)
    #expect(
      lines[1] as? [String: String] == [
        "error": "kalshi orderbook_delta: msg.price_dollars: expected a decimal number, found \"0.x\"",
        "venue": "kalshi", "kind": "orderbook_delta", "field": "msg.price_dollars",
        "problem": "expected a decimal number, found \"0.x\"",
      ])
    #expect(failures.last?.kind == "stream")
    #expect(lines[3]["price"] == nil && lines[3]["yes_price"] as? String == "0.54")
    #expect(lines[3]["taker_side"] as? String == "sell" && lines[3]["time_ms"] as? Int == 5000)
  }

  @Test func `a document that is broken is one error, however many lines it has`() throws {
    let (lines, failures) = try Self.lines(.kalshi, "markets", "{\n\"markets\":[\n{\"ticker\":\n")
    #expect(lines.count == 1 && failures.count == 1)
  }

  @Test func `several messages in one array or object are told one by one`() throws {
    let change = { (price: String) in
      "{\"event_type\":\"price_change\",\"market\":\"m\",\"timestamp\":\"1\",\"price_changes\":[{\"asset_id\":\"7\",\"price\":\"\(price)\",\"size\":\"5\",\"side\":\"BUY\"}]}"
    }
    let array = try Self.lines(.polymarket, "auto", "[\(change("0.5")),\(change("1.5")),\(change("0.25"))]")
    #expect(array.lines.count == 3)
    #expect(array.failures.map(\.field) == ["price_changes.price[0]"])
    #expect(try Self.lines(.polymarket, "stream", "PONG").lines.first?["kind"] as? String == "note")
  }

  @Test func `an unknown kind says which there are`() {
    do {
      _ = try Decoding(venue: .kalshi, kind: "nonsense", now: Self.now)
      Issue.record("taken")
    } catch {
      #expect("\(error)".contains("orderbook") && "\(error)".contains("tape") && "\(error)".contains("auto"))
    }
  }

  @Test(arguments: [
    (Venue.kalshi, "rest_orderbook_one_sided_2026_07", "orderbook"), (.binance, "rest_klines", "candles"),
    (.binance, "ws_trade", "stream"), (.kraken, "http_ohlc_trimmed.json", "candles"),
    (.okx, "http_get_candlesticks_full", "candles"), (.bybit, "rest_recent_trade_spot_docs", "trades"),
    (.coingecko, "simple_price_docs", "price"), (.polymarket, "ws_user_order_fok_killed", "user"),
    (.polymarket, "gamma_events_2026_07", "events"), (.kalshi, "ws_tape_start.ndjson", "tape"),
    (.polymarket, "rest_book", "book"), (.kalshi, "rest_event_settled_2026_08", "event"),
  ])
  func `names of files are names of kinds`(_ venue: Venue, _ name: String, _ kind: String) throws {
    #expect(try Decoding(venue: venue, kind: name, now: Self.now).kind == kind)
  }
}
