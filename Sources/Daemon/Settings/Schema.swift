/// Every setting that there is.
///
/// Each family of sections has its piece in a file of its own, `Schema+Family.swift`.
public enum Schema {
  /// The workers' settings: what `Settings` answers.
  public static let workers: [SettingDefinition] =
    bulkhead + bus + polymarket + kalshi + binance + coinbase + kraken + okx + bybit + coingecko + candles + scanner
    + matching + executor + settler + simulator + dashboard

  /// The supervisor's own: supervisord's sections, and ours that add to them.
  public static let supervision: [SettingDefinition] = supervisord + programs + supervisionExtras

  /// Sections that hold whatever keys a plug-in of supervisord wants.
  public static let openSections = ["rpcinterface:", "ctlplugin:"]

  /// The name under which a section is defined: `program:` for `program:web`, the name itself for most.
  /// - Returns: nil for a section that there is not.
  public static func family(ofSection name: String) -> String? {
    if bySection[name] != nil, !name.hasSuffix(":") { return name }
    for server in ["unix_http_server", "inet_http_server"] where name.hasPrefix(server + ":") { return server }
    // The longest prefix wins: `bulkhead:program:x` belongs to `bulkhead:program:`.
    return prefixes.first { name.hasPrefix($0) && name.count > $0.count }
  }

  /// Whether a section's name is only the beginning that a family has, such as `program:`.
  static func isPrefix(_ name: String) -> Bool { prefixes.contains(name) }

  /// The definition of a key.
  /// - Parameters:
  ///   - family: from `family(ofSection:)`.
  ///   - key: in lower case.
  /// - Returns: nil where the family has no such key.
  public static func definition(family: String, key: String) -> SettingDefinition? { bySection[family]?[key] }

  /// The keys of a family, sorted.
  public static func keys(family: String) -> [String] { bySection[family]?.keys.sorted() ?? [] }

  /// Whether a family belongs to the supervisor, and its values to `Supervising`.
  public static func isSupervision(family: String) -> Bool {
    openSections.contains(family) || supervisionFamilies.contains(family)
  }

  /// Whether a family belongs to the workers.
  static func isWorker(family: String) -> Bool { workerFamilies.contains(family) }

  private static let workerFamilies = Set(workers.map(\.section))
  private static let supervisionFamilies = Set(supervision.map(\.section))

  private static let bySection: [String: [String: SettingDefinition]] = {
    var result: [String: [String: SettingDefinition]] = [:]
    for definition in workers + supervision {
      let previous = result[definition.section, default: [:]].updateValue(definition, forKey: definition.key)
      precondition(previous == nil, "defined twice: [\(definition.section)] \(definition.key)")
    }
    return result
  }()

  private static let prefixes: [String] =
    (bySection.keys.filter { $0.hasSuffix(":") } + openSections).sorted { $0.count > $1.count }
}
