import Bus
import Foundation
import Market
import Testing

/// What the supervisor publishes on the bus.
@Suite struct BoardTests {
  @Test func `an alert is heard by those who listen and by those who join later`() throws {
    let supervisor = try RunningSupervisor(
      """
      [bulkhead]
      run_dir = DIR/run
      [supervisord]
      [program:wrong]
      command = /bin/sh -c "exit 100"
      [program:needy]
      command = /bin/sleep 1000
      [bulkhead:program:needy]
      depends_on = wrong
      """)
    _ = try supervisor.line("process needs care", "name=wrong", "exit code 100")
    let subscriber = try Subscriber(name: "late", topics: [Topic.alert, Topic.process])
    try subscriber.connect(BusEndpoint.ipc(name: "supervisor", runDirectory: supervisor.directory + "/run"))
    let poller = Poller()
    poller.add(subscriber)
    var alerts: [AlertMessage] = []
    var processes: [String: ProcessMessage] = [:]
    let limit = Date().addingTimeInterval(60)
    while alerts.isEmpty || processes.count < 2 {
      guard Date() < limit else { throw Timeout(description: "heard \(alerts) and \(processes)") }
      poller.wait(timeoutMilliseconds: 500)
      subscriber.receive { event in
        guard case .message(let stream, _, _, var reader) = event else { return }
        if subscriber.topic(of: stream).hasPrefix(Topic.alert) {
          if let alert = try? AlertMessage(&reader) { alerts.append(alert) }
        } else if let process = try? ProcessMessage(&reader) {
          processes[process.name] = process
        }
      }
    }
    #expect(alerts.map(\.subject) == ["wrong"])
    #expect(alerts.first?.text.contains("exit code 100") == true)
    #expect(processes["wrong"]?.state == "FATAL")
    #expect(processes["wrong"]?.exitStatus == 100)
    #expect(processes["wrong"]?.endedAt != nil)
    #expect(processes["needy"]?.state == "STOPPED")
    #expect(processes["needy"]?.waitsFor == ["wrong"])
    kill(supervisor.pid, SIGTERM)
    #expect(try supervisor.end() == 0)
  }

  @Test func `what a process waits for is told, and it starts when that is ready`() throws {
    let supervisor = try RunningSupervisor(
      """
      [bulkhead]
      run_dir = DIR/run
      [supervisord]
      [program:base]
      command = /bin/sleep 1000
      autostart = false
      startsecs = 0
      [program:top]
      command = /bin/sleep 1000
      startsecs = 0
      [bulkhead:program:top]
      depends_on = base
      """)
    // A start pulls up what is needed, in order.
    let base = try supervisor.spawned("base")
    let top = try supervisor.spawned("top")
    #expect(base != top)
    // What it needed may die: it goes on.
    kill(base, SIGKILL)
    _ = try supervisor.spawned("base")
    #expect(kill(top, 0) == 0)
    kill(supervisor.pid, SIGTERM)
    #expect(try supervisor.end() == 0)
    let stops = supervisor.lines.filter { $0.contains("to=STOPPED") }
    #expect(stops.count == 2)
    #expect(stops.first?.contains("name=top") == true)
  }
}
