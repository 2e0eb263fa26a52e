internal import CLinux
internal import Daemon
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// Keeps processes from waiting for a disk: where the pump is stuck in a write, it empties the pipes that run full.
///
/// A thread of its own, which looks at the pump a quarter of a second after it has begun to work, and again as long as
/// it works. While the pump rests, so does this one.
///
/// Sound as `Sendable`: everything that both threads touch is atomic or locked.
final class PumpGuard: @unchecked Sendable {
  /// A pump that does nothing new for so long is stuck.
  static let stuckMilliseconds: Int64 = 250

  private let timer: Int32
  /// Odd while the pump works; changes with everything that it does.
  private let progress = Atomic<UInt64>(0)
  private let isWatching = Atomic<Bool>(false)
  private let isEnding = Atomic<Bool>(false)
  private let streams = Mutex<[OutputStream]>([])

  init() throws(SystemError) {
    timer = try systemCall("timerfd_create") { timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC)) }
  }

  deinit { close(timer) }

  /// Starts the thread.
  /// - Throws: `SystemError`.
  func start() throws(SystemError) { try PumpThread.start { [self] in run() } }

  func set(_ streams: [OutputStream]) { self.streams.withLock { $0 = streams } }

  /// The pump begins to work.
  func began() {
    progress.add(1, ordering: .sequentiallyConsistent)
    if !isWatching.load(ordering: .sequentiallyConsistent) {
      isWatching.store(true, ordering: .sequentiallyConsistent)
      arm(milliseconds: Self.stuckMilliseconds)
    }
  }

  /// The pump has moved something.
  func moved() { progress.add(2, ordering: .relaxed) }

  /// The pump rests.
  func rested() { progress.add(1, ordering: .sequentiallyConsistent) }

  func end() {
    isEnding.store(true, ordering: .sequentiallyConsistent)
    arm(milliseconds: 1)
  }

  private func arm(milliseconds: Int64) {
    var time = itimerspec()
    time.it_value = timespec(tv_sec: Int(milliseconds / 1000), tv_nsec: Int(milliseconds % 1000) * 1_000_000)
    timerfd_settime(timer, 0, &time, nil)
  }

  private func run() {
    var seen: UInt64 = 0
    while true {
      var count: UInt64 = 0
      _ = read(timer, &count, 8)
      if isEnding.load(ordering: .sequentiallyConsistent) { return }
      var now = progress.load(ordering: .sequentiallyConsistent)
      if now % 2 == 0 {
        isWatching.store(false, ordering: .sequentiallyConsistent)
        // It may have begun just before that, and counted on us.
        now = progress.load(ordering: .sequentiallyConsistent)
        if now % 2 == 0 { continue }
        isWatching.store(true, ordering: .sequentiallyConsistent)
      } else if now == seen {
        relieve(while: now)
      }
      seen = now
      arm(milliseconds: Self.stuckMilliseconds)
    }
  }

  /// Empties pipes for as long as the pump stands still.
  private func relieve(while stuck: UInt64) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    defer { buffer.deallocate() }
    var dropped = 0
    var pause: Int32 = 1
    Log.error("a log is not written: output is dropped where a pipe runs full")
    while progress.load(ordering: .sequentiallyConsistent) == stuck, !isEnding.load(ordering: .relaxed) {
      var count = 0
      for stream in streams.withLock({ $0 }) { count += stream.relieve(through: buffer) }
      dropped += count
      pause = count > 0 ? 1 : min(pause * 2, 64)
      poll(nil, 0, pause)
    }
    Log.warning("logs are written again", ["lost_bytes": "\(dropped)"])
  }
}
