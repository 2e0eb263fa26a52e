public import Market

/// What one order got: its final state, and its fills.
public struct OrderResult: Hashable, Sendable {
  /// The order with its new state, filled quantity and reason.
  public var order: Order
  /// All its fills.
  public var fills: [Fill]

  /// A result by order and fills.
  public init(order: Order, fills: [Fill]) {
    self.order = order
    self.fills = fills
  }
}

/// Shares that could not be sold back (E3).
public struct StuckLeg: Hashable, Sendable {
  /// The last unwind order, which failed.
  public var order: Order
  /// How many shares are left.
  public var quantity: Quantity
  /// What they cost, fees included.
  public var cost: Money
  /// The event that they belong to.
  public var event: String
}

/// What became of an execution.
public struct ExecutionReport: Hashable, Sendable {
  /// How it ended.
  public enum Outcome: String, Sendable {
    /// All legs got the same.
    case completed
    /// Nothing was there any more: no leg got anything.
    case missed
    /// Surplus legs were sold back.
    case unwound
    /// A surplus could not be sold back.
    case stuck
  }

  /// The opportunity.
  public var id: UInt64
  /// Which scanner found it.
  public var strategy: Strategy
  /// How it ended.
  public var outcome: Outcome
  /// How many complete sets were traded.
  public var sets: Quantity
  /// What it earned for certain: the sets' value and the proceeds, less all that was paid; stuck shares count nothing.
  public var result: Money
  /// What the surplus shares lost: their cost, less what came back for them.
  public var unwindLoss: Money
  /// All fees, and what operations on a venue's chain cost or will cost.
  public var fees: Money
  /// What was paid for shares that are kept and whose payout is not certain.
  public var openCost = Money.zero
  /// The event against which that counts; nil where nothing was.
  public var openEvent: String?
}

/// Orders that undo the surplus of an execution: made from its real fills alone.
public struct UnwindPlan: Sendable {
  /// The execution.
  public let executionID: UInt64
  /// One sale for each surplus leg.
  public let orders: [Order]

  fileprivate init(executionID: UInt64, orders: [Order]) {
    self.executionID = executionID
    self.orders = orders
  }
}

/// One opportunity on its way from approved orders to its end: a value that is told what happened, and says what is next.
public struct Execution: Sendable {
  /// Where it stands.
  ///
  /// Exits: `working` → `done` when the legs got the same, → `unwinding` when they did not; `unwinding` → `done` when
  /// the surplus is sold, → `unwinding` with the next attempt, → `stuck` after the last; the others have none.
  public enum State: Hashable, Sendable {
    /// Its orders are durable, and on their way.
    case working
    /// Surplus legs are being sold; counts from 1.
    case unwinding(attempt: Int)
    /// All is done.
    case done
    /// A surplus could not be sold.
    case stuck
  }

  /// What is to be done next.
  public enum Next: Sendable {
    /// Plan the sale of the surplus, now or after a pause.
    case unwind(afterPause: Bool)
    /// Nothing: it is over.
    case finished(ExecutionReport, stuck: [StuckLeg])
  }

  private struct Leg: Sendable {
    var order: Order
    var fills: [Fill] = []
    /// What unwind orders sold of it.
    var unwindFills: [Fill] = []
    /// The last unwind order.
    var lastUnwind: Order?

    var filled: Quantity { fills.reduce(Quantity.zero) { $0 + $1.quantity } }
    var unwound: Quantity { unwindFills.reduce(Quantity.zero) { $0 + $1.quantity } }
  }

  /// The opportunity.
  public let id: UInt64
  /// Which scanner found it.
  public let strategy: Strategy
  /// The events that it touches.
  public let events: Set<String>
  /// Where it stands.
  public private(set) var state: State = .working
  private var legs: [Leg]
  private let setValue: Price?
  private let chainCost: Money
  private let makesSets: Bool
  private let lot: Quantity
  private let attemptsMax: Int

  /// An execution whose orders are about to be sent.
  init(_ approved: RiskApproved, options: ExecutorOptions) {
    id = approved.opportunity.id
    strategy = approved.opportunity.strategy
    events = approved.events
    legs = approved.orders.map { Leg(order: $0) }
    setValue = approved.setValue
    chainCost = approved.chainCost
    makesSets = !approved.split.isEmpty
    lot = options.lot
    attemptsMax = options.unwindAttemptsMax
  }

  /// An execution that a crash interrupted, as the journal has it: what its orders got stands, nothing is sent again.
  ///
  /// Nil where nothing is left to do: legs that got the same, or an unwind that was given up before.
  /// - Parameters:
  ///   - results: all orders of one opportunity with their fills; open ones count as unfilled.
  ///   - events: the events that they touch.
  ///   - options: lot and attempts.
  init?(recovering results: [OrderResult], events: Set<String>, options: ExecutorOptions) {
    var legs: [Int: Leg] = [:]
    for result in results {
      guard let role = OrderID.role(result.order.id), role.kind == "l" else { continue }
      legs[role.place] = Leg(order: result.order, fills: result.fills)
    }
    for result in results {
      guard let role = OrderID.role(result.order.id), role.kind == "u" else { continue }
      legs[role.place]?.unwindFills += result.fills
      legs[role.place]?.lastUnwind = result.order
    }
    guard let first = legs[0], legs.count == (legs.keys.max() ?? -1) + 1 else { return nil }
    id = first.order.opportunityID
    strategy = first.order.strategy
    self.events = events
    self.legs = (0..<legs.count).compactMap { legs[$0] }
    setValue = nil
    chainCost = .zero
    makesSets = false
    lot = options.lot
    attemptsMax = options.unwindAttemptsMax
    let wasGivenUp = results.contains { $0.order.reason.hasPrefix(Execution.givenUp) }
    guard !wasGivenUp, self.legs.indices.contains(where: { surplus($0).raw > 0 }) else { return nil }
    state = .unwinding(attempt: 0)
  }

  /// What the reason of an unwind order begins with when no other follows it.
  static let givenUp = "unwind failed"

  private var isSale: Bool { legs[0].order.side == .sell }

  /// How many complete sets the legs make: bought, what every leg got; sold, what any leg got.
  private var sets: Quantity {
    let filled = legs.map(\.filled)
    return (isSale ? filled.max() : filled.min()) ?? .zero
  }

  /// The shares of a leg that belong to no complete set, and are not sold yet; a multiple of the lot.
  ///
  /// A purchase holds what it got beyond the smallest leg; a sale holds what it sold less than the largest.
  private func surplus(_ place: Int) -> Quantity {
    let filled = legs[place].filled
    let extra = (isSale ? sets - filled : filled - sets) - legs[place].unwound
    return extra < lot ? .zero : Quantity(raw: extra.raw - extra.raw % lot.raw)
  }

  /// The instruments of which a surplus is to be sold.
  var surplusInstruments: [InstrumentID] {
    legs.indices.filter { surplus($0).raw > 0 }.map { legs[$0].order.instrument }
  }

  /// Takes what the legs' orders got, or what an attempt to unwind sold.
  mutating func take(_ results: [OrderResult]) -> Next {
    for result in results {
      guard let role = OrderID.role(result.order.id), legs.indices.contains(role.place) else { continue }
      if role.kind == "u" {
        legs[role.place].unwindFills += result.fills
        legs[role.place].lastUnwind = result.order
      } else {
        legs[role.place].order = result.order
        legs[role.place].fills = result.fills
      }
    }
    return next()
  }

  private mutating func next() -> Next {
    let left = legs.indices.filter { surplus($0).raw > 0 }
    guard !left.isEmpty else {
      let wasUnwinding = state != .working
      state = .done
      let outcome: ExecutionReport.Outcome = wasUnwinding ? .unwound : sets.raw == 0 ? .missed : .completed
      return .finished(report(outcome), stuck: [])
    }
    switch state {
    case .working:
      state = .unwinding(attempt: 0)
      return .unwind(afterPause: false)
    case .unwinding(let attempt) where attempt < attemptsMax:
      return .unwind(afterPause: attempt > 0)
    case .unwinding, .done, .stuck:
      state = .stuck
      return .finished(report(.stuck), stuck: left.compactMap(stuckLeg))
    }
  }

  /// Orders that sell the surplus: FAK, at the worst level that the size reaches.
  /// - Parameters:
  ///   - now: the time of day.
  ///   - limit: the worst level of a leg's bids for a quantity.
  /// - Returns: the orders of the next attempt.
  mutating func planUnwind(now: Timestamp, limit: (Order, Quantity) -> Price) -> UnwindPlan {
    guard case .unwinding(let before) = state else { preconditionFailure("no unwind in state \(state)") }
    let attempt = before + 1
    state = .unwinding(attempt: attempt)
    var orders: [Order] = []
    for place in legs.indices {
      let quantity = surplus(place)
      guard quantity.raw > 0 else { continue }
      let leg = legs[place].order
      // Attempts of before a crash have taken their numbers.
      let number = max(attempt, (legs[place].lastUnwind.flatMap { Execution.attempt($0.id) } ?? 0) + 1)
      orders.append(
        Order(
          id: OrderID.unwind(place, attempt: number, of: id), opportunityID: id, strategy: strategy,
          instrument: leg.instrument, marketID: leg.marketID, side: .sell, limit: limit(leg, quantity),
          quantity: quantity, timeInForce: .fak, isUnwind: true, createdAt: now))
    }
    return UnwindPlan(executionID: id, orders: orders)
  }

  private static func attempt(_ id: String) -> Int? { id.split(separator: ".").last.flatMap { Int($0) } }

  private func stuckLeg(_ place: Int) -> StuckLeg? {
    guard var order = legs[place].lastUnwind else { return nil }
    let quantity = surplus(place)
    order.reason = "\(Execution.givenUp): \(quantity) shares are left"
    return StuckLeg(
      order: order, quantity: quantity, cost: cost(place, of: quantity), event: events.sorted().first ?? "")
  }

  // MARK: - Figures

  /// What a part of a leg's shares cost, rounded up: of its fills, or of the split that made them.
  private func cost(_ place: Int, of quantity: Quantity) -> Money {
    guard !isSale else {
      return Money(Price(raw: fixedPointScale / Int64(legs.count)), times: quantity, rounding: .up)
    }
    let filled = legs[place].filled
    guard filled.raw > 0 else { return .zero }
    let paid = legs[place].fills.reduce(Money.zero) { $0 + $1.notional + $1.fee }
    let product = Int128(paid.raw) * Int128(quantity.raw)
    return Money(raw: Int64((product + Int128(filled.raw) - 1) / Int128(filled.raw)))
  }

  private func report(_ outcome: ExecutionReport.Outcome) -> ExecutionReport {
    var report = ExecutionReport(
      id: id, strategy: strategy, outcome: outcome, sets: sets, result: .zero, unwindLoss: .zero, fees: .zero)
    var flow = Money.zero
    for (place, leg) in legs.enumerated() {
      for fill in leg.fills + leg.unwindFills {
        flow = fill.side == .buy ? flow - fill.notional : flow + fill.notional
        report.fees = report.fees + fill.fee
      }
      let lost = leg.unwound + surplus(place)
      let back = leg.unwindFills.reduce(Money.zero) { $0 + $1.notional - $1.fee }
      report.unwindLoss = report.unwindLoss + cost(place, of: lost) - back
    }
    // Sets that were made have cost it whatever was sold of them.
    if sets.raw > 0 || makesSets { report.fees += chainCost }
    if let setValue {
      let value = Money(setValue, times: sets, rounding: isSale ? .up : .down)
      report.result = flow - report.fees + (isSale ? -value : value)
    } else {
      // What the sets are worth is not known: only the loss is.
      report.result = -report.unwindLoss
      if !strategy.paysForCertain, sets.raw > 0, !isSale {
        report.openCost = legs.indices.reduce(Money.zero) { $0 + cost($1, of: sets) }
        report.openEvent = events.min()
      }
    }
    return report
  }
}
