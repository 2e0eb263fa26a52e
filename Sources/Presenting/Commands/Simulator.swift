internal import Daemon
internal import Market
internal import Web

extension Command {
  static let simulator = Command(
    "sim", operands: "fault VENUE KIND [VALUE] | faults | clear [VENUE]", count: 1...4,
    options: [
      .init(["--for"], value: "SECONDS", "ends by itself after so long"),
      .init(["--share"], value: "PERCENT", "strikes so many of a hundred requests or frames"),
      .init(["--path"], value: "TEXT", "strikes requests and streams whose path holds this"),
      .init(["--symbol"], value: "TEXT", "strikes requests and frames that hold this, in any case"), .json,
    ],
    "Sets, shows and ends faults of the simulator's venues; `sim fault all ?` tells the kinds"
  ) { context in
    let operands = context.invocation.operands
    switch (operands[0], operands.count) {
    case ("fault", 3...4): return try setFault(operands, context)
    case ("faults", 1): return try showFaults(context)
    case ("clear", 1...2):
      let venue = operands.count > 1 ? operands[1] : "all"
      let answer = try ask(context, "DELETE", "?venue=\(venue)")
      let count = answer["cleared"]?.integer ?? 0
      return context.wantsJSON ? "{\"cleared\":\(count)}\n" : "\(count) cleared\n"
    default: throw ToolError.usage("expected \(context.invocation.command.usage)")
    }
  }

  private static func setFault(_ operands: [String], _ context: ToolContext) throws -> String {
    let invocation = context.invocation
    var writer = JSONWriter()
    var value: Int?
    if operands.count == 4 {
      guard let number = Int(operands[3]) else { throw ToolError.usage("expected a number, found \(operands[3])") }
      value = number
    }
    let seconds = try invocation.integer("--for", in: 1...31_536_000)
    let share = try invocation.integer("--share", in: 1...100)
    writer.object { writer in
      writer.field("venue", operands[1])
      writer.field("kind", operands[2])
      if let value { writer.field("value", value) }
      if let seconds { writer.field("for_s", seconds) }
      if let share { writer.field("share_percent", share) }
      if let path = invocation.value("--path") { writer.field("path", path) }
      if let symbol = invocation.value("--symbol") { writer.field("symbol", symbol) }
    }
    let answer = try ask(context, "POST", "", body: writer.bytes)
    var report = faultReport
    report.add(row(answer))
    return context.print(report, empty: "")
  }

  private static func showFaults(_ context: ToolContext) throws -> String {
    let answer = try ask(context, "GET", "")
    var report = faultReport
    for fault in answer["faults"]?.elements.reversed() ?? [] { report.add(row(fault)) }
    return context.print(report, empty: "no faults")
  }

  private static var faultReport: Report {
    Report([
      .init("id", "ID", isNumber: true), .init("venue", "VENUE"), .init("kind", "KIND"),
      .init("value", "VALUE", isNumber: true), .init("share_percent", "SHARE %", isNumber: true),
      .init("path", "PATH"), .init("symbol", "SYMBOL"), .init("active", "ACTIVE"), .init("ends_at", "ENDS"),
      .init("requests", "REQUESTS", isNumber: true), .init("frames", "FRAMES", isNumber: true),
      .init("streams", "STREAMS", isNumber: true),
    ])
  }

  private static func row(_ fault: JSONValue) -> [Cell] {
    func integer(_ name: String) -> Cell { fault[name]?.integer.map { .integer($0) } ?? .none }
    func text(_ name: String) -> Cell {
      guard let text = fault[name]?.string, !text.isEmpty else { return .none }
      return .text(text)
    }
    return [
      integer("id"), text("venue"), text("kind"), integer("value"), integer("share_percent"), text("path"),
      text("symbol"), .boolean(fault["active"]?.bool ?? false), text("ends_at"), integer("requests"),
      integer("frames"), integer("streams"),
    ]
  }

  /// Asks the simulator that `RUN/simulator.address` names.
  private static func ask(_ context: ToolContext, _ method: String, _ query: String, body: [UInt8]? = nil) throws
    -> JSONValue
  {
    let path = context.runDirectory + "/simulator.address"
    guard let bytes = try? readFile(path, sizeMax: 1024) else {
      throw ToolError(.failed, "no simulator runs in \(context.runDirectory): there is no \(path)")
    }
    let address = String(String(decoding: bytes, as: UTF8.self).prefix { !$0.isWhitespace })
    let request = HTTPRequest(
      method: method, url: "http://\(address)/faults\(query)", body: body, timeoutMilliseconds: 10_000,
      connectTimeoutMilliseconds: 2000)
    let answer: HTTPResponse
    do throws(HTTPError) {
      answer = try HTTPClient().sendBlocking(request)
    } catch {
      throw ToolError(.failed, "the simulator at \(address) does not answer: \(error)")
    }
    let document = try answer.json()
    guard answer.status < 300 else {
      let problem = document.root["error"]?.string ?? "status \(answer.status)"
      throw ToolError(answer.status == 400 ? .usage : .failed, problem)
    }
    return document.root
  }
}
