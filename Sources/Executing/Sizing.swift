internal import Market

/// The arithmetic of one opportunity on our own books: how much of it, at which cost, with what left.
struct Sizing {
  let opportunity: Opportunity
  let legs: [CheckedLeg]
  let options: ExecutorOptions
  let setValue: Price?
  /// What operations on a venue's chain cost, whatever the size.
  var chainCost = Money.zero

  private var isSale: Bool { legs[0].leg.side == .sell }

  func floored(_ quantity: Quantity) -> Quantity { Quantity(raw: quantity.raw - quantity.raw % options.lot.raw) }

  /// The worst level that a leg may reach.
  private func limit(_ leg: Leg) -> Price {
    let slack = Int64(Int128(leg.limit.raw) * Int128(options.limitTolerance.raw) / Int128(fixedPointScale))
    return leg.side == .buy ? Price(raw: leg.limit.raw + slack) : Price(raw: leg.limit.raw - slack)
  }

  // MARK: - Size

  /// How much the shares that are held allow, and whether sets are made instead.
  func inventory(_ portfolio: Portfolio) throws(Rejection) -> (quantityMax: Quantity, needsSplit: Bool) {
    guard isSale else { return (opportunity.quantity, false) }
    var least = opportunity.quantity
    var scarce = legs[0].leg.instrument
    for leg in legs where portfolio.held(leg.leg.instrument) < least {
      least = portfolio.held(leg.leg.instrument)
      scarce = leg.leg.instrument
    }
    if least == opportunity.quantity { return (least, false) }
    // A complete set can be made of 1 in cash; then all of it is made, and what is held stays.
    if setValue == .one { return (opportunity.quantity, true) }
    guard floored(least).raw > 0 else { throw .inventoryMissing(scarce) }
    return (least, false)
  }

  /// How much the books hold within the limits.
  func depth(_ wanted: Quantity) throws(Rejection) -> Quantity {
    var least = wanted
    for leg in legs {
      let sweep = self.sweep(leg, wanted, limit: limit(leg.leg))
      if floored(sweep.quantity).raw <= 0 {
        let beyond = self.sweep(leg, wanted, limit: nil)
        guard floored(beyond.quantity).raw > 0 else { throw .depthMissing(leg.leg.instrument) }
        throw .limitSlipped(leg.leg.instrument, limit: leg.leg.limit, found: beyond.worst)
      }
      least = min(least, sweep.quantity)
    }
    return least
  }

  /// The largest quantity whose outlay fits the room.
  func affordable(
    _ wanted: Quantity, room: (amount: Money, limit: Rejection.ExposureLimit), needsSplit: Bool
  ) throws(Rejection) -> Quantity {
    guard room.amount.raw > 0 else { throw .exposure(room.limit) }
    var quantity = wanted
    while quantity.raw > 0 {
      let outlay = self.outlay(legs.map { sweep($0, quantity, limit: limit($0.leg)) }, quantity, needsSplit: needsSplit)
      if outlay <= room.amount { return quantity }
      // But for what the chain takes the outlay grows at least in proportion to the quantity, so this is never too little
      // by much.
      let scaled = Int64(Int128(quantity.raw) * Int128(room.amount.raw) / Int128(outlay.raw))
      quantity = floored(Quantity(raw: min(scaled, quantity.raw - options.lot.raw)))
    }
    throw .exposure(room.limit)
  }

  // MARK: - Cost

  private func sweep(_ leg: CheckedLeg, _ quantity: Quantity, limit: Price?) -> LegSweep {
    LegSweep(leg.levels, side: leg.leg.side, quantity: quantity, limit: limit, fees: leg.market.fees)
  }

  /// Sweeps all legs at their final size, and checks each against what was expected (1 %, 0.5 %).
  func sweeps(_ quantity: Quantity) throws(Rejection) -> [LegSweep] {
    var sweeps: [LegSweep] = []
    for leg in legs {
      let sweep = self.sweep(leg, quantity, limit: limit(leg.leg))
      guard sweep.quantity == quantity else { throw .depthMissing(leg.leg.instrument) }
      let found = sweep.notional(leg.leg.side)
      let expected = share(of: leg.leg.notional, quantity)
      let slack = Int64(Int128(expected.raw) * Int128(options.costTolerance.raw) / Int128(fixedPointScale))
      let isWorse = isSale ? found.raw < expected.raw - slack : found.raw > expected.raw + slack
      if isWorse { throw .costSlipped(leg.leg.instrument, expected: expected, found: found) }
      if !isSale, found < options.buyMinimum { throw .belowMinimum(leg.leg.instrument, found) }
      sweeps.append(sweep)
    }
    return sweeps
  }

  /// The money that must be there before anything comes back.
  func outlay(_ sweeps: [LegSweep], _ quantity: Quantity, needsSplit: Bool) -> Money {
    // Fees of sales are paid from what they bring, what making the sets costs is not.
    if isSale { return needsSplit ? Money(.one, times: quantity, rounding: .up) + chainCost : .zero }
    var outlay = chainCost
    for sweep in sweeps { outlay = outlay + sweep.notional(.buy) + sweep.fee }
    return outlay
  }

  // MARK: - Edge

  /// What is left on fresh books, fees included: at least the asked-for part of what was found.
  func checkEdge(_ sweeps: [LegSweep], _ quantity: Quantity) throws(Rejection) -> Money {
    let expected = share(of: opportunity.profit, quantity)
    let found = setValue.map { certainProfit(sweeps, quantity, value: $0) } ?? expectedProfit(sweeps, quantity)
    let least = Int128(expected.raw) * Int128(options.edgeMinimumFraction.raw) / Int128(fixedPointScale)
    guard found.raw > 0, Int128(found.raw) >= least else { throw .edgeGone(expected: expected, found: found) }
    return found
  }

  private func certainProfit(_ sweeps: [LegSweep], _ quantity: Quantity, value: Price) -> Money {
    let sets = Money(value, times: quantity, rounding: isSale ? .up : .down)
    var profit = (isSale ? -sets : sets) - chainCost
    for sweep in sweeps {
      profit = isSale ? profit + sweep.notional(.sell) - sweep.fee : profit - sweep.notional(.buy) - sweep.fee
    }
    return profit
  }

  /// The profit that the scanner claims, less what the books have moved against us since.
  private func expectedProfit(_ sweeps: [LegSweep], _ quantity: Quantity) -> Money {
    // The operation on the chain does not become cheaper with the size.
    var profit = share(of: opportunity.profit + chainCost, quantity) - chainCost
    for (leg, sweep) in zip(legs, sweeps) {
      let moved = sweep.notional(leg.leg.side) - share(of: leg.leg.notional, quantity)
      profit = isSale ? profit + moved : profit - moved
      profit = profit + share(of: leg.leg.fee, quantity) - sweep.fee
    }
    return profit
  }

  /// An amount of the whole opportunity, for a part of its quantity; rounded down.
  private func share(of amount: Money, _ quantity: Quantity) -> Money {
    guard quantity != opportunity.quantity else { return amount }
    return Money(raw: Int64(Int128(amount.raw) * Int128(quantity.raw) / Int128(opportunity.quantity.raw)))
  }
}
