import Bus
import Foundation
import Market
import Store
import TestSupport
import Testing

/// The built executor, with the bus of an ingestor and a scanner that the test plays.
@Suite(.serialized) struct ExecutorProcessTests {
  /// The executables stand beside the test bundle; nil (and a printed reason) where they were not built.
  private static let executable: String? = {
    let path = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "executor")
      .path
    guard FileManager.default.isExecutableFile(atPath: path) else {
      print("skipped: \(path) is not built")
      return nil
    }
    return path
  }()

  /// An executor that is killed with the test.
  private final class Executor {
    let process = Process()

    init(_ executable: String, configuration: String) throws {
      process.executableURL = URL(fileURLWithPath: executable)
      process.environment = ["BULKHEAD_CONF": configuration, "BULKHEAD_NAME": "executor"]
      process.standardError = FileHandle.nullDevice
      try process.run()
    }

    func kill() {
      if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) }
      process.waitUntilExit()
    }

    deinit { kill() }
  }

  /// What the test publishes: one market with two books.
  private final class Venue {
    let ingestor: Publisher
    let scanner: Publisher
    private let market: TopicHandle
    private let book: TopicHandle
    private let find: TopicHandle
    private let status: TopicHandle
    /// Whether it says that it takes orders.
    var isOpen = true
    private var cache = BookCache()

    init(_ run: String) throws {
      ingestor = try Publisher(name: "ingestor-test", runDirectory: run)
      scanner = try Publisher(name: "scanner-test", runDirectory: run)
      market = ingestor.topic("market/polymarket/ingestor-test")
      book = ingestor.topic("book/polymarket/ingestor-test")
      find = scanner.topic("opportunity/binary")
      status = ingestor.topic("venue/polymarket/ingestor-test")
    }

    /// Announces the market and its books; again and again, for whoever has joined since.
    func announce() {
      ingestor.processSubscriptions { _ in }
      scanner.processSubscriptions { _ in }
      var message = MarketMessage(
        market: PredictionMarket(
          venue: .polymarket, id: "m", eventID: "e", question: "?",
          outcomes: [Outcome(token: "m-yes", name: "Yes"), Outcome(token: "m-no", name: "No")], tick: price("0.01")),
        books: [0, 1])
      message.market.endsAt = Timestamp(nanoseconds: 4_000_000_000_000_000_000)
      ingestor.publish(market) { encodeList([message], $0) { message in { message.encode($0) } } }
      let now = Timestamp(nanoseconds: Int64(Date().timeIntervalSince1970 * 1e9))
      let batch = BookBatch()
      for (place, ask) in ["0.40", "0.55"].enumerated() {
        let index = cache.add(tick: price("0.01"))
        let asks = [Level(price: price(ask), quantity: quantity("100"))]
        asks.withUnsafeBufferPointer {
          _ = cache.replace(
            index, bids: UnsafeBufferPointer(start: nil, count: 0), asks: $0, venueTime: now, receivedAt: now)
        }
        batch.snapshot(book: UInt32(place), index: index, of: cache)
      }
      batch.publish(on: ingestor, book)
      guard isOpen else { return }
      ingestor.publish(status) { writer in
        VenueStatusMessage(
          venue: .polymarket, publisher: "ingestor-test", state: .open, reason: "", since: now, time: now
        ).encode(writer)
      }
    }

    func publish(_ opportunity: Opportunity) { scanner.publish(find) { opportunity.encode($0) } }
  }

  private func buy(_ id: UInt64) -> Opportunity {
    let now = Timestamp(nanoseconds: Int64(Date().timeIntervalSince1970 * 1e9))
    return opportunity(
      [
        leg(.buy, "m-yes", limit: "0.40", "100", notional: "40"),
        leg(.buy, "m-no", limit: "0.55", "100", notional: "55"),
      ], id: id, payout: "100", cost: "95", at: now)
  }

  private func configuration(_ directory: ScratchDirectory, _ more: String = "") throws -> String {
    let path = directory.path + "/supervisor.conf"
    let text = """
      [bulkhead]
      run_dir = \(directory.path)/r
      data_dir = \(directory.path)/d
      \(more)
      [bus]
      publishers = ingestor-test,scanner-test
      [executor]
      latency_ms = 1
      """
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  @Test func `an opportunity becomes durable fills on the bus, once, also over a crash`() throws {
    guard let executable = Self.executable else { return }
    let directory = ScratchDirectory()
    let configuration = try configuration(directory)
    let venue = try Venue(directory.path + "/r")
    // What is published before we have joined comes as a snapshot, perhaps a second time.
    let listener = try Subscriber(name: "test", topics: [Topic.fill])
    try listener.connect(BusEndpoint.ipc(name: "executor", runDirectory: directory.path + "/r"))
    var fills: [Fill] = []
    func play(_ id: UInt64, until enough: () -> Bool) {
      let deadline = Date().addingTimeInterval(20)
      let poller = Poller()
      poller.add(listener)
      while !enough(), Date() < deadline {
        venue.announce()
        venue.publish(buy(id))
        poller.wait(timeoutMilliseconds: 20)
        listener.receive { event in
          guard case .message(_, _, _, var reader) = event, let fill = try? Fill(&reader) else { return }
          if !fills.contains(where: { $0.sequence == fill.sequence }) { fills.append(fill) }
        }
      }
    }
    var executor = try Executor(executable, configuration: configuration)
    play(7) { fills.count >= 2 }
    #expect(fills.map(\.sequence) == [1, 2] && fills.map(\.price) == [price("0.40"), price("0.55")])
    #expect(fills.map(\.quantity) == [quantity("100"), quantity("100")])
    let journal = try Journal(readingFrom: directory.path + "/d/journal.db")
    #expect(try journal.fills(limit: 10).map(\.orderID) == ["bh-0000000000000007-l1", "bh-0000000000000007-l0"])
    executor.kill()
    // The same opportunity is still published; another one shows that the new process works.
    executor = try Executor(executable, configuration: configuration)
    let before = fills.count
    var rounds = 0
    play(7) {
      rounds += 1
      return rounds > 25
    }
    play(8) { fills.count >= before + 2 }
    #expect(fills.dropFirst(before).map(\.orderID) == ["bh-0000000000000008-l0", "bh-0000000000000008-l1"])
    #expect(try journal.orders(limit: 10).count == 4 && journal.openOrders().isEmpty)
    Foundation.kill(executor.process.processIdentifier, SIGTERM)
    executor.process.waitUntilExit()
    #expect(executor.process.terminationStatus == 0)
  }

  @Test func `nothing is sent to a venue that has not said that it is open, and then it is`() throws {
    guard let executable = Self.executable else { return }
    let directory = ScratchDirectory()
    let venue = try Venue(directory.path + "/r")
    venue.isOpen = false
    let listener = try Subscriber(name: "test", topics: [Topic.fill, Topic.health])
    try listener.connect(BusEndpoint.ipc(name: "executor", runDirectory: directory.path + "/r"))
    var fills: [Int64] = []
    var counters: [String: Int64] = [:]
    func play(until enough: () -> Bool) -> Bool {
      let deadline = Date().addingTimeInterval(20)
      let poller = Poller()
      poller.add(listener)
      while !enough(), Date() < deadline {
        venue.announce()
        venue.publish(buy(7))
        poller.wait(timeoutMilliseconds: 20)
        listener.receive { event in
          guard case .message(let stream, _, _, var reader) = event else { return }
          if listener.topic(of: stream).hasPrefix(Topic.fill) {
            if let fill = try? Fill(&reader) { fills.append(fill.sequence) }
          } else if let health = try? HealthMessage(&reader) {
            counters = health.counters
          }
        }
      }
      return enough()
    }
    let executor = try Executor(executable, configuration: try configuration(directory))
    #expect(play { (counters["rejected_venue_unreachable"] ?? 0) > 10 && (counters["books_live"] ?? 0) == 2 })
    #expect(fills.isEmpty && counters["approved"] == nil)
    venue.isOpen = true
    #expect(play { Set(fills) == [1, 2] })
    executor.kill()
  }

  @Test func `live mode ends with the status of a wrong configuration`() throws {
    guard let executable = Self.executable else { return }
    let directory = ScratchDirectory()
    let executor = try Executor(executable, configuration: try configuration(directory, "mode = live"))
    executor.process.waitUntilExit()
    #expect(executor.process.terminationStatus == 100)
  }
}
