/// The prices that a market takes: ranges, each with a step of its own.
///
/// A plain grid is one range from 0 to 1. A tapered one has finer steps near both ends.
public struct PriceGrid: Hashable, Sendable, Codable {
  /// Prices from `start` to `end`, both included, at multiples of `step` above `start`.
  public struct Range: Hashable, Sendable, Codable {
    /// The lowest price.
    public var start: Price
    /// The highest price.
    public var end: Price
    /// The distance between prices; above zero.
    public var step: Price

    /// A range by its parts.
    public init(start: Price, end: Price, step: Price) {
      self.start = start
      self.end = end
      self.step = step
    }

    /// Whether a price stands in it.
    func contains(_ price: Price) -> Bool {
      price >= start && price <= end && (price.raw - start.raw) % step.raw == 0
    }
  }

  /// The ranges, rising, without overlap.
  public let ranges: [Range]

  /// One range from 0 to 1.
  /// - Parameter step: the distance between prices; traps unless it is above zero.
  public init(step: Price) {
    precondition(step.raw > 0, "a grid without a step")
    ranges = [Range(start: .zero, end: .one, step: step)]
  }

  /// A grid by its ranges, in any order.
  ///
  /// Nil unless there is one at least, all lie between 0 and 1, none overlap and every step fits its range.
  public init?(_ ranges: [Range]) {
    let sorted = ranges.sorted { $0.start < $1.start }
    guard !sorted.isEmpty else { return nil }
    for range in sorted {
      guard range.start.raw >= 0, range.end <= .one, range.start < range.end, range.step.raw > 0,
        (range.end.raw - range.start.raw) % range.step.raw == 0
      else { return nil }
    }
    for (left, right) in zip(sorted, sorted.dropFirst()) where left.end > right.start { return nil }
    self.ranges = sorted
  }

  /// The smallest step of all.
  public var finestStep: Price { ranges.map(\.step).min() ?? .one }

  /// Whether a price stands on the grid.
  public func contains(_ price: Price) -> Bool { ranges.contains { $0.contains(price) } }

  /// The nearest price of the grid at or below (`down`), or at or above (`up`); nil where there is none.
  public func rounded(_ price: Price, _ rounding: Rounding) -> Price? {
    switch rounding {
    case .down:
      guard let range = ranges.last(where: { $0.start <= price }) else { return nil }
      let inside = min(price, range.end)
      return Price(raw: inside.raw - (inside.raw - range.start.raw) % range.step.raw)
    case .up:
      guard let range = ranges.first(where: { $0.end >= price }) else { return nil }
      let inside = max(price, range.start)
      let rest = (inside.raw - range.start.raw) % range.step.raw
      return rest == 0 ? inside : Price(raw: inside.raw - rest + range.step.raw)
    }
  }

  /// The grid of the other outcome: every price p becomes 1 − p.
  public var complement: PriceGrid {
    PriceGrid(
      ordered: ranges.reversed().map { Range(start: $0.end.complement, end: $0.start.complement, step: $0.step) })
  }

  private init(ordered ranges: [Range]) { self.ranges = ranges }
}
