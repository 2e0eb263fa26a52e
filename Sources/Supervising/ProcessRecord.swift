/// What can happen to a process.
public enum ProcessEvent: Hashable, Sendable {
  /// Somebody wants it to run.
  case startRequested
  /// Somebody wants it to stop.
  case stopRequested
  /// It was spawned, as `pid`.
  case spawned(pid: Int32)
  /// It could not be spawned.
  case spawnFailed(String)
  /// It lives already, as `pid`: a supervisor before this one spawned it.
  case adopted(pid: Int32, isReady: Bool)
  /// It said READY=1.
  case ready
  /// It said WATCHDOG=1.
  case alive
  /// It has ended.
  case exited(ProcessExit)
  /// The moment `deadline` has come.
  case deadlinePassed
  /// A signal could not be delivered.
  case signalFailed(String)
}

/// What the shell does for a process.
public enum ProcessAction: Hashable, Sendable {
  /// Spawn it, and report `spawned` or `spawnFailed`.
  case spawn
  /// Send it a signal; to its process group where `group` says so.
  case signal(Int32, group: Bool)
  /// Tell everybody that its state has changed.
  case changed(from: ProcessState, to: ProcessState)
  /// Tell everybody that something else about it has changed.
  case updated
  /// Tell people: it needs one.
  case alert(String)
}

/// What a supervisor knew of a process that was not there when it ended.
public struct ProcessPast: Hashable, Sendable {
  /// STOPPED, EXITED or FATAL; any other counts as STOPPED.
  public var state: ProcessState
  /// How often it was started again without being asked.
  public var restarts: Int
  /// How it last ended.
  public var lastExit: ProcessExit?
  /// Why it could not be started; empty where it could.
  public var spawnError: String

  /// A past by its parts.
  public init(state: ProcessState, restarts: Int, lastExit: ProcessExit?, spawnError: String) {
    self.state = state
    self.restarts = restarts
    self.lastExit = lastExit
    self.spawnError = spawnError
  }
}

/// The life of one process: a pure state machine.
///
/// Each event changes the record and answers what is to be done. Time is passed in (nanoseconds of a monotonic clock);
/// the shell calls with `deadlinePassed` when `deadline` has come. An event that means nothing in a state changes
/// nothing.
public struct ProcessRecord: Sendable {
  /// How it is treated.
  public let policy: ProcessPolicy
  /// Where it stands.
  public private(set) var state = ProcessState.stopped
  /// Its pid while it lives; nil else.
  public private(set) var pid: Int32?
  /// When `deadlinePassed` is due; nil where nothing is waited for.
  public private(set) var deadline: Int64?
  /// Whether it has said READY=1, or has proven itself by living.
  public private(set) var isReady = false
  /// How often it was started again without being asked.
  public private(set) var restarts = 0
  /// Starts that failed in a row.
  public private(set) var failures = 0
  /// How it last ended.
  public private(set) var lastExit: ProcessExit?
  /// Why it could not be started; empty where it could.
  public private(set) var spawnError = ""
  /// When it was last spawned.
  public private(set) var startedAt: Int64?
  /// When it last ended.
  public private(set) var endedAt: Int64?

  /// Whether a spawn has been ordered and not been reported yet.
  private var isSpawning = false
  /// STOPPING: start it again when it has ended.
  ///
  /// Spawning: stop it as soon as it is there.
  private var isReversed = false
  /// SIGKILL has been sent: what it says from now on changes nothing.
  private var isKilled = false
  /// The whole is shutting down: nothing is started any more.
  private var isFinal = false
  private var restartTimes: [Int64] = []
  /// The restarts within the longer window, which end in FATAL when they are too many.
  private var fatalRestartTimes: [Int64] = []
  private var throttled = 0
  private var random: UInt64

  /// A process that has not been started.
  /// - Parameters:
  ///   - policy: how it is treated.
  ///   - seed: of the jitter.
  public init(policy: ProcessPolicy, seed: UInt64) {
    self.policy = policy
    random = seed
  }

  /// Takes an event.
  /// - Parameters:
  ///   - event: what happened.
  ///   - now: when.
  /// - Returns: what is to be done, in this order.
  public mutating func handle(_ event: ProcessEvent, now: Int64) -> [ProcessAction] {
    switch event {
    case .startRequested: startRequested()
    case .stopRequested: stopRequested(now)
    case .spawned(let pid): spawned(pid, now)
    case .spawnFailed(let reason): spawnFailed(reason, now)
    case .adopted(let pid, let isReady): adopted(pid, isReady: isReady, now)
    case .ready: ready(now)
    case .alive: alive(now)
    case .exited(let exit): exited(exit, now)
    case .deadlinePassed: deadlinePassed(now)
    case .signalFailed(let reason): signalFailed(reason)
    }
  }

  /// Takes over what a supervisor before this one knew of a process that is not there now.
  ///
  /// Only a record that nothing has happened to may be given a past.
  public mutating func remember(_ past: ProcessPast) {
    precondition(state == .stopped && pid == nil && !isSpawning, "a process with a present cannot be given a past")
    restarts = past.restarts
    lastExit = past.lastExit
    guard past.state == .exited || past.state == .fatal else { return }
    state = past.state
    spawnError = past.spawnError
  }

  /// From now on it is not started again, whoever asks and however it ends.
  public mutating func forbidStarts() {
    isFinal = true
    if state == .stopping { isReversed = false }
  }

  private mutating func move(to next: ProcessState, deadline: Int64? = nil) -> ProcessAction {
    let previous = state
    state = next
    self.deadline = deadline
    return .changed(from: previous, to: next)
  }

  // MARK: - Requests

  private mutating func startRequested() -> [ProcessAction] {
    guard !isFinal else { return [] }
    switch state {
    case .stopped, .exited, .fatal:
      failures = 0
      throttled = 0
      restartTimes = []
      fatalRestartTimes = []
      return spawn()
    case .stopping:
      isReversed = true
      return []
    case .starting:
      if isSpawning { isReversed = false }
      return []
    case .running, .backoff, .unknown:
      return []
    }
  }

  private mutating func stopRequested(_ now: Int64) -> [ProcessAction] {
    switch state {
    case .starting where isSpawning:
      isReversed = true
      return []
    case .starting, .running:
      return stop(now)
    case .stopping:
      isReversed = false
      return []
    case .backoff:
      return [move(to: .stopped)]
    case .stopped, .exited, .fatal, .unknown:
      return []
    }
  }

  private mutating func stop(_ now: Int64) -> [ProcessAction] {
    isReversed = false
    isKilled = false
    let change = move(to: .stopping, deadline: now + policy.stopWaitNanoseconds)
    return [change, .signal(policy.stopSignal, group: policy.stopsGroup)]
  }

  // MARK: - Spawning

  private mutating func spawn() -> [ProcessAction] {
    isSpawning = true
    isReversed = false
    isKilled = false
    isReady = false
    spawnError = ""
    return [move(to: .starting), .spawn]
  }

  private mutating func spawned(_ pid: Int32, _ now: Int64) -> [ProcessAction] {
    guard isSpawning else { return [] }
    isSpawning = false
    self.pid = pid
    startedAt = now
    if isReversed { return stop(now) }
    if policy.waitsForReady {
      deadline = now + policy.readyTimeoutNanoseconds
      return [.updated]
    }
    if policy.startNanoseconds == 0 { return [.updated] + run(now) }
    deadline = now + policy.startNanoseconds
    return [.updated]
  }

  private mutating func adopted(_ pid: Int32, isReady: Bool, _ now: Int64) -> [ProcessAction] {
    guard state.isStopped, state != .unknown, self.pid == nil else { return [] }
    self.pid = pid
    startedAt = now
    isReversed = false
    isKilled = false
    spawnError = ""
    if isReady || (!policy.waitsForReady && policy.startNanoseconds == 0) { return run(now) }
    let proof = policy.waitsForReady ? policy.readyTimeoutNanoseconds : policy.startNanoseconds
    return [move(to: .starting, deadline: now + proof)]
  }

  private mutating func spawnFailed(_ reason: String, _ now: Int64) -> [ProcessAction] {
    guard isSpawning else { return [] }
    isSpawning = false
    startedAt = now
    endedAt = now
    let stopWanted = isReversed
    isReversed = false
    if stopWanted { return [move(to: .stopped)] }
    return startFailed(reason, now)
  }

  // MARK: - Life

  private mutating func run(_ now: Int64) -> [ProcessAction] {
    isReady = true
    failures = 0
    let watchdog = policy.watchdogNanoseconds
    return [move(to: .running, deadline: watchdog > 0 ? now + watchdog : nil)]
  }

  private mutating func ready(_ now: Int64) -> [ProcessAction] {
    guard pid != nil, !isKilled else { return [] }
    switch state {
    case .starting: return run(now)
    case .running where !isReady:
      isReady = true
      return [.updated]
    default: return []
    }
  }

  private mutating func alive(_ now: Int64) -> [ProcessAction] {
    if state == .running, policy.watchdogNanoseconds > 0, !isKilled { deadline = now + policy.watchdogNanoseconds }
    return []
  }

  private mutating func deadlinePassed(_ now: Int64) -> [ProcessAction] {
    guard let due = deadline, now >= due else { return [] }
    deadline = nil
    switch state {
    case .starting where policy.waitsForReady:
      isKilled = true
      return [.alert("not ready in time"), .signal(9, group: true)]
    case .starting:
      return run(now)
    case .running:
      isKilled = true
      return [.alert("watchdog"), .signal(9, group: true)]
    case .stopping:
      isKilled = true
      return [.signal(9, group: true)]
    case .backoff where isFinal:
      return [move(to: .stopped)]
    case .backoff:
      restarts += 1
      return spawn()
    case .stopped, .exited, .fatal, .unknown:
      return []
    }
  }

  private mutating func signalFailed(_ reason: String) -> [ProcessAction] {
    guard pid != nil, state != .unknown else { return [] }
    spawnError = reason
    return [move(to: .unknown), .alert(reason)]
  }

  // MARK: - Death

  private mutating func exited(_ exit: ProcessExit, _ now: Int64) -> [ProcessAction] {
    guard pid != nil else { return [] }
    pid = nil
    isReady = false
    lastExit = exit
    endedAt = now
    switch state {
    case .starting: return remains(killed: policy.killsGroup) + endedWhileStarting(exit, now)
    case .running: return remains(killed: policy.killsGroup) + endedWhileRunning(exit, now)
    case .stopping:
      let change = move(to: .stopped)
      return remains(killed: true) + [change] + (isReversed ? spawn() : [])
    case .unknown:
      return [move(to: .exited)]
    case .stopped, .backoff, .exited, .fatal:
      preconditionFailure("a live process in state \(state.name)")
    }
  }

  /// The process is gone, its group may not be; the shell signals before it reaps, so the group is still its own.
  private func remains(killed: Bool) -> [ProcessAction] { killed ? [.signal(9, group: true)] : [] }

  private mutating func endedWhileStarting(_ exit: ProcessExit, _ now: Int64) -> [ProcessAction] {
    if exit == .code(policy.fatalExitCode) { return forbidden() }
    switch exit {
    case .code(let code): return startFailed("exited too quickly, with code \(code)", now)
    case .signal(let signal): return startFailed("ended too quickly, by signal \(signal)", now)
    case .unseen: return startFailed("ended too quickly, unseen", now)
    }
  }

  private mutating func forbidden() -> [ProcessAction] {
    spawnError = "exit code \(policy.fatalExitCode): wrong configuration, not started again"
    return [move(to: .fatal), .alert(spawnError)]
  }

  private mutating func startFailed(_ reason: String, _ now: Int64) -> [ProcessAction] {
    spawnError = reason
    failures += 1
    let change = move(to: .backoff, deadline: now + pause(failures))
    guard failures > policy.startRetries else { return [change] }
    return [change, move(to: .fatal), .alert("gave up after \(failures) failed starts: \(reason)")]
  }

  private mutating func endedWhileRunning(_ exit: ProcessExit, _ now: Int64) -> [ProcessAction] {
    if exit == .code(policy.fatalExitCode), !policy.exitCodes.contains(policy.fatalExitCode) { return forbidden() }
    var actions = [move(to: .exited)]
    let expected: Bool
    switch exit {
    case .code(let code): expected = policy.exitCodes.contains(code)
    case .signal, .unseen: expected = false
    }
    let isWanted = policy.restart == .always || (policy.restart == .unexpected && !expected)
    guard isWanted, !isFinal else { return actions }
    if let reason = intensity(now) {
      spawnError = reason
      return actions + [move(to: .fatal), .alert(reason)]
    }
    restartTimes.removeAll { now - $0 >= policy.restartsWindowNanoseconds }
    restartTimes.append(now)
    if restartTimes.count <= policy.restartsMax {
      throttled = 0
      restarts += 1
      return actions + spawn()
    }
    restartTimes.removeFirst()
    throttled += 1
    spawnError = "more than \(policy.restartsMax) restarts within \(policy.restartsWindowNanoseconds / 1_000_000_000) s"
    actions.append(move(to: .backoff, deadline: now + pause(throttled)))
    if throttled == 1 { actions.append(.alert(spawnError)) }
    return actions
  }

  /// Counts one more restart within the longer window.
  /// - Returns: why there must be no more, or nil.
  private mutating func intensity(_ now: Int64) -> String? {
    guard policy.fatalRestartsMax > 0 else { return nil }
    fatalRestartTimes.removeAll { now - $0 >= policy.fatalRestartsWindowNanoseconds }
    fatalRestartTimes.append(now)
    guard fatalRestartTimes.count > policy.fatalRestartsMax else { return nil }
    fatalRestartTimes = []
    let seconds = policy.fatalRestartsWindowNanoseconds / 1_000_000_000
    return "gave up after \(policy.fatalRestartsMax) restarts within \(seconds) s"
  }

  /// The pause before try number `count`: initial · 2^(count−1), at most the maximum, plus jitter.
  private mutating func pause(_ count: Int) -> Int64 {
    let doublings = min(count - 1, 40)
    let (grown, overflow) = policy.backoffInitialNanoseconds.multipliedReportingOverflow(by: 1 << doublings)
    let bound = overflow ? policy.backoffMaxNanoseconds : min(grown, policy.backoffMaxNanoseconds)
    let jitterMax = bound / 100 * policy.backoffJitterPercent
    return bound + (jitterMax > 0 ? Int64(nextRandom() % UInt64(jitterMax + 1)) : 0)
  }

  /// SplitMix64 (https://prng.di.unimi.it/splitmix64.c).
  private mutating func nextRandom() -> UInt64 {
    random &+= 0x9E37_79B9_7F4A_7C15
    var z = random
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
