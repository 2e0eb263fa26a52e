/// Finds the size of a trade that came without one, among the trades that the venue tells elsewhere (I5).
///
/// A trade that has lent its size lends it to no other: two trades at one price are two. A value; the time is passed in.
public struct TradeSizeSearch: Sendable {
  /// How far apart the prices may be, in dollars; exactly so far is the same trade.
  public let priceTolerance: Price
  private let age: TradeAgeFilter
  private let now: Timestamp
  private var candidates: [Trade]

  /// A search.
  /// - Parameters:
  ///   - trades: what the venue tells; those that are too old, or have no size either, do not count.
  ///   - priceTolerance: how far apart the prices may be, in dollars.
  ///   - ageMaxSeconds: how old a trade may be.
  ///   - now: the time of day.
  public init(among trades: [Trade], priceTolerance: Price, ageMaxSeconds: Int64, now: Timestamp) {
    self.priceTolerance = priceTolerance
    age = TradeAgeFilter(ageMaxSeconds: ageMaxSeconds)
    self.now = now
    candidates = trades.filter { [age] in $0.quantity != nil && age.accepts($0.time, now: now) }
  }

  /// The size of a trade: that of the one nearest in time, and among those the one nearest in price.
  /// - Parameters:
  ///   - price: at which price it was.
  ///   - instrument: what was traded.
  ///   - time: when.
  /// - Returns: the size; nil where no trade is near enough.
  public mutating func tradeSize(at price: Price, of instrument: InstrumentID, time: Timestamp) -> Quantity? {
    func isNear(_ trade: Trade) -> Bool {
      let (difference, overflow) = trade.price.raw.subtractingReportingOverflow(price.raw)
      return !overflow && difference.magnitude <= UInt64(max(0, priceTolerance.raw))
    }
    func distance(_ trade: Trade) -> (UInt64, UInt64) {
      (trade.time.nanoseconds(since: time).magnitude, (trade.price.raw &- price.raw).magnitude)
    }
    let near = candidates.indices.filter { candidates[$0].instrument == instrument && isNear(candidates[$0]) }
    guard let best = near.min(by: { distance(candidates[$0]) < distance(candidates[$1]) }) else { return nil }
    return candidates.remove(at: best).quantity
  }
}
