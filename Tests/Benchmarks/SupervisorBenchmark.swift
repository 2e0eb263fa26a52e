import Daemon
import Glibc
import Web

/// `supervisor.*`: our supervisor beside others, measured by the harness that measures them all in one run.
///
/// The harness starts each supervisor with a hundred tiny children, kills things, and writes one JSON object a line.
enum SupervisorBenchmark {
  /// One figure: a test of the harness, a field of its result, and the column that it is held against.
  private struct Wanted {
    let name: String
    let unit: String
    let better: Figure.Better
    let test: String
    let field: String
    /// The columns that are the limit, the first that was measured.
    let limits: [String]
  }

  private static let floor = ["floor-waitpid", "floor-pidfd"]
  private static let figures = [
    Wanted(
      name: "supervisor.restart.1", unit: "ms", better: .lower, test: "restart1", field: "median", limits: floor),
    Wanted(
      name: "supervisor.restart.100", unit: "ms", better: .lower, test: "restart100", field: "median", limits: floor),
    Wanted(
      name: "supervisor.restart.young", unit: "ms", better: .lower, test: "rekill", field: "median", limits: floor),
    Wanted(
      name: "supervisor.start.100", unit: "ms", better: .lower, test: "startup100", field: "median",
      limits: ["runit"] + floor),
    Wanted(
      name: "supervisor.memory.100", unit: "MiB", better: .lower, test: "footprint100", field: "pss_mib",
      limits: ["runit", "supervisord"]),
    Wanted(
      name: "supervisor.wakeups", unit: "1/s", better: .lower, test: "footprint100", field: "wakeups_per_s",
      limits: ["supervisord"]),
    Wanted(
      name: "supervisor.rpc.all", unit: "ms", better: .lower, test: "rpc100", field: "getAllProcessInfo_median_ms",
      limits: ["supervisord"]),
    Wanted(
      name: "supervisor.flood.lines", unit: "MB/s", better: .higher, test: "flood_line", field: "mb_s",
      limits: ["supervisord", "floor-cat"]),
    Wanted(
      name: "supervisor.flood.lines.cpu", unit: "s/GB", better: .lower, test: "flood_line",
      field: "sup_cpu_s_per_gb", limits: ["supervisord", "floor-cat"]),
    Wanted(
      name: "supervisor.flood.blocks", unit: "MB/s", better: .higher, test: "flood_block", field: "mb_s",
      limits: ["supervisord", "floor-cat"]),
    Wanted(
      name: "supervisor.flood.blocks.cpu", unit: "s/GB", better: .lower, test: "flood_block",
      field: "sup_cpu_s_per_gb", limits: ["supervisord", "floor-cat"]),
    Wanted(
      name: "supervisor.killed.restart", unit: "ms", better: .lower, test: "orphans",
      field: "restart_after_root_kill_ms", limits: ["runit", "s6"]),
    Wanted(
      name: "supervisor.killed.copies", unit: "copies", better: .lower, test: "orphans",
      field: "copies_of_child_after_parent_kill", limits: ["runit"]),
  ]

  static var names: [String] { figures.map(\.name) }

  private static let columns = ["ours", "supervisord", "runit", "s6", "floor-waitpid", "floor-pidfd", "floor-cat"]

  static func run(_ bench: Bench) throws -> [Figure] {
    let wanted = figures.filter { bench.wants($0.name) }
    let shared = FilePaths.absolute(Environment.current["BULKHEAD_SHARED"] ?? "../shared")
    let harness = "\(shared)/supervisors/bench.py"
    guard access(harness, R_OK) == 0 else {
      bench.remark("supervisor.*: skipped, \(harness) is not there (BULKHEAD_SHARED)")
      return []
    }
    let supervisor = "\(bench.products)/supervisor"
    guard access(supervisor, X_OK) == 0 else {
      bench.remark("supervisor.*: skipped, \(supervisor) is not built")
      return []
    }
    let output = "\(bench.directory)/supervisors.jsonl"
    // In memory, so that no disk is measured.
    let scratch = "/dev/shm/bulkhead-supervisors-\(getpid())"
    defer { if let removal = try? Child(["/bin/rm", "-rf", scratch]) { _ = removal.finish(seconds: 30) } }
    let tests = wanted.reduce(into: [String]()) { if !$0.contains($1.test) { $0.append($1.test) } }
    let process = try Child(
      [
        "/usr/bin/env", "python3", harness, "--conf", "ours=\(supervisor) -n -c {conf}",
        "--only", columns.joined(separator: ","), "--tests", tests.joined(separator: ","), "--quick",
        "--rounds", "\((bench.repetitions + 1) / 2)", "--wait-quiet", "5", "--out", output,
      ], environment: ["BENCH_DIR": scratch])
    let (said, isGood) = process.finish(seconds: 7200)
    guard isGood, let bytes = try? readFile(output, sizeMax: 1 << 26) else {
      bench.remark("supervisor.*: skipped, \(harness) failed: \(said.suffix(300))")
      return []
    }
    for line in said.split(separator: "\n") where line.hasSuffix("skipped") { bench.remark("supervisor.*: \(line)") }
    let results = read(String(decoding: bytes, as: UTF8.self))
    return wanted.compactMap { figure(of: $0, results, bench) }
  }

  /// Values by test, column and field; lists of samples are pooled, and stand for the median.
  private typealias Results = [String: [String: [String: [Double]]]]

  private static func read(_ text: String) -> Results {
    var results: Results = [:]
    for line in text.split(separator: "\n") {
      guard let row = try? JSONDocument(Array(line.utf8)).root, let test = row["test"]?.string,
        let column = row["name"]?.string, let result = row["result"]?.members
      else { continue }
      for (field, value) in result {
        if field == "samples", let samples = value.kind == .array ? value.elements : nil {
          let numbers = samples.compactMap { $0.numberText.flatMap(Double.init) }
          results[test, default: [:]][column, default: [:]]["median", default: []] += numbers
        } else if field != "median", let number = value.numberText.flatMap(Double.init) {
          results[test, default: [:]][column, default: [:]][field, default: []].append(number)
        }
      }
    }
    return results
  }

  private static func figure(of wanted: Wanted, _ results: Results, _ bench: Bench) -> Figure? {
    func values(_ column: String) -> [Double] { results[wanted.test]?[column]?[wanted.field] ?? [] }
    let ours = values("ours")
    guard !ours.isEmpty else {
      bench.remark("\(wanted.name): our supervisor has no result of \(wanted.test)")
      return nil
    }
    let limit = wanted.limits.first { !values($0).isEmpty }
    let others = columns.dropFirst().compactMap { column in
      values(column).isEmpty ? nil : "\(column) \(short(median(values(column))))"
    }
    return Figure(
      wanted.name, wanted.unit, better: wanted.better, ours: ours, floor: limit.map(values) ?? [],
      note: ([limit.map { "limit \($0)" }].compactMap(\.self) + others).joined(separator: ", "))
  }
}
