import Daemon
import Executing

runProcess {
  Scheduling.askForShortTurns()
  let context = try WorkerContext.load(defaultName: "executor")
  try ExecutingService(context: context).run()
}
