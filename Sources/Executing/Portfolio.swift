public import Market

/// What the paper broker's account holds: cash and shares, and what is promised to orders under way.
///
/// A value that is rebuilt from the journal's fills at every start. The ledger of record is the settler's; this one
/// serves the checks.
public struct Portfolio: Sendable {
  /// Shares of one instrument.
  public struct Position: Hashable, Sendable {
    /// The market that the instrument is an outcome of.
    public var marketID: String
    /// How many shares.
    public var quantity = Quantity.zero
    /// What they cost, fees included.
    public var cost = Money.zero
  }

  /// Money promised to an execution that is under way.
  struct Reservation: Sendable {
    var events: Set<String>
    var amount: Money
  }

  /// Cash, before what is promised.
  public private(set) var cash: Money
  /// Shares by instrument; instruments without any are not here.
  public private(set) var positions: [InstrumentID: Position] = [:]
  /// Positions that an unwind could not sell: their cost by event, until a person has dealt with them.
  private var stuck: [String: Money] = [:]
  private var open: [String: Money] = [:]
  /// What a former run has left, by `VENUE/MARKET`: its events are not known before the markets are announced.
  private var former: [String: FormerRisk] = [:]
  private var reservations: [UInt64: Reservation] = [:]

  /// An account with cash alone.
  public init(cash: Money) { self.cash = cash }

  /// An account as the ledger has it; fills that are not booked there yet are applied next.
  public init(cash: Money, positions: [InstrumentID: Position]) {
    self.cash = cash
    self.positions = positions
  }

  /// How many shares of an instrument there are.
  public func held(_ instrument: InstrumentID) -> Quantity { positions[instrument]?.quantity ?? .zero }

  // MARK: - What happens

  /// Books a fill: cash and shares change hands.
  public mutating func apply(_ fill: Fill) {
    switch fill.side {
    case .buy:
      cash = cash - fill.notional - fill.fee
      var position = positions[fill.instrument] ?? Position(marketID: fill.marketID)
      position.quantity += fill.quantity
      position.cost = position.cost + fill.notional + fill.fee
      positions[fill.instrument] = position
    case .sell:
      cash = cash + fill.notional - fill.fee
      remove(fill.quantity, of: fill.instrument)
    }
  }

  /// Gives complete sets of a market back for 1 each, as the settler does; what is left is one outcome's surplus.
  ///
  /// - Parameters:
  ///   - market: the market.
  ///   - aheadSeconds: a market that ends within this time waits for its settlement.
  ///   - cost: what that costs on the venue's chain.
  ///   - now: the time of day.
  public mutating func mergeSets(of market: PredictionMarket, aheadSeconds: Int64, cost: Money, now: Timestamp) {
    guard market.outcomes.count == 2, market.endsAt.map({ $0 > now.advanced(bySeconds: aheadSeconds) }) ?? true
    else { return }
    let instruments = market.outcomes.map { InstrumentID(venue: market.venue, symbol: $0.token) }
    let sets = min(held(instruments[0]), held(instruments[1]))
    guard sets.raw > cost.raw else { return }
    cash = cash + Money(.one, times: sets, rounding: .down) - cost
    for instrument in instruments { remove(sets, of: instrument) }
  }

  /// Pays out a resolved market: its shares become what their outcomes pay.
  ///
  /// - Parameters:
  ///   - market: the market with its payouts.
  ///   - redemptionCost: what it costs on the venue's chain to redeem what pays; never more than that is taken.
  public mutating func settle(_ market: PredictionMarket, redemptionCost: Money) {
    open["\(market.venue.rawValue)/\(market.eventID)"] = nil
    former["\(market.venue.rawValue)/\(market.id)"]?.open = .zero
    guard let payouts = market.payouts, payouts.count == market.outcomes.count else { return }
    var received = Money.zero
    for (outcome, payout) in zip(market.outcomes, payouts) {
      let instrument = InstrumentID(venue: market.venue, symbol: outcome.token)
      guard let position = positions[instrument] else { continue }
      received = received + Money(payout, times: position.quantity, rounding: .down)
      positions[instrument] = nil
    }
    cash = cash + received - min(received, redemptionCost)
  }

  private mutating func remove(_ quantity: Quantity, of instrument: InstrumentID) {
    guard var position = positions[instrument] else { return }
    let part = min(quantity, position.quantity)
    if part == position.quantity {
      positions[instrument] = nil
      return
    }
    let cost = Int64(Int128(position.cost.raw) * Int128(part.raw) / Int128(position.quantity.raw))
    position.quantity -= part
    position.cost -= Money(raw: cost)
    positions[instrument] = position
  }

  // MARK: - What is promised

  /// Promises money to an execution.
  mutating func reserve(_ amount: Money, for execution: UInt64, events: Set<String>) {
    reservations[execution] = Reservation(events: events, amount: amount)
  }

  /// Takes the promise back: the execution is over, and its fills are booked.
  mutating func release(_ execution: UInt64) { reservations[execution] = nil }

  /// Counts what a former run has left at risk: against all limits but an event's at once, and against that when the
  /// market is announced.
  mutating func restore(_ risks: [String: FormerRisk]) { former = risks }

  /// Takes a market that is announced: what a former run has left in it counts against its event.
  mutating func announced(_ market: PredictionMarket) {
    guard !former.isEmpty else { return }
    guard let risk = former.removeValue(forKey: "\(market.venue.rawValue)/\(market.id)") else { return }
    let event = "\(market.venue.rawValue)/\(market.eventID)"
    if risk.open.raw > 0 { addOpen(risk.open, event: event) }
    if risk.stuck.raw > 0 { addStuck(risk.stuck, event: event) }
  }

  /// Adds one stuck position.
  mutating func addStuck(_ cost: Money, event: String) { stuck[event] = (stuck[event] ?? .zero) + cost }

  /// Counts what was paid for shares whose payout is not certain against its event, until the event settles.
  mutating func addOpen(_ cost: Money, event: String) { open[event] = (open[event] ?? .zero) + cost }

  /// Cash that no execution was promised.
  public var availableCash: Money { reservations.values.reduce(cash) { $0 - $1.amount } }

  /// What is at risk: in flight, stuck, and held without a certain payout.
  public var exposure: Money {
    let promised = reservations.values.reduce(Money.zero) { $0 + $1.amount }
    return former.values.reduce(open.values.reduce(stuck.values.reduce(promised, +), +)) { $0 + $1.open + $1.stuck }
  }

  /// What is at risk in one event.
  public func exposure(ofEvent event: String) -> Money {
    let held = (stuck[event] ?? .zero) + (open[event] ?? .zero)
    return reservations.values.filter { $0.events.contains(event) }.reduce(held) { $0 + $1.amount }
  }

  /// What cash and shares have cost: what a share of the bankroll is a share of.
  public var bankroll: Money { positions.values.reduce(cash) { $0 + $1.cost } }

  /// The first limit that leaves no room at all, and the room under the tightest one.
  /// - Parameters:
  ///   - events: the events that it touches.
  ///   - kelly: the share of the bankroll that it may get; nil where its payout is certain.
  ///   - options: the limits.
  /// - Returns: the room, and which limit leaves it.
  func room(
    events: Set<String>, kelly: Double?, options: ExecutorOptions
  ) -> (amount: Money, limit: Rejection.ExposureLimit) {
    var tightest: (amount: Money, limit: Rejection.ExposureLimit) = (options.opportunityExposureMax, .opportunity)
    for event in events {
      let left = options.eventExposureMax - exposure(ofEvent: event)
      if left < tightest.amount { tightest = (left, .event) }
    }
    let total = options.exposureMax - exposure
    if total < tightest.amount { tightest = (total, .total) }
    if availableCash < tightest.amount { tightest = (availableCash, .cash) }
    if let kelly {
      let share = Money(raw: Int64(Double(max(0, bankroll.raw)) * max(0, min(1, kelly))))
      if share < tightest.amount { tightest = (share, .kelly) }
    }
    return tightest
  }
}
