import Daemon
import Foundation
import TestSupport
import Testing

extension SystemTests {
  private static let program = "ingestor-polymarket"
  private static let shards = [program, program + "_01", program + "_02", program + "_03"]
  private static let control = "control-polymarket"

  /// A group with a second ingestor that is not sharded and that nobody else listens to.
  private func deploymentWithControl() throws -> Deployment {
    let deployment = try Deployment(settings: [
      "simulator.updates_per_second": "1500", "simulator.markets": "800", "simulator.events": "160",
    ])
    let file = deployment.folder.appending(path: "supervisor.conf")
    var text = try String(contentsOf: file, encoding: .utf8)
    // The simulator is held for a moment, and must not be taken for hung.
    text = text.replacingOccurrences(
      of: "(?m)^watchdog_s\\s*=.*$", with: "watchdog_s = 600", options: .regularExpression)
    text += """

      [program:\(Self.control)]
      command = %(ENV_BULKHEAD_BIN)s/ingestor polymarket
      priority = 20
      redirect_stderr = true
      stdout_logfile = %(here)s/var/run/logs/\(Self.control).log
      [bulkhead:program:\(Self.control)]
      depends_on = simulator

      """
    try text.write(to: file, atomically: true, encoding: .utf8)
    return deployment
  }

  @Test func `while an ingestor is scaled no update is missed, and nothing is published twice for longer`() throws {
    let deployment = try deploymentWithControl()
    let watcher = try ShardWatcher(deployment, shards: Self.shards, control: Self.control)
    defer { watcher.stop() }
    try deployment.start()
    try deployment.waitUntilReady()
    try wait("all books", seconds: 60) {
      let seen = watcher.seen
      return seen.liveBooks > 1200 && seen.liveBooks == seen.liveBooksTruth && seen.newestTruth > 0
        && seen.newestPublished > 0
    }
    watcher.watch()
    let begin = watcher.seen
    let (from, tokens) = (max(begin.newestTruth, begin.newestPublished), Set(begin.publishers.keys))

    for count in [4, 2] {
      let (status, output) = try deployment.tool(["scale", "\(Self.program)=\(count)"])
      #expect(status == 0, "\(output)")
      #expect(output.contains("done after"), "\(output)")
      let rows = try deployment.status().filter { $0.name.hasPrefix(Self.program) }
      #expect(rows.map(\.name).sorted() == Array(Self.shards.prefix(count)))
      // Each overlap ends: every token has one publisher.
      try wait("one publisher for each token with \(count) shards, not \(watcher.crowds)", seconds: 60) {
        watcher.crowds.isEmpty
      }
      let spread = Dictionary(grouping: watcher.seen.publishers.values.compactMap(\.first)) { $0 }.mapValues(\.count)
      #expect(spread.count == count, "\(spread)")
      let newest = watcher.seen.newestTruth
      try wait("a second of the market with \(count) shards", seconds: 60) {
        watcher.seen.newestTruth > newest + 1_000_000_000
      }
    }
    let until = watcher.seen.newestTruth
    try wait("the rest of that time", seconds: 60) {
      min(watcher.seen.newestTruth, watcher.seen.newestPublished) > until + 1_000_000_000
    }

    // The venue stands still: what is known must be the same.
    let simulator = try #require(try deployment.status().first { $0.name == "simulator" })
    #expect(kill(simulator.pid, SIGSTOP) == 0)
    var different: [String] = []
    let deadline = SystemClock.monotonicNanoseconds + 20_000_000_000
    repeat {
      usleep(100_000)
      different = watcher.compare()
    } while !different.isEmpty && SystemClock.monotonicNanoseconds < deadline
    kill(simulator.pid, SIGCONT)
    #expect(different.isEmpty, "\(different.count) books differ: \(different.prefix(3))")

    let seen = watcher.seen
    #expect(seen.missed == 0, "the test itself was too slow")
    let truth = seen.truth.filter { $0.venueTime > from && $0.venueTime <= until && tokens.contains($0.token) }
    #expect(truth.count > 2000)
    let unpublished = truth.filter { !seen.published.contains($0) && !seen.doubted.contains($0.token) }
    let goingOn = Set(watcher.goingOn(Set(unpublished.map(\.token))))
    let missing = unpublished.filter { goingOn.contains($0.token) }
    #expect(missing.isEmpty, "\(missing.count) of \(truth.count) changes were not published: \(missing.prefix(3))")
    #expect(seen.doubted.count < 50, "\(seen.doubted.count) books were in doubt")
    #expect(watcher.goingOn(seen.abandoned).isEmpty)
    #expect(watcher.goingOn(seen.wentStale).filter { !seen.doubted.contains($0) }.isEmpty)
    #expect(watcher.goingOn(seen.wentBack).isEmpty)
    #expect(seen.handedOver > 500)
    #expect(try deployment.stop() == 0)
  }

  @Test func `a shard that is killed while it takes over does not keep the hand-over from its end`() throws {
    let deployment = try deploymentWithControl()
    let watcher = try ShardWatcher(deployment, shards: Self.shards, control: Self.control)
    defer { watcher.stop() }
    try deployment.start()
    try deployment.waitUntilReady()
    try wait("all books", seconds: 60) {
      let seen = watcher.seen
      return seen.liveBooks > 1200 && seen.liveBooks == seen.liveBooksTruth
    }
    let scaling = Scaling(deployment, "\(Self.program)=3")
    var victim: Int32 = 0
    try wait("the second shard", seconds: 30) {
      victim = (try? deployment.status().first { $0.name == Self.shards[1] }?.pid) ?? 0
      return victim > 0
    }
    kill(victim, SIGKILL)
    try wait("the end of the hand-over", seconds: 60) { scaling.status != nil }
    #expect(scaling.status == 0)
    try wait("one publisher for each token, not \(watcher.crowds)", seconds: 60) {
      watcher.crowds.isEmpty && Set(watcher.seen.publishers.values.flatMap(\.self)).count == 3
    }
    try wait("all books", seconds: 60) { watcher.compare().count < 20 }
    #expect(try deployment.status().first { $0.name == Self.shards[1] }?.pid != victim)
    #expect(try deployment.stop() == 0)
  }
}

/// `bulkhead scale` on a thread of its own.
///
/// `@unchecked Sendable`: running the tool changes nothing in the deployment, and the result is behind a lock.
private final class Scaling: @unchecked Sendable {
  private let lock = NSLock()
  private let deployment: Deployment
  private var result: Int32?

  init(_ deployment: Deployment, _ operand: String) {
    self.deployment = deployment
    Thread.detachNewThread { [self] in
      let status = (try? self.deployment.tool(["scale", operand]).status) ?? -1
      lock.withLock { result = status }
    }
  }

  /// Its exit status; nil until it has ended.
  var status: Int32? { lock.withLock { result } }
}
