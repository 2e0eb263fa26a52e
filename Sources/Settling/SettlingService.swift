internal import Bus
public import Daemon
internal import Market
internal import Store
internal import Venues
internal import Web

/// The settler's process: fills in from the journal, the ledger and its settlements out.
///
/// The bus only says "look": fills are read from the journal, at the start, whenever a fill is told, and at each
/// interval. What is published is durable before. `run` returns when the process is told to stop.
public final class SettlingService {
  private let context: WorkerContext
  private let publisher: Publisher
  private let subscriber: Subscriber
  private let directory: Directory
  private let feed = BookFeed()
  private let ledger: LedgerStore
  private let settler: Settler
  private var journal: Journal?
  private let research: SettlementResearch
  private let mailbox: Mailbox<SettlementAnswer>
  private let intervalNanoseconds: Int64
  private let mergeAheadSeconds: Int64
  private let healthTopic: TopicHandle
  private let profitTopic: TopicHandle

  /// Places of the markets of each neg-risk event, which form complete sets across markets.
  private var negRiskEvents: [String: Set<Int>] = [:]
  private var snapshots: [SnapshotRequest] = []
  private var mustBook = true
  private var changedPositions: Set<PositionKey> = []
  private var isProfitChanged = true
  private var storeFailures: Int64 = 0
  private var refusedFill: BookingError?
  private var nextProfitAt: Int64 = 0

  /// Opens the ledger, proves it, and binds its endpoint.
  ///
  /// - Throws: `StoreError`, also where the ledger does not prove right; `BusError`; `SystemError`.
  public init(context: WorkerContext) throws {
    self.context = context
    let settings = context.settings
    ledger = try LedgerStore(path: context.dataDirectory + "/ledger.db")
    try Self.prove(ledger)
    settler = try Settler(
      ledger: ledger, planner: SettlementPlanner(settings: settings), chainCosts: try ChainCosts(settings: settings))
    intervalNanoseconds = Int64(settings.integer("settler", "interval_s")) * 1_000_000_000
    mergeAheadSeconds = Int64(settings.integer("settler", "merge_ahead_s"))
    if settings.text("bulkhead", "mode") == "paper" {
      let bankroll = Money(raw: settings.decimal("executor", "bankroll"))
      let deposits = try settler.openAccount(bankroll, at: SystemClock.now)
      if deposits != bankroll {
        Log.warning(
          "the ledger began with another bankroll, which it keeps",
          ["ledger": "\(deposits)", "settings": "\(bankroll)"])
      }
    }
    let venues = Venues(
      settings: settings, runDirectory: context.runDirectory, transport: VenueTransport(HTTPClient()))
    research = SettlementResearch(
      prices: venues.withCandles.compactMap { venues.candles($0) },
      points: Venue.allCases.compactMap { venues.prices($0) },
      markets: Venue.allCases.compactMap { venues.markets($0) }, names: try PairNames(settings: settings),
      pointOffsetMaxSeconds: Int64(settings.integer("settler", "point_offset_max_s"))
    ) { SystemClock.now }
    mailbox = try Mailbox()
    publisher = try Publisher(
      name: context.name, runDirectory: context.runDirectory,
      highWaterMark: settings.integer("bus", "high_water_mark_messages"))
    subscriber = try Subscriber(
      name: context.name, topics: [Topic.market, Topic.book, Topic.fill, Topic.process],
      highWaterMark: settings.integer("bus", "high_water_mark_messages"),
      reconnectMilliseconds: settings.integer("bus", "reconnect_ms"))
    directory = try Directory(
      subscriber: subscriber, runDirectory: context.runDirectory, fixed: settings.list("bus", "publishers")
    ) { $0.hasPrefix("ingestor") || $0.hasPrefix("executor") }
    healthTopic = publisher.topic(Topic.health + context.name)
    profitTopic = publisher.topic(Topic.profit + "total")
  }

  private static func prove(_ ledger: LedgerStore) throws {
    let report = try ledger.verify()
    for problem in report.problems.prefix(20) { Log.error("the ledger does not prove right", ["problem": problem]) }
    guard report.isSound else {
      throw StoreError(
        .corrupt, operation: "prove the ledger", message: "\(report.problems.count) problems; nothing is booked on it")
    }
    Log.info(
      "the ledger proves right", ["transactions": "\(report.transactions)", "entries": "\(report.entries)"])
  }

  /// Books and settles until told to stop.
  /// - Throws: `StoreError` that no retry can mend.
  public func run() throws {
    let poller = Poller()
    let stop = poller.add(descriptor: context.stopDescriptor)
    let subscriptions = poller.add(publisher)
    let answers = poller.add(descriptor: mailbox.descriptor)
    poller.add(subscriber)
    try tolerant { try book() }
    context.notifyReady(status: status)
    var nextInterval = SystemClock.monotonicNanoseconds
    var nextHealth = nextInterval
    while true {
      let now = SystemClock.monotonicNanoseconds
      let next = min(nextInterval, nextHealth, isProfitChanged ? nextProfitAt : .max)
      poller.wait(timeoutMilliseconds: Int(max(0, (next - now + 999_999) / 1_000_000)))
      if poller.isReady(stop), context.takeStop() { break }
      if poller.isReady(subscriptions) { publisher.processSubscriptions { snapshots.append($0) } }
      if poller.isReady(answers) {
        for answer in mailbox.take() { try tolerant { try finish(answer) } }
      }
      subscriber.receive(limit: 4096, handle)
      let after = SystemClock.monotonicNanoseconds
      let isInterval = after >= nextInterval
      if isInterval { nextInterval = after + intervalNanoseconds }
      if mustBook || isInterval { try tolerant { try book() } }
      if isInterval {
        for task in settler.takeDue(now: SystemClock.now) { try start(task) }
        try tolerant { try mergeSets() }
      }
      if after >= nextHealth {
        nextHealth = after + 1_000_000_000
        isProfitChanged = true
        publishHealth()
      }
      publishPortfolio(after)
      try tolerant { try answerSnapshots() }
    }
    context.notify("STOPPING=1")
    // The executor was stopped before us: its last fills are in the journal.
    try tolerant { try book() }
  }

  /// What may pass (a full disk, a lock) is told, counted, and tried again at the next interval; nothing is lost.
  private func tolerant(_ body: () throws -> Void) throws {
    do { try body() } catch let error as StoreError where error.isRetriable {
      storeFailures += 1
      Log.warning("the store is not available", ["failures": "\(storeFailures)", "error": "\(error)"])
    }
  }

  private var status: String {
    "\(settler.cursor) fills booked, \(settler.pending.count) markets pending"
  }

  // MARK: - In

  private func handle(_ event: BusEvent) {
    feed.handle(event, from: subscriber, onMarket: { marketChanged($0) }, onBook: { _ in })
    guard case .message(let stream, _, _, _) = event else { return }
    let topic = subscriber.topic(of: stream)
    if topic.hasPrefix(Topic.fill) { mustBook = true }
    if topic.hasPrefix(Topic.process), let gone = directory.handle(event) {
      feed.forget(publisher: gone) { _ in }
    }
  }

  private func marketChanged(_ place: Int) {
    let market = feed.markets[place]
    if market.isNegRisk { negRiskEvents[market.eventID, default: []].insert(place) }
    learn(market)
  }

  private func learn(_ market: PredictionMarket) {
    do throws(StoreError) {
      try settler.learn(market)
    } catch {
      // It is asked for again when the market is due.
      storeFailures += 1
      Log.warning("a market could not be stored", ["market": market.id, "error": "\(error)"])
    }
  }

  private func book() throws {
    mustBook = false
    guard let journal = try openJournal() else { return }
    let changed: Set<PositionKey>
    do {
      changed = try settler.bookNewFills(from: journal)
      refusedFill = nil
    } catch let error as BookingError {
      // It and all fills after it wait for a person; settlements go on.
      if refusedFill != error { Log.error("a fill cannot be booked", ["error": error.description]) }
      refusedFill = error
      return
    }
    guard !changed.isEmpty else { return }
    changedPositions.formUnion(changed)
    isProfitChanged = true
    for pending in settler.pending.values where pending.market == nil {
      guard let place = feed.marketPlace(pending.key.id, venue: pending.key.venue) else { continue }
      learn(feed.markets[place])
    }
  }

  /// Complete sets of markets that end late are money again.
  private func mergeSets() throws {
    let changed = try settler.mergeSets(aheadSeconds: mergeAheadSeconds, now: SystemClock.now)
    guard !changed.isEmpty else { return }
    changedPositions.formUnion(changed)
    isProfitChanged = true
    Log.info("complete sets merged", ["positions": "\(changed.count)"])
  }

  /// The journal; nil while the executor has yet to make it.
  private func openJournal() throws(StoreError) -> Journal? {
    if let journal { return journal }
    do throws(StoreError) {
      journal = try Journal(readingFrom: context.dataDirectory + "/journal.db")
    } catch {
      guard error.code == .notReady else { throw error }
    }
    return journal
  }

  // MARK: - Settlement

  private func start(_ task: SettlementTask) throws {
    if case .resolved = task {
      let answer = SettlementAnswer(task: task, result: .market(nil))
      return try tolerant { try finish(answer) }
    }
    let research = self.research
    let mailbox = self.mailbox
    Task { mailbox.post(await research.answer(task)) }
  }

  private func finish(_ answer: SettlementAnswer) throws {
    let key = answer.task.key
    let held = settler.positions.filter { $0.market == key }.map(\.key)
    let settled = try settler.finish(answer, now: SystemClock.now)
    guard let settled else {
      // A market that is open is no news.
      if let pending = settler.pending[key], !pending.problem.isEmpty, pending.market?.isClosed ?? true {
        Log.info(
          "market stays pending",
          ["market": key.description, "attempts": "\(pending.attempts)", "reason": pending.problem])
      }
      return
    }
    Log.info(
      "market settled",
      [
        "market": key.description, "method": settled.method.rawValue,
        "payouts": settled.payouts.map(\.description).joined(separator: "/"), "received": "\(settled.received)",
        "realised": "\(settled.realised)", "start": settled.startPrice?.description ?? "",
        "end": settled.endPrice?.description ?? "", "spread_ppm": settled.spreadMillionths.map { "\($0)" } ?? "",
        "sources": "\(settled.sources)",
      ])
    changedPositions.formUnion(held)
    isProfitChanged = true
    let message = SettlementMessage(settled)
    publisher.publish(publisher.topic(Topic.settlement + key.venue.rawValue)) { message.encode($0) }
  }

  // MARK: - Out

  /// Positions that have changed go out at once; profit and loss at most four times a second.
  private func publishPortfolio(_ now: Int64) {
    guard !changedPositions.isEmpty || (isProfitChanged && now >= nextProfitAt) else { return }
    let valued = settler.value(sets: completeSets(), quote: quote)
    if !changedPositions.isEmpty {
      var messages = valued.positions.filter { changedPositions.contains($0.position.key) }.map(message)
      let open = Set(valued.positions.map(\.position.key))
      messages += changedPositions.subtracting(open).map { closed($0) }
      for (venue, some) in Dictionary(grouping: messages, by: \.instrument.venue) {
        publisher.publish(publisher.topic(Topic.position + venue.rawValue)) {
          encodeList(some, $0, PositionMessage.encode)
        }
      }
      changedPositions.removeAll()
      isProfitChanged = true
    }
    guard isProfitChanged, now >= nextProfitAt else { return }
    isProfitChanged = false
    nextProfitAt = now + 250_000_000
    let profit = profit(valued.summary)
    publisher.publish(profitTopic) { profit.encode($0) }
  }

  private func profit(_ summary: ProfitSummary) -> ProfitMessage {
    ProfitMessage(
      time: SystemClock.now, cash: summary.cash, deposits: summary.deposits, equity: summary.equity,
      realised: summary.realised, unrealised: summary.unrealised, fees: summary.fees, rounding: summary.rounding,
      fillsBooked: settler.cursor, pendingMarkets: settler.pending.count,
      parts: summary.strategies.map {
        ProfitMessage.Part(
          strategy: $0.strategy, realised: $0.realised, unrealised: $0.unrealised, fees: $0.fees)
      })
  }

  private func message(_ valued: ValuedPosition) -> PositionMessage {
    let position = valued.position
    let market = settler.pending[position.market]?.market
    return PositionMessage(
      strategy: position.key.strategy, instrument: position.key.instrument, marketID: position.marketID,
      question: market?.question ?? "",
      outcome: market?.outcomes.first { $0.token == position.key.instrument.symbol }?.name ?? "",
      quantity: position.quantity, cost: position.cost, inSets: valued.inSets, value: valued.value)
  }

  private func closed(_ key: PositionKey) -> PositionMessage {
    PositionMessage(
      strategy: key.strategy, instrument: key.instrument, marketID: "", question: "", outcome: "", quantity: .zero,
      cost: .zero, inSets: .zero, value: .zero)
  }

  private func quote(_ instrument: InstrumentID) -> Quote {
    guard let book = feed.bookPlace(instrument) else { return Quote(bid: nil, ask: nil) }
    let touch = feed.cache.touch(book)
    return Quote(
      bid: touch.bid > 0 ? Price(raw: touch.bid) : nil,
      ask: touch.ask < Touch.noAsk ? Price(raw: touch.ask) : nil)
  }

  private func completeSets() -> [CompleteSet] {
    let markets = settler.pending.values.compactMap(\.market).sorted { $0.id < $1.id }
    let events = Set(markets.filter(\.isNegRisk).map(\.eventID)).sorted()
    return markets.map { CompleteSet(of: $0) }
      + events.flatMap { event in
        CompleteSet.ofNegRiskEvent((negRiskEvents[event] ?? []).sorted().map { feed.markets[$0] })
      }
  }

  /// Whoever joins gets all positions, the latest settlements, and profit and loss.
  private func answerSnapshots() throws {
    guard !snapshots.isEmpty else { return }
    let settlements = try ledger.settlements(limit: 200).reversed()
    let valued = settler.value(sets: completeSets(), quote: quote)
    let profit = profit(valued.summary)
    for request in snapshots {
      let byVenue = Dictionary(grouping: valued.positions.map(message), by: \.instrument.venue)
      for (venue, messages) in byVenue {
        publisher.publishSnapshot(request, publisher.topic(Topic.position + venue.rawValue)) {
          encodeList(messages, $0, PositionMessage.encode)
        }
      }
      for settlement in settlements {
        let message = SettlementMessage(settlement)
        publisher.publishSnapshot(request, publisher.topic(Topic.settlement + settlement.key.venue.rawValue)) {
          message.encode($0)
        }
      }
      publisher.publishSnapshot(request, profitTopic) { profit.encode($0) }
      publisher.endSnapshot(request)
    }
    snapshots.removeAll(keepingCapacity: true)
  }

  private func publishHealth() {
    context.readiness.watchdog()
    let message = HealthMessage(
      name: context.name,
      counters: [
        "fills_booked": settler.cursor, "fills_booked_since_start": settler.counters.fillsBooked,
        "positions": Int64(settler.positions.count), "markets_pending": Int64(settler.pending.count),
        "markets_settled": settler.counters.settled, "sets_merged": settler.counters.setsMerged,
        "settlements_left_pending": settler.counters.leftPending,
        "booking_blocked": refusedFill == nil ? 0 : 1, "settlements_without_price": settler.counters.withoutPrice,
        "store_failures": storeFailures,
        "messages_received": Int64(subscriber.receivedCount), "messages_missed": Int64(subscriber.missedCount),
      ])
    publisher.publish(healthTopic) { message.encode($0) }
    context.notify("STATUS=\(status)")
  }
}

extension SettlementMessage {
  /// A settlement as the ledger has it.
  init(_ settlement: Settlement) {
    self.init(
      sequence: settlement.sequence, venue: settlement.key.venue, marketID: settlement.key.id,
      round: settlement.round, question: settlement.question, method: settlement.method.rawValue,
      payouts: settlement.payouts, received: settlement.received, realised: settlement.realised,
      sources: settlement.sources, settledAt: settlement.settledAt)
    startPrice = settlement.startPrice
    endPrice = settlement.endPrice
    spreadMillionths = settlement.spreadMillionths
  }
}

extension SettlementPlanner {
  /// A planner by the section `[settler]`.
  init(settings: Settings) {
    self.init()
    candleDelaySeconds = Int64(settings.integer("settler", "candle_delay_s"))
    retrySeconds = Int64(settings.integer("settler", "interval_s"))
    retrySecondsMax = Int64(settings.integer("settler", "retry_max_s"))
    openCheckSeconds = Int64(settings.integer("settler", "open_check_s"))
    rules = PriceConsensus.Rules(
      sourcesMin: settings.integer("settler", "sources_min"),
      tolerancePercent: settings.decimal("settler", "tolerance_percent"),
      pointOffsetMaxSeconds: Int64(settings.integer("settler", "point_offset_max_s")))
  }
}
