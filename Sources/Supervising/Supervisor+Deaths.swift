internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// How processes end.
extension Supervisor {
  /// A child has ended: the next one is spawned first, then it is reaped.
  func ended(_ pid: Int32) {
    guard let process = processByPid[pid], let state = rowStates[process], let child = state.child,
      let exit = child.exit()
    else { return }
    processByPid[pid] = nil
    let tokens = state.tokens
    state.child = nil
    state.tokens = []
    state.endingPid = pid
    state.isEndingStranger = child.strangerSince != nil
    state.endedAt = SystemClock.now
    hearLastWords(of: process)
    state.streams.processEnded()
    let wasKilled = state.wasKilled
    state.wasKilled = false
    handle(.exited(exit), process)
    // Only now, because the next one did not wait for it; the descriptor is still open.
    for token in tokens { loop.remove(token) }
    state.endingPid = nil
    state.isEndingStranger = false
    if child.strangerSince == nil { waitpid(pid, nil, 0) }
    tellOutOfMemory(process, exit, wasKilledByUs: wasKilled)
  }

  /// Signals what is left of the group of a process that has just ended.
  ///
  /// The number of our own child is kept until we reap it; that of another's may be in use again, so there the members
  /// must bear our mark.
  func signalGroup(ofEnded pid: Int32, _ number: Int32, _ process: ProcessID) {
    guard rowStates[process]?.isEndingStranger == true, let row = table[process] else {
      kill(-pid, number)
      return
    }
    signalMarked(group: pid, mark: mark(of: row.specification), number)
  }

  /// Takes the ends of children, and of orphans that became ours because their parents died.
  func reap() {
    var status: Int32 = 0
    while true {
      let pid = bh_peek_exit(0, &status)
      guard pid > 0 else { return }
      if processByPid[pid] != nil { ended(pid) } else { waitpid(pid, nil, WNOHANG) }
    }
  }

  /// Whoever left its process group and outlived its parent is ended with the supervisor.
  func endOrphans() throws {
    let limit = SystemClock.monotonicNanoseconds + 1_000_000_000
    while true {
      reap()
      if hasAdopted { signalMarked(group: nil, mark: nil, SIGKILL) }
      let orphans = ownChildren()
      guard !orphans.isEmpty, SystemClock.monotonicNanoseconds < limit else { return }
      for orphan in orphans { kill(orphan, SIGKILL) }
      var item = pollfd(fd: signals, events: Int16(POLLIN), revents: 0)
      poll(&item, 1, 50)
      _ = try Signals.read(signals)
    }
  }
}
