public import Market

extension ChainCosts {
  /// The costs that `[polymarket] chain_costs` names: `DATE=DOLLARS`, separated by commas.
  ///
  /// - Throws: `ConfigurationError` where one of them is malformed.
  public init(settings: Settings) throws(ConfigurationError) {
    var entries: [Entry] = []
    for text in settings.list("polymarket", "chain_costs") {
      let parts = text.split(separator: "=", omittingEmptySubsequences: false)
      guard parts.count == 2, let from = try? Timestamp(rfc3339: parts[0]), let cost = try? Money(parts[1]),
        cost.raw >= 0, cost <= Money(dollars: 1000)
      else {
        throw ConfigurationError(
          file: settings.path, section: "polymarket", key: "chain_costs",
          problem: "expected DATE=DOLLARS, such as 2026-01-01=0.02, found \"\(text)\"")
      }
      entries.append(Entry(from: from, cost: cost))
    }
    self.init(entries)
  }
}
