import Daemon
import Scanning

runProcess {
  try runScanner(try WorkerContext.load(defaultName: "scanner"))
}
