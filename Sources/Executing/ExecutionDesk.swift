public import Bus
public import Market

/// What the desk has done, and what is to be written and sent for it.
public struct DeskOutput: Sendable {
  /// Orders that have reached their end; to be journalled, then published.
  public var results: [OrderResult] = []
  /// Surpluses to be sold: to be journalled, then handed back by `accept`.
  public var unwinds: [UnwindPlan] = []
  /// Executions that are over.
  public var reports: [ExecutionReport] = []
  /// Positions that an unwind could not sell.
  public var stuck: [StuckLeg] = []
  /// Whether the trading breaker has opened.
  public var hasOpenedBreaker = false
}

/// The executor without its surroundings: opportunities and books in, orders and results out, the clock passed in.
///
/// Not thread-safe: it belongs to one poll loop.
public final class ExecutionDesk {
  private enum Task {
    case fill(DurableOrders)
    case planUnwind(UInt64)
  }

  /// The limits.
  public let options: ExecutorOptions
  /// The account.
  public private(set) var portfolio: Portfolio
  /// The trading breaker.
  public var breaker = TradingBreaker()
  /// Whether a person has stopped all trading.
  public var isKilled = false
  /// Whether the journal can be written.
  public var canJournal = true
  /// The venues that take no new orders now.
  public var closedVenues: [Venue: ClosedVenue] = [:]
  /// What was counted: `approved`, `rejected_…`, `completed`, `missed`, `unwound`, `stuck`.
  public private(set) var counters: [String: Int64] = [:]
  private var broker = PaperBroker()
  private var executions: [UInt64: Execution] = [:]
  private var markets: [UInt64: [PredictionMarket]] = [:]
  private var tasks: [(due: Int64, task: Task)] = []
  private var executed: Set<UInt64> = []
  private var executedInOrder: [UInt64] = []
  /// Executions whose surplus cannot be sold as long as a venue takes no orders.
  private var heldUnwinds: Set<UInt64> = []

  /// How many opportunities are remembered as executed.
  static let executedMax = 100_000

  /// A desk with nothing under way.
  public init(options: ExecutorOptions) {
    self.options = options
    portfolio = Portfolio(cash: options.bankroll)
  }

  /// How many executions are under way.
  public var inFlightCount: Int { executions.count }

  /// When the next task is due, in monotonic nanoseconds; nil where there is none.
  public var nextDue: Int64? { tasks.map(\.due).min() }

  private func count(_ name: String) { counters[name, default: 0] += 1 }

  // MARK: - Opportunities

  /// Checks an opportunity; when it passes, its money and its events are taken until it is over.
  /// - Parameters:
  ///   - opportunity: what the scanner found.
  ///   - books: our own books.
  ///   - now: the time of day.
  /// - Returns: the approved execution, whose orders are to be journalled; or why there is none.
  public func approve(
    _ opportunity: Opportunity, _ books: some MarketBooks, now: Timestamp
  ) -> Result<RiskApproved, Rejection> {
    var context = CheckContext(options: options, portfolio: portfolio, liquidity: broker.liquidity)
    context.executed = executed
    context.busyEvents = executions.values.reduce(into: []) { $0.formUnion($1.events) }
    context.isBreakerOpen = breaker.isOpen
    context.isKilled = isKilled
    context.canJournal = canJournal
    context.closedVenues = closedVenues
    do throws(Rejection) {
      let approved = try SafetyChecks.approve(opportunity, context, books, now: now)
      count("approved")
      remember(opportunity.id)
      executions[opportunity.id] = Execution(approved, options: options)
      markets[opportunity.id] = approved.markets
      portfolio.reserve(approved.outlay, for: opportunity.id, events: approved.events)
      return .success(approved)
    } catch {
      count("rejected_\(error.name)")
      return .failure(error)
    }
  }

  /// Forgets an approved execution whose orders are not going to be sent: it could not be journalled, or it is only a
  /// rehearsal.
  ///
  /// The opportunity is not looked at again.
  public func abandon(_ id: UInt64) {
    executions[id] = nil
    markets[id] = nil
    portfolio.release(id)
  }

  private func remember(_ id: UInt64) {
    guard executed.insert(id).inserted else { return }
    executedInOrder.append(id)
    if executedInOrder.count > ExecutionDesk.executedMax * 2 {
      for old in executedInOrder.prefix(ExecutionDesk.executedMax) { executed.remove(old) }
      executedInOrder.removeFirst(ExecutionDesk.executedMax)
    }
  }

  // MARK: - Orders

  /// Sends durable orders to the paper broker, who looks at the books after the latency.
  /// - Parameters:
  ///   - durable: orders whose journal rows are durable.
  ///   - now: when they are sent.
  /// - Returns: what is known at once: the sets that were made by splitting.
  public func accept(_ durable: DurableOrders, now: Moment) -> [OrderResult] {
    tasks.append((now.monotonicNanoseconds + options.latencyNanoseconds, .fill(durable)))
    var results: [OrderResult] = []
    for (place, order) in durable.batch.split.enumerated() {
      let result = split(order, cost: place == 0 ? durable.batch.splitCost : .zero, now.time)
      for fill in result.fills { portfolio.apply(fill) }
      results.append(result)
    }
    return results
  }

  private func split(_ order: Order, cost: Money, _ now: Timestamp) -> OrderResult {
    var order = order
    order.state = .filled
    order.filled = order.quantity
    order.updatedAt = now
    let fill = Fill(
      orderID: order.id, strategy: order.strategy, instrument: order.instrument, marketID: order.marketID, side: .buy,
      price: order.limit, quantity: order.quantity, fee: cost, time: now)
    return OrderResult(order: order, fills: [fill])
  }

  /// Does what is due.
  /// - Parameters:
  ///   - books: the live books.
  ///   - now: the moment.
  /// - Returns: what is to be written, published and sent for it.
  public func work(_ books: some MarketBooks, now: Moment) -> DeskOutput {
    var output = DeskOutput()
    let due = tasks.filter { $0.due <= now.monotonicNanoseconds }
    tasks.removeAll { $0.due <= now.monotonicNanoseconds }
    for (_, task) in due {
      switch task {
      case .fill(let durable):
        let results = durable.batch.orders.map { broker.fill($0, books, now: now.time) }
        for fill in results.flatMap(\.fills) { portfolio.apply(fill) }
        output.results += results
        advance(durable.batch.executionID, results, books, now, &output)
      case .planUnwind(let id):
        planUnwind(id, books, now, &output)
      }
    }
    return output
  }

  private func advance(
    _ id: UInt64, _ results: [OrderResult], _ books: some MarketBooks, _ now: Moment, _ output: inout DeskOutput
  ) {
    guard var execution = executions[id] else { return }
    let next = execution.take(results)
    executions[id] = execution
    switch next {
    case .unwind(let afterPause):
      if afterPause {
        tasks.append((now.monotonicNanoseconds + options.unwindPauseNanoseconds, .planUnwind(id)))
      } else {
        planUnwind(id, books, now, &output)
      }
    case .finished(let report, let stuck):
      finish(id, report, stuck, now, &output)
    }
  }

  private func planUnwind(_ id: UInt64, _ books: some MarketBooks, _ now: Moment, _ output: inout DeskOutput) {
    guard var execution = executions[id] else { return }
    // A venue that takes no such order now would only use up the attempts: the sale waits until it does.
    guard !execution.surplusInstruments.contains(where: { closedVenues[$0.venue]?.state.takesUnwinds == false }) else {
      if heldUnwinds.insert(id).inserted { count("unwinds_held") }
      tasks.append((now.monotonicNanoseconds + max(options.unwindPauseNanoseconds, 50_000_000), .planUnwind(id)))
      return
    }
    heldUnwinds.remove(id)
    let liquidity = broker.liquidity
    let plan = execution.planUnwind(now: now.time) { order, quantity in
      let market = books.market(order.marketID, venue: order.instrument.venue)
      let lowest = market?.tick ?? Price(raw: 1)
      guard let book = books.book(order.instrument) else { return lowest }
      let sweep = LegSweep(
        liquidity.levels(.bid, of: book, in: books), side: .sell, quantity: quantity, limit: nil, fees: .none)
      return sweep.worst.raw > 0 ? sweep.worst : lowest
    }
    executions[id] = execution
    output.unwinds.append(plan)
  }

  private func finish(
    _ id: UInt64, _ report: ExecutionReport, _ stuck: [StuckLeg], _ now: Moment, _ output: inout DeskOutput
  ) {
    count(report.outcome.rawValue)
    executions[id] = nil
    portfolio.release(id)
    if let event = report.openEvent { portfolio.addOpen(report.openCost, event: event) }
    for market in markets.removeValue(forKey: id) ?? [] {
      portfolio.mergeSets(
        of: market, aheadSeconds: options.mergeAheadSeconds,
        cost: options.chainCosts.operation(at: market.venue, now.time), now: now.time)
    }
    for leg in stuck {
      portfolio.addStuck(leg.cost, event: leg.event)
      // The failed order says so itself, so that a restart does not try again.
      if let place = output.results.firstIndex(where: { $0.order.id == leg.order.id }) {
        output.results[place].order.reason = leg.order.reason
      }
    }
    output.reports.append(report)
    output.stuck += stuck
    if breaker.count(report, options: options, now: now.time) { output.hasOpenedBreaker = true }
  }

  // MARK: - Restart and settlement

  /// Takes the account as the ledger has it; the fills that it has not booked yet come next.
  public func restore(cash: Money, positions: [InstrumentID: Portfolio.Position]) {
    portfolio = Portfolio(cash: cash, positions: positions)
  }

  /// Takes the account as the journal's fills have it.
  public func restore(fills: [Fill]) {
    for fill in fills { portfolio.apply(fill) }
  }

  /// Takes opportunities that were executed before the restart, oldest first.
  public func restore(executed ids: [UInt64]) {
    for id in ids { remember(id) }
  }

  /// Takes what a former run has left at risk, by `VENUE/MARKET`; each counts against its event when its market is announced.
  public func restore(risks: [String: FormerRisk]) { portfolio.restore(risks) }

  /// Takes a market that is new or has changed.
  public func announced(_ market: PredictionMarket) { portfolio.announced(market) }

  /// Takes up an execution that a crash interrupted.
  /// - Parameters:
  ///   - results: all orders of one opportunity, none of them open any more.
  ///   - events: the events that they touch.
  ///   - now: the moment.
  /// - Returns: whether something is left to do.
  @discardableResult
  public func resume(_ results: [OrderResult], events: Set<String>, now: Moment) -> Bool {
    guard let execution = Execution(recovering: results, events: events, options: options) else { return false }
    executions[execution.id] = execution
    // The books need a moment to come back.
    tasks.append((now.monotonicNanoseconds + options.unwindPauseNanoseconds, .planUnwind(execution.id)))
    count("resumed")
    return true
  }

  /// Looks at a book that has changed.
  public func bookChanged(_ book: BookIndex, _ books: some MarketBooks) { broker.bookChanged(book, books) }

  /// Takes a settlement that the settler has booked: the market's shares become what their outcomes pay.
  ///
  /// - Parameters:
  ///   - market: the market with its payouts.
  ///   - time: when.
  public func settled(_ market: PredictionMarket, at time: Timestamp) {
    portfolio.settle(market, redemptionCost: options.chainCosts.operation(at: market.venue, time))
  }
}
