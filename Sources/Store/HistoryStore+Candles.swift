public import Market

/// A candle with the exchange that it is of.
public struct StoredCandle: Hashable, Sendable {
  /// Whose candle it is.
  public var exchange: Venue
  /// The coin, such as `BTC`: one name at all exchanges.
  public var symbol: String
  /// The candle.
  public var candle: Candle
  /// Whether it stands in for one that could not be had: its prices are those of the last good one.
  public var isStale: Bool
  /// Where it came from: the venue that was asked, or why it is stale.
  public var source: String

  /// A candle by its parts.
  public init(exchange: Venue, symbol: String, candle: Candle, isStale: Bool = false, source: String) {
    self.exchange = exchange
    self.symbol = symbol
    self.candle = candle
    self.isStale = isStale
    self.source = source
  }
}

/// Which candles are wanted.
public struct CandleQuery: Hashable, Sendable {
  /// Of one exchange; nil for all.
  public var exchange: Venue?
  /// Of one coin; nil for all.
  public var symbol: String?
  /// Of one length, in seconds; nil for all.
  public var timeframeSeconds: Int64?
  /// From this start on; nil for no bound.
  public var from: Timestamp?
  /// Before this start; nil for no bound.
  public var to: Timestamp?
  /// The newest so many.
  public var limit: Int

  /// A query; everything that is not said is not asked for.
  public init(
    exchange: Venue? = nil, symbol: String? = nil, timeframeSeconds: Int64? = nil, from: Timestamp? = nil,
    to: Timestamp? = nil, limit: Int = 1_000_000
  ) {
    self.exchange = exchange
    self.symbol = symbol
    self.timeframeSeconds = timeframeSeconds
    self.from = from
    self.to = to
    self.limit = limit
  }
}

extension HistoryStore {
  /// A closed candle is not replaced by an open one, nor a true one by a stand-in.
  func write(_ row: StoredCandle) throws(StoreError) -> Int {
    let candle = row.candle
    return try database.execute(
      """
      INSERT INTO ohlcv (exchange, symbol, timeframe, time, open, high, low, close, volume, is_closed, is_stale, source)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (exchange, symbol, timeframe, time) DO UPDATE SET open = excluded.open, high = excluded.high,
        low = excluded.low, close = excluded.close, volume = excluded.volume, is_closed = excluded.is_closed,
        is_stale = excluded.is_stale, source = excluded.source
      WHERE (excluded.is_stale < ohlcv.is_stale
          OR (excluded.is_stale = ohlcv.is_stale AND excluded.is_closed >= ohlcv.is_closed))
        AND (ohlcv.open, ohlcv.high, ohlcv.low, ohlcv.close, ohlcv.volume, ohlcv.is_closed, ohlcv.is_stale, ohlcv.source)
        <> (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume, excluded.is_closed,
          excluded.is_stale, excluded.source)
      """,
      [
        .text(row.exchange.rawValue), .text(row.symbol), .integer(candle.periodSeconds),
        .integer(candle.start.nanoseconds), .integer(candle.open.raw), .integer(candle.high.raw),
        .integer(candle.low.raw), .integer(candle.close.raw), .text(candle.volume.description),
        .integer(candle.isClosed ? 1 : 0), .integer(row.isStale ? 1 : 0), .text(row.source),
      ])
  }

  /// Reads candles.
  /// - Parameter query: which.
  /// - Returns: the newest that fit, oldest first.
  /// - Throws: `StoreError`.
  public func candles(_ query: CandleQuery) throws(StoreError) -> [StoredCandle] {
    var conditions: [String] = []
    var arguments: [Database.Value] = []
    func restrict(_ condition: String, _ value: Database.Value?) {
      guard let value else { return }
      conditions.append(condition)
      arguments.append(value)
    }
    restrict("exchange = ?", query.exchange.map { .text($0.rawValue) })
    restrict("symbol = ?", query.symbol.map { .text($0) })
    restrict("timeframe = ?", query.timeframeSeconds.map { .integer($0) })
    restrict("time >= ?", query.from.map { .integer($0.nanoseconds) })
    restrict("time < ?", query.to.map { .integer($0.nanoseconds) })
    arguments.append(.integer(Int64(max(0, query.limit))))
    let rows = try database.query(
      """
      SELECT exchange, symbol, timeframe, time, open, high, low, close, volume, is_closed, is_stale, source FROM ohlcv
      \(conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND "))
      ORDER BY time DESC, symbol DESC, timeframe DESC, exchange DESC LIMIT ?
      """, arguments
    ) { row throws(StoreError) in
      guard let volume = try? Volume(try row.text(8)) else {
        throw StoreError(.invalid, operation: "read ohlcv", message: "the volume is no decimal number")
      }
      return StoredCandle(
        exchange: try row.named(0, as: Venue.self), symbol: try row.text(1),
        candle: Candle(
          start: Timestamp(nanoseconds: try row.integer(3)), periodSeconds: try row.integer(2),
          open: Price(raw: try row.integer(4)), high: Price(raw: try row.integer(5)),
          low: Price(raw: try row.integer(6)), close: Price(raw: try row.integer(7)), volume: volume,
          isClosed: try row.integer(9) != 0),
        isStale: try row.integer(10) != 0, source: try row.text(11))
    }
    return rows.reversed()
  }

  /// How many candles there are of each exchange.
  /// - Throws: `StoreError`.
  public func candleCounts() throws(StoreError) -> [Venue: Int64] {
    let rows = try database.query("SELECT exchange, COUNT(*) FROM ohlcv GROUP BY exchange") { row throws(StoreError) in
      (try row.named(0, as: Venue.self), try row.integer(1))
    }
    return Dictionary(uniqueKeysWithValues: rows)
  }

  /// Removes candles that are older than this; for the short timeframes, which grow fastest.
  /// - Parameters:
  ///   - timeframeSeconds: of this length alone.
  ///   - time: the first start that stays.
  /// - Returns: how many went.
  /// - Throws: `StoreError`.
  @discardableResult
  public func removeCandles(timeframeSeconds: Int64, before time: Timestamp) throws(StoreError) -> Int {
    try database.execute(
      "DELETE FROM ohlcv WHERE timeframe = ? AND time < ?", [.integer(timeframeSeconds), .integer(time.nanoseconds)])
  }
}
