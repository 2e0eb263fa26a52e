public import Daemon
internal import Matching

#if canImport(Glibc)
  internal import Glibc
#endif

/// The command-line tool: finds the group by its configuration, and asks it or tells it.
public enum BulkheadTool {
  /// The version of this build.
  public static let version = "0.1.0"

  static let commands: [Command] = [
    .run, .status, .start, .stop, .restart, .scale, .shutdown, .tail, .scan, .opportunities, .matches, .orders, .fills,
    .trades, .candles, .positions, .profit, .health, .dashboard, .simulator, .config, .doctor, .decode, .help, .version,
  ]

  /// Runs one command, and prints what it answers.
  ///
  /// - Parameters:
  ///   - arguments: the command line without the program.
  ///   - environment: the variables; `BULKHEAD_CONF` names the configuration where `-c` does not.
  /// - Returns: what to exit with: 64 for a wrong command line, 100 for a wrong configuration, 111 where nothing runs.
  public static func run(arguments: [String], environment: [String: String]) -> ExitStatus {
    Signals.ignore(SIGPIPE)
    do {
      let invocation = try Invocation.parse(arguments, commands: commands)
      // The one command that answers line by line, and whose lines may be refusals.
      if invocation.command.name == Command.decode.name, !invocation.has("-h") { return try decode(invocation) }
      writeOut(try answer(invocation, environment))
      return .done
    } catch {
      Log.configure(level: .info, json: false, process: "")
      var line = "bulkhead: \(error)\n"
      line.withUTF8 { bytes in _ = write(2, bytes.baseAddress, bytes.count) }
      return (error as? any ExitStatusError)?.exitStatus ?? .failed
    }
  }

  private static func answer(_ invocation: Invocation, _ environment: [String: String]) throws -> String {
    if invocation.has("-h") { return help(of: invocation.command) }
    if let text = try withoutSettings(invocation, environment) { return text }
    let path = invocation.value("-c") ?? environment["BULKHEAD_CONF"] ?? "supervisor.conf"
    let settings = try Settings.load(path: path, environment: environment)
    return try invocation.command.run(ToolContext(invocation, settings: settings, environment: environment))
  }

  /// Help, version and the comparison of two titles need no configuration.
  private static func withoutSettings(_ invocation: Invocation, _ environment: [String: String]) throws -> String? {
    switch invocation.command.name {
    case "help":
      guard let name = invocation.operands.first else { return overview }
      return commands.first { $0.name == name }.map(help) ?? overview
    case "version": return "bulkhead \(version)\n"
    case "matches" where invocation.operands.first == "try":
      let isConfigured = invocation.value("-c") != nil || environment["BULKHEAD_CONF"] != nil
      return try isConfigured ? nil : MatchTrial(invocation).text(limits: MatchLimits())
    default: return nil
    }
  }

  private static func help(of command: Command) -> String {
    var text = "\(command.usage)\n\n\(command.summary).\n\n"
    let options = command.options + Command.commonOptions
    let heads = options.map { $0.names.joined(separator: ", ") + ($0.value.map { " " + $0 } ?? "") }
    let width = heads.map(\.count).max() ?? 0
    for (head, option) in zip(heads, options) {
      text += "  " + head + String(repeating: " ", count: width - head.count) + "  " + option.meaning + "\n"
    }
    return text
  }

  private static var overview: String {
    let width = commands.map(\.name.count).max() ?? 0
    let lines = commands.map { command in
      "  " + command.name + String(repeating: " ", count: width - command.name.count) + "  " + command.summary + "\n"
    }
    return """
      bulkhead COMMAND [OPTION…] [-c FILE]

      \(lines.joined())
      `bulkhead COMMAND --help` says more. Exit status: 0 done, 1 a part was refused, 64 wrong command line,
      100 wrong configuration, 111 nothing is running, or it does not answer.

      """
  }
}

extension Command {
  static let help = Command("help", operands: "[COMMAND]", count: 0...1, "Says what there is") { _ in "" }
  static let version = Command("version", "Says which version this is") { _ in "" }
}
