package import Market

/// What the simulated world is like; the defaults are those of `supervisor.conf`.
package struct SimulatorOptions: Sendable {
  /// The same seed gives the same world.
  package var seed: UInt64 = 1
  /// How many ordinary markets there are; up/down and brief markets come on top.
  package var markets = 2000
  /// In how many events at least.
  package var events = 400
  /// Book updates in a second, over all markets.
  package var updatesPerSecond = 1000
  /// Planted arbitrages in a second; a decimal number.
  package var arbitragesPerSecond = Price.one
  /// Which kinds are planted.
  package var plantKinds = OpportunityKind.allCases
  /// What looks like a spike and is none, in a second.
  package var decoysPerSecond = Price(raw: fixedPointScale / 10)
  /// Whether arbitrages are planted in books that nobody watches.
  package var plantsUnwatched = false
  /// The shortest and the longest life of a planted arbitrage.
  package var plantMilliseconds = 50...400
  /// The same of a window that lags, or of a spike.
  package var latencyMilliseconds = 300...1500
  /// Whether up/down and brief markets open and close.
  package var opensMarkets = true
  /// For how long closed up/down and brief markets stay listed.
  package var closedListedSeconds: Int64 = 3600
  /// What every account begins with.
  package var startingCash = Money(dollars: 1_000_000)
  /// How many shares of every token every account begins with.
  package var startingShares = Quantity(units: 1_000_000)
  /// A directory of recorded data that is played instead; empty for the made-up world.
  package var load = ""
  /// How much faster than recorded it is played; 0 for as fast as subscribers take it.
  package var speed = Price.one
  /// The public key that Kalshi's signatures must fit, as PEM; empty where only their presence is asked for.
  package var kalshiPublicKey = ""
  /// A peer with more unsent bytes than this is closed.
  package var queuedBytesMax = 64 << 20

  package init() {}
}
