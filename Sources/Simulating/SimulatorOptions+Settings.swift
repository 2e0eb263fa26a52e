internal import Daemon
internal import Market

extension SimulatorOptions {
  /// The options of section `simulator`.
  init(settings: Settings) {
    self.init()
    seed = UInt64(settings.integer("simulator", "seed"))
    markets = min(settings.integer("simulator", "markets"), SimulatorOptions.marketsMax)
    events = min(settings.integer("simulator", "events"), SimulatorOptions.marketsMax)
    updatesPerSecond = settings.integer("simulator", "updates_per_second")
    arbitragesPerSecond = Price(raw: settings.decimal("simulator", "arbitrages_per_second"))
    load = settings.text("simulator", "load")
    speed = Price(raw: settings.decimal("simulator", "speed"))
  }

  /// The ids of markets have room for so many.
  static let marketsMax = 40_000
}
