internal import Daemon
internal import Market
internal import Resilience
internal import Venues

/// Sizes of trades that came without: asked for by tasks of their own, so that no other event waits for them (I5).
extension PolymarketIngestingService {
  /// Holds new trades without a size, publishes those whose time is over, and asks for others.
  func backfillSizes(_ now: Int64) {
    var ready: [Trade] = []
    for (trade, book) in markets.takeSizelessTrades() {
      let market = markets.market(markets.entry(of: book)).id
      if let crowded = sizes.hold(trade, market: market, now: now) { ready.append(crowded) }
    }
    publish(ready + sizes.takeOverdue(now))
    while let market = sizes.takeRequest(now) { requestTrades(ofMarket: market) }
  }

  private func requestTrades(ofMarket market: String) {
    let (rest, mailbox, options) = (rest, mailbox, sizes.options)
    Task {
      // Whoever does not answer in time keeps no place among the requests.
      let answer = try? await limited(options.waitNanoseconds, clock: ContinuousClock()) {
        try await rest.recentTrades(
          symbol: market, filter: TradeAgeFilter(ageMaxSeconds: options.tradeAgeMaxSeconds), now: SystemClock.now)
      }
      mailbox.post(.sizes(market: market, answer?.trades))
    }
  }

  /// Publishes the trades that have waited for an answer; each is told once, whatever it says.
  func take(sizes trades: [Trade]?, ofMarket market: String) {
    let now = SystemClock.monotonicNanoseconds
    publish(sizes.take(market: market, trades, time: SystemClock.now, now: now))
    backfillSizes(now)
  }
}
