internal import Market

/// Candles as the exchanges write them: rows of numbers, each venue with its own places and order.
struct CandleRows: Sendable {
  /// Which row comes first.
  enum Order { case oldestFirst, newestFirst }

  /// In what the start is counted.
  enum TimeUnit { case seconds, milliseconds }

  /// The places of a row's members.
  struct Places: Sendable {
    var start = 0
    var open = 1
    var high = 2
    var low = 3
    var close = 4
    var volume = 5
  }

  let order: Order
  let unit: TimeUnit
  var places = Places()
  /// The fewest members of a row.
  let membersMin: Int
  /// The periods that the venue has, shortest first.
  let periods: [CandlePeriod]

  /// Reads rows.
  /// - Parameters:
  ///   - wire: the array of rows.
  ///   - period: the length of each; nil to tell it from the rows' distances.
  ///   - isClosed: whether a candle will not change, by the candle and its row.
  /// - Returns: the candles, oldest first.
  /// - Throws: `WireProblem` that names row and place.
  func parse(
    _ wire: Wire, period: CandlePeriod?, isClosed: (Candle, [Wire]) throws(WireProblem) -> Bool
  ) throws(WireProblem) -> [Candle] {
    let rows = try wire.each(members)
    let period = period ?? guessedPeriod(rows)
    var candles: [Candle] = []
    candles.reserveCapacity(rows.count)
    for (index, row) in rows.enumerated() {
      do throws(WireProblem) {
        let candle = try parse(row, period, isClosed)
        if let previous = candles.last {
          guard order == .oldestFirst ? previous.start < candle.start : previous.start > candle.start else {
            let wanted = order == .oldestFirst ? "rising" : "falling"
            throw WireProblem(
              "[\(places.start)]", "expected \(wanted) times, found \(candle.start) after \(previous.start)")
          }
        }
        candles.append(candle)
      } catch {
        throw error.inside("[\(index)]")
      }
    }
    return order == .oldestFirst ? candles : candles.reversed()
  }

  /// Reads a single row; `isOnGrid` says whether it must start on the period's grid of UTC.
  func parse(
    row: Wire, _ period: CandlePeriod, isOnGrid: Bool, isClosed: (Candle, [Wire]) throws(WireProblem) -> Bool
  ) throws(WireProblem) -> Candle {
    try parse(members(row), period, isOnGrid: isOnGrid, isClosed)
  }

  private func members(_ row: Wire) throws(WireProblem) -> [Wire] {
    let fields = try row.elements
    guard fields.count >= membersMin else {
      throw WireProblem("", "expected at least \(membersMin) values, found \(fields.count)")
    }
    return fields
  }

  private func parse(
    _ row: [Wire], _ period: CandlePeriod, isOnGrid: Bool = true,
    _ isClosed: (Candle, [Wire]) throws(WireProblem) -> Bool
  ) throws(WireProblem) -> Candle {
    let start = try self.start(row)
    guard !isOnGrid || period.mayStart(at: start) else {
      throw WireProblem("[\(places.start)]", "expected the start of a candle of \(period), found \(start)")
    }
    let end = period.end(ofCandleAt: start)
    var candle = Candle(
      start: start, periodSeconds: end.seconds - start.seconds, open: try row.price(places.open),
      high: try row.price(places.high), low: try row.price(places.low), close: try row.price(places.close),
      volume: try row.volume(places.volume), isClosed: false)
    try candle.check(
      open: places.open, high: places.high, low: places.low, close: places.close, volume: places.volume)
    candle.isClosed = try isClosed(candle, row)
    return candle
  }

  private func start(_ row: [Wire]) throws(WireProblem) -> Timestamp {
    switch unit {
    case .seconds: try row.seconds(places.start)
    case .milliseconds: try row.milliseconds(places.start)
    }
  }

  /// The longest period that is no longer than the least distance of two rows; a minute where there is one row alone.
  private func guessedPeriod(_ rows: [[Wire]]) -> CandlePeriod {
    var least: Int64?
    var previous: Timestamp?
    for row in rows {
      // A bad time is named when its row is read.
      guard let start = try? start(row) else { continue }
      if let previous, previous != start {
        let distance = Int64(clamping: start.nanoseconds(since: previous).magnitude) / 1_000_000_000
        least = min(least ?? distance, distance)
      }
      previous = start
    }
    guard let least else { return .minute }
    return periods.last { $0.shortestSeconds <= least } ?? periods.first ?? .minute
  }
}

extension CandlePeriod {
  /// The length of the shortest candle of this period, in seconds.
  fileprivate var shortestSeconds: Int64 {
    switch self {
    case .seconds(let count): count
    case .months(let count): Int64(count) * 30 * 86_400 - 2 * 86_400
    }
  }
}

extension [Candle] {
  /// Those that start in a span.
  func within(_ from: Timestamp, _ to: Timestamp) -> [Candle] { filter { $0.start >= from && $0.start < to } }
}
