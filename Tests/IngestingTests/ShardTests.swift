import Bus
import Daemon
import Foundation
import Ingesting
import Market
import TestSupport
import Testing
import Web

/// What a supervisor is to an ingestor: a publisher of plans, and a socket that takes its word.
private final class Plans {
  let publisher: Publisher
  private let topic: TopicHandle
  private let socketDescriptor: Int32
  private var plan: ShardPlan?
  private(set) var words: [String] = []
  let notifyPath: String

  init(_ runDirectory: String, program: String) throws {
    publisher = try Publisher(name: "supervisor", runDirectory: runDirectory)
    topic = publisher.topic("shards/" + program)
    notifyPath = runDirectory + "/notify.sock"
    socketDescriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: notifyPath.utf8) }
    let length = socklen_t(MemoryLayout<sockaddr_un>.size)
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socketDescriptor, $0, length) }
    }
    try #require(result == 0)
  }

  deinit { close(socketDescriptor) }

  func publish(_ generation: UInt64, from: Int, to: Int, _ phase: ShardPlan.Phase) {
    let plan = ShardPlan(program: "ingestor", generation: generation, previousCount: from, count: to, phase: phase)
    self.plan = plan
    publisher.publish(topic) { plan.encode($0) }
  }

  /// Answers who joins, and reads what was said.
  func turn() {
    publisher.processSubscriptions { request in
      if let plan { publisher.publishSnapshot(request, topic) { plan.encode($0) } }
      publisher.endSnapshot(request)
    }
    var buffer = [UInt8](repeating: 0, count: 8192)
    while true {
      let count = recv(socketDescriptor, &buffer, buffer.count, 0)
      guard count > 0 else { return }
      words += String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
    }
  }

  func hasConfirmed(_ word: String) -> Bool { words.contains("X_BULKHEAD_SHARD=" + word) }
}

@Suite(.serialized) struct ShardTests {
  // MARK: - Which shard a process is

  @Test func `the command line says which shard it is, or the environment, or it is alone`() throws {
    let environment = ["BULKHEAD_SHARD": "1/4"]
    func position(_ arguments: [String], _ environment: [String: String]) throws -> [Int] {
      let position = try ShardPosition(arguments: arguments, environment: environment)
      return [position.index, position.count]
    }
    #expect(try position(["polymarket"], [:]) == [0, 1])
    #expect(try position(["polymarket"], environment) == [1, 4])
    #expect(try position(["polymarket", "--shard", "2/3"], environment) == [2, 3])
    #expect(ShardPosition.others(["--shard", "2/3", "binance"]) == ["binance"])
    #expect(ShardPosition.others(["binance", "--shard"]) == ["binance"])
  }

  @Test(arguments: ["", "1", "4/4", "-1/4", "0/0", "a/b", "1/2/3", "0/1000000"])
  func `what is no shard is a mistake of the configuration`(text: String) {
    #expect(throws: ConfigurationError.self) {
      try ShardPosition(arguments: ["--shard", text], environment: [:])
    }
    #expect(throws: ConfigurationError.self) {
      try ShardPosition(arguments: [], environment: ["BULKHEAD_SHARD": text])
    }
  }

  // MARK: - Polymarket

  private static let ids = (1...9).map(String.init)

  /// Two markets that are one neg-risk event, which is another shard's than one of them would be by itself.
  private static let joint = ["8", "9"]
  private static let jointEvent =
    (100...199).map(String.init).first { owner($0) != owner("0x8") } ?? ""

  private static func owner(_ key: String) -> Int { Rendezvous.owner(of: Rendezvous.hash(key), among: 2) }

  private static func isOwn(_ id: String) -> Bool {
    owner(joint.contains(id) ? jointEvent : "0x" + id) == 0
  }

  private static func market(_ id: String) -> String {
    """
    {"id":"\(id)","conditionId":"0x\(id)","question":"Q\(id)","outcomes":"[\\"Yes\\",\\"No\\"]",\
    "clobTokenIds":"[\\"\(id)001\\",\\"\(id)002\\"]","orderPriceMinTickSize":0.01,"orderMinSize":5,\
    "active":true,"closed":false,"acceptingOrders":true,"enableOrderBook":true,"negRisk":\(joint.contains(id))}
    """
  }

  private static func tokens(in text: String) -> [String] {
    ids.flatMap { [$0 + "001", $0 + "002"] }.filter { text.contains("\"\($0)\"") }
  }

  private static func book(_ token: String) -> String {
    """
    {"event_type":"book","market":"0x\(token.prefix(1))","asset_id":"\(token)",\
    "timestamp":"\(SystemClock.now.milliseconds)","hash":"","bids":[{"price":"0.40","size":"100"}],\
    "asks":[{"price":"0.45","size":"100"}]}
    """
  }

  private func venue() throws -> InTestVenue {
    try InTestVenue { request in
      switch request.path {
      case "/gamma/events/keyset":
        var events = Self.ids.filter { !Self.joint.contains($0) }.map {
          "{\"id\":\"\($0)\",\"markets\":[\(Self.market($0))]}"
        }
        let markets = Self.joint.map { Self.market($0) }.joined(separator: ",")
        events.append("{\"id\":\"\(Self.jointEvent)\",\"negRisk\":true,\"markets\":[\(markets)]}")
        return .json("{\"events\":[\(events.joined(separator: ","))]}")
      case "/clob/books": return .json("[]")
      default: return .text("not found", status: 404)
      }
    } reply: { text in
      guard text.hasPrefix("{"), !text.contains("unsubscribe") else { return text == "PING" ? ["PONG"] : [] }
      return ["[\(Self.tokens(in: text).map { Self.book($0) }.joined(separator: ","))]"]
    }
  }

  private static func configuration(_ run: String, _ scratch: ScratchDirectory, _ venue: InTestVenue) -> String {
    """
    [bulkhead]
    run_dir = \(run)
    data_dir = \(scratch.path)/data
    [polymarket]
    gamma_url = http://127.0.0.1:\(venue.port)/gamma
    clob_url = http://127.0.0.1:\(venue.port)/clob
    data_url = http://127.0.0.1:\(venue.port)/data
    websocket_url = ws://127.0.0.1:\(venue.port)/ws/market
    verify_book_hash = false
    assets_per_connection = 4
    """
  }

  @Test func `a shard has its part from the first listing on, and of a neg-risk event all or nothing`() throws {
    let scratch = ScratchDirectory()
    let run = scratch.path + "/run"
    let venue = try venue()
    defer { venue.stop() }
    let worker = try Worker(
      "ingestor", ["polymarket", "--shard", "0/2"], configuration: Self.configuration(run, scratch, venue),
      directory: scratch.path)
    let subscriber = try Subscriber(name: "listener", topics: [Topic.market, Topic.book])
    try subscriber.connect(BusEndpoint.ipc(name: "ingestor", runDirectory: run))
    let feed = BookFeed()
    let own = Self.ids.filter { Self.isOwn($0) }
    #expect(
      eventually({
        subscriber.receive { feed.handle($0, from: subscriber, onMarket: { _ in }, onBook: { _ in }) }
      }) { feed.liveBookCount == own.count * 2 })
    #expect(Set(feed.markets.map(\.id)) == Set(own.map { "0x" + $0 }))
    #expect(worker.stop() == 0)
  }

  @Test func `Polymarket's books are taken and dropped as the plan says, while the streams run`() throws {
    let scratch = ScratchDirectory()
    let run = scratch.path + "/run"
    try FileManager.default.createDirectory(atPath: run, withIntermediateDirectories: true)
    let venue = try venue()
    defer { venue.stop() }
    let plans = try Plans(run, program: "ingestor")
    let worker = try Worker(
      "ingestor", ["polymarket"],
      configuration: Self.configuration(run, scratch, venue), directory: scratch.path,
      environment: ["NOTIFY_SOCKET": plans.notifyPath, "BULKHEAD_SHARD": "0/1"])
    let subscriber = try Subscriber(name: "listener", topics: [Topic.market, Topic.book])
    try subscriber.connect(BusEndpoint.ipc(name: "ingestor", runDirectory: run))
    let feed = BookFeed()
    func step() {
      plans.turn()
      subscriber.receive { feed.handle($0, from: subscriber, onMarket: { _ in }, onBook: { _ in }) }
    }
    #expect(eventually(step) { feed.liveBookCount == 18 && plans.words.contains("X_BULKHEAD_SHARDED=0") })

    // Nothing is dropped before the others have taken.
    plans.publish(50, from: 1, to: 2, .take)
    #expect(eventually(step) { plans.hasConfirmed("50:take") })
    #expect(feed.liveBookCount == 18)
    let own = Self.ids.filter { Self.isOwn($0) }
    try #require(own.count > 1 && own.count < 8)
    plans.publish(50, from: 1, to: 2, .drop)
    #expect(eventually(step) { plans.hasConfirmed("50:drop") && feed.liveBookCount == own.count * 2 })
    for id in Self.ids {
      let place = try #require(feed.bookPlace(InstrumentID(venue: .polymarket, symbol: id + "001")))
      #expect((feed.cache.header(place).state == .live) == own.contains(id), "market \(id)")
    }
    let unsubscribed = venue.texts.filter { $0.contains("unsubscribe") }.flatMap { Self.tokens(in: $0) }
    #expect(Set(unsubscribed).isDisjoint(with: own.flatMap { [$0 + "001", $0 + "002"] }))
    // What one does not watch any more is not told to those who join, either.
    let late = try Subscriber(name: "late", topics: [Topic.market, Topic.book])
    try late.connect(BusEndpoint.ipc(name: "ingestor", runDirectory: run))
    let lateFeed = BookFeed()
    #expect(
      eventually({
        late.receive { lateFeed.handle($0, from: late, onMarket: { _ in }, onBook: { _ in }) }
      }) { lateFeed.liveBookCount == own.count * 2 })
    #expect(lateFeed.markets.count == own.count)

    // Everything comes back, by the streams that are there or new ones, and the plan is known to whoever joins.
    plans.publish(60, from: 2, to: 1, .take)
    #expect(eventually(step) { plans.hasConfirmed("60:take") && feed.liveBookCount == 18 })
    plans.publish(60, from: 2, to: 1, .done)
    #expect(eventually(step) { plans.hasConfirmed("60:done") })
    #expect(feed.counters.unknownBook == 0 && feed.counters.malformed == 0 && subscriber.missedCount == 0)
    #expect(worker.stop() == 0)
  }

  // MARK: - Binance

  @Test func `Binance's pairs are subscribed and left on the connection that is there`() throws {
    let scratch = ScratchDirectory()
    let run = scratch.path + "/run"
    try FileManager.default.createDirectory(atPath: run, withIntermediateDirectories: true)
    let venue = try InTestVenue { request in
      request.path == "/api/v3/klines" ? .json("[]") : .text("{}", status: 404)
    } reply: { text in
      text.contains("\"method\"") ? [#"{"result":null,"id":1}"#] : []
    }
    defer { venue.stop() }
    let plans = try Plans(run, program: "ingestor")
    plans.publish(10, from: 1, to: 2, .done)
    let symbols = (1...40).map { "COIN\($0)USDT" }
    let own = symbols.filter { Rendezvous.owner(of: Rendezvous.hash($0), among: 2) == 1 }
    try #require(own.count > 1 && own.count < 39)
    let worker = try Worker(
      "ingestor", ["binance"],
      configuration: """
        [bulkhead]
        run_dir = \(run)
        data_dir = \(scratch.path)/data
        [binance]
        rest_url = http://127.0.0.1:\(venue.port)
        websocket_url = ws://127.0.0.1:\(venue.port)/stream
        symbols = \(symbols.joined(separator: ", "))
        """, directory: scratch.path,
      environment: ["NOTIFY_SOCKET": plans.notifyPath, "BULKHEAD_SHARD": "1/2"])
    #expect(eventually(plans.turn) { plans.hasConfirmed("10:done") })
    let opened = try #require(venue.texts.first { $0.contains("\"SUBSCRIBE\"") })
    for symbol in symbols { #expect(opened.contains("\"\(symbol.lowercased())@trade\"") == own.contains(symbol)) }

    plans.publish(20, from: 2, to: 3, .take)
    #expect(eventually(plans.turn) { plans.hasConfirmed("20:take") })
    plans.publish(20, from: 2, to: 3, .drop)
    #expect(eventually(plans.turn) { plans.hasConfirmed("20:drop") })
    let lost = own.filter { Rendezvous.owner(of: Rendezvous.hash($0), among: 3) != 1 }
    try #require(!lost.isEmpty)
    #expect(eventually { venue.texts.contains { text in text.contains("UNSUBSCRIBE") } })
    let left = try #require(venue.texts.first { $0.contains("UNSUBSCRIBE") })
    for symbol in own { #expect(left.contains("\"\(symbol.lowercased())@trade\"") == lost.contains(symbol)) }

    plans.publish(30, from: 3, to: 2, .take)
    #expect(eventually(plans.turn) { plans.hasConfirmed("30:take") })
    let again = try #require(venue.texts.last { $0.contains("\"SUBSCRIBE\"") })
    for symbol in lost { #expect(again.contains("\"\(symbol.lowercased())@trade\"")) }
    #expect(venue.opened.count == 1)
    #expect(worker.stop() == 0)
  }
}
