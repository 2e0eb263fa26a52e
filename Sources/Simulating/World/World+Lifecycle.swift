internal import Market

extension World {
  /// How far ahead up/down markets are listed, in minutes, and brief markets, in seconds.
  static let upDownAheadMinutes: Int64 = 20
  static let briefAheadSeconds: Int64 = 600
  static let briefPeriodSeconds: Int64 = 10
  /// Lengths of up/down windows in minutes.
  static let windows: [Int64] = [3, 5, 15]

  /// Lists every up/down and brief market that should be listed at `now` and is not, looking back to a moment.
  ///
  /// Three-minute windows of the three coins are staggered by a minute, so one of them closes at every minute;
  /// windows of five and fifteen minutes close at multiples of these.
  mutating func openShortMarkets(from past: Timestamp) {
    let minute = now.seconds / 60
    for close in (past.seconds / 60)...(minute + World.upDownAheadMinutes) {
      for coin in Coin.upDown {
        for window in World.windows {
          let phase = window == 3 ? Int64(coin.rawValue) : 0
          if (close - phase) % window == 0 { openUpDown(coin, window: window, close: close) }
        }
      }
    }
    let first = past.seconds / World.briefPeriodSeconds
    let last = (now.seconds + World.briefAheadSeconds) / World.briefPeriodSeconds
    for number in first...last { openBrief(number) }
  }

  private mutating func openUpDown(_ coin: Coin, window: Int64, close: Int64) {
    let kind = Int64(World.windows.firstIndex(of: window) ?? 0)
    let id = 2_000_000_000 + close * 16 + Int64(coin.rawValue) * 4 + kind
    guard marketOfID[id] == nil else { return }
    let key = UInt64(bitPattern: id)
    let opensAt = Timestamp(nanoseconds: (close - window) * 60_000_000_000)
    let closesAt = Timestamp(nanoseconds: close * 60_000_000_000)
    let title = "\(coin.name) Up or Down - \(World.windowName(opensAt, closesAt))"
    let slug = "\(coin.symbol.lowercased())-updown-\(window)m-\(opensAt.seconds)"
    let event = add(
      SimulatedEvent(
        id: id + 500_000_000, slug: slug, title: title, category: "Crypto", markets: [], startsAt: opensAt,
        endsAt: closesAt))
    var market = shortMarket(id, event, slug: slug, question: title, endsAt: closesAt)
    market.outcomes = ["Up", "Down"]
    market.fees = .crypto
    market.subject = .upDown(coin, opensAt: opensAt)
    market.resolvesAt = closesAt.advanced(bySeconds: 2 + Int64(seed.number(.delay, key, below: 6)))
    market.spreadTicks = 8
    list(market, middle: 500)
  }

  private mutating func openBrief(_ number: Int64) {
    let id = 4_000_000_000 + number
    guard marketOfID[id] == nil else { return }
    let key = UInt64(bitPattern: id)
    let endsAt = Timestamp(nanoseconds: (number + 1) * World.briefPeriodSeconds * 1_000_000_000)
    let question = "Will draw number \(number) be even?"
    let slug = "draw-\(number)-even"
    let event = add(
      SimulatedEvent(
        id: id + 500_000_000, slug: slug, title: question, category: "Culture", markets: [],
        startsAt: endsAt.advanced(bySeconds: -World.briefAheadSeconds), endsAt: endsAt))
    var market = shortMarket(id, event, slug: slug, question: question, endsAt: endsAt)
    market.subject = .brief
    market.fees = number % 2 == 0 ? .none : .economics
    market.resolvesAt = endsAt.advanced(bySeconds: 2 + Int64(seed.number(.delay, key, below: 5)))
    list(market, middle: 300 + seed.number(.book, key, below: 400))
  }

  private func shortMarket(
    _ id: Int64, _ event: Int, slug: String, question: String, endsAt: Timestamp
  ) -> SimulatedMarket {
    let key = UInt64(bitPattern: id)
    var market = SimulatedMarket(
      id: id, event: event, conditionID: seed.hex256(.condition, key), questionID: seed.hex256(.question, key),
      slug: slug, question: question,
      tokens: [seed.decimal256(.token, key << 1), seed.decimal256(.token, key << 1 | 1)], tick: WorldBuilder.coarseTick,
      fees: .none, startsAt: endsAt.advanced(bySeconds: -World.upDownAheadMinutes * 60), endsAt: endsAt,
      resolvesAt: endsAt)
    market.spreadTicks = 2
    if endsAt <= now { market.state = .ended }
    return market
  }

  private mutating func list(_ market: SimulatedMarket, middle: Int) {
    let slot = add(market)
    events[market.event].markets = [slot]
    openBooks(of: slot, middle: middle)
    outbox.newMarket(markets[slot], event: events[market.event], at: now)
  }

  /// Ends the markets whose time has come, reports results, and forgets short markets that closed long ago.
  mutating func settleMarkets() {
    for slot in markets.indices where !markets[slot].tokens.isEmpty || markets[slot].isPlaceholder {
      if markets[slot].state == .open, markets[slot].endsAt <= now { end(slot) }
      if markets[slot].state == .ended, markets[slot].resolvesAt <= now { resolve(slot) }
      if let closedAt = markets[slot].closedAt, markets[slot].subject != .ordinary,
        now.nanoseconds(since: closedAt) > options.closedListedSeconds * 1_000_000_000 + 30_000_000_000
      {
        retire(slot)
      }
    }
  }

  /// Closes the books: every order is gone.
  private mutating func end(_ slot: Int) {
    markets[slot].state = .ended
    deactivate(slot)
    outbox.lapsedOrders.append(contentsOf: engine.clear(market: slot))
    guard !markets[slot].tokens.isEmpty else { return }
    for outcome in 0...1 { tellBook(slot, outcome) }
  }

  private mutating func resolve(_ slot: Int) {
    let winner = result(of: slot)
    markets[slot].state = .resolved(winner: winner)
    markets[slot].closedAt = markets[slot].resolvesAt
    if !markets[slot].tokens.isEmpty {
      outbox.marketResolved(markets[slot], winner: winner, at: now)
    }
  }

  /// Which outcome pays: of up/down markets by the coin's price, of neg-risk events exactly one, else by the seed.
  package func result(of slot: Int) -> Int {
    let market = markets[slot]
    if case .upDown(let coin, let opensAt) = market.subject {
      return spot.prices.isUp(coin, opensAt: opensAt, closesAt: market.endsAt) ? 0 : 1
    }
    let event = events[market.event]
    guard event.isNegRisk else { return seed.number(.winner, market.key, below: 2) }
    let named = event.markets.filter { !markets[$0].isPlaceholder }
    let winner = named[seed.number(.winner, UInt64(bitPattern: event.id), below: named.count)]
    return winner == slot ? 0 : 1
  }

  /// A window as the venue's titles name it, in UTC: `July 23, 8:20PM-8:25PM UTC`.
  private static func windowName(_ from: Timestamp, _ to: Timestamp) -> String {
    let months = [
      "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
      "December",
    ]
    func clock(_ time: CivilTime) -> String {
      let hour = time.hour % 12 == 0 ? 12 : time.hour % 12
      return "\(hour):\(time.minute < 10 ? "0" : "")\(time.minute)\(time.hour < 12 ? "AM" : "PM")"
    }
    let start = CivilTime(from)
    return "\(months[start.month - 1]) \(start.day), \(clock(start))-\(clock(CivilTime(to))) UTC"
  }
}
