import Daemon
import Ingesting

runProcess {
  let context = try WorkerContext.load(defaultName: "ingestor-\(ingestorName(CommandLine.arguments))")
  try runIngestor(context)
}
