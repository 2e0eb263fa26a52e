import Daemon
import Supervising

// supervisor -c FILE [-n]: runs what FILE says, in the foreground.
// supervisor --standby …: waits for the supervisor's death to become the next one; it starts that itself.
Launch.waitAsStandby()

runProcess {
  Log.configure(level: .info, json: false, process: "supervisor")
  var launch = try Launch(CommandLine.arguments)
  let environment = Environment.current
  let (configuration, errors) = launch.waitForConfiguration(environment: environment)
  for error in errors.dropFirst() { Log.error("\(error)") }
  if let first = errors.first { throw first }
  guard let configuration else { preconditionFailure("neither a configuration nor a mistake in it") }
  WorkerContext.configureLog(configuration.settings, name: "supervisor")
  try launch.leaveForeground(configuration)
  try Supervisor(configuration, environment: environment, launch: launch).run()
}
