import Bus
import Daemon
import Glibc

/// The venue, the real ingestor and the real scanner, in a run directory of their own.
final class Pipeline {
  let venue: BenchVenue
  let directory: String
  private(set) var ingestor: Child
  private(set) var scanner: Child
  private let products: String
  private let configuration: String
  /// What the two said, for the case that they fail.
  private(set) var said: [String] = []

  /// Starts both; `waitForBooks` waits until they have everything.
  init(_ bench: Bench, name: String, assetsPerConnection: Int) throws {
    directory = "\(bench.directory)/\(name)"
    products = bench.products
    configuration = "\(directory)/supervisor.conf"
    venue = try BenchVenue()
    for product in ["ingestor", "scanner"] where access("\(products)/\(product)", X_OK) != 0 {
      throw SystemError("access \(products)/\(product)", code: errno)
    }
    try FilePaths.makeDirectories(directory, mode: 0o700)
    // Every market becomes an opportunity here, so that the scan of everything, which a venue with one in a hundred
    // hardly notices, is left out of the figure.
    let text = """
      [bulkhead]
      run_dir = \(directory)/run
      data_dir = \(directory)/data
      [bus]
      publishers = ingestor-polymarket
      [polymarket]
      gamma_url = http://\(venue.address)/gamma
      clob_url = http://\(venue.address)/clob
      data_url = http://\(venue.address)/data
      websocket_url = ws://\(venue.address)/ws/market
      assets_per_connection = \(assetsPerConnection)
      metadata_refresh_s = 86400
      silence_s = 3600
      frozen_s = 86400
      [scanner]
      full_scan_s = 3600
      book_age_max_ms = 86400000

      """
    try writeFileAtomically(Array(text.utf8), to: configuration)
    ingestor = try Pipeline.start(products, configuration, ["ingestor", "polymarket"], "ingestor-polymarket")
    scanner = try Pipeline.start(products, configuration, ["scanner"], "scanner")
  }

  private static func start(
    _ products: String, _ configuration: String, _ command: [String], _ name: String
  ) throws(SystemError) -> Child {
    try Child(
      ["\(products)/\(command[0])"] + command.dropFirst() + ["-c", configuration, "--name", name],
      environment: ["BULKHEAD_CONF": configuration, "BULKHEAD_NAME": name])
  }

  /// Where the processes meet.
  var runDirectory: String { "\(directory)/run" }

  /// Serves the venue until the scanner has every book live.
  /// - Returns: whether that came to be.
  func waitForBooks(seconds: Double = 60) throws(BusError) -> Bool {
    let health = try Subscriber(name: "bench-health", topics: [Topic.health + "scanner"], wantsSnapshot: false)
    try health.connect(BusEndpoint.ipc(name: "scanner", runDirectory: runDirectory))
    var live: Int64 = 0
    return venue.serve(
      until: {
        said += ingestor.takeLines() + scanner.takeLines()
        health.receive { event in
          guard case .message(_, _, _, var reader) = event, let message = try? HealthMessage(&reader) else { return }
          live = message.counters["books_live"] ?? 0
        }
        return live == Int64(BenchVenue.marketCount * 2)
      }, seconds: seconds)
  }

  /// Serves the venue until both processes have done what their start has left to do, or a time is over.
  ///
  /// The catalogue goes to the history in parts, one a second.
  func settle(seconds: Double = 60) {
    var used = processorNanoseconds(ingestor.pid) + processorNanoseconds(scanner.pid)
    let end = SystemClock.monotonicNanoseconds + Int64(seconds * 1e9)
    while SystemClock.monotonicNanoseconds < end {
      venue.serve(milliseconds: 2500)
      let now = processorNanoseconds(ingestor.pid) + processorNanoseconds(scanner.pid)
      if now - used < 50_000_000 { return }
      used = now
    }
  }

  /// Drops every stream at once, and waits until the ingestor has every book again from the stream.
  /// - Returns: milliseconds, and the share of them in which the ingestor had nothing to do; nil where it did not happen.
  func resynchronise() throws(BusError) -> (milliseconds: Double, idle: Double)? {
    let topic = Topic.health + "ingestor-polymarket"
    let health = try Subscriber(name: "bench-resync", topics: [topic], wantsSnapshot: false)
    try health.connect(BusEndpoint.ipc(name: "ingestor-polymarket", runDirectory: runDirectory))
    var counters: [String: Int64] = [:]
    func listen() {
      said += ingestor.takeLines() + scanner.takeLines()
      health.receive { event in
        guard case .message(_, _, _, var reader) = event, let message = try? HealthMessage(&reader) else { return }
        counters = message.counters
      }
    }
    let isHeard = { () -> Bool in
      listen()
      return counters["snapshots"] != nil
    }
    guard venue.serve(until: isHeard, seconds: 10), let before = counters["snapshots"] else { return nil }
    let all = Int64(BenchVenue.marketCount * 2)
    let (start, used) = (SystemClock.monotonicNanoseconds, processorNanoseconds(ingestor.pid))
    venue.disconnectAll()
    var end: Int64 = 0
    let isDone = { () -> Bool in
      listen()
      // The ingestor counts once a second; that the venue has sent the last book is seen at once.
      if self.venue.unsentBookCount > 0 { end = 0 } else if end == 0 { end = SystemClock.monotonicNanoseconds }
      return end > 0 && (counters["snapshots"] ?? 0) >= before + all && counters["books_live"] == all
    }
    guard venue.serve(until: isDone, seconds: 60) else { return nil }
    let busy = Double(processorNanoseconds(ingestor.pid) - used)
    return (Double(end - start) / 1e6, max(0, 1 - busy / Double(end - start)))
  }

  /// Kills the scanner, starts it again, and waits until it says that it has all books.
  /// - Returns: milliseconds from the start to that; nil where it did not happen.
  func recoverScanner() throws -> Double? {
    scanner.kill()
    let start = SystemClock.monotonicNanoseconds
    scanner = try Pipeline.start(products, configuration, ["scanner"], "scanner")
    var end: Int64?
    let wanted = "books=\(BenchVenue.marketCount * 2)"
    _ = venue.serve(
      until: {
        for line in scanner.takeLines() {
          said.append(line)
          if line.contains("all books are here"), line.contains(wanted) { end = SystemClock.monotonicNanoseconds }
        }
        return end != nil
      }, seconds: 30)
    return end.map { Double($0 - start) / 1e6 }
  }

  /// The ingestor's resident memory in bytes.
  func ingestorMemory() -> Int {
    guard let bytes = try? readFile("/proc/\(ingestor.pid)/statm", sizeMax: 4096) else { return 0 }
    let fields = String(decoding: bytes, as: UTF8.self).split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(getpagesize()) : 0
  }

  /// The same after some seconds in which the venue tells nothing new.
  func settledIngestorMemory(seconds: Double) -> Int {
    _ = venue.serve(until: { false }, seconds: seconds)
    return ingestorMemory()
  }

  /// What the two have said since they were last asked.
  func newLines() -> [String] { ingestor.takeLines() + scanner.takeLines() }

  /// Ends both.
  func stop() {
    scanner.stop()
    ingestor.stop()
  }
}

/// The processor time that a process has used, in nanoseconds; 0 where there is none.
private func processorNanoseconds(_ pid: pid_t) -> Int64 {
  var clock = clockid_t()
  var time = timespec()
  guard clock_getcpuclockid(pid, &clock) == 0, clock_gettime(clock, &time) == 0 else { return 0 }
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
