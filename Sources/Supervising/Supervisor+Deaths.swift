internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// How processes end.
extension Supervisor {
  /// A child has ended: the next one is spawned first, then it is reaped.
  func ended(_ pid: Int32) {
    var status: Int32 = 0
    guard let process = processByPid[pid], bh_peek_exit(pid, &status) == pid, let state = rowStates[process],
      state.child != nil
    else { return }
    processByPid[pid] = nil
    for token in state.tokens { loop.remove(token) }
    rowStates[process]?.child = nil
    rowStates[process]?.tokens = []
    rowStates[process]?.endingPid = pid
    rowStates[process]?.endedAt = SystemClock.now
    state.streams.processEnded()
    handle(.exited(ProcessExit(waitStatus: status)), process)
    rowStates[process]?.endingPid = nil
    waitpid(pid, nil, 0)
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
      let orphans = SystemLookup.children()
      guard !orphans.isEmpty, SystemClock.monotonicNanoseconds < limit else { return }
      for orphan in orphans { kill(orphan, SIGKILL) }
      var item = pollfd(fd: signals, events: Int16(POLLIN), revents: 0)
      poll(&item, 1, 50)
      _ = try Signals.read(signals)
    }
  }
}
