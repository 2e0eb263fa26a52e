import Bus
import Foundation
import Ingesting
import Market
import TestSupport
import Testing
import Venues

/// Spoilt messages through the pure cores of the ingestors: whatever comes, no book breaks its invariants.
@Suite struct BookFuzzTests {
  static let count = ProcessInfo.processInfo.environment["BULKHEAD_FUZZ"].flatMap { Int($0) } ?? 20_000
  private static let now = Timestamp(nanoseconds: 1_786_401_938_602_000_000)

  /// What must hold of each book at each moment.
  private static func broken(_ cache: borrowing BookCache) -> String? {
    for book in 0..<cache.count {
      let touch = cache.touch(book)
      let bids = cache.side(.bid, of: book)
      let asks = cache.side(.ask, of: book)
      for (worse, better) in zip(bids, bids.dropFirst()) where worse.price >= better.price { return "bids of \(book)" }
      for (worse, better) in zip(asks, asks.dropFirst()) where worse.price <= better.price { return "asks of \(book)" }
      for level in Array(bids) + Array(asks) {
        guard level.quantity.raw > 0, level.price.raw > 0, level.price < .one else { return "a level of \(book)" }
      }
      guard touch.bid == bids.last?.price.raw ?? 0, touch.ask == asks.last?.price.raw ?? Touch.noAsk
      else {
        return "the touch of \(book)"
      }
      if cache.header(book).state == .live, touch.bid >= touch.ask { return "\(book) is live and crossed" }
    }
    return nil
  }

  @Test func `no spoilt message of Polymarket breaks a book`() {
    let books = PolymarketBooks(verifiesHash: false, tradeAge: TradeAgeFilter(ageMaxSeconds: 1 << 30))
    let batch = BookBatch()
    var market = PredictionMarket(
      venue: .polymarket, id: "0x1", eventID: "e", question: "q",
      outcomes: [Outcome(token: "11", name: "Yes"), Outcome(token: "12", name: "No")], tick: Price(raw: 1_000_000))
    market.isAcceptingOrders = true
    _ = books.adopt(market, batch)
    let samples = [
      #"{"event_type":"book","asset_id":"11","market":"0x1","timestamp":"1786401938602","hash":"","bids":[{"price":"0.40","size":"100"},{"price":"0.41","size":"5"}],"asks":[{"price":"0.48","size":"30"},{"price":"0.45","size":"20"}]}"#,
      #"{"event_type":"price_change","market":"0x1","timestamp":"1786401938603","price_changes":[{"asset_id":"11","price":"0.42","size":"200","side":"BUY"},{"asset_id":"12","price":"0.58","size":"200","side":"SELL"}]}"#,
      #"{"event_type":"price_change","asset_id":"11","market":"0x1","changes":[{"price":"0.44","side":"SELL","size":"3"}],"timestamp":"1786401938604"}"#,
      #"{"market":"0x1","price_changes":[{"asset_id":"11","price":"0.42","size":"9","side":"BUY","hash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","best_bid":"0.42","best_ask":"0.45"}],"timestamp":"1786401938607","event_type":"price_change"}"#,
      #"{"event_type":"price_change","asset_id":"11","market":"0x1","price":"0.41","side":"BUY","size":"0","timestamp":"1786401938605"}"#,
      #"{"event_type":"tick_size_change","asset_id":"11","market":"0x1","old_tick_size":"0.01","new_tick_size":"0.001","timestamp":"1"}"#,
      #"{"event_type":"last_trade_price","asset_id":"11","market":"0x1","price":"0.44","side":"SELL","size":"85.36","timestamp":"1786401938606"}"#,
    ].map { Array($0.utf8) }
    var mutator = Mutator(seed: 11)
    for turn in 0..<Self.count {
      let sample = samples[mutator.below(samples.count)]
      let payload = (turn % 3 == 0 ? sample : mutator.mutate(sample)) + [UInt8](repeating: 0, count: 64)
      payload.withUnsafeBytes { bytes in
        _ = books.take(UnsafeRawBufferPointer(rebasing: bytes.dropLast(64)), receivedAt: Self.now, batch)
      }
      if let problem = Self.broken(books.cache) {
        Issue.record("turn \(turn): \(problem): \(String(decoding: payload.dropLast(64), as: UTF8.self))")
        return
      }
      if turn % 1000 == 0 {
        _ = books.takeTrades()
        _ = books.takeSizelessTrades()
      }
    }
    #expect(books.counters.snapshots > 0 && books.counters.changes > 0 && !books.counters.refused.isEmpty)
  }

  @Test func `no spoilt message of Kalshi breaks a book`() throws {
    let markets = KalshiMarkets(tradeAge: TradeAgeFilter(ageMaxSeconds: 1 << 30))
    let batch = BookBatch()
    let grid = PriceGrid(step: Price(raw: 1_000_000))
    for ticker in ["A", "B"] {
      let outcomes = KalshiOutcome.allCases.map { Outcome(token: $0.token(ofMarket: ticker), name: $0.rawValue) }
      let market = PredictionMarket(
        venue: .kalshi, id: ticker, eventID: "e", question: "q", outcomes: outcomes, tick: grid.finestStep)
      _ = markets.adopt(KalshiMarket(market: market, grid: grid), batch)
    }
    let bodies = [
      #"{"type":"orderbook_snapshot","sid":1,"seq":SEQ,"msg":{"market_ticker":"A","yes_dollars_fp":[["0.4000","100.00"],["0.4100","5.00"]],"no_dollars_fp":[["0.5500","20.00"]]}}"#,
      #"{"type":"orderbook_snapshot","sid":1,"seq":SEQ,"msg":{"market_ticker":"B"}}"#,
      #"{"type":"orderbook_delta","sid":1,"seq":SEQ,"msg":{"market_ticker":"A","price_dollars":"0.4100","delta_fp":"5.00","side":"yes","ts_ms":1786401938602}}"#,
      #"{"type":"orderbook_delta","sid":1,"seq":SEQ,"msg":{"market_ticker":"A","price_dollars":"0.4100","delta_fp":"-5.00","side":"yes","ts_ms":1786401938602}}"#,
      #"{"type":"orderbook_delta","sid":1,"seq":SEQ,"msg":{"market_ticker":"B","price_dollars":"0.5600","delta_fp":"7.00","side":"no","ts_ms":1786401938602}}"#,
      #"{"type":"trade","sid":2,"seq":SEQ,"msg":{"trade_id":"t","market_ticker":"A","yes_price_dollars":"0.5400","count_fp":"9.12","taker_side":"yes","ts_ms":1786401938602}}"#,
      #"{"id":5,"sid":1,"seq":SEQ,"type":"ok","msg":{"market_tickers":["A"]}}"#,
    ]
    var fold = KalshiBooks()
    var mutator = Mutator(seed: 12)
    var sequence = 0
    for turn in 0..<Self.count {
      sequence += mutator.below(40) == 0 ? mutator.below(3) : 1
      let text = bodies[mutator.below(bodies.count)].replacingOccurrences(of: "SEQ", with: "\(sequence)")
      let payload = turn % 3 == 0 ? Array(text.utf8) : mutator.mutate(Array(text.utf8))
      do throws(VenueError) {
        let message: KalshiStreamMessage = try payload.withUnsafeBytes { bytes in
          Result { () throws(VenueError) in try KalshiStreamParser.parse(bytes) }
        }.get()
        markets.take(message, &fold, receivedAt: Self.now, batch)
        // A spoilt number may be far ahead.
        if let found = message.seq, found > sequence + 1000 { fold.reconnected() }
      } catch {
        markets.refuse(error)
      }
      if mutator.below(500) == 0 { fold.reconnected() }
      if let problem = Self.broken(markets.cache) {
        Issue.record("turn \(turn): \(problem): \(String(decoding: payload, as: UTF8.self))")
        return
      }
      if turn % 1000 == 0 { _ = markets.takeTrades() }
    }
    #expect(markets.counters.snapshots > 0 && markets.counters.changes > 0 && markets.counters.gaps > 0)
  }
}
