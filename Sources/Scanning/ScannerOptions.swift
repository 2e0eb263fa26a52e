public import Daemon
public import Market
public import Venues

/// What the scanner may be told; the defaults are those of the settings.
public struct ScannerOptions: Sendable {
  /// The least profit of a find after all fees.
  public var minimumProfit = Money(raw: 1_000_000)
  /// The most sets of one find.
  public var quantityMax = Quantity(units: 1000)
  /// A return above this is suspicious, as a fraction (10 is 1,000 %).
  public var suspiciousReturn = 10.0
  /// A suspicious find needs a trade younger than this.
  public var suspiciousTradeAgeMaxNanoseconds: Int64 = 604_800_000_000_000
  /// What operations on a venue's chain cost.
  public var chainCosts = ChainCosts.usual
  /// A find needs its books to have been confirmed within this time.
  public var bookAgeMaxNanoseconds: Int64 = 60_000_000_000

  // MARK: Cross-platform

  /// The same for pairs of two venues, whose books are no mirrors and may rest for long.
  public var crossBookAgeMaxNanoseconds: Int64 = 600_000_000_000
  /// How far a price may move on its way to the venue's grid.
  public var gridDriftMax = Price(raw: 500_000)
  /// The largest part of a contract's price that its fee may be.
  public var feeShareMax = Price(raw: 20_000_000)

  // MARK: Latency

  /// The coins whose windows are looked at.
  public var coins = ["BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "AVAX", "LINK"]
  /// What the exchanges call them.
  public var pairNames = PairNames()
  /// The least that a share must be expected to earn, after fees.
  public var latencyEdgeMin = Price(raw: 3_000_000)
  /// How much of a window must be left.
  public var latencyLeftMinNanoseconds: Int64 = 10_000_000_000
  /// An older spot price is stale.
  public var spotAgeMaxNanoseconds: Int64 = 2_000_000_000
  /// How many exchanges must have a price.
  public var spotSourcesMin = 2
  /// After so long a return counts half as much for the volatility.
  public var volatilityHalfLifeSeconds: Int64 = 1800
  /// How many minutes of returns the volatility needs.
  public var volatilitySamplesMin: Int64 = 5
  /// By how many standard errors the volatility may be off.
  public var volatilityErrors = 1.0

  // MARK: Spike

  /// The least price of a spike.
  public var spikeTrigger = Price(raw: 95_000_000)
  /// How far it must be above the lowest trade of the window.
  public var spikeJump = Price(raw: 10_000_000)
  /// The window in which the price must have jumped.
  public var spikeWindowNanoseconds: Int64 = 10_000_000_000
  /// The least size of the trade.
  public var spikeSizeMin = Quantity(units: 50)
  /// How far the best bid may be from the trade's price.
  public var spikeDeviationMax = Price(raw: 10_000_000)
  /// The least that a share must be worth more than it costs, at the trade's price and after fees.
  public var spikeEdgeMin = Price(raw: 1_000_000)
  /// How long after the trade its price means something.
  public var spikeLifeNanoseconds: Int64 = 2_000_000_000

  // MARK: Ranking

  /// A find that earns less in a year of locked capital is held, as a fraction (0.05 is 5 %).
  public var hurdleReturn = 0.05
  /// How long it takes until sets are merged and sales are paid.
  public var mergeSeconds: Int64 = 600
  /// How long after its end a market is resolved and paid.
  public var resolutionSeconds: Int64 = 7200
  /// How long capital is thought to be locked where no venue says when the market ends.
  public var unknownEndSeconds: Int64 = 31_536_000
  /// The part of Kelly's criterion that is staked.
  public var kellyFraction = 0.25
  /// The profit that counts one half.
  public var scoreProfitHalf = Money(raw: 1_000_000_000)
  /// The volume of a day that counts one half.
  public var scoreVolumeHalf = Money(raw: 1_000_000_000_000)
  /// The number of recent trades that counts one half.
  public var scoreTradesHalf: Int64 = 5
  /// The time for which capital is locked that counts one half.
  public var scoreLockedHalfSeconds: Int64 = 86_400
  /// Within which time trades are recent.
  public var activityWindowNanoseconds: Int64 = 600_000_000_000
  /// How much each factor counts.
  public var scoreWeights = ScoreWeights()

  /// The defaults.
  public init() {}

  /// Options from the section `[scanner]`, the coins from `[candles]`.
  ///
  /// - Throws: `ConfigurationError` where names of pairs or costs of the chain are malformed.
  public init(settings: Settings) throws(ConfigurationError) {
    func decimal(_ key: String) -> Int64 { settings.decimal("scanner", key) }
    func fraction(_ key: String) -> Double { Double(decimal(key)) / Double(fixedPointScale) }
    func integer(_ key: String) -> Int64 { Int64(settings.integer("scanner", key)) }
    minimumProfit = Money(raw: decimal("minimum_profit"))
    quantityMax = Quantity(raw: decimal("quantity_max"))
    suspiciousReturn = fraction("suspicious_return")
    suspiciousTradeAgeMaxNanoseconds = integer("suspicious_trade_age_max_s") * 1_000_000_000
    chainCosts = try ChainCosts(settings: settings)
    bookAgeMaxNanoseconds = integer("book_age_max_ms") * 1_000_000
    crossBookAgeMaxNanoseconds = integer("cross_book_age_max_ms") * 1_000_000
    gridDriftMax = Price(raw: decimal("grid_drift_max"))
    feeShareMax = Price(raw: decimal("fee_share_max"))
    coins = settings.list("candles", "symbols")
    pairNames = try PairNames(settings: settings)
    latencyEdgeMin = Price(raw: decimal("latency_edge_min"))
    latencyLeftMinNanoseconds = integer("latency_left_min_s") * 1_000_000_000
    spotAgeMaxNanoseconds = integer("spot_age_max_ms") * 1_000_000
    spotSourcesMin = Int(integer("spot_sources_min"))
    volatilityHalfLifeSeconds = integer("volatility_half_life_s")
    volatilitySamplesMin = integer("volatility_samples_min")
    volatilityErrors = fraction("volatility_errors")
    spikeTrigger = Price(raw: decimal("spike_trigger"))
    spikeJump = Price(raw: decimal("spike_jump"))
    spikeWindowNanoseconds = integer("spike_window_s") * 1_000_000_000
    spikeSizeMin = Quantity(raw: decimal("spike_size_min"))
    spikeDeviationMax = Price(raw: decimal("spike_deviation_max"))
    spikeEdgeMin = Price(raw: decimal("spike_edge_min"))
    spikeLifeNanoseconds = integer("spike_life_ms") * 1_000_000
    hurdleReturn = fraction("hurdle_percent") / 100
    mergeSeconds = Int64(settings.integer("settler", "merge_ahead_s"))
    resolutionSeconds = integer("resolution_s")
    unknownEndSeconds = integer("unknown_end_s")
    kellyFraction = fraction("kelly_fraction")
    scoreProfitHalf = Money(raw: decimal("score_profit_half"))
    scoreVolumeHalf = Money(raw: decimal("score_volume_half"))
    scoreTradesHalf = integer("score_trades_half")
    scoreLockedHalfSeconds = integer("score_locked_half_s")
    activityWindowNanoseconds = integer("activity_window_s") * 1_000_000_000
    scoreWeights.profit = fraction("score_weight_profit")
    scoreWeights.fill = fraction("score_weight_fill")
    scoreWeights.volume = fraction("score_weight_volume")
    scoreWeights.activity = fraction("score_weight_activity")
    scoreWeights.time = fraction("score_weight_time")
    scoreWeights.legs = fraction("score_weight_legs")
  }
}
