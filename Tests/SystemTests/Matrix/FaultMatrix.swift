import Daemon
import Foundation
import Market
import TestSupport

/// All ingestors and the collectors against the simulator, one fault after the other.
final class FaultMatrix {
  /// What came of one cell.
  struct Row: Sendable {
    let fault: MatrixFault
    let venue: Venue
    /// What was seen, or why there is nothing to see.
    var seen = ""
    var applies = true
    /// How long the process took to see it, and how long after its end the data was right again, in milliseconds.
    var seenMilliseconds: Int64 = 0
    var rightMilliseconds: Int64 = 0
    /// How many requests, frames and streams the board counts.
    var struck = ""
    /// What went wrong: not seen, not right again, others disturbed.
    var problems: [String] = []
  }

  static let workers =
    ["simulator"] + Venue.allCases.filter { $0 != .coingecko }.map { "ingestor-\($0.rawValue)" }
    + ["ingestor-candles", "ingestor-gecko"]
  /// How many beats of a second nobody else may be silent.
  static let pauseBeatsMax = 6

  let deployment: Deployment
  let judge: MatrixJudge
  let truth: VenueTruth
  private let board: FaultClient
  private var pids: [String: Int32] = [:]

  init() throws {
    deployment = try Deployment(settings: Self.settings)
    try Self.trim(deployment)
    board = FaultClient(deployment)
    judge = try MatrixJudge(deployment, publishers: Self.workers)
    truth = VenueTruth(runDirectory: deployment.runDirectory)
  }

  deinit { judge.stop() }

  /// Limits that are short, so that a cell takes seconds and not minutes.
  private static var settings: [String: String] {
    var settings = [
      "simulator.markets": "40", "simulator.events": "10", "simulator.updates_per_second": "300",
      "simulator.arbitrages_per_second": "0", "polymarket.request_timeout_s": "3", "polymarket.metadata_refresh_s": "3",
      "polymarket.sample_s": "1", "polymarket.sample_books": "1000", "polymarket.frozen_s": "2",
      "polymarket.silence_s": "5", "polymarket.ping_s": "2", "polymarket.poll_s": "1", "kalshi.request_timeout_s": "3",
      "kalshi.metadata_refresh_s": "3", "kalshi.silence_s": "5", "kalshi.sample_s": "1", "kalshi.sample_books": "1000",
      "kalshi.frozen_s": "2", "kalshi.poll_s": "1", "candles.price_interval_s": "4", "candles.delay_s": "0",
      "candles.fetch_timeout_s": "2", "candles.fetch_retries_max": "1", "candles.fetch_retry_delay_s": "0.2",
      "candles.gather_limit_s": "8", "candles.breaker_failures_max": "1000", "candles.timeframes": "1m",
      "candles.symbols": "BTC,ETH", "bulkhead.request_share_percent": "100",
    ]
    for venue in ["binance", "coinbase", "kraken", "okx", "bybit"] {
      settings["\(venue).silence_s"] = "5"
      settings["\(venue).frozen_s"] = "2"
      settings["\(venue).poll_s"] = "1"
    }
    return settings
  }

  /// Leaves simulator, ingestors and collector, and adds a collector to which CoinGecko alone answers.
  private static func trim(_ deployment: Deployment) throws {
    let data = deployment.folder.appending(path: "var/gecko").path
    try deployment.keep(
      programs: workers,
      adding: """

        [program:ingestor-gecko]
        command = %(ENV_BULKHEAD_BIN)s/ingestor candles
        environment = BULKHEAD_CANDLES_EXCHANGES="okx",BULKHEAD_OKX_REST_URL="simulator:/nowhere",\
        BULKHEAD_CANDLES_SYMBOLS="BTC",BULKHEAD_CANDLES_TIMEFRAMES="1d",BULKHEAD_BULKHEAD_DATA_DIR="\(data)"
        priority = 20
        stopwaitsecs = 3
        redirect_stderr = true
        stdout_logfile = %(here)s/var/run/logs/ingestor-gecko.log

        [bulkhead:program:ingestor-gecko]
        depends_on = simulator

        """)
  }

  // MARK: - Cells

  /// Starts all processes, and waits until every venue is right.
  func start() async throws {
    try deployment.start()
    try await until("all processes to be ready", seconds: 120) { [deployment] in
      let rows = (try? deployment.status()) ?? []
      return rows.count >= Self.workers.count && rows.allSatisfy { $0.state == "RUNNING" && $0.ready }
    }
    for row in try deployment.status() { pids[row.name] = row.pid }
    for venue in Venue.allCases { _ = try await waitUntilRight(venue, seconds: 120) }
  }

  func stop() throws -> Int32 { try deployment.stop() }

  /// Sets a fault on a venue, waits until it was seen, ends it, and waits until the venue is right again.
  func run(_ fault: MatrixFault, _ venue: Venue) async throws -> Row {
    var row = Row(fault: fault, venue: venue)
    guard case .applies(let sighting) = MatrixCell.of(fault, venue) else {
      if case .doesNotApply(let reason) = MatrixCell.of(fault, venue) { row.seen = "does not apply: " + reason }
      row.applies = false
      return row
    }
    judge.begin()
    let before = judge.counters(sighting.process)
    let begun = SystemClock.monotonicNanoseconds
    try await board.set(venue.rawValue, fault.body)
    if fault.isOfRequests, venue != .coingecko { try await board.set(venue.rawValue, "\"kind\":\"disconnect\"") }
    func grown() -> [(String, Int64)] {
      let now = judge.counters(sighting.process)
      return sighting.counters.map { names in
        let all = names.split(separator: "|").map { name in
          (String(name), (now[String(name)] ?? 0) - (before[String(name)] ?? 0))
        }
        return all.max { $0.1 < $1.1 } ?? (names, 0)
      }
    }
    do {
      try await until("sight", seconds: 60) {
        grown().allSatisfy { $0.1 > 0 } && (sighting.words.isEmpty || self.hasLogged(sighting))
      }
    } catch { row.problems.append("not seen within 60 s") }
    row.seenMilliseconds = (SystemClock.monotonicNanoseconds - begun) / 1_000_000
    if fault == .rateLimit || fault == .ban, row.problems.isEmpty { row.problems += try await impatience(venue, begun) }
    let struck = try await board.struck(venue.rawValue)
    row.struck = "\(struck.requests)/\(struck.frames)/\(struck.streams)"
    try await board.clear(venue.rawValue)
    let cleared = SystemClock.monotonicNanoseconds
    do {
      let at = try await waitUntilRight(venue, seconds: 120)
      row.rightMilliseconds = (at - cleared) / 1_000_000
      try await until("streams", seconds: 60) { self.areStreamsOpen(venue) }
    } catch { row.problems.append("not right again: \(error)") }
    row.seen = grown().map { "\($0.0) +\($0.1)" }.joined(separator: ", ")
    row.problems += disturbances(except: venue)
    if !row.problems.isEmpty {
      let moved = judge.counters(sighting.process).compactMap { name, count -> String? in
        let difference = count - (before[name] ?? 0)
        return difference == 0 ? nil : "\(name) \(difference)"
      }
      row.problems.append("counters: " + moved.sorted().joined(separator: ", "))
    }
    return row
  }

  /// Whoever is asked to wait waits: from a second after the first refusal until the time is over, no stream is tried,
  /// and requests come from those only who have not heard it yet.
  private func impatience(_ venue: Venue, _ begun: Int64) async throws -> [String] {
    try await Task.sleep(for: .milliseconds(1000))
    let first = try await board.struck(venue.rawValue)
    let left = begun + MatrixFault.patienceSeconds * 1_000_000_000 - 1_500_000_000 - SystemClock.monotonicNanoseconds
    guard left > 0 else { return [] }
    try await Task.sleep(for: .nanoseconds(left))
    let last = try await board.struck(venue.rawValue)
    var problems: [String] = []
    if last.handshakes > first.handshakes {
      problems.append("\(last.handshakes - first.handshakes) handshakes although it was asked to wait")
    }
    if last.requests - first.requests > 4 {
      problems.append("\(last.requests - first.requests) requests although it was asked to wait")
    }
    return problems
  }

  private func hasLogged(_ sighting: Sighting) -> Bool {
    deployment.log(sighting.process).split(separator: "\n").contains {
      ($0.contains("refused") || $0.contains("failed") || $0.contains("withheld") || $0.contains("PRICING")
        || $0.contains("DATA_RETRY")) && $0.contains(sighting.words)
    }
  }

  /// A venue that is polled is right, but not as it was.
  private func areStreamsOpen(_ venue: Venue) -> Bool {
    guard venue != .coingecko else { return true }
    let counters = judge.counters("ingestor-\(venue.rawValue)")
    return counters["connections_open"] == counters["connections"] && counters["symbols_polled"] ?? 0 == 0
  }

  /// - Returns: when it was right, by the monotonic clock.
  private func waitUntilRight(_ venue: Venue, seconds: Double) async throws -> Int64 {
    var proof = truth.proof(venue, judge)
    var wrong: [String] = []
    let deadline = SystemClock.monotonicNanoseconds + Int64(seconds * 1e9)
    while SystemClock.monotonicNanoseconds < deadline {
      do {
        wrong = try await truth.stillWrong(venue, judge, &proof)
        if wrong.isEmpty { return SystemClock.monotonicNanoseconds }
      } catch { wrong = ["\(error)"] }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw Overdue("\(venue.rawValue): \(wrong.count) wrong: \(wrong.prefix(3).joined(separator: ", "))")
  }

  /// What the other venues have felt.
  private func disturbances(except venue: Venue) -> [String] {
    let seen = judge.disturbances
    var problems: [String] = []
    func isOther(_ topic: String) -> Bool {
      if venue == .coingecko { return !topic.hasSuffix("/ingestor-gecko") }
      return !topic.hasSuffix("/ingestor-\(venue.rawValue)")
    }
    for (other, count) in seen.repeated { problems.append("\(other.rawValue): \(count) trades told twice") }
    for (other, count) in seen.old { problems.append("\(other.rawValue): \(count) old trades told") }
    for (topic, count) in seen.missed where isOther(topic) { problems.append("\(topic): \(count) messages missed") }
    for topic in seen.restarted { problems.append("\(topic): started anew") }
    for (topic, beats) in seen.pauses where isOther(topic) && beats > Self.pauseBeatsMax {
      problems.append("\(topic): silent for \(beats) s")
    }
    for book in seen.stale where book.venue != venue { problems.append("\(book.venue.rawValue): stale: \(book.what)") }
    if !seen.unpriced.isEmpty { problems.append("prices: " + Set(seen.unpriced).sorted().joined(separator: ", ")) }
    for row in (try? deployment.status()) ?? [] where row.pid != pids[row.name] {
      problems.append("\(row.name): another process")
    }
    return problems
  }
}

extension FaultMatrix.Row: CustomStringConvertible {
  /// One line of the table.
  var description: String {
    func padded(_ text: String, _ width: Int) -> String {
      text.padding(toLength: max(width, text.count), withPad: " ", startingAt: 0)
    }
    let head = padded(fault.rawValue, 14) + padded(venue.rawValue, 11)
    guard applies else { return head + seen }
    let times = padded("seen in \(seenMilliseconds) ms", 19) + padded("right in \(rightMilliseconds) ms", 20)
    let others = problems.isEmpty ? "others undisturbed" : "FAILED: " + problems.joined(separator: "; ")
    return head + times + padded(others, 20) + padded("struck \(struck)", 18) + seen
  }
}
