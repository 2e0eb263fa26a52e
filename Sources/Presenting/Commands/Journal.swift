internal import Daemon
package import Market
internal import Store

extension Command {
  static let orders = Command(
    "orders", options: [.limit, .json], "Shows the newest orders of the journal, also when nothing runs"
  ) { context in
    var report = Report([
      .init("created_at", "TIME"), .init("id", "ID"), .init("opportunity", nil), .init("strategy", "STRATEGY"),
      .init("venue", "VENUE"), .init("symbol", "SYMBOL"), .init("market", nil), .init("side", "SIDE"),
      .init("limit", "LIMIT", isNumber: true), .init("quantity", "QUANTITY", isNumber: true),
      .init("filled", "FILLED", isNumber: true), .init("time_in_force", "KIND"), .init("state", "STATE"),
      .init("unwind", nil), .init("updated_at", nil), .init("reason", "REASON"),
    ])
    let limit = try context.limit()
    for order in try openJournal(context).orders(limit: limit) {
      report.add([
        .time(order.createdAt), .id(order.id), .text(String(order.opportunityID, radix: 16)),
        .text(order.strategy.rawValue), .text(order.instrument.venue.rawValue), .id(order.instrument.symbol),
        .text(order.marketID), .text(order.isUnwind && !context.wantsJSON ? "unwind" : text(order.side)),
        .decimal(order.limit.raw, shown: 4), .decimal(order.quantity.raw, shown: 2),
        .decimal(order.filled.raw, shown: 2), .text(order.timeInForce.rawValue), .text(order.state.rawValue),
        .boolean(order.isUnwind), .time(order.updatedAt), .text(order.reason),
      ])
    }
    return context.print(report, empty: "no orders yet")
  }

  static let fills = Command(
    "fills", options: [.limit, .json], "Shows the newest fills of the journal, also when nothing runs"
  ) { context in
    var report = Report([
      .init("sequence", "NUMBER", isNumber: true), .init("time", "TIME"), .init("order", "ORDER"),
      .init("strategy", "STRATEGY"), .init("venue", "VENUE"), .init("symbol", "SYMBOL"), .init("market", nil),
      .init("side", "SIDE"), .init("price", "PRICE", isNumber: true), .init("quantity", "QUANTITY", isNumber: true),
      .init("notional", "NOTIONAL", isNumber: true), .init("fee", "FEE", isNumber: true),
    ])
    let limit = try context.limit()
    for fill in try openJournal(context).fills(limit: limit) {
      report.add([
        .integer(fill.sequence), .time(fill.time), .id(fill.orderID), .text(fill.strategy.rawValue),
        .text(fill.instrument.venue.rawValue), .id(fill.instrument.symbol), .text(fill.marketID),
        .text(text(fill.side)), .decimal(fill.price.raw, shown: 4), .decimal(fill.quantity.raw, shown: 2),
        .decimal(fill.notional.raw, shown: 2), .decimal(fill.fee.raw, shown: 4),
      ])
    }
    return context.print(report, empty: "no fills yet")
  }

  static let trades = Command(
    "trades", options: [.limit, .json],
    "Shows the newest executions, each all orders of one opportunity, also when nothing runs"
  ) { context in
    let limit = try context.limit()
    let journal = try openJournal(context)
    // An execution has at most a few dozen orders, unwinds included.
    let orders = try journal.orders(limit: min(limit * 40, 1_000_000))
    var report = Report([
      .init("time", "TIME"), .init("opportunity", "OPPORTUNITY"), .init("strategy", "STRATEGY"),
      .init("orders", "ORDERS", isNumber: true), .init("filled_orders", "FILLED", isNumber: true),
      .init("unwinds", "UNWINDS", isNumber: true), .init("paid", "PAID", isNumber: true),
      .init("received", "RECEIVED", isNumber: true), .init("fees", "FEES", isNumber: true),
      .init("result", "RESULT"),
    ])
    for trade in try Execution.group(orders, fills: journal.fills(ofOrder:)).prefix(limit) {
      report.add([
        .time(trade.time), .text(String(trade.opportunityID, radix: 16)), .text(trade.strategy.rawValue),
        .integer(Int64(trade.orders)), .integer(Int64(trade.filled)), .integer(Int64(trade.unwinds)),
        .decimal(trade.paid.raw, shown: 2), .decimal(trade.received.raw, shown: 2),
        .decimal(trade.fees.raw, shown: 4), .text(trade.result),
      ])
    }
    return context.print(report, empty: "no executions yet")
  }

  private static func text(_ side: Side) -> String { side == .buy ? "buy" : "sell" }

  private static func openJournal(_ context: ToolContext) throws -> Journal {
    let path = context.dataDirectory + "/journal.db"
    return try openStore(path, "journal") { try Journal(readingFrom: path) }
  }

  /// A file that is not there yet deserves better words than SQLite's.
  static func openStore<Store>(_ path: String, _ name: String, _ open: () throws -> Store) throws -> Store {
    do {
      return try open()
    } catch let error as StoreError where error.code == .notReady {
      throw ToolError(.failed, "there is no \(name) yet at \(path); `bulkhead run` makes it")
    }
  }
}

/// All orders of one opportunity.
package struct Execution: Hashable, Sendable {
  package var opportunityID: UInt64
  package var strategy: Strategy
  package var time: Timestamp
  package var orders = 0
  /// Orders that were filled, wholly.
  package var filled = 0
  package var partlyFilled = 0
  package var unwinds = 0
  package var open = 0
  package var paid = Money.zero
  package var received = Money.zero
  package var fees = Money.zero

  /// `complete`, `partial`, `unwound`, `nothing filled` or `open`.
  package var result: String {
    if open > 0 { return "open" }
    if unwinds > 0 { return "unwound" }
    if filled == orders { return "complete" }
    return filled + partlyFilled > 0 ? "partial" : "nothing filled"
  }

  /// Brings orders that are sorted newest first together by their opportunity.
  /// - Parameters:
  ///   - orders: the orders, newest first.
  ///   - fills: reads the fills of an order.
  /// - Returns: the executions, newest first.
  /// - Throws: what `fills` throws.
  package static func group(_ orders: [Order], fills: (String) throws -> [Fill]) rethrows -> [Execution] {
    var result: [Execution] = []
    var places: [UInt64: Int] = [:]
    for order in orders {
      let place = places[order.opportunityID] ?? result.count
      if place == result.count {
        places[order.opportunityID] = place
        result.append(Execution(opportunityID: order.opportunityID, strategy: order.strategy, time: order.createdAt))
      }
      result[place].time = min(result[place].time, order.createdAt)
      result[place].orders += 1
      if order.isUnwind { result[place].unwinds += 1 }
      if order.state == .filled { result[place].filled += 1 }
      if order.state == .partlyFilled { result[place].partlyFilled += 1 }
      if !order.state.isFinal { result[place].open += 1 }
      guard order.filled.raw > 0 else { continue }
      for fill in try fills(order.id) {
        if fill.side == .buy { result[place].paid += fill.notional } else { result[place].received += fill.notional }
        result[place].fees += fill.fee
      }
    }
    return result
  }

  private init(opportunityID: UInt64, strategy: Strategy, time: Timestamp) {
    self.opportunityID = opportunityID
    self.strategy = strategy
    self.time = time
  }
}
