import Bus
import Daemon
import Foundation
import Market
import Store
import Synchronization
import TestSupport
import Testing
import Web

/// A subscriber with its books.
private final class Listener {
  let subscriber: Subscriber
  let feed = BookFeed()
  var health: [String: Int64] = [:]

  init(_ name: String, _ runDirectory: String) throws {
    subscriber = try Subscriber(name: name, topics: [Topic.market, Topic.book, Topic.health])
    try subscriber.connect(BusEndpoint.ipc(name: "ingestor", runDirectory: runDirectory))
  }

  func follow() {
    subscriber.receive { event in
      feed.handle(event, from: subscriber, onMarket: { _ in }, onBook: { _ in })
      if case .message(let stream, _, _, var body) = event, subscriber.topic(of: stream).hasPrefix(Topic.health),
        let message = try? HealthMessage(&body)
      {
        health = message.counters
      }
    }
  }

  func header(_ token: String) -> BookHeader? {
    feed.bookPlace(InstrumentID(venue: .polymarket, symbol: token)).map { feed.cache.header($0) }
  }

  func bestBid(_ token: String) -> Int64? {
    feed.bookPlace(InstrumentID(venue: .polymarket, symbol: token)).map { feed.cache.touch($0).bid }
  }

  func staleCount() -> Int {
    (0..<feed.cache.count).count { feed.cache.header($0).state == .stale }
  }
}

@Suite(.serialized) struct PolymarketServiceTests {
  private static let tokens = ["1001", "1002", "2001", "2002"]

  static var events: String {
    func market(_ id: String, _ first: String, _ second: String) -> String {
      """
      {"id":"\(id)","conditionId":"0x\(id)","question":"Q\(id)","outcomes":"[\\"Yes\\",\\"No\\"]",\
      "clobTokenIds":"[\\"\(first)\\",\\"\(second)\\"]","orderPriceMinTickSize":0.01,"orderMinSize":5,\
      "active":true,"closed":false,"acceptingOrders":true,"enableOrderBook":true,"negRisk":false}
      """
    }
    return """
      {"events":[{"id":"1","markets":[\(market("1", "1001", "1002"))]},\
      {"id":"2","markets":[\(market("2", "2001", "2002"))]}]}
      """
  }

  static func book(_ token: String, bid: String = "0.40") -> String {
    """
    {"event_type":"book","market":"0x\(token.prefix(1))","asset_id":"\(token)",\
    "timestamp":"\(SystemClock.now.milliseconds)","hash":"","bids":[{"price":"\(bid)","size":"100"}],\
    "asks":[{"price":"0.45","size":"100"}]}
    """
  }

  static func tokens(in text: String) -> [String] { tokens.filter { text.contains("\"\($0)\"") } }

  private func venue(trades: @escaping @Sendable () -> String = { "[]" }) throws -> InTestVenue {
    try InTestVenue { request in
      switch request.path {
      case "/data/trades": return .json(trades())
      case "/gamma/events/keyset": return .json(Self.events)
      case "/clob/books":
        let asked = Self.tokens(in: String(decoding: request.body, as: UTF8.self))
        return .json("[\(asked.map { Self.book($0, bid: "0.39") }.joined(separator: ","))]")
      default: return .text("not found", status: 404)
      }
    } reply: { text in
      guard text.hasPrefix("{") else { return text == "PING" ? ["PONG"] : [] }
      return ["[\(Self.tokens(in: text).map { Self.book($0) }.joined(separator: ","))]"]
    }
  }

  static func configuration(
    _ scratch: ScratchDirectory, _ venue: InTestVenue, sample: Int = 3600, assets: Int = 3, frozen: Int = 1
  ) -> String {
    """
    [bulkhead]
    run_dir = \(scratch.path)/run
    data_dir = \(scratch.path)/data
    venue_status_s = 3600
    check_shapes = false
    [polymarket]
    gamma_url = http://127.0.0.1:\(venue.port)/gamma
    clob_url = http://127.0.0.1:\(venue.port)/clob
    data_url = http://127.0.0.1:\(venue.port)/data
    websocket_url = ws://127.0.0.1:\(venue.port)/ws/market
    verify_book_hash = false
    assets_per_connection = \(assets)
    poll_s = 1
    sample_s = \(sample)
    frozen_s = \(frozen)
    """
  }

  @Test func `books come, go stale with their stream, come back, and serve whoever joins late`() throws {
    let scratch = ScratchDirectory()
    let venue = try venue()
    defer { venue.stop() }
    let worker = try Worker(
      "ingestor", ["polymarket"], configuration: Self.configuration(scratch, venue), directory: scratch.path)
    let listener = try Listener("first", scratch.path + "/run")

    #expect(eventually(listener.follow) { listener.feed.liveBookCount == 4 })
    #expect(listener.bestBid("1001") == 40_000_000)
    // Four tokens on connections of three.
    #expect(eventually { venue.openStreams == 2 })
    #expect(!venue.requests.contains("POST /clob/books"))

    // A change goes through.
    venue.send(
      #"{"event_type":"price_change","market":"0x1","timestamp":"\#(SystemClock.now.milliseconds)","price_changes":["#
        + #"{"asset_id":"1001","price":"0.42","size":"7","side":"BUY"}]}"#)
    #expect(eventually(listener.follow) { listener.bestBid("1001") == 42_000_000 })

    // Whoever joins late gets everything from memory.
    let requests = venue.requests
    let late = try Listener("late", scratch.path + "/run")
    #expect(eventually(late.follow) { late.feed.liveBookCount == 4 })
    #expect(late.bestBid("1001") == 42_000_000)
    #expect(venue.requests == requests)

    // The streams break and cannot come back: nothing is live until REST tells, again and again.
    venue.refusesStreams = true
    venue.dropStreams()
    #expect(eventually(listener.follow) { listener.staleCount() == 4 })
    #expect(eventually(listener.follow) { listener.health["connections_open"] == 0 })
    #expect(eventually(listener.follow) { listener.feed.liveBookCount == 4 })
    #expect(listener.bestBid("1001") == 39_000_000)
    #expect(eventually(listener.follow) { (listener.health["polls"] ?? 0) >= 4 })
    venue.refusesStreams = false
    #expect(eventually(listener.follow) { listener.bestBid("1001") == 40_000_000 })
    #expect(eventually(listener.follow) { listener.feed.liveBookCount == 4 })
    #expect(listener.bestBid("1001") == 40_000_000)
    #expect(eventually(listener.follow) { (listener.health["reconnections"] ?? 0) >= 2 })

    // Garbage: what it would have changed is not known, so the books are fetched.
    venue.send("{{{{")
    #expect(eventually(listener.follow) { listener.bestBid("1001") == 39_000_000 })
    #expect(eventually(listener.follow) { listener.feed.liveBookCount == 4 })
    #expect(venue.requests.contains("POST /clob/books"))
    #expect(eventually(listener.follow) { (listener.health["refused"] ?? 0) >= 1 })
    #expect(listener.feed.counters.malformed == 0 && listener.subscriber.missedCount == 0)

    #expect(worker.isRunning)
    #expect(worker.stop() == 0)
  }

  @Test func `answers to what was asked before a stream was there are not believed`() throws {
    let scratch = ScratchDirectory()
    let venue = try venue()
    defer { venue.stop() }
    let worker = try Worker(
      "ingestor", ["polymarket"],
      configuration: Self.configuration(scratch, venue, frozen: 3600) + "\nrequest_timeout_s = 60",
      directory: scratch.path)
    let listener = try Listener("first", scratch.path + "/run")
    #expect(eventually(listener.follow) { listener.feed.liveBookCount == 4 })
    // Books that were asked for while a stream watched them, and then because none did.
    venue.hold("/clob/books")
    venue.send("{{{{")
    #expect(eventually(listener.follow) { venue.requests.contains("POST /clob/books") })
    venue.refusesStreams = true
    venue.dropStreams()
    #expect(eventually(listener.follow) { (listener.health["polls"] ?? 0) >= 1 })
    venue.refusesStreams = false
    #expect(eventually(listener.follow) { listener.feed.liveBookCount == 4 })
    // What happened between answer and subscription is in neither: only the stream that is back tells the books.
    venue.hold(nil)
    #expect(eventually(listener.follow) { (listener.health["rest_books_unwatched"] ?? 0) >= 4 })
    let published = listener.health["messages_published"] ?? 0
    #expect(eventually(listener.follow) { (listener.health["messages_published"] ?? 0) > published + 5 })
    #expect(Self.tokens.allSatisfy { listener.bestBid($0) == 40_000_000 })
    #expect(listener.health["polled_books"] == 0)
    #expect(worker.stop() == 0)
  }

  private func row(_ token: String, _ seconds: Int64) -> String {
    "{\"side\":\"BUY\",\"asset\":\"\(token)\",\"size\":5,\"price\":0.41,\"timestamp\":\(seconds)}"
  }

  @Test func `markets and trades are stored, and what was traded while nobody listened is fetched once`() throws {
    let scratch = ScratchDirectory()
    let second = SystemClock.now.seconds - 20
    let answer = Mutex("[]")
    let venue = try venue { answer.withLock { $0 } }
    defer { venue.stop() }
    let path = scratch.path + "/data/history.db"
    func stored() -> [Trade] {
      let store = try? HistoryStore(readingFrom: path)
      return (try? store?.trades(.polymarket, limit: 100)) ?? []
    }
    func watermark(_ name: String) -> Int64? {
      let store = try? HistoryStore(readingFrom: path)
      return (try? store?.watermark(WatermarkSubject(venue: .polymarket, name: name)))??.seconds
    }
    func asked() -> Int { venue.requests.count { $0 == "GET /data/trades" } }
    func start() throws -> (Worker, Listener) {
      let worker = try Worker(
        "ingestor", ["polymarket"], configuration: Self.configuration(scratch, venue, assets: 4, frozen: 3600),
        directory: scratch.path)
      return (worker, try Listener("l", scratch.path + "/run"))
    }
    let (first, listener) = try start()
    #expect(eventually(listener.follow) { listener.feed.liveBookCount == 4 })
    venue.send(
      #"{"event_type":"last_trade_price","market":"0x1","asset_id":"1001","price":"0.41","size":"5","side":"BUY","#
        + #""timestamp":"\#(second * 1000 + 250)"}"#)
    #expect(eventually { stored().count == 1 && watermark("0x1") == second })
    #expect(try HistoryStore(readingFrom: path).marketCount(.polymarket) == 2)
    #expect(eventually(listener.follow) { (listener.health["history_rows"] ?? 0) >= 3 })
    #expect((listener.health["watermark_age_s"] ?? 0) >= 20 && listener.health["history_waiting"] == 0)
    #expect(first.stop() == 0)

    // The trade that is known, two that are not, and one of long ago.
    let rows = [row("2001", second + 3), row("1001", second + 2), row("1001", second), row("1002", 1_600_000_000)]
    answer.withLock { $0 = "[\(rows.joined(separator: ","))]" }
    #expect(asked() == 0)
    let (next, again) = try start()
    #expect(eventually(again.follow) { again.health["trades_fetched"] == 3 })
    #expect(eventually { stored().map(\.time.seconds) == [second, second + 2, second + 3] })
    #expect(watermark("0x1") == second + 2 && watermark("0x2") == second + 3 && asked() == 1)
    #expect(eventually(again.follow) { again.feed.liveBookCount == 4 })

    // A stream that was gone: asked again, and nothing is stored twice.
    venue.dropStreams()
    #expect(eventually(again.follow) { asked() == 2 && (again.health["reconnections"] ?? 0) >= 1 })
    #expect(next.stop() == 0)
    #expect(stored().count == 3)
  }

  @Test func `a book that differs from REST is told, and its silent stream replaced`() throws {
    let scratch = ScratchDirectory()
    let venue = try venue()
    defer { venue.stop() }
    let worker = try Worker(
      "ingestor", ["polymarket"], configuration: Self.configuration(scratch, venue, sample: 1), directory: scratch.path)
    let listener = try Listener("first", scratch.path + "/run")
    #expect(eventually(listener.follow) { listener.feed.liveBookCount == 4 })
    // REST says 0.39, and the stream has had the time to say so, too; what it brings when it is replaced is 0.40 again.
    #expect(eventually(listener.follow) { (listener.health["sampled_different"] ?? 0) >= 1 })
    #expect(worker.log.contains("book differs from REST"))
    #expect(eventually(listener.follow) { (listener.health["frozen"] ?? 0) >= 1 && venue.opened.count > 2 })
    #expect(worker.stop() == 0)
  }
}
