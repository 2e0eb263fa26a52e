internal import Bus
internal import Daemon
internal import Market
internal import Web

extension Command {
  static let health = Command(
    "health", options: [.json], "Shows the counters that each process publishes once a second"
  ) { context in
    let publishers = FilePaths.matching(pattern: context.runDirectory + "/bus/*").filter { isListening($0) }
      .map { String($0.split(separator: "/").last ?? "") }.filter { $0 != "supervisor" }
    guard !publishers.isEmpty else { throw ToolError.nothingRuns(context.runDirectory) }
    let heard = try readHealth(context, publishers, waitSeconds: 3)
    return context.wantsJSON ? json(publishers, heard) : table(publishers, heard)
  }

  private static func readHealth(
    _ context: ToolContext, _ publishers: [String], waitSeconds: Int64
  ) throws -> [String: HealthMessage] {
    let subscriber = try Subscriber(name: context.busName, topics: [Topic.health], wantsSnapshot: false)
    for name in publishers {
      try subscriber.connect(BusEndpoint.ipc(name: name, runDirectory: context.runDirectory))
    }
    let poller = Poller()
    poller.add(subscriber)
    var heard: [String: HealthMessage] = [:]
    let deadline = SystemClock.monotonicNanoseconds + waitSeconds * 1_000_000_000
    while heard.count < publishers.count {
      let left = deadline - SystemClock.monotonicNanoseconds
      guard left > 0 else { break }
      poller.wait(timeoutMilliseconds: Int(left / 1_000_000) + 1)
      subscriber.receive { event in
        guard case .message(_, _, _, var body) = event, let message = try? HealthMessage(&body) else { return }
        heard[message.name] = message
      }
    }
    return heard
  }

  private static func table(_ publishers: [String], _ heard: [String: HealthMessage]) -> String {
    var report = Report([
      .init("name", "PROCESS"), .init("counter", "COUNTER"), .init("value", "VALUE", isNumber: true),
    ])
    for name in publishers {
      guard let message = heard[name] else {
        report.add([.text(name), .text("does not answer"), .none])
        continue
      }
      for (key, value) in message.counters.sorted(by: { $0.key < $1.key }) {
        report.add([.text(name), .text(key), shown(key, value)])
      }
    }
    return report.table(empty: "no process publishes its health")
  }

  /// States have names for people.
  private static func shown(_ key: String, _ value: Int64) -> Cell {
    guard key == "venue_state", let state = UInt8(exactly: value).flatMap({ VenueState(rawValue: $0) }) else {
      return .integer(value)
    }
    return .text(state.name)
  }

  private static func json(_ publishers: [String], _ heard: [String: HealthMessage]) -> String {
    var writer = JSONWriter()
    writer.array { writer in
      for name in publishers {
        writer.object { writer in
          writer.field("name", name)
          writer.field("answers", heard[name] != nil)
          writer.object("counters") { writer in
            for (key, value) in (heard[name]?.counters ?? [:]).sorted(by: { $0.key < $1.key }) {
              writer.field(key, value)
            }
          }
        }
      }
    }
    return writer.text + "\n"
  }
}
