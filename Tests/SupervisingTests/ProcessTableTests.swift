import Foundation
import Supervising
import Testing

private let second: Int64 = 1_000_000_000

@Suite struct ProcessTableTests {
  /// A table of programs with these priorities, all running; the pid of each is 100 and its place in the list.
  private func table(_ programs: [(name: String, priority: Int)], running: Bool = true) throws -> ProcessTable {
    let path = "/tmp/table-\(UUID().uuidString).conf"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let text = programs.map { "[program:\($0.name)]\ncommand=/bin/true\npriority=\($0.priority)\n" }.joined()
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    let configuration = try #require(SupervisorConfiguration.read(path: path, environment: [:]).configuration)
    var table = ProcessTable()
    for specification in configuration.processes.shuffled() { table.add(specification, seed: 1) }
    guard running else { return table }
    _ = table.startAutomatic(now: 0)
    for (index, process) in table.order.enumerated() {
      _ = table.handle(.spawned(pid: Int32(100 + index)), process: process, now: 0)
      _ = table.handle(.ready, process: process, now: 0)
    }
    return table
  }

  private func text(_ actions: [TableAction], _ table: ProcessTable) -> [String] {
    actions.compactMap { item in
      let name = table[item.process]?.specification.name ?? ""
      switch item.action {
      case .spawn: return "spawn \(name)"
      case .signal(let number, _): return "signal \(number) \(name)"
      default: return nil
      }
    }
  }

  @Test func `processes start in the order of their priorities, then of the file`() throws {
    var table = try table([("c", 5), ("a", 1), ("d", 5), ("b", 2)], running: false)
    let actions = table.startAutomatic(now: 0)
    #expect(text(actions, table) == ["spawn a", "spawn b", "spawn c", "spawn d"])
  }

  @Test func `they stop in the reverse order, each level when the one above is at rest`() throws {
    var table = try table([("a", 1), ("b", 2), ("c", 5), ("d", 5)])
    let first = table.shutDown(now: 0, limit: 10 * second)
    #expect(text(first, table) == ["signal 15 d", "signal 15 c"])
    let order = table.order
    #expect(text(table.handle(.exited(.code(0)), process: order[3], now: 1), table) == ["signal 9 d"])
    let next = table.handle(.exited(.code(0)), process: order[2], now: 1)
    #expect(text(next, table) == ["signal 9 c", "signal 15 b"])
    _ = table.handle(.exited(.code(0)), process: order[1], now: 1)
    #expect(!table.isAtRest)
    _ = table.handle(.exited(.code(0)), process: order[0], now: 1)
    #expect(table.isAtRest)
    #expect(table.deadline == nil)
  }

  @Test func `nothing is started while it shuts down`() throws {
    var table = try table([("a", 1), ("b", 2)])
    _ = table.shutDown(now: 0, limit: 10 * second)
    // The one that waits for its turn dies by itself.
    let actions = table.handle(.exited(.signal(11)), process: table.order[0], now: 1)
    #expect(text(actions, table) == [])
    #expect(table[table.order[0]]?.record.state == .exited)
    #expect(table.handle(.startRequested, process: table.order[0], now: 1) == [])
    _ = table.handle(.exited(.code(0)), process: table.order[1], now: 1)
    #expect(table.isAtRest)
  }

  @Test func `a process that waits for its next try is at rest when the whole shuts down`() throws {
    var table = try table([("a", 1), ("b", 2)], running: false)
    _ = table.startAutomatic(now: 0)
    _ = table.handle(.spawnFailed("x"), process: table.order[0], now: 0)
    _ = table.handle(.spawned(pid: 7), process: table.order[1], now: 0)
    _ = table.shutDown(now: 0, limit: 10 * second)
    #expect(text(table.passTime(now: 5 * second), table) == [])
    _ = table.handle(.exited(.code(0)), process: table.order[1], now: 6 * second)
    #expect(table.isAtRest)
  }

  @Test func `a level without a living process does not hold up the others`() throws {
    var table = try table([("a", 1), ("b", 2), ("c", 3)], running: false)
    _ = table.startAutomatic(now: 0)
    _ = table.handle(.spawned(pid: 6), process: table.order[0], now: 0)
    _ = table.handle(.spawnFailed("x"), process: table.order[1], now: 0)
    _ = table.handle(.spawnFailed("x"), process: table.order[2], now: 0)
    #expect(text(table.shutDown(now: 0, limit: 10 * second), table) == ["signal 15 a"])
  }

  @Test func `at the limit of a shutdown everything that lives is killed, and stays dead`() throws {
    var table = try table([("a", 1), ("b", 2)])
    _ = table.shutDown(now: 0, limit: 3 * second)
    #expect(table.deadline == 3 * second)
    let actions = table.passTime(now: 3 * second)
    #expect(Set(text(actions, table)) == ["signal 9 a", "signal 9 b"])
    for process in table.order {
      #expect(
        !text(table.handle(.exited(.signal(9)), process: process, now: 3 * second), table).contains {
          $0.hasPrefix("spawn")
        })
    }
    #expect(table.isAtRest)
  }

  @Test func `the table waits for the earliest of its processes' deadlines`() throws {
    var table = try table([("a", 1), ("b", 2)], running: false)
    _ = table.startAutomatic(now: 0)
    #expect(table.deadline == nil)
    _ = table.handle(.spawned(pid: 1), process: table.order[0], now: 5)
    _ = table.handle(.spawned(pid: 2), process: table.order[1], now: 3)
    #expect(table.deadline == 3 + second)
    _ = table.passTime(now: 3 + second)
    #expect(table[table.order[1]]?.record.state == .running)
    #expect(table.deadline == 5 + second)
  }
}
