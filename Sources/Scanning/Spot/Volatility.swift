internal import Glibc

/// How much a price moves, estimated from its own stream: the mean square of its logarithmic returns over one minute,
/// seen each second, older ones counting half as much after each half-life.
///
/// Returns over a minute rather than a second, because quotes jump back and forth and trends last for seconds: the
/// square of one-second returns says little of what fifteen minutes bring. Returns that overlap are no independent
/// ones: `samples` counts one for each minute that is covered.
struct Volatility {
  /// Over how many seconds each return is.
  static let stepSeconds: Int64 = 60

  private let halfLifeSeconds: Double
  private var squares = 0.0
  private var weight = 0.0
  private var last: Int64?

  /// Nothing seen.
  init(halfLifeSeconds: Int64) { self.halfLifeSeconds = Double(halfLifeSeconds) }

  /// Takes the logarithmic return of the last minute, seen in a second since 1970.
  mutating func add(_ logReturn: Double, second: Int64) {
    if let last {
      let fade = exp2(-Double(max(0, second - last)) / halfLifeSeconds)
      squares *= fade
      weight *= fade
    }
    last = second
    squares += logReturn * logReturn
    weight += 1
  }

  /// Takes the logarithmic return of a whole minute that nobody watched second by second: it counts for all its seconds.
  mutating func addMinute(_ logReturn: Double, endingAt second: Int64) {
    add(logReturn, second: second)
    squares += logReturn * logReturn * Double(Volatility.stepSeconds - 1)
    weight += Double(Volatility.stepSeconds - 1)
  }

  /// How many minutes of returns that do not overlap are behind it.
  var samples: Double { weight / Double(Volatility.stepSeconds) }

  /// The standard deviation of the logarithm over one second; nil where nothing was seen.
  var perRootSecond: Double? {
    weight > 0 ? (squares / weight / Double(Volatility.stepSeconds)).squareRoot() : nil
  }

  /// How far the estimate may be off, as a fraction of it: one standard error of a standard deviation, `1 / √(2n)`.
  var relativeError: Double { samples > 0 ? 1 / (2 * samples).squareRoot() : .infinity }
}

/// The normal distribution.
package enum NormalDistribution {
  /// The probability that a standard normal variable is at most `value`: `½ · erfc(−value / √2)`.
  package static func cumulative(_ value: Double) -> Double { erfc(-value / 2.0.squareRoot()) / 2 }
}
