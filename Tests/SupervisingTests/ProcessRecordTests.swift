import Supervising
import Testing

private let second: Int64 = 1_000_000_000

extension ProcessAction {
  /// The action in few characters: `>RUNNING`, `spawn`, `kill15`, `kill9g` for a group, `update`, `alert`.
  fileprivate var short: String {
    switch self {
    case .spawn: "spawn"
    case .signal(let number, let group): "kill\(number)" + (group ? "g" : "")
    case .changed(_, let to): ">" + to.name
    case .updated: "update"
    case .alert: "alert"
    }
  }
}

@Suite struct ProcessRecordTests {
  private static var policy: ProcessPolicy {
    var policy = ProcessPolicy()
    policy.startRetries = 2
    policy.backoffInitialNanoseconds = second
    policy.backoffMaxNanoseconds = 4 * second
    policy.watchdogNanoseconds = 5 * second
    return policy
  }

  /// A record in each state, by the events that lead there.
  private static let situations: [(name: String, events: [ProcessEvent])] = [
    ("stopped", []),
    ("spawning", [.startRequested]),
    ("starting", [.startRequested, .spawned(pid: 7)]),
    ("running", [.startRequested, .spawned(pid: 7), .ready]),
    ("backoff", [.startRequested, .spawned(pid: 7), .exited(.code(1))]),
    ("stopping", [.startRequested, .spawned(pid: 7), .ready, .stopRequested]),
    ("exited", [.startRequested, .spawned(pid: 7), .ready, .exited(.code(0))]),
    ("fatal", [.startRequested, .spawned(pid: 7), .exited(.code(100))]),
    ("unknown", [.startRequested, .spawned(pid: 7), .ready, .signalFailed("EPERM")]),
  ]

  private static let events: [(name: String, event: ProcessEvent)] = [
    ("start", .startRequested), ("stop", .stopRequested), ("spawned", .spawned(pid: 9)),
    ("spawnFailed", .spawnFailed("ENOENT")), ("ready", .ready), ("alive", .alive), ("exit 0", .exited(.code(0))),
    ("exit 3", .exited(.code(3))), ("exit 100", .exited(.code(100))), ("killed", .exited(.signal(9))),
    ("deadline", .deadlinePassed), ("signalFailed", .signalFailed("EPERM")),
    ("adopted", .adopted(pid: 9, isReady: false)), ("adopted ready", .adopted(pid: 9, isReady: true)),
  ]

  /// What each event does in each state; whatever is not named does nothing.
  private static let table: [String: [String: String]] = [
    "stopped": ["start": ">STARTING spawn", "adopted": ">STARTING", "adopted ready": ">RUNNING"],
    "spawning": ["spawned": "update", "spawnFailed": ">BACKOFF"],
    "starting": [
      "stop": ">STOPPING kill15", "ready": ">RUNNING", "exit 0": ">BACKOFF", "exit 3": ">BACKOFF",
      "exit 100": ">FATAL alert", "killed": ">BACKOFF", "deadline": ">RUNNING", "signalFailed": ">UNKNOWN alert",
    ],
    "running": [
      "stop": ">STOPPING kill15", "exit 0": ">EXITED", "exit 3": ">EXITED >STARTING spawn", "exit 100": ">FATAL alert",
      "killed": ">EXITED >STARTING spawn", "deadline": "alert kill9g", "signalFailed": ">UNKNOWN alert",
    ],
    "backoff": ["stop": ">STOPPED", "deadline": ">STARTING spawn"],
    "stopping": [
      "exit 0": "kill9g >STOPPED", "exit 3": "kill9g >STOPPED", "exit 100": "kill9g >STOPPED",
      "killed": "kill9g >STOPPED", "deadline": "kill9g", "signalFailed": ">UNKNOWN alert",
    ],
    "exited": ["start": ">STARTING spawn", "adopted": ">STARTING", "adopted ready": ">RUNNING"],
    "fatal": ["start": ">STARTING spawn", "adopted": ">STARTING", "adopted ready": ">RUNNING"],
    "unknown": ["exit 0": ">EXITED", "exit 3": ">EXITED", "exit 100": ">EXITED", "killed": ">EXITED"],
  ]

  @Test func `every event in every state does what the table says`() {
    for situation in Self.situations {
      for (name, event) in Self.events {
        var record = ProcessRecord(policy: Self.policy, seed: 1)
        for past in situation.events { _ = record.handle(past, now: 0) }
        let actions = record.handle(event, now: 20 * second).map(\.short).joined(separator: " ")
        #expect(actions == Self.table[situation.name]?[name] ?? "", "\(name) in \(situation.name)")
      }
    }
  }

  private func record(_ events: [ProcessEvent], _ change: (inout ProcessPolicy) -> Void = { _ in }) -> ProcessRecord {
    var policy = Self.policy
    change(&policy)
    var record = ProcessRecord(policy: policy, seed: 1)
    for event in events { _ = record.handle(event, now: 0) }
    return record
  }

  @Test func `a process that must say that it is ready does not become running by living`() {
    var waiting = record([.startRequested, .spawned(pid: 7)], { $0.waitsForReady = true })
    #expect(waiting.handle(.deadlinePassed, now: 2 * second) == [])
    #expect(waiting.state == .starting)
    #expect(waiting.handle(.deadlinePassed, now: 61 * second).last == .signal(9, group: true))
    #expect(waiting.handle(.ready, now: 61 * second) == [])
    #expect(waiting.handle(.exited(.signal(9)), now: 61 * second) == [.changed(from: .starting, to: .backoff)])
  }

  @Test func `with startsecs 0 a process is running as soon as it is spawned`() {
    let quick = record([.startRequested, .spawned(pid: 7)], { $0.startNanoseconds = 0 })
    #expect(quick.state == .running)
  }

  @Test func `failed starts wait longer each time and end in FATAL`() {
    var failing = record([.startRequested, .spawned(pid: 1)])
    var pauses: [Int64] = []
    var now: Int64 = 0
    for pid in Int32(2)...3 {
      _ = failing.handle(.exited(.code(1)), now: now)
      #expect(failing.state == .backoff)
      let due = failing.deadline ?? 0
      pauses.append(due - now)
      now = due
      _ = failing.handle(.deadlinePassed, now: now)
      _ = failing.handle(.spawned(pid: pid), now: now)
    }
    #expect((second...second * 12 / 10).contains(pauses[0]))
    #expect((2 * second...2 * second * 12 / 10).contains(pauses[1]))
    let last = failing.handle(.exited(.code(1)), now: now)
    #expect(failing.state == .fatal)
    #expect(failing.deadline == nil)
    #expect(last.count == 3)
    #expect(failing.spawnError == "exited too quickly, with code 1")
    #expect(failing.restarts == 2)
  }

  @Test func `a pause never exceeds its maximum and its jitter`() {
    var failing = record([.startRequested], { $0.startRetries = 1000 })
    for count in 1...200 {
      _ = failing.handle(.spawnFailed("x"), now: 0)
      let bound = min(Int64(count < 3 ? count : 4), 4) * second
      #expect((bound...bound * 12 / 10).contains(failing.deadline ?? 0))
      _ = failing.handle(.deadlinePassed, now: failing.deadline ?? 0)
    }
  }

  @Test func `too many restarts within the window wait, and later ones are made at once again`() {
    var flapping = record([.startRequested], { $0.restartsMax = 3 })
    for pid in Int32(1)...3 {
      _ = flapping.handle(.spawned(pid: pid), now: 0)
      _ = flapping.handle(.ready, now: 0)
      #expect(flapping.handle(.exited(.signal(11)), now: 0).last == .spawn)
    }
    _ = flapping.handle(.spawned(pid: 4), now: 0)
    _ = flapping.handle(.ready, now: 0)
    let actions = flapping.handle(.exited(.signal(11)), now: 0)
    #expect(flapping.state == .backoff)
    #expect(actions.contains { if case .alert = $0 { true } else { false } })
    let due = flapping.deadline ?? 0
    #expect(due >= second)
    _ = flapping.handle(.deadlinePassed, now: due)
    _ = flapping.handle(.spawned(pid: 5), now: due)
    _ = flapping.handle(.ready, now: due)
    #expect(flapping.handle(.exited(.signal(11)), now: 60 * second).last == .spawn)
  }

  @Test func `too many restarts within the longer window end in FATAL, and a request starts it anew`() {
    var flapping = record(
      [.startRequested],
      {
        $0.fatalRestartsMax = 3
        $0.fatalRestartsWindowNanoseconds = 100 * second
      })
    func die(_ pid: Int32, at now: Int64) -> [ProcessAction] {
      _ = flapping.handle(.spawned(pid: pid), now: now)
      _ = flapping.handle(.ready, now: now)
      return flapping.handle(.exited(.signal(11)), now: now)
    }
    // The first has left the window when the fourth comes.
    for (pid, now) in [(Int32(1), Int64(0)), (2, 90), (3, 95), (4, 101)] {
      #expect(die(pid, at: now * second).last == .spawn)
    }
    let actions = die(5, at: 102 * second)
    #expect(flapping.state == .fatal)
    #expect(flapping.deadline == nil)
    #expect(actions.last == .alert("gave up after 3 restarts within 100 s"))
    #expect(flapping.handle(.startRequested, now: 103 * second).last == .spawn)
    #expect(die(6, at: 103 * second).last == .spawn)
  }

  @Test func `an adopted process is watched and restarted like any other`() {
    var adopted = record([.adopted(pid: 7, isReady: true)])
    #expect(adopted.pid == 7)
    #expect(adopted.deadline == 5 * second)
    #expect(adopted.handle(.exited(.signal(9)), now: 1).last == .spawn)
    #expect(adopted.restarts == 1)
    let proving = record([.adopted(pid: 7, isReady: false)], { $0.waitsForReady = true })
    #expect(proving.state == .starting)
    #expect(proving.deadline == 60 * second)
    let immediate = record([.adopted(pid: 7, isReady: false)], { $0.startNanoseconds = 0 })
    #expect(immediate.state == .running)
  }

  @Test func `what is remembered of a process that does not live is kept`() {
    var past = record([])
    past.remember(ProcessPast(state: .fatal, restarts: 4, lastExit: .code(100), spawnError: "wrong"))
    #expect(past.state == .fatal)
    #expect(past.restarts == 4)
    #expect(past.spawnError == "wrong")
    #expect(past.handle(.deadlinePassed, now: 1) == [])
    #expect(past.handle(.startRequested, now: 1).last == .spawn)
    var stopped = record([])
    stopped.remember(ProcessPast(state: .running, restarts: 1, lastExit: nil, spawnError: ""))
    #expect(stopped.state == .stopped)
  }

  @Test func `a start that is requested while it stops is made when it has stopped`() {
    var stopping = record([.startRequested, .spawned(pid: 7), .ready, .stopRequested, .startRequested])
    #expect(stopping.state == .stopping)
    #expect(stopping.handle(.exited(.code(0)), now: 1).last == .spawn)
    var again = record([.startRequested, .spawned(pid: 7), .ready, .stopRequested, .startRequested, .stopRequested])
    _ = again.handle(.exited(.code(0)), now: 1)
    #expect(again.state == .stopped)
  }

  @Test func `a stop that is requested while it is spawned stops it as soon as it is there`() {
    var spawning = record([.startRequested, .stopRequested])
    #expect(spawning.handle(.spawned(pid: 7), now: 0).last == .signal(15, group: false))
    #expect(spawning.state == .stopping)
    var failing = record([.startRequested, .stopRequested])
    _ = failing.handle(.spawnFailed("ENOENT"), now: 0)
    #expect(failing.state == .stopped)
  }

  @Test func `the restart policy decides about an end`() {
    for (policy, code, restarts) in [
      (RestartPolicy.always, 0, true), (.never, 3, false), (.unexpected, 0, false), (.unexpected, 3, true),
    ] {
      var ended = record([.startRequested, .spawned(pid: 7), .ready], { $0.restart = policy })
      _ = ended.handle(.exited(.code(code)), now: 1)
      #expect(ended.state == (restarts ? .starting : .exited))
    }
  }

  @Test func `a hung process is killed by its watchdog and started again`() {
    var hung = record([.startRequested, .spawned(pid: 7), .ready])
    _ = hung.handle(.alive, now: 3 * second)
    #expect(hung.handle(.deadlinePassed, now: 5 * second) == [])
    #expect(hung.handle(.deadlinePassed, now: 8 * second).last == .signal(9, group: true))
    #expect(hung.handle(.alive, now: 8 * second) == [])
    #expect(hung.deadline == nil)
    #expect(hung.handle(.exited(.signal(9)), now: 8 * second).last == .spawn)
  }

  /// Plays a machine on which spawned processes live until they end, and checks after each step what must always hold.
  @Test func `random events never break the promises`() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<2000 {
      var policy = Self.policy
      policy.waitsForReady = Bool.random(using: &generator)
      policy.restart = [.always, .never, .unexpected].randomElement(using: &generator) ?? .always
      policy.killsGroup = Bool.random(using: &generator)
      policy.restartsMax = Int.random(in: 1...3, using: &generator)
      policy.fatalRestartsMax = Int.random(in: 0...4, using: &generator)
      var record = ProcessRecord(policy: policy, seed: UInt64.random(in: 0...UInt64.max, using: &generator))
      var machine = Machine()
      var now: Int64 = 0
      for _ in 0..<60 {
        now += Int64.random(in: 0...2 * second, using: &generator)
        machine.canAdopt = [.stopped, .exited, .fatal].contains(record.state)
        let event = machine.randomEvent(&generator)
        let before = record
        let actions = record.handle(event, now: now)
        machine.take(event, actions)
        let wasAsked = event == .startRequested
        if case .adopted = event { machine.stopWanted = false }
        if wasAsked { machine.stopWanted = false }
        if event == .stopRequested { machine.stopWanted = true }
        #expect(machine.live.count <= 1, "two live processes")
        #expect(machine.spawnsOrdered == 0 || machine.live.isEmpty, "spawned over a live one")
        if machine.stopWanted { #expect(!actions.contains(.spawn), "restarted after a requested stop") }
        if record.state == .backoff, before.state != .backoff {
          #expect((record.deadline ?? 0) - now >= policy.backoffInitialNanoseconds, "paused too short")
        }
        #expect(record.pid == machine.live.first)
        if record.state.isStopped, record.state != .unknown { #expect(record.pid == nil) }
        if record.state == .stopped || record.state == .fatal || record.state == .exited {
          #expect(record.deadline == nil)
        }
      }
    }
  }

  private struct Machine {
    var live: [Int32] = []
    var spawnsOrdered = 0
    var stopWanted = false
    /// Whether the record is in a state in which a living process may be found.
    var canAdopt = true
    private var nextPid: Int32 = 1

    mutating func randomEvent(_ generator: inout SystemRandomNumberGenerator) -> ProcessEvent {
      if spawnsOrdered > 0, Bool.random(using: &generator) {
        if Int.random(in: 0..<4, using: &generator) == 0 { return .spawnFailed("x") }
        nextPid += 1
        return .spawned(pid: nextPid)
      }
      let quiet: [ProcessEvent] = [
        .startRequested, .stopRequested, .deadlinePassed, .ready, .alive, .signalFailed("x"),
      ]
      if canAdopt, live.isEmpty, spawnsOrdered == 0, Int.random(in: 0..<8, using: &generator) == 0 {
        nextPid += 1
        return .adopted(pid: nextPid, isReady: Bool.random(using: &generator))
      }
      let deaths: [ProcessEvent] = [.exited(.code(0)), .exited(.code(1)), .exited(.code(100)), .exited(.signal(9))]
      return (live.isEmpty ? quiet : quiet + deaths).randomElement(using: &generator) ?? .alive
    }

    mutating func take(_ event: ProcessEvent, _ actions: [ProcessAction]) {
      switch event {
      case .spawned(let pid):
        spawnsOrdered -= 1
        live.append(pid)
      case .spawnFailed: spawnsOrdered -= 1
      case .adopted(let pid, _): live.append(pid)
      case .exited: live = []
      default: break
      }
      spawnsOrdered += actions.filter { $0 == .spawn }.count
    }
  }
}
