import Bus
import Daemon
import Foundation
import Market
import Synchronization
import TestSupport
import Testing
import Web

/// A subscriber with its books.
private final class KalshiListener {
  let subscriber: Subscriber
  let feed = BookFeed()
  var health: [String: Int64] = [:]
  var trades: [Trade] = []

  init(_ name: String, _ runDirectory: String, publisher: String = "ingestor") throws {
    subscriber = try Subscriber(name: name, topics: [Topic.market, Topic.book, Topic.trade, Topic.health])
    try subscriber.connect(BusEndpoint.ipc(name: publisher, runDirectory: runDirectory))
  }

  func follow() {
    subscriber.receive { event in
      feed.handle(event, from: subscriber, onMarket: { _ in }, onBook: { _ in })
      guard case .message(let stream, _, _, var body) = event else { return }
      let topic = subscriber.topic(of: stream)
      if topic.hasPrefix(Topic.health), let message = try? HealthMessage(&body) { health = message.counters }
      if topic.hasPrefix(Topic.trade), let some = try? TradeMessage.readList(&body) { trades += some }
    }
  }

  func best(_ token: String) -> (state: BookState, bid: Int64, ask: Int64)? {
    feed.bookPlace(InstrumentID(venue: .kalshi, symbol: token)).map {
      (feed.cache.header($0).state, feed.cache.touch($0).bid, feed.cache.touch($0).ask)
    }
  }
}

/// Kalshi's side of a stream: numbers its messages, and answers requests as the venue does.
private final class ScriptedKalshi: Sendable {
  private struct State {
    var sequence = 0
    var bids = 0.40
    var subscribed: [String] = []
    var answersSnapshots = true
    var snapshotRequests = 0
  }

  private let state = Mutex(State())

  var snapshotRequests: Int { state.withLock { $0.snapshotRequests } }
  var subscribed: [String] { state.withLock { $0.subscribed.sorted() } }
  var answersSnapshots: Bool {
    get { state.withLock { $0.answersSnapshots } }
    set { state.withLock { $0.answersSnapshots = newValue } }
  }

  func reply(_ text: String) -> [String] {
    guard let command = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any],
      let id = command["id"] as? Int, let parameters = command["params"] as? [String: Any]
    else { return [] }
    let tickers = parameters["market_tickers"] as? [String] ?? []
    let channel = (parameters["channels"] as? [String])?.first
    return state.withLock { state in
      switch (command["cmd"] as? String, channel, parameters["action"] as? String) {
      case ("subscribe", "orderbook_delta", _):
        state.sequence = 0
        state.subscribed = tickers
        return ["{\"id\":\(id),\"type\":\"subscribed\",\"msg\":{\"channel\":\"orderbook_delta\",\"sid\":1}}"]
          + tickers.map { snapshot($0, &state) }
      case ("subscribe", let channel?, _):
        return ["{\"id\":\(id),\"type\":\"subscribed\",\"msg\":{\"channel\":\"\(channel)\",\"sid\":2}}"]
      case (_, _, "add_markets") where (parameters["sids"] as? [Int]) == [1]:
        state.subscribed += tickers
        return [ok(id, tickers, &state)] + tickers.map { snapshot($0, &state) }
      case (_, _, "get_snapshot"):
        state.snapshotRequests += 1
        return state.answersSnapshots ? tickers.map { snapshot($0, &state) } : []
      default: return []
      }
    }
  }

  /// What REST says of books: other prices than the stream.
  static func orderbooks(_ tickers: [String]) -> String {
    let books = tickers.map {
      "{\"ticker\":\"\($0)\",\"orderbook_fp\":{\"yes_dollars\":[[\"0.3900\",\"100.00\"]],"
        + "\"no_dollars\":[[\"0.5500\",\"50.00\"]]}}"
    }
    return "{\"orderbooks\":[\(books.joined(separator: ","))]}"
  }

  private func next(_ state: inout State) -> Int {
    state.sequence += 1
    return state.sequence
  }

  private func ok(_ id: Int, _ tickers: [String], _ state: inout State) -> String {
    let list = tickers.map { "\"\($0)\"" }.joined(separator: ",")
    return "{\"id\":\(id),\"sid\":1,\"seq\":\(next(&state)),\"type\":\"ok\",\"msg\":{\"market_tickers\":[\(list)]}}"
  }

  private func snapshot(_ ticker: String, _ state: inout State) -> String {
    """
    {"type":"orderbook_snapshot","sid":1,"seq":\(next(&state)),"msg":{"market_ticker":"\(ticker)",\
    "yes_dollars_fp":[["0.4000","100.00"]],"no_dollars_fp":[["0.5500","50.00"]]}}
    """
  }

  /// A delta with the next number, or with one left out before it.
  func delta(_ ticker: String, _ side: String, _ price: String, _ change: String, skipping: Int = 0) -> String {
    state.withLock { state in
      state.sequence += skipping
      return """
        {"type":"orderbook_delta","sid":1,"seq":\(next(&state)),"msg":{"market_ticker":"\(ticker)",\
        "price_dollars":"\(price)","delta_fp":"\(change)","side":"\(side)","ts_ms":\(SystemClock.now.milliseconds)}}
        """
    }
  }
}

@Suite(.serialized) struct KalshiServiceTests {
  private static let tickers = ["KXA-1", "KXA-2", "KXB-1"]

  private static var events: String {
    func market(_ ticker: String) -> String {
      """
      {"ticker":"\(ticker)","event_ticker":"\(ticker.prefix(3))-E","title":"T","status":"active","result":"",\
      "close_time":"2099-01-01T00:00:00Z","price_ranges":[{"start":"0.0000","end":"1.0000","step":"0.0100"}]}
      """
    }
    return """
      {"events":[{"event_ticker":"KXA-E","series_ticker":"KXA","markets":[\(market("KXA-1")),\(market("KXA-2"))]},\
      {"event_ticker":"KXB-E","series_ticker":"KXB","markets":[\(market("KXB-1"))]}],"cursor":""}
      """
  }

  private func venue(_ script: ScriptedKalshi) throws -> InTestVenue {
    try InTestVenue { request in
      switch request.path {
      case "/trade-api/v2/events": .json(Self.events)
      case "/trade-api/v2/series":
        .json("{\"series\":[{\"ticker\":\"KXB\",\"fee_type\":\"quadratic\",\"fee_multiplier\":0.5}]}")
      case "/trade-api/v2/markets/orderbooks":
        .json(ScriptedKalshi.orderbooks(request.query.filter { $0.name == "tickers" }.map(\.value)))
      default: .text("{\"error\":{\"code\":\"not_found\"}}", status: 404)
      }
    } reply: {
      script.reply($0)
    }
  }

  private func configuration(_ scratch: ScratchDirectory, _ venue: InTestVenue, _ more: String = "") -> String {
    """
    [bulkhead]
    run_dir = \(scratch.path)/run
    data_dir = \(scratch.path)/data
    check_shapes = false
    venue_status_s = 3600
    [kalshi]
    rest_url = http://127.0.0.1:\(venue.port)/trade-api/v2
    websocket_url = ws://127.0.0.1:\(venue.port)/trade-api/ws/v2
    markets_per_request = 2
    \(more)
    """
  }

  @Test func `both outcomes' books come, change together, and come back after a gap and a lost stream`() throws {
    let scratch = ScratchDirectory()
    let script = ScriptedKalshi()
    let venue = try venue(script)
    defer { venue.stop() }
    let worker = try Worker(
      "ingestor", ["kalshi"], configuration: configuration(scratch, venue, "sample_s = 86400"),
      directory: scratch.path)
    let listener = try KalshiListener("first", scratch.path + "/run")
    #expect(eventually(listener.follow) { listener.feed.liveBookCount == 6 })
    // Three markets in requests of two: the third is added when the subscription's number is known.
    #expect(script.subscribed == Self.tickers)
    #expect(listener.best("KXA-1:yes")?.bid == 40_000_000 && listener.best("KXA-1:yes")?.ask == 45_000_000)
    #expect(listener.best("KXA-1:no")?.bid == 55_000_000 && listener.best("KXA-1:no")?.ask == 60_000_000)

    venue.send(script.delta("KXA-1", "no", "0.5700", "3.50"))
    #expect(eventually(listener.follow) { listener.best("KXA-1:yes")?.ask == 43_000_000 })
    #expect(listener.best("KXA-1:no")?.bid == 57_000_000)

    // A trade is told once, as one of YES.
    venue.send(
      """
      {"type":"trade","sid":2,"seq":1,"msg":{"trade_id":"t","market_ticker":"KXA-2","yes_price_dollars":"0.4000",\
      "no_price_dollars":"0.6000","count_fp":"2.50","taker_outcome_side":"no","ts_ms":\(SystemClock.now.milliseconds)}}
      """)
    #expect(eventually(listener.follow) { listener.trades.count == 1 })
    #expect(listener.trades.first?.instrument.symbol == "KXA-2:yes" && listener.trades.first?.takerSide == .sell)

    // A number is left out: all books want snapshots, and get them on the same connection.
    venue.send(script.delta("KXA-1", "yes", "0.4100", "1.00", skipping: 1))
    #expect(eventually(listener.follow) { script.snapshotRequests >= 2 && listener.feed.liveBookCount == 6 })
    #expect(eventually(listener.follow) { listener.health["gaps"] == 1 && listener.health["books_wanted"] == 0 })
    #expect(listener.best("KXA-1:yes")?.ask == 45_000_000 && venue.opened.count == 1)

    // Whoever joins late gets everything from memory. The catalogue is read again once the stream is open; that is over.
    #expect(eventually(listener.follow) { listener.health["listings"] == 2 })
    let requests = venue.requests.count
    let late = try KalshiListener("late", scratch.path + "/run")
    #expect(eventually(late.follow) { late.feed.liveBookCount == 6 })
    #expect(venue.requests.count == requests)

    // A stream that is lost makes its books stale until it is back.
    venue.refusesStreams = true
    venue.dropStreams()
    #expect(eventually(listener.follow) { listener.feed.liveBookCount == 0 })
    venue.refusesStreams = false
    #expect(eventually(listener.follow) { listener.feed.liveBookCount == 6 })
    #expect(eventually(listener.follow) { listener.health["reconnections"] == 1 })
    #expect(worker.stop() == 0)
  }

  @Test func `a venue that gives no snapshot is left for another connection`() throws {
    let scratch = ScratchDirectory()
    let script = ScriptedKalshi()
    let venue = try venue(script)
    defer { venue.stop() }
    let worker = try Worker(
      "ingestor", ["kalshi"], configuration: configuration(scratch, venue), directory: scratch.path)
    let listener = try KalshiListener("first", scratch.path + "/run")
    #expect(eventually(listener.follow) { listener.feed.liveBookCount == 6 })
    script.answersSnapshots = false
    // A level that is not there cannot be reduced: something was missed.
    venue.send(script.delta("KXB-1", "yes", "0.3000", "-1.00"))
    #expect(eventually(listener.follow) { listener.best("KXB-1:yes")?.state == .stale })
    #expect(listener.best("KXA-1:yes")?.state == .live)
    #expect(eventually(listener.follow) { venue.opened.count == 2 && listener.feed.liveBookCount == 6 })
    #expect(worker.stop() == 0)
  }

  @Test func `while a stream is down REST tells the books of both outcomes, and no longer when it is back`() throws {
    let scratch = ScratchDirectory()
    let script = ScriptedKalshi()
    let venue = try venue(script)
    defer { venue.stop() }
    let worker = try Worker(
      "ingestor", ["kalshi"], configuration: configuration(scratch, venue, "poll_s = 1"), directory: scratch.path)
    let listener = try KalshiListener("first", scratch.path + "/run")
    #expect(eventually(listener.follow) { listener.feed.liveBookCount == 6 })
    #expect(!venue.requests.contains { $0.contains("orderbooks") })
    venue.refusesStreams = true
    venue.dropStreams()
    #expect(eventually(listener.follow) { listener.best("KXA-1:yes")?.bid == 39_000_000 })
    #expect(eventually(listener.follow) { listener.best("KXA-1:no")?.ask == 61_000_000 })
    #expect(listener.best("KXA-1:no")?.bid == 55_000_000)
    #expect(eventually(listener.follow) { listener.feed.liveBookCount == 6 && (listener.health["polls"] ?? 0) >= 3 })
    #expect(eventually(listener.follow) { (listener.health["polled_books"] ?? 0) >= 9 })
    venue.refusesStreams = false
    #expect(
      eventually(listener.follow) {
        listener.feed.liveBookCount == 6
          && Self.tickers.allSatisfy { listener.best($0 + ":yes")?.bid == 40_000_000 }
      })
    // A change goes on from what the stream has said, not from what REST said.
    venue.send(script.delta("KXA-1", "yes", "0.4000", "5.00"))
    venue.send(script.delta("KXA-1", "yes", "0.4200", "1.00"))
    #expect(eventually(listener.follow) { listener.best("KXA-1:yes")?.bid == 42_000_000 })
    #expect(listener.health["gaps"] == 0 && listener.health["changes_impossible"] == 0)
    #expect(worker.stop() == 0)
  }

  @Test func `a book that differs from REST is asked for on the stream; a silent stream is replaced`() throws {
    for (more, isSilent) in [("", false), ("frozen_s = 1", true)] {
      let scratch = ScratchDirectory()
      let script = ScriptedKalshi()
      let venue = try venue(script)
      defer { venue.stop() }
      let worker = try Worker(
        "ingestor", ["kalshi"], configuration: configuration(scratch, venue, "sample_s = 1\n" + more),
        directory: scratch.path)
      let listener = try KalshiListener("first", scratch.path + "/run")
      #expect(eventually(listener.follow) { (listener.health["sampled_different"] ?? 0) >= 1 })
      #expect(worker.log.contains("book differs from REST"))
      if isSilent {
        #expect(eventually(listener.follow) { (listener.health["frozen"] ?? 0) >= 1 && venue.opened.count >= 2 })
      } else {
        #expect(eventually(listener.follow) { script.snapshotRequests >= 1 })
        #expect(venue.opened.count == 1 && listener.health["frozen"] == 0)
      }
      #expect(eventually(listener.follow) { listener.feed.liveBookCount == 6 })
      #expect(worker.stop() == 0)
    }
  }

  @Test func `two shards share the markets out`() throws {
    let scratch = ScratchDirectory()
    let script = ScriptedKalshi()
    let venue = try venue(script)
    defer { venue.stop() }
    let workers = try ["0/2", "1/2"].enumerated().map { index, shard in
      try Worker(
        "ingestor", ["kalshi", "--shard", shard], configuration: configuration(scratch, venue),
        directory: scratch.path, environment: ["BULKHEAD_NAME": "ingestor-\(index)"])
    }
    let listeners = try (0..<2).map { try KalshiListener("l\($0)", scratch.path + "/run", publisher: "ingestor-\($0)") }
    let owned = Self.tickers.map { Rendezvous.owner(of: Rendezvous.hash($0), among: 2) }
    for (shard, listener) in listeners.enumerated() {
      let count = owned.count { $0 == shard }
      #expect(
        eventually(listener.follow) {
          listener.feed.liveBookCount == 2 * count && listener.health["markets"] == Int64(count)
        })
    }
    for worker in workers { #expect(worker.stop() == 0) }
  }

  @Test func `a key that cannot be read ends the process for good`() throws {
    let scratch = ScratchDirectory()
    let script = ScriptedKalshi()
    let venue = try venue(script)
    defer { venue.stop() }
    let worker = try Worker(
      "ingestor", ["kalshi"], configuration: configuration(scratch, venue, "key_id = a\nkey_file = /nowhere/key.pem"),
      directory: scratch.path)
    #expect(eventually { !worker.isRunning })
    #expect(worker.stop() == 100)
  }
}
