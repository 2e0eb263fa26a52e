import Foundation
import Market
import Testing
import Venues

/// Recorded streams of one market each, with the book that they must fold to beside them.
@Suite struct KalshiTapeTests {
  @Test func `every tape folds to its expected book`() throws {
    let tapes = Shared.fixtures(in: "kalshi", named: { $0.hasPrefix("ws_tape_") && $0.hasSuffix(".ndjson") })
    for tape in tapes {
      let expected = try #require(
        Shared.fixture("kalshi/" + tape.replacingOccurrences(of: ".ndjson", with: ".expected.json")))
      let checkpoints = try #require(try JSONSerialization.jsonObject(with: Data(expected)) as? [[String: Any]])
      #expect(!checkpoints.isEmpty)
      let text = String(decoding: try #require(Shared.fixture("kalshi/" + tape)), as: UTF8.self)
      var books = KalshiBooks(numbering: .partial)
      var ticker = ""
      for (index, line) in text.split(separator: "\n").enumerated() {
        let message = try KalshiStreamParser.parse(Self.event(of: line))
        switch message.body {
        case .snapshot(let snapshot): ticker = snapshot.ticker
        case .delta(let delta): ticker = delta.ticker
        case .trade: break
        default: Issue.record("\(tape):\(index + 1): \(message.body)")
        }
        let change = books.take(message)
        if case .impossible(_, let problem) = change { Issue.record("\(tape):\(index + 1): \(problem)") }
        for checkpoint in checkpoints where checkpoint["afterLine"] as? Int == index + 1 {
          compare(checkpoint, message, books, ticker, "\(tape):\(index + 1)")
        }
      }
    }
  }

  /// The message inside `{"recv_ms":…,"event":{…}}`, cut out of the text.
  static func event(of line: Substring) throws -> String {
    let mark = try #require(line.range(of: "\"event\":"))
    return String(line[mark.upperBound...].dropLast())
  }

  private func compare(
    _ expected: [String: Any], _ message: KalshiStreamMessage, _ books: KalshiBooks, _ ticker: String, _ place: String
  ) {
    let book = books.books[ticker] ?? KalshiBook()
    #expect(message.seq.map { Int($0) } == expected["seq"] as? Int, "\(place)")
    #expect(message.sid.map { Int($0) } == expected["sid"] as? Int, "\(place)")
    #expect(book.droppedDeltas == expected["deltasDroppedSoFar"] as? Int, "\(place)")
    guard expected["book"] == nil else {
      #expect(book.state == .empty, "\(place)")
      return
    }
    #expect(book.state == .live, "\(place)")
    for outcome in KalshiOutcome.allCases {
      let side = expected[outcome.rawValue] as? [String: Any] ?? [:]
      let bids = book.levels.bids(outcome)
      #expect(bids.count == side["levels"] as? Int, "\(place) \(outcome)")
      #expect(bids.last?.price == (side["bestBid"] as? String).map(price), "\(place) \(outcome)")
      #expect(bids.last?.quantity == (side["bestBidSize"] as? String).map(quantity), "\(place) \(outcome)")
      let total = bids.reduce(Quantity.zero) { $0 + $1.quantity }
      #expect(total == quantity(side["totalSize"] as? String ?? "-1"), "\(place) \(outcome)")
      let ask = expected[outcome.rawValue + "Ask"] as? String
      #expect(book.levels.asks(outcome).last?.price == ask.map(price), "\(place) \(outcome)")
    }
  }
}

@Suite struct KalshiBooksTests {
  private func snapshot(_ ticker: String, sid: Int64 = 1, seq: Int64, yes: String = "", no: String = "") throws
    -> KalshiStreamMessage
  {
    try KalshiStreamParser.parse(
      """
      {"type":"orderbook_snapshot","sid":\(sid),"seq":\(seq),"msg":{"market_ticker":"\(ticker)",\
      "yes_dollars_fp":[\(yes)],"no_dollars_fp":[\(no)]}}
      """)
  }

  private func delta(_ ticker: String, sid: Int64 = 1, seq: Int64, _ side: String, _ price: String, _ change: String)
    throws -> KalshiStreamMessage
  {
    try KalshiStreamParser.parse(
      """
      {"type":"orderbook_delta","sid":\(sid),"seq":\(seq),"msg":{"market_ticker":"\(ticker)",\
      "price_dollars":"\(price)","delta_fp":"\(change)","side":"\(side)","ts_ms":1786401938602}}
      """)
  }

  @Test func `a delta adds to a level, and the asks are the other outcome's bids`() throws {
    var books = KalshiBooks()
    #expect(
      try books.take(snapshot("A", seq: 1, yes: "[\"0.4000\",\"10.00\"]", no: "[\"0.5500\",\"7.25\"]"))
        == .replaced("A"))
    #expect(
      try books.take(delta("A", seq: 2, "no", "0.5500", "-7.24"))
        == .changed("A", .no, price: price("0.55"), total: quantity("0.01")))
    let levels = try #require(books.books["A"]?.levels)
    #expect(levels.asks(.yes) == [Level(price: price("0.45"), quantity: quantity("0.01"))])
    #expect(levels.asks(.no) == [Level(price: price("0.6"), quantity: quantity("10"))])
    #expect(
      try books.take(delta("A", seq: 3, "no", "0.5500", "-0.01"))
        == .changed("A", .no, price: price("0.55"), total: .zero))
    #expect(books.books["A"]?.levels.no.isEmpty == true)
    #expect(books.books["A"]?.venueTime == Timestamp(nanoseconds: 1_786_401_938_602_000_000))
  }

  @Test func `a gap makes all books of its subscription stale, and no others`() throws {
    var books = KalshiBooks()
    _ = try books.take(snapshot("A", seq: 1))
    _ = try books.take(snapshot("B", seq: 2))
    _ = try books.take(snapshot("C", sid: 2, seq: 1))
    #expect(try books.take(delta("A", seq: 4, "yes", "0.4", "1")) == .dropped("A"))
    #expect(books.books["A"]?.state == .stale && books.books["B"]?.state == .stale && books.books["C"]?.state == .live)
    #expect(books.wanted == ["A", "B"] && books.counters.gaps == 1 && books.counters.droppedDeltas == 1)
    _ = try books.take(snapshot("A", seq: 5))
    #expect(books.books["A"]?.state == .live && books.wanted == ["B"])
  }

  @Test func `answers take numbers too`() throws {
    var books = KalshiBooks()
    _ = try books.take(snapshot("A", seq: 1))
    _ = books.take(
      try KalshiStreamParser.parse(
        "{\"id\":5,\"sid\":1,\"seq\":2,\"type\":\"ok\",\"msg\":{\"market_tickers\":[\"A\"]}}"))
    #expect(
      try books.take(delta("A", seq: 3, "yes", "0.4", "1"))
        == .changed("A", .yes, price: price("0.4"), total: quantity("1")))
    #expect(books.counters.gaps == 0)
  }

  @Test func `a message that was there before is passed over`() throws {
    var books = KalshiBooks()
    _ = try books.take(snapshot("A", seq: 1))
    _ = try books.take(delta("A", seq: 2, "yes", "0.4", "1"))
    #expect(try books.take(delta("A", seq: 2, "yes", "0.4", "1")) == .repeated)
    #expect(books.books["A"]?.levels.yes.last?.quantity == quantity("1") && books.counters.repetitions == 1)
  }

  @Test(arguments: [("0.5", "-1"), ("0.4", "-11"), ("0.6", "5")])
  func `a delta that cannot be makes the book stale`(_ price: String, _ change: String) throws {
    var books = KalshiBooks()
    _ = try books.take(snapshot("A", seq: 1, yes: "[\"0.4000\",\"10.00\"]", no: "[\"0.4000\",\"7\"]"))
    guard case .impossible("A", _) = books.take(try delta("A", seq: 2, "yes", price, change)) else {
      Issue.record("taken")
      return
    }
    #expect(books.books["A"]?.state == .stale && books.wanted == ["A"])
  }

  @Test func `after a reconnection numbers begin anew and every book waits for its snapshot`() throws {
    var books = KalshiBooks()
    _ = try books.take(snapshot("A", seq: 900))
    books.reconnected()
    #expect(try books.take(delta("A", seq: 1, "yes", "0.4", "1")) == .dropped("A"))
    _ = try books.take(snapshot("A", seq: 2))
    #expect(books.books["A"]?.state == .live && books.counters.gaps == 0 && books.counters.repetitions == 0)
  }

  @Test func `a snapshot without sides is an empty book, not none`() throws {
    var books = KalshiBooks()
    let message = try KalshiStreamParser.parse(
      "{\"type\":\"orderbook_snapshot\",\"sid\":1,\"seq\":1,\"msg\":{\"market_ticker\":\"A\",\"market_id\":\"x\"}}")
    #expect(books.take(message) == .replaced("A"))
    #expect(books.books["A"]?.state == .live && books.books["A"]?.levels == KalshiLevels())
  }
}
