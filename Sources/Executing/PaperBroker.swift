public import Market

/// Fills orders against live books, as a venue would: after a delay, level by level, with fees, and never beyond what
/// is there (P5).
///
/// Example: asks 60 at 0.40 and 50 at 0.42, a fill-and-kill purchase of 100 with the limit 0.42: 60 at 0.40 and 40 at
/// 0.42 for 40.80. A second purchase of 100 finds 10 at 0.42, until the venue changes these levels.
public struct PaperBroker: Sendable {
  /// What was taken from the live books.
  public private(set) var liquidity = Liquidity()

  /// A broker who has taken nothing.
  public init() {}

  /// What an order gets at this moment; what it does not get is cancelled.
  /// - Parameters:
  ///   - order: a durable order.
  ///   - books: the live books.
  ///   - now: the time of day.
  /// - Returns: the order in its final state, and its fills.
  public mutating func fill(_ order: Order, _ books: some MarketBooks, now: Timestamp) -> OrderResult {
    var order = order
    order.updatedAt = now
    guard let market = books.market(order.marketID, venue: order.instrument.venue),
      let book = books.book(order.instrument)
    else { return refused(order, "the market is not known") }
    guard !market.isClosed, market.isAcceptingOrders else { return refused(order, "the market takes no orders") }
    guard order.limit.isOnGrid(market.tick), order.limit.raw > 0, order.limit < .one else {
      return refused(order, "the limit \(order.limit) is not on the grid of \(market.tick)")
    }
    guard books.header(book).state == .live else {
      order.state = .unfilled
      order.reason = "the book is not live"
      return OrderResult(order: order, fills: [])
    }
    let side = order.side.opposingBookSide
    let sweep = LegSweep(
      liquidity.levels(side, of: book, in: books), side: order.side, quantity: order.quantity, limit: order.limit,
      fees: market.fees)
    if order.timeInForce == .fok, sweep.quantity < order.quantity {
      order.state = .unfilled
      order.reason = "not all of it was there"
      return OrderResult(order: order, fills: [])
    }
    liquidity.take(sweep.parts, side: side, of: book, in: books)
    takeMirror(of: sweep.parts, side: side, instrument: order.instrument, market: market, books)
    var fees = OrderFees(market.fees)
    let fills = sweep.parts.map { part in
      Fill(
        orderID: order.id, strategy: order.strategy, instrument: order.instrument, marketID: order.marketID,
        side: order.side, price: part.price, quantity: part.quantity,
        fee: fees.take(order.side, price: part.price, quantity: part.quantity).fee, time: now)
    }
    order.filled = sweep.quantity
    order.state = sweep.quantity == order.quantity ? .filled : sweep.quantity.raw > 0 ? .partlyFilled : .unfilled
    return OrderResult(order: order, fills: fills)
  }

  /// Looks at a book that has changed: what was taken from a level that is another now is forgotten.
  public mutating func bookChanged(_ book: BookIndex, _ books: some MarketBooks) { liquidity.refresh(book, in: books) }

  private func refused(_ order: Order, _ reason: String) -> OrderResult {
    var order = order
    order.state = .rejected
    order.reason = reason
    return OrderResult(order: order, fills: [])
  }

  /// The two books of a market mirror each other: an ask of one outcome at p is a bid for the other at 1 − p.
  private mutating func takeMirror(
    of parts: [Level], side: BookSide, instrument: InstrumentID, market: PredictionMarket, _ books: some MarketBooks
  ) {
    guard market.outcomes.count == 2, let other = market.outcomes.first(where: { $0.token != instrument.symbol }),
      let book = books.book(InstrumentID(venue: market.venue, symbol: other.token))
    else { return }
    let mirrored = parts.map { Level(price: $0.price.complement, quantity: $0.quantity) }
    liquidity.take(mirrored, side: side == .ask ? .bid : .ask, of: book, in: books)
  }
}
