internal import CLinux

/// How a process shares the processors with others.
public enum Scheduling {
  /// Asks the system for short turns, of 0.1 ms.
  ///
  /// A thread that wakes up for the market is then let in before one that has been computing, instead of waiting for the end
  /// of a turn of some milliseconds. Its share of the processors stays the same.
  ///
  /// Call it before the first thread is started. Linux 6.12 and later heed it, older ones do not; it needs no privilege, and
  /// is passed over where the process has a real-time policy. The corresponding C function is `sched_setattr`.
  public static func askForShortTurns() { _ = bh_ask_for_turns(100_000) }
}
