import Allocations
import Bus
import Daemon
import Market
import Scanning

/// `scan.growth.*` and `scan.event30.*`: what a changed book costs with 27,460 markets, with ten and with a hundred
/// times as many.
///
/// The same number of markets changes in each, spread evenly, so that what is compared is the work and not the size of
/// the processor's caches.
enum ScanGrowthBenchmark {
  private static let factors = [1, 10, 100]
  static let names = factors.flatMap { ["scan.growth.\($0)", "scan.event30.\($0)"] }

  static func run(_ bench: Bench) throws -> [Figure] {
    var figures: [Figure] = []
    for factor in factors {
      for outcomes in [1, 30] {
        let name = outcomes == 1 ? "scan.growth.\(factor)" : "scan.event30.\(factor)"
        guard bench.wants(name) else { continue }
        let world = GrownWorld(markets: MarketCorpus.marketCount * factor, outcomes: outcomes)
        var times: [Double] = []
        var allocations = 0.0
        world.pass()
        for _ in 0..<bench.repetitions {
          let before = bh_allocation_count()
          world.pass()
          allocations = Double(bh_allocation_count() - before) / Double(world.changed.count)
          times.append(nanosecondsEach(seconds: 0.2, count: world.changed.count) { world.pass() })
        }
        figures.append(
          Figure(
            name, "ns/event", better: .lower, ours: times,
            note: "\(world.marketCount) markets, events of \(outcomes), \(fixed(allocations, 2)) allocations each"))
      }
    }
    return figures
  }
}

/// Markets with one level a side and no arbitrage, and the changes of a day in the same 20,000 books.
private final class GrownWorld {
  let scanner: Scanner
  let changed: [Int32]
  let marketCount: Int
  private let now = SystemClock.now

  init(markets: Int, outcomes: Int) {
    marketCount = markets
    let feed = BookFeed()
    scanner = Scanner(feed: feed, options: ScannerOptions(), board: OpportunityBoard(epoch: 1))
    let price = outcomes == 1 ? 50_000_000 : fixedPointScale / Int64(outcomes)
    for place in 0..<markets {
      var market = PredictionMarket(
        venue: .polymarket, id: "\(place)", eventID: "\(place / outcomes)", question: "",
        outcomes: [Outcome(token: "\(place * 2)", name: ""), Outcome(token: "\(place * 2 + 1)", name: "")],
        tick: Price(raw: 100_000))
      market.isNegRisk = outcomes > 1
      _ = feed.adopt(MarketMessage(market: market, books: [UInt32(place * 2), UInt32(place * 2 + 1)]))
      scanner.marketChanged(place)
      GrownWorld.set(feed, place * 2, middle: price, now)
      GrownWorld.set(feed, place * 2 + 1, middle: fixedPointScale - price, now)
    }
    let distinct = 10_000
    var random = Seeded(9)
    changed = (0..<1 << 16).map { _ in Int32((random.integer(0..<distinct) * (markets / distinct)) * 2) }
    scanner.scanAll(now: now)
  }

  private static func set(_ feed: BookFeed, _ book: BookIndex, middle: Int64, _ now: Timestamp) {
    let bid = [Level(price: Price(raw: middle - 1_000_000), quantity: Quantity(units: 100))]
    let ask = [Level(price: Price(raw: middle + 1_000_000), quantity: Quantity(units: 100))]
    bid.withUnsafeBufferPointer { bid in
      ask.withUnsafeBufferPointer { ask in
        _ = feed.cache.replace(book, bids: bid, asks: ask, venueTime: now, receivedAt: now)
      }
    }
  }

  func pass() { ScanBenchmark.scan(changed, scanner, now) }
}
