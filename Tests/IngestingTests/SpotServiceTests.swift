import Bus
import Daemon
import Foundation
import Market
import TestSupport
import Testing
import Web

/// What a subscriber has heard of pairs.
final class PairListener {
  let subscriber: Subscriber
  private let source: String
  var tickers: [String: Ticker] = [:]
  var trades: [Trade] = []
  var candles: [String: [Timestamp: Candle]] = [:]
  var health: [String: Int64] = [:]

  init(_ name: String, _ runDirectory: String, venue: Venue = .binance, publisher: String = "ingestor") throws {
    source = "\(venue.rawValue)/\(publisher)"
    subscriber = try Subscriber(name: name, topics: [Topic.ticker, Topic.trade, Topic.candle, Topic.health])
    try subscriber.connect(BusEndpoint.ipc(name: publisher, runDirectory: runDirectory))
  }

  func follow() {
    subscriber.receive { event in
      guard case .message(let stream, _, _, var body) = event else { return }
      switch subscriber.topic(of: stream) {
      case Topic.ticker + source:
        if let ticker = try? Ticker(&body) { tickers[ticker.instrument.symbol] = ticker }
      case Topic.trade + source: trades += (try? TradeMessage.readList(&body)) ?? []
      case Topic.candle + source:
        if let message = try? CandleMessage(&body) {
          candles[message.instrument.symbol, default: [:]][message.candle.start] = message.candle
        }
      default: if let message = try? HealthMessage(&body) { health = message.counters }
      }
    }
  }
}

@Suite(.serialized) struct SpotServiceTests {
  /// Binance's ingestor, and somebody who hears it.
  private func start(
    _ venue: InTestVenue, in scratch: ScratchDirectory, _ settings: String
  ) throws -> (worker: Worker, listener: PairListener) {
    let configuration = """
      [bulkhead]
      run_dir = \(scratch.path)/run
      data_dir = \(scratch.path)/data
      check_shapes = false
      venue_status_s = 3600
      [binance]
      rest_url = http://127.0.0.1:\(venue.port)
      websocket_url = ws://127.0.0.1:\(venue.port)/stream
      \(settings)
      """
    let worker = try Worker("ingestor", ["binance"], configuration: configuration, directory: scratch.path)
    return (worker, try PairListener("first", scratch.path + "/run"))
  }

  private func row(_ minute: Int64, volume: String) -> String {
    #"[\#(minute * 60_000),"2","3","1","2","\#(volume)",\#(minute * 60_000 + 59_999),"0",1,"0","0","0"]"#
  }

  @Test func `tickers, trades and candles come, survive a break, and serve whoever joins late`() throws {
    let minute = SystemClock.now.seconds / 60
    let history = "[\(row(minute - 2, volume: "5")),\(row(minute - 1, volume: "6"))]"
    let venue = try InTestVenue { request in
      request.path == "/api/v3/klines" ? .json(history) : .text("{}", status: 404)
    } reply: { text in
      text.contains("SUBSCRIBE") ? [#"{"result":null,"id":1}"#] : []
    }
    defer { venue.stop() }
    let scratch = ScratchDirectory()
    let (worker, listener) = try start(venue, in: scratch, "symbols = btcusdt, ETHUSDT")

    // The last candles are there before the stream has said anything.
    #expect(eventually(listener.follow) { listener.candles.values.map(\.count) == [2, 2] })
    #expect(venue.opened == ["/stream"])
    #expect(
      venue.texts.first?.contains(
        #"["btcusdt@trade","btcusdt@bookTicker","btcusdt@kline_1m","ethusdt@trade","#) == true)

    let now = SystemClock.now.milliseconds
    venue.send(#"{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"9.5","B":"1","a":"9.6","A":"2"}}"#)
    venue.send(
      #"{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","p":"9.55","q":"3","T":\#(now),"m":false}}"#)
    venue.send(#"{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","p":"x","q":"3","T":1,"m":false}}"#)
    venue.send(
      #"{"stream":"ethusdt@kline_1m","data":{"e":"kline","s":"ETHUSDT","k":{"t":\#(minute * 60_000),"#
        + #""T":\#(minute * 60_000 + 59_999),"i":"1m","o":"2","h":"3","l":"1","c":"2","v":"7","x":false}}}"#)
    #expect(eventually(listener.follow) { listener.tickers["BTCUSDT"]?.bid.price.raw == 950_000_000 })
    #expect(eventually(listener.follow) { listener.trades.map(\.price.raw) == [955_000_000] })
    #expect(eventually(listener.follow) { listener.candles["ETHUSDT"]?.count == 3 })
    #expect(eventually(listener.follow) { listener.health["refused"] == 1 && listener.health["trades"] == 1 })

    let requests = venue.requests.count
    let late = try PairListener("late", scratch.path + "/run")
    #expect(eventually(late.follow) { late.candles["ETHUSDT"]?.count == 3 && late.tickers["BTCUSDT"] != nil })
    #expect(venue.requests.count == requests)

    // A broken stream is opened again, and the candles are asked for again.
    venue.dropStreams()
    #expect(
      eventually(listener.follow) {
        venue.opened.count == 2 && venue.requests.filter { $0.contains("klines") }.count >= requests + 2
      })
    venue.send(#"{"stream":"btcusdt@bookTicker","data":{"u":2,"s":"BTCUSDT","b":"9.1","B":"1","a":"9.6","A":"2"}}"#)
    #expect(eventually(listener.follow) { listener.tickers["BTCUSDT"]?.bid.price.raw == 910_000_000 })
    #expect(eventually(listener.follow) { listener.health["reconnections"] == 1 })

    // The venue goes down: no waiting for the break.
    venue.send(#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#)
    #expect(eventually(listener.follow) { venue.opened.count == 3 })
    #expect(worker.isRunning)
    #expect(worker.stop() == 0)
  }

  @Test func `while a stream is down its symbols are polled, and no longer when it is back`() throws {
    let now = SystemClock.now.milliseconds
    let venue = try InTestVenue { request in
      switch request.path {
      case "/api/v3/klines": .json("[]")
      case "/api/v3/ticker/bookTicker":
        .json(#"{"symbol":"BTCUSDT","bidPrice":"7","bidQty":"1","askPrice":"8","askQty":"2"}"#)
      case "/api/v3/trades":
        .json(#"[{"id":1,"price":"7.5","qty":"3","time":\#(now),"isBuyerMaker":true}]"#)
      default: .text("{}", status: 404)
      }
    } reply: { text in
      text.contains("SUBSCRIBE") ? [#"{"result":null,"id":1}"#] : []
    }
    defer { venue.stop() }
    let scratch = ScratchDirectory()
    let (worker, listener) = try start(venue, in: scratch, "symbols = BTCUSDT\npoll_s = 1")
    #expect(eventually(listener.follow) { venue.openStreams == 1 && listener.health["symbols_polled"] == 0 })
    #expect(!venue.requests.contains { $0.contains("bookTicker") })
    venue.refusesStreams = true
    venue.dropStreams()
    #expect(eventually(listener.follow) { listener.tickers["BTCUSDT"]?.bid.price.raw == 700_000_000 })
    #expect(eventually(listener.follow) { (listener.health["polls"] ?? 0) >= 2 })
    // However often REST tells it, a trade happened once.
    #expect(listener.trades.map(\.price.raw) == [750_000_000])
    venue.refusesStreams = false
    #expect(eventually(listener.follow) { venue.openStreams == 1 })
    venue.send(#"{"u":1,"s":"BTCUSDT","b":"9.5","B":"1","a":"9.6","A":"2"}"#)
    #expect(eventually(listener.follow) { listener.tickers["BTCUSDT"]?.bid.price.raw == 950_000_000 })
    #expect(eventually(listener.follow) { listener.health["symbols_polled"] == 0 })
    #expect(worker.stop() == 0)
  }

  @Test func `a stream that stands still while REST moves is replaced, and a quiet market is not`() throws {
    let script = ScriptedExchanges()
    let venue = try InTestVenue { request in
      guard request.path == "/api/v3/ticker/bookTicker" else { return .json("[]") }
      let price = script.count("moves") > 0 ? "7.1" : "7"
      return .json(#"{"symbol":"BTCUSDT","bidPrice":"\#(price)","bidQty":"1","askPrice":"8","askQty":"2"}"#)
    } reply: { text in
      guard text.contains("SUBSCRIBE") else { return [] }
      return [#"{"result":null,"id":1}"#, #"{"u":1,"s":"BTCUSDT","b":"7","B":"1","a":"8","A":"2"}"#]
    }
    defer { venue.stop() }
    let scratch = ScratchDirectory()
    let (worker, listener) = try start(venue, in: scratch, "symbols = BTCUSDT\nfrozen_s = 1")
    #expect(eventually(listener.follow) { (listener.health["quiet"] ?? 0) >= 3 })
    #expect(venue.opened.count == 1 && listener.health["frozen"] == 0)
    script.mark("moves")
    #expect(eventually(listener.follow) { (listener.health["frozen"] ?? 0) >= 1 && venue.opened.count >= 2 })
    #expect(worker.log.contains("stream is frozen"))
    #expect(worker.stop() == 0)
  }

  @Test func `a symbol that is none ends the process for good`() throws {
    let scratch = ScratchDirectory()
    let configuration =
      "[bulkhead]\nrun_dir = \(scratch.path)/run\ndata_dir = \(scratch.path)/data\n"
      + "[binance]\nsymbols = BTC/USDT\n"
    let worker = try Worker("ingestor", ["binance"], configuration: configuration, directory: scratch.path)
    #expect(eventually { !worker.isRunning })
    #expect(worker.stop() == 100)
  }
}
