import Foundation
import Market
import Store
import TestSupport
import Testing

@Suite struct HistoryWriterTests {
  private func trade(_ second: Int64, milliseconds: Int64 = 0) throws -> Trade {
    Trade(
      instrument: yes, price: try price("0.48"), quantity: try quantity("5"), takerSide: .buy,
      time: noon.advanced(bySeconds: second).advanced(byNanoseconds: milliseconds * 1_000_000))
  }

  /// Waits for what the writer's thread does.
  private func eventually(_ isDone: () -> Bool) -> Bool {
    let limit = Date().addingTimeInterval(60)
    while !isDone(), Date() < limit { usleep(5000) }
    return isDone()
  }

  @Test func `what was posted is written in order, also at the end`() throws {
    let directory = ScratchDirectory()
    let path = directory.file("history.db")
    let subject = WatermarkSubject(venue: .polymarket, name: "ingestor/a")
    let writer = try HistoryWriter(path: path)
    for second in 1...200 as ClosedRange<Int64> {
      var batch = HistoryBatch(time: noon)
      batch.trades = [try trade(second)]
      batch.watermarks[subject] = noon.advanced(bySeconds: second == 100 ? 1 : second)
      writer.post(batch)
    }
    #expect(writer.finish(withinMilliseconds: 60_000))
    let store = try HistoryStore(readingFrom: path)
    #expect(try store.trades(.polymarket, limit: 1000).count == 200)
    #expect(try store.watermark(subject) == noon.advanced(bySeconds: 200))
    #expect(writer.counters.failures == 0 && writer.counters.dropped == 0 && writer.counters.waiting == 0)
  }

  @Test func `what cannot be written waits until it can, within bounds`() throws {
    let directory = ScratchDirectory()
    let folder = directory.file("later")
    let writer = try HistoryWriter(path: folder + "/history.db", tradesWaitingMax: 3)
    for second in 1...5 as ClosedRange<Int64> {
      var batch = HistoryBatch(time: noon)
      batch.trades = [try trade(second)]
      writer.post(batch)
      let failures = writer.counters.failures
      if second == 1 { #expect(eventually { writer.counters.failures > failures }) }
    }
    #expect(writer.counters.waiting == 3 && writer.counters.dropped == 2)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    #expect(eventually { writer.counters.rows == 3 })
    #expect(writer.counters.waiting == 0)
    #expect(writer.finish(withinMilliseconds: 60_000))
    let stored = try HistoryStore(readingFrom: folder + "/history.db").trades(.polymarket, limit: 10)
    #expect(stored.map(\.time) == [1, 2, 3].map { noon.advanced(bySeconds: $0) })
  }

  @Test func `trades that REST tells are stored only where the stream has not told as many of their second`() throws {
    let directory = ScratchDirectory()
    let store = try HistoryStore(path: directory.file("history.db"))
    var streamed = HistoryBatch(time: noon)
    streamed.trades = [try trade(1, milliseconds: 250), try trade(1, milliseconds: 251), try trade(3, milliseconds: 7)]
    #expect(try store.write(streamed) == 3)
    // Three in the first second, of which two are known; one in the second; the third second's is known.
    var fetched = HistoryBatch(time: noon)
    fetched.fetchedTrades = [try trade(1), try trade(1), try trade(1), try trade(2), try trade(3)]
    #expect(try store.write(fetched) == 2)
    #expect(try store.write(fetched) == 0)
    let seconds = try store.trades(.polymarket, limit: 10).map { $0.time.seconds - noon.seconds }
    #expect(seconds == [1, 1, 1, 2, 3])
    // Another side at the same price is another trade.
    fetched.fetchedTrades = [try trade(3)]
    fetched.fetchedTrades[0].takerSide = .sell
    #expect(try store.write(fetched) == 1)
  }

  @Test func `each market's watermark is its newest trade, and never goes back`() throws {
    let directory = ScratchDirectory()
    let store = try HistoryStore(path: directory.file("history.db"))
    var batch = HistoryBatch(time: noon)
    batch.markets = [
      PredictionMarket(
        venue: .polymarket, id: "0xabc", eventID: "7", question: "Q",
        outcomes: [Outcome(token: yes.symbol, name: "Yes"), Outcome(token: "222", name: "No")], tick: try price("0.01"))
    ]
    batch.trades = [try trade(5), try trade(4)]
    try store.write(batch)
    let market = WatermarkSubject(venue: .polymarket, name: "0xabc")
    #expect(try store.watermark(market) == noon.advanced(bySeconds: 5))
    var older = HistoryBatch(time: noon)
    older.fetchedTrades = [try trade(2)]
    try store.write(older)
    #expect(try store.watermark(market) == noon.advanced(bySeconds: 5))
    #expect(try store.watermarks(.polymarket).count == 1)
  }
}
