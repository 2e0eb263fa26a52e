import Daemon
import Executing

runProcess {
  let context = try WorkerContext.load(defaultName: "executor")
  try ExecutingService(context: context).run()
}
