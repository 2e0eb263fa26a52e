package import Market

/// The simulated venue's state: markets, books, prices; changed only by the passing of time and by orders.
///
/// Pure: the time is passed in, nothing is read or written outside. What subscribers must be told collects in
/// `outbox`; whoever drives the world sends it and clears it.
package struct World {
  package let options: SimulatorOptions
  package let seed: Seed
  package var random: SeededRandom
  package var markets: [SimulatedMarket] = []
  package var events: [SimulatedEvent] = []
  package var engine: MatchingEngine
  /// Open, then closed markets by Gamma id: the order in which lists are served.
  package var listing: [Int] = []
  package var eventListing: [Int] = []
  package var trades = TradeTape(capacity: 50_000)
  package let spot: SpotHistory
  package var outbox: Outbox
  package var plants = PlantTable()
  /// Whether recorded data is played: then nothing is made up.
  package var isRecorded = false
  package internal(set) var now: Timestamp

  package private(set) var marketOfCondition: [String: Int] = [:]
  package private(set) var marketOfID: [Int64: Int] = [:]
  package private(set) var tokenOfID: [String: Int] = [:]
  package private(set) var eventOfID: [Int64: Int] = [:]
  /// Markets with open books, in no order, and where each stands in it.
  package private(set) var active: [Int] = []
  private var activePlace: [Int] = []
  /// The few markets that get half of the updates.
  var hot: [Int] = []
  var freeMarkets: [Int] = []
  var freeEvents: [Int] = []
  var updateDebt: Int64 = 0
  var lastLifecycleSecond: Int64 = 0
  var lastQuotedTrade: Int64 = 0
  var changes: [LevelChange] = []

  /// Builds the world of a seed as it is at a moment.
  package init(options: SimulatorOptions, now: Timestamp) {
    self.options = options
    self.now = now
    seed = Seed(options.seed)
    random = SeededRandom(seed.bits(.walk, UInt64(bitPattern: now.nanoseconds)))
    spot = SpotHistory(prices: SpotPrices(seed: seed))
    engine = MatchingEngine(
      markets: 0, accounts: Accounts(startingCash: options.startingCash, startingShares: options.startingShares))
    outbox = Outbox()
    guard options.load.isEmpty else {
      isRecorded = true
      return
    }
    var builder = WorldBuilder(seed: seed, now: now)
    builder.build(markets: options.markets, events: options.events)
    for event in builder.events { _ = add(event) }
    for (index, market) in builder.markets.enumerated() {
      let slot = add(market)
      openBooks(of: slot, middle: builder.middles[index])
      addOldTrade(to: slot)
    }
    repairContests()
    chooseHot()
    lastLifecycleSecond = now.seconds
    if options.opensMarkets { openShortMarkets(from: now.advanced(bySeconds: -options.closedListedSeconds)) }
    settleMarkets()
    quoteWindows()
    outbox.removeAll()
    schedulePlant()
    scheduleDecoy()
  }

  // MARK: Markets come and go

  /// Lists a market and makes its books, still empty.
  package mutating func add(_ market: SimulatedMarket) -> Int {
    let slot: Int
    if let free = freeMarkets.popLast() {
      slot = free
      markets[slot] = market
    } else {
      slot = markets.count
      markets.append(market)
      engine.addMarket()
      outbox.addMarket()
      activePlace.append(-1)
    }
    marketOfCondition[market.conditionID] = slot
    marketOfID[market.id] = slot
    for (outcome, token) in market.tokens.enumerated() { tokenOfID[token] = slot * 2 + outcome }
    listing.insert(slot, at: World.place(in: listing, market.id) { markets[$0].id })
    if market.isTradable, !market.isPlaceholder { activate(slot) }
    return slot
  }

  /// Lists an event.
  package mutating func add(_ event: SimulatedEvent) -> Int {
    let slot: Int
    if let free = freeEvents.popLast() {
      slot = free
      events[slot] = event
    } else {
      slot = events.count
      events.append(event)
    }
    eventOfID[event.id] = slot
    eventListing.insert(slot, at: World.place(in: eventListing, event.id) { events[$0].id })
    return slot
  }

  /// Forgets a closed market and its event.
  mutating func retire(_ slot: Int) {
    let market = markets[slot]
    let event = events[market.event]
    marketOfCondition[market.conditionID] = nil
    marketOfID[market.id] = nil
    eventOfID[event.id] = nil
    for token in market.tokens { tokenOfID[token] = nil }
    listing.removeAll { $0 == slot }
    eventListing.removeAll { $0 == market.event }
    outbox.retired.append(slot)
    trades.forget(market: slot)
    freeMarkets.append(slot)
    freeEvents.append(market.event)
    markets[slot].tokens = []
  }

  private mutating func activate(_ slot: Int) {
    guard activePlace[slot] < 0 else { return }
    activePlace[slot] = active.count
    active.append(slot)
  }

  /// Takes a market out of those whose books move.
  mutating func deactivate(_ slot: Int) {
    let place = activePlace[slot]
    guard place >= 0 else { return }
    let last = active.removeLast()
    if last != slot {
      active[place] = last
      activePlace[last] = place
    }
    activePlace[slot] = -1
    hot.removeAll { $0 == slot }
  }

  private static func place(in listing: [Int], _ id: Int64, _ idOf: (Int) -> Int64) -> Int {
    var low = 0
    var high = listing.count
    while low < high {
      let middle = (low + high) / 2
      if idOf(listing[middle]) < id { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Half of the updates go to one market in fifty.
  private mutating func chooseHot() {
    guard !active.isEmpty else { return }
    for number in 0..<max(1, active.count / 50) {
      let slot = active[seed.number(.walk, UInt64(number), below: active.count)]
      if !hot.contains(slot) { hot.append(slot) }
    }
  }

  // MARK: Time

  /// Lets time pass: markets end and open, books move, arbitrages are planted and taken away.
  package mutating func advance(to moment: Timestamp) {
    let elapsed = max(0, moment.nanoseconds(since: now))
    now = max(now, moment)
    guard !isRecorded else { return }
    if now.seconds > lastLifecycleSecond {
      lastLifecycleSecond = now.seconds
      settleMarkets()
      if options.opensMarkets { openShortMarkets(from: now) }
    }
    endPlants()
    quoteWindows()
    updateDebt += min(elapsed, 50_000_000) * Int64(options.updatesPerSecond)
    while updateDebt >= 1_000_000_000 {
      updateDebt -= 1_000_000_000
      update()
    }
    beginPlant()
  }

  /// Hands what changed in one market to its subscribers as one frame.
  mutating func tell(_ slot: Int) {
    guard !changes.isEmpty else { return }
    outbox.moved.append(slot)
    outbox.priceChange(markets[slot], slot: slot, changes, at: now)
    changes.removeAll(keepingCapacity: true)
  }

  /// What a market's first outcome is worth just now: the middle of its book, or its last trade.
  package func middle(of slot: Int) -> Price {
    let ladder = engine.ladders[slot * 2]
    switch (ladder.bestBid, ladder.bestAsk) {
    case (let bid?, let ask?): return Price(raw: (bid.raw + ask.raw) / 2)
    case (let bid?, nil): return bid
    case (nil, let ask?): return ask
    case (nil, nil): return markets[slot].lastTrade ?? Price(raw: fixedPointScale / 2)
    }
  }
}
