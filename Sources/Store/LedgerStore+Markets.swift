public import Market

/// A market whose shares we hold, and that is not settled yet.
public struct PendingMarket: Hashable, Sendable {
  /// Which market.
  public var key: MarketKey
  /// What is known of it, as far as settlement needs it; nil where nothing is.
  public var market: PredictionMarket?
  /// How often its settlement was tried without success.
  public var attempts: Int
  /// When that was last tried.
  public var checkedAt: Timestamp?
  /// Why it did not succeed; empty before the first attempt.
  public var problem: String

  /// A pending market by its parts.
  public init(
    key: MarketKey, market: PredictionMarket? = nil, attempts: Int = 0, checkedAt: Timestamp? = nil,
    problem: String = ""
  ) {
    self.key = key
    self.market = market
    self.attempts = attempts
    self.checkedAt = checkedAt
    self.problem = problem
  }
}

/// By what a market was settled.
public enum SettlementMethod: String, Sendable {
  /// An up/down market, by the price on which the sources agree (T1).
  case consensus
  /// By what the venue resolved.
  case venue
}

/// How one market was settled.
public struct Settlement: Hashable, Sendable {
  /// The ledger's number of it: rising, without gaps; 0 before it is stored.
  public var sequence: Int64
  /// Which market.
  public var key: MarketKey
  /// 1; more where fills became known after the market was settled.
  public var round: Int
  /// The question that it asked.
  public var question: String
  /// By what it was settled.
  public var method: SettlementMethod
  /// What each of its two outcomes paid.
  public var payouts: [Price]
  /// What came in for all shares.
  public var received: Money
  /// That, less what the shares had cost.
  public var realised: Money
  /// The agreed price at the start; nil for the venue's resolution.
  public var startPrice: Price?
  /// The agreed price at the end; nil for the venue's resolution.
  public var endPrice: Price?
  /// How far the sources were apart at the most, in millionths of the mean; nil for the venue's resolution.
  public var spreadMillionths: Int64?
  /// How many sources agreed.
  public var sources: Int
  /// When it was settled here.
  public var settledAt: Timestamp

  /// A settlement by its parts, not yet stored.
  public init(
    key: MarketKey, round: Int, question: String, method: SettlementMethod, payouts: [Price], received: Money,
    realised: Money, startPrice: Price? = nil, endPrice: Price? = nil, spreadMillionths: Int64? = nil,
    sources: Int, settledAt: Timestamp
  ) {
    sequence = 0
    self.key = key
    self.round = round
    self.question = question
    self.method = method
    self.payouts = payouts
    self.received = received
    self.realised = realised
    self.startPrice = startPrice
    self.endPrice = endPrice
    self.spreadMillionths = spreadMillionths
    self.sources = sources
    self.settledAt = settledAt
  }
}

extension LedgerStore {
  func addPending(_ key: MarketKey) throws(StoreError) {
    try database.execute(
      """
      INSERT INTO pending_markets (venue, id, has_metadata, event_id, question, tick, is_neg_risk, is_augmented,
        is_closed, attempts, problem)
      VALUES (?, ?, 0, '', '', 0, 0, 0, 0, 0, '') ON CONFLICT (venue, id) DO NOTHING
      """, identity(key))
  }

  /// Stores what is known of a pending market; one that is not pending is left alone.
  /// - Parameter market: the market; two outcomes.
  /// - Throws: `StoreError`.
  public func store(_ market: PredictionMarket) throws(StoreError) {
    let key = MarketKey(venue: market.venue, id: market.id)
    try database.transaction { () throws(StoreError) in
      let changed = try database.execute(
        """
        UPDATE pending_markets SET has_metadata = 1, event_id = ?, question = ?, tick = ?, ends_at = ?,
          is_neg_risk = ?, is_augmented = ?, is_closed = ?, coin = ?, opens_at = ?, closes_at = ?
        WHERE venue = ? AND id = ?
        """,
        [
          .text(market.eventID), .text(market.question), .integer(market.tick.raw),
          optional(market.endsAt?.nanoseconds), .integer(market.isNegRisk ? 1 : 0),
          .integer(market.isAugmented ? 1 : 0), .integer(market.isClosed ? 1 : 0),
          market.upDown.map { .text($0.coin) } ?? .null, optional(market.upDown?.opensAt.nanoseconds),
          optional(market.upDown?.closesAt.nanoseconds),
        ] + identity(key))
      guard changed > 0 else { return }
      try deleteOutcomes(key)
      for (index, outcome) in market.outcomes.enumerated() {
        let payouts = market.payouts ?? []
        try database.execute(
          """
          INSERT INTO pending_outcomes (venue, market_id, outcome, token, name, payout) VALUES (?, ?, ?, ?, ?, ?)
          """,
          identity(key) + [
            .integer(Int64(index)), .text(outcome.token), .text(outcome.name),
            optional(payouts.indices.contains(index) ? payouts[index].raw : nil),
          ])
      }
    }
  }

  /// Notes that a pending market could not be settled, and why.
  public func notePending(_ key: MarketKey, problem: String, at time: Timestamp) throws(StoreError) {
    try database.execute(
      "UPDATE pending_markets SET attempts = attempts + 1, checked_at = ?, problem = ? WHERE venue = ? AND id = ?",
      [.integer(time.nanoseconds), .text(problem)] + identity(key))
  }

  /// The markets that wait for their settlement.
  public func pendingMarkets() throws(StoreError) -> [PendingMarket] {
    try database.query(
      """
      SELECT venue, id, has_metadata, event_id, question, tick, ends_at, is_neg_risk, is_augmented, is_closed, coin,
        opens_at, closes_at, attempts, checked_at, problem
      FROM pending_markets ORDER BY venue, id
      """
    ) { row throws(StoreError) in
      let key = MarketKey(venue: try row.named(0, as: Venue.self), id: try row.text(1))
      var pending = PendingMarket(
        key: key, attempts: Int(try row.integer(13)),
        checkedAt: try row.optionalInteger(14).map { Timestamp(nanoseconds: $0) }, problem: try row.text(15))
      guard try row.integer(2) != 0 else { return pending }
      let (outcomes, payouts) = try outcomes(key)
      var market = PredictionMarket(
        venue: key.venue, id: key.id, eventID: try row.text(3), question: try row.text(4), outcomes: outcomes,
        tick: Price(raw: try row.integer(5)))
      market.endsAt = try row.optionalInteger(6).map { Timestamp(nanoseconds: $0) }
      market.isNegRisk = try row.integer(7) != 0
      market.isAugmented = try row.integer(8) != 0
      market.isClosed = try row.integer(9) != 0
      market.payouts = payouts
      if let coin = try row.optionalText(10), let opens = try row.optionalInteger(11),
        let closes = try row.optionalInteger(12)
      {
        market.upDown = UpDownTerms(
          coin: coin, opensAt: Timestamp(nanoseconds: opens), closesAt: Timestamp(nanoseconds: closes))
      }
      pending.market = market
      return pending
    }
  }

  private func outcomes(_ key: MarketKey) throws(StoreError) -> ([Outcome], [Price]?) {
    let rows = try database.query(
      "SELECT token, name, payout FROM pending_outcomes WHERE venue = ? AND market_id = ? ORDER BY outcome",
      identity(key)
    ) { row throws(StoreError) in
      (Outcome(token: try row.text(0), name: try row.text(1)), try row.optionalInteger(2))
    }
    let payouts = rows.compactMap { $0.1.map { Price(raw: $0) } }
    return (rows.map(\.0), payouts.count == rows.count && !rows.isEmpty ? payouts : nil)
  }

  func write(_ settlement: Settlement) throws(StoreError) {
    guard settlement.payouts.count == 2 else {
      throw StoreError(.invalid, operation: "settle \(settlement.key)", message: "two payouts are needed")
    }
    let last = try database.first("SELECT COALESCE(MAX(sequence), 0) FROM settlements") { row throws(StoreError) in
      try row.integer(0)
    }
    try database.execute(
      """
      INSERT INTO settlements (sequence, venue, market_id, round, question, method, payout_first, payout_second,
        received, realised, start_price, end_price, spread_ppm, sources, settled_at)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """,
      [
        .integer((last ?? 0) + 1), .text(settlement.key.venue.rawValue), .text(settlement.key.id),
        .integer(Int64(settlement.round)), .text(settlement.question), .text(settlement.method.rawValue),
        .integer(settlement.payouts[0].raw), .integer(settlement.payouts[1].raw),
        .integer(settlement.received.raw), .integer(settlement.realised.raw), optional(settlement.startPrice?.raw),
        optional(settlement.endPrice?.raw), optional(settlement.spreadMillionths),
        .integer(Int64(settlement.sources)), .integer(settlement.settledAt.nanoseconds),
      ])
    try removePending(settlement.key)
  }

  func removePending(_ key: MarketKey) throws(StoreError) {
    try deleteOutcomes(key)
    try database.execute("DELETE FROM pending_markets WHERE venue = ? AND id = ?", identity(key))
  }

  /// The newest settlements, newest first.
  /// - Parameter limit: at most how many.
  /// - Returns: the settlements.
  /// - Throws: `StoreError`.
  public func settlements(limit: Int) throws(StoreError) -> [Settlement] {
    try database.query(
      "SELECT \(Self.settlementColumns) FROM settlements ORDER BY sequence DESC LIMIT ?", [.integer(Int64(limit))],
      Self.readSettlement)
  }

  /// The last settlement of a market, or nil where it was never settled.
  public func settlement(of key: MarketKey) throws(StoreError) -> Settlement? {
    try database.first(
      "SELECT \(Self.settlementColumns) FROM settlements WHERE venue = ? AND market_id = ? ORDER BY round DESC LIMIT 1",
      identity(key), Self.readSettlement)
  }

  private static let settlementColumns = """
    sequence, venue, market_id, round, question, method, payout_first, payout_second, received, realised, start_price,
    end_price, spread_ppm, sources, settled_at
    """

  private static func readSettlement(_ row: borrowing Row) throws(StoreError) -> Settlement {
    var settlement = Settlement(
      key: MarketKey(venue: try row.named(1, as: Venue.self), id: try row.text(2)), round: Int(try row.integer(3)),
      question: try row.text(4), method: try row.named(5, as: SettlementMethod.self),
      payouts: [Price(raw: try row.integer(6)), Price(raw: try row.integer(7))],
      received: Money(raw: try row.integer(8)), realised: Money(raw: try row.integer(9)),
      startPrice: try row.optionalInteger(10).map { Price(raw: $0) },
      endPrice: try row.optionalInteger(11).map { Price(raw: $0) },
      spreadMillionths: try row.optionalInteger(12), sources: Int(try row.integer(13)),
      settledAt: Timestamp(nanoseconds: try row.integer(14)))
    settlement.sequence = try row.integer(0)
    return settlement
  }

  private func deleteOutcomes(_ key: MarketKey) throws(StoreError) {
    try database.execute("DELETE FROM pending_outcomes WHERE venue = ? AND market_id = ?", identity(key))
  }

  private func identity(_ key: MarketKey) -> [Database.Value] { [.text(key.venue.rawValue), .text(key.id)] }

  private func optional(_ value: Int64?) -> Database.Value { value.map { .integer($0) } ?? .null }
}
