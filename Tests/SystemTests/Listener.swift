import Bus
import Daemon
import Foundation
import Market
import TestSupport

/// Listens to everything that a deployment's processes say, and keeps count.
///
/// `@unchecked Sendable`: what it keeps is behind the thread's lock.
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

  private let thread = BusThread()
  private var state = Seen()

  init(_ deployment: Deployment, publishers: [String]) throws {
    let topics = [
      "book/", "market/", "trade/", "ticker/", "opportunity/", "order/", "fill/", "settlement/", "health/",
      "planted/",
    ]
    try thread.hear(.init(topics: topics, wantsSnapshot: false), of: deployment, publishers: publishers) {
      [weak self] in self?.take($0, $1)
    }
  }

  deinit { stop() }

  func stop() { thread.stop() }

  /// What was seen until now.
  var seen: Seen { thread.withLock { state } }

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
