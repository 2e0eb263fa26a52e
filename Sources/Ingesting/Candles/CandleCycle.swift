package import Market
internal import Store

/// One round of one timeframe: which exchange answered what, and which of them speaks for a symbol (I9).
///
/// A pure value. Each exchange's candles are told apart, as soon as they can be trusted; the primary of a symbol is the
/// first of the order that has data, told as soon as all before it have failed.
package struct CandleCycle: Sendable {
  /// What follows from an answer.
  package enum Event: Sendable, Equatable {
    /// Candles that are to be stored with their exchange.
    case store(symbol: String, venue: Venue, candles: [Candle])
    /// The candles that speak for a symbol.
    case primary(symbol: String, venue: Venue, candles: [Candle])
    /// Candles that are far from what all others say: they are no data.
    case implausible(symbol: String, venue: Venue, close: Price, expected: Price)
    /// All have answered for a symbol; `count` of them with data.
    case complete(symbol: String, count: Int, problems: [String])
  }

  private struct Row {
    let asked: [Venue]
    var answered: Set<Venue> = []
    var data: [Venue: [Candle]] = [:]
    var problems: [Venue: String] = [:]
    var isPrimaryTold = false
    /// A price of before that is young enough to compare with; nil where there is none.
    var reference: Price?
  }

  /// The timeframe.
  package let period: CandlePeriod
  /// The start of the newest candle that is closed.
  package let newest: Timestamp
  private let order: [Venue]
  private let deviationMaxPercent: Int64
  private var rows: [String: Row]

  /// A round that waits for answers.
  /// - Parameters:
  ///   - period: the timeframe.
  ///   - newest: the start of the newest candle that is closed.
  ///   - order: who comes first.
  ///   - asked: which exchanges are asked, for each symbol.
  ///   - references: prices that are known of symbols from shortly before.
  ///   - deviationMaxPercent: how far an exchange's close may be from the others'.
  package init(
    period: CandlePeriod, newest: Timestamp, order: [Venue], asked: [String: [Venue]], references: [String: Price],
    deviationMaxPercent: Int64
  ) {
    self.period = period
    self.newest = newest
    self.order = order
    self.deviationMaxPercent = deviationMaxPercent
    rows = asked.reduce(into: [:]) { rows, entry in
      rows[entry.key] = Row(asked: entry.value, reference: references[entry.key])
    }
  }

  /// Whether all have answered for all symbols.
  package var isDone: Bool { rows.values.allSatisfy { $0.answered.count == $0.asked.count } }
  /// Whether every symbol has a primary.
  package var isComplete: Bool { rows.values.allSatisfy(\.isPrimaryTold) }
  /// Whether a symbol has one.
  package func hasPrimary(_ symbol: String) -> Bool { rows[symbol]?.isPrimaryTold ?? false }

  /// What an exchange answers for a symbol.
  package enum Answer: Sendable {
    /// Candles, oldest first; those that are not closed are left out here.
    case candles([Candle])
    /// Nothing, and why.
    case failed(String)
  }

  /// Takes an answer.
  /// - Returns: what follows, in order.
  package mutating func take(symbol: String, venue: Venue, _ answer: Answer) -> [Event] {
    guard var row = rows[symbol], row.asked.contains(venue), row.answered.insert(venue).inserted else { return [] }
    var events: [Event] = []
    switch answer {
    case .failed(let reason): row.problems[venue] = reason
    case .candles(let all):
      let closed = all.filter(\.isClosed)
      if closed.isEmpty {
        row.problems[venue] = "no closed candle"
      } else {
        row.data[venue] = closed
      }
    }
    let isLast = row.answered.count == row.asked.count
    if let reference = row.reference {
      if let closed = row.data[venue] { judge(symbol, venue, closed, against: reference, &row, &events) }
    } else if isLast {
      compareAll(symbol, &row, &events)
    }
    if row.reference != nil || isLast { choose(symbol, &row, &events) }
    if isLast {
      let problems = row.asked.compactMap { venue in row.problems[venue].map { "\(venue.rawValue): \($0)" } }
      events.append(.complete(symbol: symbol, count: row.data.count, problems: problems))
    }
    rows[symbol] = row
    return events
  }

  private func judge(
    _ symbol: String, _ venue: Venue, _ candles: [Candle], against expected: Price, _ row: inout Row,
    _ events: inout [Event]
  ) {
    guard let close = candles.last?.close else { return }
    let difference = Int128((close.raw - expected.raw).magnitude)
    if difference * 100 > Int128(expected.raw) * Int128(deviationMaxPercent) {
      row.data[venue] = nil
      row.problems[venue] = "a close of \(close) where \(expected) was expected"
      events.append(.implausible(symbol: symbol, venue: venue, close: close, expected: expected))
    } else {
      events.append(.store(symbol: symbol, venue: venue, candles: candles))
    }
  }

  /// Without a price of before, the median of all is what each is compared with; of two, nobody knows who is right.
  private func compareAll(_ symbol: String, _ row: inout Row, _ events: inout [Event]) {
    let closes = row.data.values.compactMap { $0.last?.close }.sorted()
    for venue in order {
      guard let candles = row.data[venue] else { continue }
      if closes.count >= 3 {
        judge(symbol, venue, candles, against: closes[closes.count / 2], &row, &events)
      } else {
        events.append(.store(symbol: symbol, venue: venue, candles: candles))
      }
    }
  }

  private func choose(_ symbol: String, _ row: inout Row, _ events: inout [Event]) {
    guard !row.isPrimaryTold else { return }
    for venue in order where row.asked.contains(venue) {
      guard row.answered.contains(venue) else { return }
      // An exchange that has nothing new (no trades, or it stands still) does not speak for the symbol.
      guard let candles = row.data[venue], let last = candles.last, last.start >= oldestFresh else { continue }
      row.isPrimaryTold = true
      events.append(.primary(symbol: symbol, venue: venue, candles: candles))
      return
    }
  }

  /// A market without trades has no candle at some venues: one that is at most two periods behind still counts.
  private var oldestFresh: Timestamp {
    Timestamp(nanoseconds: newest.nanoseconds - 2 * period.longestSeconds * 1_000_000_000)
  }
}
