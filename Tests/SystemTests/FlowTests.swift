import Bus
import Daemon
import Foundation
import Market
import Store
import TestSupport
import Testing

/// What a collector says on the bus.
///
/// `@unchecked Sendable`: what it keeps is behind the thread's lock.
private final class FlowListener: @unchecked Sendable {
  private let thread = BusThread()
  private var candles: [CandleMessage] = []
  private var prices: [String: PricesMessage] = [:]
  private var counters: [String: [String: Int64]] = [:]

  init(_ deployment: Deployment, _ names: [String]) throws {
    let subject = BusThread.Subject(topics: [Topic.candle, Topic.prices, Topic.health])
    try thread.hear(subject, of: deployment, publishers: names) { [weak self] in self?.take($0, $1) }
  }

  deinit { thread.stop() }

  private func take(_ event: BusEvent, _ subscriber: Subscriber) {
    guard case .message(let stream, _, _, var body) = event else { return }
    let topic = subscriber.topic(of: stream)
    if topic.hasPrefix(Topic.candle), let message = try? CandleMessage(&body) {
      candles.append(message)
    } else if topic.hasPrefix(Topic.prices), let message = try? PricesMessage(&body) {
      prices[String(topic.dropFirst(Topic.prices.count))] = message
    } else if topic.hasPrefix(Topic.health), let message = try? HealthMessage(&body) {
      counters[message.name] = message.counters
    }
  }

  var primaries: [CandleMessage] { thread.withLock { candles } }
  func price(_ name: String) -> PricesMessage? { thread.withLock { prices[name] } }
  func count(_ name: String, _ counter: String) -> Int64 { thread.withLock { counters[name]?[counter] ?? 0 } }
}

extension SystemTests {
  @Test(.timeLimit(.minutes(20)))
  func `prices go from cache to primary, to a fallback, to the last good one, to hold, and back`() async throws {
    let deployment = try Deployment(settings: [
      "simulator.markets": "4", "simulator.events": "2", "simulator.updates_per_second": "1",
      "candles.exchanges": "binance,kraken,okx", "candles.symbols": "BTC,ETH", "candles.timeframes": "1d",
      "candles.price_interval_s": "1", "candles.delay_s": "0", "candles.fetch_retries_max": "2",
      "candles.fetch_retry_delay_s": "0.05", "candles.fetch_timeout_s": "1", "candles.stale_age_max_s": "12",
      "candles.breaker_failures_max": "1000", "bulkhead.request_share_percent": "100",
    ])
    let fresh = deployment.folder.appending(path: "var/fresh").path
    // The other collector keeps nothing in its cache, so that each round shows what the venues are like.
    try deployment.keep(
      programs: ["simulator", "ingestor-candles"],
      adding: """

        [program:ingestor-fresh]
        command = %(ENV_BULKHEAD_BIN)s/ingestor candles
        environment = BULKHEAD_CANDLES_CACHE_OLD_S="0",BULKHEAD_CANDLES_CACHE_RECENT_S="0",\
        BULKHEAD_CANDLES_CACHE_YOUNG_S="0",BULKHEAD_CANDLES_PRICE_INTERVAL_S="2",\
        BULKHEAD_BULKHEAD_DATA_DIR="\(fresh)"
        redirect_stderr = true
        stdout_logfile = %(here)s/var/run/logs/ingestor-fresh.log

        [bulkhead:program:ingestor-fresh]
        depends_on = simulator

        """)
    let name = "ingestor-fresh"
    let listener = try FlowListener(deployment, [name, "ingestor-candles"])
    let board = FaultClient(deployment)
    try deployment.start()
    func sources() -> [String] { listener.price(name)?.marks.filter { !$0.isStale }.map(\.source) ?? [] }
    func log(_ text: String) async throws { try await until(text) { deployment.log(name).contains(text) } }
    try await until("prices of the primary") { sources() == ["binance", "binance"] }

    // Cache: of what the rounds want, next to nothing is asked for.
    try await until("rounds") { listener.count("ingestor-candles", "history_candles_wanted") >= 60 * 2 * 4 }
    let wanted = listener.count("ingestor-candles", "history_candles_wanted")
    let fetched = listener.count("ingestor-candles", "history_candles_fetched")
    try await until("more rounds") {
      listener.count("ingestor-candles", "history_candles_wanted") >= wanted + 60 * 2 * 4
    }
    let more = listener.count("ingestor-candles", "history_candles_fetched") - fetched
    #expect(more <= 60 * 2 * 4 / 10, "\(more) candles fetched for \(60 * 2 * 4) wanted")

    // Primary with retries, then the race.
    try await board.set("binance", "\"kind\":\"status\",\"value\":503")
    try await until("a fallback") { sources().count == 2 && !sources().contains("binance") }
    try await log("DATA_RETRY BTC attempt 1/3")
    try await log("DATA_RETRY BTC attempt 2/3")
    try await log("FALLBACK_USED BTC")
    // One of the others is out, too: the race has another winner.
    try await board.set("kraken", "\"kind\":\"timeout\"")
    try await until("another fallback") {
      sources().count == 2 && !sources().contains { ["binance", "kraken"].contains($0) }
    }

    // Nobody is left: the last good one, marked, then none.
    try await board.set("okx", "\"kind\":\"truncate\"")
    try await board.set("coingecko", "\"kind\":\"status\",\"value\":500")
    try await until("stale prices") { listener.price(name)?.marks.contains { $0.isStale } == true }
    try await log("STALE_PRICING_USED BTC")
    try await until("hold", seconds: 180) {
      listener.price(name).map { $0.marks.isEmpty && $0.holds.map(\.coin) == ["BTC", "ETH"] } ?? false
    }
    try await log("PRICING_HOLD BTC")
    #expect(!deployment.log(name).contains("attempt 3/3"))

    try await board.clear()
    try await until("prices of the primary again", seconds: 180) { sources() == ["binance", "binance"] }
    try await log("DATA_RECOVERY BTC")
    for kind in ["binance_failures_status", "kraken_failures_timeout", "okx_failures_malformed"] {
      #expect(listener.count(name, kind) > 0, "\(kind)")
    }
    #expect(try deployment.stop() == 0)
  }

  @Test(.timeLimit(.minutes(20)))
  func `one exchange dead, one slow, one talking nonsense: the others' candles are stored, and the first speaks`()
    async throws
  {
    let coins = ["BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "AVAX", "LINK"]
    let deployment = try Deployment(settings: [
      "simulator.markets": "4", "simulator.events": "2", "simulator.updates_per_second": "1",
      "candles.symbols": coins.joined(separator: ","), "candles.timeframes": "1m", "candles.gather_limit_s": "4",
      "candles.fetch_timeout_s": "1", "candles.fetch_retry_delay_s": "0.05", "candles.breaker_failures_max": "1000",
      "candles.price_interval_s": "3600", "bulkhead.request_share_percent": "100",
    ])
    try deployment.keep(programs: ["simulator", "ingestor-candles"])
    let file = deployment.folder.appending(path: "supervisor.conf")
    let text = try String(contentsOf: file, encoding: .utf8)
    let held = text.replacingOccurrences(
      of: "[program:ingestor-candles]", with: "[program:ingestor-candles]\nautostart = false")
    try held.write(to: file, atomically: true, encoding: .utf8)
    let listener = try FlowListener(deployment, ["ingestor-candles"])
    let board = FaultClient(deployment)
    try deployment.start()
    try await until("the simulator") {
      FileManager.default.fileExists(atPath: deployment.runDirectory + "/simulator.address")
    }
    try await board.set("binance", "\"kind\":\"refuse\"")
    try await board.set("kraken", "\"kind\":\"latency\",\"value\":60000")
    try await board.set("okx", "\"kind\":\"wrong_types\"")
    #expect(try deployment.tool(["start", "ingestor-candles"]).status == 0)
    for coin in coins {
      try await until("two exchanges for \(coin)") {
        deployment.log("ingestor-candles").contains("2 exchanges returned data for \(coin)")
      }
    }
    func stored(_ query: CandleQuery) -> [StoredCandle] {
      let store = try? HistoryStore(readingFrom: deployment.dataDirectory + "/history.db")
      return (try? store?.candles(query)) ?? []
    }
    try await until("all candles in the store") { stored(CandleQuery()).count >= 60 * 2 * coins.count }
    #expect(Set(stored(CandleQuery()).map(\.exchange)) == [.coinbase, .bybit])
    for coin in coins {
      for exchange in [Venue.coinbase, .bybit] {
        let rows = stored(CandleQuery(exchange: exchange, symbol: coin))
        #expect(rows.count >= 60 && rows.allSatisfy { $0.candle.isClosed && !$0.isStale }, "\(coin) \(exchange)")
      }
    }
    // The first in order that has data speaks for each coin, on the bus as well.
    try await until("primaries") { Set(listener.primaries.map(\.instrument.symbol)).count == coins.count }
    #expect(listener.primaries.allSatisfy { $0.instrument.venue == .coinbase && $0.source == "coinbase" })
    let log = deployment.log("ingestor-candles")
    for words in ["binance: ", "kraken: ", "okx candles: "] { #expect(log.contains(words), "\(words)") }
    #expect(listener.count("ingestor-candles", "binance_failures_connect") > 0)
    #expect(listener.count("ingestor-candles", "kraken_failures_timeout") > 0)
    #expect(listener.count("ingestor-candles", "okx_failures_malformed") > 0)

    // Each speaks again as soon as nothing ails it.
    try await board.clear()
    try await until("five exchanges", seconds: 180) {
      deployment.log("ingestor-candles").contains("5 exchanges returned data for BTC")
    }
    try await until("the primary", seconds: 180) { listener.primaries.contains { $0.source == "binance" } }
    #expect(try deployment.stop() == 0)
  }
}
