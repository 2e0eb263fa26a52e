internal import CLinux
internal import Daemon

#if canImport(Glibc)
  internal import Glibc
#endif

/// Walks the way from a death to the next start once, so that what it needs is in memory when it counts.
///
/// The first restart would else wait for dozens of pages that `Footprint.release` has let go of.
enum Rehearsal {
  /// Takes a process of the configuration through a life of the state machine, and spawns what cannot be executed.
  /// - Parameters:
  ///   - specification: the process.
  ///   - surroundings: what all children have.
  ///   - null: what stands for all its standard descriptors.
  ///   - loop: the loop of the supervisor.
  static func walk(
    _ specification: ProcessSpecification, surroundings: SpawnSurroundings, null: Int32, loop: EventLoop
  ) {
    var ends: [Int32] = [-1, -1]
    if bh_pipe_for_reading(&ends) == 0 {
      close(ends[1])
      // Without its other end it can be read at once.
      if let token = try? loop.add(ends[0], {}) {
        try? loop.process(timeoutMilliseconds: 0)
        loop.remove(token)
      }
      close(ends[0])
    }
    var table = ProcessTable()
    let process = table.add(specification, seed: 1)
    _ = table.handle(.startRequested, process: process, now: 1)
    _ = table.handle(.spawned(pid: 1), process: process, now: 2)
    _ = table.handle(.ready, process: process, now: 3)
    _ = table.handle(.exited(.signal(SIGKILL)), process: process, now: 4)
    var status: Int32 = 0
    _ = bh_peek_exit(getpid(), &status)
    let order = SpawnOrder(specification, executable: "", surroundings: surroundings, mark: "")
    let streams = ProcessStreams.Descriptors(input: null, output: null, errorOutput: null)
    _ = try? Child.spawn(order, streams: streams, group: nil, isUrgent: false)
  }
}
