import Daemon
import Simulating

runProcess {
  try SimulatorService.run(context: try WorkerContext.load(defaultName: "simulator"))
}
