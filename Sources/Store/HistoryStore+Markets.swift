internal import Daemon
public import Market

/// An event of a venue, as its markets tell it.
public struct StoredEvent: Hashable, Sendable {
  /// Where.
  public var venue: Venue
  /// The venue's id of it.
  public var id: String
  /// How many markets of it are stored.
  public var marketCount: Int
  /// Whether exactly one of its outcomes pays.
  public var isNegRisk: Bool
  /// Whether its set of outcomes is open.
  public var isAugmented: Bool
  /// Whether all of its markets are closed.
  public var isClosed: Bool
  /// When its last market ends; nil where none says.
  public var endsAt: Timestamp?

  /// An event by its parts.
  public init(
    venue: Venue, id: String, marketCount: Int, isNegRisk: Bool, isAugmented: Bool, isClosed: Bool, endsAt: Timestamp?
  ) {
    self.venue = venue
    self.id = id
    self.marketCount = marketCount
    self.isNegRisk = isNegRisk
    self.isAugmented = isAugmented
    self.isClosed = isClosed
    self.endsAt = endsAt
  }
}

extension HistoryStore {
  func write(_ market: PredictionMarket, at time: Timestamp) throws(StoreError) -> Int {
    let columns = [
      "event_id", "question", "tick", "minimum_quantity", "fee_rate", "fee_exponent", "fee_taker_only", "ends_at",
      "is_neg_risk", "is_augmented", "is_placeholder", "is_accepting_orders", "is_closed", "winner", "coin", "opens_at",
      "closes_at",
    ]
    // NULL is no value that compares: IS DISTINCT FROM takes it as one.
    let changed = try database.execute(
      """
      INSERT INTO markets (venue, id, \(columns.joined(separator: ", ")), updated_at)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (venue, id) DO UPDATE SET \(columns.map { "\($0) = excluded.\($0)" }.joined(separator: ", ")),
        updated_at = excluded.updated_at
      WHERE \(columns.map { "markets.\($0) IS DISTINCT FROM excluded.\($0)" }.joined(separator: " OR "))
      """,
      [
        .text(market.venue.rawValue), .text(market.id), .text(market.eventID), .text(market.question),
        .integer(market.tick.raw), .integer(market.minimumQuantity.raw), .integer(market.fees.rate.raw),
        .integer(Int64(market.fees.exponent)), flag(market.fees.takerOnly), optional(market.endsAt?.nanoseconds),
        flag(market.isNegRisk), flag(market.isAugmented), flag(market.isPlaceholder), flag(market.isAcceptingOrders),
        flag(market.isClosed), optional(market.winner.map { Int64($0) }),
        market.upDown.map { .text($0.coin) } ?? .null, optional(market.upDown?.opensAt.nanoseconds),
        optional(market.upDown?.closesAt.nanoseconds), .integer(time.nanoseconds),
      ])
    for (index, outcome) in market.outcomes.enumerated() {
      let payout = market.payouts.flatMap { $0.indices.contains(index) ? $0[index].raw : nil }
      try database.execute(
        """
        INSERT INTO tokens (venue, token, market_id, outcome, name, payout) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (venue, token) DO UPDATE SET market_id = excluded.market_id, outcome = excluded.outcome,
          name = excluded.name, payout = excluded.payout
        WHERE tokens.market_id <> excluded.market_id OR tokens.outcome <> excluded.outcome
          OR tokens.name <> excluded.name OR tokens.payout IS DISTINCT FROM excluded.payout
        """,
        [
          .text(market.venue.rawValue), .text(outcome.token), .text(market.id), .integer(Int64(index)),
          .text(outcome.name), optional(payout),
        ])
    }
    return changed
  }

  /// Makes the rows of events anew from the markets that are stored.
  func summarise(eventsOf markets: [PredictionMarket], at time: Timestamp) throws(StoreError) {
    struct Key: Hashable {
      let venue: Venue
      let id: String
    }
    for key in Set(markets.map { Key(venue: $0.venue, id: $0.eventID) }) {
      try database.execute(
        """
        INSERT INTO events (venue, id, markets, is_neg_risk, is_augmented, is_closed, ends_at, updated_at)
        SELECT venue, event_id, COUNT(*), MAX(is_neg_risk), MAX(is_augmented), MIN(is_closed), MAX(ends_at), ?
        FROM markets WHERE venue = ? AND event_id = ? GROUP BY venue, event_id
        ON CONFLICT (venue, id) DO UPDATE SET markets = excluded.markets, is_neg_risk = excluded.is_neg_risk,
          is_augmented = excluded.is_augmented, is_closed = excluded.is_closed, ends_at = excluded.ends_at,
          updated_at = excluded.updated_at
        """, [.integer(time.nanoseconds), .text(key.venue.rawValue), .text(key.id)])
    }
  }

  /// A trade has no id of its own: equal ones of one batch are told apart by their number.
  func write(_ trades: [Trade]) throws(StoreError) -> Int {
    var numbers: [Trade: Int64] = [:]
    var changed = 0
    for trade in trades {
      let number = numbers[trade, default: 0]
      numbers[trade] = number + 1
      changed += try insert(trade, number: number)
    }
    return changed
  }

  private func insert(_ trade: Trade, number: Int64) throws(StoreError) -> Int {
    try database.execute(
      """
      INSERT INTO trades (venue, symbol, time, price, quantity, side, number) VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (venue, symbol, time, price, quantity, side, number) DO NOTHING
      """,
      [
        .text(trade.instrument.venue.rawValue), .text(trade.instrument.symbol), .integer(trade.time.nanoseconds),
        // No trade has the quantity 0: it stands for one that the venue did not say.
        .integer(trade.price.raw), .integer(trade.quantity?.raw ?? 0), .integer(Int64(trade.takerSide.rawValue)),
        .integer(number),
      ])
  }

  /// Of equal trades within a second, as many are new as there are more than are stored.
  func write(fetched trades: [Trade]) throws(StoreError) -> Int {
    var numbers: [Trade: Int64] = [:]
    var changed = 0
    for trade in trades {
      let second = trade.time.floored(toSeconds: 1)
      var key = trade
      key.time = second
      let number = numbers[key, default: 0]
      numbers[key] = number + 1
      let stored = try database.first(
        """
        SELECT COUNT(*) FROM trades
        WHERE venue = ? AND symbol = ? AND time >= ? AND time < ? AND price = ? AND quantity = ? AND side = ?
        """,
        [
          .text(trade.instrument.venue.rawValue), .text(trade.instrument.symbol), .integer(second.nanoseconds),
          .integer(second.advanced(bySeconds: 1).nanoseconds), .integer(trade.price.raw),
          .integer(trade.quantity?.raw ?? 0), .integer(Int64(trade.takerSide.rawValue)),
        ]
      ) { row throws(StoreError) in try row.integer(0) }
      guard (stored ?? 0) <= number else { continue }
      changed += try insert(trade, number: stored ?? 0)
    }
    return changed
  }

  /// The watermark of each market moves to its newest trade, in the transaction that writes it.
  func advanceMarkets(by trades: [Trade]) throws(StoreError) {
    var newest: [InstrumentID: Timestamp] = [:]
    for trade in trades { newest[trade.instrument] = max(newest[trade.instrument] ?? trade.time, trade.time) }
    for (instrument, time) in newest {
      let market = try database.first(
        "SELECT market_id FROM tokens WHERE venue = ? AND token = ?",
        [.text(instrument.venue.rawValue), .text(instrument.symbol)]
      ) { row throws(StoreError) in try row.text(0) }
      _ = try advance(WatermarkSubject(venue: instrument.venue, name: market ?? instrument.symbol), to: time)
    }
  }

  /// One market with its outcomes; nil where it is not stored.
  /// - Throws: `StoreError`.
  public func market(_ venue: Venue, id: String) throws(StoreError) -> PredictionMarket? {
    try database.first(
      """
      SELECT event_id, question, tick, minimum_quantity, fee_rate, fee_exponent, fee_taker_only, ends_at, is_neg_risk,
        is_augmented, is_placeholder, is_accepting_orders, is_closed, winner, coin, opens_at, closes_at
      FROM markets WHERE venue = ? AND id = ?
      """, [.text(venue.rawValue), .text(id)]
    ) { row throws(StoreError) in
      let tokens = try database.query(
        "SELECT token, name, payout FROM tokens WHERE venue = ? AND market_id = ? ORDER BY outcome",
        [.text(venue.rawValue), .text(id)]
      ) { row throws(StoreError) in
        (Outcome(token: try row.text(0), name: try row.text(1)), try row.optionalInteger(2))
      }
      var market = PredictionMarket(
        venue: venue, id: id, eventID: try row.text(0), question: try row.text(1), outcomes: tokens.map(\.0),
        tick: Price(raw: try row.integer(2)))
      market.minimumQuantity = Quantity(raw: try row.integer(3))
      market.fees = FeeSchedule(
        rate: Price(raw: try row.integer(4)), exponent: Int(try row.integer(5)), takerOnly: try row.integer(6) != 0,
        rounding: .of(venue, at: SystemClock.now))
      market.endsAt = try row.optionalInteger(7).map { Timestamp(nanoseconds: $0) }
      market.isNegRisk = try row.integer(8) != 0
      market.isAugmented = try row.integer(9) != 0
      market.isPlaceholder = try row.integer(10) != 0
      market.isAcceptingOrders = try row.integer(11) != 0
      market.isClosed = try row.integer(12) != 0
      market.winner = try row.optionalInteger(13).map { Int($0) }
      if let coin = try row.optionalText(14), let opens = try row.optionalInteger(15),
        let closes = try row.optionalInteger(16)
      {
        market.upDown = UpDownTerms(
          coin: coin, opensAt: Timestamp(nanoseconds: opens), closesAt: Timestamp(nanoseconds: closes))
      }
      let payouts = tokens.compactMap { $0.1.map { Price(raw: $0) } }
      if !payouts.isEmpty, payouts.count == tokens.count { market.payouts = payouts }
      return market
    }
  }

  /// How many markets of a venue are stored.
  /// - Throws: `StoreError`.
  public func marketCount(_ venue: Venue) throws(StoreError) -> Int {
    let count = try database.first("SELECT COUNT(*) FROM markets WHERE venue = ?", [.text(venue.rawValue)]) {
      row throws(StoreError) in try row.integer(0)
    }
    return Int(count ?? 0)
  }

  /// One event; nil where it is not stored.
  /// - Throws: `StoreError`.
  public func event(_ venue: Venue, id: String) throws(StoreError) -> StoredEvent? {
    try database.first(
      "SELECT markets, is_neg_risk, is_augmented, is_closed, ends_at FROM events WHERE venue = ? AND id = ?",
      [.text(venue.rawValue), .text(id)]
    ) { row throws(StoreError) in
      StoredEvent(
        venue: venue, id: id, marketCount: Int(try row.integer(0)), isNegRisk: try row.integer(1) != 0,
        isAugmented: try row.integer(2) != 0, isClosed: try row.integer(3) != 0,
        endsAt: try row.optionalInteger(4).map { Timestamp(nanoseconds: $0) })
    }
  }

  /// The newest trades of a venue.
  /// - Parameters:
  ///   - venue: where.
  ///   - symbol: of one instrument; nil for all.
  ///   - limit: at most so many.
  /// - Returns: the trades, oldest first.
  /// - Throws: `StoreError`.
  public func trades(_ venue: Venue, symbol: String? = nil, limit: Int) throws(StoreError) -> [Trade] {
    let trades = try database.query(
      """
      SELECT symbol, price, quantity, side, time FROM trades WHERE venue = ? \(symbol == nil ? "" : "AND symbol = ?")
      ORDER BY time DESC, symbol DESC, number DESC LIMIT ?
      """,
      [.text(venue.rawValue)] + (symbol.map { [.text($0)] } ?? []) + [.integer(Int64(max(0, limit)))]
    ) { row throws(StoreError) in
      let quantity = try row.integer(2)
      guard let side = Side(rawValue: UInt8(truncatingIfNeeded: try row.integer(3))) else {
        throw StoreError(.invalid, operation: "read trades", message: "the side is none")
      }
      return Trade(
        instrument: InstrumentID(venue: venue, symbol: try row.text(0)), price: Price(raw: try row.integer(1)),
        quantity: quantity == 0 ? nil : Quantity(raw: quantity), takerSide: side,
        time: Timestamp(nanoseconds: try row.integer(4)))
    }
    return trades.reversed()
  }

  private func flag(_ value: Bool) -> Database.Value { .integer(value ? 1 : 0) }

  private func optional(_ value: Int64?) -> Database.Value { value.map { .integer($0) } ?? .null }
}
