internal import Bus
internal import Daemon
internal import Market
internal import Store

/// What the executor knows again after a restart: the account, and what a crash interrupted (E5).
extension ExecutingService {
  /// Completes the journal, and takes up what it says.
  func restart() throws {
    let ledger = try restoreFromLedger()
    let restart = try log.restart(now: SystemClock.now, fillsAfter: ledger.cursor)
    desk.restore(fills: restart.fills)
    desk.restore(executed: restart.executed)
    desk.restore(
      risks: FormerRisk.byMarket(ledger: ledger.positions, fills: restart.fills, stuck: restart.stuck))
    if mode == .paper {
      interrupted = restart.uneven.filter { Execution(recovering: $0, events: [], options: desk.options) != nil }
    }
    interruptedUntil = SystemClock.monotonicNanoseconds + Self.interruptedWaitNanoseconds
    try readFlags()
    Log.info(
      "journal read",
      [
        "mode": mode.rawValue, "fills": "\(restart.fills.count)", "executed": "\(restart.executed.count)",
        "orders_closed": "\(restart.closedNow.count)", "interrupted": "\(interrupted.count)",
        "stuck": "\(restart.stuck.count)", "at_risk": "\(desk.portfolio.exposure)", "cash": "\(desk.portfolio.cash)",
      ])
  }

  /// Takes the account as the settler's ledger has it, settlements and merges included.
  ///
  /// - Returns: the last fill that is booked there, and its positions; 0 and none where there is no ledger yet.
  private func restoreFromLedger() throws(StoreError) -> (cursor: Int64, positions: [Position]) {
    let ledger: LedgerStore
    do throws(StoreError) {
      ledger = try LedgerStore(readingFrom: context.dataDirectory + "/ledger.db")
    } catch {
      guard error.code == .notReady else { throw error }
      return (0, [])
    }
    guard try ledger.transactionCount() > 0 else { return (0, []) }
    let standing = try ledger.standing()
    var positions: [InstrumentID: Portfolio.Position] = [:]
    for position in standing.positions {
      var sum = positions[position.key.instrument] ?? Portfolio.Position(marketID: position.marketID)
      sum.quantity += position.quantity
      sum.cost += position.cost
      positions[position.key.instrument] = sum
    }
    desk.restore(cash: standing.cash, positions: positions)
    return (standing.cursor, standing.positions)
  }

  /// Takes up interrupted executions once their books are here; nothing new is begun before.
  func resumeInterrupted(_ now: Moment) {
    guard !interrupted.isEmpty else { return }
    let isLate = now.monotonicNanoseconds >= interruptedUntil
    interrupted.removeAll { results in
      let orders = results.map(\.order)
      let isReady = orders.allSatisfy { order in
        books.book(order.instrument).map { books.header($0).state == .live } ?? false
      }
      guard isReady || isLate else { return false }
      let events = Set(
        orders.compactMap { order in
          books.market(order.marketID, venue: order.instrument.venue).map { "\($0.venue.rawValue)/\($0.eventID)" }
        })
      Log.warning("an interrupted execution is unwound", ["opportunity": "\(orders[0].opportunityID)"])
      desk.resume(results, events: events, now: now)
      return true
    }
  }

  /// The kill switch and the breaker may be changed by a person while we run.
  func readFlags() throws(StoreError) {
    desk.isKilled = try log.journal.flag(Flag.killSwitch)?.isSet ?? false
    guard let flag = try log.journal.flag(TradingBreaker.flagName) else { return }
    if flag.isSet {
      desk.breaker.open(flag.reason)
    } else if desk.breaker.isOpen, log.isClear {
      desk.breaker.lift()
      Log.info("the trading breaker was lifted", ["reason": flag.reason])
    }
  }
}
