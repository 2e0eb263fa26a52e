public import Market

/// Where orders become durable before anything is sent (E5).
public protocol OrderJournal {
  /// Writes new orders; all are durable, in one commit, when it returns.
  /// - Parameter orders: orders that are journalled and not yet sent.
  /// - Throws: where none of them was written.
  func record(orders: [Order]) throws
}

/// Orders that may be journalled: of an approved execution, or of an unwind.
///
/// There is no other way to make them.
public struct OrderBatch: Sendable {
  /// The execution.
  public let executionID: UInt64
  /// The orders that go to the venue.
  public let orders: [Order]
  /// The purchases that split cash into sets first.
  public let split: [Order]
  /// What making these sets costs on the venue's chain.
  public let splitCost: Money

  /// The orders of an approved execution.
  public init(_ approved: RiskApproved) {
    executionID = approved.opportunity.id
    orders = approved.orders
    split = approved.split
    splitCost = approved.split.isEmpty ? .zero : approved.chainCost
  }

  /// The orders of an unwind.
  public init(_ plan: UnwindPlan) {
    executionID = plan.executionID
    orders = plan.orders
    split = []
    splitCost = .zero
  }
}

/// Orders whose journal rows are durable: the only thing that a broker takes.
public struct DurableOrders: Sendable {
  /// What was journalled.
  public let batch: OrderBatch

  fileprivate init(_ batch: OrderBatch) { self.batch = batch }

  /// Journals several batches in one commit.
  /// - Parameters:
  ///   - batches: what is waiting.
  ///   - journal: where.
  /// - Returns: the same batches, durable.
  /// - Throws: what the journal throws; then none of them is durable.
  public static func record(_ batches: [OrderBatch], in journal: some OrderJournal) throws -> [DurableOrders] {
    try journal.record(orders: batches.flatMap { $0.split + $0.orders })
    return batches.map(DurableOrders.init)
  }
}
