/// Which trades of a pair were told, by the venue's numbers: what is missing, what comes late, and what comes again.
///
/// A pure value.
package struct TradeNumbers: Sendable {
  /// What a number says of its trade.
  package enum Outcome: Hashable, Sendable {
    /// It is the next one, or nothing can be said.
    case next
    /// It is later than the next one: so many were left out.
    case after(missed: Int)
    /// It was missing until now.
    case late
    /// It was told before.
    case known
  }

  /// Numbers that are remembered, of what is missing and of what was told; a longer gap is not filled.
  private static let keptMax = 1000

  private let areRunning: Bool
  private var last: Int64?
  private var missing: Set<Int64> = []
  private var told: [Int64] = []
  private var toldPlace = 0

  /// Nothing told yet.
  /// - Parameter areRunning: whether each trade's number is the one after the last trade's.
  package init(areRunning: Bool) { self.areRunning = areRunning }

  /// Whether a number was told.
  package var hasBegun: Bool { last != nil }
  /// Whether numbers are missing.
  package var hasGaps: Bool { !missing.isEmpty }

  /// Takes the number of a trade; nil for one that has none.
  package mutating func take(_ number: Int64?) -> Outcome {
    guard let number else { return .next }
    guard areRunning else { return remember(number) }
    guard let last else {
      self.last = number
      return .next
    }
    // One that is so far from all others is none of this run: nothing can be said of its trade.
    let (distance, overflow) = number.subtractingReportingOverflow(last)
    guard !overflow, distance.magnitude < 1_000_000_000 else { return .next }
    if number <= last { return missing.remove(number) != nil ? .late : .known }
    self.last = number
    let missed = distance - 1
    guard missed > 0 else { return .next }
    if missed <= Int64(Self.keptMax) {
      if missing.count + Int(missed) > Self.keptMax { missing.removeAll() }
      missing.formUnion((last + 1)..<number)
    }
    return .after(missed: Int(missed))
  }

  /// Gives up what REST does not tell either.
  package mutating func forgetGaps(upTo number: Int64) {
    guard !missing.isEmpty else { return }
    missing = missing.filter { $0 > number }
  }

  private mutating func remember(_ number: Int64) -> Outcome {
    guard !told.contains(number) else { return .known }
    if told.count < 128 {
      told.append(number)
    } else {
      told[toldPlace] = number
      toldPlace = (toldPlace + 1) % told.count
    }
    last = number
    return .next
  }
}
