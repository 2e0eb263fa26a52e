import Foundation
import Market
import Store
import TestSupport
import Testing

/// The process is killed while it writes; what it had acknowledged must be there, and nothing by halves.
@Suite struct CrashTests {
  /// Writes batches of three orders, then their fills, and appends one byte to `acknowledged` after each commit.
  static func writeUntilKilled(path: String, afterMicroseconds delay: UInt32) throws {
    let journal = try Journal(path: path)
    let acknowledged = open(path + ".acknowledged", O_WRONLY | O_CREAT | O_APPEND, 0o600)
    Thread.detachNewThread {
      usleep(delay)
      kill(getpid(), SIGKILL)
    }
    let start = try journal.orders(limit: 1_000_000).count / 3
    for batch in start... {
      var orders: [Order] = []
      for part in 0..<3 { orders.append(try sampleOrder("o\(batch)-\(part)")) }
      try journal.record(orders: orders)
      write(acknowledged, "r", 1)
      var changes: [OrderChange] = []
      for order in orders {
        var order = order
        order.state = .filled
        order.filled = order.quantity
        let half = try sampleFill(of: order, quantity: "50")
        changes.append(OrderChange(order: order, fills: [half, half]))
      }
      try journal.update(changes)
      write(acknowledged, "u", 1)
    }
  }

  @Test(arguments: [3000, 20_000, 47_000, 90_000] as [UInt32])
  func `a journal whose writer is killed keeps every acknowledged commit, and no half one`(delay: UInt32) async throws {
    let directory = ScratchDirectory()
    let path = directory.file("journal.db")
    var ordersBefore = 0
    var fillsBefore = 0
    for _ in 0..<2 {
      await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, delay = delay as UInt32] in
        try CrashTests.writeUntilKilled(path: path, afterMicroseconds: delay)
      }
      let bytes = (try? Data(contentsOf: URL(fileURLWithPath: path + ".acknowledged"))) ?? Data()
      let recorded = bytes.count { $0 == UInt8(ascii: "r") }
      let updated = bytes.count { $0 == UInt8(ascii: "u") }
      let journal = try Journal(path: path)
      let orders = try journal.orders(limit: 1_000_000)
      let fills = try journal.fills(after: 0, limit: 1_000_000)
      #expect(orders.count % 3 == 0)
      #expect(orders.count >= ordersBefore + recorded * 3)
      #expect(fills.count % 6 == 0)
      #expect(fills.count >= fillsBefore + updated * 6)
      #expect(fills.map(\.sequence) == (0..<fills.count).map { Int64($0) + 1 })
      (ordersBefore, fillsBefore) = (orders.count, fills.count)
      #expect(orders.count { $0.state == .filled } * 2 == fills.count)
      // The next round counts from what is there; an open batch of this round is closed first.
      for order in try journal.openOrders() {
        var order = order
        order.state = .unfilled
        try journal.update(order: order)
      }
      try Data().write(to: URL(fileURLWithPath: path + ".acknowledged"))
    }
  }
}
