internal import Bus
internal import Daemon
internal import Market

/// Programs come to other numbers of processes while everything runs.
extension Supervisor {
  /// What a program is doing about its number of processes.
  struct ScaleInformation {
    let program: String
    let count: Int
    let previousCount: Int
    let next: Int?
    let stage: String
    let isSharded: Bool
    let missing: [String]
  }

  // MARK: - Requests

  /// Asks for another number of processes of a program.
  /// - Parameters:
  ///   - name: a program, or a group of one program.
  ///   - count: how many, from 1 to 1000.
  /// - Returns: the program's name.
  /// - Throws: a fault where there is no such program, the number is out of range, or the configuration cannot be read.
  @discardableResult func scale(_ name: String, to count: Int) throws(ControlFault) -> String {
    let program = try self.program(of: name)
    guard (1...1000).contains(count) else {
      throw ControlFault(.badArguments, "count: expected a number from 1 to 1000, found \(count)")
    }
    var plan = self.plan(of: program)
    if count > min(plan.count, members(of: program).count) {
      var counts = scales
      counts[program] = count
      let (read, errors) = SupervisorConfiguration.read(
        path: configuration.path, environment: environment, counts: counts)
      guard let read else { throw ControlFault(.failed, mistakes: errors) }
      newcomers[program] = read.processes.filter { $0.program == program }
    }
    if plan.count != count || !plan.isAtRest {
      Log.info("program is to be scaled", ["program": program, "from": "\(plan.count)", "to": "\(count)"])
    }
    let now = SystemClock.monotonicNanoseconds
    let actions = plan.request(count, generation: nextGeneration, view(of: program), now: now)
    plans[program] = plan
    perform(actions, of: program)
    return program
  }

  /// Whether a program has come to the number that was asked for last.
  func isScaled(_ program: String) -> Bool { plans[program]?.isAtRest ?? true }

  /// What a program is doing about its number of processes.
  /// - Throws: a fault where there is no such program.
  func scaleInformation(_ name: String) throws(ControlFault) -> ScaleInformation {
    let program = try self.program(of: name)
    let plan = plan(of: program)
    let missing = plan.missing(view(of: program))
    return ScaleInformation(
      program: program, count: plan.count, previousCount: plan.previousCount, next: plan.next,
      stage: plan.isAtRest ? "done" : plan.stage == .done ? "waiting" : "\(plan.stage)", isSharded: plan.isSharded,
      missing: members(of: program).filter { missing.contains($0.index) }.compactMap {
        table[$0.process]?.specification.name
      })
  }

  private func program(of name: String) throws(ControlFault) -> String {
    let specifications = table.order.compactMap { table[$0]?.specification }
    if specifications.contains(where: { $0.program == name }) { return name }
    let programs = Set(specifications.filter { $0.group == name }.map(\.program))
    guard let program = programs.first else { throw ControlFault(.badName, name) }
    guard programs.count == 1 else {
      throw ControlFault(.badArguments, "\(name) has several programs: \(programs.sorted().joined(separator: ", "))")
    }
    return program
  }

  // MARK: - What happens to processes

  /// A process says that it takes part in hand-overs, and what it has done.
  func take(_ word: ShardWord, from process: ProcessID) {
    guard let specification = table[process]?.specification else { return }
    let program = specification.program
    let now = SystemClock.monotonicNanoseconds
    let isKnown = plans[program] != nil
    var plan = plan(of: program)
    var actions = plan.declared()
    if !isKnown, word.follows > 0 {
      // It follows a plan of a supervisor that is no more: whatever that one was about is done again.
      actions += plan.resume(above: word.follows, view(of: program), now: now)
    }
    if let (generation, phase) = word.confirms {
      actions += plan.confirm(
        specification.sortKey.index, generation: generation, phase: phase, view(of: program), now: now)
    }
    plans[program] = plan
    perform(actions, of: program)
  }

  /// A process has come to another state.
  func followScale(of process: ProcessID, to state: ProcessState) {
    guard let specification = table[process]?.specification, var plan = plans[specification.program],
      plan.stage != .done
    else { return }
    let now = SystemClock.monotonicNanoseconds
    let view = view(of: plan.program)
    let actions =
      state == .running ? plan.advance(view, now: now) : plan.lost(specification.sortKey.index, view, now: now)
    plans[plan.program] = plan
    perform(actions, of: plan.program)
  }

  /// A process is out of the table.
  func followRemoval(ofProgram program: String) {
    guard var plan = plans[program] else { return }
    guard !members(of: program).isEmpty else {
      // The whole program is gone.
      plans[program] = nil
      newcomers[program] = nil
      alarms.set("scale " + program, at: nil) {}
      return
    }
    guard plan.stage != .done else { return }
    let actions = plan.advance(view(of: program), now: SystemClock.monotonicNanoseconds)
    plans[program] = plan
    perform(actions, of: program)
  }

  private func passTime(ofProgram program: String) {
    guard var plan = plans[program] else { return }
    let actions = plan.passTime(view(of: program), now: SystemClock.monotonicNanoseconds)
    plans[program] = plan
    perform(actions, of: program)
  }

  // MARK: - Doing it

  private func perform(_ actions: [ScalePlan.Action], of program: String) {
    guard let plan = plans[program] else { return }
    // A supervisor that follows must find all that may have something.
    let count = plan.stage == .done ? plan.count : max(plan.count, plan.previousCount)
    if plan.generation > 0, scales[program] != count, scales[program] != nil || plan.previousCount != plan.count {
      scales[program] = count
    }
    for action in actions {
      switch action {
      case .publish: board?.publish(plan.message)
      case .start(let indices): start(indices, of: program)
      case .stop(let first): leave(from: first, of: program)
      case .overdue(let stage, let missing):
        Log.warning(
          "hand-over goes on without a confirmation",
          [
            "program": program, "stage": "\(stage)", "limit_s": "\(plan.limitNanoseconds / 1_000_000_000)",
            "missing": missing.map(String.init).joined(separator: ","),
          ])
      }
    }
    let deadline = plans[program]?.deadline
    alarms.set("scale " + program, at: deadline) { [unowned self] in passTime(ofProgram: program) }
    if actions.contains(.publish), let plan = plans[program] {
      Log.info(
        "scale", ["program": program, "stage": "\(plan.stage)", "from": "\(plan.previousCount)", "to": "\(plan.count)"])
    }
    // Whoever waits for it looks again.
    perform([])
  }

  private func start(_ indices: Range<Int>, of program: String) {
    guard let count = plans[program]?.count else { return }
    for (index, process) in members(of: program) {
      setShard(index, of: count, process)
    }
    let present = Set(members(of: program).map(\.index))
    for specification in newcomers[program] ?? [] {
      let index = specification.sortKey.index
      guard indices.contains(index), !present.contains(index) else { continue }
      for file in [specification.output.file, specification.errorOutput.file].compactMap(\.self) {
        do throws(SystemError) {
          try FilePaths.makeDirectories(FilePaths.directory(of: file))
        } catch {
          Log.warning("no directory for a log", ["file": file, "error": "\(error)"])
        }
      }
      let process = add(specification)
      setShard(index, of: count, process)
      handle(.startRequested, process)
    }
    isStateChanged = true
  }

  /// Tells a process which part it has, from its next start on.
  private func setShard(_ index: Int, of count: Int, _ process: ProcessID) {
    table.setVariable("BULKHEAD_SHARD", to: "\(index)/\(count)", of: process)
    rowStates[process]?.order = nil
    rowStates[process]?.fingerprint = ""
  }

  private func leave(from first: Int, of program: String) {
    guard let count = plans[program]?.count else { return }
    for (index, process) in members(of: program) {
      guard index >= first else {
        setShard(index, of: count, process)
        continue
      }
      departing.insert(process)
      let isAtRest = table[process].map { $0.record.pid == nil && $0.record.state.isStopped } ?? true
      if isAtRest, !table.isWaiting(process) { forget(process) } else { handle(.stopRequested, process) }
    }
    isStateChanged = true
  }

  // MARK: - Views

  private func plan(of program: String) -> ScalePlan {
    plans[program]
      ?? ScalePlan(
        program: program, count: max(1, members(of: program).count), generation: nextGeneration,
        limitNanoseconds: configuration.handOverLimitNanoseconds)
  }

  /// Grows with the clock, so that it grows over restarts of the supervisor too.
  private var nextGeneration: UInt64 { UInt64(max(0, SystemClock.now.milliseconds)) }

  private func members(of program: String) -> [(index: Int, process: ProcessID)] {
    table.order.compactMap { process in
      guard let specification = table[process]?.specification, specification.program == program else { return nil }
      return (specification.sortKey.index, process)
    }
  }

  private func view(of program: String) -> ScalePlan.View {
    var view = ScalePlan.View(present: [], up: [])
    for (index, process) in members(of: program) {
      view.present.insert(index)
      guard let state = table[process]?.record.state else { continue }
      if [.starting, .running, .backoff].contains(state) || table.isWaiting(process) { view.up.insert(index) }
    }
    return view
  }
}
