import Ingesting
import Market
import Testing

@Suite struct SizeBackfillTests {
  private let second: Int64 = 1_000_000_000
  private let time = Timestamp(nanoseconds: 1_800_000_000_000_000_000)

  private func trade(_ symbol: String = "71", price: String = "0.41", size: String? = nil) -> Trade {
    Trade(
      instrument: InstrumentID(venue: .polymarket, symbol: symbol), price: (try? Price(price)) ?? .zero,
      quantity: size.flatMap { try? Quantity($0) }, takerSide: .buy, time: time)
  }

  private func backfill(_ change: (inout SizeBackfill.Options) -> Void = { _ in }) -> SizeBackfill {
    var options = SizeBackfill.Options()
    change(&options)
    return SizeBackfill(options: options)
  }

  @Test func `a trade is held, asked for once, and published once with its size`() {
    var sizes = backfill()
    #expect(sizes.hold(trade(), market: "m", now: 0) == nil)
    #expect(sizes.hold(trade(), market: "m", now: 0) == nil)
    #expect(sizes.takeRequest(0) == "m")
    #expect(sizes.takeRequest(second) == nil)
    let ready = sizes.take(market: "m", [trade(size: "5"), trade(size: "6")], time: time, now: second)
    #expect(ready.map(\.quantity) == [try? Quantity("5"), try? Quantity("6")])
    #expect(ready.allSatisfy { $0.sizeBackfilled })
    #expect(sizes.takeOverdue(100 * second).isEmpty && sizes.waitingCount == 0)
    #expect(sizes.counters.needed == 2 && sizes.counters.found == 2 && sizes.counters.requests == 1)
  }

  @Test func `what the first answer does not have is asked for again, until its time is over`() {
    var sizes = backfill()
    _ = sizes.hold(trade(), market: "m", now: 0)
    #expect(sizes.takeRequest(0) == "m")
    #expect(sizes.take(market: "m", [], time: time, now: 100).isEmpty)
    #expect(sizes.takeRequest(second / 2) == nil)
    #expect(sizes.takeRequest(2 * second) == "m")
    #expect(sizes.takeOverdue(3 * second).map(\.quantity) == [nil])
    // The late answer finds nobody.
    #expect(sizes.take(market: "m", [trade(size: "5")], time: time, now: 4 * second).isEmpty)
    #expect(sizes.counters.notFound == 1 && sizes.counters.found == 0 && sizes.counters.overdue == 0)
  }

  @Test func `an answer that never comes costs its own trade the wait, and others go on`() {
    var sizes = backfill { $0.requestsMax = 2 }
    _ = sizes.hold(trade(), market: "slow", now: 0)
    #expect(sizes.takeRequest(0) == "slow")
    _ = sizes.hold(trade("72"), market: "quick", now: second)
    #expect(sizes.takeRequest(second) == "quick")
    #expect(sizes.take(market: "quick", [trade("72", size: "9")], time: time, now: second).count == 1)
    let overdue = sizes.takeOverdue(3 * second)
    #expect(overdue.map(\.instrument.symbol) == ["71"] && overdue.allSatisfy { !$0.sizeBackfilled })
    #expect(sizes.counters.overdue == 1)
  }

  @Test func `how many wait, and how many are asked for at once and in a second, is bounded`() {
    var sizes = backfill {
      $0.waitingMax = 3
      $0.requestsMax = 2
    }
    for market in ["a", "b", "c"] { #expect(sizes.hold(trade(), market: market, now: 0) == nil) }
    #expect(sizes.hold(trade(), market: "d", now: 0) != nil)
    #expect(sizes.counters.crowded == 1)
    #expect(sizes.takeRequest(0) == "a")
    #expect(sizes.takeRequest(0) == nil)
    #expect(sizes.takeRequest(second) == "b")
    #expect(sizes.takeRequest(second) == nil)
    #expect(sizes.take(market: "a", nil, time: time, now: second).isEmpty)
    #expect(sizes.takeRequest(second + second / 5) == "c")
    #expect(sizes.takeAll().count == 3 && sizes.waitingCount == 0)
    #expect(sizes.counters.failed == 1 && sizes.counters.overdue == 2)
  }
}
