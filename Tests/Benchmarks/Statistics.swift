import CLinux
import Daemon
import Glibc

/// The middle one; the mean of the two middle ones of an even number.
///
/// Zero of none.
func median(_ values: [Double]) -> Double {
  guard !values.isEmpty else { return 0 }
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// A percentile as the floor's programs take it: the value at `count × fraction`.
func percentile(_ values: [Double], _ fraction: Double) -> Double {
  guard !values.isEmpty else { return 0 }
  let sorted = values.sorted()
  return sorted[min(sorted.count - 1, Int(Double(sorted.count) * fraction))]
}

/// A number with some decimals.
func fixed(_ value: Double, _ decimals: Int) -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 400) { buffer in
    let count = withVaList([Int32(decimals), value]) { vsnprintf(buffer.baseAddress, buffer.count, "%.*f", $0) }
    return String(decoding: UnsafeRawBufferPointer(buffer)[..<max(0, min(Int(count), 399))], as: UTF8.self)
  }
}

/// A number with about four significant digits, never in exponent form.
func short(_ value: Double) -> String {
  let size = abs(value)
  return fixed(value, size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4)
}

/// Calls `body` until `seconds` are over; each call is one pass of `count` messages.
/// - Returns: nanoseconds for each message.
func nanosecondsEach(seconds: Double, count: Int, _ body: () -> Void) -> Double {
  let start = SystemClock.monotonicNanoseconds
  let end = start + Int64(seconds * 1e9)
  var passes = 0
  var now = start
  repeat {
    body()
    passes += 1
    now = SystemClock.monotonicNanoseconds
  } while now < end
  return Double(now - start) / Double(passes * count)
}

/// Sleeps until a moment of the monotonic clock.
func sleepUntil(_ nanoseconds: Int64) {
  var time = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
  while clock_nanosleep(CLOCK_MONOTONIC, Int32(TIMER_ABSTIME), &time, nil) == EINTR {}
}

/// The same numbers for the same seed, everywhere (SplitMix64).
struct Seeded {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// A number from `range`.
  mutating func integer(_ range: Range<Int>) -> Int { range.lowerBound + Int(next() % UInt64(range.count)) }

  /// A number from 0 to below 1.
  mutating func fraction() -> Double { Double(next() >> 11) / Double(1 << 53) }

  /// Whether something of this probability happens.
  mutating func chance(_ probability: Double) -> Bool { fraction() < probability }

  /// Exponentially distributed.
  mutating func exponential(mean: Double) -> Double { -mean * log(1 - fraction()) }

  /// How often until the first success, from 1 on.
  mutating func geometric(_ probability: Double) -> Int {
    1 + Int(log(1 - fraction()) / log(1 - probability))
  }
}

/// Lets this thread's sleeps end when they should: the kernel's slack of 50 µs would dominate a paced sender.
func tightTimers() { _ = bh_prctl(PR_SET_TIMERSLACK, 1) }
