package import Market

/// When the candles of each timeframe are fetched: shortly after each close, never twice at a time.
///
/// A pure value. waiting → running (`takeDue`) → waiting (`finished`); a run that outlasts its period is followed by one
/// that catches up, not by several.
package struct CandleSchedule: Sendable {
  private struct Entry {
    let period: CandlePeriod
    var dueAt: Timestamp
    var isRunning = false
  }

  private let delaySeconds: Int64
  private let retrySeconds: Int64
  private var entries: [Entry]

  /// A schedule on which everything is due now: what was missed while nobody ran.
  /// - Parameters:
  ///   - periods: the timeframes.
  ///   - delaySeconds: how long after its close a candle is asked for.
  ///   - retrySeconds: how soon an incomplete run is followed by another.
  ///   - now: the time of day.
  package init(periods: [CandlePeriod], delaySeconds: Int64, retrySeconds: Int64, now: Timestamp) {
    self.delaySeconds = delaySeconds
    self.retrySeconds = retrySeconds
    entries = periods.map { Entry(period: $0, dueAt: now) }
  }

  /// When something is due next; nil while everything runs.
  package var nextDue: Timestamp? { entries.filter { !$0.isRunning }.map(\.dueAt).min() }

  /// Takes the timeframes whose time has come; each runs until it is `finished`.
  package mutating func takeDue(now: Timestamp) -> [CandlePeriod] {
    var due: [CandlePeriod] = []
    for index in entries.indices where !entries[index].isRunning && entries[index].dueAt <= now {
      entries[index].isRunning = true
      entries[index].dueAt = close(entries[index].period, after: now).advanced(bySeconds: delaySeconds)
      due.append(entries[index].period)
    }
    return due
  }

  /// Ends a run.
  /// - Parameters:
  ///   - period: whose.
  ///   - isComplete: whether every symbol has its candles; if not, it is tried again before the next close.
  ///   - now: the time of day.
  package mutating func finished(_ period: CandlePeriod, isComplete: Bool, now: Timestamp) {
    guard let index = entries.firstIndex(where: { $0.period == period }) else { return }
    entries[index].isRunning = false
    if !isComplete { entries[index].dueAt = min(entries[index].dueAt, now.advanced(bySeconds: retrySeconds)) }
  }

  /// The next close whose candle cannot be asked for yet.
  private func close(_ period: CandlePeriod, after now: Timestamp) -> Timestamp {
    period.end(ofCandleAt: period.start(of: now.advanced(bySeconds: -delaySeconds)))
  }
}
