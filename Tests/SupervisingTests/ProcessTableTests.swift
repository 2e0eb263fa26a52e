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

  /// A table of programs, each with the names of those that it depends on; nothing is started.
  private func table(dependencies: KeyValuePairs<String, [String]>, priorities: [String: Int] = [:]) throws
    -> ProcessTable
  {
    let plain = try table(dependencies.map { (name: $0.key, priority: priorities[$0.key] ?? 999) }, running: false)
    var table = ProcessTable()
    for process in plain.order {
      guard var specification = plain[process]?.specification else { continue }
      specification.dependencies = dependencies.first { $0.key == specification.name }?.value ?? []
      table.add(specification, seed: 1)
    }
    return table
  }

  private func process(_ name: String, _ table: ProcessTable) throws -> ProcessID {
    try #require(table.order.first { table[$0]?.specification.name == name })
  }

  /// The process is spawned and says that it is ready.
  private func up(_ name: String, pid: Int32, _ table: inout ProcessTable) throws -> [String] {
    let found = try process(name, table)
    let actions =
      table.handle(.spawned(pid: pid), process: found, now: 0) + table.handle(.ready, process: found, now: 0)
    return text(actions, table)
  }

  @Test func `a process starts when all that it depends on are ready`() throws {
    var table = try table(dependencies: ["scanner": ["feed", "store"], "feed": [], "store": ["feed"]])
    #expect(text(table.startAutomatic(now: 0), table) == ["spawn feed"])
    let scanner = try process("scanner", table)
    #expect(table.isWaiting(scanner))
    #expect(table.missingDependencies(of: scanner) == ["feed", "store"])
    let feed = try process("feed", table)
    #expect(text(table.handle(.spawned(pid: 1), process: feed, now: 0), table) == [], "spawned is not ready")
    #expect(text(table.handle(.ready, process: feed, now: 0), table) == ["spawn store"])
    #expect(try up("store", pid: 2, &table) == ["spawn scanner"])
    #expect(!table.isWaiting(scanner))
  }

  @Test func `one that dies later takes nothing with it, and is not waited for by those that run`() throws {
    var table = try table(dependencies: ["feed": [], "scanner": ["feed"]])
    _ = table.startAutomatic(now: 0)
    _ = try up("feed", pid: 1, &table)
    _ = try up("scanner", pid: 2, &table)
    let feed = try process("feed", table)
    #expect(text(table.handle(.exited(.signal(9)), process: feed, now: 1), table) == ["spawn feed"])
    #expect(table[try process("scanner", table)]?.record.state == .running)
    let scanner = try process("scanner", table)
    #expect(text(table.handle(.exited(.signal(9)), process: scanner, now: 1), table) == ["spawn scanner"])
  }

  @Test func `a request to start pulls up what is needed, and a request to stop ends the waiting`() throws {
    var table = try table(dependencies: ["feed": [], "scanner": ["feed"]])
    let scanner = try process("scanner", table)
    #expect(text(table.handle(.startRequested, process: scanner, now: 0), table) == ["spawn feed"])
    #expect(table.handle(.startRequested, process: scanner, now: 0) == [])
    _ = table.handle(.stopRequested, process: scanner, now: 0)
    #expect(!table.isWaiting(scanner))
    #expect(try up("feed", pid: 1, &table) == [])
    #expect(text(table.handle(.startRequested, process: scanner, now: 0), table) == ["spawn scanner"])
  }

  @Test func `a name that is not there is waited for until it comes`() throws {
    var table = try table(dependencies: ["scanner": ["feed"]])
    #expect(text(table.startAutomatic(now: 0), table) == [])
    let late = try self.table(dependencies: ["feed": []])
    let feed = table.add(try #require(late[late.order[0]]?.specification), seed: 1)
    #expect(text(table.handle(.startRequested, process: feed, now: 0), table) == ["spawn feed"])
    #expect(try up("feed", pid: 1, &table) == ["spawn scanner"])
  }

  @Test func `what is depended on stops last, whatever the priorities say`() throws {
    var table = try table(
      dependencies: ["feed": [], "scanner": ["feed"], "other": []], priorities: ["feed": 900, "scanner": 1, "other": 5])
    _ = table.startAutomatic(now: 0)
    for (index, name) in ["feed", "other", "scanner"].enumerated() { _ = try up(name, pid: Int32(index + 1), &table) }
    #expect(text(table.shutDown(now: 0, limit: 10 * second), table) == ["signal 15 other"])
    let other = table.handle(.exited(.code(0)), process: try process("other", table), now: 0)
    #expect(text(other, table) == ["signal 9 other", "signal 15 scanner"])
    let scanner = table.handle(.exited(.code(0)), process: try process("scanner", table), now: 0)
    #expect(text(scanner, table) == ["signal 9 scanner", "signal 15 feed"])
    _ = table.handle(.exited(.code(0)), process: try process("feed", table), now: 0)
    #expect(table.isAtRest)
  }

  @Test func `only a process at rest can be taken out`() throws {
    var table = try table([("a", 1), ("b", 2)])
    let (a, b) = (table.order[0], table.order[1])
    let removedAlive = table.remove(a)
    #expect(!removedAlive)
    _ = table.handle(.stopRequested, process: a, now: 0)
    _ = table.handle(.exited(.code(0)), process: a, now: 0)
    let removed = table.remove(a)
    #expect(removed)
    #expect(table.order == [b])
    #expect(table.handle(.startRequested, process: a, now: 0) == [])
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

  @Test func `processes start in the order of their priorities, then of their names`() throws {
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
