import Bus
import Daemon

/// `tick_to_opportunity.*`, `scanner.recover`, `memory.ingestor` and `ingest.resync`: the venue, the ingestor and the scanner as three
/// processes; the floor is the same in C++ over libzmq.
enum PipelineBenchmark {
  private static let paces: [(name: String, rate: Int64, count: Int, burst: Int)] = [
    ("1k", 1000, 1000, 1), ("20k", 20_000, 20_000, 1), ("20k.burst20", 20_000, 20_000, 20),
  ]
  private static let latencyNames = paces.flatMap {
    ["tick_to_opportunity.\($0.name).p50", "tick_to_opportunity.\($0.name).p99"]
  }
  static let names = latencyNames + ["scanner.recover", "memory.ingestor", "ingest.resync"]

  static func run(_ bench: Bench) throws -> [Figure] {
    let pipeline = try Pipeline(bench, name: "one", assetsPerConnection: 100_000)
    defer { pipeline.stop() }
    guard try pipeline.waitForBooks() else {
      bench.remark("the pipeline did not get its books:\n" + pipeline.said.suffix(8).joined(separator: "\n"))
      return []
    }
    var figures: [Figure] = []
    if bench.wants("memory.ingestor") { figures.append(memory(bench, pipeline)) }
    if bench.wants(anyOf: latencyNames + ["scanner.recover"]) { pipeline.settle() }
    if bench.wants(anyOf: latencyNames) { figures += try latencies(bench, pipeline) }
    if bench.wants("scanner.recover") { figures += try recovery(bench, pipeline) }
    if bench.wants("ingest.resync") { figures += try resynchronisation(bench) }
    return figures.filter { bench.wants($0.name) }
  }

  /// With as many streams as the venue's limit makes necessary, unlike the figures above.
  private static func resynchronisation(_ bench: Bench) throws -> [Figure] {
    let pipeline = try Pipeline(bench, name: "many", assetsPerConnection: 500)
    defer { pipeline.stop() }
    guard try pipeline.waitForBooks() else { return [] }
    var times: [Double] = []
    var idle: [Double] = []
    for _ in 0..<bench.repetitions {
      guard let (time, share) = try pipeline.resynchronise() else {
        bench.remark("the books did not come again:\n" + pipeline.said.suffix(8).joined(separator: "\n"))
        return []
      }
      times.append(time)
      idle.append(share)
    }
    return [
      Figure(
        "ingest.resync", "ms", better: .lower, ours: times,
        note: "\(BenchVenue.marketCount * 2) books after all of \(pipeline.venue.clientCount) streams were dropped; "
          + "\(fixed(median(idle) * 100, 0)) % of it waiting for the venue")
    ]
  }

  private static func memory(_ bench: Bench, _ pipeline: Pipeline) -> Figure {
    let levels = BenchVenue.marketCount * 2 * BenchVenue.levelCount * 2
    let first = pipeline.ingestorMemory()
    // It gives back what the start needed a few seconds after its subscribers have everything.
    let settled = pipeline.settledIngestorMemory(seconds: 10)
    return Figure(
      "memory.ingestor", "MB", better: .lower, ours: [Double(settled) / 1e6], floor: [Double(levels * 16) / 1e6],
      note:
        "resident, \(BenchVenue.marketCount * 2) books of \(BenchVenue.levelCount * 2) levels; "
        + "limit 16 bytes a level; \(fixed(Double(first) / 1e6, 1)) when the last book had come")
  }

  private static func latencies(_ bench: Bench, _ pipeline: Pipeline) throws -> [Figure] {
    let feed = try Feed(pipeline)
    defer { feed.stop() }
    tightTimers()
    _ = try feed.send(count: 500, rate: 2000, burst: 1)
    var ours = [[[Double]]](repeating: [[], []], count: paces.count)
    var floor = ours
    var lost = [Int](repeating: 0, count: paces.count)
    for _ in 0..<bench.repetitions {
      for (place, pace) in paces.enumerated() {
        guard bench.wants(anyOf: [latencyNames[place * 2], latencyNames[place * 2 + 1]]) else { continue }
        let outcome = try feed.send(count: pace.count, rate: pace.rate, burst: pace.burst)
        ours[place][0].append(percentile(outcome.latencies, 0.5))
        ours[place][1].append(percentile(outcome.latencies, 0.99))
        lost[place] += outcome.lost
        bench.remark(
          "\(pace.name): median \(fixed(percentile(outcome.stages.map(\.scan), 0.5), 0)) us to the scan, "
            + "\(fixed(percentile(outcome.stages.map(\.publication), 0.5), 0)) to the publication, "
            + "\(fixed(percentile(outcome.stages.map(\.arrival), 0.5), 0)) to the listener")
        pipeline.venue.serve(milliseconds: 20)
        let arguments = ["zmq-ipc", "\(pace.rate)", "\(pace.count)", "\(pace.burst)"]
        guard let results = bench.floors.results("e2e", arguments) else { continue }
        let hops = ["stage tcp", "stage parse+apply", "stage hop1", "stage apply+check", "stage hop2"].compactMap {
          name in
          results["\(name) p50"].map { "\(name) \(fixed($0, 0))" }
        }
        bench.remark("\(pace.name): floor " + hops.joined(separator: ", "))
        for (which, key) in ["p50", "p99"].enumerated() {
          results["tick-to-opportunity \(key)"].map { floor[place][which].append($0) }
        }
        pipeline.venue.serve(milliseconds: 20)
      }
    }
    return paces.indices.flatMap { place in
      (0..<2).map { which in
        Figure(
          latencyNames[place * 2 + which], "us", better: .lower, ours: ours[place][which],
          floor: floor[place][which],
          note: "\(paces[place].rate) msg/s in bursts of \(paces[place].burst), \(pipeline.venue.clientCount) streams, "
            + "\(lost[place]) lost; floor e2e zmq-ipc")
      }
    }
  }

  private static func recovery(_ bench: Bench, _ pipeline: Pipeline) throws -> [Figure] {
    var times: [Double] = []
    let requests = pipeline.venue.requestCount
    for _ in 0..<bench.repetitions {
      guard let time = try pipeline.recoverScanner() else {
        bench.remark("the scanner did not recover:\n" + pipeline.said.suffix(8).joined(separator: "\n"))
        return []
      }
      times.append(time)
    }
    return [
      Figure(
        "scanner.recover", "ms", better: .lower, ours: times,
        note: "SIGKILL, start, \(BenchVenue.marketCount * 2) books back from the ingestor's memory; "
          + "\(pipeline.venue.requestCount - requests) requests at the venue meanwhile")
    ]
  }
}
