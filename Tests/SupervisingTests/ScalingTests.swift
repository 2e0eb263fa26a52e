import Foundation
import Glibc
import Testing
import Web

/// Other numbers of processes, with the built executable and real children.
@Suite(.serialized) struct ScalingTests {
  private func names(_ supervisor: RunningSupervisor) throws -> [String: Int64] {
    let all = try supervisor.value("supervisor.getAllProcessInfo").array ?? []
    return Dictionary(
      all.map { ($0["name"]?.string ?? "", $0["pid"]?.integer ?? 0) }, uniquingKeysWith: { first, _ in first })
  }

  private func scale(_ supervisor: RunningSupervisor, _ name: String, _ count: Int64) throws {
    let answer = try supervisor.value("supervisor.scaleProcessGroup", .string(name), .integer(count), true)
    #expect(answer.boolean == true)
  }

  @Test func `processes are added and taken away at the end, and those that stay do not notice`() throws {
    let supervisor = try RunningSupervisor(
      """
      [program:a]
      command=/bin/sh -c 'echo "$BULKHEAD_PROGRAM $BULKHEAD_SHARD"; exec /bin/sleep 1000'
      startsecs=0
      stdout_logfile=DIR/a.log
      [program:b]
      command=/bin/sleep 1000
      process_name=b-%%(process_num)d
      startsecs=0
      """.replacingOccurrences(of: "%%", with: "%"))
    let first = try supervisor.spawned("a")
    try scale(supervisor, "a", 3)
    try scale(supervisor, "b", 2)
    var present = try names(supervisor)
    #expect(present.keys.sorted() == ["a", "a_01", "a_02", "b-0", "b-1"])
    #expect(present["a"] == Int64(first))
    try supervisor.waitUntil { supervisor.file("a_02.log") == "a 2/3\n" }
    #expect(supervisor.file("a.log") == "a 0/1\n")
    let information = try supervisor.value("supervisor.getScaleInfo", "a")
    #expect(information["count"]?.integer == 3 && information["stage"]?.string == "done")
    // What has come is what the configuration is read as from now on.
    let changes = try supervisor.value("supervisor.reloadConfig")
    #expect(changes.array?.first?.array?.allSatisfy { $0.array?.isEmpty == true } == true)

    let leaving = try #require(present["a_01"])
    try scale(supervisor, "a", 1)
    present = try names(supervisor)
    #expect(present.keys.sorted() == ["a", "b-0", "b-1"])
    #expect(!isPresent(Int32(leaving)))
    // One that dies is started as what it is now.
    kill(first, SIGKILL)
    try supervisor.waitUntil { supervisor.file("a.log").hasSuffix("a 0/1\na 0/1\n") }
    try scale(supervisor, "a", 2)
    let again = try #require(try names(supervisor)["a"])
    kill(Int32(again), SIGKILL)
    try supervisor.waitUntil { supervisor.file("a.log").hasSuffix("a 0/2\n") }
  }

  @Test func `numbers outlive the supervisor and its restart in place`() throws {
    let supervisor = try RunningSupervisor("[program:a]\ncommand=/bin/sleep 1000\nstartsecs=0\n")
    _ = try supervisor.spawned("a")
    try scale(supervisor, "a", 3)
    let before = try names(supervisor)
    supervisor.rewind()
    _ = try supervisor.value("supervisor.restart")
    try supervisor.line("process adopted", "a_02")
    try supervisor.waitUntil { (try? names(supervisor)) == before }
    try scale(supervisor, "a", 2)
    #expect(try names(supervisor) == before.filter { $0.key != "a_02" })
  }

  @Test(arguments: [
    ([XMLRPCValue.string("nobody"), .integer(2)], 10), ([.string("a"), .integer(0)], 3),
    ([.string("a"), .integer(1001)], 3), ([.string("a"), .string("many")], 2), ([.integer(1), .integer(1)], 2),
    ([.string("a")], 2),
  ])
  func `what cannot be done is refused, and nothing changes`(arguments: [XMLRPCValue], code: Int) throws {
    let supervisor = try RunningSupervisor("[program:a]\ncommand=/bin/sleep 1000\nstartsecs=0\n")
    let pid = try supervisor.spawned("a")
    let response =
      switch arguments.count {
      case 1: try supervisor.call("supervisor.scaleProcessGroup", arguments[0])
      default: try supervisor.call("supervisor.scaleProcessGroup", arguments[0], arguments[1])
      }
    guard case .fault(let found, _) = response else {
      Issue.record("no fault")
      return
    }
    #expect(Int(found) == code)
    #expect(try names(supervisor) == ["a": Int64(pid)])
  }
}
