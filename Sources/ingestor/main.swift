import Daemon
import Ingesting

runProcess {
  let context = try WorkerContext.load(defaultName: "ingestor-polymarket")
  try runIngestor(context)
}
