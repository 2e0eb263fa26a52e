import Daemon
import Settling

runProcess {
  let context = try WorkerContext.load(defaultName: "settler")
  try SettlingService(context: context).run()
}
