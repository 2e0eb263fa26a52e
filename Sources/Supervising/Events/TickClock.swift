/// When the next `TICK` is due, and what it is: pure arithmetic.
package struct TickClock: Sendable {
  /// The periods that somebody hears, in seconds, ascending.
  package private(set) var periods: [Int64] = []
  private var last: [Int64: Int64] = [:]

  package init() {}

  /// From now on these periods tick.
  /// - Parameters:
  ///   - periods: in seconds.
  ///   - now: seconds since 1970.
  package mutating func set(periods: [Int64], now: Int64) {
    self.periods = periods.sorted()
    last = last.filter { periods.contains($0.key) }
    for period in periods where last[period] == nil { last[period] = Self.start(of: period, now) }
  }

  /// The ticks that are due.
  package mutating func ticks(now: Int64) -> [SupervisorEvent] {
    periods.compactMap { period in
      let start = Self.start(of: period, now)
      guard last.updateValue(start, forKey: period) != start else { return nil }
      return .tick(periodSeconds: period, when: start)
    }
  }

  /// How long until the next one, in nanoseconds; nil where nobody hears any.
  /// - Parameter now: nanoseconds since 1970.
  /// - Returns: nanoseconds, more than 0.
  package func wait(now: Int64) -> Int64? {
    periods.first.map { period in
      let length = period * 1_000_000_000
      return length - now % length
    }
  }

  private static func start(of period: Int64, _ now: Int64) -> Int64 { now - now % period }
}
