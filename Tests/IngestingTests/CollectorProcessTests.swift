import Bus
import Daemon
import Foundation
import Market
import Store
import TestSupport
import Testing
import Web

/// What a subscriber has heard of the collector.
private final class CollectorListener {
  let subscriber: Subscriber
  var candles: [CandleMessage] = []
  var prices: [PricesMessage] = []
  var alerts: [AlertMessage] = []
  var health: [String: Int64] = [:]

  init(_ runDirectory: String) throws {
    subscriber = try Subscriber(name: "listener", topics: [Topic.candle, Topic.prices, Topic.alert, Topic.health])
    try subscriber.connect(BusEndpoint.ipc(name: "ingestor", runDirectory: runDirectory))
  }

  func follow() {
    subscriber.receive { event in
      guard case .message(let stream, _, _, var body) = event else { return }
      switch subscriber.topic(of: stream) {
      case "candle/primary/ingestor": if let message = try? CandleMessage(&body) { candles.append(message) }
      case "prices/ingestor": if let message = try? PricesMessage(&body) { prices.append(message) }
      case "alert/ingestor": if let message = try? AlertMessage(&body) { alerts.append(message) }
      default: if let message = try? HealthMessage(&body) { health = message.counters }
      }
    }
  }
}

@Suite(.serialized) struct CollectorProcessTests {
  private static let exchanges = ["binance", "coinbase", "kraken", "okx", "bybit"]
  private static let coins = ["BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "AVAX", "LINK"]

  private func configuration(
    _ scratch: ScratchDirectory, port: UInt16, ports: [String: UInt16] = [:], candles: String
  ) -> String {
    let sections = (Self.exchanges + ["coingecko"]).map {
      "[\($0)]\nrest_url = http://127.0.0.1:\(ports[$0] ?? port)/\($0)"
    }
    return """
      [bulkhead]
      run_dir = \(scratch.path)/run
      data_dir = \(scratch.path)/data
      \(sections.joined(separator: "\n"))
      [candles]
      \(candles)
      """
  }

  private func stored(_ scratch: ScratchDirectory, _ query: CandleQuery) -> [StoredCandle] {
    guard let store = try? HistoryStore(readingFrom: scratch.path + "/data/history.db") else { return [] }
    return (try? store.candles(query)) ?? []
  }

  @Test func `one exchange is dead, one slow, one talks nonsense: the others' candles are stored, and one speaks`()
    throws
  {
    let script = ScriptedExchanges()
    let venue = try InTestVenue(answer: script.answer) { _ in [] }
    defer { venue.stop() }
    let silent = try SilentListener()
    script.set("binance", .dead)
    script.set("okx", .nonsense)
    let scratch = ScratchDirectory()
    let text = configuration(
      scratch, port: venue.port, ports: ["kraken": silent.port],
      candles: """
        timeframes = 1m, 5m
        gather_limit_s = 4
        breaker_failures_max = 1000
        fetch_retry_delay_s = 0.01
        fetch_timeout_s = 1
        """)
    let worker = try Worker("ingestor", ["candles"], configuration: text, directory: scratch.path)
    let listener = try CollectorListener(scratch.path + "/run")
    for coin in Self.coins {
      #expect(eventually(listener.follow) { worker.log.contains("2 exchanges returned data for \(coin)") }, "\(coin)")
    }
    #expect(
      eventually(listener.follow) {
        // Sixty of each length, of each coin, of two exchanges.
        stored(scratch, CandleQuery()).count >= 60 * 2 * 2 * Self.coins.count
          && Self.coins.allSatisfy { coin in listener.candles.contains { $0.instrument.symbol == "\(coin)-USD" } }
      })
    #expect(Set(stored(scratch, CandleQuery()).map(\.exchange)) == [.coinbase, .bybit])
    for coin in Self.coins {
      for exchange in [Venue.coinbase, .bybit] {
        for period in [60, 300] as [Int64] {
          let rows = stored(scratch, CandleQuery(exchange: exchange, symbol: coin, timeframeSeconds: period))
          // Each is whole: sixty candles without a hole.
          #expect(rows.count >= 60 && rows.allSatisfy { $0.candle.isClosed && !$0.isStale }, "\(coin) \(exchange)")
          #expect(
            zip(rows, rows.dropFirst()).allSatisfy {
              $1.candle.start.nanoseconds(since: $0.candle.start) == period * 1_000_000_000
            })
        }
      }
    }
    // The first of the order that has data is the primary; the bus hears of no other.
    #expect(listener.candles.allSatisfy { $0.instrument.venue == .coinbase && $0.source == "coinbase" && !$0.isStale })
    #expect(worker.log.contains("candles refused") && worker.log.contains("exchange=okx"))
    #expect(worker.log.contains("DATA_RETRY BTC attempt 1/3"))
    #expect(worker.stop() == 0)
  }

  @Test func `prices go from the primary to a fallback, to the last good one, to hold, and back`() throws {
    let script = ScriptedExchanges()
    let venue = try InTestVenue(answer: script.answer) { _ in [] }
    defer { venue.stop() }
    let scratch = ScratchDirectory()
    let text = configuration(
      scratch, port: venue.port,
      candles: """
        exchanges = binance, coinbase
        symbols = BTC, ETH
        timeframes = 1h
        price_interval_s = 1
        delay_s = 0
        fetch_retry_delay_s = 0.01
        fetch_retries_max = 2
        stale_age_max_s = 8
        cache_old_s = 0
        cache_recent_s = 0
        cache_young_s = 0
        breaker_failures_max = 1000
        """)
    let worker = try Worker("ingestor", ["candles"], configuration: text, directory: scratch.path)
    let listener = try CollectorListener(scratch.path + "/run")
    func last(_ isDone: (PricesMessage) -> Bool) -> Bool {
      eventually(listener.follow) { listener.prices.last.map(isDone) ?? false }
    }
    #expect(last { $0.marks.map(\.source) == ["binance", "binance"] })
    #expect(worker.log.contains("SNAPSHOT_1_COMPLETE: 2 fresh, 0 stale, 0 failed out of 2 symbols"))

    script.set("binance", .truncated)
    #expect(last { $0.marks.count == 2 && $0.marks.allSatisfy { $0.source != "binance" && !$0.isStale } })
    #expect(eventually { worker.log.contains("FALLBACK_USED BTC") })

    script.setAll(.dead)
    #expect(last { $0.marks.contains { $0.isStale && $0.staleReason.contains("503") } })
    #expect(eventually { worker.log.contains("STALE_PRICING_USED BTC") })
    #expect(last { $0.holds.map(\.coin) == ["BTC", "ETH"] && $0.marks.isEmpty })
    #expect(eventually { worker.log.contains("_PARTIAL: 0 fresh, 0 stale, 2 failed out of 2 symbols") })
    #expect(
      worker.log.contains("DATA_RETRY BTC attempt 1/3, retry in") && worker.log.contains("DATA_RETRY BTC attempt 2/3"))
    #expect(!worker.log.contains("attempt 3/3"))
    #expect(eventually(listener.follow) { listener.alerts.contains { $0.subject == "prices/BTC" } })

    script.setAll(nil)
    #expect(last { $0.marks.map(\.source) == ["binance", "binance"] && $0.holds.isEmpty })
    #expect(eventually { worker.log.contains("DATA_RECOVERY BTC") })
    // One cycle, one moment: numbers rise, and each is told once.
    let numbers = listener.prices.map(\.number)
    #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
    #expect(worker.stop() == 0)
  }

  @Test func `candles that nobody has are stood in for, and an open breaker outlives its process`() throws {
    let script = ScriptedExchanges()
    let venue = try InTestVenue(answer: script.answer) { _ in [] }
    defer { venue.stop() }
    script.set("kraken", .dead)
    let scratch = ScratchDirectory()
    let text = configuration(
      scratch, port: venue.port,
      candles: """
        exchanges = kraken, bybit
        symbols = BTC
        timeframes = 1m
        price_interval_s = 3600
        delay_s = 0
        retry_s = 1
        breaker_failures_max = 3
        breaker_pause_s = 600
        breaker_pause_max_s = 600
        """)
    let first = try Worker("ingestor", ["candles"], configuration: text, directory: scratch.path)
    let listener = try CollectorListener(scratch.path + "/run")
    #expect(eventually(listener.follow) { listener.health["kraken_breaker_open"] == 1 })
    #expect(eventually(listener.follow) { listener.alerts.contains { $0.subject == "breaker/kraken" } })
    #expect(eventually { !stored(scratch, CandleQuery(exchange: .bybit)).isEmpty })
    #expect(first.stop() == 0)
    // It is not asked again by the next process, although it is back.
    script.set("kraken", nil)
    let before = script.count("kraken")
    let second = try Worker("ingestor", ["candles"], configuration: text, directory: scratch.path)
    #expect(eventually { second.log.contains("breaker was open") })
    #expect(eventually { second.log.components(separatedBy: "1 exchanges returned data for BTC").count > 2 })
    #expect(script.count("kraken") == before)
    #expect(stored(scratch, CandleQuery(exchange: .kraken)).isEmpty)
    #expect(second.stop() == 0)
  }
}
