public import Market

/// What became of one order: its new state, and what it got.
public struct OrderChange: Hashable, Sendable {
  /// The order with its new state, filled quantity, time and reason.
  public var order: Order
  /// All its fills so far, from the first, in the venue's order; or a beginning of them, where none is new.
  public var fills: [Fill]

  /// A change by order and fills.
  public init(order: Order, fills: [Fill] = []) {
    self.order = order
    self.fills = fills
  }
}

/// The orders and fills of this installation: written before anything is sent or told (E5).
///
/// One process writes it (the executor); others read. A call that has returned is durable, also when the power fails.
public final class Journal {
  let database: Database

  /// Opens the journal to write it, makes it where it is missing, and brings it up to date.
  /// - Parameters:
  ///   - path: the file, such as `DATA/journal.db`.
  ///   - busyTimeoutMilliseconds: how long a call waits for a lock that another process holds.
  ///   - pagesMax: the greatest size in pages of 4096 bytes; nil for SQLite's own limit.
  /// - Throws: `StoreError`.
  public init(path: String, busyTimeoutMilliseconds: Int32 = 5000, pagesMax: Int? = nil) throws(StoreError) {
    database = try Database(
      path: path, access: .readWrite(.full), busyTimeoutMilliseconds: busyTimeoutMilliseconds, pagesMax: pagesMax)
    try database.migrate(Self.migrations)
  }

  /// Opens the journal to read it.
  /// - Parameter path: the file.
  /// - Throws: `StoreError`; `notReady` while its writer has not made it.
  public init(readingFrom path: String) throws(StoreError) {
    database = try Database(path: path, access: .readOnly)
    try database.requireVersion(of: Self.migrations)
  }

  /// Writes new orders; all are durable, in one commit, when it returns.
  /// - Parameter orders: orders that are journalled and not yet sent.
  /// - Throws: `StoreError`; `duplicate` where an id was recorded before, and then none of them is.
  public func record(orders: [Order]) throws(StoreError) {
    guard !orders.isEmpty else { return }
    try database.transaction { () throws(StoreError) in
      for order in orders { try insert(order) }
    }
  }

  private func insert(_ order: Order) throws(StoreError) {
    try database.execute(
      """
      INSERT INTO orders (id, opportunity_id, strategy, venue, symbol, market_id, side, price_limit, quantity,
        time_in_force, is_unwind, created_at, state, filled, updated_at, reason)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """,
      [
        .text(order.id), .integer(Int64(bitPattern: order.opportunityID)), .text(order.strategy.rawValue),
        .text(order.instrument.venue.rawValue), .text(order.instrument.symbol), .text(order.marketID),
        .integer(Int64(order.side.rawValue)), .integer(order.limit.raw), .integer(order.quantity.raw),
        .text(order.timeInForce.rawValue), .integer(order.isUnwind ? 1 : 0),
        .integer(order.createdAt.nanoseconds), .text(order.state.rawValue), .integer(order.filled.raw),
        .integer(order.updatedAt.nanoseconds), .text(order.reason),
      ])
  }

  /// Writes what became of one order, with its fills, in one commit.
  ///
  /// It may be repeated: a fill that is journalled already is not written again. Which fill it is, is told by its place
  /// in the list, so `fills` always begins with the order's first.
  /// - Parameters:
  ///   - order: the order with its new state.
  ///   - fills: all its fills so far; or a beginning of them (nothing, say) where none is new.
  /// - Returns: the fills that are new, with their sequence numbers.
  /// - Throws: `StoreError`; `missing` where the order was never recorded; `conflict` where a fill differs from the one
  ///   journalled in its place, `order.filled` is not the sum of the fills, or a final state would become an open one.
  @discardableResult
  public func update(order: Order, fills: [Fill] = []) throws(StoreError) -> [Fill] {
    try update([OrderChange(order: order, fills: fills)])
  }

  /// Writes what became of several orders in one commit.
  /// - Parameter changes: the orders with their fills, as in `update(order:fills:)`.
  /// - Returns: the fills that are new, with their sequence numbers.
  /// - Throws: `StoreError`, as `update(order:fills:)`; then none of the changes is written.
  @discardableResult
  public func update(_ changes: [OrderChange]) throws(StoreError) -> [Fill] {
    guard !changes.isEmpty else { return [] }
    return try database.transaction { () throws(StoreError) in
      var added: [Fill] = []
      for change in changes { added += try apply(change) }
      return added
    }
  }

  /// Takes a fill back whose match failed at the venue after all (X2), in one commit.
  ///
  /// A fill is never changed or removed: an order of the opposite side is written, `reversal/SEQUENCE`, which is filled
  /// at the same price, with the fee negated. So cash and shares are what they were, and whoever follows the fills
  /// sees it. It may be repeated.
  /// - Parameters:
  ///   - sequence: the fill that did not come about.
  ///   - reason: what the venue said.
  ///   - time: when.
  /// - Returns: the fill that takes it back, with its sequence number.
  /// - Throws: `StoreError`; `missing` where there is no such fill, `conflict` where it is a reversal itself.
  @discardableResult
  public func reverse(fill sequence: Int64, reason: String, at time: Timestamp) throws(StoreError) -> Fill {
    try database.transaction { () throws(StoreError) in
      let id = Self.reversalPrefix + String(sequence)
      if let earlier = try fills(ofOrder: id).first { return earlier }
      guard let fill = try fills(after: sequence - 1, limit: 1).first, fill.sequence == sequence,
        let order = try order(id: fill.orderID)
      else { throw StoreError(.missing, operation: "reverse fill \(sequence)", message: "there is no such fill") }
      guard !order.id.hasPrefix(Self.reversalPrefix) else {
        throw StoreError(.conflict, operation: "reverse fill \(sequence)", message: "it is a reversal itself")
      }
      var reversal = Order(
        id: id, opportunityID: order.opportunityID, strategy: fill.strategy, instrument: fill.instrument,
        marketID: fill.marketID, side: fill.side.opposite, limit: fill.price, quantity: fill.quantity,
        timeInForce: .fok, isUnwind: true, createdAt: time)
      reversal.reason = reason
      try insert(reversal)
      reversal.state = .filled
      reversal.filled = fill.quantity
      let counter = Fill(
        orderID: id, strategy: fill.strategy, instrument: fill.instrument, marketID: fill.marketID,
        side: reversal.side, price: fill.price, quantity: fill.quantity, fee: -fill.fee, time: time)
      return try apply(OrderChange(order: reversal, fills: [counter]))[0]
    }
  }

  private static let reversalPrefix = "reversal/"

  private func apply(_ change: OrderChange) throws(StoreError) -> [Fill] {
    let order = change.order
    let operation = "update order \(order.id)"
    guard let stored = try self.order(id: order.id) else {
      throw StoreError(.missing, operation: operation, message: "it was never recorded")
    }
    guard !stored.state.isFinal || order.state.isFinal else {
      throw StoreError(
        .conflict, operation: operation, message: "\(stored.state.rawValue) cannot become \(order.state.rawValue)")
    }
    let journalled = try fills(ofOrder: order.id)
    for (old, new) in zip(journalled, change.fills)
    where old.instrument != new.instrument || old.side != new.side || old.price != new.price
      || old.quantity != new.quantity
    {
      throw StoreError(.conflict, operation: operation, message: "fill \(old.sequence) differs from what is journalled")
    }
    var added: [Fill] = []
    var total = journalled.reduce(Int128(0)) { $0 + Int128($1.quantity.raw) }
    for (offset, fill) in change.fills.dropFirst(journalled.count).enumerated() {
      guard fill.orderID == order.id, fill.instrument == stored.instrument, fill.side == stored.side,
        fill.quantity.raw > 0
      else { throw StoreError(.conflict, operation: operation, message: "a fill does not belong to the order") }
      added.append(try insert(fill, part: journalled.count + offset))
      total += Int128(fill.quantity.raw)
    }
    guard total == Int128(order.filled.raw) else {
      throw StoreError(
        .conflict, operation: operation, message: "\(order.filled) filled, but its fills do not sum to that")
    }
    try database.execute(
      "UPDATE orders SET state = ?, filled = ?, updated_at = ?, reason = ? WHERE id = ?",
      [
        .text(order.state.rawValue), .integer(order.filled.raw), .integer(order.updatedAt.nanoseconds),
        .text(order.reason), .text(order.id),
      ])
    return added
  }

  /// The sequence is counted here, under the write lock: numbers that the database hands out may leave gaps.
  private func insert(_ fill: Fill, part: Int) throws(StoreError) -> Fill {
    var fill = fill
    fill.sequence = try lastSequence() + 1
    try database.execute(
      """
      INSERT INTO fills (sequence, order_id, part, strategy, venue, symbol, market_id, side, price, quantity, fee, time)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """,
      [
        .integer(fill.sequence), .text(fill.orderID), .integer(Int64(part)), .text(fill.strategy.rawValue),
        .text(fill.instrument.venue.rawValue), .text(fill.instrument.symbol), .text(fill.marketID),
        .integer(Int64(fill.side.rawValue)), .integer(fill.price.raw), .integer(fill.quantity.raw),
        .integer(fill.fee.raw), .integer(fill.time.nanoseconds),
      ])
    return fill
  }

  /// The sequence number of the newest fill; 0 before the first.
  public func lastSequence() throws(StoreError) -> Int64 {
    try database.first("SELECT COALESCE(MAX(sequence), 0) FROM fills") { row throws(StoreError) in
      try row.integer(0)
    } ?? 0
  }

  /// The order with this id, or nil where none was recorded.
  public func order(id: String) throws(StoreError) -> Order? {
    try database.first("SELECT \(Self.orderColumns) FROM orders WHERE id = ?", [.text(id)], Self.readOrder)
  }

  /// The orders of which more may come, oldest first: what a restart asks the venues about.
  public func openOrders() throws(StoreError) -> [Order] {
    try database.query(
      """
      SELECT \(Self.orderColumns) FROM orders WHERE state IN ('journalled', 'sent', 'unknown')
      ORDER BY created_at, id
      """, [], Self.readOrder)
  }

  /// The newest orders, newest first.
  /// - Parameter limit: at most how many.
  /// - Returns: the orders.
  /// - Throws: `StoreError`.
  public func orders(limit: Int) throws(StoreError) -> [Order] {
    try database.query(
      "SELECT \(Self.orderColumns) FROM orders ORDER BY created_at DESC, id DESC LIMIT ?", [.integer(Int64(limit))],
      Self.readOrder)
  }

  /// The fills that follow one, in order.
  /// - Parameters:
  ///   - sequence: the last one that the caller has; 0 for none.
  ///   - limit: at most how many.
  /// - Returns: the fills.
  /// - Throws: `StoreError`.
  public func fills(after sequence: Int64, limit: Int) throws(StoreError) -> [Fill] {
    try database.query(
      "SELECT \(Self.fillColumns) FROM fills WHERE sequence > ? ORDER BY sequence LIMIT ?",
      [.integer(sequence), .integer(Int64(limit))], Self.readFill)
  }

  /// The newest fills, newest first.
  /// - Parameter limit: at most how many.
  /// - Returns: the fills.
  /// - Throws: `StoreError`.
  public func fills(limit: Int) throws(StoreError) -> [Fill] {
    try database.query(
      "SELECT \(Self.fillColumns) FROM fills ORDER BY sequence DESC LIMIT ?", [.integer(Int64(limit))], Self.readFill)
  }

  /// The fills of one order, in order.
  public func fills(ofOrder id: String) throws(StoreError) -> [Fill] {
    try database.query(
      "SELECT \(Self.fillColumns) FROM fills WHERE order_id = ? ORDER BY part", [.text(id)], Self.readFill)
  }

  private static let orderColumns = """
    id, opportunity_id, strategy, venue, symbol, market_id, side, price_limit, quantity, time_in_force, is_unwind,
    created_at, state, filled, updated_at, reason
    """

  private static func readOrder(_ row: borrowing Row) throws(StoreError) -> Order {
    var order = Order(
      id: try row.text(0), opportunityID: UInt64(bitPattern: try row.integer(1)),
      strategy: try row.named(2, as: Strategy.self), instrument: try row.instrument(3, 4), marketID: try row.text(5),
      side: try row.side(6), limit: Price(raw: try row.integer(7)), quantity: Quantity(raw: try row.integer(8)),
      timeInForce: try row.named(9, as: TimeInForce.self), isUnwind: try row.integer(10) != 0,
      createdAt: Timestamp(nanoseconds: try row.integer(11)))
    order.state = try row.named(12, as: OrderState.self)
    order.filled = Quantity(raw: try row.integer(13))
    order.updatedAt = Timestamp(nanoseconds: try row.integer(14))
    order.reason = try row.text(15)
    return order
  }

  private static let fillColumns =
    "order_id, strategy, venue, symbol, market_id, side, price, quantity, fee, time, sequence"

  private static func readFill(_ row: borrowing Row) throws(StoreError) -> Fill {
    var fill = Fill(
      orderID: try row.text(0), strategy: try row.named(1, as: Strategy.self), instrument: try row.instrument(2, 3),
      marketID: try row.text(4), side: try row.side(5), price: Price(raw: try row.integer(6)),
      quantity: Quantity(raw: try row.integer(7)), fee: Money(raw: try row.integer(8)),
      time: Timestamp(nanoseconds: try row.integer(9)))
    fill.sequence = try row.integer(10)
    return fill
  }
}

extension Row {
  /// The instrument that stands in two columns.
  func instrument(_ venue: Int, _ symbol: Int) throws(StoreError) -> InstrumentID {
    InstrumentID(venue: try named(venue, as: Venue.self), symbol: try text(symbol))
  }

  /// The side that stands in a column as 0 (buy) or 1 (sell).
  func side(_ column: Int) throws(StoreError) -> Side {
    guard let code = UInt8(exactly: try integer(column)), let side = Side(rawValue: code) else {
      throw mismatch(column, "a side")
    }
    return side
  }
}
