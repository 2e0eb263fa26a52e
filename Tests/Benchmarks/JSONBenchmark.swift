import Allocations
import Market
import Venues

/// `json.*`: frames of the market channel through our parser, with the callback; the floor is simdjson On-Demand with
/// branch-free decimals into a plain struct.
enum JSONBenchmark {
  static let names = ["json.book", "json.price_change"]

  static func run(_ bench: Bench) throws -> [Figure] {
    let corpus = StreamCorpus()
    try corpus.write(to: bench.floors.build)
    let parser = PolymarketStreamParser()
    var books: Int32 = 0
    for source in corpus.sources {
      for outcome in source.market.outcomes {
        parser.bind(token: outcome.token, book: books, tick: source.market.tick)
        books += 1
      }
    }
    var figures: [Figure] = []
    let kinds = [("book", corpus.books), ("price_change", corpus.changes)]
    var ours: [[Double]] = [[], []]
    var floor: [[Double]] = [[], []]
    var template: [[Double]] = [[], []]
    var allocations: [Double] = [0, 0]
    for _ in 0..<bench.repetitions {
      for (place, kind) in kinds.enumerated() where bench.wants("json.\(kind.0)") {
        ours[place].append(nanosecondsEach(seconds: 0.25, count: kind.1.count) { parse(parser, kind.1) })
        let before = bh_allocation_count()
        parse(parser, kind.1)
        allocations[place] = Double(bh_allocation_count() - before) / Double(kind.1.count)
      }
      for (mode, target) in [("ondemandsimd", 0), ("template", 1)] {
        guard let results = bench.floors.results("json_bench", [bench.floors.build, mode, "0.25"]) else { continue }
        for (place, kind) in kinds.enumerated() {
          guard let time = results["\(kind.0) time"] else { continue }
          if target == 0 { floor[place].append(time) } else { template[place].append(time) }
        }
      }
    }
    for (place, kind) in kinds.enumerated() where bench.wants("json.\(kind.0)") {
      let template = template[place].isEmpty ? "" : ", template \(short(median(template[place])))"
      figures.append(
        Figure(
          "json.\(kind.0)", "ns/msg", better: .lower, ours: ours[place], floor: floor[place],
          note: "\(fixed(allocations[place], 2)) allocations/msg; floor ondemandsimd\(template)"))
    }
    return figures
  }

  private static func parse(_ parser: PolymarketStreamParser, _ messages: [PaddedMessage]) {
    var sum: Int64 = 0
    var refused = 0
    for message in messages {
      parser.parse(message.bytes) { event in
        switch event {
        case .book(_, _, let bids, let asks, _, _, _): sum &+= bids[0].price.raw &+ asks[0].price.raw
        case .changes(_, let changes): sum &+= changes[0].price.raw &+ Int64(changes[0].book)
        default: refused += 1
        }
      }
    }
    precondition(refused == 0 && sum != 0, "the corpus is not read")
  }
}
