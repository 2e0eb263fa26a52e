import Bus
import Daemon
import Foundation
import Market
import TestSupport

/// Listens to everything that a deployment's processes say, on a thread of its own, and keeps count.
///
/// `@unchecked Sendable`: what it keeps is behind a lock, and bus and poller belong to its thread alone.
final class Listener: @unchecked Sendable {
  struct Seen {
    /// Messages missed, by topic.
    var gaps: [String: UInt64] = [:]
    /// How often a publisher started anew, by topic.
    var restarts: [String: Int] = [:]
    /// How many live messages came, by topic.
    var messages: [String: UInt64] = [:]
    /// The last counters of each process.
    var health: [String: [String: Int64]] = [:]
    /// Orders by id, in their last state.
    var orders: [String: Order] = [:]
    var fills: [Fill] = []
    var opportunities: [UInt64: Opportunity] = [:]
    var planted: [UInt64: PlantedArbitrage] = [:]
    var snapshotEnds: Set<String> = []
  }

  private let lock = NSLock()
  private var state = Seen()
  private var isStopped = false

  init(_ deployment: Deployment, publishers: [String]) throws {
    let subscriber = try Subscriber(
      name: "test-\(UInt32.random(in: 0..<UInt32.max))",
      topics: [
        "book/", "market/", "trade/", "ticker/", "opportunity/", "order/", "fill/", "settlement/", "health/",
        "planted/",
      ],
      wantsSnapshot: false, highWaterMark: 1_000_000)
    for name in publishers {
      try subscriber.connect(BusEndpoint.ipc(name: name, runDirectory: deployment.runDirectory))
    }
    let box = Box(subscriber: subscriber)
    Thread.detachNewThread { [self] in listen(box.subscriber) }
  }

  /// A subscriber is handed to the thread that owns it from then on.
  private struct Box: @unchecked Sendable {
    let subscriber: Subscriber
  }

  deinit { stop() }

  func stop() { lock.withLock { isStopped = true } }

  /// What was seen until now.
  var seen: Seen { lock.withLock { state } }

  private func listen(_ subscriber: Subscriber) {
    let poller = Poller()
    poller.add(subscriber)
    while !lock.withLock({ isStopped }) {
      poller.wait(timeoutMilliseconds: 100)
      subscriber.receive(limit: 4096) { event in
        lock.withLock { take(event, subscriber) }
      }
    }
  }

  private func take(_ event: BusEvent, _ subscriber: Subscriber) {
    switch event {
    case .gap(let stream, let missed): state.gaps[subscriber.topic(of: stream), default: 0] += missed
    case .restarted(let stream): state.restarts[subscriber.topic(of: stream), default: 0] += 1
    case .snapshotEnd(let publisher): state.snapshotEnds.insert(publisher)
    case .message(let stream, _, _, var reader):
      let topic = subscriber.topic(of: stream)
      state.messages[topic, default: 0] += 1
      if topic.hasPrefix(Topic.health), let health = try? HealthMessage(&reader) {
        state.health[health.name] = health.counters
      } else if topic.hasPrefix(Topic.order), let order = try? Order(&reader) {
        state.orders[order.id] = order
      } else if topic.hasPrefix(Topic.fill), let fill = try? Fill(&reader) {
        state.fills.append(fill)
      } else if topic.hasPrefix(Topic.opportunity), let opportunity = try? Opportunity(&reader) {
        state.opportunities[opportunity.id] = opportunity
      } else if topic.hasPrefix(Topic.planted), let planted = try? PlantedArbitrage(&reader) {
        state.planted[planted.id] = planted
      }
    }
  }
}
