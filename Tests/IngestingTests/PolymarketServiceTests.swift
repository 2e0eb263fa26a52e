import Bus
import Daemon
import Foundation
import Market
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

  func staleCount() -> Int {
    (0..<feed.cache.count).count { feed.cache.header($0).state == .stale }
  }
}

@Suite(.serialized) struct PolymarketServiceTests {
  private static let tokens = ["1001", "1002", "2001", "2002"]

  private static var events: String {
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

  private static func book(_ token: String, bid: String = "0.40") -> String {
    """
    {"event_type":"book","market":"0x\(token.prefix(1))","asset_id":"\(token)",\
    "timestamp":"\(SystemClock.now.milliseconds)","hash":"","bids":[{"price":"\(bid)","size":"100"}],\
    "asks":[{"price":"0.45","size":"100"}]}
    """
  }

  private static func tokens(in text: String) -> [String] { tokens.filter { text.contains("\"\($0)\"") } }

  private func venue() throws -> InTestVenue {
    try InTestVenue { request in
      switch request.path {
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

  private func configuration(_ scratch: ScratchDirectory, _ venue: InTestVenue, sample: Int = 3600) -> String {
    """
    [bulkhead]
    run_dir = \(scratch.path)/run
    data_dir = \(scratch.path)/data
    [polymarket]
    gamma_url = http://127.0.0.1:\(venue.port)/gamma
    clob_url = http://127.0.0.1:\(venue.port)/clob
    data_url = http://127.0.0.1:\(venue.port)/data
    websocket_url = ws://127.0.0.1:\(venue.port)/ws/market
    verify_book_hash = false
    assets_per_connection = 3
    poll_s = 1
    sample_s = \(sample)
    frozen_s = 1
    """
  }

  @Test func `books come, go stale with their stream, come back, and serve whoever joins late`() throws {
    let scratch = ScratchDirectory()
    let venue = try venue()
    defer { venue.stop() }
    let worker = try Worker(
      "ingestor", ["polymarket"], configuration: configuration(scratch, venue), directory: scratch.path)
    let listener = try Listener("first", scratch.path + "/run")

    #expect(eventually(listener.follow) { listener.feed.liveBookCount == 4 })
    #expect(listener.header("1001")?.bestBid == 40_000_000)
    // Four tokens on connections of three.
    #expect(eventually { venue.openStreams == 2 })
    #expect(!venue.requests.contains("POST /clob/books"))

    // A change goes through.
    venue.send(
      #"{"event_type":"price_change","market":"0x1","timestamp":"\#(SystemClock.now.milliseconds)","price_changes":["#
        + #"{"asset_id":"1001","price":"0.42","size":"7","side":"BUY"}]}"#)
    #expect(eventually(listener.follow) { listener.header("1001")?.bestBid == 42_000_000 })

    // Whoever joins late gets everything from memory.
    let requests = venue.requests
    let late = try Listener("late", scratch.path + "/run")
    #expect(eventually(late.follow) { late.feed.liveBookCount == 4 })
    #expect(late.header("1001")?.bestBid == 42_000_000)
    #expect(venue.requests == requests)

    // The streams break and cannot come back: nothing is live until REST tells, again and again.
    venue.refusesStreams = true
    venue.dropStreams()
    #expect(eventually(listener.follow) { listener.staleCount() == 4 })
    #expect(eventually(listener.follow) { listener.health["connections_open"] == 0 })
    #expect(eventually(listener.follow) { listener.feed.liveBookCount == 4 })
    #expect(listener.header("1001")?.bestBid == 39_000_000)
    #expect(eventually(listener.follow) { (listener.health["polls"] ?? 0) >= 4 })
    venue.refusesStreams = false
    #expect(eventually(listener.follow) { listener.header("1001")?.bestBid == 40_000_000 })
    #expect(eventually(listener.follow) { listener.feed.liveBookCount == 4 })
    #expect(listener.header("1001")?.bestBid == 40_000_000)
    #expect(eventually(listener.follow) { (listener.health["reconnections"] ?? 0) >= 2 })

    // Garbage: what it would have changed is not known, so the books are fetched.
    venue.send("{{{{")
    #expect(eventually(listener.follow) { listener.header("1001")?.bestBid == 39_000_000 })
    #expect(eventually(listener.follow) { listener.feed.liveBookCount == 4 })
    #expect(venue.requests.contains("POST /clob/books"))
    #expect(eventually(listener.follow) { (listener.health["refused"] ?? 0) >= 1 })
    #expect(listener.feed.counters.malformed == 0 && listener.subscriber.missedCount == 0)

    #expect(worker.isRunning)
    #expect(worker.stop() == 0)
  }

  @Test func `a book that differs from REST is told, and its silent stream replaced`() throws {
    let scratch = ScratchDirectory()
    let venue = try venue()
    defer { venue.stop() }
    let worker = try Worker(
      "ingestor", ["polymarket"], configuration: configuration(scratch, venue, sample: 1), directory: scratch.path)
    let listener = try Listener("first", scratch.path + "/run")
    #expect(eventually(listener.follow) { listener.feed.liveBookCount == 4 })
    // REST says 0.39, and the stream has had the time to say so, too; what it brings when it is replaced is 0.40 again.
    #expect(eventually(listener.follow) { (listener.health["sampled_different"] ?? 0) >= 1 })
    #expect(worker.log.contains("book differs from REST"))
    #expect(eventually(listener.follow) { (listener.health["frozen"] ?? 0) >= 1 && venue.opened.count > 2 })
    #expect(worker.stop() == 0)
  }
}
