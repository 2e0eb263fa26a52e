public import Market
public import Store

/// What has to be asked before a market can be settled.
public enum SettlementTask: Hashable, Sendable {
  /// What the market is.
  case metadata(MarketKey)
  /// The prices of a coin at the two ends of an up/down market (T1).
  case prices(MarketKey, UpDownTerms)
  /// What the venue resolved.
  case resolution(MarketKey)
  /// Nothing: the venue's resolution is known.
  case resolved(MarketKey, payouts: [Price])

  /// Which market it is for.
  public var key: MarketKey {
    switch self {
    case .metadata(let key), .prices(let key, _), .resolution(let key), .resolved(let key, _): key
    }
  }
}

/// How a market is to be settled.
public struct SettlementTerms: Hashable, Sendable {
  /// By what.
  public var method: SettlementMethod
  /// What each outcome pays.
  public var payouts: [Price]
  /// The agreed price at the start; nil for the venue's resolution.
  public var start: AgreedPrice?
  /// The agreed price at the end; nil for the venue's resolution.
  public var end: AgreedPrice?

  /// Terms by their parts.
  public init(method: SettlementMethod, payouts: [Price], start: AgreedPrice? = nil, end: AgreedPrice? = nil) {
    self.method = method
    self.payouts = payouts
    self.start = start
    self.end = end
  }
}

/// Whether a market can be settled now.
public enum SettlementDecision: Hashable, Sendable {
  /// It can.
  case settle(SettlementTerms)
  /// It waits for the next round; why, for people.
  case pending(String)
}

/// Decides which pending markets are due, and how they settle (T2).
///
/// Up/down markets settle by the price on which the sources agree, all others by the venue's resolution. A market that
/// cannot be settled stays pending; the pauses between its attempts double up to a limit, and no other market waits for
/// it.
public struct SettlementPlanner: Hashable, Sendable {
  /// How long after an instant its candle is asked for.
  public var candleDelaySeconds: Int64 = 2
  /// The pause after the first failed attempt.
  public var retrySeconds: Int64 = 2
  /// The longest pause between attempts.
  public var retrySecondsMax: Int64 = 300
  /// How often a market that should still be open is asked about: some resolve early.
  public var openCheckSeconds: Int64 = 600
  /// How many markets are asked about at once.
  public var tasksMax = 32
  /// How sources are brought together.
  public var rules = PriceConsensus.Rules()

  /// A planner with the defaults.
  public init() {}

  /// What is to be asked now.
  /// - Parameters:
  ///   - pending: the markets that are not settled.
  ///   - inFlight: those that are being asked about.
  ///   - now: the time of day.
  /// - Returns: one task for each market that is due, longest untried first, at most as many as may run at once.
  public func due(
    _ pending: [PendingMarket], inFlight: Set<MarketKey>, now: Timestamp
  ) -> [SettlementTask] {
    let room = max(0, tasksMax - inFlight.count)
    let waiting = pending.filter { !inFlight.contains($0.key) }
      .sorted { ($0.checkedAt?.nanoseconds ?? 0) < ($1.checkedAt?.nanoseconds ?? 0) }
    var tasks: [SettlementTask] = []
    for market in waiting where tasks.count < room {
      if let task = task(market, now: now) { tasks.append(task) }
    }
    return tasks
  }

  private func task(_ pending: PendingMarket, now: Timestamp) -> SettlementTask? {
    guard let market = pending.market else {
      return isRetryDue(pending, now) ? .metadata(pending.key) : nil
    }
    if let terms = market.upDown {
      guard now >= terms.closesAt.advanced(bySeconds: candleDelaySeconds), isRetryDue(pending, now) else { return nil }
      return .prices(pending.key, terms)
    }
    if let payouts = market.payouts, payouts.count == market.outcomes.count, Bookkeeper.isResolution(payouts),
      isRetryDue(pending, now)
    {
      return .resolved(pending.key, payouts: payouts)
    }
    if market.isClosed || market.endsAt.map({ $0 <= now }) ?? false {
      return isRetryDue(pending, now) ? .resolution(pending.key) : nil
    }
    guard let checkedAt = pending.checkedAt else { return .resolution(pending.key) }
    return now >= checkedAt.advanced(bySeconds: openCheckSeconds) ? .resolution(pending.key) : nil
  }

  private func isRetryDue(_ pending: PendingMarket, _ now: Timestamp) -> Bool {
    guard let checkedAt = pending.checkedAt, pending.attempts > 0 else { return true }
    let pause = min(retrySecondsMax, retrySeconds << Int64(min(pending.attempts - 1, 20)))
    // A clock that was set back does not stop settlement.
    return now >= checkedAt.advanced(bySeconds: pause) || now < checkedAt
  }

  /// Decides an up/down market: Up, the first outcome, wins where the end price is at least the start price.
  /// - Parameters:
  ///   - terms: the coin and the window.
  ///   - start: what the sources say for its start.
  ///   - end: what the sources say for its end.
  /// - Returns: the decision.
  public func decide(
    _ terms: UpDownTerms, start: [PriceObservation], end: [PriceObservation]
  ) -> SettlementDecision {
    let first = PriceConsensus.of(start, at: terms.opensAt, rules: rules)
    guard let startPrice = first.agreedPrice else {
      return .pending("no \(terms.coin) price at the start, \(terms.opensAt): \(first.problem)")
    }
    let second = PriceConsensus.of(end, at: terms.closesAt, rules: rules)
    guard let endPrice = second.agreedPrice else {
      return .pending("no \(terms.coin) price at the end, \(terms.closesAt): \(second.problem)")
    }
    let isUp = endPrice.price >= startPrice.price
    return .settle(
      SettlementTerms(
        method: .consensus, payouts: isUp ? [.one, .zero] : [.zero, .one], start: startPrice, end: endPrice))
  }

  /// Decides any other market: by what the venue resolved.
  /// - Parameter market: the market as the venue has it now.
  /// - Returns: the decision.
  public func decide(_ market: PredictionMarket) -> SettlementDecision {
    guard let payouts = market.payouts else {
      return .pending(market.isClosed ? "closed, not resolved yet" : "still open")
    }
    guard payouts.count == market.outcomes.count, Bookkeeper.isResolution(payouts) else {
      return .pending("the venue's payouts are no resolution: \(payouts.map(\.description).joined(separator: ", "))")
    }
    return .settle(SettlementTerms(method: .venue, payouts: payouts))
  }
}
