import Daemon
import Market

/// `book.*`: a million changes of 54,920 books, both touches read after each; the floor is C over sorted arrays, and
/// over arrays with a place for every tick.
enum BookBenchmark {
  static let names = ["book.apply", "book.apply.999"]

  static func run(_ bench: Bench) throws -> [Figure] {
    var figures: [Figure] = []
    for (name, ticks) in [("book.apply", 99), ("book.apply.999", 999)] where bench.wants(name) {
      let deltas = DeltaCorpus.make(ticks: ticks)
      try DeltaCorpus.write(deltas, to: "\(bench.floors.build)/many\(ticks).bin")
      var cache = BookCache(books: DeltaCorpus.bookCount)
      let tick: Int64 = ticks == 99 ? 1_000_000 : 100_000
      let none = UnsafeBufferPointer<Level>(start: nil, count: 0)
      let zero = Timestamp(nanoseconds: 0)
      for _ in 0..<DeltaCorpus.bookCount {
        let book = cache.add(tick: Price(raw: tick))
        _ = cache.replace(book, bids: none, asks: none, venueTime: zero, receivedAt: zero)
      }
      _ = apply(deltas, tick, &cache)
      var ours: [Double] = []
      var sorted: [Double] = []
      var dense: [Double] = []
      for _ in 0..<bench.repetitions {
        ours.append(apply(deltas, tick, &cache))
        for kind in ["sorted", "dense"] {
          let arguments = [bench.floors.build, kind, "many\(ticks)", "1"]
          guard let time = bench.floors.results("book_bench", arguments)?["apply"] else { continue }
          if kind == "sorted" { sorted.append(time) } else { dense.append(time) }
        }
      }
      let other = dense.isEmpty ? "" : ", dense \(short(median(dense)))"
      figures.append(
        Figure(
          name, "ns/delta", better: .lower, ours: ours, floor: sorted,
          note: "\(ticks) ticks; floor sorted arrays\(other)"))
    }
    return figures
  }

  private static func apply(_ deltas: [DeltaCorpus.Delta], _ tick: Int64, _ cache: inout BookCache) -> Double {
    let start = SystemClock.monotonicNanoseconds
    var sum: Int64 = 0
    deltas.withUnsafeBufferPointer { deltas in
      for delta in deltas {
        let time = Timestamp(nanoseconds: start)
        let book = Int(delta.book)
        let result = cache.apply(
          book, side: delta.side == 1 ? .bid : .ask, price: Price(raw: Int64(delta.tick) * tick),
          quantity: Quantity(raw: delta.size * 100), venueTime: time, receivedAt: time)
        let touch = cache.touches[book]
        sum &+= touch.bid &* 3 &+ touch.ask &+ Int64(result.rawValue)
      }
    }
    precondition(sum != 0)
    return Double(SystemClock.monotonicNanoseconds - start) / Double(deltas.count)
  }
}
