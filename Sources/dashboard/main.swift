import Daemon
import Presenting

runProcess {
  let context = try WorkerContext.load(defaultName: "dashboard")
  try DashboardService(context: context).run()
}
