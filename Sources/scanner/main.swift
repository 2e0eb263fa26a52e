import Daemon
import Scanning

runProcess {
  Scheduling.askForShortTurns()
  try runScanner(try WorkerContext.load(defaultName: "scanner"))
}
