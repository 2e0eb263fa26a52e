internal import Bus

/// The process table on the bus: `process/NAME`, each change, and the whole of it for whoever joins; alerts as well.
final class ProcessBoard {
  private let publisher: Publisher
  private var topics: [String: TopicHandle] = [:]
  private let alertTopic: TopicHandle
  /// The last alerts, for whoever joins.
  private var alerts: [AlertMessage] = []
  private static let alertsMax = 50

  init(runDirectory: String, highWaterMark: Int) throws(BusError) {
    publisher = try Publisher(name: "supervisor", runDirectory: runDirectory, highWaterMark: highWaterMark)
    alertTopic = publisher.topic(Topic.alert + "supervisor")
  }

  func publish(_ alert: AlertMessage) {
    alerts = alerts.suffix(Self.alertsMax - 1) + [alert]
    publisher.publish(alertTopic) { alert.encode($0) }
  }

  func publish(_ plan: ShardPlan) {
    publisher.publish(topic(plan)) { plan.encode($0) }
  }

  func publish(_ message: ProcessMessage) {
    publisher.publish(topic(message)) { message.encode($0) }
  }

  /// Becomes readable when `hasNewcomers` may have changed.
  var descriptor: Int32 { publisher.descriptor }

  /// Whether somebody waits to be told everything; ask before each wait for `descriptor`.
  var hasNewcomers: Bool { publisher.hasSubscriptions }

  /// Sends the whole table, and all plans, to those who have just joined.
  func answerNewcomers(
    order: [ProcessID], plans: [String: ScalePlan], message: (ProcessID) -> ProcessMessage?
  ) {
    publisher.processSubscriptions { request in
      for process in order {
        guard let message = message(process) else { continue }
        publisher.publishSnapshot(request, topic(message)) { message.encode($0) }
      }
      for plan in plans.values.map(\.message) { publisher.publishSnapshot(request, topic(plan)) { plan.encode($0) } }
      for alert in alerts { publisher.publishSnapshot(request, alertTopic) { alert.encode($0) } }
      publisher.endSnapshot(request)
    }
  }

  private func topic(_ plan: ShardPlan) -> TopicHandle { publisher.topic(Topic.shards + plan.program) }

  private func topic(_ message: ProcessMessage) -> TopicHandle {
    if let known = topics[message.name] { return known }
    let topic = publisher.topic(Topic.process + message.name)
    topics[message.name] = topic
    return topic
  }
}
