import Allocations
import Bus
import CBotan
import Daemon
import Ingesting
import Market

/// `ingest.*`: frame bytes → parser → book → batch → bus, as the ingestor does it, without the sockets.
enum IngestBenchmark {
  static let names = ["ingest.book", "ingest.book.checked", "ingest.price_change"]

  static func run(_ bench: Bench) throws -> [Figure] {
    let corpus = StreamCorpus()
    try corpus.write(to: bench.floors.build)
    let publisher = try Publisher(name: "ingestor-bench", runDirectory: bench.directory)
    let topic = publisher.topic("\(Topic.book)polymarket/ingestor-bench")
    let batch = BookBatch()
    let verifying = books(corpus, verifiesHash: true, batch)
    let trusting = books(corpus, verifiesHash: false, batch)
    batch.publish(on: publisher, topic)
    var ours: [[Double]] = [[], [], []]
    var floor: [[Double]] = [[], []]
    var hashing: [Double] = []
    let deltas = DeltaCorpus.make(ticks: 999)
    try DeltaCorpus.write(deltas, to: "\(bench.floors.build)/many999.bin")
    let runs = [(verifying, corpus.books), (verifying, corpus.changes), (trusting, corpus.books)]
    var allocations: [Double] = [0, 0, 0]
    for _ in 0..<bench.repetitions {
      for (place, run) in runs.enumerated() {
        ours[place].append(
          nanosecondsEach(seconds: 0.25, count: run.1.count) { take(run.1, run.0, batch, publisher, topic) })
        let before = bh_allocation_count()
        take(run.1, run.0, batch, publisher, topic)
        allocations[place] = Double(bh_allocation_count() - before) / Double(run.1.count)
      }
      hashing.append(nanosecondsEach(seconds: 0.25, count: corpus.books.count) { hash(corpus.books) })
      guard let json = bench.floors.results("json_bench", [bench.floors.build, "ondemandsimd", "0.25"]),
        let apply = bench.floors.results("book_bench", [bench.floors.build, "dense", "many999", "1"])?["apply"],
        let book = json["book time"], let change = json["price_change time"]
      else { continue }
      floor[0].append(book)
      floor[1].append(change + apply * Double(corpus.changedLevelCount) / Double(corpus.changes.count))
    }
    let checkedFloor = zip(floor[0], hashing).map { $0 + $1 }
    return [
      Figure(
        names[0], "ns/msg", better: .lower, ours: ours[2], floor: floor[0],
        note: "\(rate(ours[2])) msg/s, \(fixed(allocations[2], 2)) allocations/msg; floor ondemandsimd alone"),
      Figure(
        names[1], "ns/msg", better: .lower, ours: ours[0], floor: checkedFloor,
        note: "\(rate(ours[0])) msg/s, \(fixed(allocations[0], 2)) allocations/msg, each book's SHA-1 checked; "
          + "floor ondemandsimd and SHA-1 of the frame, \(short(median(hashing))) ns"),
      Figure(
        names[2], "ns/msg", better: .lower, ours: ours[1], floor: floor[1],
        note: "\(rate(ours[1])) msg/s, \(fixed(allocations[1], 2)) allocations/msg; "
          + "floor ondemandsimd + dense book"),
    ].filter { bench.wants($0.name) }
  }

  /// What the hash of frames costs at least.
  private static func hash(_ messages: [PaddedMessage]) {
    var handle: botan_hash_t?
    precondition(botan_hash_init(&handle, "SHA-1", 0) == 0)
    defer { botan_hash_destroy(handle) }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digest in
      for message in messages {
        botan_hash_update(handle, message.bytes.assumingMemoryBound(to: UInt8.self).baseAddress, message.bytes.count)
        botan_hash_final(handle, digest.baseAddress)
      }
    }
  }

  private static func rate(_ nanoseconds: [Double]) -> String { short(1e9 / max(1, median(nanoseconds))) }

  private static func books(_ corpus: StreamCorpus, verifiesHash: Bool, _ batch: BookBatch) -> PolymarketBooks {
    let books = PolymarketBooks(verifiesHash: verifiesHash, tradeAge: TradeAgeFilter(ageMaxSeconds: 300))
    for source in corpus.sources { _ = books.adopt(source.market, batch) }
    for message in corpus.startingBooks + corpus.books {
      precondition(books.take(message.bytes, receivedAt: SystemClock.now, batch), "the corpus is not read")
    }
    precondition(books.counters.snapshots == corpus.startingBooks.count + corpus.books.count, "\(books.counters)")
    return books
  }

  /// Twenty frames to a message, as one read of a busy socket brings them.
  private static func take(
    _ messages: [PaddedMessage], _ books: PolymarketBooks, _ batch: BookBatch, _ publisher: Publisher,
    _ topic: TopicHandle
  ) {
    var waiting = 0
    for message in messages {
      _ = books.take(message.bytes, receivedAt: SystemClock.now, batch)
      waiting += 1
      if waiting == 20 {
        batch.publish(on: publisher, topic)
        waiting = 0
      }
    }
    batch.publish(on: publisher, topic)
    precondition(books.wanted.isEmpty, "a book of the corpus was not believed")
  }
}
