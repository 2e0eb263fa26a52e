import Foundation
import Market
import TestSupport
import Testing
import Venues
import Web

/// A simulator of our own, as a process.
private final class RunningSimulator {
  private let directory = ScratchDirectory()
  private let process = Process()

  init() async throws {
    let conf = """
      [bulkhead]
      run_dir = \(directory.path)/run
      data_dir = \(directory.path)/data
      [simulator]
      markets = 4
      events = 2
      updates_per_second = 10
      """
    try conf.write(toFile: directory.path + "/supervisor.conf", atomically: true, encoding: .utf8)
    let build = Bundle.main.bundleURL.deletingLastPathComponent()
    let folders = [
      Bundle.main.bundleURL, build, URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent(),
      Places.executables,
    ]
    let binary = folders.map { $0.appendingPathComponent("simulator") }.first {
      FileManager.default.isExecutableFile(atPath: $0.path)
    }
    let executable: URL = try #require(binary, "the simulator is not built")
    process.executableURL = executable
    process.arguments = ["-c", directory.path + "/supervisor.conf", "--name", "simulator"]
    process.standardError = FileHandle(forWritingAtPath: "/dev/null")
    try process.run()
    let deadline = ContinuousClock.now.advanced(by: .seconds(20))
    while !FileManager.default.fileExists(atPath: runDirectory + "/simulator.address") {
      guard ContinuousClock.now < deadline, process.isRunning else { throw Overdue("the simulator") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  var runDirectory: String { directory.path + "/run" }

  func endpoint(_ setting: String) -> Endpoint { Endpoint(setting, runDirectory: runDirectory) }

  deinit {
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }
}

private typealias Exchange = CandleSource & TickerSource & TradeSource

@Suite struct SimulatedVenuesTests {
  private func clients(_ simulator: RunningSimulator) -> [any Exchange] {
    let transport = VenueTransport(HTTPClient())
    return [
      BinanceREST(endpoint: simulator.endpoint("simulator:/binance"), transport: transport),
      CoinbaseREST(endpoint: simulator.endpoint("simulator:/coinbase"), transport: transport),
      KrakenREST(endpoint: simulator.endpoint("simulator:/kraken"), transport: transport),
      OKXREST(endpoint: simulator.endpoint("simulator:/okx"), transport: transport),
      BybitREST(endpoint: simulator.endpoint("simulator:/bybit"), transport: transport),
    ]
  }

  @Test func `every exchange of the simulator is understood over REST`() async throws {
    let simulator = try await RunningSimulator()
    let pair = try #require(CoinPair("BTC/USD"))
    for venue in clients(simulator) {
      let symbol = try #require(pair.symbol(at: venue.venue))
      for period in venue.candlePeriods {
        let now = Timestamp(nanoseconds: Int64(Date().timeIntervalSince1970) * 1_000_000_000)
        let from = now.advanced(bySeconds: -5 * period.longestSeconds)
        let candles = try await venue.candles(symbol: symbol, period: period, from: from, to: now, now: now)
        #expect((4...6).contains(candles.count), "\(venue.venue) \(period): \(candles.count)")
        #expect(candles.allSatisfy { $0.start >= from && $0.start < now }, "\(venue.venue) \(period)")
        #expect(candles.dropLast().filter { !$0.isClosed }.isEmpty, "\(venue.venue) \(period)")
      }
      let now = Timestamp(nanoseconds: Int64(Date().timeIntervalSince1970) * 1_000_000_000)
      let long = try await venue.candles(
        symbol: symbol, period: .minute, from: now.advanced(bySeconds: -60 * 1800), to: now, now: now)
      // Kraken tells no more; Coinbase leaves out minutes without trades.
      let least = venue.venue == .kraken ? 719 : venue.venue == .coinbase ? 1700 : 1799
      #expect(long.count >= least, "\(venue.venue): \(long.count)")
      let ticker = try await venue.ticker(symbol: symbol, now: now)
      #expect(ticker.bid.price <= ticker.ask.price && ticker.instrument == instrument(venue.venue, symbol))
      let trades = try await venue.recentTrades(symbol: symbol, filter: TradeAgeFilter(ageMaxSeconds: 300), now: now)
      #expect(!trades.trades.isEmpty, "\(venue.venue)")
      #expect(zip(trades.trades, trades.trades.dropFirst()).allSatisfy { $0.time <= $1.time }, "\(venue.venue)")
      let unknown = await failure { () async throws(VenueError) in try await venue.ticker(symbol: "NOPE/NO", now: now) }
      #expect(unknown?.isRetriable == false, "\(String(describing: unknown))")
    }
    let coins = CoinGeckoREST(
      endpoint: simulator.endpoint("simulator:/coingecko"), transport: VenueTransport(HTTPClient()))
    let point = try await coins.price(symbol: "bitcoin")
    let points = try await coins.prices(
      symbol: "bitcoin", from: point.time.advanced(bySeconds: -3600), to: point.time)
    #expect(points.count >= 11)
    let unknown = await failure { () async throws(VenueError) in try await coins.price(symbol: "nope") }
    #expect(unknown?.cause == .absent)
  }

  @Test func `every stream of the simulator is understood`() async throws {
    let simulator = try await RunningSimulator()
    let pairs = ["BTC/USD", "ETH/USD"].compactMap { CoinPair($0) }
    let bases = [
      Venue.binance: "simulator-ws:/binance/stream", .coinbase: "simulator-ws:/coinbase/feed",
      .kraken: "simulator-ws:/kraken", .okx: "simulator-ws:/okx", .bybit: "simulator-ws:/bybit",
    ]
    for (venue, base) in bases {
      for var format in Venues.streams(of: venue) {
        let symbols = pairs.compactMap { $0.symbol(at: venue) }
        var kinds: Set<String> = []
        let wanted =
          format.path.hasSuffix("business")
          ? ["candle"] : ["trade", "ticker"] + ([.okx, .coinbase].contains(venue) ? [] : ["candle"])
        let expected = Set(wanted.flatMap { kind in symbols.map { "\(kind) \($0)" } })
        let url = try simulator.endpoint(base).resolve(venue) + format.path
        let peer = try await WebSocketClient.connect(url: url)
        defer { peer.close() }
        for request in format.subscriptions(symbols, firstID: 1) { try peer.send(text: request) }
        if let ping = format.ping { try peer.send(text: ping.text) }
        var accepted = 0
        var isAlive = format.ping == nil
        let deadline = ContinuousClock.now.advanced(by: .seconds(300))
        while accepted < format.answers(toSubscribing: symbols.count) || !isAlive || !expected.isSubset(of: kinds) {
          guard ContinuousClock.now < deadline else {
            throw Overdue("\(venue) \(format.path): \(accepted) answers, \(kinds.sorted())")
          }
          for event in try receive(peer, &format) {
            switch event {
            case .accepted: accepted += 1
            case .alive: isAlive = true
            case .trade(let trade): kinds.insert("trade \(trade.instrument.symbol)")
            case .ticker(let ticker): kinds.insert("ticker \(ticker.instrument.symbol)")
            case .candle(let symbol, let candle):
              #expect(candle.periodSeconds == 60)
              kinds.insert("candle \(symbol)")
            case .refused(let error): Issue.record("\(error)")
            case .closing, .ignored: break
            }
          }
          try await Task.sleep(for: .milliseconds(10))
        }
        #expect(kinds == expected, "\(venue)")
      }
    }
  }

  private func receive(_ peer: WebSocketPeer, _ format: inout any SpotStreamFormat) throws -> [SpotStreamEvent] {
    var texts: [[UInt8]] = []
    try peer.receive { message in
      if message.kind == .text { texts.append(Array(message.bytes)) }
    }
    try peer.flush()
    var events: [SpotStreamEvent] = []
    for text in texts {
      let heard = hear(&format, text)
      if let error = heard.error { Issue.record("\(error): \(String(decoding: text.prefix(300), as: UTF8.self))") }
      events += heard.events
    }
    return events
  }
}
