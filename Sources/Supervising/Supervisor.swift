internal import Bus
internal import CLinux
internal import Daemon
internal import Market

#if canImport(Glibc)
  internal import Glibc
#endif

/// Runs the processes of a configuration until it is told to stop: the shell around `ProcessTable`.
///
/// One thread and one loop: children's ends by pidfd, signals by signalfd, deadlines by one timerfd, control and
/// bus by their descriptors; output has a thread of its own. It belongs to the thread that made it.
public final class Supervisor {
  /// What it was started with.
  public let configuration: SupervisorConfiguration
  let startedAt = SystemClock.now
  var table = ProcessTable()

  /// How it was started.
  public let launch: Launch
  let environment: [String: String]
  /// The same as the kernel takes it.
  let surroundings: SpawnSurroundings
  let loop: EventLoop
  let lock: RunLock
  let signals: Int32
  let timer: Int32
  let notifySocket: NotifySocket
  var board: ProcessBoard?
  var control: ControlServer?

  var rowStates: [ProcessID: RowState] = [:]
  var processByPid: [Int32: ProcessID] = [:]
  var pending: [TableAction] = []
  var isPerforming = false
  var armedDeadline: Int64?
  var restDeadline: Int64?
  var isShutdownWanted = false
  /// Who hears of what happens.
  var events = EventHub()
  var pendingEvents: [EventHub.Action] = []
  var isFlushingEvents = false
  let sharedSockets = SharedSockets()
  let pump: OutputPump
  /// What stands for a channel that goes nowhere.
  let null: Int32
  var waiters: [ObjectIdentifier: Waiter] = [:]
  /// The configuration that was read last; groups that are added are its.
  var available: SupervisorConfiguration
  /// The file of the supervisor's own log; nil where it has none.
  let mainLog: String?
  /// What is to be done at some time, beside the deadlines of processes.
  var alarms = Alarms()

  var stateFile: StateFile
  /// What a supervisor left that died; nil where none did.
  var inheritance: SavedState?
  /// Whether the state file is to be written at the end of this turn.
  var isStateChanged = true
  /// How many processes of a program there are where that is not what the configuration says; outlives the supervisor.
  var scales: [String: Int] = [:] { didSet { isStateChanged = true } }
  /// What programs do about their number of processes, by program.
  var plans: [String: ScalePlan] = [:]
  /// What processes that are yet to come are, by program.
  var newcomers: [String: [ProcessSpecification]] = [:]
  /// Processes that the configuration does not know any more; they are stopped and forgotten.
  var departing: Set<ProcessID> = []
  var hasAdopted = false
  /// How many processes the kernel had ended for lack of memory when somebody last asked.
  var machineKills = ControlGroup.killsOfMachine()
  var standby: Standby?
  var standbyToken: EventLoop.Token?
  var standbySince: Int64 = 0
  var standbyPause: Int64 = 0
  /// What the next image reads, where another one is to take our place at the end of this turn.
  var isReexecutionWanted = false
  /// Whether the next image is about to take our place.
  public internal(set) var isRestarting = false
  /// Whether it leaves the processes to a supervisor that waits for it to go.
  var isSteppingAside = false

  /// Takes the run directory; nothing is started yet.
  /// - Parameters:
  ///   - configuration: what to run.
  ///   - environment: what the children inherit.
  ///   - launch: how it was started.
  /// - Throws: an error where another supervisor has the directory, or a socket cannot be made.
  public init(_ configuration: SupervisorConfiguration, environment: [String: String], launch: Launch) throws {
    self.configuration = configuration
    available = configuration
    self.environment = environment
    self.launch = launch
    if let user = configuration.user { try SystemLookup.become(user) }
    let run = configuration.runDirectory
    try FilePaths.makeDirectories(run)
    try FilePaths.makeDirectories(run + "/bus", mode: 0o700)
    try FilePaths.makeDirectories(ProcessStreams.directory(runDirectory: run), mode: 0o700)
    mainLog = configuration.daemon.ownLog(runDirectory: run).file
    let outputs = configuration.processes.flatMap { [$0.output.file, $0.errorOutput.file].compactMap(\.self) }
    let ownFiles = configuration.pidFiles + configuration.controlSockets + [mainLog].compactMap(\.self)
    for file in Set(outputs + ownFiles) { try FilePaths.makeDirectories(FilePaths.directory(of: file)) }
    if !launch.isContinuation { try Self.raiseLimits(configuration.daemon) }
    signals = try Signals.open([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGCHLD, SIGUSR1, SIGUSR2])
    lock = try RunLock(path: configuration.pidFiles[0], launch: launch)
    stateFile = StateFile(runDirectory: run)
    inheritance = stateFile.read()
    if launch.standIn != nil, inheritance == nil { throw NothingInherited() }
    scales = inheritance?.scales ?? [:]
    Signals.ignore(SIGPIPE)
    // A file that must not grow is an error like a full disk.
    Signals.ignore(SIGXFSZ)
    surroundings = SpawnSurroundings(environment: environment, umask: configuration.umask)
    try systemCall("prctl PR_SET_CHILD_SUBREAPER") { bh_become_subreaper() }
    timer = try systemCall("timerfd_create") { bh_timerfd() }
    loop = try EventLoop()
    notifySocket = try NotifySocket(
      path: SupervisorConfiguration.notifySocket(runDirectory: run), inherited: launch.notifyDescriptor)
    pump = try OutputPump(runDirectory: run)
    null = try systemCall("open /dev/null") { bh_open("/dev/null", O_RDWR | O_CLOEXEC, 0) }
    startOwnLog()
    // Processes that live on write to theirs.
    if inheritance == nil { removeAutomaticLogs() }
    for specification in configuration.processes { add(specification) }
    pump.begin()
    board = openBoard()
    control = try ControlServer(supervisor: self)
    // Looked after in each turn.
    if let board { _ = try loop.add(board.descriptor) {} }
    _ = try loop.add(signals) { [unowned self] in takeSignals() }
    _ = try loop.add(pump.taps.descriptor) { [unowned self] in pump.taps.deliver() }
    _ = try loop.add(timer) { [unowned self] in timerFired() }
    _ = try loop.add(notifySocket.descriptor) { [unowned self] in takeNotifications() }
    for pidFile in configuration.pidFiles.dropFirst() {
      try writeFileAtomically(Array("\(getpid())\n".utf8), to: pidFile)
    }
  }

  deinit {
    close(null)
    close(timer)
    close(signals)
  }

  /// Starts what starts by itself, and returns when it was told to stop and everything has ended.
  /// - Throws: `SystemError` where the loop itself fails, or a child outlives its SIGKILL.
  public func run() throws {
    for warning in configuration.warnings { Log.warning(warning) }
    Log.info("supervisor starts", ["pid": "\(getpid())", "processes": "\(configuration.processes.count)"])
    // From the first spawn on whoever is next knows that there is something to look for.
    if inheritance == nil { saveState() }
    for group in configuration.groups { noteGroupAdded(group) }
    emit(.supervisorRunning)
    start()
    isStateChanged = true
    saveState()
    // Before there is a standby, which has the same standard descriptors.
    launch.tellParent(.done)
    if launch.parentDescriptor != nil { pump.reopen() }
    startStandby()
    saveState()
    Readiness(environment: environment).ready(status: "\(configuration.processes.count) processes")
    Footprint.release()
    if let first = configuration.processes.first {
      Rehearsal.walk(first, surroundings: surroundings, null: null, loop: loop)
    }
    arm()
    while !(table.isShuttingDown && table.isAtRest) {
      try turn()
      if isSteppingAside { return stepAside() }
      if let limit = restDeadline, SystemClock.monotonicNanoseconds > limit {
        endStandby()
        throw SystemError("a child outlives SIGKILL", code: ETIMEDOUT)
      }
    }
    control?.stop()
    endStandby()
    try endOrphans()
    stateFile.remove()
    sharedSockets.closeAll()
    for pidFile in configuration.pidFiles.dropFirst() { unlink(pidFile) }
    Log.info("supervisor ends")
    for state in rowStates.values {
      state.streams.remove()
      state.controlGroup?.remove()
    }
    rmdir(ProcessStreams.directory(runDirectory: configuration.runDirectory))
    endLogs()
  }

  /// Tells every process to stop, in reverse order; `run` returns when they have.
  public func shutDown() {
    guard !table.isShuttingDown else { return }
    let now = SystemClock.monotonicNanoseconds
    Log.info("supervisor stops all processes")
    isStateChanged = true
    restDeadline = now + configuration.shutdownLimitNanoseconds + 3_000_000_000
    // A little sooner than promised: SIGKILL takes its time too.
    let limit = configuration.shutdownLimitNanoseconds - min(500_000_000, configuration.shutdownLimitNanoseconds / 4)
    emit(.supervisorStopping)
    perform(table.shutDown(now: now, limit: limit))
  }

  /// Does the same at the end of this turn of the loop, so that whoever asked for it gets an answer.
  func shutDownAfterTurn() { isShutdownWanted = true }

  @discardableResult func add(_ specification: ProcessSpecification) -> ProcessID {
    let process = table.add(specification, seed: UInt64.random(in: 0...UInt64.max))
    rowStates[process] = RowState(
      streams: ProcessStreams(specification, runDirectory: configuration.runDirectory, pump: pump))
    tapStreams(of: process, specification)
    return process
  }

  func openBoard() -> ProcessBoard? {
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

  func turn() throws {
    let mayWait = board?.hasNewcomers != true
    try loop.process(timeoutMilliseconds: mayWait ? control?.timeoutMilliseconds ?? -1 : 0)
    board?.answerNewcomers(order: table.order, plans: plans) { message(of: $0) }
    control?.process()
    if isShutdownWanted { shutDown() }
    if isReexecutionWanted { reexecuteNow() }
    saveState()
    arm()
  }

  func watch(_ descriptor: Int32, _ handler: @escaping () -> Void) throws(SystemError) {
    _ = try loop.add(descriptor, handler)
  }

  func arm() {
    let due = [table.deadline, alarms.deadline].compactMap(\.self).min()
    guard armedDeadline != due else { return }
    armedDeadline = due
    var time = itimerspec()
    if let deadline = armedDeadline {
      let due = max(1, deadline)
      time.it_value = timespec(tv_sec: Int(due / 1_000_000_000), tv_nsec: Int(due % 1_000_000_000))
    }
    timerfd_settime(timer, bh_timer_absolute(), &time, nil)
  }

  func timerFired() {
    var count: UInt64 = 0
    _ = read(timer, &count, 8)
    armedDeadline = nil
    let now = SystemClock.monotonicNanoseconds
    perform(table.passTime(now: now))
    for action in alarms.takeDue(now: now) { action() }
  }

  func takeSignals() {
    while let signal = (try? Signals.read(signals)) ?? nil {
      switch signal {
      case SIGCHLD: reap()
      case SIGUSR2:
        Log.info("logs are opened again")
        pump.reopen()
      case SIGHUP: reexecute()
      case SIGUSR1:
        // Only a stand-in leaves its place, and not in the middle of the end.
        if launch.standIn != nil, !table.isShuttingDown { isSteppingAside = true }
      default: shutDown()
      }
    }
  }

  func takeNotifications() {
    while let message = notifySocket.receive() {
      guard let process = process(ofSender: message.sender) else { continue }
      if let status = message.status { rowStates[process]?.status = status }
      if message.isReady { handle(.ready, process) }
      if message.isAlive { handle(.alive, process) }
      if message.status != nil, !message.isReady { publish(process) }
      if let word = message.shard { take(word, from: process) }
    }
  }

  /// The process whose main process or process group the sender is.
  func process(ofSender pid: Int32) -> ProcessID? {
    processByPid[pid] ?? processByPid[getpgid(pid)]
  }
}
