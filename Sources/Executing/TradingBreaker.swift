public import Market

/// Stops trading after too much has gone wrong, until a person lifts it (R7).
///
/// Exits: `closed` → open by failed executions in a row, failed unwinds of a day, or the loss of a day; `open` →
/// closed by `lift` alone. The open state is kept in the journal, so it survives a restart.
public struct TradingBreaker: Sendable {
  /// Why it is open; nil while it is closed.
  public private(set) var openReason: String?
  /// Failed executions since the last good one.
  public private(set) var failuresInRow = 0
  /// Failed unwinds today.
  public private(set) var failedUnwinds = 0
  /// What today's executions have earned, or lost.
  public private(set) var dailyResult = Money.zero
  private var day: Int64 = 0

  /// The name under which the journal keeps it.
  public static let flagName = "breaker/trading"

  /// A closed breaker.
  public init() {}

  /// Whether trading is stopped.
  public var isOpen: Bool { openReason != nil }

  /// Opens it, as the journal says it was.
  public mutating func open(_ reason: String) { openReason = openReason ?? reason }

  /// Closes it, by a person's word, and begins to count anew.
  public mutating func lift() {
    openReason = nil
    failuresInRow = 0
    failedUnwinds = 0
    dailyResult = .zero
  }

  /// Counts what became of an execution.
  /// - Parameters:
  ///   - report: what became of it.
  ///   - options: the limits.
  ///   - now: decides which day it is.
  /// - Returns: whether this has opened the breaker.
  mutating func count(_ report: ExecutionReport, options: ExecutorOptions, now: Timestamp) -> Bool {
    let today = now.seconds / 86_400
    if today != day {
      day = today
      failedUnwinds = 0
      dailyResult = .zero
    }
    dailyResult = dailyResult + report.result
    switch report.outcome {
    case .completed: failuresInRow = 0
    case .missed: break
    case .unwound: failuresInRow += 1
    case .stuck:
      failuresInRow += 1
      failedUnwinds += 1
    }
    guard !isOpen else { return false }
    if failuresInRow >= options.failuresMax {
      openReason = "\(failuresInRow) failed executions in a row"
    } else if failedUnwinds >= options.failedUnwindsMax {
      openReason = "\(failedUnwinds) failed unwinds today"
    } else if dailyResult <= -options.dailyLossMax {
      openReason = "a loss of \(-dailyResult) today"
    }
    return isOpen
  }
}
