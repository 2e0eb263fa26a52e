internal import Bus

/// The process table on the bus: `process/NAME`, each change, and the whole of it for whoever joins; alerts as well.
final class ProcessBoard {
  private let publisher: Publisher
  private let poller = Poller()
  private var topics: [String: TopicHandle] = [:]
  private var polled: Int32 = -1
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

  /// Waits until a newcomer or a descriptor has something to say.
  func wait(descriptor: Int32, timeoutMilliseconds: Int) {
    if polled != descriptor {
      poller.removeAll()
      poller.add(publisher)
      poller.add(descriptor: descriptor)
      polled = descriptor
    }
    poller.wait(timeoutMilliseconds: timeoutMilliseconds)
  }

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
