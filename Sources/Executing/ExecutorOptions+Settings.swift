public import Daemon
internal import Market

#if canImport(Glibc)
  internal import Glibc
#endif

/// What becomes of an opportunity (P5).
public enum ExecutionMode: String, Sendable {
  /// The orders that would be sent are logged.
  case dryRun = "dry-run"
  /// The paper broker fills them.
  case paper

  /// The mode of the settings.
  /// - Parameter settings: `[bulkhead] mode`, and what live mode needs.
  /// - Returns: the mode.
  /// - Throws: `ConfigurationError` for live mode, naming all that is missing.
  public static func of(_ settings: Settings) throws(ConfigurationError) -> ExecutionMode {
    let text = settings.text("bulkhead", "mode")
    if let mode = ExecutionMode(rawValue: text) { return mode }
    var missing: [String] = []
    let keyFile = settings.text("executor", "key_file")
    if keyFile.isEmpty {
      missing.append("a key ([executor] key_file names none)")
    } else if access(keyFile, R_OK) != 0 {
      missing.append("a key ([executor] key_file cannot be read)")
    }
    if !settings.boolean("executor", "live_confirmed") {
      missing.append("the second switch ([executor] live_confirmed = true)")
    }
    missing.append("a live broker (this build has the paper broker alone)")
    throw ConfigurationError(
      file: settings.path, section: "bulkhead", key: "mode",
      problem: "live mode lacks \(missing.joined(separator: " and "))")
  }
}

extension ExecutorOptions {
  /// Options from the section `[executor]`.
  ///
  /// - Throws: `ConfigurationError` where `strategies` names one that there is not, or a cost of the chain is malformed.
  public init(settings: Settings) throws(ConfigurationError) {
    self.init()
    strategies = []
    for name in settings.list("executor", "strategies") {
      guard let strategy = Strategy(rawValue: name) else {
        let known = Strategy.allCases.map(\.rawValue).joined(separator: ", ")
        throw ConfigurationError(
          file: settings.path, section: "executor", key: "strategies",
          problem: "expected some of \(known), found \"\(name)\"")
      }
      strategies.append(strategy)
    }
    func nanoseconds(_ key: String) -> Int64 { Int64(settings.integer("executor", key)) * 1_000_000 }
    func money(_ key: String) -> Money { Money(raw: settings.decimal("executor", key)) }
    func fraction(_ key: String) -> Price { Price(raw: settings.decimal("executor", key)) }
    ttlNanoseconds = nanoseconds("opportunity_ttl_ms")
    fastTtlNanoseconds = nanoseconds("fast_opportunity_ttl_ms")
    priceAgeMaxNanoseconds = nanoseconds("price_age_max_ms")
    legsMax = settings.integer("executor", "legs_max")
    costTolerance = fraction("depth_tolerance")
    limitTolerance = fraction("limit_tolerance")
    edgeMinimumFraction = fraction("edge_minimum_fraction")
    bookPriceDeviationMax = fraction("book_price_deviation_max")
    venueSilenceMaxNanoseconds = nanoseconds("venue_silence_max_ms")
    bankroll = money("bankroll")
    exposureMax = money("exposure_max")
    eventExposureMax = money("event_exposure_max")
    opportunityExposureMax = money("opportunity_exposure_max")
    buyMinimum = money("buy_minimum")
    chainCosts = try ChainCosts(settings: settings)
    latencyNanoseconds = nanoseconds("latency_ms")
    unwindAttemptsMax = settings.integer("executor", "unwind_attempts_max")
    unwindPauseNanoseconds = nanoseconds("unwind_pause_ms")
    failuresMax = settings.integer("executor", "failures_max")
    failedUnwindsMax = settings.integer("executor", "failed_unwinds_max")
    dailyLossMax = money("daily_loss_max")
    mergeAheadSeconds = Int64(settings.integer("settler", "merge_ahead_s")) + 60
  }
}
