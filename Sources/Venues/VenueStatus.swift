public import Market
internal import Web

/// A venue of which can be asked whether it takes orders.
public protocol StatusSource: VenueSource {
  /// Asks the venue whether it takes orders; what it says, or that it does not answer, is left in `VenueSignals`.
  /// - Returns: the venue's own time where it tells it.
  /// - Throws: `VenueError` where no answer came.
  @discardableResult func status() async throws(VenueError) -> Timestamp?
}

/// A venue that does not answer a question about itself within so long does not answer orders either.
private let statusTimeoutMilliseconds = 5000

extension RESTConnection {
  /// The same connection for questions about the venue itself: they do not wait for long, and they are asked while other
  /// requests are held back because the venue fails.
  var forStatus: RESTConnection {
    var connection = self
    connection.timeoutMilliseconds = min(timeoutMilliseconds, statusTimeoutMilliseconds)
    connection.isProbe = true
    return connection
  }
}

extension KalshiREST: StatusSource {
  /// `{"exchange_active":true,"trading_active":true}`; without `exchange_active` nothing works, without `trading_active`
  /// only reading, as in the weekly pause.
  @discardableResult public func status() async throws(VenueError) -> Timestamp? {
    let kind = "exchange_status"
    var connection = connection.forStatus
    // What the answer says counts, not that there is one.
    connection.tellsState = false
    do throws(VenueError) {
      let word = try await connection.get(kind, "/exchange/status", query: []) {
        wire throws(WireProblem) -> VenueSignalBoard.Word? in
        let (exchange, trading) = (try wire.boolean("exchange_active"), try wire.boolean("trading_active"))
        guard !exchange || !trading else { return nil }
        return .init(.paused, "the exchange says that \(exchange ? "trading" : "it") is not active")
      }
      if let word { VenueSignals.said(.kalshi, word, by: kind) } else { VenueSignals.answered(.kalshi, kind) }
    } catch {
      VenueSignals.failed(error)
      throw error
    }
    return nil
  }
}

extension PolymarketREST: StatusSource {
  /// The CLOB's time in seconds: `1729000180`.
  @discardableResult public func status() async throws(VenueError) -> Timestamp? {
    try await clob.forStatus.get("time", "/time", query: []) { wire throws(WireProblem) in
      guard let seconds = wire.json.integer, let time = try? Timestamp(seconds: seconds) else {
        throw WireProblem("", "expected a time in seconds, found \(wire.excerpt)")
      }
      return time
    }
  }
}
