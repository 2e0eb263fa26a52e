import Market
import TestSupport
import Testing

struct RendezvousTests {
  private let hashes = (0..<20_000).map { Rendezvous.hash("0x\($0)") }

  // Computed by an independent implementation.
  @Test func `the figures are the same everywhere and for ever`() {
    #expect(Rendezvous.hash("") == 0xC381_7C01_6BA4_FF30)
    #expect(Rendezvous.hash("0xabc") == 0x7E02_A393_2640_1216)
    #expect(
      (1...12).map { Rendezvous.owner(of: Rendezvous.hash("BTCUSDT"), among: $0) } == [
        0, 1, 1, 1, 1, 5, 5, 5, 5, 5, 5, 5,
      ])
  }

  @Test(arguments: [1, 2, 3, 4, 7, 16, 99])
  func `one shard more takes its part from all others, and nothing else moves`(count: Int) {
    var moved = 0
    var losses = [Int](repeating: 0, count: count)
    for hash in hashes {
      let before = Rendezvous.owner(of: hash, among: count)
      let after = Rendezvous.owner(of: hash, among: count + 1)
      guard before != after else { continue }
      #expect(after == count)
      moved += 1
      losses[before] += 1
    }
    let expected = Double(hashes.count) / Double(count + 1)
    #expect(abs(Double(moved) - expected) < 5 * expected.squareRoot())
    let each = expected / Double(count)
    #expect(losses.allSatisfy { abs(Double($0) - each) < 6 * each.squareRoot() + 1 })
  }

  @Test func `one shard fewer gives back just what it had`() {
    for hash in hashes {
      let before = Rendezvous.owner(of: hash, among: 5)
      let after = Rendezvous.owner(of: hash, among: 4)
      #expect(before == 4 || after == before)
    }
  }

  @Test(arguments: [2, 3, 4, 10, 32])
  func `all shards have about the same`(count: Int) {
    var counts = [Int](repeating: 0, count: count)
    for hash in hashes { counts[Rendezvous.owner(of: hash, among: count)] += 1 }
    let each = Double(hashes.count) / Double(count)
    #expect(counts.allSatisfy { abs(Double($0) - each) < 5 * each.squareRoot() })
  }

  @Test func `without other shards the first one owns everything`() {
    for count in [-1, 0, 1] { #expect(hashes.allSatisfy { Rendezvous.owner(of: $0, among: count) == 0 }) }
  }

  @Test func `markets of a neg-risk event have one key, others have their own`() {
    func market(_ id: String, event: String, isNegRisk: Bool) -> PredictionMarket {
      var market = PredictionMarket(
        venue: .polymarket, id: id, eventID: event, question: "", outcomes: [], tick: Price(raw: 1_000_000))
      market.isNegRisk = isNegRisk
      return market
    }
    #expect(market("a", event: "e", isNegRisk: true).shardKey == market("b", event: "e", isNegRisk: true).shardKey)
    #expect(market("a", event: "e", isNegRisk: false).shardKey == "a")
    #expect(market("a", event: "", isNegRisk: true).shardKey == "a")
  }
}
