public import Market

/// What the executor may do, and within which limits.
public struct ExecutorOptions: Sendable {
  /// The age at which an opportunity between books is too old to execute.
  public var ttlNanoseconds: Int64 = 2_000_000_000
  /// Which finds are executed; others are shown and refused.
  public var strategies: [Strategy] = [.binary, .negRisk, .crossPlatform]
  /// The same for opportunities that follow a trade or a spot price (spike, latency).
  public var fastTtlNanoseconds: Int64 = 500_000_000
  /// The age of a book's last confirmation beyond which its prices count as stale.
  public var priceAgeMaxNanoseconds: Int64 = 600_000_000_000
  /// The most legs of an opportunity: what one batch of the venue takes.
  public var legsMax = 15
  /// How much more than expected the swept depth may cost, as a fraction.
  public var costTolerance = Price(raw: 1_000_000)
  /// How much worse than its limit a leg's worst level may be, as a fraction.
  public var limitTolerance = Price(raw: 500_000)
  /// How far a book's best bid may be from the trade price that triggered an order, in dollars.
  public var bookPriceDeviationMax = BookPriceCheck.deviationMaxDefault
  /// A venue whose ingestor has said nothing for longer gets no new orders.
  public var venueSilenceMaxNanoseconds: Int64 = 5_000_000_000
  /// How much of the profit found must still be there on fresh books, as a fraction.
  public var edgeMinimumFraction = Price(raw: 50_000_000)
  /// The cash that the paper broker begins with.
  public var bankroll = Money(dollars: 10_000)
  /// How much may be at risk at once: in flight, or stuck.
  public var exposureMax = Money(dollars: 5000)
  /// How much of that one event may have.
  public var eventExposureMax = Money(dollars: 2000)
  /// How much one opportunity may cost.
  public var opportunityExposureMax = Money(dollars: 1000)
  /// The least that a purchase may cost: the venue refuses smaller ones.
  public var buyMinimum = Money(dollars: 1)
  /// Sizes are multiples of this: the venue's hundredth of a share; less than that is dust.
  public var lot = Quantity(raw: 1_000_000)
  /// What operations on a venue's chain cost.
  public var chainCosts = ChainCosts.usual
  /// How long the paper broker takes to reach the book.
  public var latencyNanoseconds: Int64 = 40_000_000
  /// How often an unwind is tried before the position counts as stuck.
  public var unwindAttemptsMax = 3
  /// The pause before an unwind is tried again.
  public var unwindPauseNanoseconds: Int64 = 250_000_000
  /// Failed executions in a row that open the trading breaker.
  public var failuresMax = 10
  /// Failed unwinds in one day that open it.
  public var failedUnwindsMax = 3
  /// Complete sets of markets that end later than this are merged by the settler, so that their cash is free again; a
  /// minute more than the settler's own limit, so that the cash is there when it is counted here.
  public var mergeAheadSeconds: Int64 = 660
  /// The loss of one day (UTC) that opens it.
  public var dailyLossMax = Money(dollars: 200)

  /// The defaults.
  public init() {}

  /// How old an opportunity of this strategy may be.
  public func ttlNanoseconds(of strategy: Strategy) -> Int64 {
    switch strategy {
    case .spike, .latency: fastTtlNanoseconds
    case .binary, .negRisk, .crossPlatform: ttlNanoseconds
    }
  }
}

/// A moment by both clocks: the time of day for records, the monotonic one for deadlines.
public struct Moment: Sendable {
  /// The time of day.
  public var time: Timestamp
  /// Nanoseconds that never step back.
  public var monotonicNanoseconds: Int64

  /// A moment by its two readings.
  public init(time: Timestamp, monotonicNanoseconds: Int64) {
    self.time = time
    self.monotonicNanoseconds = monotonicNanoseconds
  }
}
