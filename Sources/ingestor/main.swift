import Daemon
import Ingesting

runProcess {
  let venue = CommandLine.arguments.contains("binance") ? "binance" : "polymarket"
  let context = try WorkerContext.load(defaultName: "ingestor-\(venue)")
  try runIngestor(context)
}
