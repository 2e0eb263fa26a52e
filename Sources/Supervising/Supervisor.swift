internal import Bus
internal import CLinux
internal import Daemon
internal import Market

#if canImport(Glibc)
  internal import Glibc
#endif

/// Runs the processes of a configuration until it is told to stop: the shell around `ProcessTable`.
///
/// One thread and one loop: children's ends by pidfd, signals by signalfd, deadlines by one timerfd, output by pipes,
/// control and bus by their descriptors. It belongs to the thread that made it.
public final class Supervisor {
  /// What it was started with.
  public let configuration: SupervisorConfiguration
  let startedAt = SystemClock.now
  private(set) var table = ProcessTable()

  private let environment: [String: String]
  private let loop: EventLoop
  private let lock: RunLock
  private let signals: Int32
  private let timer: Int32
  private let notifySocket: NotifySocket
  private var board: ProcessBoard?
  private var control: ControlServer?

  private var rowStates: [ProcessID: RowState] = [:]
  private var processByPid: [Int32: ProcessID] = [:]
  private var pending: [TableAction] = []
  private var isPerforming = false
  private var armedDeadline: Int64?
  private var restDeadline: Int64?
  private var isShutdownWanted = false
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
  private var waiters: [ObjectIdentifier: Waiter] = [:]

  /// What the shell keeps for each process.
  private struct RowState {
    let output: LogFile
    let errorOutput: LogFile
    var child: Child?
    var tokens: [EventLoop.Token] = []
    /// The pid of the process that is just ending: its group may still be signalled.
    var endingPid: Int32?
    var startedAt: Timestamp?
    var endedAt: Timestamp?
    var status = ""
  }

  /// Takes the run directory; nothing is started yet.
  /// - Parameters:
  ///   - configuration: what to run.
  ///   - environment: what the children inherit.
  /// - Throws: an error where another supervisor has the directory, or a socket cannot be made.
  public init(_ configuration: SupervisorConfiguration, environment: [String: String]) throws {
    self.configuration = configuration
    self.environment = environment
    if let user = configuration.user { try SystemLookup.become(user) }
    let run = configuration.runDirectory
    try FilePaths.makeDirectories(run)
    try FilePaths.makeDirectories(run + "/bus", mode: 0o700)
    let outputs = configuration.processes.flatMap { [$0.output.file, $0.errorOutput.file].compactMap(\.self) }
    for file in Set(outputs + configuration.pidFiles + configuration.controlSockets) {
      try FilePaths.makeDirectories(FilePaths.directory(of: file))
    }
    lock = try RunLock(path: configuration.pidFiles[0])
    Signals.ignore(SIGPIPE)
    signals = try Signals.open([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGCHLD, SIGUSR2])
    try systemCall("prctl PR_SET_CHILD_SUBREAPER") { bh_become_subreaper() }
    timer = try systemCall("timerfd_create") { bh_timerfd() }
    loop = try EventLoop()
    notifySocket = try NotifySocket(path: SupervisorConfiguration.notifySocket(runDirectory: run))
    for specification in configuration.processes { add(specification) }
    board = openBoard()
    control = try ControlServer(supervisor: self)
    _ = try loop.add(signals) { [unowned self] in takeSignals() }
    _ = try loop.add(timer) { [unowned self] in timerFired() }
    _ = try loop.add(notifySocket.descriptor) { [unowned self] in takeNotifications() }
    for pidFile in configuration.pidFiles.dropFirst() {
      try writeFileAtomically(Array("\(getpid())\n".utf8), to: pidFile)
    }
  }

  deinit {
    buffer.deallocate()
    close(timer)
    close(signals)
  }

  /// Starts what starts by itself, and returns when it was told to stop and everything has ended.
  /// - Throws: `SystemError` where the loop itself fails, or a child outlives its SIGKILL.
  public func run() throws {
    for warning in configuration.warnings { Log.warning(warning) }
    Log.info("supervisor starts", ["pid": "\(getpid())", "processes": "\(configuration.processes.count)"])
    perform(table.startAutomatic(now: SystemClock.monotonicNanoseconds))
    Readiness(environment: environment).ready(status: "\(configuration.processes.count) processes")
    while !(table.isShuttingDown && table.isAtRest) {
      try turn()
      if let limit = restDeadline, SystemClock.monotonicNanoseconds > limit {
        throw SystemError("a child outlives SIGKILL", code: ETIMEDOUT)
      }
    }
    control?.stop()
    try endOrphans()
    for pidFile in configuration.pidFiles.dropFirst() { unlink(pidFile) }
    Log.info("supervisor ends")
  }

  /// Tells every process to stop, in reverse order; `run` returns when they have.
  public func shutDown() {
    guard !table.isShuttingDown else { return }
    let now = SystemClock.monotonicNanoseconds
    Log.info("supervisor stops all processes")
    restDeadline = now + configuration.shutdownLimitNanoseconds + 3_000_000_000
    // A little sooner than promised: SIGKILL takes its time too.
    let limit = configuration.shutdownLimitNanoseconds - min(500_000_000, configuration.shutdownLimitNanoseconds / 4)
    perform(table.shutDown(now: now, limit: limit))
  }

  /// Does the same at the end of this turn of the loop, so that whoever asked for it gets an answer.
  func shutDownAfterTurn() { isShutdownWanted = true }

  private func add(_ specification: ProcessSpecification) {
    let process = table.add(specification, seed: UInt64.random(in: 0...UInt64.max))
    rowStates[process] = RowState(
      output: LogFile(specification.output), errorOutput: LogFile(specification.errorOutput))
  }

  private func openBoard() -> ProcessBoard? {
    do throws(BusError) {
      return try ProcessBoard(
        runDirectory: configuration.runDirectory,
        highWaterMark: configuration.settings.integer("bus", "high_water_mark_messages"))
    } catch {
      // Children are kept alive with or without a bus.
      Log.error("the process table is not published", ["error": "\(error)"])
      return nil
    }
  }

  // MARK: - The loop

  private func turn() throws {
    if let board {
      board.wait(descriptor: loop.descriptor, timeoutMilliseconds: Int(control?.timeoutMilliseconds ?? -1))
      board.answerNewcomers(order: table.order) { message(of: $0) }
      try loop.process(timeoutMilliseconds: 0)
    } else {
      try loop.process(timeoutMilliseconds: control?.timeoutMilliseconds ?? -1)
    }
    control?.process()
    if isShutdownWanted { shutDown() }
    arm()
  }

  func watch(_ descriptor: Int32, _ handler: @escaping () -> Void) throws(SystemError) {
    _ = try loop.add(descriptor, handler)
  }

  private func arm() {
    guard armedDeadline != table.deadline else { return }
    armedDeadline = table.deadline
    var time = itimerspec()
    if let deadline = armedDeadline {
      let due = max(1, deadline)
      time.it_value = timespec(tv_sec: Int(due / 1_000_000_000), tv_nsec: Int(due % 1_000_000_000))
    }
    timerfd_settime(timer, bh_timer_absolute(), &time, nil)
  }

  private func timerFired() {
    var count: UInt64 = 0
    _ = read(timer, &count, 8)
    armedDeadline = nil
    perform(table.passTime(now: SystemClock.monotonicNanoseconds))
  }

  private func takeSignals() {
    while let signal = (try? Signals.read(signals)) ?? nil {
      switch signal {
      case SIGCHLD: reap()
      case SIGHUP, SIGUSR2: Log.info("signal is ignored", ["signal": SignalNames.name(signal)])
      default: shutDown()
      }
    }
  }

  private func takeNotifications() {
    while let message = notifySocket.receive() {
      guard let process = process(ofSender: message.sender) else { continue }
      if let status = message.status { rowStates[process]?.status = status }
      if message.isReady { handle(.ready, process) }
      if message.isAlive { handle(.alive, process) }
      if message.status != nil, !message.isReady { publish(process) }
    }
  }

  /// The process whose main process or process group the sender is.
  private func process(ofSender pid: Int32) -> ProcessID? {
    processByPid[pid] ?? processByPid[getpgid(pid)]
  }

  // MARK: - Events and actions

  func handle(_ event: ProcessEvent, _ process: ProcessID) {
    perform(table.handle(event, process: process, now: SystemClock.monotonicNanoseconds))
  }

  private func perform(_ actions: [TableAction]) {
    pending += actions
    guard !isPerforming else { return }
    isPerforming = true
    while !pending.isEmpty {
      let batch = pending
      pending = []
      for item in batch { perform(item.action, item.process) }
    }
    isPerforming = false
    for waiter in waiters.values where waiter.poll() { waiters[ObjectIdentifier(waiter)] = nil }
  }

  private func perform(_ action: ProcessAction, _ process: ProcessID) {
    guard let row = table[process] else { return }
    switch action {
    case .spawn: spawn(process, row.specification)
    case .signal(let number, let group): signal(number, group: group, process)
    case .changed(let from, let to):
      Log.info(
        "process", ["name": row.specification.fullName, "from": from.name, "to": to.name, "pid": pidText(row.record)])
      publish(process)
    case .updated: publish(process)
    case .alert(let text): Log.warning("process needs care", ["name": row.specification.fullName, "reason": text])
    }
  }

  private func pidText(_ record: ProcessRecord) -> String { record.pid.map(String.init) ?? "" }

  private func spawn(_ process: ProcessID, _ specification: ProcessSpecification) {
    guard let state = rowStates[process] else { return }
    do throws(SystemError) {
      let child = try Child.spawn(
        specification, environment: environment, umask: configuration.umask, output: state.output,
        errorOutput: state.errorOutput)
      rowStates[process]?.child = child
      rowStates[process]?.startedAt = SystemClock.now
      rowStates[process]?.status = ""
      processByPid[child.pid] = process
      Log.info("process spawned", ["name": specification.fullName, "pid": "\(child.pid)"])
      try watch(child, of: process)
      handle(.spawned(pid: child.pid), process)
    } catch {
      Log.error("process cannot be spawned", ["name": specification.fullName, "error": "\(error)"])
      if let child = rowStates[process]?.child {
        // It runs and cannot be watched: SIGCHLD will tell of its end.
        handle(.spawned(pid: child.pid), process)
        handle(.signalFailed("\(error)"), process)
      } else {
        handle(.spawnFailed("\(error)"), process)
      }
    }
  }

  private func watch(_ child: Child, of process: ProcessID) throws(SystemError) {
    let pid = child.pid
    var tokens = [try loop.add(child.pidDescriptor) { [unowned self] in ended(pid) }]
    for index in child.outputs.indices {
      var token: EventLoop.Token?
      token = try loop.add(child.outputs[index].descriptor) { [unowned self, unowned child] in
        // An output that has ended is not waited for; the descriptor is closed with the child.
        if child.move(output: index, through: buffer, readsMax: 4), let token { loop.remove(token) }
      }
      if let token { tokens.append(token) }
    }
    rowStates[process]?.tokens = tokens
  }

  private func signal(_ number: Int32, group: Bool, _ process: ProcessID) {
    guard let state = rowStates[process] else { return }
    do throws(SystemError) {
      if let ending = state.endingPid {
        if group { kill(-ending, number) }
      } else {
        try state.child?.signal(number, group: group)
      }
    } catch {
      handle(.signalFailed("\(error)"), process)
    }
  }

  // MARK: - Ends

  /// A child has ended: the next one is spawned first, then the output of the old one is fetched, then it is reaped.
  private func ended(_ pid: Int32) {
    var status: Int32 = 0
    guard let process = processByPid[pid], bh_peek_exit(pid, &status) == pid, let state = rowStates[process],
      let child = state.child
    else { return }
    processByPid[pid] = nil
    for token in state.tokens { loop.remove(token) }
    rowStates[process]?.child = nil
    rowStates[process]?.tokens = []
    rowStates[process]?.endingPid = pid
    rowStates[process]?.endedAt = SystemClock.now
    handle(.exited(ProcessExit(waitStatus: status)), process)
    rowStates[process]?.endingPid = nil
    for index in child.outputs.indices { _ = child.move(output: index, through: buffer, readsMax: 64) }
    waitpid(pid, nil, 0)
  }

  /// Takes the ends of children, and of orphans that became ours because their parents died.
  private func reap() {
    var status: Int32 = 0
    while true {
      let pid = bh_peek_exit(0, &status)
      guard pid > 0 else { return }
      if processByPid[pid] != nil { ended(pid) } else { waitpid(pid, nil, WNOHANG) }
    }
  }

  /// Whoever left its process group and outlived its parent is ended with the supervisor.
  private func endOrphans() throws {
    let limit = SystemClock.monotonicNanoseconds + 1_000_000_000
    while true {
      reap()
      let orphans = SystemLookup.children()
      guard !orphans.isEmpty, SystemClock.monotonicNanoseconds < limit else { return }
      for orphan in orphans { kill(orphan, SIGKILL) }
      var item = pollfd(fd: signals, events: Int16(POLLIN), revents: 0)
      poll(&item, 1, 50)
      _ = try Signals.read(signals)
    }
  }

  // MARK: - What others see

  /// Polls the waiter after every change until it is done.
  func wait(_ waiter: Waiter) {
    if !waiter.poll() { waiters[ObjectIdentifier(waiter)] = waiter }
  }

  func times(of process: ProcessID) -> (start: Timestamp?, end: Timestamp?) {
    (rowStates[process]?.startedAt, rowStates[process]?.endedAt)
  }

  func statusText(of process: ProcessID) -> String { rowStates[process]?.status ?? "" }

  /// Sends any signal to a process; for the control interface.
  func send(signal number: Int32, to process: ProcessID) throws(SystemError) {
    try rowStates[process]?.child?.signal(number, group: false)
  }

  private func publish(_ process: ProcessID) {
    if let message = message(of: process) { board?.publish(message) }
  }

  private func message(of process: ProcessID) -> ProcessMessage? {
    guard let row = table[process] else { return nil }
    let information = ProcessInformation(self, process, row)
    return ProcessMessage(
      name: row.specification.name, group: row.specification.group, state: row.record.state.name,
      pid: row.record.pid ?? 0, startedAt: rowStates[process]?.startedAt ?? Timestamp(nanoseconds: 0),
      restarts: row.record.restarts, isReady: row.record.isReady, exitStatus: row.record.lastExit?.status,
      description: information.description)
  }
}

/// Somebody who waits for processes to come somewhere.
final class Waiter {
  private let check: () -> Bool
  private var isDone = false
  private var isChecking = false

  /// - Parameter check: looks whether it has come about, and answers whoever asked; true when there is nothing more to
  ///   wait for.
  init(_ check: @escaping () -> Bool) { self.check = check }

  /// Whether it is done; it answers once, even where its answer leads to the next change and so back to here.
  func poll() -> Bool {
    guard !isDone, !isChecking else { return isDone }
    isChecking = true
    isDone = check()
    isChecking = false
    return isDone
  }
}
