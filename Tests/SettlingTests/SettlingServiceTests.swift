import Bus
import Daemon
import Foundation
import Market
import Store
import TestSupport
import Testing
import Web

/// The settler as a process, between a journal, a bus and two price sources that stand here.
@Suite(.serialized) struct SettlingServiceTests {
  /// Everything around the settler, in one poll loop.
  private final class Surroundings {
    let directory: ScratchDirectory
    let journal: Journal
    private let ingestor: Publisher
    private let executor: Publisher
    private let subscriber: Subscriber
    private let server: HTTPServer
    private let poller = Poller()
    private let process = Process()
    private(set) var settlements: [SettlementMessage] = []
    private(set) var positions: [PositionMessage] = []
    private(set) var profits: [ProfitMessage] = []
    private var market: PredictionMarket

    init(directory: ScratchDirectory, market: PredictionMarket) throws {
      self.directory = directory
      self.market = market
      try FileManager.default.createDirectory(
        atPath: directory.file("run/bus"), withIntermediateDirectories: true)
      try FileManager.default.createDirectory(atPath: directory.file("data"), withIntermediateDirectories: true)
      journal = try Journal(path: directory.file("data/journal.db"))
      ingestor = try Publisher(name: "ingestor-x", runDirectory: directory.file("run"))
      executor = try Publisher(name: "executor", runDirectory: directory.file("run"))
      subscriber = try Subscriber(
        name: "test", topics: [Topic.settlement, Topic.position, Topic.profit])
      try subscriber.connect(BusEndpoint.ipc(name: "settler", runDirectory: directory.file("run")))
      server = try HTTPServer(listen: .tcp(host: "127.0.0.1", port: 0)) { request in
        .response(Surroundings.answer(request))
      }
      poller.add(subscriber)
      poller.add(ingestor)
      poller.add(executor)
      poller.add(descriptor: server.descriptor)
      try start()
    }

    /// The candle that ends at `noon` closes at 61,010, all others at 61,000; Coinbase is 10 higher.
    private static func answer(_ request: HTTPServerRequest) -> HTTPServerResponse {
      if request.path == "/binance/api/v3/klines", let text = request.query("startTime"), let start = Int64(text) {
        let close = start + 60_000 == noon.milliseconds ? "61010" : "61000"
        return .json(
          #"[[\#(start),"61000","62000","60000","\#(close)","1.5",\#(start + 59_999),"1","1","1","1","0"]]"#)
      }
      if request.path == "/coinbase/products/BTC-USD/candles", let text = request.query("start"),
        let start = Int64(text)
      {
        let close = start + 60 == noon.seconds ? "61020" : "61010"
        return .json("[[\(start),60000,62000,61000,\(close),1.5]]")
      }
      return .text("not here", status: 404)
    }

    private func start() throws {
      let conf = """
        [bulkhead]
        run_dir = \(directory.file("run"))
        data_dir = \(directory.file("data"))
        [bus]
        publishers = ingestor-x,executor
        [binance]
        rest_url = http://127.0.0.1:\(server.port)/binance
        [coinbase]
        rest_url = http://127.0.0.1:\(server.port)/coinbase
        [executor]
        bankroll = 1000
        [settler]
        interval_s = 1
        """
      try conf.write(toFile: directory.file("supervisor.conf"), atomically: true, encoding: .utf8)
      let build = Bundle.main.bundleURL.deletingLastPathComponent()
      let candidates = [
        Bundle.main.bundleURL, build,
        URL(fileURLWithPath: CommandLine.arguments[0])
          .deletingLastPathComponent(), URL(fileURLWithPath: ".build/release"),
      ]
      let binary = candidates.map { $0.appendingPathComponent("settler") }.first {
        FileManager.default.isExecutableFile(atPath: $0.path)
      }
      let executable: URL = try #require(binary, "the settler is not built")
      process.executableURL = executable
      process.arguments = ["-c", directory.file("supervisor.conf"), "--name", "settler"]
      process.standardError = FileHandle(forWritingAtPath: "/dev/null")
      try process.run()
    }

    func kill() {
      Foundation.kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
    }

    func terminate() -> Int32 {
      process.terminate()
      process.waitUntilExit()
      return process.terminationStatus
    }

    func exitStatus() -> Int32 {
      process.waitUntilExit()
      return process.terminationStatus
    }

    deinit { if process.isRunning { kill() } }

    func announceMarket() {
      let message = MarketMessage(market: market, books: [0, 1])
      ingestor.publish(ingestor.topic("market/polymarket/ingestor-x")) {
        encodeList([message], $0, MarketMessage.encode)
      }
    }

    func announceFill(_ fill: Fill) { executor.publish(executor.topic("fill/polymarket")) { fill.encode($0) } }

    /// Serves everybody until `condition` holds.
    func wait(seconds: Int64 = 20, until condition: () -> Bool) throws {
      let deadline = SystemClock.monotonicNanoseconds + seconds * 1_000_000_000
      while !condition() {
        try #require(SystemClock.monotonicNanoseconds < deadline, "waited for \(seconds) s in vain")
        poller.wait(timeoutMilliseconds: 50)
        server.process()
        // Whoever joins is told the market.
        ingestor.processSubscriptions { request in
          let message = MarketMessage(market: market, books: [0, 1])
          ingestor.publishSnapshot(request, ingestor.topic("market/polymarket/ingestor-x")) {
            encodeList([message], $0, MarketMessage.encode)
          }
          ingestor.endSnapshot(request)
        }
        executor.processSubscriptions { executor.endSnapshot($0) }
        subscriber.receive { event in
          guard case .message(let stream, _, _, var reader) = event else { return }
          let topic = subscriber.topic(of: stream)
          if topic.hasPrefix(Topic.settlement), let message = try? SettlementMessage(&reader) {
            settlements.append(message)
          } else if topic.hasPrefix(Topic.profit), let message = try? ProfitMessage(&reader) {
            profits.append(message)
          } else if topic.hasPrefix(Topic.position), let count = try? reader.array() {
            for _ in 0..<count { if let message = try? PositionMessage(&reader) { positions.append(message) } }
          }
        }
      }
    }
  }

  @Test func `a fill is booked when it is told, its market settles by two sources, and a restart knows it all`() throws
  {
    let directory = ScratchDirectory()
    let terms = UpDownTerms(coin: "BTC", opensAt: noon.advanced(bySeconds: -900), closesAt: noon)
    let market = try sampleMarket(upDown: terms)
    do {
      let world = try Surroundings(directory: directory, market: market)
      try world.wait { world.profits.last?.cash == Money(dollars: 1000) }
      #expect(world.profits.last?.equity == Money(dollars: 1000))
      let purchase = try fill(1, .buy, yes, "100", at: "0.48", fee: "0.5")
      try world.journal.execute([purchase])
      world.announceMarket()
      world.announceFill(purchase)
      try world.wait { !world.settlements.isEmpty && world.profits.last?.pendingMarkets == 0 }
      let held = try #require(world.positions.first)
      #expect(held.quantity == (try quantity("100")))
      #expect(held.cost == Money(dollars: 48))
      #expect(world.positions.last?.quantity == .zero)
      let settlement = try #require(world.settlements.first)
      #expect(settlement.method == "consensus")
      #expect(settlement.payouts == [.one, .zero])
      #expect(settlement.startPrice == (try price("61005")))
      #expect(settlement.endPrice == (try price("61015")))
      #expect(settlement.received == Money(dollars: 100))
      // 1000 − 48.50 + 100.
      #expect(world.profits.last?.cash == (try money("1051.5")))
      #expect(world.profits.last?.realised == Money(dollars: 52))
      world.kill()
    }
    let world = try Surroundings(directory: directory, market: market)
    // The journal has gone on while the settler was down.
    let other = try fill(2, .buy, no, "10", at: "0.5")
    try world.journal.execute([other])
    // The second settlement may be told live, before what came before it is told to those who join.
    try world.wait {
      world.profits.last?.fillsBooked == 2 && Set(world.settlements.map(\.round)).isSuperset(of: [1, 2])
    }
    #expect(world.settlements.first { $0.round == 1 }?.received == Money(dollars: 100))
    #expect(world.settlements.last { $0.round == 2 }?.payouts == [.one, .zero])
    try world.wait { world.profits.last?.cash == (try? money("1046.5")) }
    #expect(world.terminate() == 0)
    let ledger = try LedgerStore(readingFrom: directory.file("data/ledger.db"))
    #expect(try ledger.verify().problems == [])
    #expect(try ledger.settlements(limit: 10).map(\.round) == [2, 1])
  }

  @Test func `a ledger that does not prove right is not booked on`() throws {
    let directory = ScratchDirectory()
    do {
      let world = try Surroundings(directory: directory, market: try sampleMarket())
      try world.wait { world.profits.last?.cash == Money(dollars: 1000) }
      #expect(world.terminate() == 0)
    }
    let intruder = try Database(path: directory.file("data/ledger.db"), access: .readWrite(.full))
    try intruder.execute("UPDATE accounts SET balance = balance + 1 WHERE name = 'assets/cash'")
    let world = try Surroundings(directory: directory, market: try sampleMarket())
    #expect(world.exitStatus() == ExitStatus.failed.rawValue)
  }
}
