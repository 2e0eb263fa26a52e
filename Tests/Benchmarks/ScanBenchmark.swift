import Allocations
import Bus
import Daemon
import Glibc
import Market
import Scanning

/// `scan.*`: 27,460 binary markets with ten levels a side, in a feed and a scanner as the product has them; the floor
/// is C over flat arrays.
enum ScanBenchmark {
  /// How many changes one scan looks at: what a drained socket brings in a burst.
  static let batchCount = 64

  static let names = ["scan.full", "scan.full.vwap", "scan.dirty"]

  static func run(_ bench: Bench) throws -> [Figure] {
    let corpus = MarketCorpus()
    try corpus.write(to: bench.floors.build)
    let loaded = try LoadedScanner(corpus, bench)
    let scanner = loaded.scanner
    let now = SystemClock.now
    scanner.scanAll(now: now)
    var full: [Double] = []
    var dirty: [Double] = []
    var allocations = (full: 0.0, dirty: 0.0)
    var floor: [[Double]] = [[], [], []]
    let floorNames = ["filter full", "vwap full", "filter dirty"]
    for _ in 0..<bench.repetitions {
      var before = bh_allocation_count()
      scanner.scanAll(now: now)
      allocations.full = Double(bh_allocation_count() - before)
      full.append(nanosecondsEach(seconds: 0.2, count: 1) { scanner.scanAll(now: now) } / 1000)
      before = bh_allocation_count()
      scan(loaded.dirtyBooks, scanner, now)
      let count = loaded.dirtyBooks.count
      allocations.dirty = Double(bh_allocation_count() - before) / Double(count)
      dirty.append(nanosecondsEach(seconds: 0.2, count: count) { scan(loaded.dirtyBooks, scanner, now) })
      guard let results = bench.floors.results("scan_bench", [bench.floors.build, "200"]) else { continue }
      for (place, name) in floorNames.enumerated() { results[name].map { floor[place].append($0) } }
    }
    let ours = [full, full, dirty]
    remarkPython(bench, ours)
    let units = ["us/scan", "us/scan", "ns/event"]
    let unfiltered = ", which prices every market by its depth; ours only those whose best prices pay: the same finds"
    let notes = ["", unfiltered, ""]
    return names.indices.filter { bench.wants(names[$0]) }.map { place in
      let allocated = place == 2 ? allocations.dirty : allocations.full
      return Figure(
        names[place], units[place], better: .lower, ours: ours[place], floor: floor[place],
        note:
          "\(MarketCorpus.marketCount) markets, \(scanner.board.openCount) with a find, \(fixed(allocated, 2)) "
          + "allocations each; floor C \(floorNames[place])\(notes[place])")
    }
  }

  /// Looks at changed books in batches.
  static func scan(_ books: [Int32], _ scanner: Scanner, _ now: Timestamp) {
    books.withUnsafeBufferPointer { books in
      var place = 0
      while place < books.count {
        let end = min(place + batchCount, books.count)
        while place < end {
          scanner.bookChanged(Int(books[place]))
          place += 1
        }
        scanner.scanDirty(now: now)
      }
    }
  }

  /// How much slower the same scan is in plain Python over objects.
  private static func remarkPython(_ bench: Bench, _ ours: [[Double]]) {
    guard let directory = bench.floors.directory,
      let child = try? Child(
        ["/usr/bin/env", "python3", "\(directory)/limits/scan/scan_bench.py", bench.floors.build, "1"])
    else { return }
    let (text, isGood) = child.finish(seconds: 120)
    guard isGood else { return bench.remark("no figures of plain Python: \(text.prefix(200))") }
    let results = Floors.parse(text)
    for (place, name) in ["filter full", "vwap full", "filter dirty"].enumerated() {
      guard let python = results[name] else { continue }
      bench.remark("plain Python needs \(fixed(python / median(ours[place]), 0)) times as long for \(names[place])")
    }
  }
}

/// A feed and a scanner that have got the corpus over the bus, as from an ingestor.
final class LoadedScanner {
  let feed = BookFeed()
  let scanner: Scanner
  private let publisher: Publisher
  private let subscriber: Subscriber
  /// The first book of each market of the corpus's dirty list.
  private(set) var dirtyBooks: [Int32] = []

  init(_ corpus: MarketCorpus, _ bench: Bench) throws {
    // The floor's walk has no least profit and no largest size.
    var options = ScannerOptions()
    options.minimumProfit = .zero
    options.quantityMax = Quantity(units: 1_000_000)
    options.bookAgeMaxNanoseconds = 3_600_000_000_000
    scanner = Scanner(feed: feed, options: options, board: OpportunityBoard(epoch: 1))
    publisher = try Publisher(name: "ingestor-scan", runDirectory: bench.directory)
    subscriber = try Subscriber(name: "scan", topics: [Topic.market, Topic.book])
    try subscriber.connect(BusEndpoint.ipc(name: "ingestor-scan", runDirectory: bench.directory))
    var isJoined = false
    while !isJoined { publisher.processSubscriptions { _ in isJoined = true } }
    let marketTopic = publisher.topic("\(Topic.market)polymarket/ingestor-scan")
    let bookTopic = publisher.topic("\(Topic.book)polymarket/ingestor-scan")
    var source = BookCache(books: MarketCorpus.marketCount * 2)
    let batch = BookBatch()
    for start in stride(from: 0, to: MarketCorpus.marketCount, by: 200) {
      let places = start..<min(start + 200, MarketCorpus.marketCount)
      publisher.publish(marketTopic) { writer in
        writer.array(places.count)
        for place in places { LoadedScanner.message(place).encode(writer) }
      }
      for place in places {
        for outcome in 0..<2 { LoadedScanner.add(corpus, place, outcome, to: &source, batch) }
      }
      batch.publish(on: publisher, bookTopic)
      receive()
    }
    let end = SystemClock.monotonicNanoseconds + 20_000_000_000
    while feed.liveBookCount < MarketCorpus.marketCount * 2, SystemClock.monotonicNanoseconds < end { receive() }
    precondition(feed.liveBookCount == MarketCorpus.marketCount * 2, "the books did not come over the bus")
    dirtyBooks = corpus.dirty.map { Int32(feed.marketBooks[Int($0)][0]) }
  }

  private func receive() {
    subscriber.receive { event in
      feed.handle(
        event, from: subscriber, onMarket: { scanner.marketChanged($0) }, onBook: { scanner.bookChanged($0) })
    }
  }

  private static func message(_ place: Int) -> MarketMessage {
    let market = PredictionMarket(
      venue: .polymarket, id: "market \(place)", eventID: "event \(place / 100)", question: "Question \(place)?",
      outcomes: [Outcome(token: "\(place * 2)", name: "Yes"), Outcome(token: "\(place * 2 + 1)", name: "No")],
      tick: Price(raw: 100_000))
    return MarketMessage(market: market, books: [UInt32(place * 2), UInt32(place * 2 + 1)])
  }

  private static func add(
    _ corpus: MarketCorpus, _ place: Int, _ outcome: Int, to cache: inout BookCache, _ batch: BookBatch
  ) {
    let book = cache.add(tick: Price(raw: 100_000))
    func side(_ isAsk: Bool) -> [Level] {
      corpus.levels(market: place, outcome: outcome, isAsk: isAsk).reversed().map {
        Level(price: Price(raw: Int64($0.price) * 10_000), quantity: Quantity(raw: Int64($0.size) * 1_000_000))
      }
    }
    let (bids, asks) = (side(false), side(true))
    let now = SystemClock.now
    bids.withUnsafeBufferPointer { bids in
      asks.withUnsafeBufferPointer { asks in
        _ = cache.replace(book, bids: bids, asks: asks, venueTime: now, receivedAt: now)
      }
    }
    batch.snapshot(book: UInt32(book), index: book, of: cache)
  }
}
