public import Daemon
internal import Market
internal import Venues

/// Runs the ingestor of the venue that the command line names, or the collector of all exchanges' candles, until it is
/// told to stop.
///
/// - Parameter context: the process; its first argument is the venue or `candles`, and `--shard i/n` says which part of it.
/// - Throws: `ConfigurationError` where the venue is missing or has no ingestor, or the shard is none; otherwise what the
///   service throws.
public func runIngestor(_ context: WorkerContext) throws {
  let name = ShardPosition.others(context.arguments).first ?? ""
  guard name != "candles" else { return try CandleCollectingService(context: context).run() }
  switch Venue(rawValue: name) {
  case .polymarket: try PolymarketIngestingService(context: context).runLoop()
  case .kalshi: try KalshiIngestingService(context: context).runLoop()
  case let venue? where !Venues.streams(of: venue).isEmpty:
    try SpotIngestingService(context: context, venue: venue).runLoop()
  default:
    let venues = Venue.allCases.filter { $0 != .coingecko }.map(\.rawValue).joined(separator: ", ")
    throw ConfigurationError(
      file: "command line", problem: "expected the venue of the ingestor (\(venues)) or candles, found \"\(name)\"")
  }
}

/// What the command line asks for: a venue or `candles`; Polymarket where it asks for nothing.
public func ingestorName(_ arguments: [String]) -> String {
  arguments.first { $0 == "candles" || Venue(rawValue: $0) != nil } ?? Venue.polymarket.rawValue
}
