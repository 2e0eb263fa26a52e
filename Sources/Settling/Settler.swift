public import Market
public import Store

/// What was found out for one task.
public struct SettlementAnswer: Sendable {
  /// What was asked.
  public var task: SettlementTask
  /// What came of it.
  public var result: Result

  /// What may come of a task.
  public enum Result: Sendable {
    /// The market as the venue has it; nil where it does not know it.
    case market(PredictionMarket?)
    /// What the sources say for both ends, and why others say nothing.
    case prices(start: [PriceObservation], end: [PriceObservation], problems: [String])
    /// Nothing; why.
    case failed(String)
  }

  /// An answer by its parts.
  public init(task: SettlementTask, result: Result) {
    self.task = task
    self.result = result
  }
}

/// Books what the journal has, and settles what is due: everything of the settler but asking and telling.
///
/// What it changes in the ledger is durable before any method returns, and its own state follows only then; so an error
/// leaves it where it was, and a restart finds everything in the store. Not thread-safe.
public final class Settler {
  /// Counters of what was done and what waits.
  public struct Counters: Sendable {
    /// Fills booked since the start.
    public var fillsBooked: Int64 = 0
    /// Markets settled since the start.
    public var settled: Int64 = 0
    /// Attempts that left a market pending, since the start.
    public var leftPending: Int64 = 0
    /// Of these, how often the sources had no agreed price.
    public var withoutPrice: Int64 = 0
    /// How often complete sets of a market were given back, since the start.
    public var setsMerged: Int64 = 0
  }

  /// Decides what is due.
  public let planner: SettlementPlanner
  /// What was done.
  public private(set) var counters = Counters()
  /// The markets that wait for their settlement.
  public private(set) var pending: [MarketKey: PendingMarket] = [:]
  /// The money of the ledger: cash, deposits, rounding, and what each strategy realised and paid.
  public private(set) var balances: [LedgerAccount: Int64] = [:]
  /// The sequence of the last fill that is booked.
  public private(set) var cursor: Int64
  /// What the ledger holds.
  public var positions: [Position] {
    bookkeeper.positions.values.sorted { $0.key.description < $1.key.description }
  }

  private let ledger: LedgerStore
  private let chainCosts: ChainCosts
  private var bookkeeper: Bookkeeper
  private var inFlight: Set<MarketKey> = []
  /// How many fills are booked in one database transaction.
  private let batchMax = 500

  /// A settler who takes up where the ledger stands.
  /// - Parameters:
  ///   - ledger: the ledger; no other process writes it.
  ///   - planner: decides what is due.
  ///   - chainCosts: what merges and redemptions cost.
  /// - Throws: `StoreError`.
  public init(
    ledger: LedgerStore, planner: SettlementPlanner, chainCosts: ChainCosts = .usual
  ) throws(StoreError) {
    self.ledger = ledger
    self.chainCosts = chainCosts
    self.planner = planner
    bookkeeper = Bookkeeper(positions: try ledger.positions())
    cursor = try ledger.cursor()
    for market in try ledger.pendingMarkets() { pending[market.key] = market }
    for (account, balance) in try ledger.balances() where Self.isMoney(account) { balances[account] = balance }
  }

  /// Books the money that there is at the beginning, once in the life of the ledger.
  /// - Returns: what was paid in at the beginning: this amount, or what was booked in an earlier life.
  /// - Throws: `StoreError`.
  @discardableResult
  public func openAccount(_ amount: Money, at time: Timestamp) throws(StoreError) -> Money {
    let reference = "deposit/initial"
    if try !ledger.isBooked(reference) {
      var batch = LedgerBatch()
      batch.transactions = [Bookkeeper.deposit(amount, reference: reference, at: time)]
      try commit(batch, bookkeeper)
    }
    return -Money(raw: balances[.deposits] ?? 0)
  }

  /// Books the fills that the journal has and the ledger has not.
  /// - Parameter journal: where fills are.
  /// - Returns: the positions that have changed.
  /// - Throws: `StoreError`; `BookingError` for a fill that cannot be booked: it and those after it wait.
  public func bookNewFills(from journal: Journal) throws -> Set<PositionKey> {
    var changed: Set<PositionKey> = []
    while true {
      let fills = try journal.fills(after: cursor, limit: batchMax)
      guard !fills.isEmpty else { return changed }
      changed.formUnion(try book(fills))
    }
  }

  private func book(_ fills: [Fill]) throws -> Set<PositionKey> {
    var staged = bookkeeper
    staged.beginBatch()
    var batch = LedgerBatch()
    var failure: BookingError?
    var last = cursor
    for fill in fills {
      guard fill.sequence == last + 1 else {
        throw StoreError(
          .conflict, operation: "book fill \(fill.sequence)", message: "the journal has none after \(last)")
      }
      do throws(BookingError) {
        batch.transactions.append(try staged.book(fill))
      } catch {
        failure = error
        break
      }
      last = fill.sequence
      batch.pendingMarkets.insert(MarketKey(venue: fill.instrument.venue, id: fill.marketID))
    }
    if last > cursor {
      // A market that holds nothing any more has nothing to wait for.
      for key in batch.pendingMarkets where staged.positions(of: key).isEmpty {
        batch.pendingMarkets.remove(key)
        if pending[key] != nil { batch.finishedMarkets.insert(key) }
      }
      batch.positions = staged.touchedPositions
      batch.cursor = LedgerBatch.CursorMove(from: cursor, to: last)
      try commit(batch, staged)
      counters.fillsBooked += last - cursor
      cursor = last
    }
    if let failure { throw failure }
    return staged.touched
  }

  /// Takes note of a market that an ingestor announced; one that is not pending is left alone.
  /// - Throws: `StoreError`.
  public func learn(_ market: PredictionMarket) throws(StoreError) {
    let key = MarketKey(venue: market.venue, id: market.id)
    guard market.outcomes.count == 2, let known = pending[key] else { return }
    guard known.market.map({ Self.differs($0, market) }) ?? true else { return }
    try ledger.store(market)
    pending[key]?.market = market
    // What is known now may make it due at once.
    if known.market == nil || market.payouts != nil { pending[key]?.attempts = 0 }
  }

  /// Only what settlement needs is kept and compared: a market's fees and grid change without consequence here.
  private static func differs(_ left: PredictionMarket, _ right: PredictionMarket) -> Bool {
    left.outcomes != right.outcomes || left.endsAt != right.endsAt || left.isClosed != right.isClosed
      || left.payouts != right.payouts || left.upDown != right.upDown || left.eventID != right.eventID
  }

  /// What is to be asked now; each task is in flight until `finish` is told of it.
  public func takeDue(now: Timestamp) -> [SettlementTask] {
    let tasks = planner.due(Array(pending.values), inFlight: inFlight, now: now)
    for task in tasks { inFlight.insert(task.key) }
    return tasks
  }

  /// Takes the answer to a task: settles the market, or leaves it pending.
  /// - Parameters:
  ///   - answer: what was found out.
  ///   - now: the time of day.
  /// - Returns: the settlement, once it is durable; nil where the market stays pending.
  /// - Throws: `StoreError`; the market stays pending.
  public func finish(_ answer: SettlementAnswer, now: Timestamp) throws(StoreError) -> Settlement? {
    let key = answer.task.key
    inFlight.remove(key)
    guard pending[key] != nil else { return nil }
    if case .market(let market?) = answer.result { try learn(market) }
    switch decide(answer) {
    case .settle(let terms):
      do { return try settle(key, terms, now: now) } catch let error as BookingError {
        try leavePending(key, error.description, now: now)
      } catch let error as StoreError {
        throw error
      } catch {
        preconditionFailure("settle throws nothing else")
      }
    case .pending(let problem):
      if case .prices = answer.task { counters.withoutPrice += 1 }
      try leavePending(key, problem, now: now)
    case nil: break
    }
    return nil
  }

  /// Nil where there is nothing to settle yet: the metadata has only just come.
  private func decide(_ answer: SettlementAnswer) -> SettlementDecision? {
    switch (answer.task, answer.result) {
    case (.resolved(_, let payouts), _):
      return .settle(SettlementTerms(method: .venue, payouts: payouts))
    case (_, .failed(let problem)): return .pending(problem)
    case (_, .market(nil)): return .pending("the venue does not know this market")
    case (.metadata, .market(let market?)):
      return market.outcomes.count == 2 ? nil : .pending("the market has \(market.outcomes.count) outcomes")
    case (_, .market(let market?)): return planner.decide(market)
    case (.prices(_, let terms), .prices(let start, let end, let problems)):
      let decision = planner.decide(terms, start: start, end: end)
      guard case .pending(let problem) = decision, !problems.isEmpty else { return decision }
      return .pending(problem + "; " + problems.joined(separator: "; "))
    case (_, .prices): return .pending("prices were not asked for")
    }
  }

  private func settle(_ key: MarketKey, _ terms: SettlementTerms, now: Timestamp) throws -> Settlement {
    guard let market = pending[key]?.market else { throw BookingError.invalidPayouts(key) }
    let earlier = try ledger.settlement(of: key)
    // What a market paid once, it pays for fills that came late as well.
    let payouts = earlier?.payouts ?? terms.payouts
    let round = (earlier?.round ?? 0) + 1
    var staged = bookkeeper
    staged.beginBatch()
    let payout = try staged.settle(
      market, payouts: payouts, redemptionCost: chainCosts.operation(at: market.venue, now), round: round, at: now)
    let spreads = [terms.start, terms.end].compactMap { $0?.spreadMillionths }
    var settlement = Settlement(
      key: key, round: round, question: market.question, method: terms.method, payouts: payouts,
      received: payout.received, realised: payout.realised, startPrice: terms.start?.price,
      endPrice: terms.end?.price, spreadMillionths: spreads.max(), sources: terms.end?.sources.count ?? 1,
      settledAt: now)
    var batch = LedgerBatch()
    batch.transactions = [payout.transaction]
    batch.positions = staged.touchedPositions
    batch.settlements = [settlement]
    try commit(batch, staged)
    counters.settled += 1
    settlement.sequence = try ledger.settlement(of: key)?.sequence ?? 0
    return settlement
  }

  /// Gives complete sets back for 1 each, where their market ends so late that waiting would lock the money for long.
  ///
  /// Sets of markets that end sooner wait for their settlement, which pays the same; so do those that are worth no more than
  /// the merge costs on the venue's chain.
  /// - Parameters:
  ///   - aheadSeconds: markets that end within this time are left alone.
  ///   - now: the time of day.
  /// - Returns: the positions that have changed.
  /// - Throws: `StoreError`; what is not durable has not happened.
  public func mergeSets(aheadSeconds: Int64, now: Timestamp) throws -> Set<PositionKey> {
    var changed: Set<PositionKey> = []
    for waiting in pending.values {
      guard let market = waiting.market, market.outcomes.count == 2, !market.isClosed, market.payouts == nil,
        market.endsAt.map({ $0 > now.advanced(bySeconds: aheadSeconds) }) ?? true
      else { continue }
      let held = bookkeeper.positions(of: waiting.key)
      for strategy in Set(held.map(\.key.strategy)) {
        let quantities = market.outcomes.map { outcome in
          held.first {
            $0.key == PositionKey(strategy, InstrumentID(venue: market.venue, symbol: outcome.token))
          }?.quantity ?? .zero
        }
        let sets = min(quantities[0], quantities[1])
        guard sets.raw > chainCosts.operation(at: market.venue, now).raw else { continue }
        changed.formUnion(try merge(sets, of: market, waiting.key, strategy, now: now))
      }
    }
    return changed
  }

  private func merge(
    _ sets: Quantity, of market: PredictionMarket, _ key: MarketKey, _ strategy: Strategy, now: Timestamp
  ) throws -> Set<PositionKey> {
    var staged = bookkeeper
    staged.beginBatch()
    let reference = "merge/\(key)/\(strategy.rawValue)/\(now.nanoseconds)"
    let payout = try staged.merge(
      sets, of: market, strategy: strategy, chainCost: chainCosts.operation(at: market.venue, now),
      reference: reference,
      at: now)
    var batch = LedgerBatch()
    batch.transactions = [payout.transaction]
    batch.positions = staged.touchedPositions
    if staged.positions(of: key).isEmpty { batch.finishedMarkets.insert(key) }
    try commit(batch, staged)
    counters.setsMerged += 1
    return staged.touched
  }

  private func leavePending(_ key: MarketKey, _ problem: String, now: Timestamp) throws(StoreError) {
    counters.leftPending += 1
    try ledger.notePending(key, problem: problem, at: now)
    pending[key]?.attempts += 1
    pending[key]?.checkedAt = now
    pending[key]?.problem = problem
  }

  /// The state here follows once the batch is durable.
  private func commit(_ batch: LedgerBatch, _ staged: Bookkeeper) throws(StoreError) {
    try ledger.commit(batch)
    bookkeeper = staged
    for key in batch.pendingMarkets where pending[key] == nil { pending[key] = PendingMarket(key: key) }
    for settlement in batch.settlements { pending[settlement.key] = nil }
    for key in batch.finishedMarkets { pending[key] = nil }
    for entry in batch.transactions.flatMap(\.entries) where Self.isMoney(entry.account) {
      balances[entry.account, default: 0] += entry.amount
    }
  }

  /// Accounts of single positions are many, and their balances are the positions themselves.
  private static func isMoney(_ account: LedgerAccount) -> Bool {
    account.commodity == LedgerAccount.dollars && !account.name.hasPrefix("assets/cost/")
  }

  /// Profit and loss as of now, with the values of all positions.
  /// - Parameters:
  ///   - sets: complete sets that may be held.
  ///   - quote: the best prices of an instrument.
  /// - Returns: the summary, and the positions by key.
  public func value(
    sets: [CompleteSet], quote: (InstrumentID) -> Quote
  ) -> (summary: ProfitSummary, positions: [ValuedPosition]) {
    let byStrategy = Dictionary(grouping: positions, by: \.key.strategy)
    let valued = Strategy.allCases.flatMap { strategy in
      Valuation.value(byStrategy[strategy] ?? [], sets: sets, quote: quote)
    }
    return (ProfitSummary(balances: balances, positions: valued), valued)
  }
}
