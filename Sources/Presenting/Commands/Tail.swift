internal import CLinux
internal import Daemon
internal import Web

#if canImport(Glibc)
  internal import Glibc
#endif

extension Command {
  static let tail = Command(
    "tail", operands: "NAME [stdout|stderr]", count: 1...2,
    options: [
      Option(["-f", "--follow"], "goes on with what is written, until interrupted"),
      Option(["-n", "--lines"], value: "N", "the last so many lines; 20 otherwise"),
      Option(["--bytes"], value: "N", "the last so many bytes instead"),
    ],
    "Shows the end of a process's log"
  ) { context in
    let invocation = context.invocation
    let bytes = try invocation.integer("--bytes", in: 1...4_000_000)
    let lines = try invocation.integer("-n", in: 1...100_000) ?? 20
    let supervisor = context.supervisor
    let name = try supervisor.resolve(invocation.operands[0])
    let wanted = invocation.operands.count == 2 ? invocation.operands[1] : nil
    guard wanted == nil || wanted == "stdout" || wanted == "stderr" else {
      throw ToolError.usage("expected stdout or stderr, found \(wanted ?? "")")
    }
    var log = ProcessLog(supervisor: supervisor, process: name, stream: wanted ?? "stdout")
    var text = try log.end(bytes: bytes ?? lines * 400)
    if text.isEmpty, wanted == nil {
      // Without a word from the user: whichever of the two the process writes to.
      let other = ProcessLog(supervisor: supervisor, process: name, stream: "stderr")
      text = try other.end(bytes: bytes ?? lines * 400)
      if !text.isEmpty { log = other }
    }
    if bytes == nil { text = lastLines(of: text, lines) }
    guard invocation.has("-f") else { return text }
    writeOut(text)
    try follow(log)
    return ""
  }

  private static func follow(_ log: ProcessLog) throws {
    let stop = try Signals.open([SIGINT, SIGTERM])
    var offset = try log.size()
    while true {
      var item = pollfd(fd: stop, events: Int16(POLLIN), revents: 0)
      if poll(&item, 1, 250) > 0 { return }
      let size = try log.size()
      // A smaller file is a new one: the old was rotated away.
      if size < offset { offset = 0 }
      guard size > offset else { continue }
      let part = min(size - offset, 1 << 20)
      writeOut(try log.part(offset: offset, bytes: part))
      offset += part
    }
  }

  /// The last lines of a text; the whole text where it has fewer.
  package static func lastLines(of text: String, _ count: Int) -> String {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let isWhole = lines.last == ""
    if isWhole { lines.removeLast() }
    return lines.suffix(count).joined(separator: "\n") + (isWhole && !lines.isEmpty ? "\n" : "")
  }
}

/// One log file of a process, read through the supervisor.
private struct ProcessLog {
  let supervisor: SupervisorClient
  let process: String
  let stream: String

  private var capital: String { stream == "stdout" ? "Stdout" : "Stderr" }

  private func tail(_ bytes: Int) throws -> (text: String, size: Int) {
    let answer = try supervisor.call(
      "supervisor.tailProcess\(capital)Log", [.string(process), 0, .integer(Int64(bytes))])
    guard let values = answer.array, values.count == 3, let text = values[0].string, let size = values[1].integer else {
      throw ToolError(.failed, "the supervisor's answer cannot be read")
    }
    return (text, Int(size))
  }

  func end(bytes: Int) throws -> String { try tail(bytes).text }

  func size() throws -> Int { try tail(0).size }

  func part(offset: Int, bytes: Int) throws -> String {
    try supervisor.call(
      "supervisor.readProcess\(capital)Log", [.string(process), .integer(Int64(offset)), .integer(Int64(bytes))]
    ).string ?? ""
  }
}
