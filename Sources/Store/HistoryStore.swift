public import Market

/// What is known of the markets' past: candles of each exchange, metadata, trades, and how far each was read (D2).
///
/// A file that several processes write, each in batches; a batch that has returned survives the death of its process,
/// and writing the same again changes nothing. It belongs to one thread at a time.
public final class HistoryStore {
  let database: Database

  /// Opens the history to write it, makes it where it is missing, and brings it up to date.
  /// - Parameters:
  ///   - path: the file, such as `DATA/history.db`.
  ///   - busyTimeoutMilliseconds: how long a call waits for a lock that another process holds.
  ///   - pagesMax: the greatest size in pages of 4096 bytes; nil for SQLite's own limit.
  /// - Throws: `StoreError`.
  public init(path: String, busyTimeoutMilliseconds: Int32 = 5000, pagesMax: Int? = nil) throws(StoreError) {
    database = try Database(
      path: path, access: .readWrite(.normal), busyTimeoutMilliseconds: busyTimeoutMilliseconds, pagesMax: pagesMax)
    try database.migrate(Self.migrations)
  }

  /// Opens the history to read it.
  /// - Parameter path: the file.
  /// - Throws: `StoreError`; `notReady` while no writer has made it.
  public init(readingFrom path: String) throws(StoreError) {
    database = try Database(path: path, access: .readOnly)
    try database.requireVersion(of: Self.migrations)
  }

  /// Gives back what SQLite keeps of pages and statements; a large batch has filled it with what is not needed again.
  ///
  /// - Throws: `StoreError`.
  func shrink() throws(StoreError) { try database.execute("PRAGMA shrink_memory") }

  /// Writes a batch: all of it, or nothing.
  /// - Parameter batch: what is written; what is there already in the same words is left alone.
  /// - Returns: how many rows were new or have changed.
  /// - Throws: `StoreError`.
  @discardableResult
  public func write(_ batch: HistoryBatch) throws(StoreError) -> Int {
    guard !batch.isEmpty else { return 0 }
    return try database.transaction { () throws(StoreError) in
      var changed = 0
      for candle in batch.candles { changed += try write(candle) }
      for market in batch.markets { changed += try write(market, at: batch.time) }
      for terms in batch.terms { changed += try write(terms, at: batch.time) }
      if !batch.markets.isEmpty { try summarise(eventsOf: batch.markets, at: batch.time) }
      changed += try write(batch.trades)
      changed += try write(fetched: batch.fetchedTrades)
      try advanceMarkets(by: batch.trades + batch.fetchedTrades)
      for (subject, time) in batch.watermarks { changed += try advance(subject, to: time) }
      for breaker in batch.breakers { changed += try write(breaker) }
      return changed
    }
  }

  // MARK: - Watermarks

  /// A watermark only moves forward: an older time changes nothing.
  func advance(_ subject: WatermarkSubject, to time: Timestamp) throws(StoreError) -> Int {
    try database.execute(
      """
      INSERT INTO watermarks (venue, subject, time) VALUES (?, ?, ?)
      ON CONFLICT (venue, subject) DO UPDATE SET time = excluded.time WHERE excluded.time > watermarks.time
      """, [.text(subject.venue.rawValue), .text(subject.name), .integer(time.nanoseconds)])
  }

  /// How far something was read; nil where it never was.
  /// - Throws: `StoreError`.
  public func watermark(_ subject: WatermarkSubject) throws(StoreError) -> Timestamp? {
    try database.first(
      "SELECT time FROM watermarks WHERE venue = ? AND subject = ?",
      [.text(subject.venue.rawValue), .text(subject.name)]
    ) { row throws(StoreError) in Timestamp(nanoseconds: try row.integer(0)) }
  }

  /// All watermarks of a venue.
  /// - Throws: `StoreError`.
  public func watermarks(_ venue: Venue) throws(StoreError) -> [WatermarkSubject: Timestamp] {
    let rows = try database.query(
      "SELECT subject, time FROM watermarks WHERE venue = ?", [.text(venue.rawValue)]
    ) { row throws(StoreError) in
      (WatermarkSubject(venue: venue, name: try row.text(0)), Timestamp(nanoseconds: try row.integer(1)))
    }
    return Dictionary(uniqueKeysWithValues: rows)
  }

  // MARK: - Breakers

  private func write(_ breaker: StoredBreaker) throws(StoreError) -> Int {
    try database.execute(
      """
      INSERT INTO breakers (name, failures, openings, open_until) VALUES (?, ?, ?, ?)
      ON CONFLICT (name) DO UPDATE SET failures = excluded.failures, openings = excluded.openings,
        open_until = excluded.open_until
      WHERE (breakers.failures, breakers.openings, breakers.open_until)
        <> (excluded.failures, excluded.openings, excluded.open_until)
      """,
      [
        .text(breaker.name), .integer(Int64(breaker.failures)), .integer(Int64(breaker.openings)),
        .integer(breaker.openUntil.nanoseconds),
      ])
  }

  /// All breakers, by name.
  /// - Throws: `StoreError`.
  public func breakers() throws(StoreError) -> [StoredBreaker] {
    try database.query("SELECT name, failures, openings, open_until FROM breakers ORDER BY name") {
      row throws(StoreError) in
      StoredBreaker(
        name: try row.text(0), failures: Int(try row.integer(1)), openings: Int(try row.integer(2)),
        openUntil: Timestamp(nanoseconds: try row.integer(3)))
    }
  }
}

/// What was read up to some moment: the trades of a market, the candles of a symbol.
public struct WatermarkSubject: Hashable, Sendable {
  /// Whose.
  public let venue: Venue
  /// What, such as a condition id or `candles/BTC/60`.
  public let name: String

  /// A subject by its parts.
  public init(venue: Venue, name: String) {
    self.venue = venue
    self.name = name
  }
}

/// What of a circuit breaker outlives its process.
public struct StoredBreaker: Hashable, Sendable {
  /// Whose, such as `candles/kraken`.
  public var name: String
  /// Failures in a row.
  public var failures: Int
  /// How often it opened in a row.
  public var openings: Int
  /// Until when it is open; 1970 where it is closed.
  public var openUntil: Timestamp

  /// A breaker by its parts.
  public init(name: String, failures: Int, openings: Int, openUntil: Timestamp) {
    self.name = name
    self.failures = failures
    self.openings = openings
    self.openUntil = openUntil
  }
}

/// What is written together.
public struct HistoryBatch: Sendable {
  /// When it was put together: the time of the last change of markets and events.
  public var time: Timestamp
  /// Candles, each with its exchange.
  public var candles: [StoredCandle] = []
  /// Markets as they are now; their tokens and events follow from them.
  public var markets: [PredictionMarket] = []
  /// What says how markets are decided, as it is now.
  public var terms: [MarketTerms] = []
  /// Trades; equal ones in one batch are different trades, the same in two batches are one.
  public var trades: [Trade] = []
  /// Trades that REST told: as many of a second as are not stored yet are stored.
  ///
  /// The venue may give REST's trades other times than the stream's, so that the same trade is known by its second.
  public var fetchedTrades: [Trade] = []
  /// How far something was read; one that lies behind what is stored changes nothing.
  public var watermarks: [WatermarkSubject: Timestamp] = [:]
  /// Breakers as they are now.
  public var breakers: [StoredBreaker] = []

  /// An empty batch.
  public init(time: Timestamp) { self.time = time }

  /// Whether there is nothing to write.
  public var isEmpty: Bool {
    candles.isEmpty && markets.isEmpty && terms.isEmpty && trades.isEmpty && fetchedTrades.isEmpty && watermarks.isEmpty
      && breakers.isEmpty
  }
}
