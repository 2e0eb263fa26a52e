internal import Daemon

extension Command {
  static let run = Command(
    "run", options: [Option(["--for"], value: "SECONDS", "stops by itself after so long; runs until Ctrl-C otherwise")],
    "Starts everything, shows what it does, and stops everything at the end"
  ) { context in
    let seconds = try context.invocation.integer("--for", in: 1...31_536_000)
    try GroupRunner(context, durationSeconds: seconds.map { Double($0) }).run()
    return ""
  }
}
