/// What an operation on a venue's chain costs us, by the dates from which it holds (S10).
///
/// An operation is one transaction: a split of cash into a set, a merge of sets, a conversion, or a redemption. Of our venues
/// only Polymarket settles on a chain. Its relayer pays for the transactions that go through it, so that nothing is the
/// usual cost.
public struct ChainCosts: Hashable, Sendable {
  /// What holds from a moment on.
  public struct Entry: Hashable, Sendable {
    /// The first moment at which it holds.
    public var from: Timestamp
    /// Dollars for one operation; not negative.
    public var cost: Money

    /// A cost that holds from a moment on.
    public init(from: Timestamp, cost: Money) {
      self.from = from
      self.cost = cost
    }
  }

  /// Oldest first.
  public let entries: [Entry]
  /// Whether nothing costs anything at any time.
  public let isFree: Bool

  /// What the relayer's users pay since the venue documents it: nothing.
  public static let usual = ChainCosts([Entry(from: Timestamp(nanoseconds: 1_767_225_600_000_000_000), cost: .zero)])

  /// Costs by their dates, in any order; traps where one is negative.
  public init(_ entries: [Entry]) {
    precondition(entries.allSatisfy { $0.cost.raw >= 0 }, "an operation that pays us")
    self.entries = entries.sorted { $0.from < $1.from }
    isFree = entries.allSatisfy { $0.cost.raw == 0 }
  }

  /// What one operation costs at a venue at a time; nothing before the first date.
  public func operation(at venue: Venue, _ time: Timestamp) -> Money {
    venue == .polymarket ? entries.last { $0.from <= time }?.cost ?? .zero : .zero
  }

  /// What the operations of a set of legs cost.
  ///
  /// - Parameters:
  ///   - kind: what is traded.
  ///   - legs: how many legs there are.
  ///   - venues: where they are traded; those without a chain cost nothing.
  ///   - time: when.
  /// - Returns: dollars for the set, whatever its size.
  public func cost(of kind: OpportunityKind, legs: Int, venues: some Sequence<Venue>, at time: Timestamp) -> Money {
    let operation = venues.reduce(Money.zero) { max($0, self.operation(at: $1, time)) }
    return Money(raw: operation.raw * Int64(kind.chainOperations(legs: legs)))
  }
}

extension OpportunityKind {
  /// How many operations on the venue's chain belong to it, from cash to cash.
  ///
  /// Shares that are bought become cash by one merge, conversion or redemption: of several legs at most one is paid. Sets
  /// that are sold are made by one split; YES of all outcomes of an event by a split for each and a conversion.
  public func chainOperations(legs: Int) -> Int {
    switch self {
    case .binaryBuy, .binarySell, .negRiskBuyYes, .negRiskConvert, .crossFirst, .crossSecond, .latencyUp, .latencyDown,
      .spike:
      1
    case .negRiskSellYes: legs + 1
    }
  }
}
