#if canImport(Glibc)
  internal import Glibc
#endif
public import Market

/// Reads the machine's clocks.
///
/// Pure cores never call it: the time is passed in.
public enum SystemClock {
  /// The time of day.
  ///
  /// The corresponding C function is `clock_gettime(CLOCK_REALTIME)`.
  public static var now: Timestamp { Timestamp(nanoseconds: read(CLOCK_REALTIME)) }

  /// Nanoseconds since some moment before the process began; never steps back, and is the same in all processes of
  /// the machine.
  ///
  /// The corresponding C function is `clock_gettime(CLOCK_MONOTONIC)`.
  public static var monotonicNanoseconds: Int64 { read(CLOCK_MONOTONIC) }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
