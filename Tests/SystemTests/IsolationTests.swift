import Daemon
import Foundation
import Market
import Store
import TestSupport
import Testing

/// Each test starts a whole group; one at a time, the machine is small.
@Suite(.serialized) struct SystemTests {
  private static let workers = [
    "simulator", "ingestor-polymarket", "ingestor-binance", "ingestor-coinbase", "ingestor-kraken", "ingestor-okx",
    "ingestor-bybit", "ingestor-candles", "scanner", "executor", "settler", "dashboard",
  ]

  @Test func `when a worker is killed only that one is restarted and nobody else misses a message`() throws {
    let deployment = try Deployment(settings: ["simulator.updates_per_second": "2000"])
    let listener = try Listener(deployment, publishers: Self.workers)
    try deployment.start()
    try deployment.waitUntilReady()
    try wait("fills", seconds: 60) { listener.seen.fills.count >= 4 }
    for victim in Self.workers {
      let before = Dictionary(uniqueKeysWithValues: try deployment.status().map { ($0.name, $0) })
      let gapsBefore = listener.seen.gaps
      let pid = try #require(before[victim]?.pid)
      #expect(kill(pid, SIGKILL) == 0)
      var after: [String: StatusRow] = [:]
      try wait("\(victim) to be back", seconds: 30) {
        after = Dictionary(uniqueKeysWithValues: try deployment.status().map { ($0.name, $0) })
        guard let row = after[victim] else { return false }
        return row.pid != pid && row.pid > 0 && row.state == "RUNNING" && row.ready
      }
      for name in Self.workers where name != victim {
        #expect(after[name]?.pid == before[name]?.pid, "\(name) must not notice that \(victim) died")
        #expect(after[name]?.restarts == before[name]?.restarts)
      }
      #expect(after[victim]?.restarts == (before[victim]?.restarts ?? 0) + 1)
      let newGaps = listener.seen.gaps.filter { gapsBefore[$0.key] != $0.value && !$0.key.contains(victim) }
      #expect(newGaps.isEmpty, "after \(victim) died: \(newGaps)")
      if victim == "scanner" { try checkRecovery(listener) }
      // The stream must be alive again before the next one dies.
      let changes = listener.seen.health["ingestor-polymarket"]?["changes"] ?? 0
      try wait("changes of books after \(victim) died", seconds: 60) {
        (listener.seen.health["ingestor-polymarket"]?["changes"] ?? 0) > changes + 200
          || (victim == "ingestor-polymarket" && (listener.seen.health["ingestor-polymarket"]?["changes"] ?? 0) > 200)
      }
    }
    let fillsBefore = listener.seen.fills.count
    try wait("fills after all restarts", seconds: 60) { listener.seen.fills.count > fillsBefore }
    #expect(try deployment.stop() == 0)
    try checkBooks(deployment)
  }

  /// A restarted scanner has every book back, from the ingestor's memory alone.
  private func checkRecovery(_ listener: Listener) throws {
    let requests = listener.seen.health["ingestor-polymarket"]?["rest_books"] ?? 0
    try wait("all books back in the scanner", seconds: 20) {
      let seen = listener.seen
      guard let live = seen.health["ingestor-polymarket"]?["books_live"], live > 3000 else { return false }
      return (seen.health["scanner"]?["books_live"] ?? 0) >= live - 50
    }
    let fetched = (listener.seen.health["ingestor-polymarket"]?["rest_books"] ?? 0) - requests
    #expect(fetched < 50, "the scanner's restart must cost no REST request; \(fetched) books were fetched")
  }

  /// The journal has each order once, every order has ended, and the ledger balances and has booked every fill.
  private func checkBooks(_ deployment: Deployment) throws {
    let journal = try Journal(readingFrom: deployment.dataDirectory + "/journal.db")
    let orders = try journal.orders(limit: 100_000)
    #expect(!orders.isEmpty)
    #expect(Set(orders.map(\.id)).count == orders.count)
    let open = orders.filter { !$0.state.isFinal }
    #expect(open.isEmpty, "orders without an end: \(open.map(\.id))")
    let fills = try journal.fills(after: 0, limit: 1_000_000)
    let filled = Dictionary(grouping: fills, by: \.orderID).mapValues { $0.reduce(Quantity.zero) { $0 + $1.quantity } }
    for order in orders { #expect(order.filled == filled[order.id] ?? .zero, "order \(order.id)") }
    let ledger = try LedgerStore(readingFrom: deployment.dataDirectory + "/ledger.db")
    let proof = try ledger.verify()
    #expect(proof.isSound, "\(proof.problems)")
    #expect(try ledger.cursor() == fills.last?.sequence ?? 0)
  }

  @Test func `a worker that hangs is killed and started again, and nobody else notices`() throws {
    let deployment = try Deployment()
    let file = deployment.folder.appending(path: "supervisor.conf")
    let text = try String(contentsOf: file, encoding: .utf8)
    let shorter = text.replacingOccurrences(
      of: "(?m)^watchdog_s\\s*=.*$", with: "watchdog_s = 3", options: .regularExpression)
    try #require(shorter != text)
    try shorter.write(to: file, atomically: true, encoding: .utf8)
    try deployment.start()
    let before = Dictionary(uniqueKeysWithValues: try deployment.waitUntilReady().map { ($0.name, $0.pid) })
    let pid = try #require(before["scanner"])
    #expect(kill(pid, SIGSTOP) == 0)
    var after: [String: StatusRow] = [:]
    try wait("the scanner to be started again", seconds: 30) {
      after = Dictionary(uniqueKeysWithValues: try deployment.status().map { ($0.name, $0) })
      return after["scanner"].map { $0.pid != pid && $0.ready && $0.state == "RUNNING" } ?? false
    }
    #expect(!isAlive(pid))
    for (name, pid) in before where name != "scanner" { #expect(after[name]?.pid == pid, "\(name)") }
    #expect(try deployment.stop() == 0)
  }

  @Test func `a group stops within ten seconds and leaves no process behind`() throws {
    let deployment = try Deployment()
    try deployment.start()
    let rows = try deployment.waitUntilReady()
    #expect(Set(rows.map(\.name)).isSuperset(of: Self.workers))
    let started = SystemClock.monotonicNanoseconds
    #expect(try deployment.stop(within: 10) == 0)
    #expect(SystemClock.monotonicNanoseconds - started < 10_000_000_000)
    for row in rows { #expect(!isAlive(row.pid), "\(row.name) is still there") }
  }

  @Test func `single workers are stopped, started and restarted by the tool`() throws {
    let deployment = try Deployment()
    try deployment.start()
    let before = try deployment.waitUntilReady()
    #expect(try deployment.tool(["stop", "scanner"]).status == 0)
    #expect(try deployment.status().first { $0.name == "scanner" }?.state == "STOPPED")
    #expect(try deployment.tool(["start", "scanner"]).status == 0)
    #expect(try deployment.tool(["restart", "settler"]).status == 0)
    let after = try deployment.waitUntilReady()
    for name in ["simulator", "ingestor-polymarket", "executor"] {
      #expect(before.first { $0.name == name }?.pid == after.first { $0.name == name }?.pid)
    }
    #expect(before.first { $0.name == "settler" }?.pid != after.first { $0.name == "settler" }?.pid)
    #expect(try deployment.stop() == 0)
  }

  @Test(arguments: [
    ("[scanner]\nfull_scan_s = soon\n", "full_scan_s"),
    ("[scanner]\nno_such_key = 1\n", "no_such_key"),
    ("[program:lost]\nautostart = true\n", "command"),
    ("[program:scanner]\ncommand = /bin/true\n", "program:scanner"),
    ("[program:bad]\ncommand = /bin/true\nnumprocs = many\n", "numprocs"),
  ])
  func `a wrong configuration names file and line, and nothing is started`(addition: String, named: String) throws {
    let deployment = try Deployment()
    let file = deployment.folder.appending(path: "supervisor.conf")
    var text = try String(contentsOf: file, encoding: .utf8)
    let section = String(addition.prefix { $0 != "\n" })
    if section == "[scanner]" {
      // The section exists: the key goes into it.
      let key = addition.dropFirst(section.count + 1)
      text = text.replacingOccurrences(
        of: "(?m)^full_scan_s\\s*=.*$", with: String(key.dropLast()), options: .regularExpression)
    } else {
      text += "\n" + addition
    }
    try text.write(to: file, atomically: true, encoding: .utf8)
    try deployment.start()
    #expect(try deployment.ended(within: 10) == 100)
    let output = deployment.supervisorOutput
    #expect(output.contains("supervisor.conf:"), "\(output)")
    #expect(output.contains(named), "\(output)")
    #expect(!FileManager.default.fileExists(atPath: deployment.runDirectory + "/bus/scanner"))
  }
}
