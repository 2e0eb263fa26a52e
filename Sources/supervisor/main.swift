import Daemon
import Supervising

// supervisor -c FILE [-n]: runs what FILE says, in the foreground.
var path = "supervisor.conf"
var rest = CommandLine.arguments.dropFirst()
while let argument = rest.popFirst() {
  switch argument {
  case "-c", "--configuration":
    guard let value = rest.popFirst() else {
      Log.error("usage: supervisor -c FILE [-n]")
      ExitStatus.usage.exit()
    }
    path = value
  case "-n", "--nodaemon": break
  default:
    Log.error("usage: supervisor -c FILE [-n]", ["found": argument])
    ExitStatus.usage.exit()
  }
}

runProcess {
  Log.configure(level: .info, json: false, process: "supervisor")
  let environment = Environment.current
  let (configuration, errors) = SupervisorConfiguration.read(path: path, environment: environment)
  for error in errors.dropFirst() { Log.error("\(error)") }
  if let first = errors.first { throw first }
  guard let configuration else { preconditionFailure("neither a configuration nor a mistake in it") }
  WorkerContext.configureLog(configuration.settings, name: "supervisor")
  try Supervisor(configuration, environment: environment).run()
}
