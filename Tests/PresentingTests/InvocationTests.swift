import Daemon
import Presenting
import Testing

@Suite struct InvocationTests {
  private let commands = [
    Command(
      "tail", operands: "NAME", count: 1...2,
      options: [
        Command.Option(["-f", "--follow"], "goes on"), Command.Option(["-n", "--lines"], value: "N", "how many"),
      ], "Shows a log"
    ) { _ in "" },
    Command("status", options: [Command.Option(["--json"], "JSON")], "Shows all") { _ in "" },
  ]

  private func parse(_ line: String) throws(ToolError) -> Invocation {
    try Invocation.parse(line.split(separator: " ").map(String.init), commands: commands)
  }

  @Test func `options may stand anywhere, under any of their names`() throws {
    for line in ["tail -f -n 5 web stderr", "tail web --follow stderr --lines=5", "tail --lines 5 web -f -- stderr"] {
      let invocation = try parse(line)
      #expect(invocation.command.name == "tail")
      #expect(invocation.operands == ["web", "stderr"])
      #expect(invocation.has("-f"))
      #expect(try invocation.integer("-n", in: 1...10) == 5)
    }
  }

  @Test func `the configuration may be named before the command`() throws {
    #expect(try parse("-c a.conf status --json").value("-c") == "a.conf")
    #expect(try parse("status --config=a.conf").value("-c") == "a.conf")
    #expect(try parse("status").value("-c") == nil)
  }

  @Test(arguments: [
    ("dance", "no command dance"), ("status --loud", "no option --loud"), ("status now", "now"),
    ("tail", "expected bulkhead tail NAME"), ("tail a b c", "c"), ("tail a -n", "value after -n"),
    ("status --json=yes", "takes no value"), ("help", "no command help"),
  ])
  func `a wrong command line is told with its reason`(_ line: String, _ reason: String) {
    let error = #expect(throws: ToolError.self) { try parse(line) }
    #expect(error?.exitStatus == .usage)
    #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
  }

  @Test(arguments: ["0", "11", "x", "", "1.5"])
  func `a number outside of its range is refused`(_ number: String) throws {
    let invocation = try Invocation.parse(["tail", "a", "-n", number], commands: commands)
    #expect(throws: ToolError.self) { try invocation.integer("-n", in: 1...10) }
  }

  @Test func `help is asked for without operands`() throws { #expect(try parse("tail -h").has("-h")) }
}
