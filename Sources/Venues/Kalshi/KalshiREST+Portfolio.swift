public import Market

/// The money of an account.
public struct KalshiBalance: Hashable, Sendable {
  /// What can be spent.
  public var balance: Money
  /// What the positions are worth; nil where the answer does not say.
  public var portfolioValue: Money?
}

// What is ours: every request here needs a key.
extension KalshiREST {
  /// All positions of the account, paged to the end; markets in which nothing is held are left out.
  /// - Throws: `VenueError`.
  public func positions() async throws(VenueError) -> [VenuePosition] {
    try await marketPositions().compactMap(\.common)
  }

  /// All positions as the venue tells them, also those that are closed.
  /// - Throws: `VenueError`.
  public func marketPositions() async throws(VenueError) -> [KalshiPosition] {
    try await all("positions", "/portfolio/positions", KalshiREST.parsePositions)
  }

  /// The account's money.
  /// - Throws: `VenueError`.
  public func balance() async throws(VenueError) -> KalshiBalance {
    try await connection.get("balance", "/portfolio/balance", query: [], KalshiREST.parseBalance)
  }

  /// Orders, paged to the end.
  /// - Parameters:
  ///   - ticker: only those of one market.
  ///   - status: `resting`, `canceled` or `executed`; nil for all.
  /// - Returns: the orders, in the venue's order.
  /// - Throws: `VenueError`.
  public func orders(ticker: String? = nil, status: String? = nil) async throws(VenueError) -> [KalshiOrder] {
    var query: [(String, String)] = []
    if let ticker { query.append(("ticker", ticker)) }
    if let status { query.append(("status", status)) }
    return try await all("orders", "/portfolio/orders", query: query, KalshiREST.parseOrders)
  }

  /// Fills, paged to the end, newest first.
  /// - Parameters:
  ///   - ticker: only those of one market.
  ///   - order: only those of one order.
  /// - Returns: the fills.
  /// - Throws: `VenueError`.
  public func fills(ticker: String? = nil, order: String? = nil) async throws(VenueError) -> [KalshiFill] {
    var query: [(String, String)] = []
    if let ticker { query.append(("ticker", ticker)) }
    if let order { query.append(("order_id", order)) }
    return try await all("fills", "/portfolio/fills", query: query, KalshiREST.parseFills)
  }

  private func all<Row: Sendable>(
    _ kind: String, _ path: String, query: [(String, String)] = [],
    _ parse: @Sendable (Wire) throws(WireProblem) -> [Row]
  ) async throws(VenueError) -> [Row] {
    var all: [Row] = []
    _ = try await pages(kind, path, query: [("limit", "\(PageSize.portfolio)")] + query, parse) { all += $0 }
    return all
  }

  /// `{"cursor":"","market_positions":[{"ticker":"FED-23DEC-T3.00","position_fp":"100.00",`
  /// `"market_exposure_dollars":"50.0000","realized_pnl_dollars":"10.0000","fees_paid_dollars":"1.0000"}],…}`.
  static func parsePositions(_ wire: Wire) throws(WireProblem) -> [KalshiPosition] {
    try rows(wire, "market_positions", KalshiStreamParser.position)
  }

  /// `{"cursor":"","orders":[{"order_id":"ee58…","ticker":"FED-23DEC-T3.00","status":"resting",…}]}`.
  static func parseOrders(_ wire: Wire) throws(WireProblem) -> [KalshiOrder] {
    try rows(wire, "orders", KalshiStreamParser.order)
  }

  /// `{"cursor":"","fills":[{"fill_id":"d91b…","order_id":"ee58…","ticker":"FED-23DEC-T3.00","count_fp":"10.00",…}]}`.
  static func parseFills(_ wire: Wire) throws(WireProblem) -> [KalshiFill] {
    try rows(wire, "fills", KalshiStreamParser.fill)
  }

  /// `{"balance":12345,"portfolio_value":…,"updated_ts":…}` in cents, newer also `"balance_dollars":"123.4500"`.
  static func parseBalance(_ wire: Wire) throws(WireProblem) -> KalshiBalance {
    func cents(_ name: String) throws(WireProblem) -> Money? {
      guard let count = try wire.optionalInteger(name) else { return nil }
      let (raw, overflow) = count.multipliedReportingOverflow(by: fixedPointScale / 100)
      guard !overflow else { throw WireProblem(name, "the number is too large") }
      return Money(raw: raw)
    }
    var balance = try wire.optionalMoney("balance_dollars")
    if balance == nil { balance = try cents("balance") }
    guard let balance else {
      throw WireProblem("balance", "expected a whole number, found nothing")
    }
    return KalshiBalance(balance: balance, portfolioValue: try cents("portfolio_value"))
  }
}
