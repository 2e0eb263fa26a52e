internal import Daemon
internal import Market

extension SimulatorOptions {
  /// The options of section `simulator`.
  /// - Throws: `ConfigurationError` where a kind to plant is none.
  init(settings: Settings) throws(ConfigurationError) {
    self.init()
    seed = UInt64(settings.integer("simulator", "seed"))
    markets = min(settings.integer("simulator", "markets"), SimulatorOptions.marketsMax)
    events = min(settings.integer("simulator", "events"), SimulatorOptions.marketsMax)
    updatesPerSecond = settings.integer("simulator", "updates_per_second")
    arbitragesPerSecond = Price(raw: settings.decimal("simulator", "arbitrages_per_second"))
    decoysPerSecond = Price(raw: settings.decimal("simulator", "decoys_per_second"))
    plantKinds = []
    for name in settings.list("simulator", "plant_kinds") {
      guard let kind = OpportunityKind.allCases.first(where: { $0.name == name }) else {
        throw ConfigurationError(file: settings.path, problem: "simulator.plant_kinds: there is no kind \(name)")
      }
      plantKinds.append(kind)
    }
    load = settings.text("simulator", "load")
    speed = Price(raw: settings.decimal("simulator", "speed"))
  }

  /// The ids of markets have room for so many.
  static let marketsMax = 40_000
}
