import Daemon
import Ingesting

runProcess {
  Scheduling.askForShortTurns()
  let context = try WorkerContext.load(defaultName: "ingestor-\(ingestorName(CommandLine.arguments))")
  try runIngestor(context)
}
