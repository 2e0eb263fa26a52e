import Daemon
import Scanning

runProcess {
  let context = try WorkerContext.load(defaultName: "scanner")
  try ScanningService(context: context).run()
}
