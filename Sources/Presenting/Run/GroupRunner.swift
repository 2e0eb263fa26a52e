internal import Bus
internal import CLinux
internal import Daemon
internal import Market
internal import Store

#if canImport(Glibc)
  internal import Glibc
#endif

/// `bulkhead run`: starts a group in the foreground, shows it, and leaves nothing behind.
final class GroupRunner {
  /// How long processes may take until all of them are ready.
  private static let readyWithinSeconds: Int64 = 60
  /// How long an orderly stop may take before what is left is killed.
  private static let stopWithinSeconds: Int64 = 10

  private let context: ToolContext
  private let durationSeconds: Double?
  private let screen = Screen()
  private var stopDescriptor: Int32 = -1
  private var rate = MessageRate()
  private var hasSuccessor = false

  init(_ context: ToolContext, durationSeconds: Double?) {
    self.context = context
    self.durationSeconds = durationSeconds
  }

  /// Returns when everything has stopped as it should.
  /// - Throws: `ToolError` where a process could not be started or was given up, or had to be killed.
  func run() throws {
    let runDirectory = context.runDirectory
    guard !context.supervisor.isThere else {
      throw ToolError(.failed, "it runs already in \(runDirectory); see `bulkhead status`, `bulkhead shutdown`")
    }
    // Before the bus starts its thread, so that the signals stay blocked there too.
    stopDescriptor = try Signals.open([SIGINT, SIGTERM, SIGHUP])
    // Whatever outlives the supervisor becomes our child, and is found at the end.
    _ = bh_prctl(PR_SET_CHILD_SUBREAPER, 1)
    try FilePaths.makeDirectories(runDirectory + "/bus", mode: 0o700)
    try FilePaths.makeDirectories(context.dataDirectory, mode: 0o700)
    let mark = RunBooks.mark(dataDirectory: context.dataDirectory, now: SystemClock.now)
    let listener = try GroupListener(
      name: context.busName, runDirectory: runDirectory, manual: manualPrograms())
    var supervisor = try startSupervisor()
    var outcome = watch(&supervisor, listener, until: .ready)
    let started = SystemClock.monotonicNanoseconds
    if outcome == .ready {
      screen.say("all \(listener.view.wantedCount) processes are ready")
      outcome = watch(&supervisor, listener, until: .end(since: started))
    }
    screen.release()
    let elapsed = Double(SystemClock.monotonicNanoseconds - started) / 1e9
    let seen = SystemClock.now
    let killed = stop(supervisor, listener)
    try conclude(outcome, supervisor, listener, killed: killed) {
      let books = try RunBooks.since(mark, dataDirectory: context.dataDirectory)
      return RunSummary.final(listener.view, books: books, elapsedSeconds: elapsed, now: max(seen, SystemClock.now))
    }
  }

  private var logPath: String { context.runDirectory + "/supervisor.log" }

  private func startSupervisor() throws -> ChildProcess {
    var folder = context.environment["BULKHEAD_BIN"] ?? ""
    if folder.isEmpty { folder = FilePaths.directory(of: ownPath()) }
    folder = FilePaths.absolute(folder)
    var environment = context.environment
    environment["BULKHEAD_BIN"] = folder
    screen.say("starting the processes of \(context.settings.path); logs are in \(context.runDirectory)")
    return try ChildProcess(
      folder + "/supervisor", ["-n", "-c", context.settings.path], environment: environment, log: logPath)
  }

  /// Programs with `autostart = false`.
  private func manualPrograms() -> Set<String> {
    let file = ConfigurationFile(path: context.settings.path, environment: context.environment)
    let manual = file.sections.filter { section in
      guard section.name.hasPrefix("program:"), let text = section.entry("autostart")?.value else { return false }
      return SettingValue(text, kind: .boolean, directory: "") == .boolean(false)
    }
    return Set(manual.map { String($0.name.dropFirst("program:".count)) })
  }

  private func ownPath() -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer in
      guard let base = buffer.baseAddress else { return "" }
      let count = readlink("/proc/self/exe", base, buffer.count - 1)
      guard count > 0 else { return "" }
      base[count] = 0
      return String(cString: base)
    }
  }

  // MARK: - Watching

  private enum Goal {
    case ready
    case end(since: Int64)
  }

  private enum Outcome: Equatable {
    case ready, timeOver, interrupted, supervisorEnded
    case notReady([String])
    case fatal([String])
  }

  /// Watches until the goal is reached, and goes on with whoever takes the place of a supervisor that dies.
  private func watch(_ supervisor: inout ChildProcess, _ listener: GroupListener, until goal: Goal) -> Outcome {
    let begin = SystemClock.monotonicNanoseconds
    while true {
      let outcome = watchOne(supervisor, listener, until: goal, since: begin)
      guard outcome == .supervisorEnded,
        let next = supervisor.successor(pidFile: context.runDirectory + "/supervisor.pid")
      else { return outcome }
      screen.say("the supervisor died, another one has taken its place")
      supervisor = next
      hasSuccessor = true
    }
  }

  private func watchOne(
    _ supervisor: ChildProcess, _ listener: GroupListener, until goal: Goal, since begin: Int64
  ) -> Outcome {
    let poller = Poller()
    let stop = poller.add(descriptor: stopDescriptor)
    let end = poller.add(descriptor: supervisor.handle.descriptor)
    listener.register(poller)
    var nextShow = SystemClock.monotonicNanoseconds + 1_000_000_000
    while true {
      let now = SystemClock.monotonicNanoseconds
      poller.wait(timeoutMilliseconds: Int(max(0, min(nextShow, deadline(goal, begin)) - now) / 1_000_000) + 1)
      listener.process()
      if poller.isReady(stop), ((try? Signals.read(stopDescriptor)) ?? nil) != nil { return .interrupted }
      if poller.isReady(end) { return .supervisorEnded }
      let after = SystemClock.monotonicNanoseconds
      if let outcome = outcome(goal, listener.view, isOver: after >= deadline(goal, begin)) { return outcome }
      guard after >= nextShow else { continue }
      nextShow += 1_000_000_000
      if hasSuccessor { supervisor.reapOthers() }
      show(goal, listener, after)
    }
  }

  private func deadline(_ goal: Goal, _ begin: Int64) -> Int64 {
    switch goal {
    case .ready: begin + Self.readyWithinSeconds * 1_000_000_000
    case .end: durationSeconds.map { begin + Int64($0 * 1e9) } ?? Int64.max
    }
  }

  private func outcome(_ goal: Goal, _ view: GroupView, isOver: Bool) -> Outcome? {
    guard case .ready = goal else { return isOver ? .timeOver : nil }
    if !view.fatal.isEmpty { return .fatal(view.fatal.sorted()) }
    if view.isReady { return .ready }
    return isOver ? .notReady(view.unready.map { "\($0.name) (\($0.state.lowercased()))" }) : nil
  }

  private func show(_ goal: Goal, _ listener: GroupListener, _ monotonic: Int64) {
    let now = SystemClock.now
    let view = listener.view
    guard case .end(let since) = goal else {
      let names = view.unready.map(\.name).joined(separator: ", ")
      screen.show(line: "waiting for " + (view.processes.isEmpty ? "the supervisor" : names), everySeconds: 5)
      return
    }
    let elapsed = Double(monotonic - since) / 1e9
    let perSecond = rate.update(view.publishedCount, at: monotonic)
    if screen.isTerminal {
      screen.redraw(
        RunSummary.live(view, elapsedSeconds: elapsed, durationSeconds: durationSeconds, rate: perSecond, now: now))
    } else {
      screen.show(
        line: RunSummary.line(view, elapsedSeconds: elapsed, rate: perSecond, now: now), everySeconds: 5)
    }
    listener.compact(now: now)
  }

  // MARK: - Stopping

  /// Stops everything.
  /// - Returns: the names of those that had to be killed.
  private func stop(_ supervisor: ChildProcess, _ listener: GroupListener) -> [String] {
    screen.say("stopping")
    let deadline = SystemClock.monotonicNanoseconds + Self.stopWithinSeconds * 1_000_000_000
    supervisor.handle.send(SIGTERM)
    let poller = Poller()
    let end = poller.add(descriptor: supervisor.handle.descriptor)
    listener.register(poller)
    while SystemClock.monotonicNanoseconds < deadline {
      let left = deadline - SystemClock.monotonicNanoseconds
      poller.wait(timeoutMilliseconds: Int(max(0, left) / 1_000_000) + 1)
      listener.process()
      if poller.isReady(end) { break }
    }
    listener.process()
    var killed: [String] = []
    if !supervisor.handle.hasEnded() {
      killed.append("supervisor")
      supervisor.killGroup()
      _ = supervisor.handle.hasEnded(withinMilliseconds: 2000)
    }
    var survivors = listener.survivors()
    // A dead supervisor's children are ours now, also those that it never told, and then theirs.
    repeat {
      for survivor in survivors {
        killed.append(listener.view.sortedProcesses.first { $0.pid == survivor.pid }?.name ?? "pid \(survivor.pid)")
        survivor.send(SIGKILL)
        _ = survivor.hasEnded(withinMilliseconds: 2000)
      }
      survivors = ownChildren().compactMap(ProcessHandle.init).filter { !$0.hasEnded() }
    } while !survivors.isEmpty && SystemClock.monotonicNanoseconds < deadline + 5_000_000_000
    return killed
  }

  private func conclude(
    _ outcome: Outcome, _ supervisor: ChildProcess, _ listener: GroupListener, killed: [String],
    summary: () throws -> [String]
  ) throws {
    let status = supervisor.reap() ?? 0
    // Orphans that came to us have ended by now.
    while waitpid(-1, nil, WNOHANG) > 0 {}
    switch outcome {
    case .notReady(let names):
      let text = names.isEmpty ? "the supervisor said nothing" : names.joined(separator: ", ")
      throw ToolError(.failed, "not ready within \(Self.readyWithinSeconds) s: \(text); logs are in \(logPath)")
    case .fatal(let names):
      throw ToolError(.failed, "could not be started: \(names.joined(separator: ", "))\n\(logEnd())")
    case .supervisorEnded where listener.view.processes.isEmpty || status != 0:
      throw ToolError(
        ExitStatus(rawValue: status) == .misconfigured ? .misconfigured : .failed,
        "the supervisor ended with status \(status)\n\(logEnd())")
    case .ready, .timeOver, .interrupted, .supervisorEnded: break
    }
    for line in try summary() { screen.say(line) }
    guard killed.isEmpty else {
      throw ToolError(.failed, "had to be killed: " + killed.joined(separator: ", "))
    }
    guard listener.view.fatal.isEmpty else {
      throw ToolError(.failed, "was given up: " + listener.view.fatal.sorted().joined(separator: ", "))
    }
  }

  private func logEnd() -> String {
    let bytes = (try? readFile(logPath, sizeMax: 1 << 28)) ?? []
    return Command.lastLines(of: String(decoding: bytes.suffix(16_384), as: UTF8.self), 10)
  }
}

/// Messages a second, from a counter that only rises.
private struct MessageRate {
  private var last: (count: Int64, time: Int64)?

  mutating func update(_ count: Int64, at time: Int64) -> Double {
    defer { last = (count, time) }
    guard let last, time > last.time else { return 0 }
    return Double(count - last.count) / (Double(time - last.time) / 1e9)
  }
}
