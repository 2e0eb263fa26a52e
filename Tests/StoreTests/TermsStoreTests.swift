import Market
import Store
import TestSupport
import Testing

@Suite struct TermsStoreTests {
  private func terms(_ id: String, digest: UInt64 = 7, rules: String = "Yes, if \"it\" — rains.\n\nElse no.")
    -> MarketTerms
  {
    MarketTerms(
      venue: .kalshi, id: id, eventID: "EV", title: "Will it rain?", subtitle: "$74,300 or above",
      strike: "greater 74299.99", rules: rules, source: "https://example.org", closesAt: noon,
      outcomes: ["Yes", "No, never"], digest: digest)
  }

  private func batch(_ terms: [MarketTerms]) -> HistoryBatch {
    var batch = HistoryBatch(time: noon)
    batch.terms = terms
    return batch
  }

  @Test func `terms come out as they went in, and the same again changes nothing`() throws {
    let directory = ScratchDirectory()
    let store = try HistoryStore(path: directory.file("history.db"))
    var open = terms("K2", digest: .max)
    open.closesAt = nil
    open.outcomes = []
    #expect(try store.write(batch([terms("K1"), open])) == 2)
    #expect(try store.write(batch([terms("K1"), open])) == 0)
    #expect(try store.terms(.kalshi, id: "K1") == terms("K1"))
    #expect(try store.terms(.kalshi, id: "K2")?.digest == .max)
    #expect(try store.terms(.polymarket, id: "K1") == nil)
    #expect(try store.termsDigests(.kalshi) == ["K1": 7, "K2": .max])
    let changed = terms("K1", digest: 8, rules: "Yes, if it snows.")
    #expect(try store.write(batch([changed])) == 1)
    #expect(try store.terms(.kalshi, id: "K1") == changed)
  }

  @Test func `only markets that are open are listed for review`() throws {
    let directory = ScratchDirectory()
    let store = try HistoryStore(path: directory.file("history.db"))
    var closed = PredictionMarket(
      venue: .kalshi, id: "K3", eventID: "EV", question: "", outcomes: [], tick: Price(raw: 1_000_000))
    closed.isClosed = true
    var all = batch([terms("K1"), terms("K3")])
    all.markets = [closed]
    try store.write(all)
    let before = noon.advanced(bySeconds: -1)
    #expect(try store.openTerms(.kalshi, now: before).map(\.id) == ["K1"])
    #expect(try store.openTerms(.kalshi, now: noon).isEmpty)
  }

  @Test func `the terms of markets that closed long ago are forgotten, and no others`() throws {
    let directory = ScratchDirectory()
    let writer = try HistoryWriter(path: directory.file("history.db"))
    var (old, new, open) = (terms("old"), terms("new"), terms("open"))
    old.closesAt = noon.advanced(bySeconds: -30 * 86_400 - 1)
    new.closesAt = noon.advanced(bySeconds: -30 * 86_400)
    open.closesAt = nil
    writer.post(batch([old, new, open]))
    #expect(writer.finish(withinMilliseconds: 10_000))
    let store = try HistoryStore(readingFrom: directory.file("history.db"))
    #expect(try store.termsDigests(.kalshi).keys.sorted() == ["new", "open"])
  }
}
