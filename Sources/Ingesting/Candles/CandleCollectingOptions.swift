internal import Daemon
internal import Market
internal import Resilience
internal import Venues

/// The section `[candles]`.
struct CandleCollectingOptions {
  let exchanges: [Venue]
  let coins: [String]
  let periods: [CandlePeriod]
  let delaySeconds: Int64
  let retrySeconds: Int64
  let historyCandles: Int64
  let catchUpCandlesMax: Int64
  let gatherLimitNanoseconds: Int64
  let deviationMaxPercent: Int64
  let priceIntervalSeconds: Int64
  let staleAgeMaxSeconds: Int64
  let failuresMax: Int
  let patient: RetryProfile
  let breaker: CircuitBreaker.Policy
  let lifetimes: CandleCache<Candle?>.Lifetimes

  /// - Throws: `ConfigurationError` that names the setting.
  init(settings: Settings) throws(ConfigurationError) {
    func wrong(_ key: String, _ problem: String) -> ConfigurationError {
      ConfigurationError(file: "settings", section: "candles", key: key, problem: problem)
    }
    var exchanges: [Venue] = []
    for name in settings.list("candles", "exchanges") {
      guard let venue = Venue(rawValue: name.lowercased()), Self.order.contains(venue) else {
        throw wrong("exchanges", "expected \(Self.order.map(\.rawValue).joined(separator: ", ")), found \"\(name)\"")
      }
      if !exchanges.contains(venue) { exchanges.append(venue) }
    }
    guard !exchanges.isEmpty else { throw wrong("exchanges", "expected at least one exchange") }
    self.exchanges = exchanges
    var coins: [String] = []
    for name in settings.list("candles", "symbols") {
      guard CoinPair(base: name.uppercased(), quote: "USD") != nil else {
        throw wrong("symbols", "expected coins such as BTC, found \"\(name)\"")
      }
      if !coins.contains(name.uppercased()) { coins.append(name.uppercased()) }
    }
    guard !coins.isEmpty else { throw wrong("symbols", "expected at least one coin") }
    self.coins = coins
    var periods: [CandlePeriod] = []
    for name in settings.list("candles", "timeframes") {
      guard let period = CandlePeriod(name) else {
        throw wrong("timeframes", "expected lengths such as 1m, 4h or 1d, found \"\(name)\"")
      }
      if !periods.contains(period) { periods.append(period) }
    }
    self.periods = periods.sorted()
    func integer(_ key: String) -> Int64 { Int64(settings.integer("candles", key)) }
    // A decimal's unit is 10⁻⁸ s, ten nanoseconds.
    func nanoseconds(_ key: String) -> Int64 { settings.decimal("candles", key) * 10 }
    delaySeconds = integer("delay_s")
    retrySeconds = integer("retry_s")
    historyCandles = integer("history_candles")
    catchUpCandlesMax = integer("catch_up_candles_max")
    gatherLimitNanoseconds = integer("gather_limit_s") * 1_000_000_000
    deviationMaxPercent = integer("deviation_max_percent")
    priceIntervalSeconds = integer("price_interval_s")
    staleAgeMaxSeconds = nanoseconds("stale_age_max_s") / 1_000_000_000
    failuresMax = settings.integer("candles", "failures_max")
    patient = RetryProfile(
      attemptsMax: settings.integer("candles", "fetch_retries_max") + 1,
      pauseFirstNanoseconds: nanoseconds("fetch_retry_delay_s"), factor: 2, pauseMaxNanoseconds: 60_000_000_000,
      jitterMaxNanoseconds: 0, attemptLimitNanoseconds: nanoseconds("fetch_timeout_s"))
    breaker = CircuitBreaker.Policy(
      failuresMax: settings.integer("candles", "breaker_failures_max"),
      pauseNanoseconds: integer("breaker_pause_s") * 1_000_000_000,
      pauseMaxNanoseconds: integer("breaker_pause_max_s") * 1_000_000_000)
    lifetimes = .init(
      oldSeconds: integer("cache_old_s"), recentSeconds: integer("cache_recent_s"),
      youngSeconds: integer("cache_young_s"))
  }

  /// Those that have candles.
  private static let order: [Venue] = [.binance, .coinbase, .kraken, .okx, .bybit]

  /// For candles: fast; an attempt ends before the round does, so that a venue which is too slow is known to be.
  var fast: RetryProfile {
    var profile = RetryProfile.fast
    profile.attemptLimitNanoseconds = min(
      profile.attemptLimitNanoseconds, patient.attemptLimitNanoseconds, gatherLimitNanoseconds / 2)
    return profile
  }
}
