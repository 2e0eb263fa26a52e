import Foundation
import Supervising
import Testing

@Suite struct EventPoolTests {
  private let first = ProcessID(number: 1)
  private let second = ProcessID(number: 2)

  private func pool(_ events: Set<EventKind> = [.event], bufferMax: Int = 10) -> EventPool {
    EventPool(name: "pool", specification: EventPoolSpecification(bufferMax: bufferMax, events: events))
  }

  private func ready(_ pool: inout EventPool, _ process: ProcessID) {
    _ = pool.listenerStarts(process)
    _ = pool.listener(process, isRunning: true)
    _ = pool.hear(Array("READY\n".utf8), from: process)
  }

  private func text(_ actions: [EventPool.Action]) -> [String] {
    actions.map { action in
      switch action {
      case .send(let item, let process): "send \(item.poolSerial) to \(process.number)"
      case .dropped(let item): "dropped \(item.poolSerial)"
      case .refused(let item, let process): "refused \(item.poolSerial) by \(process.number)"
      case .broken(let process): "broken \(process.number)"
      }
    }
  }

  private func take(_ pool: inout EventPool, _ serial: Int) -> [String] {
    text(pool.take(.remoteCommunication(type: "t", data: "\(serial)"), serial: serial))
  }

  @Test func `an event goes to one listener that is running and ready`() {
    var pool = pool()
    _ = pool.listenerStarts(first)
    _ = pool.hear(Array("READY\n".utf8), from: first)
    #expect(take(&pool, 7) == [])
    #expect(text(pool.listener(first, isRunning: true)) == ["send 0 to 1"])
    ready(&pool, second)
    #expect(take(&pool, 8) == ["send 1 to 2"])
    #expect(take(&pool, 9) == [])
    #expect(text(pool.hear(Array("RESULT 2\nOKREADY\n".utf8), from: first)) == ["send 2 to 1"])
  }

  @Test func `words may come in any pieces`() {
    var pool = pool()
    _ = pool.listenerStarts(first)
    _ = pool.listener(first, isRunning: true)
    for byte in "READY\n".utf8 { #expect(pool.hear([byte], from: first) == []) }
    #expect(pool.state(of: first) == .ready)
    #expect(take(&pool, 0) == ["send 0 to 1"])
    for byte in "RESULT 2\nOK".utf8 { #expect(pool.hear([byte], from: first) == []) }
    #expect(pool.state(of: first) == .acknowledged)
  }

  @Test func `a refused event goes first again`() {
    var pool = pool()
    ready(&pool, first)
    _ = take(&pool, 0)
    _ = take(&pool, 1)
    #expect(
      text(pool.hear(Array("RESULT 4\nFAILREADY\n".utf8), from: first)) == ["refused 0 by 1", "send 0 to 1"])
    #expect(text(pool.hear(Array("RESULT 2\nOKREADY\n".utf8), from: first)) == ["send 1 to 1"])
  }

  @Test func `an event of a listener that dies goes to another`() {
    var pool = pool()
    ready(&pool, first)
    _ = take(&pool, 0)
    ready(&pool, second)
    #expect(text(pool.listenerEnded(first)) == ["send 0 to 2"])
    #expect(pool.state(of: first) == .acknowledged)
  }

  @Test func `an event of a listener that dies alone waits for the next one`() {
    var pool = pool()
    ready(&pool, first)
    _ = take(&pool, 0)
    #expect(pool.listenerEnded(first) == [])
    _ = pool.listenerStarts(first)
    _ = pool.listener(first, isRunning: true)
    #expect(text(pool.hear(Array("READY\n".utf8), from: first)) == ["send 0 to 1"])
  }

  @Test(arguments: ["x", "READ!\n", "REA\n\n\n", "READY\nagain"])
  func `a listener that says something else gets no more events`(words: String) {
    var pool = pool()
    _ = pool.listenerStarts(first)
    _ = pool.listener(first, isRunning: true)
    let actions = pool.hear(Array((words + "------").utf8), from: first)
    #expect(text(actions) == ["broken 1"])
    #expect(pool.state(of: first) == .unknown)
    #expect(take(&pool, 0) == [])
    #expect(pool.hear(Array("READY\n".utf8), from: first) == [])
    _ = pool.listenerStarts(first)
    #expect(pool.state(of: first) == .acknowledged)
  }

  @Test(arguments: ["RESULT two\n", "OK\n", "RESULT -1\n", "RESULT 99999999999\n"])
  func `an answer that is none is no answer, and the event waits`(answer: String) {
    var pool = pool()
    ready(&pool, first)
    _ = take(&pool, 0)
    #expect(text(pool.hear(Array(answer.utf8), from: first)) == ["broken 1"])
    ready(&pool, second)
    #expect(pool.state(of: second) == .busy)
  }

  @Test func `a line without an end does not grow without limit`() {
    var pool = pool()
    ready(&pool, first)
    _ = take(&pool, 0)
    let piece = [UInt8](repeating: 0x41, count: 1 << 16)
    var said = 0
    while pool.state(of: first) == .busy, said < 4 << 20 {
      _ = pool.hear(piece, from: first)
      said += piece.count
    }
    #expect(pool.state(of: first) == .unknown)
    #expect(said <= EventListener.answerMax + 2 * piece.count)
  }

  @Test func `when too many wait the oldest is dropped, and one that never answers disturbs nobody`() {
    var pool = pool(bufferMax: 2)
    ready(&pool, first)
    #expect(take(&pool, 0) == ["send 0 to 1"])
    #expect(take(&pool, 1) == [])
    #expect(take(&pool, 2) == [])
    #expect(take(&pool, 3) == ["dropped 1"])
    #expect(pool.waiting.map(\.poolSerial) == [2, 3])
    #expect(text(pool.listenerEnded(first)) == ["dropped 2"])
    #expect(pool.waiting.map(\.poolSerial) == [0, 3])
  }

  @Test func `an event that did not reach its listener waits`() {
    var pool = pool()
    ready(&pool, first)
    _ = take(&pool, 0)
    #expect(pool.notSent(first) == [])
    #expect(pool.waiting.map(\.poolSerial) == [0])
    _ = pool.listenerStarts(first)
    ready(&pool, first)
    #expect(pool.state(of: first) == .busy)
  }

  @Test func `an event that is too large for anybody is given up`() {
    var pool = pool()
    ready(&pool, first)
    _ = take(&pool, 0)
    _ = take(&pool, 1)
    #expect(text(pool.tooLarge(first)) == ["send 1 to 1"])
  }

  @Test func `every event has one number for all, and one for each pool that hears it`() {
    var hub = EventHub()
    hub.add(EventPool(name: "all", specification: .init(bufferMax: 9, events: [.event])), now: 0)
    hub.add(EventPool(name: "groups", specification: .init(bufferMax: 9, events: [.processGroup])), now: 0)
    _ = hub.take(.groupAdded("x"))
    _ = hub.take(.remoteCommunication(type: "a", data: "b"))
    _ = hub.take(.groupRemoved("x"))
    #expect(hub["all"]?.waiting.map(\.serial) == [0, 1, 2])
    #expect(hub["groups"]?.waiting.map(\.serial) == [0, 2])
    #expect(hub["groups"]?.waiting.map(\.poolSerial) == [0, 1])
    hub.remove("all", now: 0)
    _ = hub.take(.remoteCommunication(type: "a", data: "b"))
    _ = hub.take(.groupAdded("y"))
    #expect(hub["groups"]?.waiting.map(\.serial) == [0, 2, 3])
  }

  @Test func `kinds have their place in the hierarchy`() {
    for kind in EventKind.allCases {
      #expect(kind.isKind(of: .event))
      let parent = EventKind.allCases.filter { kind.rawValue.hasPrefix($0.rawValue + "_") }
      for other in parent { #expect(kind.isKind(of: other), "\(kind) \(other)") }
      if let direct = kind.parent, direct != .event { #expect(parent.contains(direct)) }
    }
    #expect(!EventKind.processLogStdout.isKind(of: .processCommunication))
  }

  @Test func `nobody hears ticks unless somebody asked for them`() {
    var hub = EventHub()
    hub.add(EventPool(name: "a", specification: .init(bufferMax: 9, events: [.processState])), now: 100)
    #expect(hub.clock.wait(now: 100_000_000_000) == nil)
    hub.add(EventPool(name: "b", specification: .init(bufferMax: 9, events: [.tick60])), now: 100)
    #expect(hub.clock.wait(now: 100_000_000_000) == 20_000_000_000)
    #expect(hub.clock.ticks(now: 119) == [])
    #expect(hub.clock.ticks(now: 121) == [.tick(periodSeconds: 60, when: 120)])
    #expect(hub.clock.ticks(now: 122) == [])
    hub.add(EventPool(name: "c", specification: .init(bufferMax: 9, events: [.tick])), now: 122)
    #expect(hub.clock.periods == [5, 60, 3600])
    #expect(hub.clock.ticks(now: 180).map(\.kind) == [.tick5, .tick60])
    hub.remove("b", now: 180)
    hub.remove("c", now: 180)
    #expect(hub.clock.wait(now: 0) == nil)
  }

  @Test func `an event is told in supervisord's words`() throws {
    let facts = SupervisorEvent.ProcessFacts(name: "cat", group: "pets", pid: 7, tries: 2, isExpected: true)
    func payload(_ to: ProcessState) -> String {
      SupervisorEvent.processState(from: .running, to: to, facts).payload
    }
    let base = "processname:cat groupname:pets from_state:RUNNING"
    #expect(payload(.exited) == base + " expected:1 pid:7")
    #expect(payload(.backoff) == base + " tries:2")
    #expect(payload(.starting) == base + " tries:2")
    #expect(payload(.stopped) == base + " pid:7")
    #expect(payload(.fatal) == base)
    let event = SupervisorEvent.processLog(name: "c", group: "g", pid: 1, isError: true, bytes: Array("é".utf8))
    #expect(event.payload == "processname:c groupname:g pid:1 channel:stderr\né")
    let envelope = String(decoding: event.envelope(server: "s", serial: 3, pool: "p", poolSerial: 1), as: UTF8.self)
    #expect(
      envelope == "ver:3.0 server:s serial:3 pool:p poolserial:1 eventname:PROCESS_LOG_STDERR len:48\n" + event.payload)
    let raw = SupervisorEvent.processCommunication(
      name: "c", group: "g", pid: 1, isError: false, bytes: [0x61, 0xFF, 0x0A, 0x27])
    #expect(raw.payload == "processname:c groupname:g pid:1\nUndecodable: b\"a\\xff\\n'\"")
  }
}
