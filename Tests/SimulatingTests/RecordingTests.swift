import Foundation
import Market
import Simulating
import TestSupport
import Testing
import Web

@Suite struct RecordingTests {
  let shared =
    (ProcessInfo.processInfo.environment["BULKHEAD_SHARED"] ?? Places.package.appending(path: "../shared").path)
    + "/data"

  /// A directory of one small recording: two tokens that mirror each other, one that stands alone, one market list.
  func makeRecording() throws -> URL {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("recording-\(UUID().uuidString)")
    for name in ["ws_books/pm_updown_l2", "pm_markets"] {
      try FileManager.default.createDirectory(
        at: directory.appendingPathComponent(name), withIntermediateDirectories: true)
    }
    let changes = """
      ts_ms,event_type,asset_id,side,price,size,best_bid,best_ask
      1000,PRICE_CHANGE,111,BID,0.40,10,0.40,0.45
      1000,PRICE_CHANGE,222,ASK,0.60,10,0.55,0.60
      1050,PRICE_CHANGE,111,ASK,0.45,7.5,0.40,0.45
      1050,PRICE_CHANGE,222,BID,0.55,7.5,0.55,0.60
      nonsense
      1100,LAST_TRADE,111,BID,0.45,2.083332,0,0
      1200,PRICE_CHANGE,333,BID,0.123,4,0.123,1
      1150,PRICE_CHANGE,111,BID,0.38,3,0.38,0.45
      1150,PRICE_CHANGE,222,ASK,0.62,3,0.55,0.62

      """
    try Data(changes.utf8).write(to: directory.appendingPathComponent("ws_books/pm_price_change_9_x.csv"))
    let books = """
      [{"bids":[{"price":"0.5","size":"10"}],"asks":[{"price":"0.53","size":"4"},{"price":"0.52","size":"6"}],
        "timestamp":"9000000100"},
       {"bids":[{"price":"0.51","size":"1"}],"asks":[],"timestamp":"9000000250"}]
      """
    let window = directory.appendingPathComponent("ws_books/pm_updown_l2/15m_sol_orderbooks_9000000up.json")
    try Data(books.utf8).write(to: window)
    let list = """
      [{"id":"77","conditionId":"0xabc","question":"Q?","slug":"q","outcomes":"[\\"Yes\\", \\"No\\"]",
        "outcomePrices":"[\\"0.3\\", \\"0.7\\"]","clobTokenIds":"[\\"901\\", \\"902\\"]","active":true,"closed":false,
        "acceptingOrders":true,"orderPriceMinTickSize":0.01,"orderMinSize":5,"bestBid":0.29,"bestAsk":0.31,
        "endDate":"2026-03-01T00:00:00Z","updatedAt":"2026-02-07T00:00:00Z","liquidityNum":12000,
        "events":[{"id":"8","title":"E","slug":"e"}]}]
      """
    try Data(list.utf8).write(to: directory.appendingPathComponent("pm_markets/gamma_some.json"))
    return directory
  }

  func open(_ path: String, speed: Price) throws -> Venue {
    try Venue {
      $0.load = path
      $0.speed = speed
    }
  }

  func watch(_ tokens: [String]) -> String {
    "{\"assets_ids\":[\(tokens.map { "\"\($0)\"" }.joined(separator: ","))],\"type\":\"market\"}"
  }

  @Test func `a recording is played in its order and at its distances, and its books stay`() throws {
    let directory = try makeRecording()
    defer { try? FileManager.default.removeItem(at: directory) }
    let venue = try open(directory.path, speed: .one)
    let world = venue.simulator.world
    let first = try #require(world.tokenOfID["111"])
    #expect(world.tokenOfID["222"] == first ^ 1)
    let window = try #require(world.markets.first { $0.slug == "sol-updown-15m-9000000" })
    let listener = Listener(venue)
    listener.run(milliseconds: 100)
    #expect(venue.simulator.progress?.played == 0)
    let alone = try #require(world.tokenOfID["333"])
    let all = ["111", "222", "333", world.markets[alone / 2].tokens[1], window.tokens[0], window.tokens[1]]
    listener.say(watch(all))
    let start = venue.now
    listener.run(milliseconds: 99)
    #expect(venue.simulator.progress?.played == 5)
    listener.run(milliseconds: 400)
    let status = try venue.object("/polymarket/clob/recording")
    #expect(status["played"] as? Int == 10 && status["rows"] as? Int == 10 && status["done"] as? Bool == true)
    #expect(status["rejected"] as? Int == 1)

    let messages = try listener.messages().filter { $0["timestamp"] != nil }.dropFirst(all.count)
    let kinds = messages.map { $0["event_type"] as? String ?? "" }
    #expect(
      kinds == ["price_change", "book", "price_change", "last_trade_price", "book", "price_change", "price_change"])
    let times = messages.compactMap { ($0["timestamp"] as? String).flatMap(Int64.init) }
    #expect(times.map { $0 - start.milliseconds - 1 } == [0, 0, 50, 100, 150, 200, 150])
    let last = try #require(messages.last?["price_changes"] as? [[String: String]])
    // The old best was dropped with the row that stated a lower one.
    #expect(
      last.map { "\($0["side"] ?? "") \($0["price"] ?? "") \($0["size"] ?? "")" } == [
        "BUY 0.38 3", "BUY 0.4 0", "SELL 0.62 3", "SELL 0.6 0",
      ])
    #expect(last.first?["best_bid"] == "0.38")
    let book = try venue.object("/polymarket/clob/book", [("token_id", "111")])
    #expect((book["bids"] as? [[String: String]])?.map { $0["price"] } == ["0.38"])
    #expect(book["last_trade_price"] as? String == "0.45")
    let listed = try venue.list("/polymarket/gamma/markets", [("condition_ids", "0xabc")])
    #expect(
      listed.first?["bestBid"] as? Double == 0.29 && listed.first?["clobTokenIds"] as? String == "[\"901\", \"902\"]")
    let end = try Timestamp(rfc3339: try #require(listed.first?["endDate"] as? String))
    #expect(end.nanoseconds(since: moment) / 86_400_000_000_000 == 22)
  }

  @Test(arguments: [0, 100])
  func `speed stretches the distances, and full speed plays all at once`(factor: Int64) throws {
    let directory = try makeRecording()
    defer { try? FileManager.default.removeItem(at: directory) }
    let venue = try open(directory.path, speed: Price(raw: factor * fixedPointScale))
    let listener = Listener(venue)
    listener.say(watch(["111"]))
    listener.run(milliseconds: 4990)
    #expect(venue.simulator.progress?.played == 0)
    listener.run(milliseconds: 15)
    #expect(venue.simulator.progress?.played == 10)
    for message in try listener.messages() {
      let time = try #require((message["timestamp"] as? String).flatMap(Int64.init))
      #expect(time <= venue.now.milliseconds)
    }
  }

  @Test func `a directory that is not there is an error`() {
    #expect(throws: (any Error).self) { try open("/nonexistent/recording", speed: .one) }
  }

  @Test func `the real recording ends in the books that its rows tell`() throws {
    let pattern = shared + "/ws_books"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: pattern)) ?? []
    guard let name = names.first(where: { $0.hasPrefix("pm_price_change_") }) else { return }
    var expected: [String: (bids: [Price: Quantity], asks: [Price: Quantity])] = [:]
    var rows = 0
    let text = String(decoding: try PackedFile.read(pattern + "/" + name), as: UTF8.self)
    for line in text.split(separator: "\n").dropFirst() {
      rows += 1
      let fields = line.split(separator: ",", omittingEmptySubsequences: false)
      guard fields[1] == "PRICE_CHANGE" else { continue }
      let token = String(fields[2])
      let price = try Price(fields[4])
      let size = try Quantity(fields[5])
      let (bid, ask) = (try Price(fields[6]), try Price(fields[7]))
      var book = expected[token] ?? ([:], [:])
      if fields[3] == "BID" { book.bids[price] = size.raw > 0 ? size : nil }
      if fields[3] == "ASK" { book.asks[price] = size.raw > 0 ? size : nil }
      book.bids = book.bids.filter { $0.key <= bid }
      book.asks = book.asks.filter { $0.key >= ask }
      expected[token] = book
    }
    let venue = try open(shared, speed: .zero)
    let listener = Listener(venue)
    listener.say(watch(Array(expected.keys)))
    listener.run(milliseconds: 5200)
    let progress = try #require(venue.simulator.progress)
    #expect(progress.played == progress.rows && progress.rows >= rows)
    let world = venue.simulator.world
    for (token, book) in expected {
      let ladder = world.engine.ladders[try #require(world.tokenOfID[token])]
      #expect(Dictionary(uniqueKeysWithValues: ladder.bids.map { ($0.price, $0.quantity) }) == book.bids)
      #expect(Dictionary(uniqueKeysWithValues: ladder.asks.map { ($0.price, $0.quantity) }) == book.asks)
    }
    #expect(world.markets.count > 500 && world.events.contains { $0.isNegRisk && $0.markets.count > 3 })
    let page = try venue.object("/polymarket/gamma/events/keyset", [("limit", "100"), ("closed", "false")])
    #expect((page["events"] as? [Any])?.count ?? 0 > 20)
  }
}
