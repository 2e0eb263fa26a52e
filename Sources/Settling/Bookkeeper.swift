public import Market
public import Store

/// Why something cannot be booked.
public enum BookingError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A fill of nothing, or at a price below zero.
  case invalidFill(sequence: Int64, problem: String)
  /// An amount that does not fit.
  case tooLarge(reference: String)
  /// We hold something that is no outcome of its market.
  case unknownOutcome(MarketKey, InstrumentID)
  /// Payouts that are no resolution: not one for each outcome, outside of 0 to 1, or not 1 together.
  case invalidPayouts(MarketKey)
  /// Fewer complete sets are held than are to be given back.
  case notHeld(MarketKey)

  /// What is wrong, for people.
  public var description: String {
    switch self {
    case .invalidFill(let sequence, let problem): "fill \(sequence): \(problem)"
    case .tooLarge(let reference): "\(reference): the amount is too large"
    case .unknownOutcome(let market, let instrument): "\(instrument) is no outcome of \(market)"
    case .invalidPayouts(let market): "the payouts of \(market) are no resolution"
    case .notHeld(let market): "fewer complete sets of \(market) are held"
    }
  }
}

/// What the settlement of a market, or the return of complete sets, is worth.
public struct Payout: Hashable, Sendable {
  /// The ledger transaction.
  public var transaction: LedgerTransaction
  /// What comes in.
  public var received: Money
  /// That, less what the shares had cost.
  public var realised: Money
}

/// Turns fills and settlements into balanced transactions, and follows the positions that result.
///
/// A value: stage a batch on a copy, commit its transactions, and keep the copy only once they are durable. Each
/// strategy has its own position in an instrument, at average cost; what a strategy sells beyond what it holds is a
/// short position (the sale of a split set, or of another strategy's shares), which mirrors a long one exactly.
///
/// All arithmetic is exact. price × quantity is rounded against us, to 10⁻⁸ dollars: what a purchase pays beyond the
/// exact amount, rounded down, goes to the rounding account. Where a part of a position is closed, its share of the
/// cost is rounded toward zero and the rest stays with the position, so that nothing is lost when the last share goes.
public struct Bookkeeper: Sendable {
  /// All positions that hold anything.
  public private(set) var positions: [PositionKey: Position] = [:]
  /// The positions that have changed since `beginBatch`.
  public private(set) var touched: Set<PositionKey> = []
  /// Markets of those.
  private var touchedMarkets: [PositionKey: String] = [:]

  /// A bookkeeper who begins with these positions.
  public init(positions: [Position] = []) {
    for position in positions { self.positions[position.key] = position }
  }

  /// Forgets which positions have changed.
  public mutating func beginBatch() {
    touched.removeAll()
    touchedMarkets.removeAll()
  }

  /// The changed positions as they stand now, those that hold nothing any more among them, by key.
  public var touchedPositions: [Position] {
    touched.sorted { $0.description < $1.description }.map { key in
      positions[key]
        ?? Position(key: key, marketID: touchedMarkets[key] ?? "", quantity: .zero, cost: .zero)
    }
  }

  /// The money that the paper broker begins with, or that was paid in.
  public static func deposit(_ amount: Money, reference: String, at time: Timestamp) -> LedgerTransaction {
    LedgerTransaction(
      kind: .deposit, reference: reference, time: time,
      entries: [LedgerEntry(.cash, amount.raw), LedgerEntry(.deposits, -amount.raw)])
  }

  /// Books one fill.
  /// - Parameter fill: a journalled fill.
  /// - Returns: its transaction.
  /// - Throws: `BookingError`; then nothing has changed.
  public mutating func book(_ fill: Fill) throws(BookingError) -> LedgerTransaction {
    let reference = "fill/\(fill.sequence)"
    guard fill.quantity.raw > 0 else {
      throw .invalidFill(sequence: fill.sequence, problem: "\(fill.quantity) shares")
    }
    guard fill.price.raw >= 0 else { throw .invalidFill(sequence: fill.sequence, problem: "a price of \(fill.price)") }
    let key = PositionKey(fill.strategy, fill.instrument)
    let before = positions[key] ?? Position(key: key, marketID: fill.marketID, quantity: .zero, cost: .zero)
    let product = Int128(fill.price.raw) * Int128(fill.quantity.raw)
    // Exact value rounded down; what a purchase pays beyond it is the cost of rounding.
    let value = product / Int128(fixedPointScale)
    let rounding: Int128 = fill.side == .buy && product % Int128(fixedPointScale) != 0 ? 1 : 0
    let sign: Int128 = fill.side == .buy ? 1 : -1
    let size = Int128(fill.quantity.raw)
    let closing = Closing(position: before, size: size, sign: sign, value: value)

    let cash = -sign * value - rounding - Int128(fill.fee.raw)
    let cost = sign * closing.openedValue - closing.cost
    let gain = -sign * closing.value - closing.cost
    guard let quantityAfter = Int64(exactly: Int128(before.quantity.raw) + sign * size),
      let costAfter = Int64(exactly: Int128(before.cost.raw) + cost)
    else { throw .tooLarge(reference: reference) }
    let entries = try LedgerEntries(reference)
      .adding(.cash, cash).adding(.cost(key), cost).adding(.rounding, rounding)
      .adding(.fees(fill.strategy, fill.instrument.venue), Int128(fill.fee.raw))
      .adding(.realised(fill.strategy, fill.instrument.venue), -gain)
      .adding(.shares(key), sign * size).adding(.market(fill.instrument), -sign * size)
    set(
      Position(
        key: key, marketID: fill.marketID, quantity: Quantity(raw: quantityAfter), cost: Money(raw: costAfter)))
    return LedgerTransaction(kind: .fill, reference: reference, time: fill.time, entries: entries.list)
  }

  /// Settles a market: every share of it becomes what its outcome pays.
  ///
  /// A long position receives payout × quantity rounded down, a short one owes it rounded up.
  /// - Parameters:
  ///   - market: the market, with its outcomes.
  ///   - payouts: what each outcome pays.
  ///   - redemptionCost: what it costs on the venue's chain to redeem what pays, which is a fee; where that is more than comes
  ///     in, nobody redeems it, and all of that is taken.
  ///   - round: 1; more where it is settled again for fills that came late.
  ///   - time: when.
  /// - Returns: the transaction and what it is worth; its entries are empty where nothing is held.
  /// - Throws: `BookingError`; then nothing has changed.
  public mutating func settle(
    _ market: PredictionMarket, payouts: [Price], redemptionCost: Money = .zero, round: Int, at time: Timestamp
  ) throws(BookingError) -> Payout {
    let marketKey = MarketKey(venue: market.venue, id: market.id)
    guard market.outcomes.count == payouts.count, Self.isResolution(payouts) else {
      throw .invalidPayouts(marketKey)
    }
    let reference = "settlement/\(marketKey)/\(round)"
    var entries = LedgerEntries(reference)
    var received: Int128 = 0
    var realised: Int128 = 0
    /// Whose shares are redeemed.
    var redeeming: Strategy?
    let held = positions(of: marketKey)
    for position in held {
      let instrument = position.key.instrument
      guard let outcome = market.outcomes.firstIndex(where: { $0.token == instrument.symbol }) else {
        throw .unknownOutcome(marketKey, instrument)
      }
      let product = Int128(payouts[outcome].raw) * Int128(position.quantity.raw)
      let value = Self.roundedDown(product)
      let gain = value - Int128(position.cost.raw)
      received += value
      realised += gain
      if value > 0 { redeeming = redeeming ?? position.key.strategy }
      entries = try entries.adding(.cost(position.key), -Int128(position.cost.raw))
        .adding(.realised(position.key.strategy, instrument.venue), -gain)
        .adding(.shares(position.key), -Int128(position.quantity.raw))
        .adding(.market(instrument), Int128(position.quantity.raw))
    }
    let fee = redeeming == nil ? 0 : max(0, min(Int128(redemptionCost.raw), received))
    if let redeeming, fee > 0 { entries = try entries.adding(.fees(redeeming, market.venue), fee) }
    entries = try entries.adding(.cash, received - fee)
    guard let receivedMoney = Int64(exactly: received), let realisedMoney = Int64(exactly: realised) else {
      throw .tooLarge(reference: reference)
    }
    for position in held {
      set(Position(key: position.key, marketID: position.marketID, quantity: .zero, cost: .zero))
    }
    return Payout(
      transaction: LedgerTransaction(kind: .settlement, reference: reference, time: time, entries: entries.list),
      received: Money(raw: receivedMoney), realised: Money(raw: realisedMoney))
  }

  /// Gives complete sets of a market back for 1 each (X9).
  /// - Parameters:
  ///   - sets: how many; both outcomes must be held in this quantity.
  ///   - market: the market, with its two outcomes.
  ///   - strategy: whose shares are given back.
  ///   - chainCost: what that costs on the venue's chain, which is a fee.
  ///   - reference: what the transaction stands for.
  ///   - time: when.
  /// - Returns: the transaction and what it is worth.
  /// - Throws: `BookingError`; then nothing has changed.
  public mutating func merge(
    _ sets: Quantity, of market: PredictionMarket, strategy: Strategy, chainCost: Money = .zero, reference: String,
    at time: Timestamp
  ) throws(BookingError) -> Payout {
    let marketKey = MarketKey(venue: market.venue, id: market.id)
    var entries = LedgerEntries(reference)
    var after: [Position] = []
    var cost: Int128 = 0
    for outcome in market.outcomes {
      let instrument = InstrumentID(venue: market.venue, symbol: outcome.token)
      guard sets.raw > 0, var position = positions[PositionKey(strategy, instrument)], position.quantity >= sets else {
        throw .notHeld(marketKey)
      }
      let closing = Closing(position: position, size: Int128(sets.raw), sign: -1, value: 0)
      cost += closing.cost
      position.quantity -= sets
      position.cost -= Money(raw: Int64(closing.cost))
      after.append(position)
      entries = try entries.adding(.cost(position.key), -closing.cost)
        .adding(.shares(position.key), -Int128(sets.raw)).adding(.market(instrument), Int128(sets.raw))
    }
    guard after.count == 2 else { throw .notHeld(marketKey) }
    let gain = Int128(sets.raw) - cost
    guard let realised = Int64(exactly: gain) else { throw .tooLarge(reference: reference) }
    entries = try entries.adding(.cash, Int128(sets.raw) - Int128(chainCost.raw))
      .adding(.realised(strategy, market.venue), -gain)
    if chainCost.raw > 0 { entries = try entries.adding(.fees(strategy, market.venue), Int128(chainCost.raw)) }
    for position in after { set(position) }
    return Payout(
      transaction: LedgerTransaction(kind: .merge, reference: reference, time: time, entries: entries.list),
      received: Money(raw: sets.raw), realised: Money(raw: realised))
  }

  /// The positions in a market, by key.
  public func positions(of market: MarketKey) -> [Position] {
    positions.values.filter { $0.market == market }.sorted { $0.key.description < $1.key.description }
  }

  /// Whether payouts resolve a market: each between 0 and 1, and 1 together.
  public static func isResolution(_ payouts: [Price]) -> Bool {
    payouts.allSatisfy { $0.raw >= 0 && $0 <= .one }
      && payouts.reduce(Int128(0)) { $0 + Int128($1.raw) } == Int128(fixedPointScale)
  }

  static func roundedDown(_ product: Int128) -> Int128 {
    let (quotient, remainder) = product.quotientAndRemainder(dividingBy: Int128(fixedPointScale))
    return remainder < 0 ? quotient - 1 : quotient
  }

  private mutating func set(_ position: Position) {
    touched.insert(position.key)
    touchedMarkets[position.key] = position.marketID
    positions[position.key] = position.quantity.raw == 0 && position.cost.raw == 0 ? nil : position
  }
}

/// What a trade closes of a position, and what it opens.
private struct Closing {
  /// What the closed shares had cost; negative for short ones.
  var cost: Int128 = 0
  /// The part of the trade's value that is for closed shares.
  var value: Int128 = 0
  /// The part that is for opened shares.
  var openedValue: Int128

  init(position: Position, size: Int128, sign: Int128, value: Int128) {
    openedValue = value
    let held = Int128(position.quantity.raw)
    guard held * sign < 0 else { return }
    let closed = min(size, held.magnitude.asSigned)
    cost =
      closed == held.magnitude.asSigned
      ? Int128(position.cost.raw) : Int128(position.cost.raw) * closed / held.magnitude.asSigned
    self.value = closed == size ? value : value * closed / size
    openedValue = value - self.value
  }
}

extension UInt128 {
  /// The same number, of magnitudes that came from 64 bits.
  fileprivate var asSigned: Int128 { Int128(self) }
}

/// Collects entries, and checks that each fits.
private struct LedgerEntries {
  var list: [LedgerEntry] = []
  let reference: String

  init(_ reference: String) { self.reference = reference }

  func adding(_ account: LedgerAccount, _ amount: Int128) throws(BookingError) -> LedgerEntries {
    guard let amount64 = Int64(exactly: amount) else { throw .tooLarge(reference: reference) }
    var result = self
    result.list.append(LedgerEntry(account, amount64))
    return result
  }
}
