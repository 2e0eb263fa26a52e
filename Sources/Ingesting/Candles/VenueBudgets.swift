package import Market
package import Resilience
internal import Venues

/// What each venue allows of its public REST interface, as published in 2026.
package enum VenueBudgets {
  /// The budget of one address.
  package static func budget(_ venue: Venue) -> RateLimiter.Budget {
    switch venue {
    // Weight: 6,000 in a minute.
    case .binance: .init(units: 6000, perSeconds: 60, burst: 400)
    // Ten in a second, and 15 at once.
    case .coinbase: .init(units: 10, perSeconds: 1, burst: 15)
    // One in a second for each pair.
    case .kraken: .init(units: 1, perSeconds: 1, burst: 2)
    // The tightest of those that are used: 20 in two seconds.
    case .okx: .init(units: 20, perSeconds: 2)
    // 600 in five seconds; over that, ten minutes of nothing.
    case .bybit: .init(units: 600, perSeconds: 5, burst: 200)
    // 30 in a minute for those without a plan.
    case .coingecko: .init(units: 30, perSeconds: 60, burst: 8)
    case .polymarket: .init(units: 500, perSeconds: 10)
    case .kalshi: .init(units: 20, perSeconds: 1)
    }
  }

  /// What requests share the budget.
  package static func bucket(_ venue: Venue, _ symbol: String) -> String { venue == .kraken ? symbol : "" }

  /// What a request for candles costs.
  package static func candleCost(_ venue: Venue) -> Int64 { venue == .binance ? 2 : 1 }

  /// What a request for a ticker costs.
  package static func tickerCost(_ venue: Venue) -> Int64 { venue == .binance ? 2 : 1 }

  /// What a request for recent trades costs.
  package static func tradesCost(_ venue: Venue) -> Int64 { venue == .binance ? 25 : 1 }
}

/// What a venue's errors mean for whoever asks again, and for its breaker.
enum VenueFaults {
  static let retryVerdict: @Sendable (any Error) -> RetryVerdict = { error in
    // How long it asks us to wait is the gate's business, for all requests to it.
    (error as? VenueError)?.isRetriable == true ? .retry : .giveUp
  }

  static let gateVerdict: @Sendable (any Error) -> GateVerdict = { error in
    guard let error = error as? VenueError else { return GateVerdict(isVenueFault: false) }
    let wait = Int64(min(max(0, error.retryAfterSeconds ?? 0), 7 * 86_400)) * 1_000_000_000
    return GateVerdict(isVenueFault: error.isRetriable || error.cause == .malformed, waitNanoseconds: wait)
  }
}
