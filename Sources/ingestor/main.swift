import Daemon
import Ingesting

runProcess {
  let venue = ["binance", "kalshi"].first { CommandLine.arguments.contains($0) } ?? "polymarket"
  let context = try WorkerContext.load(defaultName: "ingestor-\(venue)")
  try runIngestor(context)
}
