public import Market

/// Shares that an unwind could not sell back (E3).
public struct StuckPosition: Hashable, Sendable {
  /// The journal's number of it; 0 before it is journalled.
  public var id: Int64
  /// The unwind order that failed.
  public var orderID: String
  /// Which scanner found the opportunity behind it.
  public var strategy: Strategy
  /// What is held.
  public var instrument: InstrumentID
  /// The market that the instrument is an outcome of.
  public var marketID: String
  /// How many shares are held.
  public var quantity: Quantity
  /// What was paid for them.
  public var cost: Money
  /// Why they could not be sold.
  public var reason: String
  /// When that was.
  public var createdAt: Timestamp
  /// When a person (or a settlement) dealt with it; nil before.
  public var resolvedAt: Timestamp?

  /// A position by its parts, not yet journalled.
  public init(
    orderID: String, strategy: Strategy, instrument: InstrumentID, marketID: String, quantity: Quantity, cost: Money,
    reason: String, createdAt: Timestamp
  ) {
    id = 0
    self.orderID = orderID
    self.strategy = strategy
    self.instrument = instrument
    self.marketID = marketID
    self.quantity = quantity
    self.cost = cost
    self.reason = reason
    self.createdAt = createdAt
  }
}

/// A switch that survives restarts: the kill switch, a breaker.
public struct Flag: Hashable, Sendable {
  /// Its name, such as `kill_switch` or `breaker/trading`.
  public var name: String
  /// Whether it is set: trading stopped, breaker open.
  public var isSet: Bool
  /// Why, and by whom.
  public var reason: String
  /// Since when.
  public var changedAt: Timestamp

  /// The name of the kill switch (E7).
  public static let killSwitch = "kill_switch"

  /// A flag by its parts.
  public init(name: String, isSet: Bool, reason: String, changedAt: Timestamp) {
    self.name = name
    self.isSet = isSet
    self.reason = reason
    self.changedAt = changedAt
  }
}

extension Journal {
  /// Sets or lifts a flag; durable when it returns.
  public func set(_ flag: Flag) throws(StoreError) {
    try database.transaction { () throws(StoreError) in
      try database.execute(
        """
        INSERT INTO flags (name, is_set, reason, changed_at) VALUES (?, ?, ?, ?)
        ON CONFLICT (name) DO UPDATE SET
          is_set = excluded.is_set, reason = excluded.reason, changed_at = excluded.changed_at
        """,
        [
          .text(flag.name), .integer(flag.isSet ? 1 : 0), .text(flag.reason), .integer(flag.changedAt.nanoseconds),
        ])
    }
  }

  /// The flag of this name, or nil where it was never set.
  public func flag(_ name: String) throws(StoreError) -> Flag? {
    try database.first(
      "SELECT name, is_set, reason, changed_at FROM flags WHERE name = ?", [.text(name)], Self.readFlag)
  }

  /// All flags that were ever set, by name.
  public func flags() throws(StoreError) -> [Flag] {
    try database.query("SELECT name, is_set, reason, changed_at FROM flags ORDER BY name", [], Self.readFlag)
  }

  private static func readFlag(_ row: borrowing Row) throws(StoreError) -> Flag {
    Flag(
      name: try row.text(0), isSet: try row.integer(1) != 0, reason: try row.text(2),
      changedAt: Timestamp(nanoseconds: try row.integer(3)))
  }

  /// Writes a stuck position; durable when it returns.
  /// - Returns: its number.
  @discardableResult
  public func record(stuck position: StuckPosition) throws(StoreError) -> Int64 {
    try database.transaction { () throws(StoreError) in
      let last = try database.first("SELECT COALESCE(MAX(id), 0) FROM stuck_positions") { row throws(StoreError) in
        try row.integer(0)
      }
      let id = (last ?? 0) + 1
      try database.execute(
        """
        INSERT INTO stuck_positions
          (id, order_id, strategy, venue, symbol, market_id, quantity, cost, reason, created_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        [
          .integer(id), .text(position.orderID), .text(position.strategy.rawValue),
          .text(position.instrument.venue.rawValue), .text(position.instrument.symbol), .text(position.marketID),
          .integer(position.quantity.raw), .integer(position.cost.raw), .text(position.reason),
          .integer(position.createdAt.nanoseconds),
        ])
      return id
    }
  }

  /// The stuck positions that nobody has dealt with, oldest first.
  public func stuckPositions() throws(StoreError) -> [StuckPosition] {
    try database.query(
      """
      SELECT id, order_id, strategy, venue, symbol, market_id, quantity, cost, reason, created_at
      FROM stuck_positions WHERE resolved_at IS NULL ORDER BY id
      """, []
    ) { row throws(StoreError) in
      var position = StuckPosition(
        orderID: try row.text(1), strategy: try row.named(2, as: Strategy.self),
        instrument: try row.instrument(3, 4), marketID: try row.text(5), quantity: Quantity(raw: try row.integer(6)),
        cost: Money(raw: try row.integer(7)), reason: try row.text(8),
        createdAt: Timestamp(nanoseconds: try row.integer(9)))
      position.id = try row.integer(0)
      return position
    }
  }
}
