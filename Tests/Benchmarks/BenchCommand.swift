import CLinux
import Daemon
import Glibc

/// `bench [NAME…] [--json] [--repetitions N]`: measures the figures whose names begin so, all where none is given.
struct BenchCommand {
  private var prefixes: [String] = []
  private var isJSON = false
  private var repetitions = 5

  init(_ arguments: [String]) throws {
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      switch argument {
      case "--json": isJSON = true
      case "--repetitions":
        guard let text = rest.popFirst(), let number = Int(text), (1...1000).contains(number) else {
          throw ConfigurationError(file: "command line", problem: "expected a number from 1 to 1000 after \(argument)")
        }
        repetitions = number
      case _ where argument.hasPrefix("-"):
        throw ConfigurationError(file: "command line", problem: "unknown option \(argument)")
      default: prefixes.append(argument)
      }
    }
  }

  /// The families, with the figures that each can measure.
  private static let families: [(names: [String], run: @Sendable (Bench) throws -> [Figure])] = [
    (BusBenchmark.names, BusBenchmark.run),
    (JSONBenchmark.names, JSONBenchmark.run),
    (BookBenchmark.names, BookBenchmark.run),
    (ScanBenchmark.names, ScanBenchmark.run),
    (ScanGrowthBenchmark.names, ScanGrowthBenchmark.run),
    (IngestBenchmark.names, IngestBenchmark.run),
    (PipelineBenchmark.names, PipelineBenchmark.run),
    (RestartBenchmark.names, RestartBenchmark.run),
    (SupervisorBenchmark.names, SupervisorBenchmark.run),
    (ResilienceBenchmark.names, ResilienceBenchmark.run),
    (MatchBenchmark.names, MatchBenchmark.run),
  ]

  /// Measures and prints.
  func run() throws {
    Log.configure(level: .error, json: false, process: "bench")
    Signals.ignore(SIGPIPE)
    // What our children leave behind becomes ours to end.
    _ = bh_prctl(PR_SET_CHILD_SUBREAPER, 1)
    let prefixes = self.prefixes
    let bench = try Bench(repetitions: repetitions) { name in
      prefixes.isEmpty || prefixes.contains { name.hasPrefix($0) }
    }
    defer {
      Child.killOrphans()
      bench.cleanUp()
    }
    if !isJSON { writeLine(Figure.head) }
    var count = 0
    for family in BenchCommand.families where bench.wants(anyOf: family.names) {
      bench.progress(family.names.filter(bench.wants).joined(separator: " "))
      for figure in try family.run(bench) {
        writeLine(isJSON ? figure.json : figure.row)
        count += 1
      }
    }
    for line in bench.floors.reasons + bench.remarks { writeLine("bench: \(line)", to: 2) }
    guard count > 0 else {
      throw ConfigurationError(
        file: "command line", problem: "no figure of that name was measured: \(prefixes.joined(separator: " "))")
    }
  }
}
