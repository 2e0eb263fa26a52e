public import Bus
public import Market

/// Why an opportunity is not executed: one case for each check (E1).
public enum Rejection: Error, Hashable, Sendable, CustomStringConvertible {
  /// A person has stopped all trading.
  case killSwitch
  /// The trading breaker is open.
  case breakerOpen
  /// The journal cannot be written now.
  case journalUnavailable
  /// The scanner says that it is gone.
  case closed
  /// The scanner shows it and says that it must not be executed.
  case held(HoldReason)
  /// Finds of this scanner are not executed here.
  case strategyOff(Strategy)
  /// It was executed before.
  case alreadyExecuted
  /// Another execution in the same event is under way.
  case eventBusy(String)
  /// It was computed too long ago.
  case expired(ageMilliseconds: Int64, limitMilliseconds: Int64)
  /// It has more legs than a batch may have.
  case tooManyLegs(Int, limit: Int)
  /// A venue takes no new orders now, or nothing was heard of it for too long (X4).
  case venueNotOpen(Venue, ClosedVenue)
  /// The book is not where the trade was seen that triggered it (I6).
  case bookPriceOff(InstrumentID, BookPriceCheck)
  /// Its legs do not belong together: none, different sizes, both sides, or the same instrument twice.
  case malformed(String)
  /// A market was never announced to us.
  case marketUnknown(String)
  /// A market is closed, past its end, a placeholder, or takes no orders.
  case marketClosed(String)
  /// The legs are no complete set, so the payout is not certain.
  case incompleteSet
  /// A book is not live, or was last confirmed too long ago.
  case pricesStale(InstrumentID)
  /// The book does not hold what is wanted.
  case depthMissing(InstrumentID)
  /// The quantity reaches a level that is too far from the limit.
  case limitSlipped(InstrumentID, limit: Price, found: Price)
  /// The swept depth costs more (or brings less) than expected.
  case costSlipped(InstrumentID, expected: Money, found: Money)
  /// Too little of the profit is left on fresh books.
  case edgeGone(expected: Money, found: Money)
  /// Neither are there shares to sell, nor can they be made.
  case inventoryMissing(InstrumentID)
  /// No room is left under a limit of exposure.
  case exposure(ExposureLimit)
  /// A purchase would be smaller than the venue takes.
  case belowMinimum(InstrumentID, Money)

  /// Which limit of exposure leaves no room.
  public enum ExposureLimit: String, Sendable {
    case opportunity, event, total, cash, kelly
  }

  /// The name under which it is counted.
  public var name: String {
    switch self {
    case .killSwitch: "kill_switch"
    case .breakerOpen: "breaker_open"
    case .journalUnavailable: "journal_unavailable"
    case .closed: "closed"
    case .held(let reason): "held_\(reason.name)"
    case .strategyOff(let strategy): "strategy_off_\(strategy.rawValue)"
    case .alreadyExecuted: "already_executed"
    case .eventBusy: "event_busy"
    case .expired: "expired"
    case .tooManyLegs: "too_many_legs"
    case .venueNotOpen(_, let closed): "venue_\(closed.state.name.replacing("-", with: "_"))"
    case .bookPriceOff: "book_price_off"
    case .malformed: "malformed"
    case .marketUnknown: "market_unknown"
    case .marketClosed: "market_closed"
    case .incompleteSet: "incomplete_set"
    case .pricesStale: "prices_stale"
    case .depthMissing: "depth_missing"
    case .limitSlipped: "limit_slipped"
    case .costSlipped: "cost_slipped"
    case .edgeGone: "edge_gone"
    case .inventoryMissing: "inventory_missing"
    case .exposure(let limit): "exposure_\(limit.rawValue)"
    case .belowMinimum: "below_minimum"
    }
  }

  /// The name, and the figures behind it.
  public var description: String {
    switch self {
    case .killSwitch, .breakerOpen, .journalUnavailable, .closed, .held, .strategyOff, .alreadyExecuted, .incompleteSet,
      .exposure:
      name
    case .eventBusy(let event): "\(name): \(event)"
    case .expired(let age, let limit): "\(name): \(age) ms old, limit \(limit) ms"
    case .tooManyLegs(let count, let limit): "\(name): \(count), limit \(limit)"
    case .venueNotOpen(let venue, let closed): "\(name): \(venue.rawValue): \(closed.reason)"
    case .bookPriceOff(let instrument, let check): "\(name): \(instrument): \(check.reason)"
    case .malformed(let problem): "\(name): \(problem)"
    case .marketUnknown(let id), .marketClosed(let id): "\(name): \(id)"
    case .pricesStale(let instrument), .depthMissing(let instrument), .inventoryMissing(let instrument):
      "\(name): \(instrument)"
    case .limitSlipped(let instrument, let limit, let found): "\(name): \(instrument): limit \(limit), found \(found)"
    case .costSlipped(let instrument, let expected, let found):
      "\(name): \(instrument): expected \(expected), found \(found)"
    case .edgeGone(let expected, let found): "\(name): expected \(expected), found \(found)"
    case .belowMinimum(let instrument, let cost): "\(name): \(instrument): \(cost)"
    }
  }
}
