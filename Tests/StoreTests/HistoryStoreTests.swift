import Foundation
import Market
import Store
import TestSupport
import Testing

@Suite struct HistoryStoreTests {
  private func candle(
    _ minute: Int64, close: String = "100.5", volume: String = "7.25", isClosed: Bool = true
  ) throws -> Candle {
    Candle(
      start: Timestamp(nanoseconds: minute * 60_000_000_000), periodSeconds: 60, open: try price("100"),
      high: try price("101"), low: try price("99"), close: try price(close), volume: try Volume(volume),
      isClosed: isClosed)
  }

  private func batch(_ candles: [StoredCandle]) -> HistoryBatch {
    var batch = HistoryBatch(time: noon)
    batch.candles = candles
    return batch
  }

  @Test func `candles of exchanges stand apart, and the same again changes nothing`() throws {
    let directory = ScratchDirectory()
    let store = try HistoryStore(path: directory.file("history.db"))
    let huge = "123456789012345678901.00000001"
    let rows = [
      StoredCandle(exchange: .binance, symbol: "BTC", candle: try candle(1), source: "binance"),
      StoredCandle(exchange: .kraken, symbol: "BTC", candle: try candle(1, close: "100.6"), source: "kraken"),
      StoredCandle(exchange: .binance, symbol: "ETH", candle: try candle(1, volume: huge), source: "binance"),
      StoredCandle(exchange: .binance, symbol: "BTC", candle: try candle(2), source: "binance"),
    ]
    #expect(try store.write(batch(rows)) == 4)
    #expect(try store.write(batch(rows)) == 0)
    #expect(Set(try store.candles(CandleQuery())) == Set(rows))
    #expect(try store.candles(CandleQuery(exchange: .kraken)) == [rows[1]])
    #expect(
      try store.candles(CandleQuery(exchange: .binance, symbol: "BTC", timeframeSeconds: 60)) == [rows[0], rows[3]])
    #expect(try store.candles(CandleQuery(symbol: "BTC", limit: 1)) == [rows[3]])
    #expect(try store.candles(CandleQuery(timeframeSeconds: 300)).isEmpty)
    let second = rows[3].candle.start
    #expect(try store.candles(CandleQuery(from: second)) == [rows[3]])
    #expect(try store.candles(CandleQuery(to: second)).count == 3)
    #expect(try store.candles(CandleQuery(symbol: "ETH")).first?.candle.volume.description == huge)
    #expect(try store.candleCounts() == [.binance: 3, .kraken: 1])
    // Others read while it is being written.
    let reader = try HistoryStore(readingFrom: directory.file("history.db"))
    #expect(try reader.candles(CandleQuery()).count == 4)
    #expect(try store.removeCandles(timeframeSeconds: 60, before: second) == 3)
  }

  @Test func `a closed candle stays closed, and a true one is not replaced by a stand-in`() throws {
    let directory = ScratchDirectory()
    let store = try HistoryStore(path: directory.file("history.db"))
    func put(_ close: String, isClosed: Bool = true, isStale: Bool = false) throws -> Int {
      try store.write(
        batch([
          StoredCandle(
            exchange: .okx, symbol: "SOL", candle: try candle(5, close: close, isClosed: isClosed), isStale: isStale,
            source: isStale ? "last good" : "okx")
        ]))
    }
    func close() throws -> String? { try store.candles(CandleQuery(symbol: "SOL")).first?.candle.close.description }
    #expect(try put("99.5", isStale: true) == 1)
    // Anything true is better than a stand-in, also an open one.
    #expect(try put("99.6", isClosed: false) == 1)
    #expect(try put("99.7", isClosed: false) == 1)
    #expect(try put("99.8") == 1)
    #expect(try put("99.9", isClosed: false) == 0)
    #expect(try put("99.5", isStale: true) == 0)
    #expect(try close() == "99.8")
    // A correction of a closed candle counts.
    #expect(try put("100.1") == 1)
    #expect(try close() == "100.1")
  }

  @Test func `watermarks never move backwards, and breakers are as they were`() throws {
    let directory = ScratchDirectory()
    let subject = WatermarkSubject(venue: .polymarket, name: "0xabc")
    do {
      let store = try HistoryStore(path: directory.file("history.db"))
      #expect(try store.watermark(subject) == nil)
      for (offset, changed) in [(5, 1), (3, 0), (5, 0), (9, 1), (-100, 0)] as [(Int64, Int)] {
        var batch = HistoryBatch(time: noon)
        batch.watermarks[subject] = noon.advanced(bySeconds: offset)
        #expect(try store.write(batch) == changed)
      }
      var batch = HistoryBatch(time: noon)
      batch.breakers = [StoredBreaker(name: "candles/okx", failures: 5, openings: 2, openUntil: noon)]
      #expect(try store.write(batch) == 1)
      #expect(try store.write(batch) == 0)
    }
    let store = try HistoryStore(path: directory.file("history.db"))
    #expect(try store.watermark(subject) == noon.advanced(bySeconds: 9))
    #expect(try store.watermarks(.polymarket) == [subject: noon.advanced(bySeconds: 9)])
    #expect(try store.watermarks(.kalshi).isEmpty)
    #expect(try store.breakers() == [StoredBreaker(name: "candles/okx", failures: 5, openings: 2, openUntil: noon)])
  }

  @Test func `markets, their tokens and events are kept as they are now`() throws {
    let directory = ScratchDirectory()
    let store = try HistoryStore(path: directory.file("history.db"))
    func market(_ id: String) throws -> PredictionMarket {
      var market = PredictionMarket(
        venue: .polymarket, id: id, eventID: "7", question: "Will \"it\" rain?",
        outcomes: [Outcome(token: id + "1", name: "Yes"), Outcome(token: id + "2", name: "No")],
        tick: try price("0.001"))
      market.minimumQuantity = try quantity("5")
      market.fees = FeeSchedule(rate: try price("0.07"), exponent: 1, takerOnly: true)
      market.isNegRisk = true
      return market
    }
    var first = try market("a")
    var second = try market("b")
    second.endsAt = noon
    second.upDown = UpDownTerms(coin: "BTC", opensAt: noon, closesAt: noon.advanced(bySeconds: 900))
    var batch = HistoryBatch(time: noon)
    batch.markets = [first, second]
    #expect(try store.write(batch) == 2)
    #expect(try store.write(batch) == 0)
    #expect(try store.market(.polymarket, id: "a") == first)
    #expect(try store.market(.polymarket, id: "b") == second)
    #expect(try store.market(.kalshi, id: "a") == nil)
    #expect(
      try store.event(.polymarket, id: "7")
        == StoredEvent(
          venue: .polymarket, id: "7", marketCount: 2, isNegRisk: true, isAugmented: false, isClosed: false,
          endsAt: noon))
    // Resolved: the payouts, and with the last market the event.
    first.isClosed = true
    first.winner = 0
    first.payouts = [.one, .zero]
    batch.markets = [first]
    #expect(try store.write(batch) == 1)
    #expect(try store.market(.polymarket, id: "a") == first)
    #expect(try store.event(.polymarket, id: "7")?.isClosed == false)
    second.isClosed = true
    second.endsAt = nil
    batch.markets = [second]
    #expect(try store.write(batch) == 1)
    #expect(try store.event(.polymarket, id: "7")?.isClosed == true)
    #expect(try store.marketCount(.polymarket) == 2)
  }

  @Test func `a trade is stored once, and equal trades of one moment are several`() throws {
    let directory = ScratchDirectory()
    let store = try HistoryStore(path: directory.file("history.db"))
    func trade(_ seconds: Int64, size: String?) throws -> Trade {
      Trade(
        instrument: yes, price: try price("0.48"), quantity: try size.map { try quantity($0) }, takerSide: .sell,
        time: noon.advanced(bySeconds: seconds))
    }
    let trades = [try trade(1, size: "5"), try trade(1, size: "5"), try trade(2, size: nil)]
    var batch = HistoryBatch(time: noon)
    batch.trades = trades
    #expect(try store.write(batch) == 3)
    #expect(try store.write(batch) == 0)
    #expect(try store.trades(.polymarket, limit: 10) == trades)
    #expect(try store.trades(.polymarket, symbol: yes.symbol, limit: 1) == [trades[2]])
    #expect(try store.trades(.polymarket, symbol: "none", limit: 1).isEmpty)
  }

  @Test func `a batch that does not fit is not written by halves`() throws {
    let directory = ScratchDirectory()
    let store = try HistoryStore(path: directory.file("history.db"), pagesMax: 40)
    var rows: [StoredCandle] = []
    for minute in 0..<5000 as Range<Int64> {
      rows.append(StoredCandle(exchange: .bybit, symbol: "ADA", candle: try candle(minute), source: "bybit"))
    }
    #expect(try store.write(batch([rows[0]])) == 1)
    let error = #expect(throws: StoreError.self) { try store.write(batch(rows)) }
    #expect(error?.code == .full)
    #expect(try store.candles(CandleQuery()) == [rows[0]])
    #expect(try store.write(batch([rows[1]])) == 1)
  }

  @Test func `a history that is not there is told from a broken one`() throws {
    let directory = ScratchDirectory()
    let error = #expect(throws: StoreError.self) { try HistoryStore(readingFrom: directory.file("none.db")) }
    #expect(error?.code == .notReady)
  }
}
