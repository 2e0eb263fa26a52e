internal import CLinux
internal import Daemon
internal import Web

#if canImport(Glibc)
  internal import Glibc
#endif

extension Command {
  private static let names = "NAME|GROUP:*|all…"

  static let start = Command("start", operands: names, count: 1...1000, "Starts processes") { context in
    try control(context, ["start"])
  }

  static let stop = Command("stop", operands: names, count: 1...1000, "Stops processes, and leaves them stopped") {
    context in try control(context, ["stop"])
  }

  static let restart = Command("restart", operands: names, count: 1...1000, "Stops processes and starts them again") {
    context in try control(context, ["stop", "start"])
  }

  static let shutdown = Command("shutdown", "Stops everything, the supervisor too") { context in
    let supervisor = context.supervisor
    guard let pid = try supervisor.call("supervisor.getPID").integer else {
      throw ToolError(.failed, "the supervisor does not say its pid")
    }
    // Taken before it is told to stop, so that the number is still its own.
    let descriptor = bh_pidfd_open(pid_t(truncatingIfNeeded: pid))
    defer { if descriptor >= 0 { close(descriptor) } }
    try supervisor.call("supervisor.shutdown")
    var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard descriptor < 0 || poll(&item, 1, 15_000) > 0 else {
      throw ToolError(.failed, "the supervisor, pid \(pid), is told to stop but runs still after 15 s")
    }
    return "stopped\n"
  }

  /// Does the same to each operand; says what became of each process, and fails where one of them did not do it.
  private static func control(_ context: ToolContext, _ verbs: [String]) throws -> String {
    let supervisor = context.supervisor
    var text = ""
    var failures: [String] = []
    for operand in context.invocation.operands {
      for verb in verbs {
        for (name, code, words) in try perform(verb, operand, supervisor) {
          let isStopOfStopped = verbs.count == 2 && verb == "stop" && code == SupervisorClient.Fault.notRunning
          if code == SupervisorClient.Fault.success {
            text += "\(name): \(verb == "stop" ? "stopped" : "started")\n"
          } else if !isStopOfStopped {
            failures.append("\(name): \(words)")
          }
        }
      }
    }
    guard failures.isEmpty else {
      writeOut(text)
      throw ToolError(.failed, failures.joined(separator: "; "))
    }
    return text
  }

  private static func perform(
    _ verb: String, _ operand: String, _ supervisor: SupervisorClient
  ) throws -> [(name: String, code: Int64, words: String)] {
    let answer: XMLRPCValue
    if operand == "all" {
      answer = try supervisor.call("supervisor.\(verb)AllProcesses", [true])
    } else if operand.hasSuffix(":*") {
      answer = try supervisor.call("supervisor.\(verb)ProcessGroup", [.string(String(operand.dropLast(2))), true])
    } else {
      let name = try supervisor.resolve(operand)
      do {
        try supervisor.call("supervisor.\(verb)Process", [.string(name), true])
        return [(operand, SupervisorClient.Fault.success, "")]
      } catch let fault as SupervisorClient.Fault {
        return [(operand, fault.code, fault.text)]
      }
    }
    return (answer.array ?? []).map {
      ($0["name"]?.string ?? "", $0["status"]?.integer ?? 0, $0["description"]?.string ?? "")
    }
  }
}
