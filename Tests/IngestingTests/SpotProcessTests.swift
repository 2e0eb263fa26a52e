import Bus
import Daemon
import Foundation
import Market
import TestSupport
import Testing
import Web

/// Each exchange's ingestor as a process of its own, against the simulator.
@Suite(.serialized) struct SpotProcessTests {
  private struct Exchange {
    let venue: Venue
    let symbol: String
    let worker: Worker
    let listener: PairListener

    var health: [String: Int64] { listener.health }
  }

  private static let symbols: [(Venue, String)] = [
    (.binance, "BTCUSDT"), (.coinbase, "BTC-USD"), (.kraken, "BTC/USD"), (.okx, "BTC-USDT"), (.bybit, "BTCUSDT"),
  ]
  /// What the targets of all streams hold, and those of REST do not.
  private static let streamPaths: [Venue: [String]] = [
    .binance: ["/binance/stream"], .coinbase: ["/coinbase/feed"], .kraken: ["/kraken/v2"],
    .okx: ["/okx/ws/"], .bybit: ["/bybit/v5/public/"],
  ]

  private let scratch = ScratchDirectory()

  private var configuration: String {
    let sections = Self.symbols.map { "[\($0.0.rawValue)]\nsymbols = \($0.1)\npoll_s = 1" }
    return """
      [bulkhead]
      run_dir = \(scratch.path)/run
      data_dir = \(scratch.path)/data
      [simulator]
      markets = 4
      events = 2
      \(sections.joined(separator: "\n"))
      """
  }

  private func ask(_ method: String, _ body: [String: Any] = [:]) throws {
    let address = try String(contentsOfFile: scratch.path + "/run/simulator.address", encoding: .utf8)
    let data = body.isEmpty ? Data() : try JSONSerialization.data(withJSONObject: body)
    let answer = try HTTPClient().sendBlocking(
      HTTPRequest(
        method: method, url: "http://\(address.trimmingCharacters(in: .whitespacesAndNewlines))/faults",
        body: Array(data)))
    #expect((200..<300).contains(answer.status), "\(String(decoding: answer.body, as: UTF8.self))")
  }

  @Test func `every exchange streams to the bus, is polled while its stream is gone, and streams again`() throws {
    let simulator = try Worker("simulator", [], configuration: configuration, directory: scratch.path)
    #expect(eventually { FileManager.default.fileExists(atPath: scratch.path + "/run/simulator.address") })
    let exchanges = try Self.symbols.map { venue, symbol in
      let name = "ingestor-\(venue.rawValue)"
      return Exchange(
        venue: venue, symbol: symbol,
        worker: try Worker(
          "ingestor", [venue.rawValue], configuration: configuration, directory: scratch.path,
          environment: ["BULKHEAD_NAME": name]),
        listener: try PairListener("test", scratch.path + "/run", venue: venue, publisher: name))
    }
    func all(_ isDone: (Exchange) -> Bool) -> [Venue] {
      _ = eventually({ for exchange in exchanges { exchange.listener.follow() } }) { exchanges.allSatisfy(isDone) }
      return exchanges.filter { !isDone($0) }.map(\.venue)
    }

    // The bus tells the right instrument, by the stream: nobody has polled.
    #expect(
      all { exchange in
        let instrument = InstrumentID(venue: exchange.venue, symbol: exchange.symbol)
        return exchange.listener.tickers[exchange.symbol]?.instrument == instrument
          && exchange.listener.trades.contains { $0.instrument == instrument }
          && (exchange.listener.candles[exchange.symbol]?.count ?? 0) >= 60
      } == [])
    #expect(all { $0.health["polls"] == 0 && $0.health["connections_open"] == $0.health["connections"] } == [])

    for (venue, paths) in Self.streamPaths {
      for path in paths { try ask("POST", ["venue": venue.rawValue, "kind": "status", "value": 503, "path": path]) }
    }
    try ask("POST", ["venue": "all", "kind": "disconnect"])
    #expect(all { $0.health["symbols_polled"] == 1 && ($0.health["polls"] ?? 0) >= 2 } == [])
    #expect(all { $0.health["connections_open"] == 0 } == [])
    for exchange in exchanges { exchange.listener.tickers = [:] }
    #expect(all { $0.listener.tickers[$0.symbol]?.instrument.venue == $0.venue } == [])

    try ask("DELETE")
    #expect(all { $0.health["symbols_polled"] == 0 && $0.health["connections_open"] == $0.health["connections"] } == [])
    for exchange in exchanges {
      exchange.listener.tickers = [:]
      exchange.listener.trades = []
    }
    #expect(all { $0.listener.tickers[$0.symbol] != nil && !$0.listener.trades.isEmpty } == [])
    for exchange in exchanges { #expect(exchange.worker.stop() == 0, "\(exchange.venue)") }
    #expect(simulator.stop() == 0)
  }
}
